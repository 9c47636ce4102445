//! The configuration of a run: TOML, read and checked once, with every default written out.
//!
//! Parse → validate → run: [`Config::from_toml`] is the only way in, so whoever holds a [`Config`] holds values that
//! are in range. A model's own keys are checked further when the model is built from them.

mod parse;

pub use parse::place_of;

use dgm_core::schedule::{Annealing, Schedule};
use serde::{Deserialize, Deserializer, Serialize};

pub use crate::data::DataConfig;
use crate::error::{Error, Result};
pub use dgm_models::registry::ModelConfig;

/// Everything that a run depends on, besides the code and the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The seed of every random stream.
    pub seed: u64,
    /// `[data]`: what is modelled.
    pub data: DataConfig,
    /// `[model]`: with what.
    pub model: ModelConfig,
    /// `[objective]`: what is minimised.
    pub objective: ObjectiveConfig,
    /// `[optimizer]`: how.
    pub optimizer: OptimizerConfig,
    /// `[training]`: for how long.
    pub training: TrainingConfig,
    /// `[evaluation]`: what is reported.
    pub evaluation: EvaluationConfig,
}

/// `[objective]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// Weight of the divergence in the evidence lower bound: a number, or a schedule over the steps. Default: 1.
    #[serde(deserialize_with = "number_or_schedule")]
    pub beta: Schedule,
}

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

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training split. Default: 100.
    pub epochs: usize,
    /// Examples a step. Default: 64.
    pub batch_size: usize,
    /// Stop when the validation loss has not fallen for some epochs. Default: never.
    pub early_stopping: Option<EarlyStopping>,
    /// Decay rate of the moving average of the weights that is evaluated and kept. Default: no average.
    pub ema_decay: Option<f64>,
    /// Epochs from one evaluation on the validation split to the next. Default: 1.
    pub evaluate_every: usize,
    /// Epochs from one checkpoint to the next. Default: 1.
    pub checkpoint_every: usize,
}

/// `early_stopping = { patience = 20 }`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss after which training ends.
    pub patience: usize,
}

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Samples an example for the importance-weighted estimate of log p(x); 0: the bound only. Default: 0.
    pub importance_samples: usize,
    /// Images in the grid of samples. Default: 64.
    pub samples: usize,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self { beta: Schedule::Constant(1.0) }
    }
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

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 64,
            early_stopping: None,
            ema_decay: None,
            evaluate_every: 1,
            checkpoint_every: 1,
        }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { importance_samples: 0, samples: 64 }
    }
}

impl Config {
    /// Reads a configuration from the text of a TOML file; `origin` names that file in messages.
    ///
    /// `overrides` are assignments such as `training.epochs=5`, applied on top of the file, also for keys that it does
    /// not have. Their values are TOML; what is not TOML is taken as a string.
    ///
    /// # Errors
    ///
    /// One line with the file and the line, or the override, the key, what was found and what was expected.
    pub fn from_toml(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        parse::parse(text, origin, overrides)
    }

    /// The whole configuration as TOML, every default included; [`Config::from_toml`] reads it back as it was.
    ///
    /// # Errors
    ///
    /// A value that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::run(format!("the configuration cannot be written: {error}")))
    }
}

/// A value out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key inside its table; with dots where it stands deeper.
    pub key: &'static str,
    /// What the key may be.
    pub expected: String,
}

/// `Ok` where `valid`, otherwise an [`Invalid`].
pub fn require(valid: bool, key: &'static str, expected: impl Into<String>) -> std::result::Result<(), Invalid> {
    if valid { Ok(()) } else { Err(Invalid { key, expected: expected.into() }) }
}

const AT_LEAST_1: &str = "a whole number of at least 1";

impl ObjectiveConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        let weight = |value: f64, key| require(value.is_finite() && value >= 0.0, key, "a finite number of at least 0");
        match self.beta {
            Schedule::Constant(value) => weight(value, "beta"),
            Schedule::Annealed(Annealing::Linear { from, to, .. } | Annealing::Cosine { from, to, .. }) => {
                weight(from, "beta.from")?;
                weight(to, "beta.to")
            }
            Schedule::Annealed(Annealing::Sigmoid { from, to, width, .. }) => {
                weight(from, "beta.from")?;
                weight(to, "beta.to")?;
                require(width.is_finite() && width > 0.0, "beta.width", "a finite number above 0")
            }
            Schedule::Annealed(Annealing::Cyclical { from, to, period, ramp }) => {
                weight(from, "beta.from")?;
                weight(to, "beta.to")?;
                require(period >= 1, "beta.period", AT_LEAST_1)?;
                require(ramp > 0.0 && ramp <= 1.0, "beta.ramp", "a number above 0 and at most 1")
            }
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

impl TrainingConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        require(self.epochs >= 1, "epochs", AT_LEAST_1)?;
        require(self.batch_size >= 1, "batch_size", AT_LEAST_1)?;
        let patience = self.early_stopping.map_or(1, |stopping| stopping.patience);
        require(patience >= 1, "early_stopping.patience", AT_LEAST_1)?;
        let decay = self.ema_decay.unwrap_or(0.0);
        require((0.0..1.0).contains(&decay), "ema_decay", "a number of at least 0 and below 1")?;
        require(self.evaluate_every >= 1, "evaluate_every", AT_LEAST_1)?;
        require(self.checkpoint_every >= 1, "checkpoint_every", AT_LEAST_1)
    }
}

impl EvaluationConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        require((1..=100_000).contains(&self.samples), "samples", "a whole number from 1 to 100000")
    }
}

/// Reads a [`Schedule`]. The derived form of an untagged enum says only that nothing matched; this says what is wrong.
fn number_or_schedule<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Schedule, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Schedule;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter
                .write_str("a number, or a table such as { schedule = \"linear\", from = 0.0, to = 1.0, steps = 500 }")
        }

        fn visit_f64<E>(self, value: f64) -> std::result::Result<Schedule, E> {
            Ok(Schedule::Constant(value))
        }

        fn visit_i64<E>(self, value: i64) -> std::result::Result<Schedule, E> {
            Ok(Schedule::Constant(value as f64))
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> std::result::Result<Schedule, A::Error> {
            Annealing::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Schedule::Annealed)
        }
    }
    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests;
