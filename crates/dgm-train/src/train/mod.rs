//! The training loop: its state is one value, its randomness is named by the step, so it can stop and go on anywhere.

pub mod checkpoint;
mod meter;
mod optimizer;

use crate::config::Config;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate;
use crate::report::progress::{Report, Window};
use crate::run_folder::RunFolder;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use checkpoint::{Best, Checkpoint, Progress};
use dgm_core::estimate::bits_per_dim;
use dgm_core::random::Seed;
use dgm_models::{AnyModel, Batch, DataSpec, ModelError, Weights};
use meter::Meter;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps from one report of the training loss to the next; also the longest time that a NaN goes unnoticed.
const WINDOW: u64 = 50;

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs, or early stopping.
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
    /// Where results go.
    pub folder: &'a RunFolder,
    /// Set from outside to stop after the current step.
    pub stop: &'a AtomicBool,
}

/// What changes from step to step.
struct State {
    model: AnyModel,
    /// The moving average of the weights, without autodiff.
    average: Option<AnyModel>,
    optimizer: ModuleOptimizer,
    progress: Progress,
}

impl Trainer<'_> {
    /// Trains to the end, or until somebody stops it. `from`: the checkpoint to go on from.
    ///
    /// # Errors
    /// A loss that is not finite, or a folder that cannot be written.
    pub fn run(&self, from: Option<Checkpoint>, report: &mut dyn Report) -> Result<Ending> {
        let mut state = self.start(from)?;
        let (config, seed) = (self.config, Seed(self.config.seed));
        let examples = self.dataset.train.len();
        let steps_an_epoch = examples.div_ceil(config.training.batch_size) as u64;
        let steps = steps_an_epoch.saturating_mul(config.training.epochs as u64);
        report.begin(config, self.dataset, state.model.num_params(), steps, state.progress.step);

        while state.progress.step < steps && !state.progress.complete {
            let epoch = state.progress.step / steps_an_epoch;
            let first = (state.progress.step % steps_an_epoch) as usize;
            let order = seed.stream("shuffle", epoch).permutation(examples);
            let mut meter = Meter::default();
            for rows in order.chunks(config.training.batch_size).skip(first) {
                let began = Instant::now();
                let batch = self.dataset.train.batch(rows, epoch, &self.device.clone().autodiff())?;
                state = self.step(state, &batch, steps, &mut meter);
                state.progress.seconds += began.elapsed().as_secs_f64();
                let step = state.progress.step;
                if step.is_multiple_of(WINDOW) || step.is_multiple_of(steps_an_epoch) {
                    self.close_window(&mut meter, &state, epoch, steps, report)?;
                }
                // The last step of an epoch is followed by its validation, whoever asks to stop.
                if self.stop.load(Ordering::Relaxed) && !step.is_multiple_of(steps_an_epoch) {
                    return self.interrupt(&state, report);
                }
            }
            let stopped_early = self.finish_epoch(&mut state, epoch + 1, steps, report)?;
            state.progress.complete = stopped_early || state.progress.step >= steps;
            if self.stop.load(Ordering::Relaxed) && !state.progress.complete {
                return self.interrupt(&state, report);
            }
        }
        self.save(&state)?;
        report.end(if state.progress.step < steps { "stopped early: validation no longer improves" } else { "done" });
        Ok(Ending::Complete)
    }

    fn interrupt(&self, state: &State, report: &mut dyn Report) -> Result<Ending> {
        self.save(state)?;
        report.end("interrupted");
        Ok(Ending::Interrupted)
    }

    fn start(&self, from: Option<Checkpoint>) -> Result<State> {
        let plain = initial_model(self.config, &self.dataset.spec, &self.device)?;
        let mut state = State {
            average: self.config.training.ema_decay.map(|_| plain.clone()),
            model: plain.train(),
            optimizer: optimizer::build(&self.config.optimizer),
            progress: Progress::default(),
        };
        if let Some(checkpoint) = from {
            state.model = load(state.model, checkpoint.section("model")?)?;
            state.average = match state.average {
                Some(average) => Some(load(average, checkpoint.section("average")?)?),
                None => None,
            };
            let moments = Bytes::from_bytes_vec(checkpoint.section("optimizer")?.to_vec());
            state.optimizer = state
                .optimizer
                .from_bytes(moments)
                .map_err(|error| Error::input(format!("the checkpoint's optimiser state cannot be read: {error}")))?;
            state.progress = checkpoint.progress;
        }
        Ok(state)
    }

    fn step(&self, mut state: State, batch: &Batch, steps: u64, meter: &mut Meter) -> State {
        let (config, step) = (self.config, state.progress.step);
        let mut noise = Seed(config.seed).stream("noise", step);
        let weights = Weights { beta: config.objective.beta.at(step) };
        let objective = state.model.as_model().objective(batch, weights, &mut noise);
        let mut grads = GradientsParams::from_grads(objective.mean_batch().backward(), &state.model);
        meter.add(objective);
        if let Some(bound) = config.optimizer.gradient_clip_norm {
            grads = optimizer::clip_global_norm(&state.model, grads, bound);
        }
        let rate = optimizer::learning_rate(&config.optimizer, step, steps);
        state.model = state.optimizer.step(rate, state.model, grads);
        if let (Some(average), Some(decay)) = (state.average.take(), config.training.ema_decay) {
            state.average = Some(optimizer::update_average(average, &state.model, decay, step));
        }
        state.progress.step += 1;
        state
    }

    /// Reads the window's means from the device, checks them and writes them down.
    fn close_window(
        &self,
        meter: &mut Meter,
        state: &State,
        epoch: u64,
        steps: u64,
        report: &mut dyn Report,
    ) -> Result<()> {
        let examples_per_second = meter.examples_per_second();
        let Some(means) = std::mem::take(meter).means() else { return Ok(()) };
        let step = state.progress.step;
        let loss = means.first().map_or(f64::NAN, |(_, nats)| *nats);
        // The terms without their weights: a likelihood or a bound also while a weight is annealed.
        let nats: f64 = means.iter().skip(1).map(|(_, nats)| nats).sum();
        if let Some((term, value)) = means.iter().find(|(_, nats)| !nats.is_finite()) {
            return Err(self.diverged(term, *value, step, epoch + 1));
        }
        let learning_rate = optimizer::learning_rate(&self.config.optimizer, step.saturating_sub(1), steps);
        let mut line = json!({
            "kind": "train",
            "step": step,
            "epoch": epoch + 1,
            "loss": loss,
            "nats_per_example": nats,
            "bits_per_dim": bits_per_dim(nats, self.dataset.spec.event()),
            "learning_rate": learning_rate,
            "examples_per_second": examples_per_second,
            "seconds": state.progress.seconds,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(means.iter().skip(1).map(|(name, nats)| ((*name).to_string(), json!(nats))));
        }
        self.folder.append_metrics(&line)?;
        let terms = means.get(1..).unwrap_or_default();
        report.train(&Window { step, nats, terms, learning_rate, examples_per_second });
        Ok(())
    }

    fn diverged(&self, what: &str, value: f64, step: u64, epoch: u64) -> Error {
        let kept = match self.folder.last_checkpoint().exists() {
            true => format!("; the checkpoint before it is kept in {}", self.folder.path().display()),
            false => String::new(),
        };
        Error::run(format!(
            "training stopped: {what} is {value} at step {step} (epoch {epoch}); a smaller `optimizer.learning_rate` or \
             `optimizer.gradient_clip_norm = 1.0` is what usually helps{kept}"
        ))
    }

    /// Validates and saves where it is time to; whether early stopping ends the run.
    fn finish_epoch(&self, state: &mut State, epoch: u64, steps: u64, report: &mut dyn Report) -> Result<bool> {
        let training = &self.config.training;
        let last = state.progress.step >= steps;
        let mut stop = false;
        if last || epoch.is_multiple_of(training.evaluate_every as u64) {
            let model = state.average.clone().unwrap_or_else(|| state.model.valid());
            let seed = Seed(self.config.seed);
            let nats = evaluate::validation_loss(&model, &self.dataset.validation, &self.device, seed)?;
            if !nats.is_finite() {
                return Err(self.diverged("the validation loss", nats, state.progress.step, epoch));
            }
            let better = state.progress.best.is_none_or(|best| nats < best.nats);
            if better {
                state.progress.best = Some(Best { epoch, nats });
                let sections = vec![("model".into(), bytes_of(&model)?)];
                let best = Checkpoint { progress: state.progress.clone(), sections };
                best.write(&self.folder.best_checkpoint())?;
            }
            self.folder.append_metrics(&json!({
                "kind": "validation",
                "step": state.progress.step,
                "epoch": epoch,
                "nats_per_example": nats,
                "bits_per_dim": bits_per_dim(nats, self.dataset.spec.event()),
                "best": better,
                "seconds": state.progress.seconds,
            }))?;
            report.validation(epoch, nats, better);
            let patience = training.early_stopping.map(|stopping| stopping.patience as u64);
            stop = patience.is_some_and(|patience| {
                state.progress.best.is_none_or(|best| epoch.saturating_sub(best.epoch) >= patience)
            });
        }
        if !last && !stop && epoch.is_multiple_of(training.checkpoint_every as u64) {
            self.save(state)?;
        }
        Ok(stop)
    }

    fn save(&self, state: &State) -> Result<()> {
        let optimizer = state
            .optimizer
            .into_bytes()
            .map_err(|error| Error::run(format!("the optimiser's state cannot be saved: {error}")))?;
        let mut sections = vec![("model".into(), bytes_of(&state.model)?), ("optimizer".into(), optimizer.to_vec())];
        if let Some(average) = &state.average {
            sections.push(("average".into(), bytes_of(average)?));
        }
        self.folder.write_last(&Checkpoint { progress: state.progress.clone(), sections })
    }
}

/// The model with its initial weights, on the plain device: the same on every backend.
///
/// # Errors
/// A configuration that does not fit the data.
pub fn initial_model(config: &Config, spec: &DataSpec, device: &Device) -> std::result::Result<AnyModel, ModelError> {
    config.model.init(spec, &mut Seed(config.seed).stream("weights", 0), device)
}

/// A module's weights as bytes.
fn bytes_of(model: &AnyModel) -> Result<Vec<u8>> {
    let bytes = model.clone().into_record().into_bytes();
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| Error::run(format!("the weights cannot be saved: {error}")))
}

/// The module with weights from bytes.
///
/// # Errors
/// Weights of another model.
pub fn load(model: AnyModel, bytes: &[u8]) -> Result<AnyModel> {
    let foreign = |error: burn::store::RecordError| {
        Error::input(format!("the checkpoint does not fit the model of its config.toml: {error}"))
    };
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).map_err(foreign)?;
    model.try_load_record(record).map_err(foreign)
}
