//! `[optimizer]`: the keys that every optimiser has; those of each are in `kinds`, the schedules in `schedule`.

mod kinds;
mod schedule;

pub use kinds::*;
pub use schedule::LearningRateSchedule;

use crate::check::{Invalid, require};
use serde::de::{Deserializer, Error as _, Unexpected};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[optimizer]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerConfig {
    /// Which optimiser, with the keys that it alone has. Default: `adam`.
    #[serde(flatten)]
    pub kind: OptimizerKind,
    /// Step size after the warm-up. Default: the optimiser's, see [`OptimizerKind`].
    pub learning_rate: f64,
    /// Weight decay λ of the weights; biases and offsets have none. A penalty in the gradient, g ← g + λθ, or decoupled
    /// from it, θ ← θ − lr · λθ: see [`OptimizerKind`]. Default: the optimiser's.
    pub weight_decay: f64,
    /// The greatest norm of the gradient; a longer one is scaled down to it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_clip_norm: Option<f64>,
    /// Steps in which the learning rate rises from zero on a line. Default: 0.
    pub warmup_steps: u64,
    /// How the learning rate changes after the warm-up. Default: `constant`.
    pub schedule: LearningRateSchedule,
    /// Parameters with a learning rate or a weight decay of their own; of several that match one, the last counts.
    /// Default: none.
    pub groups: Vec<GroupConfig>,
    /// `[optimizer.players.NAME]`: optimisers of single players of a model that has several. Default: this one, for each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub players: BTreeMap<String, OptimizerConfig>,
}

/// `[[optimizer.groups]]`: the parameters whose paths match, and what is different for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// The whole path of a parameter such as `encoder.layers.0.weight`; each `*` stands for any characters.
    #[serde(rename = "match")]
    pub pattern: String,
    /// The learning rate is multiplied by this; 0 freezes the parameters. Default: 1.
    #[serde(default = "one", deserialize_with = "not_negative")]
    pub learning_rate_factor: f64,
    /// Weight decay of the weights among them. Default: the table's.
    #[serde(default, deserialize_with = "some_not_negative", skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// A number of at least 0 that f32 can hold; else an error at its place in the file, which `validate` could not name.
fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    let valid = value >= 0.0 && (value as f32).is_finite();
    let expected = &"a finite number of at least 0";
    if valid { Ok(value) } else { Err(D::Error::invalid_value(Unexpected::Float(value), expected)) }
}

fn some_not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    not_negative(deserializer).map(Some)
}

impl GroupConfig {
    /// Whether the pattern matches the whole path.
    pub fn matches(&self, path: &str) -> bool {
        matches(&self.pattern, path)
    }
}

/// Whether a pattern, in which each `*` stands for any characters, matches a whole path.
pub fn matches(pattern: &str, path: &str) -> bool {
    let Some((prefix, tail)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut rest) = path.strip_prefix(prefix) else { return false };
    let (middle, suffix) = tail.rsplit_once('*').unwrap_or(("", tail));
    // The leftmost place of each part leaves the most for those after it.
    for part in middle.split('*') {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(suffix)
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::of_kind(OptimizerKind::default())
    }
}

impl OptimizerConfig {
    /// An optimiser with the common keys at their defaults.
    pub fn of_kind(kind: OptimizerKind) -> Self {
        Self {
            learning_rate: kind.default_learning_rate(),
            weight_decay: kind.default_weight_decay(),
            kind,
            gradient_clip_norm: None,
            warmup_steps: 0,
            schedule: LearningRateSchedule::Constant,
            groups: Vec::new(),
            players: BTreeMap::new(),
        }
    }

    /// The optimiser of the player of this name.
    pub fn of_player(&self, name: &str) -> &Self {
        self.players.get(name).unwrap_or(self)
    }

    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        positive(self.learning_rate, "learning_rate")?;
        non_negative(self.weight_decay, "weight_decay")?;
        self.kind.validate()?;
        self.gradient_clip_norm.map_or(Ok(()), |norm| positive(norm, "gradient_clip_norm"))?;
        self.schedule.validate()
    }
}

// The ranges of keys. The optimisers compute in f32: what it cannot hold is refused too.

fn positive(value: f64, key: &'static str) -> Result<(), Invalid> {
    let held = value as f32;
    require(held.is_finite() && held > 0.0, key, "a finite number above 0 (in f32)")
}

fn non_negative(value: f64, key: &'static str) -> Result<(), Invalid> {
    require((value as f32).is_finite() && value >= 0.0, key, "a finite number of at least 0")
}

/// A decay rate.
fn rate(value: f64, key: &'static str) -> Result<(), Invalid> {
    require((0.0..1.0).contains(&(value as f32)), key, "a number of at least 0 and below 1 (in f32)")
}

fn fraction(value: f64, key: &'static str) -> Result<(), Invalid> {
    require((0.0..=1.0).contains(&value), key, "a number from 0 to 1")
}

#[cfg(test)]
mod tests;
