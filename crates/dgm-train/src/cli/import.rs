//! `dgm-train import --config FILE --weights FILE`: a run of weights that another program trained, which every command takes.

use super::output::say;
use super::train::default_folder;
use crate::backend::Backend;
use crate::config::{Config, ConfigFile, Missing};
use crate::error::{Error, Result};
use crate::run::Run;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Configuration file, or the name of a shipped one: the model that the weights are of, and the data that it is for
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// State dict as safetensors, with the names and shapes that dgm-train export writes
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Output folder [default: runs/<configuration>-<time>]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Set a configuration value, as in --set model.latent=8
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Backend to compute on; see `dgm-train backends` [default: flex if built in]
    #[arg(long)]
    backend: Option<String>,
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    let backend = Backend::open(args.backend.as_deref().unwrap_or(Backend::default_name()))?;
    let file = ConfigFile::open(&args.config)?;
    let config: Config = file.config(&args.overrides, Missing::Refused)?;
    let dataset = config.load_data()?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(&args.config));
    let place = |key: &[&str; 2]| file.place_of(&args.overrides, key);
    let mut run: Run = Run::import(config, dataset, backend, &out, (&args.weights, &file.name), &place)?;
    // There is nothing to train.
    let results = run.train(&mut (), &AtomicBool::new(false))?;
    let results = results.ok_or_else(|| Error::run("the evaluation of the imported weights broke off"))?;
    say(format_args!("{}results in {}", results.table(), run.folder().path().display()))?;
    Ok(ExitCode::SUCCESS)
}
