//! `dgm-train tune --config FILE`: a search for hyper-parameters on the validation split.

use super::output::say;
use crate::backend::Backend;
use crate::error::Result;
use crate::report::tell;
use crate::tune::{Tune, default_folder};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Trials that are shown.
const SHOWN: usize = 10;

#[derive(Args, Debug)]
pub(super) struct TuneArgs {
    /// Configuration to start from, or the name of a shipped one; its [tune] says what is varied
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Number of trials; the first is the configuration itself
    #[arg(long, value_name = "N", default_value_t = 30, allow_negative_numbers = true, value_parser = super::within(1..=999))]
    trials: u32,
    /// Begin no trial after so many minutes; the same command goes on where it stopped
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true, value_parser = minutes)]
    minutes: Option<f64>,
    /// flex, ndarray, wgpu, wgpu:cpu or cuda; see `dgm-train backends` [default: flex if built in]
    #[arg(long)]
    backend: Option<String>,
    /// Set a configuration value, as in --set training.epochs=50
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Output folder; that of a search that was interrupted goes on [default: runs/<configuration>-tune]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A number above 0.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value < 1e6);
    value.ok_or_else(|| "expected a number of minutes above 0".into())
}

pub(super) fn run(args: &TuneArgs) -> Result<ExitCode> {
    let backend = Backend::open(args.backend.as_deref().unwrap_or(Backend::default_name()))?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&args.config));
    let tune: Tune = Tune::open(&args.config, &args.overrides, backend, &out)?;
    let limit = args.minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes));
    // A signal ends the program at once: every trial goes on from its last checkpoint.
    let found = tune.run(args.trials as usize, limit, &Arc::default(), &|line| tell(line))?;
    let folder = out.display();
    let unfinished = if found.complete {
        ""
    } else {
        "not all trials are trained; the same command goes on where this one stopped\n"
    };
    let files = match found.best() {
        Some(_) => format!("best configuration: {folder}/best.toml, all trials: {folder}/trials.csv"),
        None => "no trial is trained yet".into(),
    };
    say(format_args!("{}{unfinished}{files}", found.table(SHOWN)))?;
    Ok(ExitCode::SUCCESS)
}
