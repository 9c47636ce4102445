//! Training an ensemble: its members, each an ordinary run in a folder of its own, then their mixture.

use super::extend::where_it_stands;
use super::learnt::changed;
use super::{Run, Watch};
use crate::config::{Config, listed};
use crate::error::{Error, Result};
use crate::evaluate::{Members, Results};
use crate::provenance::Origin;
use crate::report::progress::Report;
use crate::run_folder::RunFolder;
use crate::threads;
use dgm_core::random::Seed;
use dgm_models::ModelFactory;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

impl<C: ModelFactory> Run<C> {
    /// Trains the members that are not there yet, on a CPU as many side by side as there are threads, and evaluates the mixture; `None`:
    /// `stop` was set before the end.
    ///
    /// A result does not depend on the number of threads, and so not on what trains beside it.
    pub(super) fn train_members(
        &self,
        members: &[Config<C>],
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Results>> {
        let mut left = Vec::new();
        for (index, config) in members.iter().enumerate() {
            match is_done(&self.folder.member(index), config, self.dataset.train.len())? {
                true => watch.tell(&about(index, members, "complete")),
                false => left.push(index),
            }
        }
        let all = if self.backend.is_eager() { threads::count() } else { 1 };
        for wave in left.chunks(all) {
            match wave {
                [index] => {
                    let trained = self.train_member(*index, members, watch, stop);
                    trained.map_err(|error| error.of(&name(*index, members)))?;
                }
                _ => self.train_beside(members, wave, all / wave.len(), watch, stop)?,
            }
            if stop.load(Ordering::SeqCst) {
                break;
            }
        }
        if stop.load(Ordering::SeqCst) {
            return Ok(None);
        }
        self.evaluate(Some(Members::read(&self.folder, members.len())?)).map(Some)
    }

    /// Trains member `index` to its end; `None`: `stop` was set before.
    fn train_member(
        &self,
        index: usize,
        members: &[Config<C>],
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Results>> {
        let folder = self.folder.member(index);
        watch.tell(&about(index, members, &format!("run folder {}", folder.path().display())));
        self.member(folder, &members[index], watch)?.train(watch, stop)
    }

    /// Trains these members side by side, each in a pool of so many threads. An error is told at once, and ends the ensemble when the
    /// others are at their end: what they have learnt is kept.
    fn train_beside(
        &self,
        members: &[Config<C>],
        wave: &[usize],
        threads: usize,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<()> {
        let shared = Mutex::new(Shared { watch, training: 0 });
        let train = |index: usize| -> Result<()> {
            let mut watch = Beside { shared: &shared, name: name(index, members), trains: false };
            let trained = threads::in_pool_of(threads, || self.train_member(index, members, &mut watch, stop));
            trained.map(drop).map_err(|error| {
                watch.warn(&error.to_string());
                error.of(&watch.name)
            })
        };
        std::thread::scope(|scope| {
            let train = &train;
            let workers: Vec<_> = wave.iter().map(|&index| scope.spawn(move || train(index))).collect();
            let ended = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::run("the training of a member of the ensemble broke off")))
            });
            // Each is waited for, whatever became of the one before.
            ended.collect::<Vec<_>>().into_iter().collect()
        })
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
                folder.describe(config, &dataset, &backend, Origin::Drawn)?;
                None
            }
        };
        Ok(Self { config: config.clone(), dataset, backend, folder, from, _lock: lock })
    }
}

/// "member 2 of 5".
fn name<C>(index: usize, members: &[Config<C>]) -> String {
    format!("member {} of {}", index + 1, members.len())
}

/// "member 2 of 5, seed 1000003: complete".
fn about<C>(index: usize, members: &[Config<C>], what: &str) -> String {
    format!("{}, seed {}: {what}", name(index, members), members[index].seed)
}

/// Who watches the ensemble, and how many of its members take steps.
struct Shared<'a> {
    watch: &'a mut dyn Watch,
    training: usize,
}

/// Watches a member that trains beside others.
struct Beside<'a, 'b> {
    shared: &'a Mutex<Shared<'b>>,
    name: String,
    trains: bool,
}

impl<'b> Beside<'_, 'b> {
    fn shared(&self) -> MutexGuard<'_, Shared<'b>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Beside<'_, '_> {
    fn report(&mut self, folder: &RunFolder) -> Box<dyn Report> {
        self.shared().watch.report_beside(folder, &self.name)
    }

    /// As long as one takes steps, an interruption waits for their end.
    fn training(&mut self, is: bool) {
        self.trains = is;
        let mut shared = self.shared();
        let before = shared.training > 0;
        shared.training = if is { shared.training + 1 } else { shared.training.saturating_sub(1) };
        let now = shared.training > 0;
        if now != before {
            shared.watch.training(now);
        }
    }

    fn warn(&mut self, text: &str) {
        let text = format!("{}: {text}", self.name);
        self.shared().watch.warn(&text);
    }

    fn tell(&mut self, text: &str) {
        self.shared().watch.tell(text);
    }
}

/// Of one whose training panicked nobody waits for the end of a step.
impl Drop for Beside<'_, '_> {
    fn drop(&mut self) {
        if self.trains {
            self.training(false);
        }
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
