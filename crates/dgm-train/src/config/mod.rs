//! The configuration of a run: TOML, read and checked once, with every default written out.
//!
//! Parse → validate → run: [`Config::from_toml`] is the only way in, so whoever holds a [`Config`] holds values that
//! are in range. A model's own keys are checked further when the model is built from them.

mod file;
pub mod optimizer;
mod parse;
mod short;
mod training;

pub(crate) use file::{ConfigFile, Missing, at_home};
pub use optimizer::{GroupConfig, LearningRateSchedule, MuonAdjustment, OptimizerConfig, OptimizerKind};
pub use parse::place_of;
use short::{Short, short_or_table};
pub use training::{CheckpointEvery, EarlyStopping, EvaluateEvery, NonFinite, TrainingConfig};

use dgm_core::schedule::{Annealing, Schedule};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub use crate::data::DataConfig;
use crate::error::{Error, Result};
pub use dgm_models::registry::ModelConfig;

/// Everything that a run depends on, besides the code and the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The seed of every random stream.
    pub seed: u64,
    /// The seed of the data: of random splits, and of what is computed from training examples that are drawn at random. Default:
    /// the seed of the run. The members of an ensemble share it, as no member may learn from another's test examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// `[data]`: the data set.
    pub data: DataConfig,
    /// `[model]`: the architecture and likelihood.
    pub model: ModelConfig,
    /// `[objective]`: the training objective.
    pub objective: ObjectiveConfig,
    /// `[optimizer]`: optimiser, learning rate and schedule.
    pub optimizer: OptimizerConfig,
    /// `[training]`: duration, evaluation and checkpoints.
    pub training: TrainingConfig,
    /// `[evaluation]`: evaluation after training.
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

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Samples per example for the importance-weighted estimate of log p(x); 0: the bound only. Default: 0.
    pub importance_samples: usize,
    /// Whether an exact model given the label is also evaluated without it, as the mixture over all labels, which takes as
    /// many times as long as there are labels. Default: yes.
    pub label_mixture: bool,
    /// Images in the grid of samples. Default: 64.
    pub samples: usize,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self { beta: Schedule::Constant(1.0) }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { importance_samples: 0, label_mixture: true, samples: 64 }
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

    /// The configurations of an ensemble's members; `None` for a run of one model.
    ///
    /// Each is the run's own without `training.ensemble`. The first has its seed s and so is the run that would be without the
    /// ensemble; member i has the seed s + 1000003 i (modulo 2⁶⁴), so that runs whose seeds are neighbours share no member. The data are
    /// those of the seed s.
    pub fn members(&self) -> Option<Vec<Self>> {
        let count = self.training.ensemble.filter(|&count| count > 1)?;
        let member = |index: u64| {
            let mut member = self.clone();
            member.training.ensemble = None;
            if index > 0 {
                member.seed = self.seed.wrapping_add(1_000_003 * index);
                member.data_seed = Some(self.data_seed.unwrap_or(self.seed));
            }
            member
        };
        Some((0..count as u64).map(member).collect())
    }

    /// The keys whose values are others than in `other`, with dots.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        fn walk(key: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
            let (Some(a), Some(b)) = (one.as_object(), other.as_object()) else {
                if one != other {
                    found.push(key.into());
                }
                return;
            };
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let deeper = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let value = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                walk(&deeper, &value(a), &value(b), found);
            }
        }
        let mut found = Vec::new();
        // What can be written as TOML can be written as JSON.
        let json = |config: &Self| serde_json::to_value(config).unwrap_or_default();
        walk("", &json(self), &json(other), &mut found);
        found
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

/// What to do about a path whose backslashes TOML took for escapes.
const BACKSLASHES: &str =
    "in \"…\" a backslash begins an escape such as \\t: write the path in single quotes, '…', or with /";

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

impl EvaluationConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        let most = 1_000_000;
        require(self.importance_samples <= most, "importance_samples", "a whole number from 0 to 1000000")?;
        require((1..=100_000).contains(&self.samples), "samples", "a whole number from 1 to 100000")
    }
}

/// Reads a [`Schedule`].
fn number_or_schedule<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Schedule, D::Error> {
    enum Weight {
        Constant(f64),
        Annealed(Annealing),
    }
    impl<'de> Deserialize<'de> for Weight {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            Annealing::deserialize(deserializer).map(Self::Annealed)
        }
    }
    impl Short for Weight {
        const EXPECTED: &'static str =
            "a number, or a table such as { schedule = \"linear\", from = 0.0, to = 1.0, steps = 500 }";

        fn whole<E: serde::de::Error>(value: i64) -> std::result::Result<Self, E> {
            Ok(Self::Constant(value as f64))
        }

        fn real<E: serde::de::Error>(value: f64) -> std::result::Result<Self, E> {
            Ok(Self::Constant(value))
        }

        fn name<E: serde::de::Error>(name: &str) -> std::result::Result<Self, E> {
            Err(E::invalid_type(serde::de::Unexpected::Str(name), &Self::EXPECTED))
        }
    }
    Ok(match short_or_table(deserializer)? {
        Weight::Constant(value) => Schedule::Constant(value),
        Weight::Annealed(annealing) => Schedule::Annealed(annealing),
    })
}

#[cfg(test)]
mod tests;
