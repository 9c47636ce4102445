//! The lines of `metrics.jsonl`: one type for each kind, written by training and read by whoever plots them.

use crate::measure::LatentLine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// Means over the steps since the line before.
    Train(TrainLine),
    /// An evaluation on the validation split.
    Validation(ValidationLine),
    /// A loss or a gradient that was not finite.
    Nonfinite(NonfiniteLine),
}

/// Means over the steps since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainLine {
    /// Steps taken.
    pub step: u64,
    /// The epoch of the last step, from 1 on.
    pub epoch: u64,
    /// Mean of what is minimised; of a model with several players each has `NAME.loss` among the terms instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Mean of −log p(x | c) or a bound of it in nats, whatever the weights of the loss; absent where the loss says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_example: Option<f64>,
    /// The same for each element of a target that is scored, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_dim: Option<f64>,
    /// The same for each token of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_token: Option<f64>,
    /// Learning rate of the last step, of the first player where there are several.
    pub learning_rate: f64,
    /// Throughput.
    pub examples_per_second: f64,
    /// Time that training has taken, over all resumed parts.
    pub seconds: f64,
    /// Whether only the end of training asked for the line.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_end: bool,
    /// Mean of each term of the loss, in nats per example, by its name; with the name of its player and a dot where there are several.
    #[serde(flatten)]
    pub terms: BTreeMap<String, f64>,
}

/// An evaluation on the validation split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationLine {
    /// Steps taken.
    pub step: u64,
    /// The epoch of the last step, from 1 on.
    pub epoch: u64,
    /// What chooses the best weights, where that is no likelihood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Mean of −log p(x | c) or a bound of it in nats, which chooses the best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_example: Option<f64>,
    /// The same for each element of a target that is scored, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_dim: Option<f64>,
    /// The same for each token of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_token: Option<f64>,
    /// What the latent variables hold, of a model that infers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<LatentLine>,
    /// Whether these are the best weights so far.
    pub best: bool,
    /// Time that training has taken, over all resumed parts.
    pub seconds: f64,
    /// Whether only the end of training asked for the line.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_end: bool,
}

/// A loss or a gradient that was not finite, and what was done about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NonfiniteLine {
    /// Steps taken when training went on.
    pub step: u64,
    /// The step that would have been taken with it, from 1 on.
    pub at_step: u64,
    /// Its epoch, from 1 on.
    pub epoch: u64,
    /// What was not finite.
    pub term: String,
    /// Its value: `NaN`, `inf` or `-inf`.
    pub value: String,
    /// The batch, as rows of the training split; empty for a validation.
    pub rows: Vec<usize>,
    /// The policy that was followed.
    pub action: String,
    /// How often training has gone back to a checkpoint.
    pub restored: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks so
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Line {
    /// Steps taken.
    pub fn step(&self) -> u64 {
        match self {
            Self::Train(line) => line.step,
            Self::Validation(line) => line.step,
            Self::Nonfinite(line) => line.step,
        }
    }

    /// Whether only the end of training asked for it.
    pub fn is_at_end(&self) -> bool {
        match self {
            Self::Train(line) => line.at_end,
            Self::Validation(line) => line.at_end,
            Self::Nonfinite(_) => false,
        }
    }

    /// How often training has gone back to a checkpoint, where the line says so.
    pub fn restored(&self) -> Option<u64> {
        match self {
            Self::Nonfinite(line) => Some(line.restored),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_kind_of_line_is_read_as_it_was_written() {
        let terms = BTreeMap::from([("kl".to_owned(), 0.1 + 0.2), ("nll".to_owned(), 80.0)]);
        let train = TrainLine {
            step: 7,
            epoch: 1,
            loss: Some(81.0),
            nats_per_example: Some(80.3),
            bits_per_dim: Some(1.8),
            nats_per_token: None,
            learning_rate: 1e-3,
            examples_per_second: 512.25,
            seconds: 0.5,
            at_end: true,
            terms,
        };
        let validation = ValidationLine {
            step: 8,
            epoch: 2,
            loss: None,
            nats_per_example: Some(80.0),
            bits_per_dim: None,
            nats_per_token: Some(1.3),
            latent: Some(LatentLine {
                reconstruction: 70.0,
                kl: vec![8.0, 2.0],
                active_units: vec![3, 1],
                mutual_information: 4.5,
                marginal_kl: 5.5,
            }),
            best: true,
            seconds: 0.75,
            at_end: false,
        };
        let nonfinite = NonfiniteLine {
            step: 3,
            at_step: 9,
            epoch: 2,
            term: "kl".into(),
            value: "NaN".into(),
            rows: vec![4, 2],
            action: "skip".into(),
            restored: 1,
        };
        let lines = [Line::Train(train), Line::Validation(validation), Line::Nonfinite(nonfinite)];
        for line in &lines {
            let text = serde_json::to_string(line).unwrap();
            assert_eq!(&serde_json::from_str::<Line>(&text).unwrap(), line, "{text}");
        }
        let text = serde_json::to_string(&lines[0]).unwrap();
        assert!(
            text.starts_with("{\"kind\":\"train\",\"step\":7") && text.contains("\"kl\":0.30000000000000004"),
            "{text}"
        );
        assert_eq!([0, 1, 2].map(|i: usize| lines[i].step()), [7, 8, 3]);
        assert_eq!(lines.iter().map(Line::is_at_end).collect::<Vec<_>>(), [true, false, false]);
    }
}
