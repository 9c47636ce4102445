//! One trial of a search: a run that trains as far as it is asked to.

use crate::backend::Backend;
use crate::config::Config;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::report::progress::{Report, RunStart, WindowMeans};
use crate::run::{ChangedAt, Run, Watch};
use crate::run_folder::RunFolder;
use crate::train::plan::Plan;
use crate::train::{Ending, check, initial_model};
use dgm_models::ModelFactory;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is tried, and where.
pub(super) struct Trial<C> {
    pub(super) number: usize,
    /// The keys that it changes, as TOML.
    pub(super) values: BTreeMap<String, String>,
    pub(super) config: Config<C>,
    pub(super) folder: PathBuf,
}

/// How far a trial is and how good.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Epochs that it has had.
    pub epochs: u64,
    /// The lowest validation loss so far.
    pub loss: Option<f64>,
    /// Whether it is at its end.
    pub complete: bool,
    /// Why it is out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Standing {
    /// What trials are sorted by.
    pub(super) fn rank(&self) -> f64 {
        self.loss.filter(|_| self.problem.is_none()).unwrap_or(f64::INFINITY)
    }

    /// Its loss in words.
    pub(super) fn told(&self) -> String {
        match (&self.problem, self.loss) {
            (Some(problem), _) => format!("out: {problem}"),
            (None, Some(loss)) => format!("{loss:.4}"),
            (None, None) => "-".into(),
        }
    }
}

/// How a trial stands, and whether it was trained for it.
pub(super) struct Advanced {
    pub(super) standing: Standing,
    pub(super) trained: bool,
}

/// Trains the trial until it has had so many epochs, or its end; `None`: `stop` was set before.
///
/// # Errors
/// A folder that cannot be used, data that are others than before. A run that fails while it trains is out, which is no error.
pub(super) fn advance<C: ModelFactory>(
    trial: &Trial<C>,
    dataset: &Dataset,
    backend: &Backend,
    until: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Option<Advanced>> {
    let own = Arc::new(AtomicBool::new(false));
    let mut watch = Until { epochs: until, own: own.clone(), stop: stop.clone() };
    let out = |problem: String| {
        let standing = Standing { epochs: 0, loss: None, complete: false, problem: Some(problem) };
        Ok(Some(Advanced { standing, trained: true }))
    };
    let begun = trial.folder.join("config.toml").is_file();
    if !begun {
        // Values that do not go together: a trial that cannot be.
        let model = initial_model(&trial.config, &dataset.spec, &backend.device).map_err(Error::from);
        if let Err(error) = model.and_then(|model| check(&trial.config, &model, |_| String::new())) {
            return out(error.to_string());
        }
    }
    let run = match begun {
        true => Run::resume_with(&trial.folder, dataset.clone(), ChangedAt::default(), &mut watch),
        false => {
            let (config, backend) = (trial.config.clone(), backend.clone());
            Run::begin(config, dataset.clone(), backend, &trial.folder, None, &|_| String::new())
        }
    };
    let mut run: Run<C> = run.map_err(|error| error.of(&format!("trial {}", trial.number)))?;
    let plan = Plan::of(&trial.config.training, dataset.train.len());
    let standing = |run: &Run<C>| {
        let progress = run.progress();
        Standing {
            epochs: progress.map_or(0, |progress| plan.epoch(progress.step)),
            loss: progress.and_then(|progress| progress.best?.loss),
            complete: progress.is_some_and(|progress| progress.complete),
            problem: None,
        }
    };
    let now = standing(&run);
    if now.complete || now.epochs >= until {
        return Ok(Some(Advanced { standing: now, trained: false }));
    }
    match run.train_only(&mut watch, &own) {
        Ok(Ending::Interrupted) if stop.load(Ordering::SeqCst) => Ok(None),
        Ok(_) => Ok(Some(Advanced { standing: standing(&run), trained: true })),
        Err(Error::Run(problem)) => out(problem),
        Err(error) => Err(error.of(&format!("trial {}", trial.number))),
    }
}

/// Stops a run after so many epochs, or when the search is stopped.
#[derive(Clone)]
struct Until {
    epochs: u64,
    own: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Watch for Until {
    fn report(&mut self, _: &RunFolder) -> Box<dyn Report> {
        Box::new(self.clone())
    }
}

impl Report for Until {
    fn begin(&mut self, _: &RunStart<'_>) {}

    fn train(&mut self, _: &WindowMeans<'_>) {
        if self.stop.load(Ordering::SeqCst) {
            self.own.store(true, Ordering::SeqCst);
        }
    }

    fn validation(&mut self, epoch: u64, _: Option<f64>, _: bool) {
        if epoch >= self.epochs || self.stop.load(Ordering::SeqCst) {
            self.own.store(true, Ordering::SeqCst);
        }
    }

    fn warn(&mut self, _: &str) {}

    fn end(&mut self, _: &str) {}
}
