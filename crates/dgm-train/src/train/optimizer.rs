//! Optimiser, parameter groups, clipping and the moving average of the weights: Burn's parts, put together from the
//! configuration.

use super::muon::Muon;
use crate::config::optimizer::matches;
use crate::config::{GroupConfig, MuonAdjustment, OptimizerConfig, OptimizerKind};
use crate::error::{Error, Result, did_you_mean};
use burn::module::{Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{self, AdjustLrFn, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use dgm_core::optim::{AdamaxConfig, Decay, FusedAdam};
use dgm_core::parameter::Parameter;
use dgm_models::{Model, Player};

/// Whether weight decay reaches a parameter: weights only, not biases, offsets and positions.
fn is_weight(parameter: &Parameter) -> bool {
    parameter.path.rsplit('.').next() == Some("weight")
}

/// The names of all parameters of a model, as a configuration names them.
pub(super) fn names<M: Module>(model: &M) -> Vec<String> {
    Parameter::of(model).into_iter().map(|parameter| parameter.name).collect()
}

/// The parameters whose names match, each by the path that Burn knows it by.
pub(super) fn paths_that_match<M: Module>(model: &M, pattern: &str) -> Vec<String> {
    let matching = Parameter::of(model).into_iter().filter(|parameter| matches(pattern, &parameter.name));
    matching.map(|parameter| parameter.path).collect()
}

/// A player's parameters; `None`: all of them.
pub(super) fn parameters_of<M: Module>(player: &Player, model: &M) -> Option<Vec<ParamId>> {
    let is_own = |parameter: &Parameter| player.parameters.iter().any(|pattern| matches(pattern, &parameter.name));
    let all = Parameter::of(model);
    if all.iter().all(is_own) {
        return None;
    }
    Some(all.into_iter().filter(is_own).map(|parameter| parameter.id).collect())
}

/// The last group that matches a parameter.
fn group_of<'a>(config: &'a OptimizerConfig, name: &str) -> Option<&'a GroupConfig> {
    config.groups.iter().rev().find(|group| group.matches(name))
}

fn is_frozen(config: &OptimizerConfig, name: &str) -> bool {
    group_of(config, name).is_some_and(|group| group.learning_rate_factor == 0.0)
}

/// Whether the optimiser fits the model. `place` gives the place of a key of `[optimizer]`, as a message begins.
///
/// # Errors
/// A group that matches no parameter, and groups that freeze all of them.
pub(crate) fn check<M: Module + Model>(
    config: &OptimizerConfig,
    model: &M,
    place: impl Fn(&str) -> String,
) -> Result<()> {
    let parameters = Parameter::of(model);
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let all = || config.players.values().chain([config]);
    for group in all().flat_map(|config| &config.groups) {
        if !names.iter().any(|name| group.matches(name)) {
            let near = did_you_mean(&group.pattern, names.iter().copied());
            return Err(Error::input(format!(
                "{}optimizer.groups: `{}` matches no parameter of the model{near} (a `*` stands for any characters; there \
                 are: {}); name one of them",
                place("groups"),
                group.pattern,
                names.join(", ")
            )));
        }
    }
    for player in model.training().players() {
        let config = config.of_player(player.name);
        let mut own = names.iter().filter(|name| player.parameters.iter().any(|pattern| matches(pattern, name)));
        if own.all(|name| is_frozen(config, name)) {
            let whose =
                if player == Player::default() { String::new() } else { format!(" of the player {:?}", player.name) };
            return Err(Error::input(format!(
                "{}optimizer.groups: `learning_rate_factor = 0` freezes every parameter of the model{whose}; leave some to train",
                place("groups")
            )));
        }
    }
    Ok(())
}

/// Whether Muon is for it: see [`Muon`].
fn has_matrix(parameter: &Parameter) -> bool {
    is_weight(parameter) && parameter.shape.len() >= 2
}

