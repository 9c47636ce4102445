//! The training loop: its state is one value, its randomness is named by the step, so it can stop and resume anywhere.

mod check;
mod gradients;
mod meter;
mod muon;
mod nonfinite;
pub(crate) mod optimizer;
pub(crate) mod plan;
pub(crate) mod rate;
pub mod restore;
mod state;
mod step;
mod window;

use crate::checkpoint::{Best, Checkpoint, TrainingProgress};
use crate::config::{Config, ModelConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::measure::{diagnose, validation_loss};
use crate::metrics::{Line, ValidationLine};
use crate::report::progress::{Report, RunStart};
use crate::report::tensorboard::EventFile;
use crate::run_folder::RunFolder;
use crate::weights::bytes_of;
use burn::module::Module;
use burn::tensor::Device;
use dgm_core::random::Seed;
use dgm_models::{Model, ModelFactory};
use nonfinite::Fault;
use plan::{Due, EpochOrder, Plan};
use state::{State, TrainingExamples};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use step::Taken;

pub use check::check;
pub(crate) use check::{check_batches, check_without_criterion, has_criterion};
pub use state::initial_model;

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done, early stopping ended it, or `max_minutes` is reached.
    Complete,
    /// Stopped on request; the last checkpoint is where it stopped.
    Interrupted,
}

/// Everything that one run of training needs.
pub struct Trainer<'a, C = ModelConfig> {
    /// Run configuration.
    pub config: &'a Config<C>,
    /// Data set.
    pub dataset: &'a Dataset,
    /// Device, without autodiff.
    pub device: Device,
    /// Whether that device computes synchronously, so that reading a value back is free: then every step is checked before
    /// it changes the weights. Otherwise steps are checked a window at a time, and a window with a NaN is replayed
    /// with every step checked.
    pub eager: bool,
    /// Where results go.
    pub folder: &'a RunFolder,
    /// Where results go for TensorBoard too.
    pub events: Option<&'a EventFile>,
    /// Set from outside to stop after the current step.
    pub stop: &'a AtomicBool,
}

/// The model with what it learns of the training examples in closed form, before any step.
///
/// # Errors
/// Data that cannot be read, or that the model cannot be fitted to.
pub(crate) fn fitted<C, M: Model>(mut model: M, config: &Config<C>, dataset: &Dataset, device: &Device) -> Result<M> {
    let examples = TrainingExamples { split: &dataset.train, device };
    model.fit(&examples, &mut Seed(config.seed).stream("fit", 0))?;
    Ok(model)
}

