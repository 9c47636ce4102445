//! Training an ensemble: its members one after the other, each an ordinary run in a folder of its own, then their mixture.

use super::extend::where_it_stands;
use super::learnt::changed;
use super::{Run, Watch};
use crate::config::{Config, listed};
use crate::error::{Error, Result};
use crate::evaluate::{Members, Results};
use crate::run_folder::RunFolder;
use dgm_core::random::Seed;
use dgm_models::ModelFactory;
use std::sync::atomic::{AtomicBool, Ordering};

impl<C: ModelFactory> Run<C> {
    /// Trains the members that are not there yet and evaluates the mixture; `None`: `stop` was set before the end.
    pub(super) fn train_members(
        &self,
        members: &[Config<C>],
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Results>> {
        for (index, config) in members.iter().enumerate() {
            let folder = self.folder.member(index);
            let about = |what: &str| format!("member {} of {}, seed {}: {what}", index + 1, members.len(), config.seed);
            if is_done(&folder, config, self.dataset.train.len())? {
                watch.tell(&about("complete"));
                continue;
            }
            watch.tell(&about(&format!("run folder {}", folder.path().display())));
            let mut member = self.member(folder, config, watch)?;
            if member.train(watch, stop)?.is_none() || stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
        }
        self.evaluate(Some(Members::read(&self.folder, members.len())?)).map(Some)
    }

    /// The run of a member: with the data and on the backend of the ensemble, in its own folder.
    fn member(&self, folder: RunFolder, config: &Config<C>, watch: &mut dyn Watch) -> Result<Self> {
        let (backend, mut dataset) = (self.backend.clone(), self.dataset.clone());
        dataset.train.redraw(Seed(config.seed));
        let begun = folder.path().join("config.toml").is_file();
        if !begun {
            RunFolder::create(folder.path())?;
        }
        let lock = folder.lock()?;
        let from = match begun {
            true => where_it_stands(&folder, config, dataset.train.len(), watch)?,
            false => {
                folder.describe(config, &dataset, &backend, None)?;
                None
            }
        };
        Ok(Self { config: config.clone(), dataset, backend, folder, from, _lock: lock })
    }
}

/// Whether every member was; the members that are there have the configurations that the ensemble's makes them.
///
/// # Errors
/// A member whose configuration is another, or whose new end lies before what it has done.
pub(super) fn are_done<C: ModelFactory>(ensemble: &RunFolder, members: &[Config<C>], examples: usize) -> Result<bool> {
    check(ensemble, members)?;
    let mut done = true;
    for (index, config) in members.iter().enumerate() {
        done &= is_done(&ensemble.member(index), config, examples)?;
    }
    Ok(done)
}

/// Whether a member was trained to its end and evaluated.
fn is_done<C: ModelFactory>(folder: &RunFolder, config: &Config<C>, examples: usize) -> Result<bool> {
    if !folder.path().join("config.toml").is_file() {
        return Ok(false);
    }
    let complete = folder.continued(config, examples)?.is_some_and(|(checkpoint, _)| checkpoint.progress.complete);
    Ok(complete && folder.path().join("result.json").is_file())
}

/// The members that are there have the configurations that the ensemble's makes them.
fn check<C: ModelFactory>(ensemble: &RunFolder, members: &[Config<C>]) -> Result<()> {
    for (index, config) in members.iter().enumerate() {
        let folder = ensemble.member(index);
        if !folder.path().join("config.toml").is_file() {
            continue;
        }
        let other = changed(config, &folder.config()?);
        if !other.is_empty() {
            return Err(Error::input(format!(
                "{}: its config.toml no longer matches the ensemble's, in {}; restore it, there or in the \
                 ensemble's config.toml, or begin a new run",
                folder.path().display(),
                listed(&other)
            )));
        }
    }
    Ok(())
}
