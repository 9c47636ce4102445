//! The command line: arguments here, one file per command beside it.

mod backends;
mod data;
#[cfg(feature = "fetch")]
mod data_fetch;
mod data_inspect;
mod evaluate;
mod new;
mod output;
mod sample;
mod sample_text;
mod signals;
mod train;

use crate::backend::Backend;
use crate::error::Error;
use crate::report::progress::{self, LogFormat};
use crate::report::tell;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Trains, evaluates and samples likelihood-based deep generative models.
///
/// Without a command it trains: dgm-train --config vae.toml --backend flex
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: TrainArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate a run's best checkpoint on the data named in its config.toml
    Evaluate(EvaluateArgs),
    /// Sample from a run's best checkpoint
    Sample(SampleArgs),
    /// Write a complete configuration for your own data: dgm-train new --data prices.csv --target price
    New(NewArgs),
    /// List the backends of this build and the devices of this machine
    Backends,
    /// Inspect or download data sets
    #[command(subcommand)]
    Data(data::DataCommand),
}

#[derive(Args, Debug)]
struct TrainArgs {
    /// Configuration file, or the name of a shipped one (vae.toml, arm.toml, pixelcnn.toml, …)
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// flex, ndarray, wgpu, wgpu:cpu or cuda; see `dgm-train backends` [default: flex if built in; with --resume, the run's]
    #[arg(long)]
    backend: Option<String>,
    /// Set a configuration value, as in --set training.epochs=5; with --resume, only what extends the run (training.epochs,
    /// max_minutes, early_stopping, ensemble) and the paths of moved data
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Random seed, overriding the configuration's
    #[arg(long, requires = "config")]
    seed: Option<u64>,
    /// Output folder [default: runs/<configuration>-<time>]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Resume the run in this folder from its last checkpoint; extend it with --set training.epochs=400
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// Fine-tune: start a new run from the best weights of the run in this folder, which must have the same [model]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Print the results only, no progress
    #[arg(long)]
    quiet: bool,
    /// Format of progress and errors on standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Args, Debug)]
struct EvaluateArgs {
    /// Run folder
    run: PathBuf,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// Importance samples per example, overriding the configuration's (latent-variable models)
    #[arg(long, value_name = "K")]
    importance_samples: Option<usize>,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
    /// Print JSON, as in result.json
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct SampleArgs {
    /// Run folder
    run: PathBuf,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
    /// Number of samples [default: 64; 1 text]
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    n: Option<u32>,
    /// Output file: .png for a grid of images, .csv for numbers, .txt for texts [default: samples.png; texts go to the terminal]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// Random seed, overriding the run's
    #[arg(long)]
    seed: Option<u64>,
    /// Class to sample, by name or number, for class-conditional models [default: all in turn]
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,
    /// Sampling temperature (this and the following options: autoregressive models)
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// Sample from the K most probable values (top-k)
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Sample from the most probable values with total probability P (nucleus sampling)
    #[arg(long, value_name = "P", value_parser = share)]
    top_p: Option<f64>,
    /// Image file whose first rows are given; the rest is sampled
    #[arg(long, value_name = "IMAGE", requires = "rows")]
    complete: Option<PathBuf>,
    /// Number of given rows of the image
    #[arg(long, requires = "complete")]
    rows: Option<usize>,
    /// Beginning of the text
    #[arg(long, value_name = "TEXT", conflicts_with = "complete", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Number of symbols to sample after the prompt [default: 500]
    #[arg(long, value_name = "SYMBOLS", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    length: Option<u32>,
}

/// The backend of this name, or the one that a run was trained on; where that is not in this build, a line says so.
fn backend_of_run(name: Option<&str>, of_run: &str) -> crate::error::Result<Backend> {
    let backend = Backend::open_or(name, of_run)?;
    if name.is_none() && backend.name != of_run {
        tell(format_args!(
            "note: the run was trained on {of_run}, which is not in this build; computing on {}",
            backend.name
        ));
    }
    Ok(backend)
}

/// A temperature: what is below a millionth is `--top-k 1`.
fn temperature(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| (1e-6..=1e6).contains(value));
    value.ok_or_else(|| "expected a number from 0.000001 to 1000000; for the most probable value --top-k 1".into())
}

/// A number above 0 and at most 1.
fn share(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value <= 1.0);
    value.ok_or_else(|| "expected a number above 0 and at most 1".into())
}

#[derive(Args, Debug)]
struct NewArgs {
    /// A table (CSV), an array (NPY, NPZ), a text, a folder of pictures, or a folder of IDX files
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of a table to predict, by name or index; separate several by commas [default: model all numeric columns jointly]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    target: Vec<String>,
    /// Set a key of [data], as in --set data.encoding=windows-1252; paths are relative to the current folder
    #[arg(long = "set", value_name = "data.KEY=VALUE")]
    overrides: Vec<String>,
    /// Output file [default: the name of the data with .toml]
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct InspectArgs {
    /// Data file or folder, configuration file ([data] is enough), name of a shipped configuration, or name of a source (with
    /// its keys as --set)
    #[arg(value_name = "DATA_OR_CONFIG")]
    config: PathBuf,
    /// Set a configuration value, as in --set data.condition=label, or a key of [data] for a bare data file, as in
    /// --set data.encoding=windows-1252; paths are relative to the current folder
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Seed of random splits, overriding the configuration's
    #[arg(long)]
    seed: Option<u64>,
    /// Write a picture of the first examples of each split (images only)
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Examples per split in the picture
    #[arg(short, long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1000))]
    n: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads the arguments, runs the command and turns an error into its line and exit code: 0 done, 1 failed while running,
/// 2 invalid input, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log_format = cli.train.log_format;
    let outcome = match cli.command {
        None => train::run(&cli.train),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        Some(Command::Sample(args)) => sample::run(&args),
        Some(Command::New(args)) => new::run(&args),
        Some(Command::Backends) => backends::run(),
        Some(Command::Data(command)) => data::run(&command),
    };
    outcome.unwrap_or_else(|error: Error| {
        match log_format {
            LogFormat::Json => tell(progress::error_line(&error)),
            LogFormat::Auto | LogFormat::Plain => tell(format_args!("error: {error}")),
        }
        ExitCode::from(error.exit_code())
    })
}
