//! `dgm-train sample RUN`: samples, as a picture, as numbers or as a text.

use super::destination::{Inputs, Output, ending};
use super::output::is_standard;
use super::sample_text;
use crate::config::Config;
use crate::data::{DataConfig, Names, Split, TextConfig, Vocabulary, picture_as};
use crate::error::{Error, Result, did_you_mean};
use crate::provenance::Provenance;
use crate::report::tell;
use crate::report::{grid, npy, progress, rows};
use crate::run_folder::RunFolder;
use crate::sampling::{Prefix, Wanted, needs_examples, sample};
use clap::Args;
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::SamplingParams;
use dgm_models::{Capability, DataSpec, Model, Values, require};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct SampleArgs {
    /// Run folder
    run: PathBuf,
    /// New path of data that have moved, as in --set data.path=table.csv, or another way to draw samples, as in --set model.steps=50 (diffusion)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Number of samples [default: 64; 1 text]
    #[arg(short, long, allow_negative_numbers = true, value_parser = super::within(1..=100_000))]
    n: Option<u32>,
    /// Output file: .png for a grid of images, .csv or .npy for numbers, .txt for texts; - is standard output, as CSV or text [default: samples.png; texts
    /// go to standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// Random seed, overriding the run's
    #[arg(long, allow_negative_numbers = true, value_parser = super::whole::<u64>)]
    seed: Option<u64>,
    /// Class to sample, by name or number, for class-conditional models [default: all in turn]
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    label: Option<String>,
    /// Value of a column that all samples have, as in --given sex=male; may be given several times (models that sample in any order)
    #[arg(long, value_name = "COLUMN=VALUE", allow_hyphen_values = true)]
    given: Vec<String>,
    /// Sampling temperature (this and the following options: autoregressive models)
    #[arg(long, value_name = "T", allow_negative_numbers = true, default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// Sample from the K most probable values (top-k)
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = super::within(1..=u32::MAX))]
    top_k: Option<u32>,
    /// Sample from the most probable values with total probability P (nucleus sampling)
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = share)]
    top_p: Option<f64>,
    /// Image file whose first rows are given; the rest is sampled
    #[arg(long, value_name = "IMAGE", requires = "rows")]
    complete: Option<PathBuf>,
    /// Number of given rows of the image
    #[arg(long, requires = "complete", allow_negative_numbers = true, value_parser = super::whole::<usize>)]
    rows: Option<usize>,
    /// Text to continue
    #[arg(long, value_name = "TEXT", conflicts_with = "complete", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Number of symbols to sample after the prompt [default: 500]
    #[arg(long, value_name = "SYMBOLS", allow_negative_numbers = true, value_parser = super::within(1..=10_000_000))]
    length: Option<u32>,
}

/// A temperature: what is below a millionth is `--top-k 1`.
fn temperature(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| (1e-6..=1e6).contains(value));
    value.ok_or_else(|| "expected a number from 0.000001 to 1000000; for the most probable value --top-k 1".into())
}

/// A number above 0 and at most 1.
fn share(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value <= 1.0);
    value.ok_or_else(|| "expected a number above 0 and at most 1".into())
}

/// Images or rows of numbers.
const SAMPLES: u32 = 64;

/// Symbols of a text.
const SYMBOLS: u32 = 500;

