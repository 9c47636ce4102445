//! `[optimizer]`: the optimiser and its learning rate.

use super::{Invalid, require};
use serde::{Deserialize, Serialize};

/// `[optimizer]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Which optimiser. Default: `adam`.
    pub kind: OptimizerKind,
    /// Step size after the warm-up. Default: 1e-3.
    pub learning_rate: f64,
    /// Weight decay: decoupled for `adamw`, a penalty in the gradient for the others. Default: 0.
    pub weight_decay: f64,
    /// Decay rate of the gradient's mean (Adam). Default: 0.9.
    pub beta_1: f64,
    /// Decay rate of the gradient's second moment (Adam). Default: 0.999.
    pub beta_2: f64,
    /// What Adam adds to the denominator. Default: 1e-8.
    pub epsilon: f64,
    /// The greatest norm of the gradient; a longer one is scaled down to it. Default: none.
    pub gradient_clip_norm: Option<f64>,
    /// Steps in which the learning rate rises from zero. Default: 0.
    pub warmup_steps: u64,
    /// How the learning rate changes after the warm-up. Default: `constant`.
    pub schedule: LearningRateSchedule,
    /// The part of the learning rate at which `cosine` ends. Default: 0.
    pub final_fraction: f64,
}

/// The optimisers that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba 2015).
    #[default]
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW,
    /// Stochastic gradient descent.
    Sgd,
}

/// How the learning rate changes after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LearningRateSchedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls along half a cosine to `final_fraction` of itself at the last step.
    Cosine,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            gradient_clip_norm: None,
            warmup_steps: 0,
            schedule: LearningRateSchedule::Constant,
            final_fraction: 0.0,
        }
    }
}

impl OptimizerConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        // The optimisers compute in f32: what it cannot hold is refused too.
        let positive = |value: f64, key| {
            let held = value as f32;
            require(held.is_finite() && held > 0.0, key, "a finite number above 0 (in f32)")
        };
        let rate = |value: f64, key| {
            require((0.0..1.0).contains(&(value as f32)), key, "a number of at least 0 and below 1 (in f32)")
        };
        positive(self.learning_rate, "learning_rate")?;
        let decay = self.weight_decay;
        require(decay.is_finite() && decay >= 0.0, "weight_decay", "a finite number of at least 0")?;
        rate(self.beta_1, "beta_1")?;
        rate(self.beta_2, "beta_2")?;
        positive(self.epsilon, "epsilon")?;
        self.gradient_clip_norm.map_or(Ok(()), |norm| positive(norm, "gradient_clip_norm"))?;
        require((0.0..=1.0).contains(&self.final_fraction), "final_fraction", "a number from 0 to 1")
    }
}
