//! The command line: arguments here, one file a command beside it.

mod backends;
mod data;
mod data_fetch;
mod evaluate;
mod sample;
mod signals;
mod train;

use crate::error::Error;
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
    /// Print the likelihood of a run's best checkpoint, on the data that its config.toml names
    Evaluate(EvaluateArgs),
    /// Draw from a run's best checkpoint
    Sample(SampleArgs),
    /// List what this build has and what this machine offers
    Backends,
    /// Get data sets
    #[command(subcommand)]
    Data(data::DataCommand),
}

#[derive(Args, Debug)]
struct TrainArgs {
    /// Configuration file; where there is none of this name, the shipped one (vae.toml, arm.toml, pixelcnn.toml, …)
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// flex, ndarray, wgpu, wgpu:cpu, cuda: see `dgm-train backends` [default: flex; with --resume the run's]
    #[arg(long)]
    backend: Option<String>,
    /// Change a value of the configuration, as in --set training.epochs=5
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The seed, in place of the configuration's
    #[arg(long)]
    seed: Option<u64>,
    /// Output folder [default: runs/<configuration>-<time>]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder, from its last checkpoint
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "overrides", "seed", "out"])]
    resume: Option<PathBuf>,
    /// No progress, only the results
    #[arg(long)]
    quiet: bool,
}

#[derive(Args, Debug)]
struct EvaluateArgs {
    /// The folder that training made
    run: PathBuf,
    /// Where to compute
    #[arg(long, default_value = "flex")]
    backend: String,
    /// Importance samples an example, in place of the configuration's (models with latent variables)
    #[arg(long, value_name = "K")]
    importance_samples: Option<usize>,
    /// Print JSON, as in result.json
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct SampleArgs {
    /// The folder that training made
    run: PathBuf,
    /// How many
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    n: u32,
    /// Where to write them: .png for a grid of images, .csv for numbers
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    out: PathBuf,
    /// Where to compute
    #[arg(long, default_value = "flex")]
    backend: String,
    /// The seed, in place of the run's
    #[arg(long)]
    seed: Option<u64>,
    /// The class to draw, for models conditioned on a label [default: all in turn]
    #[arg(long)]
    label: Option<usize>,
}

/// Reads the arguments, runs the command and turns an error into its line and exit code: 0 done, 1 failed while running,
/// 2 an input to mend, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => train::run(&cli.train),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        Some(Command::Sample(args)) => sample::run(&args),
        Some(Command::Backends) => backends::run(),
        Some(Command::Data(command)) => data::run(&command),
    };
    outcome.unwrap_or_else(|error: Error| {
        eprintln!("error: {error}");
        ExitCode::from(error.exit_code())
    })
}
