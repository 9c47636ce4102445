//! The command line. A command is one file here, with its arguments as `Args` and what it does as `run`, and one line below.

mod arguments;
mod backends;
mod compare;
mod completions;
mod data;
#[cfg(feature = "fetch")]
mod data_fetch;
mod data_inspect;
mod destination;
mod encode;
mod evaluate;
mod export;
mod import;
mod impute;
mod interpolate;
mod list;
mod man;
mod new;
mod of_split;
mod output;
mod predict;
mod probe;
mod reconstruct;
mod report;
mod sample;
mod sample_text;
mod score;
mod signals;
mod train;
mod traverse;
mod tune;
mod watch;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::report::progress::{self, LogFormat};
use crate::report::tell;
use crate::threads;
use clap::{Parser, Subcommand};
use signals::Stop;
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// Trains, evaluates and samples likelihood-based deep generative models.
///
/// Without a command it trains.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  dgm-train --config vae.toml --backend flex --out runs/first\n  dgm-train --resume runs/first",
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::TrainArgs,
}

macro_rules! commands {
    ($($(#[$meta:meta])* $command:ident($args:ty) => $module:ident),+ $(,)?) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[$meta])* $command($args),)+
        }

        impl Command {
            fn run(&self) -> Result<ExitCode> {
                match self { $(Self::$command(args) => $module::run(args),)+ }
            }
        }
    };
}

commands! {
    /// Evaluate a run's best checkpoint on the data named in its config.toml
    #[command(after_help = "Examples:\n  dgm-train evaluate runs/vae\n  dgm-train evaluate runs/vae --split validation --importance-samples 100 --json")]
    Evaluate(evaluate::EvaluateArgs) => evaluate,
    /// Compare runs on the same test examples
    #[command(after_help = "Examples:\n  dgm-train compare runs/vae runs/wide --format markdown --out comparison.md")]
    Compare(compare::CompareArgs) => compare,
    /// Write a web page of a run, or of several beside each other
    #[command(after_help = "Examples:\n  dgm-train report runs/vae\n  dgm-train report runs/vae runs/wide --out both.html")]
    Report(report::ReportArgs) => report,
    /// Follow a run that another process trains
    #[command(after_help = "Examples:\n  dgm-train watch runs/vae")]
    Watch(watch::WatchArgs) => watch,
    /// List the runs below a folder, with state, best validation and test result
    #[command(after_help = "Examples:\n  dgm-train list runs")]
    List(list::ListArgs) => list,
    /// Sample from a run's best checkpoint
    #[command(after_help = "Examples:\n  dgm-train sample runs/vae -n 16 --out samples.png")]
    Sample(sample::SampleArgs) => sample,
    /// Write the code of each example as CSV or NPY
    #[command(after_help = "Examples:\n  dgm-train encode runs/vae --split validation --out codes.csv")]
    Encode(encode::EncodeArgs) => encode,
    /// Decode the codes of examples: each above its reconstruction
    #[command(after_help = "Examples:\n  dgm-train reconstruct runs/vae")]
    Reconstruct(reconstruct::ReconstructArgs) => reconstruct,
    /// Go from one example to another by way of their codes
    #[command(after_help = "Examples:\n  dgm-train interpolate runs/vae --between 3,17")]
    Interpolate(interpolate::InterpolateArgs) => interpolate,
    /// Move one latent variable at a time
    #[command(after_help = "Examples:\n  dgm-train traverse runs/vae --example 5")]
    Traverse(traverse::TraverseArgs) => traverse,
    /// Probe codes for labels, beside principal components
    #[command(after_help = "Examples:\n  dgm-train probe runs/vae --labels 100,all")]
    Probe(probe::ProbeArgs) => probe,
    /// Predict the target of each row of a table, with intervals
    #[command(after_help = "Examples:\n  dgm-train predict runs/houses --data new-houses.csv --interval 0.8 --out predictions.csv")]
    Predict(predict::PredictArgs) => predict,
    /// Score how strange examples are, with p-values
    #[command(after_help = "Examples:\n  dgm-train score runs/air --data air.csv --threshold 0.01 --out scores.csv\n  dgm-train score runs/vae --by complexity --on vae.toml")]
    Score(score::ScoreArgs) => score,
    /// Fill in the missing cells of a table
    #[command(after_help = "Examples:\n  dgm-train impute runs/air --data air.csv --out filled.csv")]
    Impute(impute::ImputeArgs) => impute,
    /// Write a run's weights for PyTorch or Burn
    #[command(after_help = "Examples:\n  dgm-train export runs/vae --out vae.safetensors\n  dgm-train export runs/vae --format burnpack --out vae.bpk")]
    Export(export::ExportArgs) => export,
    /// Make a run of weights that PyTorch trained
    #[command(after_help = "Examples:\n  dgm-train import --config runs/vae/config.toml --weights vae.safetensors --out runs/imported")]
    Import(import::ImportArgs) => import,
    /// Search for hyper-parameters on the validation split
    #[command(after_help = "Examples:\n  dgm-train tune --config houses.toml --trials 3")]
    Tune(tune::TuneArgs) => tune,
    /// Write a complete configuration for your own data
    #[command(after_help = "Examples:\n  dgm-train new --data houses.csv --target price --out prices.toml\n  dgm-train new --data air.csv")]
    New(new::NewArgs) => new,
    /// List the backends of this build and the devices of this machine
    #[command(after_help = "Examples:\n  dgm-train backends")]
    Backends(backends::BackendsArgs) => backends,
    /// Write a script that completes commands and options
    #[command(after_help = "Examples:\n  dgm-train completions bash")]
    Completions(completions::CompletionsArgs) => completions,
    /// Write manual pages
    #[command(after_help = "Examples:\n  dgm-train man man1")]
    Man(man::ManArgs) => man,
    /// Inspect or download data sets
    #[command(subcommand)]
    Data(data::DataCommand) => data,
}

/// The backend of this name, or the one that a run was trained on; where that is not in this build, a line says so.
fn backend_of_run(name: Option<&str>, of_run: &str) -> Result<Backend> {
    let backend = Backend::open_or(name, of_run)?;
    if name.is_none() && backend.name != of_run {
        tell(format_args!(
            "note: the run was trained on {of_run}, which is not in this build; computing on {}",
            backend.name
        ));
    }
    Ok(backend)
}

/// Reads the arguments, runs the command and turns an error into its line and exit code: 0 done, 1 failed while running,
/// 2 invalid input, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = arguments::parse::<Cli>();
    let log_format = cli.as_ref().map_or_else(|_| arguments::log_format(), |cli| cli.train.log_format);
    let outcome = cli.and_then(|cli| match cli.command {
        // Signals first: threads that start later leave them to the one that waits for them.
        None => Stop::on_signal(log_format).and_then(|stop| threads::in_pool(|| train::run(&cli.train, stop))),
        Some(command) => threads::in_pool(|| command.run()),
    });
    outcome.unwrap_or_else(|error: Error| {
        match log_format {
            LogFormat::Json => tell(progress::error_line(&error)),
            LogFormat::Auto | LogFormat::Plain => tell(format_args!("error: {error}")),
        }
        ExitCode::from(error.exit_code())
    })
}

/// A whole number, as of a seed or a count.
fn whole<T: std::str::FromStr>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|_| "expected a whole number, not negative".into())
}

/// A whole number of a range, of which a message names the ends.
fn within(range: RangeInclusive<u32>) -> impl Fn(&str) -> std::result::Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| match range.end() {
            &u32::MAX => format!("expected a whole number of at least {}", range.start()),
            most => format!("expected a whole number from {} to {most}", range.start()),
        })
    }
}
