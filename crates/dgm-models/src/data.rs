//! What a model is trained on: a batch of targets given conditions, and the description of the data it comes from.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// One batch: a density of a target given an optional condition, p(x | c).
///
/// Discrete targets travel as floats that hold whole numbers `0 ..= levels - 1` (exact in f32 to 2²⁴).
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is modelled, `[batch, event]`; an image's event is its pixels in channel, row, column order.
    pub target: Tensor<2>,
    /// What it is conditioned on, `[batch, condition]`.
    pub condition: Option<Tensor<2>>,
    /// 1 where the target is there, 0 where it is padding, `[batch, event]`; `None`: everything is there.
    pub mask: Option<Tensor<2>>,
}

impl Batch {
    /// A batch of targets with no condition and no padding.
    pub fn new(target: Tensor<2>) -> Self {
        Self { target, condition: None, mask: None }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.target.dims()[0]
    }

    /// Whether the batch holds no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The data as a model sees them; a model is built from this and its configuration alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// Channels, rows and columns of one target: `[1, 8, 8]` for a digit, `[1, 1, n]` for n numbers in a row.
    pub shape: [usize; 3],
    /// The values that each number of the target takes.
    pub values: Values,
    /// The condition, when there is one.
    pub condition: Option<ConditionSpec>,
}

/// The values of one number of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Whole numbers `0 ..= levels - 1`.
    Levels(usize),
    /// Real numbers, with the mean and the standard deviation of each over the training split.
    Real {
        /// Mean of each number, in its own units.
        mean: Vec<f32>,
        /// Standard deviation of each number, in its own units; above zero.
        std: Vec<f32>,
    },
}

/// The condition: `width` numbers, which a network sees as (c - mean) / std.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionSpec {
    /// Mean of each number over the training split (0 for one-hot labels).
    pub mean: Vec<f32>,
    /// Standard deviation of each number (1 for one-hot labels and for constant columns).
    pub std: Vec<f32>,
    /// Number of classes, when the condition is a label in one-hot form.
    pub classes: Option<usize>,
    /// So many of the last numbers tell how an example was varied (shifted, mirrored, turned), all zeros where it was not.
    /// Told so, a model has a density of its own for every variation, and the one of the data as they are stays a
    /// likelihood. Mean 0 and deviation 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub told: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl ConditionSpec {
    /// How many numbers a condition holds.
    pub fn width(&self) -> usize {
        self.mean.len()
    }
}

impl DataSpec {
    /// Whether the description makes sense: sizes above 0, 2 to 65536 levels, one mean and one deviation a number.
    ///
    /// # Errors
    /// What does not, in words.
    pub fn check(&self) -> Result<(), String> {
        let event = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if !event.is_some_and(|event| (1..=1 << 24).contains(&event)) {
            return Err(format!("targets of shape {:?}, expected 1 to 2^24 numbers", self.shape));
        }
        let positive = |std: &[f32]| std.iter().all(|std| std.is_finite() && *std > 0.0);
        match &self.values {
            Values::Levels(levels) if !(2..=65_536).contains(levels) => {
                return Err(format!("{levels} levels, expected 2 to 65536"));
            }
            Values::Real { mean, std } if mean.len() != self.event() || std.len() != self.event() || !positive(std) => {
                return Err(format!("{} means and {} deviations for {} numbers", mean.len(), std.len(), self.event()));
            }
            _ => {}
        }
        match &self.condition {
            Some(condition)
                if condition.mean.len() != condition.std.len()
                    || !positive(&condition.std)
                    || condition.classes.is_some_and(|classes| classes + condition.told != condition.width())
                    || condition.told > condition.width() =>
            {
                Err(format!("a condition of {} numbers whose description does not fit it", condition.width()))
            }
            _ => Ok(()),
        }
    }

    /// Numbers in one target: channels × rows × columns.
    pub fn event(&self) -> usize {
        self.shape.iter().product()
    }

    /// Numbers in one condition, 0 when there is none.
    pub fn condition_width(&self) -> usize {
        self.condition.as_ref().map_or(0, ConditionSpec::width)
    }
}
