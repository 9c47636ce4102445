//! `[training]`: duration, evaluation, checkpoints, and handling of non-finite values.

use super::AT_LEAST_1;
use super::short::{Short, short_or_table};
use crate::check::{Invalid, require};
use serde::de::value::StrDeserializer;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training split. Default: 100.
    pub epochs: usize,
    /// Examples per step. Default: 64.
    pub batch_size: usize,
    /// Maximum number of examples on the device at once: a step accumulates the gradients of its micro-batches, equal to the whole
    /// step's to rounding (dropout masks differ). Default: `batch_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch_size: Option<usize>,
    /// Stop when the validation loss has not fallen for some evaluations. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Maximum training time in minutes, over all resumed parts. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<f64>,
    /// Decay rate of the moving average of the weights that is evaluated and kept. Default: no average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// Interval between evaluations on the validation split: epochs, or `{ steps = 500 }`. Default: 1 epoch.
    pub evaluate_every: EvaluateEvery,
    /// Steps between reports of the training loss, in `metrics.jsonl` and on the terminal. Default: 50.
    pub report_every: u64,
    /// Interval between checkpoints: epochs, or whichever of `{ epochs, steps, minutes }` comes first. Default: 2 minutes.
    pub checkpoint_every: CheckpointEvery,
    /// Number of newest checkpoints kept, besides the best. Default: 2.
    pub keep_checkpoints: usize,
    /// Number of ensemble members, each trained with its own seed in a folder of its own; evaluated as their mixture. Default: one
    /// model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<usize>,
    /// What to do when a loss or a gradient is NaN or infinite. Default: `"stop"`.
    pub nonfinite: NonFinite,
    /// Whether an event file of TensorBoard is written beside `metrics.jsonl`. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tensorboard: bool,
}

/// `early_stopping = { patience = 20 }`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Evaluations in a row without a lower validation loss after which training ends.
    pub patience: u64,
}

/// `evaluate_every = 1` or `{ steps = 500 }`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EvaluateEvery {
    /// In epochs.
    Epochs(u64),
    /// In steps.
    Steps {
        /// The number.
        steps: u64,
    },
}

/// `checkpoint_every = 1` or `{ steps = 500, minutes = 10.0 }`: whichever comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CheckpointEvery {
    /// Number of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Number of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Number of minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
}

/// What to do when a loss or a gradient is NaN or infinite: `"stop"`, `"skip"` or `"lower_lr_and_restore"`; the last two
/// also as tables that say how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "policy", rename_all = "snake_case")]
pub enum NonFinite {
    /// Training ends; the checkpoint before it is kept.
    Stop,
    /// The step changes nothing and training goes on.
    Skip {
        /// Maximum number in a row. Default: 10.
        limit: u64,
    },
    /// Training goes back to the newest checkpoint and on from there with a lower learning rate.
    LowerLrAndRestore {
        /// Maximum number of times. Default: 5.
        limit: u64,
        /// Factor on the learning rate each time. Default: 0.5.
        factor: f64,
    },
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 64,
            micro_batch_size: None,
            early_stopping: None,
            max_minutes: None,
            ema_decay: None,
            evaluate_every: EvaluateEvery::Epochs(1),
            report_every: 50,
            checkpoint_every: CheckpointEvery { minutes: Some(2.0), ..CheckpointEvery::default() },
            keep_checkpoints: 2,
            ensemble: None,
            nonfinite: NonFinite::Stop,
            tensorboard: false,
        }
    }
}

impl TrainingConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        require(self.epochs >= 1, "epochs", AT_LEAST_1)?;
        require(self.batch_size >= 1, "batch_size", AT_LEAST_1)?;
        require(self.micro_batch_size.is_none_or(|n| n >= 1), "micro_batch_size", AT_LEAST_1)?;
        let patience = self.early_stopping.map_or(1, |stopping| stopping.patience);
        require(patience >= 1, "early_stopping.patience", AT_LEAST_1)?;
        let minutes = |value: Option<f64>, key| {
            let valid = value.is_none_or(|value| value.is_finite() && value > 0.0);
            require(valid, key, "a finite number above 0")
        };
        minutes(self.max_minutes, "max_minutes")?;
        let decay = self.ema_decay.unwrap_or(0.0);
        require((0.0..1.0).contains(&decay), "ema_decay", "a number of at least 0 and below 1")?;
        let (EvaluateEvery::Epochs(every) | EvaluateEvery::Steps { steps: every }) = self.evaluate_every;
        require(every >= 1, "evaluate_every", AT_LEAST_1)?;
        require(self.report_every >= 1, "report_every", AT_LEAST_1)?;
        let CheckpointEvery { epochs, steps, minutes: every } = self.checkpoint_every;
        let any = epochs.is_some() || steps.is_some() || every.is_some();
        require(any, "checkpoint_every", "one at least of epochs, steps and minutes")?;
        require(epochs.is_none_or(|n| n >= 1), "checkpoint_every.epochs", AT_LEAST_1)?;
        require(steps.is_none_or(|n| n >= 1), "checkpoint_every.steps", AT_LEAST_1)?;
        minutes(every, "checkpoint_every.minutes")?;
        require(self.keep_checkpoints >= 1, "keep_checkpoints", AT_LEAST_1)?;
        let members = self.ensemble.is_none_or(|members| (1..=100).contains(&members));
        require(members, "ensemble", "a whole number from 1 to 100")?;
        match self.nonfinite {
            NonFinite::Stop => Ok(()),
            NonFinite::Skip { limit } => require(limit >= 1, "nonfinite.limit", AT_LEAST_1),
            NonFinite::LowerLrAndRestore { limit, factor } => {
                require(limit >= 1, "nonfinite.limit", AT_LEAST_1)?;
                require(factor > 0.0 && factor < 1.0, "nonfinite.factor", "a number above 0 and below 1")
            }
        }
    }
}

