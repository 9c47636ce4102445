//! A run from its configuration to its results: made or resumed, trained and evaluated. What the command line does, and a program of your
//! own can do.
//!
//! ```no_run
//! use dgm_train::backend::Backend;
//! use dgm_train::config::Config;
//! use dgm_train::run::Run;
//! use std::path::{Path, absolute};
//! use std::sync::atomic::AtomicBool;
//!
//! # fn main() -> dgm_train::error::Result<()> {
//! let config = Config::from_toml("[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n", "mine.toml", &[])?;
//! let mut run: Run = Run::create(config, Backend::open("flex")?, Path::new("runs/mine"))?;
//! let results = run.train(&mut (), &AtomicBool::new(false))?; // `()` watches in silence; `None` would be an interruption
//! println!("{}", results.map_or(String::new(), |results| results.table()));
//! # Ok(())
//! # }
//! ```

mod ensemble;
mod extend;
mod fine_tune;
mod import;
mod learnt;
mod resume;

use crate::backend::Backend;
use crate::checkpoint::{Checkpoint, TrainingProgress};
use crate::config::{Config, ModelConfig};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::evaluate::{self, Members, Results};
use crate::provenance::Origin;
use crate::report::grid;
use crate::report::progress::Report;
use crate::report::tensorboard::EventFile;
use crate::run_folder::{Lock, RunFolder, SAMPLES};
use crate::sampling::{Wanted, sample};
use crate::train::{
    Ending, Trainer, check, check_batches, check_without_criterion, has_criterion, initial_model, restore,
};
use crate::weights::bytes_of;
use burn::module::Module;
use dgm_core::random::Seed;
use dgm_models::{Model, ModelFactory, Training};
use std::path::{Path, absolute};
use std::sync::atomic::{AtomicBool, Ordering};

pub use resume::ChangedAt;

/// A run that is ready to train: everything is read and checked, and its folder belongs to this process.
pub struct Run<C = ModelConfig> {
    config: Config<C>,
    dataset: Dataset,
    backend: Backend,
    folder: RunFolder,
    from: Option<Checkpoint>,
    /// Held while the run is there.
    _lock: Lock,
}

/// Observes a run while it trains; `()` ignores everything.
pub trait Watch: Send {
    /// The report of the training that begins in this folder: the run's, or that of a member of an ensemble.
    fn report(&mut self, folder: &RunFolder) -> Box<dyn Report>;

    /// The same of a member that trains beside others; `name` ("member 2 of 5") tells its lines from theirs.
    fn report_beside(&mut self, folder: &RunFolder, name: &str) -> Box<dyn Report> {
        let _ = name;
        self.report(folder)
    }

    /// Training begins (`true`), or has ended: in between an interruption waits for the end of a step.
    fn training(&mut self, _: bool) {}

    /// A warning.
    fn warn(&mut self, _: &str) {}

    /// A note.
    fn tell(&mut self, _: &str) {}
}

impl Watch for () {
    fn report(&mut self, _: &RunFolder) -> Box<dyn Report> {
        Box::new(())
    }
}

/// Where a key of the configuration stands, as a message begins: `vae.toml:7: `, or nothing.
pub type Place<'a> = &'a dyn Fn(&[&str; 2]) -> String;

impl<C: ModelFactory> Run<C> {
    /// A new run on the data that its configuration names, in a folder that is not there yet.
    ///
    /// # Errors
    /// A configuration that does not fit the data or the model, data that cannot be read, a folder that is taken. Everything is read and
    /// checked before the folder is made: bad input leaves nothing behind.
    pub fn create(config: Config<C>, backend: Backend, out: &Path) -> Result<Self> {
        let dataset = config.load_data()?;
        Self::begin(config, dataset, backend, out, None, &|_| String::new())
    }

