//! The training loop: its state is one value, its randomness is named by the step, so it can stop and go on anywhere.

pub mod checkpoint;
pub mod checkpoints;
pub(crate) mod go_on;
mod gradients;
mod meter;
mod muon;
mod nonfinite;
pub(crate) mod optimizer;
mod plan;
mod rate;
pub mod restore;
mod step;

use crate::config::Config;
use crate::data::Dataset;
use crate::data::Fingerprint;
use crate::error::{Error, Result};
use crate::evaluate;
use crate::report::progress::{self, Report};
use crate::run_folder::RunFolder;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use checkpoint::{Best, Checkpoint, Progress};
use dgm_core::random::Seed;
use dgm_models::{AnyModel, DataSpec, ModelError};
use meter::Meter;
use nonfinite::Fault;
use plan::{Due, Order, Plan};
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs, early stopping, or its time is up.
    Complete,
    /// Somebody asked it to stop; the last checkpoint is where it stopped.
    Interrupted,
}

/// Everything that one run of training needs.
pub struct Trainer<'a> {
    /// What to do.
    pub config: &'a Config,
    /// With what.
    pub dataset: &'a Dataset,
    /// Where, without autodiff.
    pub device: Device,
    /// Whether that device computes at once, so that a number can be read back at no cost: then every step is checked before
    /// it changes the weights. Otherwise steps are checked a window at a time, and a window with a NaN is gone through again
    /// with every step checked.
    pub eager: bool,
    /// Where results go.
    pub folder: &'a RunFolder,
    /// Set from outside to stop after the current step.
    pub stop: &'a AtomicBool,
}

/// What changes from step to step. A copy shares its tensors with the original until one of them changes.
#[derive(Clone)]
struct State {
    model: AnyModel,
    /// The moving average of the weights, without autodiff.
    average: Option<AnyModel>,
    optimizer: ModuleOptimizer,
    progress: Progress,
    meter: Meter,
}

/// Marks the lines of `metrics.jsonl` that only the end of training asked for.
pub(crate) const AT_END: &str = "at_end";

impl State {
    /// Where training stands, with the window that is not reported yet.
    fn progress_now(&self) -> Result<Progress> {
        let window = self.meter.window().map_err(|(what, value)| Error::run(format!("{what} is {value}")))?;
        Ok(Progress { window, ..self.progress.clone() })
    }
}

