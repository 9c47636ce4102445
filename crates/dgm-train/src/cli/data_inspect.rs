//! `dgm-train data inspect`: what a data set holds, as the models will see it.

use super::destination::{Inputs, cannot_write};
use super::output::say;
use crate::config::{Config, ConfigFile, Missing, ModelConfig, at_home};
use crate::data::summary::{Arrangement, Summary, first_examples};
use crate::data::table::{Profile, Table, profile, profile_numbers};
use crate::data::{DataConfig, Dataset};
use crate::error::{Error, Result, did_you_mean};
use crate::guess::{self, Proposal, Wishes};
use crate::report::grid::{self, Band};
use crate::report::{columns, shell_quoted};
use crate::shipped;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use toml::de::DeTable;

#[derive(Args, Clone, Debug)]
pub(super) struct InspectArgs {
    /// Data file or folder, configuration file ([data] is enough), name of a shipped configuration, or name of a source (with
    /// its keys as --set)
    #[arg(value_name = "DATA_OR_CONFIG")]
    config: PathBuf,
    /// Set a configuration value, as in --set data.condition=label, or a key of [data] for a bare data file, as in
    /// --set data.encoding=windows-1252; paths are relative to the current folder
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Seed of random splits, overriding the configuration's
    #[arg(long, allow_negative_numbers = true, value_parser = super::whole::<u64>)]
    seed: Option<u64>,
    /// Write a picture of the first examples of each split (images only)
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Examples per split in the picture
    #[arg(short, long, allow_negative_numbers = true, default_value_t = 40, value_parser = super::within(1..=1000))]
    n: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Examples of a text that are shown.
const WINDOWS: usize = 3;

/// Most numbers of an example that are shown one by one, and most numbers of all that are read into memory for it.
const MOST_COLUMNS: usize = 64;
const MOST_NUMBERS: usize = 50_000_000;

/// What `--json` prints.
#[derive(Serialize)]
struct Inspection {
    #[serde(flatten)]
    summary: Option<Summary>,
    /// How a table is written, as it was recognised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recognised: Vec<String>,
    /// Rows of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
    /// The columns of a table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<Profile>,
    /// For data without a configuration: the table that describes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Why there is no such table.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The first training examples, where they are text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    windows: Vec<String>,
}

pub(super) fn run(args: &InspectArgs) -> Result<ExitCode> {
    let args = &InspectArgs { config: at_home(&args.config)?, ..args.clone() };
    let bare = is_bare(&args.config);
    let proposal = match bare {
        true => {
            let wishes = Wishes { set: args.overrides.clone(), ..Wishes::default() };
            Some(guess::proposal(&args.config, &wishes, &Path::to_path_buf)?)
        }
        false => None,
    };
    let proposed = proposal.as_ref().map(Proposal::toml);
    // A table by itself has no target yet: its columns say what there is.
    if let Some(Proposal { table: Some(table), problem, .. }) = &proposal {
        let problem = problem.as_ref().map(Error::to_string);
        return bare_table(args, table, proposed.filter(|_| problem.is_none()), problem);
    }
    let config = match &proposal {
        Some(proposal) => proposal.config(&args.config, None, &seeds(args))?,
        None => config_of(args)?,
    };
    let dataset = config.load_data()?;
    let image = grid::is_image(&dataset.spec);
    let inputs = Inputs::default().with_data(&config.data).with_file(Some(&args.config));
    let sheet = args.out.as_deref().map(|out| check_out(out, image).and_then(|()| inputs.create("--out", out)));
    let sheet = sheet.transpose()?;
    let table = dataset.table.as_deref();
    let inspection = Inspection {
        summary: Some(Summary::of(&dataset)?),
        recognised: table.map_or(Vec::new(), |table| table.notes().to_vec()),
        rows: table.map(Table::rows),
        columns: match table {
            Some(table) => profile(table),
            None if bare => array_columns(&dataset)?,
            None => Vec::new(),
        },
        data: proposed,
        problem: None,
        windows: windows(&dataset)?,
    };
    if let (Some(out), Some(file)) = (&args.out, sheet) {
        let png = sheet_of(&dataset, args.n as usize)?;
        file.finish_with(&png).map_err(|error| cannot_write(out, &error))?;
    }
    if args.json {
        return print_json(&inspection);
    }
    say(inspection.summary.as_ref().map_or(String::new(), Summary::text).trim_end())?;
    if let Some(table) = table {
        say(format_args!("\n{}", columns::text(table).trim_end()))?;
    }
    if table.is_none() && !inspection.columns.is_empty() {
        say(format_args!("\n{}", columns::lines(&inspection.columns, &|_, _| String::new()).trim_end()))?;
    }
    if !inspection.windows.is_empty() {
        say("\nfirst examples")?;
        inspection.windows.iter().try_for_each(|window| say(format_args!("  {window}")))?;
    }
    match &args.out {
        Some(out) => {
            let order = match Arrangement::of(&dataset.spec, args.n as usize) {
                Arrangement::Sequence => "",
                Arrangement::ClassRows => "; a row for each class",
                Arrangement::ClassColumns => "; a column for each class",
            };
            say(format_args!("\n{}: training above, then validation, then test{order}", out.display()))?;
        }
        None if image => say("\nfor a picture of the first examples: --out examples.png")?,
        None => {}
    }
    inspection.data.map_or(Ok(()), |data| paste(args, &data))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether this names data, and not a configuration.
fn is_bare(path: &Path) -> bool {
    path.is_dir() || path.is_file() && path.extension().is_none_or(|extension| extension != "toml")
}

/// What a table holds that no configuration describes yet, and the configuration, or why there is none.
fn bare_table(args: &InspectArgs, table: &Table, data: Option<String>, problem: Option<String>) -> Result<ExitCode> {
    if let Some(out) = &args.out {
        return check_out(out, false).map(|()| ExitCode::SUCCESS);
    }
    if args.json {
        return print_json(&Inspection {
            summary: None,
            recognised: table.notes().to_vec(),
            rows: Some(table.rows()),
            columns: profile(table),
            data,
            problem,
            windows: Vec::new(),
        });
    }
    say(columns::text(table).trim_end())?;
    data.map_or(Ok(()), |data| paste(args, &data))?;
    problem.map_or(Ok(()), |problem| say(format_args!("\n{problem}")))?;
    Ok(ExitCode::SUCCESS)
}

/// The numbers of an example of an array, each as a column, where they are few enough to be read as such.
fn array_columns(dataset: &Dataset) -> Result<Vec<Profile>> {
    let [channels, rows, width] = dataset.spec.shape;
    let splits = [&dataset.train, &dataset.validation, &dataset.test];
    let examples: usize = splits.iter().map(|split| split.len()).sum();
    let few = width <= MOST_COLUMNS && examples.saturating_mul(width) <= MOST_NUMBERS;
    if (channels, rows) != (1, 1) || dataset.tokens().is_some() || !few {
        return Ok(Vec::new());
    }
    let mut columns = vec![Vec::with_capacity(examples); width];
    for split in splits {
        let mut push = |row: &[f64]| columns.iter_mut().zip(row).for_each(|(column, &value)| column.push(value));
        split.target.each_row(|_, row| push(row))?;
    }
    Ok(columns.into_iter().enumerate().map(|(index, values)| profile_numbers(index, values)).collect())
}

/// The table `[data]` to paste, and how to have the whole configuration written.
fn paste(args: &InspectArgs, data: &str) -> Result<()> {
    let set: String = args.overrides.iter().map(|assignment| format!(" --set {}", shell_quoted(assignment))).collect();
    let path = shell_quoted(&args.config.to_string_lossy());
    say(format_args!(
        "\nfor a configuration, or all of it with dgm-train new --data {path}{set}\n\n{}",
        data.trim_end()
    ))
}

fn print_json(inspection: &Inspection) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(inspection)
        .map_err(|error| Error::run(format!("the summary cannot be written as JSON: {error}")))?;
    say(text)?;
    Ok(ExitCode::SUCCESS)
}

/// What `--seed` changes.
fn seeds(args: &InspectArgs) -> Vec<String> {
    args.seed.map(|seed| format!("seed={seed}")).into_iter().collect()
}

/// The configuration of a file, of a shipped one, or of a source by itself.
fn config_of(args: &InspectArgs) -> Result<Config> {
    let name = args.config.display().to_string();
    let mut file = match DataConfig::SOURCES.contains(&name.as_str()) && !args.config.exists() {
        true => ConfigFile::of_text(format!("[data]\nsource = \"{name}\"\n"), name),
        false if args.config.exists() || shipped::find(&name).is_some() => ConfigFile::open(&args.config)?,
        false => {
            let configs: Vec<&str> = shipped::names().into_iter().map(|file| file.trim_end_matches(".toml")).collect();
            let near = did_you_mean(&name, configs.iter().chain(DataConfig::SOURCES).copied());
            return Err(Error::input(format!(
                "{name}: no such file; name a file or folder of data, a configuration, one that ships with the program ({}), or a source ({}){near}",
                configs.join(", "),
                DataConfig::SOURCES.join(", ")
            )));
        }
    };
    // Data can be looked at before there is a model: any will do, and none is built.
    if DeTable::parse(&file.text).is_ok_and(|root| !root.get_ref().contains_key("model")) {
        let kind = ModelConfig::KINDS.first().copied().unwrap_or_default();
        file.text.push_str(&format!("\n[model]\nkind = \"{kind}\"\n"));
    }
    let overrides = [&args.overrides[..], &seeds(args)].concat();
    file.config(&overrides, Missing::Refused)
}

/// Before the data are read through: whether there will be a picture, and where to put it.
fn check_out(out: &Path, image: bool) -> Result<()> {
    if !image {
        return Err(Error::input(format!(
            "--out {}: the targets are not images of levels, so there is no picture of them; leave out --out, or set \
             data.target=image and data.dequantize=none where the source has images",
            out.display()
        )));
    }
    if out.extension().and_then(|extension| extension.to_str()) != Some("png") {
        return Err(Error::input(format!(
            "--out {}: expected a name that ends in .png; give it that ending",
            out.display()
        )));
    }
    Ok(())
}

/// The first training examples as text.
fn windows(dataset: &Dataset) -> Result<Vec<String>> {
    let Some(vocabulary) = &dataset.vocabulary else { return Ok(Vec::new()) };
    let symbols = vocabulary.names();
    let rows: Vec<usize> = (0..dataset.train.len().min(WINDOWS)).collect();
    let read = dataset.train.target.read(&rows, 0)?;
    let mask = dataset.train.mask.as_ref().map(|mask| mask.read(&rows, 0)).transpose()?;
    // What stands behind the last scored symbol is padding.
    let end = |row: usize| mask.as_ref().map_or(read.width(), |mask| 1 + last_one(mask.row(row)));
    let shown = |row: &[f64]| row.iter().map(|&x| symbols.get(x as usize).map_or("?", String::as_str)).collect();
    Ok((0..rows.len()).map(|row| shown(&read.row(row)[..end(row)])).collect())
}

/// The place of the last 1.
fn last_one(mask: &[f64]) -> usize {
    mask.iter().rposition(|&one| one > 0.5).unwrap_or(0)
}

/// Training, validation and test one above the other.
fn sheet_of(dataset: &Dataset, n: usize) -> Result<Vec<u8>> {
    let mut bands = Vec::new();
    for split in [&dataset.train, &dataset.validation, &dataset.test] {
        let (columns, cells) = first_examples(split, &dataset.spec, n)?;
        bands.push(Band { columns, cells });
    }
    grid::png(&bands, &dataset.spec)
}
