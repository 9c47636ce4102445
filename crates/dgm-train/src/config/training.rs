//! `[training]`: how long, how often, and what happens when something goes wrong.

use super::{AT_LEAST_1, Invalid, require};
use serde::{Deserialize, Serialize};

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