    /// A new run on data that the caller has: see [`Dataset::given`].
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(mut config: Config<C>, mut dataset: Dataset, backend: Backend, out: &Path) -> Result<Self> {
        dataset.resolved = None;
        config.data = data::DataConfig::given(&dataset);
        Self::begin(config, dataset, backend, out, None, &|_| String::new())
    }

    /// A new run, at the best weights of another run where there is one (fine-tuning). `place` is for messages.
    ///
    /// # Errors
    /// As [`create`](Self::create); another run that has another `[model]`, or data of another form.
    pub fn begin(
        mut config: Config<C>,
        mut dataset: Dataset,
        backend: Backend,
        out: &Path,
        at: Option<&Path>,
        place: Place<'_>,
    ) -> Result<Self> {
        let model = prepare(&mut config, &mut dataset, &backend, place)?;
        if let (Some(run), Training::Fit) = (at, model.training()) {
            return Err(Error::input(format!(
                "--from {}: the model {:?} is fitted in closed form, and begins nowhere; leave out --from",
                run.display(),
                config.model.kind()
            )));
        }
        let (weights, started_from) = match at {
            Some(run) => Some(fine_tune::begin(run, &config, &dataset, &backend.device)?),
            None => None,
        }
        .unzip();
        let folder = match config.members() {
            Some(_) => RunFolder::create_ensemble(out)?,
            None => RunFolder::create(out)?,
        };
        let lock = folder.lock()?;
        let from = match weights {
            // On disk before the folder is a run: it never begins anywhere else.
            Some(weights) => {
                let (device, eager, stop) = (backend.device.clone(), backend.is_eager(), &AtomicBool::new(false));
                let trainer =
                    Trainer { config: &config, dataset: &dataset, device, eager, folder: &folder, events: None, stop };
                trainer.begin_at(weights)?;
                folder.checkpoints().newest()?
            }
            None => {
                // Of a run with --from that was killed before it was one.
                folder.remove("checkpoint/step-0.dgm")?;
                None
            }
        };
        folder.describe(&config, &dataset, &backend, started_from.map_or(Origin::Drawn, Origin::Run))?;
        Ok(Self { config, dataset, backend, folder, from, _lock: lock })
    }

    /// The configuration, with every default and all that was recognised of the data.
    pub fn config(&self) -> &Config<C> {
        &self.config
    }

    /// Where it writes.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Where it computes.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Whether a run of one model has been trained to its end: training it again only evaluates it again.
    pub fn is_complete(&self) -> bool {
        self.from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete)
    }

    /// Trains to the end from where the run stands, evaluates what was learnt and writes the results down; `None`: `stop` was set before
    /// the end, and the run can be resumed.
    ///
    /// # Errors
    /// A loss that is not finite, data that can no longer be read, a folder that cannot be written.
    pub fn train(&mut self, watch: &mut dyn Watch, stop: &AtomicBool) -> Result<Option<Results>> {
        if let Some(members) = self.config.members() {
            return self.train_members(&members, watch, stop);
        }
        // A signal that came with the last step is heard too: what is left can be done by resuming.
        if self.train_only(watch, stop)? == Ending::Interrupted || stop.load(Ordering::SeqCst) {
            return Ok(None);
        }
        self.evaluate(None).map(Some)
    }

    /// Trains a run of one model from where it stands to its end, or until `stop` is set; the test split is not looked at.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub(crate) fn train_only(&mut self, watch: &mut dyn Watch, stop: &AtomicBool) -> Result<Ending> {
        let events = self.events()?;
        let Self { config, dataset, backend, folder, from, _lock } = self;
        let (device, eager) = (backend.device.clone(), backend.is_eager());
        let trainer = Trainer { config, dataset, device, eager, folder, events: events.as_ref(), stop };
        let mut report = watch.report(folder);
        watch.training(true);
        let ending = trainer.run(from.as_ref(), report.as_mut());
        watch.training(false);
        let ending = ending?;
        // Trained again, it resumes from here.
        self.from = self.folder.checkpoints().newest()?;
        Ok(ending)
    }

    /// Where the run stands: of one that has taken no step, nothing.
    pub(crate) fn progress(&self) -> Option<&TrainingProgress> {
        self.from.as_ref().map(|checkpoint| &checkpoint.progress)
    }

    /// Evaluates what the run has learnt and writes the results down, with samples where they are images.
    fn evaluate(&self, members: Option<Members>) -> Result<Results> {
        let Self { config, dataset, backend, folder, .. } = self;
        let (device, seed) = (&backend.device, Seed(config.seed));
        let model = folder.model(config, &dataset.spec, device)?;
        let results = evaluate::evaluate(&model, config, dataset, device)?;
        let results = Results { members, ..results };
        folder.write_json("result.json", &results)?;
        let path = folder.path().join(SAMPLES);
        let is_pictured = grid::is_image(&dataset.spec) && model.generator().is_some();
        if is_pictured {
            let wanted = Wanted::plain(config.evaluation.samples, seed);
            let samples = sample(&model, &dataset.test, &wanted, device, &mut |_| {})?;
            grid::write_png(&path, &samples, &dataset.spec)?;
        }
        if let Some(events) = self.events()? {
            let picture = if is_pictured { std::fs::read(&path).ok() } else { None };
            events.append_results(&results, picture, self.steps())?;
        }
        Ok(results)
    }

    fn steps(&self) -> u64 {
        self.progress().map_or(0, |progress| progress.step)
    }

    /// An event file of TensorBoard for what comes now, where the configuration asks for it.
    fn events(&self) -> Result<Option<EventFile>> {
        let folder = self.folder.path().join("tensorboard");
        self.config.training.tensorboard.then(|| EventFile::create(&folder, self.steps())).transpose()
    }
}

