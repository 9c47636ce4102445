//! A loss or a gradient that is NaN or infinite: what is said of it, and what the configuration's policy makes of it.

use super::Trainer;
use super::plan::Plan;
use super::state::State;
use crate::checkpoint::Checkpoint;
use crate::config::NonFinite;
use crate::error::{Error, Result};
use crate::metrics::{Line, NonfiniteLine};
use crate::report::progress::Report;
use dgm_models::ModelFactory;
use std::fs;

/// Rows of a batch that a message names; all are in `metrics.jsonl`.
const NAMED: usize = 8;

/// What was not finite.
pub(super) struct Fault<'a> {
    /// The loss, one of its terms, the gradient or the validation loss.
    pub(super) what: &'a str,
    pub(super) value: f64,
    /// The step that would have been taken with it, from 1 on.
    pub(super) step: u64,
    /// From 1 on.
    pub(super) epoch: u64,
    /// The batch, as rows of the training split; empty for a validation.
    pub(super) rows: &'a [usize],
}

impl<'a> Fault<'a> {
    /// At the step that has this number from 0 on.
    pub(super) fn at(plan: &Plan, step: u64, what: &'a str, value: f64, rows: &'a [usize]) -> Self {
        Self { what, value, step: step + 1, epoch: plan.epoch(step) + 1, rows }
    }

    /// "kl is NaN at step 12 (epoch 1, training rows 3, 5, 8, … 50 in all)"
    fn text(&self) -> String {
        let Self { what, value, step, epoch, rows } = self;
        let named: Vec<String> = rows.iter().take(NAMED).map(usize::to_string).collect();
        let batch = match rows.len() {
            0 => String::new(),
            n if n <= NAMED => format!(", training rows {}", named.join(", ")),
            n => format!(", training rows {}, … {n} in all", named.join(", ")),
        };
        format!("{what} is {value} at step {step} (epoch {epoch}{batch})")
    }
}

impl<C: ModelFactory> Trainer<'_, C> {
    /// What comes after: the same state with the step counted but not taken, or the state of the newest checkpoint with a
    /// lower learning rate.
    ///
    /// # Errors
    /// The policy is to stop, or it has been followed as often as it may be.
    pub(super) fn after_nonfinite(
        &self,
        mut state: State<C::Model>,
        fault: &Fault<'_>,
        report: &mut dyn Report,
    ) -> Result<State<C::Model>> {
        let record = |action: &str, step: u64, restored: u64| {
            let line = NonfiniteLine {
                step,
                at_step: fault.step,
                epoch: fault.epoch,
                term: fault.what.into(),
                value: fault.value.to_string(),
                rows: fault.rows.into(),
                action: action.into(),
                restored,
            };
            self.record(&Line::Nonfinite(line), fault.step)
        };
        match self.config.training.nonfinite {
            NonFinite::Skip { limit } if state.progress.skipped < limit && !fault.rows.is_empty() => {
                state.progress.step += 1;
                state.progress.skipped += 1;
                record("skip", fault.step, state.progress.restored)?;
                report.warn(&format!("{}; the step is skipped", fault.text()));
                Ok(state)
            }
            NonFinite::LowerLrAndRestore { limit, factor } if state.progress.restored < limit => {
                let (restored, lowered) = (state.progress.restored + 1, state.progress.rate_factor * factor);
                drop(state);
                let mut state = self.start(self.to_go_back_to(fault.step)?.as_ref())?;
                // A better model that was found on the way that is left now stays the best.
                if let Some(best) = self.best_on_disk()?.filter(|best| state.progress.best != Some(*best)) {
                    state.progress.best = Some(best);
                    state.progress.evaluations_since_best = 0;
                }
                state.progress.restored = restored;
                state.progress.rate_factor = lowered;
                let step = state.progress.step;
                self.folder.cut_metrics(Some(&state.progress))?;
                self.events.map_or(Ok(()), |events| events.go_on_from(step))?;
                record("lower_lr_and_restore", step, restored)?;
                report.warn(&format!(
                    "{}; back to step {step} with the learning rate times {lowered} ({restored} of {limit} times)",
                    fault.text()
                ));
                Ok(state)
            }
            policy => {
                record("stop", fault.step, state.progress.restored)?;
                let tried = match policy {
                    NonFinite::Skip { limit } if !fault.rows.is_empty() => format!(" after {limit} skipped in a row"),
                    NonFinite::LowerLrAndRestore { limit, .. } => {
                        format!(" after the learning rate was lowered {limit} times")
                    }
                    _ => String::new(),
                };
                let kept = match self.kept() {
                    Some(step) => {
                        format!("; the checkpoint of step {step} is kept in {}", self.folder.path().display())
                    }
                    None => String::new(),
                };
                let clipped = self.config.optimizer.gradient_clip_norm.is_some();
                let mut helps = vec!["a smaller `optimizer.learning_rate`"];
                helps.extend((!clipped).then_some("`optimizer.gradient_clip_norm = 1.0`"));
                helps.extend((policy == NonFinite::Stop).then_some("`training.nonfinite = \"lower_lr_and_restore\"`"));
                Err(Error::run(format!(
                    "training stopped: {}{tried}; what usually helps: {}{kept}",
                    fault.text(),
                    helps.join(", ")
                )))
            }
        }
    }

    /// The newest checkpoint; the one before it where the newest is from right before the fault and so no better.
    fn to_go_back_to(&self, at: u64) -> Result<Option<Checkpoint>> {
        let checkpoints = self.folder.checkpoints();
        if let [newest, _, ..] = checkpoints.steps()?[..]
            && newest + 1 >= at
        {
            let path = checkpoints.after(newest);
            fs::remove_file(&path)
                .map_err(|error| Error::run(format!("{}: cannot be removed: {error}", path.display())))?;
        }
        checkpoints.newest()
    }
}
