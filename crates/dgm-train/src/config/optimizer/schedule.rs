//! `optimizer.schedule`: how the learning rate changes after the warm-up.

use super::{Invalid, fraction, non_negative, require};
use crate::config::AT_LEAST_1;
use crate::config::short::{Short, short_or_table};
use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, Error, Unexpected};
use serde::{Deserialize, Serialize};

/// What the learning rate is multiplied by, t steps after the end of the warm-up of T steps that remain then.
///
/// In a file it is a table such as `{ kind = "step", every = 1000, factor = 0.5 }`, or the name alone where every key has
/// a default: `"cosine"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LearningRateSchedule {
    /// 1.
    #[default]
    Constant,
    /// f + (1 − f)(1 − t / T).
    Linear {
        /// f, at the last step. Default: 0.
        final_fraction: f64,
    },
    /// f + (1 − f)(1 + cos(π t / T)) / 2 (Loshchilov and Hutter 2017).
    Cosine {
        /// f, at the last step. Default: 0.
        final_fraction: f64,
    },
    /// factor^⌊t / every⌋.
    Step {
        /// Steps from one change to the next.
        every: u64,
        /// What each change multiplies by.
        factor: f64,
    },
    /// factor^(t / every).
    Exponential {
        /// Steps in which the rate falls by the factor.
        every: u64,
        /// What it falls by.
        factor: f64,
    },
    /// A factor that falls when the validation loss does not; see
    /// [`PlateauState`](crate::checkpoint::PlateauState).
    Plateau {
        /// What each change multiplies by. Default: 0.1.
        factor: f64,
        /// Evaluations in a row without a lower validation loss that bring a change. Default: 10.
        patience: u64,
        /// A loss is lower where it is below the lowest one so far by this part of its absolute value. Default: 1e-4.
        threshold: f64,
        /// The learning rate does not fall below this. Default: 0.
        minimum: f64,
    },
}

impl LearningRateSchedule {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let falls = |every: u64, factor: f64| {
            require(every >= 1, "schedule.every", AT_LEAST_1)?;
            require(factor > 0.0 && factor <= 1.0, "schedule.factor", "a number above 0 and at most 1")
        };
        match *self {
            Self::Constant => Ok(()),
            Self::Linear { final_fraction } | Self::Cosine { final_fraction } => {
                fraction(final_fraction, "schedule.final_fraction")
            }
            Self::Step { every, factor } | Self::Exponential { every, factor } => falls(every, factor),
            Self::Plateau { factor, patience, threshold, minimum } => {
                require(factor > 0.0 && factor < 1.0, "schedule.factor", "a number above 0 and below 1")?;
                require(patience >= 1, "schedule.patience", AT_LEAST_1)?;
                non_negative(threshold, "schedule.threshold")?;
                non_negative(minimum, "schedule.minimum")
            }
        }
    }
}

/// The table as it is read: a variant's missing keys are filled in.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Table {
    Constant {},
    Linear {
        #[serde(default)]
        final_fraction: f64,
    },
    Cosine {
        #[serde(default)]
        final_fraction: f64,
    },
    Step {
        every: u64,
        factor: f64,
    },
    Exponential {
        every: u64,
        factor: f64,
    },
    Plateau {
        #[serde(default = "tenth")]
        factor: f64,
        #[serde(default = "ten")]
        patience: u64,
        #[serde(default = "small")]
        threshold: f64,
        #[serde(default)]
        minimum: f64,
    },
}

fn tenth() -> f64 {
    0.1
}

fn ten() -> u64 {
    10
}

fn small() -> f64 {
    1e-4
}

impl From<Table> for LearningRateSchedule {
    fn from(table: Table) -> Self {
        match table {
            Table::Constant {} => Self::Constant,
            Table::Linear { final_fraction } => Self::Linear { final_fraction },
            Table::Cosine { final_fraction } => Self::Cosine { final_fraction },
            Table::Step { every, factor } => Self::Step { every, factor },
            Table::Exponential { every, factor } => Self::Exponential { every, factor },
            Table::Plateau { factor, patience, threshold, minimum } => {
                Self::Plateau { factor, patience, threshold, minimum }
            }
        }
    }
}

impl Short for Table {
    const EXPECTED: &'static str =
        "a name such as \"cosine\", or a table such as { kind = \"cosine\", final_fraction = 0.02 }";

    fn whole<E: Error>(value: i64) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Signed(value), &Self::EXPECTED))
    }

    fn name<E: Error>(name: &str) -> Result<Self, E> {
        Self::deserialize(MapDeserializer::new(std::iter::once(("kind", name))))
    }
}

impl<'de> Deserialize<'de> for LearningRateSchedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        short_or_table(deserializer).map(|table: Table| table.into())
    }
}