impl<C: ModelFactory> Trainer<'_, C> {
    /// Trains to the end, or until it is stopped. `from`: the checkpoint to resume from.
    ///
    /// # Errors
    /// A configuration that does not fit the model, a loss that is not finite, data that can no longer be read, or a folder that cannot be
    /// written.
    pub fn run(&self, from: Option<&Checkpoint>, report: &mut dyn Report) -> Result<Ending> {
        let plan = Plan::of(&self.config.training, self.dataset.train.len());
        let mut state = self.start(from)?;
        check(self.config, &state.model, |_| String::new())?;
        self.announce(&state, &plan, report);
        if state.players.is_empty() {
            return self.finish_fit(state, &plan, report);
        }
        let (began, before) = (Instant::now(), state.progress.seconds);
        let mut saved = Instant::now();
        let mut order = EpochOrder::default();
        // Where steps are not checked one by one: the state when the window began, and up to where they are all the same.
        let (mut sound, mut check_until) = (None, 0);

        while !state.progress.complete {
            let step = state.progress.step;
            let check = self.eager || step < check_until;
            if !check && sound.is_none() {
                sound = Some(state.clone());
            }
            let rows = order.rows(&plan, step, Seed(self.config.seed));
            match self.step(state, rows, plan.epoch(step), plan.steps, check)? {
                Taken::Next(next) => state = next,
                Taken::Fault(before, what, value) => {
                    state = self.after_nonfinite(before, &Fault::at(&plan, step, what, value.into(), rows), report)?;
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
            let fault = match (state.nonfinite(), sound.take()) {
                (Some(_), Some(start)) => {
                    check_until = state.progress.step;
                    state = start;
                    continue;
                }
                // Every step was finite, and their sum is not.
                (Some((what, value)), None) => Some((what, value.into())),
                (None, _) => self.look(&mut state, &plan, &due, report)?,
            };
            if let Some((what, value)) = fault {
                state = self.after_nonfinite(state, &Fault::at(&plan, step, what, value, &[]), report)?;
                continue;
            }
            let end = self.end(&state.progress, &due);
            state.progress.complete = end.is_some();
            if end.is_some() || due.interrupt || due.checkpoint {
                self.save(&state)?;
                saved = Instant::now();
            }
            if let Some(why) = end.or(due.interrupt.then_some("interrupted")) {
                report.end(why);
                return Ok(if end.is_some() { Ending::Complete } else { Ending::Interrupted });
            }
        }
        Ok(Ending::Complete)
    }

    /// Tells the report what begins.
    fn announce(&self, state: &State<C::Model>, plan: &Plan, report: &mut dyn Report) {
        report.begin(&RunStart {
            model: self.config.model.kind(),
            dataset: self.dataset,
            parameters: state.model.num_params(),
            epochs: self.config.training.epochs as u64,
            steps: if state.players.is_empty() { 0 } else { plan.steps },
            step: state.progress.step,
            likelihood: state.model.criterion_is_likelihood(),
        });
    }

    /// Closes the window and validates, where that is due. `Some`: what is not finite, and its value.
    fn look(
        &self,
        state: &mut State<C::Model>,
        plan: &Plan,
        due: &Due,
        report: &mut dyn Report,
    ) -> Result<Option<(&'static str, f64)>> {
        // A finite gradient may still have thrown the weights too far: such weights are neither kept nor validated.
        let lost = if due.window_only() { None } else { gradients::nonfinite_weight(&state.model) };
        if let Some(value) = lost {
            return Ok(Some(("a sum of weights", value)));
        }
        // What only the end asks for is taken back where a run is extended beyond it.
        let open_windows = if due.extra_window { Some(state.progress_now()?.windows) } else { None };
        if due.window {
            self.close_window(state, plan, due.extra_window, report)?;
        }
        let mut before_end = if due.extra_evaluation { Some(state.progress_now()?) } else { None };
        if due.evaluation {
            let loss = self.validate(state, plan, due.extra_evaluation, report)?;
            if let Some(loss) = loss.filter(|loss| !loss.is_finite()) {
                return Ok(Some(("the validation loss", loss)));
            }
        }
        if let Some(windows) = open_windows {
            before_end = Some(TrainingProgress { windows, ..before_end.unwrap_or_else(|| state.progress.clone()) });
        }
        state.progress.before_end = before_end.map(Box::new);
        Ok(None)
    }

    /// Why training ends after this step; `None`: it goes on.
    fn end(&self, progress: &TrainingProgress, due: &Due) -> Option<&'static str> {
        let stopping = self.config.training.early_stopping;
        let early = stopping.is_some_and(|stopping| progress.evaluations_since_best >= stopping.patience);
        match (due.last, early, due.time_is_up) {
            (true, _, _) => Some("done"),
            (_, true, _) => Some("stopped early: validation no longer improves"),
            (_, _, true) => Some("stopped: training.max_minutes is reached"),
            _ => None,
        }
    }

    /// The first checkpoint of a run that begins at these weights: before its first step.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn begin_at(&self, weights: C::Model) -> Result<()> {
        self.save(&State::new(self.config, weights))
    }

    /// Ends training at these weights, which another program trained: they are validated and kept as the best.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn end_at(&self, weights: C::Model) -> Result<()> {
        let plan = Plan::of(&self.config.training, self.dataset.train.len());
        self.finish_fit(State::new(self.config, weights), &plan, &mut ()).map(|_| ())
    }

    /// What there is to do for a model that was fitted in closed form: look at it and keep it.
    fn finish_fit(&self, mut state: State<C::Model>, plan: &Plan, report: &mut dyn Report) -> Result<Ending> {
        if state.progress.complete {
            return Ok(Ending::Complete);
        }
        if let Some(value) = gradients::nonfinite_weight(&state.model) {
            return Err(Error::run(format!(
                "the fitted model is unusable: a sum of its parameters is {value}; look at the data with dgm-train data inspect"
            )));
        }
        let loss = self.validate(&mut state, plan, false, report)?;
        if let Some(loss) = loss.filter(|loss| !loss.is_finite()) {
            return Err(Error::run(format!(
                "the fitted model is unusable: its validation loss is {loss}; look at the data with dgm-train data inspect"
            )));
        }
        state.progress.complete = true;
        self.save(&state)?;
        report.end("fitted");
        Ok(Ending::Complete)
    }

    fn start(&self, from: Option<&Checkpoint>) -> Result<State<C::Model>> {
        let model = initial_model(self.config, &self.dataset.spec, &self.device)?;
        let Some(checkpoint) = from else {
            return Ok(State::new(self.config, fitted(model, self.config, self.dataset, &self.device)?));
        };
        let mut state = State::new(self.config, model);
        state.restore(checkpoint).map_err(|error| {
            let path = self.folder.checkpoints().after(checkpoint.progress.step);
            Error::input(format!("{}: {error}", path.display()))
        })?;
        Ok(state)
    }

    /// The validation loss, where the model has a criterion; the weights are kept as the best where it is the lowest so far, or where
    /// there is none. `extra`: only the end of training asks for it.
    fn validate(
        &self,
        state: &mut State<C::Model>,
        plan: &Plan,
        extra: bool,
        report: &mut dyn Report,
    ) -> Result<Option<f64>> {
        let (model, split) = (state.evaluated(), &self.dataset.validation);
        let loss = validation_loss(&model, self.config, split, &self.device)?;
        if loss.is_some_and(|loss| !loss.is_finite()) {
            return Ok(loss);
        }
        if loss.is_none() {
            check_without_criterion(self.config, &state.model)?;
        }
        let progress = &mut state.progress;
        for (player, plateau) in state.players.iter().zip(&mut progress.plateaus) {
            loss.into_iter()
                .for_each(|loss| rate::update_plateau(plateau, player.config(&self.config.optimizer), loss));
        }
        let (step, epoch) = (progress.step, plan.epoch(progress.step.saturating_sub(1)) + 1);
        let best = progress.best.and_then(|best| best.loss);
        let better = loss.zip(best).is_none_or(|(loss, best)| loss < best);
        progress.evaluations_since_best = if better { 0 } else { progress.evaluations_since_best + 1 };
        if better {
            if extra {
                self.written(self.folder.checkpoints().keep_best_before_end(progress.best), step)?;
            }
            progress.best = Some(Best { step, loss });
            let config = self.config.to_toml()?.into_bytes();
            let sections = vec![("config".into(), config), ("model".into(), bytes_of(&model)?)];
            let best = Checkpoint { progress: progress.clone(), sections };
            self.written(best.write(&self.folder.checkpoints().best()), step)?;
        }
        let nats = loss.filter(|_| model.criterion_is_likelihood());
        let latent = diagnose(&model, self.config, split, &self.device)?;
        let collapse = latent.as_ref().and_then(|held| held.collapse(self.config.objective.kind.name()));
        state.collapsed = if collapse.is_some() { state.collapsed + 1 } else { 0 };
        // Once until z is used again, and not of the first steps, in which it has yet to be; the result says it of the end.
        if let Some(note) = collapse.filter(|_| state.collapsed == 2 && !extra) {
            report.warn(&note);
        }
        let line = ValidationLine {
            step,
            epoch,
            loss: if nats.is_some() { None } else { loss },
            nats_per_example: nats,
            bits_per_dim: nats.map(|nats| split.bits_per_dim(nats)),
            nats_per_token: nats.and_then(|nats| split.nats_per_token(nats)),
            latent,
            best: better,
            seconds: progress.seconds,
            at_end: extra,
        };
        self.record(&Line::Validation(line), step)?;
        report.validation(epoch, loss, better);
        Ok(loss)
    }

    fn best_on_disk(&self) -> Result<Option<Best>> {
        let path = self.folder.checkpoints().best();
        if path.exists() { Ok(Checkpoint::read(&path)?.progress.best) } else { Ok(None) }
    }

    fn save(&self, state: &State<C::Model>) -> Result<()> {
        let step = state.progress.step;
        let mut sections = vec![("config".to_owned(), self.config.to_toml()?.into_bytes())];
        sections.extend(state.sections()?);
        let checkpoint = Checkpoint { progress: state.progress_now()?, sections };
        // Whoever resumes from the checkpoint relies on the lines before it.
        let synced = self.folder.sync_metrics();
        let write = || self.folder.checkpoints().write(&checkpoint, self.config.training.keep_checkpoints);
        self.written(synced.and_then(|()| write()), step)
    }

    /// The step of the newest checkpoint.
    fn kept(&self) -> Option<u64> {
        self.folder.checkpoints().steps().ok()?.first().copied()
    }

    /// Writes a line down.
    fn record(&self, line: &Line, step: u64) -> Result<()> {
        let appended = self.folder.append_metrics(line);
        self.written(appended.and_then(|()| self.events.map_or(Ok(()), |events| events.append(line))), step)
    }

    /// Says where training stands when its folder could not be written.
    fn written(&self, outcome: Result<()>, step: u64) -> Result<()> {
        outcome.map_err(|error| {
            let kept = match self.kept() {
                Some(step) => format!(
                    "the checkpoint of step {step} is intact: fix the problem, then resume with dgm-train --resume {}",
                    self.folder.path().display()
                ),
                None => "there is no checkpoint yet".into(),
            };
            Error::run(format!("training stopped at step {step}: {error}; {kept}"))
        })
    }
}

#[cfg(test)]
mod tests;
