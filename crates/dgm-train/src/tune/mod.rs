//! A search for hyper-parameters: random trials, of which successive halving trains the better ones further.
//!
//! Every trial is an ordinary run in a folder of its own, with the data and the seed of the configuration. A trial is ranked by the lowest
//! validation loss that it has met; nothing looks at the test split. All trials train for a ninth of the epochs, the better
//! third goes on to a third of them, and the best third of those to the end (Jamieson and Talwalkar 2016, "Non-stochastic best arm
//! identification and hyperparameter optimization"). What a trial is follows from the seed and its number alone and runs resume exactly, so a
//! search that was interrupted goes on where it stopped and ends as it would have.

mod trial;

use crate::backend::Backend;
use crate::config::{Alternatives, Config, ConfigFile, Missing, ModelConfig, TuneConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::run_folder::{Lock, RunFolder};
use crate::threads;
use crate::train::{has_criterion, initial_model};
use dgm_core::random::Seed;
use dgm_models::ModelFactory;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
pub use trial::Standing;
use trial::{Advanced, Trial, advance};

/// One of so many trials goes on from a rung to the next.
const HALVING: usize = 3;

/// How often trials are halved at the most.
const RUNGS: u32 = 3;

/// What every kind of model is searched over.
const OPTIMIZER: &str =
    "learning_rate = { from = 3e-4, to = 1e-2, log = true }\nweight_decay = { from = 1e-3, to = 1.0, log = true }";

/// A search in a folder.
pub struct Tune<C = ModelConfig> {
    config: Config<C>,
    /// Where the configuration comes from: a trial is what this says with assignments of its own.
    source: ConfigFile,
    overrides: Vec<String>,
    dataset: Dataset,
    backend: Backend,
    folder: RunFolder,
    alternatives: Vec<(String, Alternatives)>,
    /// Held while the search is there.
    _lock: Lock,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The trials, the best first.
    pub trials: Vec<Ranked>,
    /// Whether all were trained as far as the search wanted them to be; otherwise it can go on.
    pub complete: bool,
}

/// A trial and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Its number; 0 is the configuration itself.
    pub trial: usize,
    /// What it changes.
    pub values: BTreeMap<String, String>,
    /// How far it is and how good.
    #[serde(flatten)]
    pub standing: Standing,
}

impl<C: ModelFactory> Tune<C> {
    /// A search from the configuration in this file, whose `[tune]` says what is varied, or, where it has none, over what is worth searching
    /// for this kind of model. `folder` is new, or that of the same search.
    ///
    /// # Errors
    /// A configuration that cannot be read, data that cannot be loaded, a folder that holds something else.
    pub fn open(path: &Path, overrides: &[String], backend: Backend, folder: &Path) -> Result<Self> {
        let source = ConfigFile::open(path)?;
        let mut config: Config<C> = source.config(overrides, Missing::Refused)?;
        if config.tune.is_empty() {
            config.tune = defaults(&config.model)?;
        }
        let alternatives = config.tune.alternatives().map_err(|problem| {
            Error::input(format!("tune.{}: expected {}; change it", problem.key, problem.expected))
        })?;
        let mut dataset = config.load_data()?;
        if let Some(resolved) = dataset.resolved.take() {
            config.data = resolved;
        }
        check::<C>(&source, overrides, &alternatives)?;
        // A configuration that cannot be is a trial that is out; others may be better.
        if let Ok(model) = initial_model(&config, &dataset.spec, &backend.device)
            && !has_criterion(&config, &model, &dataset, &backend.device)?
        {
            return Err(Error::input(format!(
                "a search goes by the validation loss, and the model {:?} has none; take a model that has, or compare runs by evaluate --features",
                config.model.kind()
            )));
        }
        let (folder, overrides) = (RunFolder::at(folder), overrides.to_vec());
        claim(&folder, &config)?;
        let lock = folder.lock()?;
        Ok(Self { config, source, overrides, dataset, backend, folder, alternatives, _lock: lock })
    }

    /// The configuration of the search, with every default.
    pub fn config(&self) -> &Config<C> {
        &self.config
    }

    /// What trial `number` changes: nothing in the first.
    fn trial(&self, number: usize) -> Result<Trial<C>> {
        let mut rng = Seed(self.config.seed).stream("tune", number as u64);
        let drawn = self.alternatives.iter().filter(|_| number > 0);
        let values: BTreeMap<String, String> =
            drawn.map(|(key, alternatives)| (key.clone(), alternatives.draw(&mut rng).to_string())).collect();
        let mut assignments: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        // A table before what stands in it.
        assignments.sort_by_key(|assignment| assignment.split('=').next().map_or(0, |key| key.matches('.').count()));
        let all: Vec<String> = self.overrides.iter().cloned().chain(assignments).collect();
        let mut config: Config<C> = self.source.config(&all, Missing::Refused)?;
        // As it was recognised once for all.
        config.data = self.config.data.clone();
        config.training.ensemble = None;
        config.tune = TuneConfig::default();
        Ok(Trial { number, values, config, folder: self.folder.path().join(format!("trial-{number:03}")) })
    }