impl EvaluateEvery {
    /// Whether it is time after `step` steps, of which an epoch has `steps_per_epoch`.
    pub(crate) fn is_due(self, step: u64, steps_per_epoch: u64) -> bool {
        match self {
            Self::Epochs(epochs) => step.is_multiple_of(steps_per_epoch.saturating_mul(epochs)),
            Self::Steps { steps } => step.is_multiple_of(steps),
        }
    }
}

impl CheckpointEvery {
    /// Whether it is time after `step` steps, `seconds` after the last checkpoint.
    pub(crate) fn is_due(self, step: u64, steps_per_epoch: u64, seconds: f64) -> bool {
        let epochs = self.epochs.is_some_and(|epochs| step.is_multiple_of(steps_per_epoch.saturating_mul(epochs)));
        let steps = self.steps.is_some_and(|steps| step.is_multiple_of(steps));
        epochs || steps || self.minutes.is_some_and(|minutes| seconds >= 60.0 * minutes)
    }
}

impl<'de> Deserialize<'de> for EvaluateEvery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Unit {
            Epochs(u64),
            Steps(u64),
        }
        impl Short for Unit {
            const EXPECTED: &'static str = "a number of epochs, or a table such as { steps = 500 }";

            fn whole<E: Error>(value: i64) -> Result<Self, E> {
                epochs(value, Self::EXPECTED).map(Self::Epochs)
            }
        }
        Ok(match short_or_table(deserializer)? {
            Unit::Epochs(epochs) => Self::Epochs(epochs),
            Unit::Steps(steps) => Self::Steps { steps },
        })
    }
}

impl<'de> Deserialize<'de> for CheckpointEvery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            epochs: Option<u64>,
            steps: Option<u64>,
            minutes: Option<f64>,
        }
        impl Short for Table {
            const EXPECTED: &'static str = "a number of epochs, or a table such as { steps = 500, minutes = 10.0 }";

            fn whole<E: Error>(value: i64) -> Result<Self, E> {
                Ok(Self { epochs: Some(epochs(value, Self::EXPECTED)?), steps: None, minutes: None })
            }
        }
        let Table { epochs, steps, minutes } = short_or_table(deserializer)?;
        Ok(Self { epochs, steps, minutes })
    }
}

fn epochs<E: Error>(value: i64, expected: &str) -> Result<u64, E> {
    u64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &expected))
}

impl<'de> Deserialize<'de> for NonFinite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Clone, Copy, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Policy {
            Stop,
            Skip,
            LowerLrAndRestore,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            policy: Policy,
            limit: Option<u64>,
            factor: Option<f64>,
        }
        impl Short for Table {
            const EXPECTED: &'static str = "\"stop\", \"skip\" or \"lower_lr_and_restore\", or a table such as \
                                            { policy = \"skip\", limit = 10 }";

            fn name<E: Error>(name: &str) -> Result<Self, E> {
                let policy = Policy::deserialize(StrDeserializer::new(name))?;
                Ok(Self { policy, limit: None, factor: None })
            }
        }
        match short_or_table(deserializer)? {
            Table { policy: Policy::Stop, limit: None, factor: None } => Ok(Self::Stop),
            Table { policy: Policy::Skip, limit, factor: None } => Ok(Self::Skip { limit: limit.unwrap_or(10) }),
            Table { policy: Policy::LowerLrAndRestore, limit, factor } => {
                Ok(Self::LowerLrAndRestore { limit: limit.unwrap_or(5), factor: factor.unwrap_or(0.5) })
            }
            _ => Err(D::Error::custom(
                "only policy = \"lower_lr_and_restore\" has a `factor`, and \"stop\" has no `limit`: take it out",
            )),
        }
    }
}