pub(super) fn run(args: &SampleArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let provenance = folder.provenance()?;
    let backend = super::backend_of_run(args.backend.as_deref(), &provenance.backend)?;
    let config: Config = folder.config_for_sampling(&args.overrides)?;
    let spec = &provenance.spec;
    let inputs = Inputs::of_runs(&[&args.run]).with_data(&config.data).with_file(args.complete.as_deref());
    let form = Form::of(args, &provenance, &inputs)?;
    let seed = Seed(args.seed.unwrap_or(config.seed));
    let (output, as_picture) = match form {
        Form::Text(vocabulary, out) => {
            let model = folder.model(&config, spec, &backend.device)?;
            note_prefix(args, &config.data);
            return write_texts(args, &model, vocabulary, out, seed);
        }
        Form::Picture(output) => (output, true),
        Form::Numbers(output) => (output, false),
    };
    if args.prompt.is_some() || args.length.is_some() {
        let what = match provenance.vocabulary {
            Some(_) => "--prompt and --length write text: leave --out out, or name a .txt",
            None => "--prompt and --length are for texts, and this run's targets are not; leave them out",
        };
        return Err(Error::input(what));
    }
    let prefix = prefix(args, spec)?;
    let given = args.given.iter().map(|text| given(text, &provenance, &config.data)).collect::<Result<Vec<_>>>()?;
    for (place, (dimension, _)) in given.iter().enumerate() {
        if given.iter().take(place).any(|(other, _)| other == dimension) {
            let again = args.given.get(place).map_or("", String::as_str);
            return Err(Error::input(format!(
                "--given {again}: found the column twice; expected one value; leave one out"
            )));
        }
    }
    let model = folder.model(&config, spec, &backend.device)?;
    // Conditions that are not labels come from the test split; nothing else needs the data.
    let conditions = if needs_examples(spec) { folder.dataset(&config)?.test } else { Split::default() };
    let n = args.n.unwrap_or(SAMPLES) as usize;
    let label = args.label.as_deref().map(|label| class_of(label, &provenance)).transpose()?;
    let wanted = Wanted { n, label, choice: choice(args), prefix, given, seed };
    let bar = progress::counter((n * spec.event()) as u64, "values sampled");
    let samples = sample(&model, &conditions, &wanted, &backend.device, &mut |numbers| bar.inc(numbers))?;
    bar.finish_and_clear();
    let bytes = if as_picture {
        grid::square_png(&samples, spec)?
    } else {
        // Of lines nothing was learnt of what stands behind their end.
        let end = provenance.vocabulary.as_ref().and_then(Vocabulary::end).map(|end| end as f64);
        let whole = |x: &Vec<f64>| x.iter().position(|&level| Some(level) == end).map_or(x.len(), |place| place + 1);
        let samples: Vec<Vec<f64>> = samples.iter().map(|x| x.iter().take(whole(x)).copied().collect()).collect();
        match output.ends_in("npy") {
            true => npy::of_rows(&samples, spec.event()),
            false => rows::csv(&samples, &provenance.names, &conditions)?,
        }
    };
    output.write(&bytes, format_args!("{} samples", samples.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// The class that `--label` names.
fn class_of(label: &str, provenance: &Provenance) -> Result<usize> {
    let Names { classes, .. } = &provenance.names;
    provenance.names.class(label).ok_or_else(|| {
        let near = did_you_mean(label, classes.iter().map(String::as_str));
        if !provenance.names.target.is_empty() && classes.is_empty() {
            return Error::input(format!(
                "--label {label}: this model is not conditioned on a label, but on the columns of test rows; leave --label out"
            ));
        }
        let number = provenance.spec.condition.as_ref().and_then(|condition| condition.classes);
        Error::input(match (classes.is_empty(), number) {
            (true, None) => format!("--label {label}: this model is not conditioned on a label; leave it out"),
            (true, Some(n)) => format!("--label {label}: the classes are 0 to {}; give one of them", n.saturating_sub(1)),
            (false, _) => format!(
                "--label {label}: there is no such class{near} (classes: {}); name one of them",
                classes.join(", ")
            ),
        })
    })
}

/// The dimension of the target that `--given` means, and its value.
fn given(text: &str, provenance: &Provenance, data: &DataConfig) -> Result<(usize, f64)> {
    let names = &provenance.names;
    let DataConfig::Csv(table) = data else {
        return Err(Error::input(format!("--given {text}: this run's data are no table; leave it out")));
    };
    let all = names.target.iter().map(|column| column.name.as_str());
    let Some((name, value)) = text.split_once('=') else {
        return Err(Error::input(format!(
            "--given {text}: expected a column and its value; write --given COLUMN=VALUE"
        )));
    };
    let found = names.target.iter().enumerate().find(|(_, column)| column.name == name);
    let Some((dimension, column)) = found else {
        let near = did_you_mean(name, all.clone());
        let listed = all.collect::<Vec<_>>().join(", ");
        return Err(Error::input(format!(
            "--given {text}: the samples have no column `{name}`{near} (columns: {listed}); name one of them"
        )));
    };
    let value = table.read_cell(column, &names.classes, value);
    value.map(|value| (dimension, value)).map_err(|problem| Error::input(format!("--given {text}: {problem}")))
}

/// How samples are shown.
enum Form<'a> {
    Picture(Output),
    Numbers(Output),
    Text(&'a Vocabulary, Output),
}

impl<'a> Form<'a> {
    fn of(args: &SampleArgs, provenance: &'a Provenance, inputs: &Inputs) -> Result<Self> {
        let (spec, text) = (&provenance.spec, provenance.vocabulary.as_ref());
        let path = match (&args.out, text) {
            (Some(path), _) => path.as_path(),
            (None, Some(_)) => Path::new("-"),
            (None, None) if grid::is_image(spec) => Path::new("samples.png"),
            (None, None) => return Err(not_images()),
        };
        match (ending(path).as_str(), text) {
            (_, None) if is_standard(path) => Ok(Self::Numbers(inputs.open(path)?)),
            (_, Some(text)) if is_standard(path) => Ok(Self::Text(text, inputs.open(path)?)),
            ("txt", Some(text)) => Ok(Self::Text(text, inputs.open(path)?)),
            ("csv", _) | ("npy", None) => Ok(Self::Numbers(inputs.open(path)?)),
            ("png", _) if grid::is_image(spec) => Ok(Self::Picture(inputs.open(path)?)),
            ("png", _) => Err(not_images()),
            ("txt", None) => Err(Error::input(format!(
                "{}: this run's targets are not texts: name a .csv or .npy, or a .png of images",
                path.display()
            ))),
            (_, Some(_)) => Err(Error::input(format!(
                "{}: texts are written as .txt, their symbols as .csv; give it one of these endings",
                path.display()
            ))),
            (_, None) => Err(Error::input(format!(
                "{}: expected a name that ends in .png, .csv or .npy; give it one of these endings",
                path.display()
            ))),
        }
    }
}

fn not_images() -> Error {
    Error::input("this run's targets are not images: write numbers with --out samples.csv or samples.npy")
}

fn choice(args: &SampleArgs) -> SamplingParams {
    SamplingParams { temperature: args.temperature, top_k: args.top_k.map(|k| k as usize), top_p: args.top_p }
}

/// The rows of an image that are given.
fn prefix(args: &SampleArgs, spec: &DataSpec) -> Result<Option<Prefix>> {
    let (Some(path), Some(rows)) = (&args.complete, args.rows) else { return Ok(None) };
    if !grid::is_image(spec) || spec.levels().is_none() {
        return Err(Error::input("--complete is for images of levels, and this run's targets are not; leave it out"));
    }
    let [channels, height, width] = spec.shape;
    if rows > height {
        return Err(Error::input(format!("--rows {rows}: the images have {height} rows; give as many or fewer")));
    }
    let (values, found, changes) = picture_as(path, spec)?;
    if spec.values == Values::Levels(2) {
        tell(format_args!("note: {}: pixels at least half bright become 1, the others 0", path.display()));
    }
    for what in changes {
        tell(format_args!("note: {}: {what}", path.display()));
    }
    if found != [height, width] {
        tell(format_args!(
            "note: {} has {} × {} pixels (rows × columns); its largest central crop of their aspect ratio was resized to \
             the {height} × {width} of the model's images",
            path.display(),
            found[0],
            found[1]
        ));
    }
    Ok(Some(Prefix { values, count: channels * rows * width }))
}

/// Says so where a prompt ends before what the model was trained to continue from.
fn note_prefix(args: &SampleArgs, data: &DataConfig) {
    let DataConfig::Text(TextConfig { prefix_until: Some(prefix), .. }) = data else { return };
    let prompt = args.prompt.as_deref().unwrap_or_default();
    if !prompt.contains(*prefix) {
        tell(format_args!(
            "note: found no {prefix:?} in --prompt; of lines that have one, this model learnt only what stands behind it: give \
             a prompt that ends with one"
        ));
    }
}

fn write_texts(
    args: &SampleArgs,
    model: &dyn Model,
    vocabulary: &Vocabulary,
    out: Output,
    seed: Seed,
) -> Result<ExitCode> {
    if args.complete.is_some() || args.label.is_some() {
        return Err(Error::input("--complete and --label are not for texts: give what a text begins with as --prompt"));
    }
    let arm = require(model.conditionals(), Capability::Autoregressive, model)
        .map_err(|error| Error::input(format!("write levels with --out samples.csv: {error}")))?;
    if model.spec().values != Values::Levels(vocabulary.len()) {
        return Err(Error::input(
            "provenance.json: its vocabulary has another number of symbols than the model; restore it",
        ));
    }
    let wanted = sample_text::Wanted {
        prompt: args.prompt.as_deref().unwrap_or_default(),
        length: args.length.unwrap_or(SYMBOLS) as usize,
        choice: choice(args),
    };
    if let Some(character) = vocabulary.unknown_in(wanted.prompt) {
        tell(format_args!(
            "note: found {character:?} in --prompt, which does not occur in the training text: it is given as <unknown>, which \
             is written as {}",
            char::REPLACEMENT_CHARACTER
        ));
    }
    let n = args.n.unwrap_or(1);
    let mut noise = seed.stream("sampling", 0);
    let mut write = |out: &mut dyn std::io::Write, sampled: &mut dyn FnMut(u64)| {
        sample_text::write(arm, vocabulary, &wanted, n as usize, &mut noise, out, sampled)
    };
    if out.is_standard() {
        // As they are sampled.
        write(&mut std::io::stdout().lock(), &mut |_| {})?;
        return Ok(ExitCode::SUCCESS);
    }
    let bar = progress::counter(u64::from(n) * wanted.length as u64, "symbols sampled");
    let mut all = Vec::new();
    write(&mut all, &mut |symbols| bar.inc(symbols))?;
    bar.finish_and_clear();
    out.write(&all, format_args!("{n} texts"))?;
    Ok(ExitCode::SUCCESS)
}