impl Trainer<'_> {
    /// Trains to the end, or until somebody stops it. `from`: the checkpoint to go on from.
    ///
    /// # Errors
    /// A loss that is not finite, data that can no longer be read, or a folder that cannot be written.
    pub fn run(&self, from: Option<&Checkpoint>, report: &mut dyn Report) -> Result<Ending> {
        let plan = Plan::of(&self.config.training, self.dataset.train.len());
        let mut state = self.start(from)?;
        report.begin(self.config, self.dataset, state.model.num_params(), plan.steps, state.progress.step);
        let (began, before) = (Instant::now(), state.progress.seconds);
        let mut saved = Instant::now();
        let mut order = Order::default();
        // Where steps are not checked one by one: the state when the window began, and up to where they are all the same.
        let (mut sound, mut check_until) = (None, 0);

        while !state.progress.complete {
            let step = state.progress.step;
            let check = self.eager || step < check_until;
            if !check && sound.is_none() {
                sound = Some(state.clone());
            }
            let rows = order.rows(&plan, step, Seed(self.config.seed));
            state.meter.begin_step();
            let (grads, sums) = self.gradients(&state, rows, plan.epoch(step))?;
            match if check { sums.nonfinite() } else { None } {
                None => {
                    state.meter.add(sums);
                    state = self.update(state, grads, plan.steps);
                }
                Some((what, value)) => {
                    state = self.after_nonfinite(state, &Fault::at(&plan, step, what, value.into(), rows), report)?;
                    if state.progress.step <= step {
                        sound = None;
                        continue;
                    }
                }
            }
            state.progress.seconds = before + began.elapsed().as_secs_f64();

            let due = Due::after(&state.progress, &plan, &self.config.training, self.stop, saved.elapsed());
            if !due.any() {
                continue;
            }
            match (state.meter.window(), sound.take()) {
                (Ok(_), _) => {}
                (Err(_), Some(start)) => {
                    check_until = state.progress.step;
                    state = start;
                    continue;
                }
                (Err((what, value)), None) => {
                    // Every step was finite, and their sum is not.
                    state = self.after_nonfinite(state, &Fault::at(&plan, step, what, value.into(), &[]), report)?;
                    continue;
                }
            }
            // A finite gradient may still have thrown the weights too far: such weights are neither kept nor validated.
            let lost = if due.window_only() { None } else { gradients::nonfinite_weight(&state.model) };
            if let Some(value) = lost {
                state = self.after_nonfinite(state, &Fault::at(&plan, step, "a sum of weights", value, &[]), report)?;
                continue;
            }
            // What only the end asks for is taken back where a run goes on beyond it.
            let open_window = if due.extra_window { Some(state.progress_now()?.window) } else { None };
            if due.window {
                self.close_window(&mut state, &plan, due.extra_window, report)?;
            }
            let mut before_end = if due.extra_evaluation { Some(state.progress_now()?) } else { None };
            if due.evaluation {
                let nats = self.validate(&mut state, &plan, due.extra_evaluation, report)?;
                if !nats.is_finite() {
                    let fault = Fault::at(&plan, step, "the validation loss", nats, &[]);
                    state = self.after_nonfinite(state, &fault, report)?;
                    continue;
                }
            }
            let stopping = self.config.training.early_stopping;
            let early = stopping.is_some_and(|stopping| state.progress.evaluations_since_best >= stopping.patience);
            state.progress.complete = due.last || due.time_is_up || early;
            if state.progress.complete {
                if let Some(window) = open_window {
                    before_end = Some(Progress { window, ..before_end.unwrap_or_else(|| state.progress.clone()) });
                }
                state.progress.before_end = before_end.map(Box::new);
                self.save(&state)?;
                report.end(match (due.last, early) {
                    (true, _) => "done",
                    (_, true) => "stopped early: validation no longer improves",
                    _ => "stopped: the time of training.max_minutes is up",
                });
            } else if due.interrupt {
                self.save(&state)?;
                report.end("interrupted");
                return Ok(Ending::Interrupted);
            } else if due.checkpoint {
                self.save(&state)?;
                saved = Instant::now();
            }
        }
        Ok(Ending::Complete)
    }

    /// The first checkpoint of a run that begins at these weights: before its first step.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn begin_at(&self, weights: AnyModel) -> Result<()> {
        self.save(&self.state_of(weights))
    }

    fn start(&self, from: Option<&Checkpoint>) -> Result<State> {
        let mut state = self.state_of(initial_model(self.config, &self.dataset.spec, &self.device)?);
        if let Some(checkpoint) = from {
            self.restore(&mut state, checkpoint).map_err(|error| {
                let path = self.folder.checkpoints().after(checkpoint.progress.step);
                Error::input(format!("{}: {error}", path.display()))
            })?;
        }
        Ok(state)
    }

    fn state_of(&self, plain: AnyModel) -> State {
        State {
            average: self.config.training.ema_decay.map(|_| plain.clone()),
            optimizer: optimizer::build(&self.config.optimizer, &plain),
            model: optimizer::freeze(&self.config.optimizer, plain).train(),
            progress: Progress::default(),
            meter: Meter::default(),
        }
    }

    fn restore(&self, state: &mut State, checkpoint: &Checkpoint) -> Result<()> {
        state.model = restore::weights(state.model.clone(), checkpoint.section("model")?)?;
        if let Some(average) = &mut state.average {
            *average = restore::weights(average.clone(), checkpoint.section("average")?)?;
        }
        state.optimizer = restore::optimizer(state.optimizer.clone(), checkpoint.section("optimizer")?, &state.model)?;
        state.progress = checkpoint.progress.clone();
        state.meter = Meter::resumed(std::mem::take(&mut state.progress.window));
        Ok(())
    }

    /// Writes down the means of the steps since the last report. `extra`: only the end of training asks for them.
    fn close_window(&self, state: &mut State, plan: &Plan, extra: bool, report: &mut dyn Report) -> Result<()> {
        let meter = std::mem::take(&mut state.meter);
        let Some(means) = meter.means() else { return Ok(()) };
        let examples_per_second = meter.examples_per_second();
        let step = state.progress.step;
        let loss = means.first().map_or(f64::NAN, |(_, nats)| *nats);
        let terms = means.get(1..).unwrap_or_default();
        // The terms without their weights: a likelihood or a bound also while a weight is annealed.
        let nats: f64 = terms.iter().map(|(_, nats)| nats).sum();
        let learning_rate = self.learning_rate_at(step.saturating_sub(1), state, plan.steps);
        let mut line = json!({
            "kind": "train",
            "step": step,
            "epoch": plan.epoch(step.saturating_sub(1)) + 1,
            "loss": loss,
            "nats_per_example": nats,
            "bits_per_dim": self.dataset.train.bits_per_dim(nats),
            "learning_rate": learning_rate,
            "examples_per_second": examples_per_second,
            "seconds": state.progress.seconds,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(terms.iter().map(|(name, nats)| ((*name).to_string(), json!(nats))));
            line.extend(self.dataset.train.nats_per_token(nats).map(|nats| ("nats_per_token".into(), json!(nats))));
            line.extend(extra.then(|| (AT_END.into(), json!(true))));
        }
        self.written(self.folder.append_metrics(&line), step)?;
        report.train(&progress::Window { step, nats, terms, learning_rate, examples_per_second });
        Ok(())
    }

    /// The validation loss; where it is the lowest so far, the weights are kept as the best. `extra`: only the end of training asks
    /// for it.
    fn validate(&self, state: &mut State, plan: &Plan, extra: bool, report: &mut dyn Report) -> Result<f64> {
        let model = state.average.clone().unwrap_or_else(|| state.model.valid());
        let nats = evaluate::validation_loss(&model, self.config, &self.dataset.validation, &self.device)?;
        if !nats.is_finite() {
            return Ok(nats);
        }
        let progress = &mut state.progress;
        progress.plateau.update(&self.config.optimizer, nats);
        let (step, epoch) = (progress.step, plan.epoch(progress.step.saturating_sub(1)) + 1);
        let better = progress.best.is_none_or(|best| nats < best.nats);
        progress.evaluations_since_best = if better { 0 } else { progress.evaluations_since_best + 1 };
        if better {
            if extra {
                self.written(self.folder.checkpoints().keep_best_before_end(progress.best), step)?;
            }
            progress.best = Some(Best { step, nats });
            let config = self.config.to_toml()?.into_bytes();
            let sections = vec![("config".into(), config), ("model".into(), bytes_of(&model)?)];
            let best = Checkpoint { progress: progress.clone(), sections };
            self.written(best.write(&self.folder.checkpoints().best()), step)?;
        }
        let mut line = json!({
            "kind": "validation",
            "step": step,
            "epoch": epoch,
            "nats_per_example": nats,
            "bits_per_dim": self.dataset.validation.bits_per_dim(nats),
            "best": better,
            "seconds": progress.seconds,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(
                self.dataset.validation.nats_per_token(nats).map(|nats| ("nats_per_token".into(), json!(nats))),
            );
            line.extend(extra.then(|| (AT_END.into(), json!(true))));
        }
        self.written(self.folder.append_metrics(&line), step)?;
        report.validation(epoch, nats, better);
        Ok(nats)
    }

    fn best_on_disk(&self) -> Result<Option<Best>> {
        let path = self.folder.checkpoints().best();
        if path.exists() { Ok(Checkpoint::read(&path)?.progress.best) } else { Ok(None) }
    }

    fn save(&self, state: &State) -> Result<()> {
        let step = state.progress.step;
        let optimizer = state
            .optimizer
            .into_bytes()
            .map_err(|error| Error::run(format!("the optimiser's state cannot be saved: {error}")))?;
        let mut sections = vec![
            ("config".into(), self.config.to_toml()?.into_bytes()),
            ("model".into(), bytes_of(&state.model)?),
            ("optimizer".into(), optimizer.to_vec()),
        ];
        if let Some(average) = &state.average {
            sections.push(("average".into(), bytes_of(average)?));
        }
        let checkpoint = Checkpoint { progress: state.progress_now()?, sections };
        // Whoever goes on from the checkpoint relies on the lines before it.
        let synced = self.folder.sync_metrics();
        let write = || self.folder.checkpoints().write(&checkpoint, self.config.training.keep_checkpoints);
        self.written(synced.and_then(|()| write()), step)
    }

    /// The step of the newest checkpoint.
    fn kept(&self) -> Option<u64> {
        self.folder.checkpoints().steps().ok()?.first().copied()
    }

    /// Says where training stands when its folder could not be written.
    fn written(&self, outcome: Result<()>, step: u64) -> Result<()> {
        outcome.map_err(|error| {
            let kept = match self.kept() {
                Some(step) => format!(
                    "the checkpoint of step {step} is whole: fix the problem, then resume with dgm-train --resume {}",
                    self.folder.path().display()
                ),
                None => "there is no checkpoint yet".into(),
            };
            Error::run(format!("training stopped at step {step}: {error}; {kept}"))
        })
    }
}

/// The model with its initial weights, on the plain device: the same on every backend.
///
/// # Errors
/// A configuration that does not fit the data.
pub fn initial_model(config: &Config, spec: &DataSpec, device: &Device) -> std::result::Result<AnyModel, ModelError> {
    config.model.init(spec, &mut Seed(config.seed).stream("weights", 0), device)
}

/// SHA-256 over models' weights, one model after the other, in the order of its parameters: each one's shape and its numbers as
/// little-endian f32.
pub fn weights_sha256<'a>(models: impl IntoIterator<Item = &'a AnyModel>) -> String {
    struct Hash(Fingerprint);
    impl ModuleVisitor for Hash {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            value.dims().iter().for_each(|&size| self.0.update(&(size as u64).to_le_bytes()));
            value.into_data().iter::<f32>().for_each(|number| self.0.update(&number.to_le_bytes()));
        }
    }
    let mut hash = Hash(Fingerprint::default());
    models.into_iter().for_each(|model| model.visit(&mut hash));
    hash.0.finish()
}

/// A module's weights as bytes.
fn bytes_of(model: &AnyModel) -> Result<Vec<u8>> {
    let bytes = model.clone().into_record().into_bytes();
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| Error::run(format!("the weights cannot be saved: {error}")))
}

#[cfg(test)]
mod tests;
