//! One step: gradients of a batch, in parts where it is too big to be on the device at once, and the update.

use super::checkpoint::Progress;
use super::meter::{GRADIENT, Sums};
use super::{State, Trainer, gradients, optimizer, rate};
use crate::error::{Error, Result};
use burn::optim::{GradientsAccumulator, GradientsParams};
use dgm_core::random::Seed;
use dgm_models::{Model, Training, Weights};

impl Trainer<'_> {
    /// The gradients of the mean loss over the examples of these rows, clipped where the configuration says so, and the
    /// sums of the loss and its terms. The state stays as it is.
    ///
    /// # Errors
    /// Data that can no longer be read.
    pub(super) fn gradients(&self, state: &State, rows: &[usize], epoch: u64) -> Result<(GradientsParams, Sums)> {
        let (config, step) = (self.config, state.progress.step);
        let device = self.device.clone().autodiff();
        let mut noise = Seed(config.seed).stream("noise", step);
        let weights = Weights { beta: config.objective.beta.at(step) };
        let mut part = |rows: &[usize], share: Option<f64>| -> Result<(GradientsParams, Sums)> {
            let batch = self.dataset.train.batch(rows, epoch, &device)?;
            let Training::Gradient(train) = state.model.training();
            let objective = train.objective(&batch, weights, &mut noise);
            let loss = objective.mean_batch();
            let loss = share.map_or(loss.clone(), |share| loss.mul_scalar(share));
            Ok((GradientsParams::from_grads(loss.backward(), &state.model), Sums::of(objective)))
        };
        let micro = config.training.micro_batch_size.unwrap_or(rows.len()).max(1);
        let (mut grads, mut sums) = if rows.len() <= micro {
            part(rows, None)?
        } else {
            // Each part weighs as many examples as it has, so that the sum is the gradient of the whole batch's mean.
            let share = |rows: &[usize], all: usize| Some(rows.len() as f64 / all as f64);
            let mut accumulator = GradientsAccumulator::new();
            let mut total: Option<Sums> = None;
            for chunk in rows.chunks(micro) {
                let (grads, sums) = part(chunk, share(chunk, rows.len()))?;
                accumulator.accumulate(&state.model, grads);
                match &mut total {
                    Some(total) => total.add(sums),
                    None => total = Some(sums),
                }
            }
            (accumulator.grads(), total.ok_or_else(|| Error::run("a batch without examples"))?)
        };
        let norm = gradients::global_norm(&state.model, &grads);
        if let (Some(norm), Some(bound)) = (&norm, config.optimizer.gradient_clip_norm) {
            grads = gradients::clip(&state.model, grads, norm.clone(), bound);
        }
        sums.values.extend(norm.map(|norm| (GRADIENT, norm)));
        Ok((grads, sums))
    }

    /// Applies the gradients: the next weights, and their average.
    pub(super) fn update(&self, mut state: State, grads: GradientsParams, steps: u64) -> State {
        let step = state.progress.step;
        let rate = self.learning_rate_at(step, &state, steps);
        state.model = state.optimizer.step(rate, state.model, grads);
        if let (Some(average), Some(decay)) = (state.average.take(), self.config.training.ema_decay) {
            state.average = Some(optimizer::update_average(average, &state.model, decay, step));
        }
        state.progress.step += 1;
        state.progress.skipped = 0;
        state
    }

    /// The learning rate of `step`, from 0 on.
    pub(super) fn learning_rate_at(&self, step: u64, state: &State, steps: u64) -> f64 {
        let Progress { plateau, rate_factor, .. } = &state.progress;
        rate::learning_rate(&self.config.optimizer, step, steps, plateau) * rate_factor
    }
}