/// The model with the parameters of learning rate 0 out of the graph: they cost no gradient and do not count when
/// gradients are clipped.
pub(crate) fn freeze<M: Module + Model>(config: &OptimizerConfig, model: M) -> M {
    struct Freeze(Vec<ParamId>);
    impl ModuleMapper for Freeze {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.0.contains(&param.id) { param.set_require_grad(false) } else { param }
        }
    }
    if config.players.values().chain([config]).all(|config| config.groups.is_empty()) {
        return model;
    }
    let players = model.training().players();
    let frozen = |Parameter { name, .. }: &Parameter| {
        let owns = |player: &&Player| player.parameters.iter().any(|pattern| matches(pattern, name));
        let mut owners = players.iter().filter(owns).peekable();
        owners.peek().is_some() && owners.all(|player| is_frozen(config.of_player(player.name), name))
    };
    let frozen = Parameter::of(&model).into_iter().filter(frozen).map(|parameter| parameter.id).collect();
    model.map(&mut Freeze(frozen))
}

/// An optimiser of all parameters of the model: each has the rule with its weight decay, at its group's learning rate.
/// Weight decay reaches weights only, not biases and offsets.
pub(crate) fn build<M: Module>(config: &OptimizerConfig, model: &M) -> ModuleOptimizer {
    let parameters = Parameter::of(model);
    let build = Build { config, parameters: &parameters };
    match &config.kind {
        OptimizerKind::Adam(keys) if !keys.amsgrad => {
            build.all(|decay| fused_adam(keys.beta_1, keys.beta_2, keys.epsilon, Decay::Penalty(decay as f32)))
        }
        OptimizerKind::AdamW(keys) if !keys.amsgrad && !keys.cautious_weight_decay => {
            build.all(|decay| fused_adam(keys.beta_1, keys.beta_2, keys.epsilon, Decay::Decoupled(decay as f32)))
        }
        OptimizerKind::Adam(keys) => build.all(|decay| {
            let adam = optim::AdamConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            let adam = adam.with_epsilon(keys.epsilon as f32).with_amsgrad(keys.amsgrad);
            adam.with_weight_decay(penalty(decay)).build()
        }),
        OptimizerKind::AdamW(keys) => build.all(|decay| {
            let adamw = optim::AdamWConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            let adamw = adamw.with_epsilon(keys.epsilon as f32).with_weight_decay(decay as f32);
            let adamw = adamw.with_amsgrad(keys.amsgrad);
            adamw.with_cautious_weight_decay(keys.cautious_weight_decay).build()
        }),
        OptimizerKind::Adamax(keys) => build.all(|decay| {
            let adamax = AdamaxConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            adamax.with_epsilon(keys.epsilon as f32).with_weight_decay(penalty(decay)).build()
        }),
        OptimizerKind::Sgd(keys) => build.all(|decay| {
            let momentum = momentum(keys.momentum, keys.dampening, keys.nesterov);
            let momentum = (keys.momentum > 0.0).then_some(momentum);
            optim::SgdConfig::new().with_momentum(momentum).with_weight_decay(penalty(decay)).build()
        }),
        OptimizerKind::Adan(keys) => build.all(|decay| {
            let adan = optim::AdanConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            let adan = adan.with_beta_3(keys.beta_3 as f32).with_epsilon(keys.epsilon as f32);
            adan.with_no_prox(keys.no_prox).with_weight_decay(decay as f32).build()
        }),
        OptimizerKind::AdaGrad(keys) => build.all(|decay| {
            let adagrad = optim::AdaGradConfig::new().with_lr_decay(keys.learning_rate_decay);
            adagrad.with_epsilon(keys.epsilon as f32).with_weight_decay(penalty(decay)).build()
        }),
        OptimizerKind::RmsProp(keys) => build.all(|decay| {
            let rmsprop = optim::RmsPropConfig::new().with_alpha(keys.alpha as f32).with_centered(keys.centered);
            let rmsprop = rmsprop.with_momentum(keys.momentum as f32).with_epsilon(keys.epsilon as f32);
            rmsprop.with_weight_decay(penalty(decay)).build()
        }),
        OptimizerKind::Adafactor(keys) => build.all(|decay| {
            let adafactor = optim::AdafactorConfig::new().with_decay_rate(keys.decay_rate);
            let adafactor = adafactor.with_epsilon_1(keys.epsilon_1 as f32).with_epsilon_2(keys.epsilon_2 as f32);
            let adafactor = adafactor.with_clip_threshold(keys.clip_threshold as f32);
            let adafactor = adafactor.with_relative_step(keys.relative_step).with_scale_parameter(keys.scale_parameter);
            adafactor.with_weight_decay(decay as f32).build()
        }),
        OptimizerKind::Lamb(keys) => build.all(|decay| {
            let lamb = optim::LambConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            let lamb = lamb.with_epsilon(keys.epsilon as f32).with_use_trust_ratio(keys.use_trust_ratio);
            lamb.with_weight_decay(decay as f32).build()
        }),
        OptimizerKind::Lion(keys) => build.all(|decay| {
            let lion = optim::LionConfig::new().with_beta_1(keys.beta_1 as f32).with_beta_2(keys.beta_2 as f32);
            lion.with_weight_decay(decay as f32).build()
        }),
        OptimizerKind::Muon(keys) => {
            let adamw = |decay| fused_adam(keys.beta_1, keys.beta_2, keys.epsilon, Decay::Decoupled(decay as f32));
            let others = build.all(adamw);
            build.some(others, has_matrix, |decay| {
                let muon = optim::MuonConfig::new().with_ns_steps(keys.newton_schulz_steps as usize);
                let muon = muon.with_weight_decay(penalty(decay));
                let muon = muon.with_adjust_lr_fn(match keys.adjust_learning_rate {
                    MuonAdjustment::Original => AdjustLrFn::Original,
                    MuonAdjustment::MatchRmsAdamw => AdjustLrFn::MatchRmsAdamW,
                });
                Muon::new(&muon, &momentum(keys.momentum, 0.0, keys.nesterov))
            })
        }
    }
}

