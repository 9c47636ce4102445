//! One step: for each player gradients of a batch, in parts where it is too big to be on the device at once, and the update.

use super::meter::{GRADIENT, Sums};
use super::state::State;
use super::{Trainer, gradients, optimizer, rate};
use crate::checkpoint::TrainingProgress;
use crate::config::OptimizerConfig;
use crate::data::VIEW_BITS;
use crate::error::{Error, Result};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use dgm_core::objective::{Objective, l1_penalty, l2_penalty};
use dgm_core::random::{Seed, Stream};
use dgm_models::objective::Step;
use dgm_models::{Batch, Model, ModelFactory};

/// What a step led to.
pub(super) enum Taken<M> {
    /// The next state.
    Next(State<M>),
    /// The state as it was, as this is not finite.
    Fault(State<M>, &'static str, f32),
}

impl<C: ModelFactory> Trainer<'_, C> {
    /// One step of every player whose turn it is, on the examples of these rows. `check`: whether numbers that are not finite are
    /// looked for before they change any weight.
    ///
    /// # Errors
    /// Data that can no longer be read.
    pub(super) fn step(
        &self,
        mut state: State<C::Model>,
        rows: &[usize],
        epoch: u64,
        steps: u64,
        check: bool,
    ) -> Result<Taken<C::Model>> {
        let step = state.progress.step;
        let mut rng = Seed(self.config.seed).stream("noise", step);
        // The gradients of a player depend on the steps of those before it.
        let before = (check && state.players.len() > 1).then(|| state.clone());
        for index in 0..state.players.len() {
            let Some(player) = state.players.get_mut(index).filter(|player| player.plays(step)) else { continue };
            player.meter.begin_step();
            let (grads, sums) = self.gradients(&state, index, rows, epoch, &mut rng)?;
            if let Some((what, value)) = if check { sums.nonfinite() } else { None } {
                return Ok(Taken::Fault(before.unwrap_or(state), what, value));
            }
            state = self.update(state, index, grads, sums, steps);
        }
        if let (Some(average), Some(decay)) = (state.average.take(), self.config.training.ema_decay) {
            state.average = Some(optimizer::update_average(average, &state.model, decay, step));
        }
        state.progress.step += 1;
        state.progress.skipped = 0;
        Ok(Taken::Next(state))
    }

    /// The gradients of a player's mean loss over the examples of these rows, clipped where the configuration says so, and the
    /// sums of the loss and its terms.
    fn gradients(
        &self,
        state: &State<C::Model>,
        index: usize,
        rows: &[usize],
        epoch: u64,
        rng: &mut Stream,
    ) -> Result<(GradientsParams, Sums)> {
        let device = self.device.clone().autodiff();
        let (model, views) = (&state.model, state.model.training().views());
        let Some(player) = state.players.get(index) else { return Err(Error::run("a step of nobody")) };
        let mut part = |rows: &[usize], share: Option<f64>| -> Result<(GradientsParams, Sums)> {
            let views: Vec<Batch> = (0..views as u64)
                .map(|view| self.dataset.train.batch(rows, epoch_of_view(epoch, view), &device))
                .collect::<Result<_>>()?;
            let step = Step { player: index, views: &views, step: state.progress.step, rng: &mut *rng };
            let objective = self.penalised(self.config.objective.kind.loss(model, step)?, state)?;
            let loss = objective.mean_batch();
            let mut grads = share.map_or(loss.clone(), |share| loss.mul_scalar(share)).backward();
            let grads = match &player.parameters {
                None => GradientsParams::from_grads(grads, model),
                Some(parameters) => GradientsParams::from_params(&mut grads, model, parameters),
            };
            Ok((grads, Sums::of(objective)))
        };
        let micro = self.config.training.micro_batch_size.unwrap_or(rows.len()).max(1);
        let (mut grads, mut sums) = if rows.len() <= micro {
            part(rows, None)?
        } else {
            // Each part weighs as many examples as it has, so that the sum is the gradient of the whole batch's mean.
            let share = |rows: &[usize], all: usize| Some(rows.len() as f64 / all as f64);
            let mut accumulator = GradientsAccumulator::new();
            let mut total: Option<Sums> = None;
            for chunk in rows.chunks(micro) {
                let (grads, sums) = part(chunk, share(chunk, rows.len()))?;
                accumulator.accumulate(model, grads);
                match &mut total {
                    Some(total) => total.add(sums),
                    None => total = Some(sums),
                }
            }
            (accumulator.grads(), total.ok_or_else(|| Error::run("a batch without examples"))?)
        };
        let norm = gradients::global_norm(model, &grads);
        if let (Some(norm), Some(bound)) = (&norm, player.config(&self.config.optimizer).gradient_clip_norm) {
            grads = gradients::clip(model, grads, norm.clone(), bound);
        }
        sums.values.extend(norm.map(|norm| (GRADIENT, norm)));
        Ok((grads, sums))
    }

    /// The objective with the configuration's penalty.
    fn penalised(&self, objective: Objective, state: &State<C::Model>) -> Result<Objective> {
        let (Some(penalty), Some(chosen)) = (&self.config.objective.penalty, &state.penalised) else {
            return Ok(objective);
        };
        let model = &state.model;
        let none = |error: dgm_core::objective::NoParameterChosen| Error::input(error.to_string());
        let add = |objective: Objective, name, lambda: f64, of: &dyn Fn() -> Result<Tensor<1>>| match lambda {
            0.0 => Ok(objective),
            _ => Ok(objective.add_penalty(name, lambda, of()?)),
        };
        let objective = add(objective, "l1", penalty.l1, &|| l1_penalty(model, chosen).map_err(none))?;
        add(objective, "l2", penalty.l2, &|| l2_penalty(model, chosen).map_err(none))
    }

    /// Applies a player's gradients.
    fn update(
        &self,
        mut state: State<C::Model>,
        index: usize,
        grads: GradientsParams,
        sums: Sums,
        steps: u64,
    ) -> State<C::Model> {
        let rate = self.learning_rate_at(state.progress.step, &state, index, steps);
        if let Some(player) = state.players.get_mut(index) {
            state.model = player.optimizer.step(rate, state.model, grads);
            player.meter.add(sums);
        }
        state
    }

    /// The learning rate of a player at `step`, from 0 on.
    pub(super) fn learning_rate_at<M: Module + Model>(
        &self,
        step: u64,
        state: &State<M>,
        index: usize,
        steps: u64,
    ) -> f64 {
        let TrainingProgress { plateaus, rate_factor, .. } = &state.progress;
        let config: &OptimizerConfig =
            state.players.get(index).map_or(&self.config.optimizer, |player| player.config(&self.config.optimizer));
        let plateau = plateaus.get(index).copied().unwrap_or_default();
        rate::learning_rate(config, step, steps, &plateau) * rate_factor
    }
}

/// What names the random steps of a view: the first is the example as one model sees it, each further one another epoch's, beyond any
/// that training comes to.
fn epoch_of_view(epoch: u64, view: u64) -> u64 {
    epoch | view << (u64::BITS - VIEW_BITS)
}
