//! `dgm-train score RUN --data TABLE --out scores.csv`: how strange is each row?

use super::destination::{Inputs, cannot_write, cannot_write_to, place_of};
use super::output::{is_standard, say};
use super::predict::{Heard, source_of};
use crate::config::{Config, ConfigFile, Missing};
use crate::data::{DataConfig, Dataset, Part, Split};
use crate::error::{Error, Result};
use crate::files::PartFile;
use crate::report::grid::is_image;
use crate::report::{figures, progress, tell};
use crate::run_folder::RunFolder;
use crate::score::{Calibration, ScoreOptions, Scorer, Statistic, score_split, score_table};
use clap::Args;
use dgm_models::DataSpec;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ScoreArgs {
    /// Run folder
    run: PathBuf,
    /// Table with the columns that the run was trained on, by name and in any order (- is standard input), or an array (.npy) as the run's
    /// own [default: the run's test split]
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, conflicts_with = "split")]
    data: Option<PathBuf>,
    /// Split of the run's data to score instead
    #[arg(long, value_enum)]
    split: Option<Part>,
    /// Configuration file, or the name of a shipped one, whose test images are scored instead: other data of the same shape and levels
    #[arg(long, value_name = "CONFIG", conflicts_with_all = ["data", "split"])]
    on: Option<PathBuf>,
    /// What p-values and flags are of
    #[arg(long, value_enum, default_value_t)]
    by: Statistic,
    /// Run of the model that --by ratio holds this one against
    #[arg(long, value_name = "RUN")]
    background: Option<PathBuf>,
    /// Output file, as CSV; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-", allow_hyphen_values = true)]
    out: PathBuf,
    /// Draw the histogram of what is scored beside that of the validation examples, as SVG
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// Flag rows at this rate of false alarms, such as 0.01: those with a p-value of at most that
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = rate)]
    threshold: Option<f64>,
    /// Write the surprisal of each column too, given the columns before it
    #[arg(long)]
    per_column: bool,
    /// Column of the table to write in front of the scores; may be given several times [default: all that the model does not see]
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true, requires = "data", conflicts_with_all = ["split", "on"])]
    keep: Vec<String>,
    /// Importance samples for each row, where the model has latent variables [default: 64]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = super::within(1..=100_000))]
    samples: Option<u32>,
    /// Score a model with latent variables by −log p(x, z) + log q(z | x) at the mean of q (a flow's: at what it makes of the mean before it): no bound, and no noise, to compare programs
    #[arg(long, conflicts_with_all = ["samples", "background"])]
    at_mean: bool,
    /// Take words that no training row has for unknown ones instead of refusing them
    #[arg(long)]
    allow_unknown: bool,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
}

/// A number above 0 and below 1.
fn rate(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value < 1.0);
    value.ok_or_else(|| "expected a rate above 0 and below 1, such as 0.01".into())
}

/// The file of the figure that is asked for, found before anything is scored.
fn figure_file(args: &ScoreArgs, inputs: &Inputs) -> Result<Option<PartFile>> {
    let Some(path) = args.figure.as_deref() else { return Ok(None) };
    let name = path.display();
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg")) {
        return Err(Error::input(format!("--figure {name}: figures are SVG files; give a name that ends in .svg")));
    }
    if place_of(path).is_some_and(|figure| place_of(&args.out) == Some(figure)) {
        return Err(Error::input(format!("--figure {name}: the scores go there; name another file")));
    }
    inputs.create("--figure", path).map(Some)
}