fn penalty(decay: f64) -> Option<WeightDecayConfig> {
    (decay > 0.0).then(|| WeightDecayConfig::new(decay as f32))
}

fn momentum(momentum: f64, dampening: f64, nesterov: bool) -> MomentumConfig {
    MomentumConfig::new().with_momentum(momentum).with_dampening(dampening).with_nesterov(nesterov)
}

fn fused_adam(beta_1: f64, beta_2: f64, epsilon: f64, decay: Decay) -> FusedAdam {
    FusedAdam { beta_1: beta_1 as f32, beta_2: beta_2 as f32, epsilon: epsilon as f32, decay }
}

/// What a [`ModuleOptimizer`] is put together from.
struct Build<'a> {
    config: &'a OptimizerConfig,
    parameters: &'a [Parameter],
}

impl Build<'_> {
    /// `rule(λ)` for every parameter, λ being its weight decay.
    fn all<O: Optimizer>(&self, rule: impl Fn(f64) -> O) -> ModuleOptimizer {
        // Burn asks for a first rule that is for everything.
        self.some(ModuleOptimizer::from(rule(0.0)), |_| true, rule)
    }

    /// `rule(λ)` for the parameters that are `chosen`, on top of what there is.
    fn some<O: Optimizer>(
        &self,
        mut optimizer: ModuleOptimizer,
        chosen: impl Fn(&Parameter) -> bool,
        rule: impl Fn(f64) -> O,
    ) -> ModuleOptimizer {
        let mut alike: Vec<(f64, f64, Vec<String>)> = Vec::new();
        for parameter in self.parameters.iter().filter(|parameter| chosen(parameter)) {
            let group = group_of(self.config, &parameter.name);
            let factor = group.map_or(1.0, |group| group.learning_rate_factor);
            let decay = group.and_then(|group| group.weight_decay).unwrap_or(self.config.weight_decay);
            let decay = if is_weight(parameter) { decay } else { 0.0 };
            match alike.iter_mut().find(|(f, d, _)| (*f, *d) == (factor, decay)) {
                Some((_, _, paths)) => paths.push(parameter.path.clone()),
                None => alike.push((factor, decay, vec![parameter.path.clone()])),
            }
        }
        for (factor, decay, paths) in alike {
            let scaled = Scaled { rule: rule(decay), factor };
            optimizer = optimizer.with_group(ParamGroup::from_paths(paths), scaled, None);
        }
        optimizer
    }
}

/// A rule at a multiple of the learning rate.
#[derive(Clone)]
struct Scaled<O> {
    rule: O,
    factor: f64,
}

impl<O: Optimizer> Optimizer for Scaled<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<O::State<D>>,
    ) -> (Tensor<D>, Option<O::State<D>>) {
        self.rule.step(rate * self.factor, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: O::State<D>, device: &Device) -> O::State<D> {
        O::to_device(state, device)
    }
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
    let weights: Vec<_> =
        Parameter::of(module).into_iter().map(|parameter| parameter.value.without_autodiff()).collect();
    average.map(&mut Blend { weights: weights.into_iter(), decay })
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
