//! The means of the steps since the last report: a line of `metrics.jsonl`, and what the report is told.

use super::Trainer;
use super::plan::Plan;
use super::state::State;
use crate::error::Result;
use crate::metrics::{Line, TrainLine};
use crate::report::progress::{Report, WindowMeans};
use dgm_models::ModelFactory;

/// The keys of a line that are no terms.
const RESERVED: [&str; 12] = [
    "kind",
    "step",
    "epoch",
    "loss",
    "nats_per_example",
    "bits_per_dim",
    "nats_per_token",
    "learning_rate",
    "examples_per_second",
    "seconds",
    "at_end",
    "restored",
];

impl<C: ModelFactory> Trainer<'_, C> {
    /// Writes down the means of the steps since the last report. `extra`: only the end of training asks for them.
    pub(super) fn close_window(
        &self,
        state: &mut State<C::Model>,
        plan: &Plan,
        extra: bool,
        report: &mut dyn Report,
    ) -> Result<()> {
        let (several, step) = (state.players.len() > 1, state.progress.step);
        let (mut loss, mut terms, mut examples_per_second) = (None, Vec::new(), 0.0);
        for (index, player) in state.players.iter_mut().enumerate() {
            let meter = std::mem::take(&mut player.meter);
            let Some(means) = meter.means() else { continue };
            if index == 0 {
                examples_per_second = meter.examples_per_second();
                loss = means.first().map(|(_, mean)| *mean).filter(|_| !several);
            }
            // One player's loss stands by itself.
            let means = means.into_iter().skip(usize::from(!several));
            // What a line says of itself keeps its name.
            let name = |term: &str| match several {
                true => format!("{}.{term}", player.player.name),
                false if RESERVED.contains(&term) => format!("term.{term}"),
                false => term.to_owned(),
            };
            terms.extend(means.map(|(term, mean)| (name(&term), mean)));
        }
        if terms.is_empty() && loss.is_none() {
            return Ok(());
        }
        // The terms without their weights: a likelihood or a bound also while a weight is annealed.
        let of_likelihood = self.config.objective.kind.likelihood_terms();
        let mut parts = terms.iter().filter(|(name, _)| of_likelihood.contains(&name.as_str())).peekable();
        let nats = parts.peek().is_some().then(|| parts.map(|(_, mean)| mean).sum::<f64>());
        let learning_rate = self.learning_rate_at(step.saturating_sub(1), state, 0, plan.steps);
        let line = TrainLine {
            step,
            epoch: plan.epoch(step.saturating_sub(1)) + 1,
            loss,
            nats_per_example: nats,
            bits_per_dim: nats.map(|nats| self.dataset.train.bits_per_dim(nats)),
            nats_per_token: nats.and_then(|nats| self.dataset.train.nats_per_token(nats)),
            learning_rate,
            examples_per_second,
            seconds: state.progress.seconds,
            at_end: extra,
            terms: terms.iter().cloned().collect(),
        };
        self.record(&Line::Train(line), step)?;
        report.train(&WindowMeans { step, loss, nats, terms: &terms, learning_rate, examples_per_second });
        Ok(())
    }
}