pub(super) fn run(args: &ScoreArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let provenance = folder.provenance()?;
    let backend = super::backend_of_run(args.backend.as_deref(), &provenance.backend)?;
    let config: Config = folder.config_with_moved_data(&args.overrides)?;
    let inputs =
        Inputs::of_runs(&[Some(&args.run), args.background.as_ref()].into_iter().flatten().collect::<Vec<_>>())
            .with_data(&config.data)
            .with_file(args.data.as_deref())
            .with_file(args.on.as_deref());
    let dataset = folder.dataset(&config)?;
    let (inputs, other) = match args.on.as_deref() {
        Some(on) => {
            let (data, other) = examples_of(on, &config, &dataset.spec)?;
            (inputs.with_data(&data), Some(other))
        }
        None => (inputs, None),
    };
    let figure = figure_file(args, &inputs)?;
    let scorer: Scorer = of_samples(args, Scorer::open(&folder, &config, &dataset.spec, &backend)?);
    let scorer = if args.at_mean { scorer.at_mean(&dataset.validation)? } else { scorer };
    let background = args.background.as_deref().map(|run| background_of(args, run, &dataset)).transpose()?;
    let scorer = scorer.by(args.by, background, &dataset.validation)?;
    if args.samples.is_some() && !scorer.has_samples() {
        return Err(Error::input(
            "--samples is for models with latent variables, and this run's has none; leave it out",
        ));
    }
    let calibration = Calibration::of(&scorer, &dataset.validation)?;
    let (dialect, missing_values) = match &config.data {
        DataConfig::Csv(table) => (table.dialect(), table.missing_values.clone()),
        _ => Default::default(),
    };
    let options = ScoreOptions {
        calibration,
        statistic: args.by,
        bits_of: is_image(&dataset.spec).then(|| dataset.spec.event()),
        threshold: args.threshold,
        per_column: args.per_column,
        keep: (!args.keep.is_empty()).then(|| args.keep.clone()),
        allow_unknown: args.allow_unknown,
        dialect,
        missing_values,
    };
    let names = other.as_ref().map_or(&dataset.names, |other| &other.names);
    let said = Cell::new(false);
    let tell_once = || {
        if !said.replace(true) {
            announce(&scorer, &options);
        }
    };
    let score = |out: &mut dyn Write, told: &mut dyn FnMut(&[f64]) -> ControlFlow<()>| match &args.data {
        Some(data) if matches!(config.data, DataConfig::Csv(_)) => {
            let stdin = std::io::stdin();
            score_table(&scorer, names, &mut source_of(data, &stdin)?, &options, out, told)
        }
        Some(data) => score_split(&scorer, names, &of_array(&config, &dataset.spec, data)?, &options, out, told),
        None => {
            let (_, split) = other.as_ref().unwrap_or(&dataset).part(args.split.unwrap_or_default());
            score_split(&scorer, names, split, &options, out, told)
        }
    };
    // Only for the figure.
    let scored = RefCell::new(Vec::new());
    let keep = |part: &[f64]| {
        if figure.is_some() {
            scored.borrow_mut().extend_from_slice(part);
        }
    };
    if is_standard(&args.out) {
        let gone = Cell::new(false);
        let mut out = Heard { out: std::io::stdout().lock(), gone: &gone };
        score(&mut out, &mut |part| {
            tell_once();
            keep(part);
            if gone.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        // Whoever has had enough of the scores has not seen all that the figure would be of.
        if !gone.get() {
            drawn(args, figure, &options, &scored.take())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = inputs.create("--out", &args.out)?;
    let bar = progress::open_counter("rows scored");
    let done = score(&mut out, &mut |part| {
        bar.inc(part.len() as u64);
        keep(part);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let [rows, flagged] = done?;
    tell_once();
    out.finish().map_err(|error| cannot_write(&args.out, &error))?;
    let flags = args.threshold.map_or(String::new(), |_| format!(", {flagged} flagged"));
    say(format_args!("{rows} scores in {}{flags}", args.out.display()))?;
    drawn(args, figure, &options, &scored.take())?;
    Ok(ExitCode::SUCCESS)
}

/// Draws the figure that is asked for.
fn drawn(args: &ScoreArgs, file: Option<PartFile>, options: &ScoreOptions, scored: &[f64]) -> Result<()> {
    let (Some(path), Some(file)) = (&args.figure, file) else { return Ok(()) };
    let threshold = options.threshold.map(|rate| options.calibration.threshold(rate));
    let text = figures::scores::draw(options.statistic.name(), options.calibration.scores(), scored, threshold)?;
    file.finish_with(text.as_bytes()).map_err(|error| cannot_write_to("--figure", path, &error))?;
    tell(format_args!("figure: {}", path.display()));
    Ok(())
}

/// Says what is written, once there is some of it: of what cannot be read there is nothing to say.
fn announce(scorer: &Scorer, options: &ScoreOptions) {
    let (calibration, name) = (&options.calibration, scorer.statistic().name());
    tell(format_args!(
        "surprisal: {} in nats, larger is stranger; p-values of the {name} from {} validation examples",
        scorer.estimator(),
        calibration.examples()
    ));
    let Some(rate) = options.threshold else { return };
    match calibration.threshold(rate) {
        f64::INFINITY => tell(format_args!(
            "note: {} validation examples are too few for a rate of {rate}: nothing is flagged; give {} or more",
            calibration.examples(),
            (1.0 / rate).ceil() - 1.0
        )),
        threshold => tell(format_args!("flagged: a {name} above {threshold:.4} nats")),
    }
}

/// The model of another run, as a background.
fn background_of(args: &ScoreArgs, run: &Path, dataset: &Dataset) -> Result<Scorer> {
    let folder = RunFolder::open(run)?;
    let provenance = folder.provenance()?;
    if (&provenance.names.target, &provenance.vocabulary) != (&dataset.names.target, &dataset.vocabulary) {
        return Err(Error::input(format!(
            "--background {}: found other columns or symbols than this run's; expected the same, in the same order; name a run on the same data",
            run.display()
        )));
    }
    let backend = super::backend_of_run(args.backend.as_deref(), &provenance.backend)?;
    let scorer = Scorer::open(&folder, &folder.config()?, &provenance.spec, &backend)?;
    Ok(of_samples(args, scorer))
}

/// With as many importance samples as are asked for.
fn of_samples(args: &ScoreArgs, scorer: Scorer) -> Scorer {
    match args.samples {
        Some(samples) => scorer.with_samples(samples as usize),
        None => scorer,
    }
}

/// The data that another configuration describes, of examples as the run's.
fn examples_of(path: &Path, own: &Config, spec: &DataSpec) -> Result<(DataConfig, Dataset)> {
    if !is_image(spec) || spec.levels().is_none() {
        return Err(Error::input(format!(
            "--on {}: is for runs on images as levels, and this one has other targets; give the rows of a table or an array with --data",
            path.display()
        )));
    }
    // Where the augmentation is a condition of the run, that of an example as it is belongs to the others too.
    let keys = toml::Value::try_from(&own.data).ok();
    let augment = keys.as_ref().and_then(|keys| keys.get("augment")).map(|augment| format!("data.augment={augment}"));
    let augment = augment.filter(|_| spec.condition.as_ref().is_some_and(|condition| condition.augmentation > 0));
    let file = ConfigFile::open(path)?;
    // Data that take none are told what does not fit below.
    let augmented = file.config(augment.as_slice(), Missing::Refused);
    let config: Config = augmented.or_else(|_| file.config(&[], Missing::Refused))?;
    let dataset = config.load_data()?;
    let kind = |spec: &DataSpec| (spec.shape, spec.levels(), spec.condition_width());
    if kind(&dataset.spec) != kind(spec) {
        let said = |spec: &DataSpec| {
            let values = spec.levels().map_or("real numbers".to_owned(), |levels| format!("{levels} levels"));
            format!(
                "{:?} (channels, rows, columns) of {values} and a condition of {}",
                spec.shape,
                spec.condition_width()
            )
        };
        return Err(Error::input(format!(
            "--on {}: found examples of {}; expected those of the run, {}; name a configuration of data of that kind",
            path.display(),
            said(&dataset.spec),
            said(spec)
        )));
    }
    Ok((config.data, dataset))
}

/// The array in this file as the test split of the run's own source, in the units that the run learnt.
fn of_array(config: &Config, spec: &DataSpec, data: &Path) -> Result<Split> {
    let mut config = config.clone();
    let DataConfig::Npy(arrays) = &mut config.data else {
        return Err(Error::input(format!(
            "--data {}: the run was trained on data.source = \"{}\"; expected a run on a table or on arrays; leave it out, and name a split of the \
             run's data with --split",
            data.display(),
            config.data.source()
        )));
    };
    if is_standard(data) {
        return Err(Error::input("--data -: standard input is for tables, and the run is on arrays; name a file"));
    }
    arrays.test = Some(data.display().to_string());
    let mut split = config.load_data()?.test;
    split.standardize(spec);
    Ok(split)
}