    /// Trains so many trials, as many side by side as there are threads on a CPU, for about so long at the most, or until `stop` is set. `told`
    /// hears a line of each trial that has come to the end of a rung. The best configuration is written to `best.toml`, the trials to
    /// `trials.csv`.
    ///
    /// # Errors
    /// A trial that cannot be begun, or resumed; a trial whose training fails is out.
    pub fn run(
        &self,
        trials: usize,
        limit: Option<Duration>,
        stop: &Arc<AtomicBool>,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Found> {
        let began = Instant::now();
        let mut trials: Vec<Trial<C>> = (0..trials).map(|number| self.trial(number)).collect::<Result<_>>()?;
        let mut standings: BTreeMap<usize, Standing> = BTreeMap::new();
        let mut complete = true;
        let epochs = self.config.training.epochs as u64;
        for rung in (0..RUNGS).rev() {
            let until = epochs.div_ceil((HALVING as u64).pow(rung));
            let time_is_up = || limit.is_some_and(|limit| began.elapsed() >= limit) || stop.load(Ordering::SeqCst);
            let after = self.train_rung(&trials, until, stop, &time_is_up, told)?;
            complete &= after.len() == trials.len();
            standings.extend(after);
            if !complete {
                break;
            }
            let rank = |trial: &Trial<C>| standings.get(&trial.number).map_or(f64::INFINITY, Standing::rank);
            trials.retain(|trial| standings.get(&trial.number).is_none_or(|standing| standing.problem.is_none()));
            trials.sort_by(|a, b| rank(a).total_cmp(&rank(b)).then(a.number.cmp(&b.number)));
            if rung > 0 {
                trials.truncate(trials.len().div_ceil(HALVING));
            }
        }
        let found = self.ranked(&standings, complete)?;
        let problem = standings.values().find_map(|standing| standing.problem.as_ref());
        if let (true, Some(problem)) = (trials.is_empty(), problem) {
            return Err(Error::input(format!(
                "no trial can be trained: the first is out, {problem}; change the configuration or its [tune]"
            )));
        }
        self.write(&found)?;
        Ok(found)
    }

    /// Trains these until they have had so many epochs, in any order; those that are there already are not trained.
    fn train_rung(
        &self,
        trials: &[Trial<C>],
        until: u64,
        stop: &Arc<AtomicBool>,
        time_is_up: &(dyn Fn() -> bool + Sync),
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<BTreeMap<usize, Standing>> {
        let beside = if self.backend.is_eager() { threads::count().min(trials.len()).max(1) } else { 1 };
        let next = Mutex::new(trials.iter());
        let work = || -> Result<BTreeMap<usize, Standing>> {
            let mut done = BTreeMap::new();
            loop {
                let trial = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(trial) = trial.filter(|_| !time_is_up()) else { return Ok(done) };
                let advanced = threads::in_pool_of(threads::count() / beside, || {
                    advance(trial, &self.dataset, &self.backend, until, stop)
                })?;
                let Some(Advanced { standing, trained }) = advanced else { return Ok(done) };
                if trained {
                    told(&format!("trial {}, {} epochs: {}", trial.number, standing.epochs, standing.told()));
                }
                done.insert(trial.number, standing);
            }
        };
        let all: Vec<Result<BTreeMap<usize, Standing>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..beside).map(|_| scope.spawn(work)).collect();
            let broken = || Err(Error::run("the training of a trial broke off"));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| broken())).collect()
        });
        all.into_iter().try_fold(BTreeMap::new(), |mut all, done| {
            all.extend(done?);
            Ok(all)
        })
    }

    /// The trials in their order: those that came further first, then by their losses.
    fn ranked(&self, standings: &BTreeMap<usize, Standing>, complete: bool) -> Result<Found> {
        let of = |(&trial, standing): (&usize, &Standing)| {
            Ok(Ranked { trial, values: self.trial(trial)?.values, standing: standing.clone() })
        };
        let mut trials: Vec<Ranked> = standings.iter().map(of).collect::<Result<_>>()?;
        let rung = |ranked: &Ranked| {
            std::cmp::Reverse(if ranked.standing.complete { u64::MAX } else { ranked.standing.epochs })
        };
        trials.sort_by(|a, b| {
            let order = rung(a).cmp(&rung(b)).then(a.standing.rank().total_cmp(&b.standing.rank()));
            order.then(a.trial.cmp(&b.trial))
        });
        Ok(Found { trials, complete })
    }

    fn write(&self, found: &Found) -> Result<()> {
        let cannot = |error: csv::Error| Error::run(format!("the table of trials cannot be written: {error}"));
        let mut table = csv::Writer::from_writer(Vec::new());
        let keys: Vec<&String> = self.alternatives.iter().map(|(key, _)| key).collect();
        let head = ["trial", "epochs", "validation_loss", "problem"].into_iter();
        table.write_record(head.chain(keys.iter().map(|key| key.as_str()))).map_err(cannot)?;
        for Ranked { trial, values, standing } in &found.trials {
            let loss = standing.loss.map_or(String::new(), |loss| loss.to_string());
            let own =
                [trial.to_string(), standing.epochs.to_string(), loss, standing.problem.clone().unwrap_or_default()];
            let value = |key: &&String| values.get(*key).cloned().unwrap_or_default();
            table.write_record(own.into_iter().chain(keys.iter().map(value))).map_err(cannot)?;
        }
        let table = table.into_inner().map_err(|error| cannot(error.into_error().into()))?;
        write_atomic(&self.folder.path().join("trials.csv"), &table)?;
        let Some(best) = found.best() else { return Ok(()) };
        let mut config = self.trial(best.trial)?.config;
        config.training.ensemble = self.config.training.ensemble;
        write_atomic(&self.folder.path().join("best.toml"), config.to_toml()?.as_bytes())
    }
}

