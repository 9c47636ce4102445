//! Optimiser, learning rate, clipping and the moving average of the weights: Burn's parts, put together from the
//! configuration.

use crate::config::{LearningRateSchedule, OptimizerConfig, OptimizerKind};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, Optimizer, SgdConfig};
use burn::tensor::Tensor;

/// The optimiser. Weight decay reaches weights only, not biases and offsets.
pub(crate) fn build(config: &OptimizerConfig) -> ModuleOptimizer {
    let (beta_1, beta_2, epsilon) = (config.beta_1 as f32, config.beta_2 as f32, config.epsilon as f32);
    let decay = config.weight_decay as f32;
    let penalty = |decay: f32| (decay > 0.0).then(|| WeightDecayConfig::new(decay));
    match config.kind {
        OptimizerKind::Adam => {
            let adam = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon);
            grouped(decay, |decay| adam.clone().with_weight_decay(penalty(decay)).build())
        }
        OptimizerKind::AdamW => {
            let adam = AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon);
            grouped(decay, |decay| adam.clone().with_weight_decay(decay).build())
        }
        OptimizerKind::Sgd => grouped(decay, |decay| SgdConfig::new().with_weight_decay(penalty(decay)).build()),
    }
}

/// `rule(0)` for every parameter; where there is a decay, `rule(decay)` for the weights.
fn grouped<O: Optimizer>(decay: f32, rule: impl Fn(f32) -> O) -> ModuleOptimizer {
    let all = ModuleOptimizer::from(rule(0.0));
    if decay > 0.0 { all.with_group(ParamGroup::from_predicate("weight"), rule(decay), None) } else { all }
}

/// The learning rate at `step` of `steps`: a linear warm-up, then constant or half a cosine.
///
/// A function of the step alone, so a continued run needs no state for it.
pub(crate) fn learning_rate(config: &OptimizerConfig, step: u64, steps: u64) -> f64 {
    let peak = config.learning_rate;
    if step < config.warmup_steps {
        return peak * (step + 1) as f64 / config.warmup_steps as f64;
    }
    match config.schedule {
        LearningRateSchedule::Constant => peak,
        LearningRateSchedule::Cosine => {
            let span = steps.saturating_sub(config.warmup_steps).max(1);
            let part = ((step - config.warmup_steps) as f64 / span as f64).min(1.0);
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
            peak * (config.final_fraction + (1.0 - config.final_fraction) * cosine)
        }
    }
}

/// The parameters of a module as rows, in the order in which visitors meet them.
fn flat_parameters<M: Module>(module: &M) -> Vec<Tensor<1>> {
    struct Collect(Vec<Tensor<1>>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().without_autodiff();
            let n: usize = value.dims().iter().product();
            self.0.push(value.reshape([n]));
        }
    }
    let mut collect = Collect(Vec::new());
    module.visit(&mut collect);
    collect.0
}

/// average ← d·average + (1 − d)·weights, with d = min(`decay`, (1 + t) / (10 + t)) so that the start is forgotten.
pub(crate) fn update_average<M: Module>(average: M, module: &M, decay: f64, step: u64) -> M {
    struct Blend {
        weights: std::vec::IntoIter<Tensor<1>>,
        decay: f64,
    }
    impl ModuleMapper for Blend {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(weights) = self.weights.next() else { return param };
            let decay = self.decay;
            param.map(|average| {
                let shape = average.dims();
                average.mul_scalar(decay) + weights.reshape(shape).mul_scalar(1.0 - decay)
            })
        }
    }
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64));
    average.map(&mut Blend { weights: flat_parameters(module).into_iter(), decay })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_then_cosine() {
        let config = OptimizerConfig {
            learning_rate: 2.0,
            warmup_steps: 4,
            schedule: LearningRateSchedule::Cosine,
            final_fraction: 0.1,
            ..Default::default()
        };
        let at = |step| learning_rate(&config, step, 104);
        assert_eq!([at(0), at(1), at(3)], [0.5, 1.0, 2.0]);
        assert_eq!(at(4), 2.0);
        assert!((at(54) - (0.2 + 0.9)).abs() < 1e-12);
        assert!((at(104) - 0.2).abs() < 1e-12);
    }
}
