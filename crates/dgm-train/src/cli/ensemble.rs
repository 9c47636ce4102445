//! Training an ensemble: its members one after the other, each an ordinary run in a folder of its own, then their mixture.

use super::TrainArgs;
use super::signals::Stop;
use super::train::{self, Job, evaluated, where_it_stands};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::evaluate::{Members, Results};
use crate::report::progress::LogFormat;
use crate::report::tell;
use crate::run_folder::{RunFolder, changed, listed};
use dgm_core::random::Seed;
use std::sync::atomic::Ordering;

/// Trains the members that are not there yet and evaluates the mixture; `None`: a signal came before the end.
pub(super) fn train(job: &Job, members: &[Config], args: &TrainArgs, stop: &Stop) -> Result<Option<Results>> {
    for (index, config) in members.iter().enumerate() {
        let folder = job.folder.member(index);
        let told = |what: &str| {
            if args.log_format != LogFormat::Json && !args.quiet {
                tell(format_args!("member {} of {}, seed {}: {what}", index + 1, members.len(), config.seed));
            }
        };
        if is_done(&folder, config, job.dataset.train.len())? {
            told("complete");
            continue;
        }
        told(&format!("run folder {}", folder.path().display()));
        let member = member_job(job, folder, config, args.log_format)?;
        if train::train(&member, args, stop)?.is_none() || stop.flag.load(Ordering::SeqCst) {
            return Ok(None);
        }
    }
    evaluated(job, Some(Members::read(&job.folder, members.len())?)).map(Some)
}

/// Whether every member was; the members that are there have the configurations that the ensemble's makes them.
///
/// # Errors
/// A member whose configuration is another, or whose new end lies before what it has done.
pub(super) fn are_done(ensemble: &RunFolder, members: &[Config], examples: usize) -> Result<bool> {
    check(ensemble, members)?;
    let mut done = true;
    for (index, config) in members.iter().enumerate() {
        done &= is_done(&ensemble.member(index), config, examples)?;
    }
    Ok(done)
}

/// Whether a member was trained to its end and evaluated.
fn is_done(folder: &RunFolder, config: &Config, examples: usize) -> Result<bool> {
    if !folder.path().join("config.toml").is_file() {
        return Ok(false);
    }
    let complete = folder.continued(config, examples)?.is_some_and(|(checkpoint, _)| checkpoint.progress.complete);
    Ok(complete && folder.path().join("result.json").is_file())
}

/// What a member starts from: the data and the backend of the ensemble, in its own folder.
fn member_job(job: &Job, folder: RunFolder, config: &Config, log_format: LogFormat) -> Result<Job> {
    let (backend, mut dataset) = (job.backend.clone(), job.dataset.clone());
    dataset.train.redraw(Seed(config.seed));
    let begun = folder.path().join("config.toml").is_file();
    if !begun {
        RunFolder::create(folder.path())?;
    }
    let lock = folder.lock()?;
    let from = match begun {
        true => where_it_stands(&folder, config, dataset.train.len(), log_format)?,
        false => {
            folder.describe(config, &dataset, &backend, None)?;
            None
        }
    };
    Ok(Job { config: config.clone(), dataset, backend, folder, from, _lock: lock })
}

/// The members that are there have the configurations that the ensemble's makes them.
fn check(ensemble: &RunFolder, members: &[Config]) -> Result<()> {
    for (index, config) in members.iter().enumerate() {
        let folder = ensemble.member(index);
        if !folder.path().join("config.toml").is_file() {
            continue;
        }
        let other = changed(config, &folder.config()?);
        if !other.is_empty() {
            return Err(Error::input(format!(
                "{}: its config.toml is not that of a member of the ensemble any more, in {}; put it back, there or in the \
                 ensemble's config.toml, or begin a new run",
                folder.path().display(),
                listed(&other)
            )));
        }
    }
    Ok(())
}