/// Makes the folder of a search, or sees that it is that of this one.
fn claim<C: ModelFactory>(folder: &RunFolder, config: &Config<C>) -> Result<()> {
    let (text, path) = (config.to_toml()?, folder.path().join("search.toml"));
    let name = folder.path().display();
    match std::fs::read_to_string(&path) {
        Ok(before) if before == text => Ok(()),
        Ok(_) => Err(Error::input(format!(
            "{name}: holds a search with another configuration; go on with that one, or name another folder with --out"
        ))),
        Err(_) => {
            let refuse = |what: String| Error::input(format!("{name}: {what}; name another with --out"));
            if std::fs::read_dir(folder.path()).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(refuse("the output folder is not empty".into()));
            }
            std::fs::create_dir_all(folder.path())
                .map_err(|error| refuse(format!("the output folder cannot be made: {error}")))?;
            write_atomic(&path, text.as_bytes())
        }
    }
}

/// Whether each key can have each of its values by itself; of a range both ends are tried.
fn check<C: ModelFactory>(
    source: &ConfigFile,
    overrides: &[String],
    alternatives: &[(String, Alternatives)],
) -> Result<()> {
    for (key, values) in alternatives {
        for value in values.extremes() {
            let one = overrides.iter().cloned().chain([format!("{key}={value}")]).collect::<Vec<_>>();
            source.config::<C>(&one, Missing::Refused).map_err(|error| error.of(&format!("tune.{key}")))?;
        }
    }
    Ok(())
}

impl Found {
    /// The best trial; `None`: none is trained yet.
    pub fn best(&self) -> Option<&Ranked> {
        self.trials.iter().find(|ranked| ranked.standing.rank().is_finite())
    }

    /// The trials as a table for a terminal, the first so many.
    pub fn table(&self, most: usize) -> String {
        let mut text = format!("{:>5} {:>7} {:>12}  changed\n", "trial", "epochs", "validation");
        for Ranked { trial, values, standing } in self.trials.iter().take(most) {
            let values: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let changed = if values.is_empty() { "nothing".to_owned() } else { values.join(" ") };
            text.push_str(&format!("{trial:>5} {:>7} {:>12}  {changed}\n", standing.epochs, standing.told()));
        }
        if self.trials.len() > most {
            text.push_str(&format!("… {} more in trials.csv\n", self.trials.len() - most));
        }
        text
    }
}

/// What is searched where the configuration does not say.
fn defaults<C: ModelFactory>(model: &C) -> Result<TuneConfig> {
    let parse = |text: &str| {
        text.parse::<toml::Table>().map_err(|error| {
            Error::run(format!(
                "the search space of the model {:?} is no TOML: {}; write [tune]",
                model.kind(),
                error.message()
            ))
        })
    };
    let tables = [("model", parse(model.search_space())?), ("optimizer", parse(OPTIMIZER)?)];
    let tables = tables.into_iter().filter(|(_, keys)| !keys.is_empty());
    Ok(TuneConfig(tables.map(|(name, keys)| (name.to_owned(), toml::Value::Table(keys))).collect()))
}

/// The folder of a configuration's search.
pub fn default_folder(config: &Path) -> PathBuf {
    let stem = config.file_stem().map_or("search".into(), |stem| stem.to_string_lossy().into_owned());
    PathBuf::from("runs").join(format!("{stem}-tune"))
}

#[cfg(test)]
#[cfg(feature = "flex")]
mod tests;
