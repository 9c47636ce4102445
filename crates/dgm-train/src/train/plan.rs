//! Which rows each step takes, and what is due after it.

use crate::checkpoint::TrainingProgress;
use crate::config::TrainingConfig;
use dgm_core::random::Seed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Steps and epochs of a run.
pub(crate) struct Plan {
    examples: usize,
    batch_size: usize,
    steps_per_epoch: u64,
    pub(crate) steps: u64,
}

impl Plan {
    pub(crate) fn of(training: &TrainingConfig, examples: usize) -> Self {
        let steps_per_epoch = examples.div_ceil(training.batch_size).max(1) as u64;
        let steps = steps_per_epoch.saturating_mul(training.epochs as u64);
        Self { examples, batch_size: training.batch_size, steps_per_epoch, steps }
    }

    /// The epoch that `step` belongs to, both from 0 on.
    pub(crate) fn epoch(&self, step: u64) -> u64 {
        step / self.steps_per_epoch
    }
}

/// The order of the examples in an epoch.
#[derive(Default)]
pub(super) struct EpochOrder {
    epoch: Option<u64>,
    rows: Vec<usize>,
}

impl EpochOrder {
    /// The rows of `step`, a function of the seed and the step alone.
    pub(super) fn rows(&mut self, plan: &Plan, step: u64, seed: Seed) -> &[usize] {
        let epoch = plan.epoch(step);
        if self.epoch != Some(epoch) {
            self.rows = seed.stream("shuffle", epoch).permutation(plan.examples);
            self.epoch = Some(epoch);
        }
        let batch = (step % plan.steps_per_epoch) as usize;
        self.rows.chunks(plan.batch_size).nth(batch).unwrap_or_default()
    }
}

/// What is due after a step.
pub(super) struct Due {
    pub(super) window: bool,
    pub(super) evaluation: bool,
    /// The window and the evaluation, where only the end of training asks for them.
    pub(super) extra_window: bool,
    pub(super) extra_evaluation: bool,
    pub(super) checkpoint: bool,
    pub(super) interrupt: bool,
    pub(super) time_is_up: bool,
    pub(super) last: bool,
}

impl Due {
    /// `since_saved`: since the last checkpoint.
    pub(super) fn after(
        progress: &TrainingProgress,
        plan: &Plan,
        training: &TrainingConfig,
        stop: &AtomicBool,
        since_saved: Duration,
    ) -> Self {
        let (step, per_epoch) = (progress.step, plan.steps_per_epoch);
        let last = step >= plan.steps;
        let time_is_up = training.max_minutes.is_some_and(|minutes| progress.seconds >= 60.0 * minutes);
        let ends = last || time_is_up;
        let window = step.is_multiple_of(training.report_every) || step.is_multiple_of(per_epoch);
        let evaluation = training.evaluate_every.is_due(step, per_epoch);
        Self {
            window: ends || window,
            evaluation: ends || evaluation,
            extra_window: ends && !window,
            extra_evaluation: ends && !evaluation,
            checkpoint: training.checkpoint_every.is_due(step, per_epoch, since_saved.as_secs_f64()),
            interrupt: stop.load(Ordering::Relaxed),
            time_is_up,
            last,
        }
    }

    /// Whether the weights of this step are neither kept nor looked at.
    pub(super) fn window_only(&self) -> bool {
        !(self.evaluation || self.checkpoint || self.interrupt)
    }

    /// Whether there is anything to do but the next step.
    pub(super) fn any(&self) -> bool {
        let Self { window, evaluation, checkpoint, interrupt, time_is_up, last, .. } = *self;
        window || evaluation || checkpoint || interrupt || time_is_up || last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_every_row_once_and_the_next_in_another_order() {
        let training = TrainingConfig { batch_size: 4, epochs: 3, ..TrainingConfig::default() };
        let plan = Plan::of(&training, 10);
        assert_eq!((plan.steps_per_epoch, plan.steps), (3, 9));
        let mut order = EpochOrder::default();
        let mut epoch = |first: u64| -> Vec<Vec<usize>> {
            (first..first + 3).map(|step| order.rows(&plan, step, Seed(1)).to_vec()).collect()
        };
        let (one, two) = (epoch(0), epoch(3));
        assert_eq!(one.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let sorted = |rows: &[Vec<usize>]| {
            let mut rows = rows.concat();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&one), (0..10).collect::<Vec<_>>());
        assert_eq!(sorted(&two), sorted(&one));
        assert_ne!(two, one);
        assert_eq!(epoch(0), one, "whatever came in between");
    }
}
