//! The learning rate of a step.

use crate::checkpoint::PlateauState;
use crate::config::{LearningRateSchedule, OptimizerConfig};

/// Takes note of a validation loss. It is lower where `loss < best − threshold · |best|`; after `patience`
/// evaluations in a row that are not, the factor falls, not below `minimum / learning_rate`, and the count starts
/// again.
pub(crate) fn update_plateau(state: &mut PlateauState, config: &OptimizerConfig, loss: f64) {
    let LearningRateSchedule::Plateau { factor, patience, threshold, minimum } = config.schedule else { return };
    if state.best.is_none_or(|best| loss < best - threshold * best.abs()) {
        (state.best, state.waited) = (Some(loss), 0);
        return;
    }
    state.waited += 1;
    if state.waited >= patience {
        state.waited = 0;
        let least = (minimum / config.learning_rate).min(1.0);
        state.factor = (state.factor * factor).max(least);
    }
}

/// The learning rate at `step` of `steps`: a linear warm-up to `config.learning_rate`, then the schedule.
///
/// A function of the step alone, and of what a plateau schedule has seen, so a continued run needs no other state.
pub(crate) fn learning_rate(config: &OptimizerConfig, step: u64, steps: u64, plateau: &PlateauState) -> f64 {
    let warmup = config.warmup_steps;
    let risen = if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 };
    let after = step.saturating_sub(warmup);
    let part = (after as f64 / steps.saturating_sub(warmup).max(1) as f64).min(1.0);
    let fall = |final_fraction: f64, left: f64| final_fraction + (1.0 - final_fraction) * left;
    let scheduled = match config.schedule {
        LearningRateSchedule::Constant => 1.0,
        LearningRateSchedule::Linear { final_fraction } => fall(final_fraction, 1.0 - part),
        LearningRateSchedule::Cosine { final_fraction } => {
            fall(final_fraction, 0.5 * (1.0 + (std::f64::consts::PI * part).cos()))
        }
        // `every` is at least 1: the configuration is checked.
        LearningRateSchedule::Step { every, factor } => factor.powf((after / every.max(1)) as f64),
        LearningRateSchedule::Exponential { every, factor } => factor.powf(after as f64 / every.max(1) as f64),
        LearningRateSchedule::Plateau { .. } => plateau.factor,
    };
    config.learning_rate * risen * scheduled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(schedule: LearningRateSchedule, warmup_steps: u64) -> OptimizerConfig {
        OptimizerConfig { learning_rate: 2.0, warmup_steps, schedule, ..Default::default() }
    }

    fn assert_rates(config: &OptimizerConfig, steps: u64, expected: &[(u64, f64)]) {
        for &(step, rate) in expected {
            let found = learning_rate(config, step, steps, &PlateauState::default());
            assert!((found - rate).abs() < 1e-12, "{config:?} at {step}: {found}, not {rate}");
        }
    }

    #[test]
    fn warm_up_then_cosine() {
        let config = with(LearningRateSchedule::Cosine { final_fraction: 0.1 }, 4);
        assert_rates(&config, 104, &[(0, 0.5), (1, 1.0), (3, 2.0), (4, 2.0), (54, 0.2 + 0.9), (104, 0.2)]);
        // A quarter of the way the cosine is √½.
        assert_rates(&config, 104, &[(29, 0.2 + 0.9 * (1.0 + std::f64::consts::FRAC_1_SQRT_2))]);
        assert_rates(&config, 104, &[(1000, 0.2)]);
    }

    #[test]
    fn linear_step_and_exponential() {
        assert_rates(&with(LearningRateSchedule::Constant, 2), 10, &[(0, 1.0), (1, 2.0), (2, 2.0), (99, 2.0)]);
        let linear = with(LearningRateSchedule::Linear { final_fraction: 0.5 }, 2);
        assert_rates(&linear, 12, &[(0, 1.0), (2, 2.0), (3, 1.9), (7, 1.5), (12, 1.0)]);
        let step = with(LearningRateSchedule::Step { every: 10, factor: 0.5 }, 2);
        assert_rates(&step, 100, &[(0, 1.0), (2, 2.0), (11, 2.0), (12, 1.0), (21, 1.0), (22, 0.5), (32, 0.25)]);
        let exponential = with(LearningRateSchedule::Exponential { every: 10, factor: 0.25 }, 0);
        assert_rates(&exponential, 100, &[(0, 2.0), (5, 1.0), (10, 0.5), (20, 0.125)]);
    }

    #[test]
    fn a_warm_up_longer_than_the_run_only_rises() {
        let config = with(LearningRateSchedule::Cosine { final_fraction: 0.0 }, 100);
        assert_rates(&config, 10, &[(0, 0.02), (9, 0.2)]);
    }

    #[test]
    fn a_plateau_waits_falls_and_stops_at_its_minimum() {
        let schedule = LearningRateSchedule::Plateau { factor: 0.5, patience: 2, threshold: 0.1, minimum: 0.6 };
        let config = with(schedule, 0);
        let mut state = PlateauState::default();
        let mut rates = Vec::new();
        // 95 is no lower than 100 by a tenth, 89 is; a loss below zero is lower by a tenth of its size.
        for loss in [100.0, 95.0, 89.0, 89.0, 88.0, 87.0, -1.0, -1.05, -1.09, -1.2, 0.0, 0.0] {
            update_plateau(&mut state, &config, loss);
            rates.push(learning_rate(&config, 7, 10, &state));
        }
        // 2 · ½ · ½ = 0.5 is below 0.6.
        assert_eq!(rates, [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.6, 0.6, 0.6]);
        assert_eq!((state.best, state.waited), (Some(-1.2), 0));
    }

    #[test]
    fn plateaus_in_warm_up_and_below_the_minimum() {
        let plateau = |minimum| LearningRateSchedule::Plateau { factor: 0.1, patience: 1, threshold: 0.0, minimum };
        let mut state = PlateauState::default();
        let config = with(plateau(0.0), 4);
        update_plateau(&mut state, &config, 1.0);
        update_plateau(&mut state, &config, 1.0);
        assert!((learning_rate(&config, 1, 10, &state) - 0.1).abs() < 1e-12);
        let mut state = PlateauState::default();
        let config = with(plateau(5.0), 0);
        update_plateau(&mut state, &config, 1.0);
        update_plateau(&mut state, &config, 1.0);
        assert_eq!(learning_rate(&config, 1, 10, &state), 2.0);
    }

    #[test]
    fn other_schedules_have_no_state() {
        let mut state = PlateauState::default();
        let config = with(LearningRateSchedule::Constant, 0);
        (0..20).for_each(|_| update_plateau(&mut state, &config, 1.0));
        assert_eq!(state, PlateauState::default());
    }
}