/// The model that the configuration describes for these data, with both as a run keeps them, once all that can be checked before there is a folder
/// is checked. `place` is for messages.
fn prepare<C: ModelFactory>(
    config: &mut Config<C>,
    dataset: &mut Dataset,
    backend: &Backend,
    place: Place<'_>,
) -> Result<C::Model> {
    if let Some(resolved) = dataset.resolved.take() {
        config.data = resolved;
    }
    // The run's folder is another than the current one.
    config.data.visit_paths(&mut |key, path| match path {
        Some(path) => absolute(&*path)
            .map(|whole| *path = whole)
            .map_err(|error| Error::input(format!("data.{key}: {}: {error}; write another path", path.display()))),
        None => Ok(()),
    })?;
    let model = initial_model(config, &dataset.spec, &backend.device).map_err(|error| {
        let place = error.place().map_or(String::new(), |key| place(&key));
        Error::input(format!("{place}{error}{}", config.data.advice(&dataset.spec, &error)))
    })?;
    check(config, &model, place)?;
    check_batches(config, &model, dataset, place)?;
    // What training would find out after its first epoch.
    if !has_criterion(config, &model, dataset, &backend.device)? {
        check_without_criterion(config, &model)?;
    }
    check_files(config, &model)?;
    Ok(model)
}

/// Whether what a run writes down is what it will read: a configuration or weights that do not survive it would show only at the end.
fn check_files<C: ModelFactory>(config: &Config<C>, model: &(impl Model + Module)) -> Result<()> {
    let read = Config::<C>::from_toml(&config.to_toml()?, "config.toml", &[]);
    if read.as_ref() != Ok(config) {
        let why = read.err().map_or("other values come back".into(), |error| error.to_string());
        return Err(Error::input(format!(
            "the configuration cannot be written down and read back: {why}; give the configuration of the model {:?} \
             #[serde(tag = \"kind\")], as ModelFactory shows",
            config.model.kind()
        )));
    }
    restore::weights(model.clone(), &bytes_of(model)?).map(|_| ()).map_err(|error| {
        Error::input(format!(
            "the weights of the model {:?} cannot be saved and loaded: {error}; make them floats",
            config.model.kind()
        ))
    })
}
