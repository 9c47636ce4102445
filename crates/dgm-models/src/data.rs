//! What a model is trained on: a batch of targets given conditions, and the description of the data it comes from.

use crate::error::ModelError;
use burn::tensor::Tensor;
use dgm_core::host;
use serde::{Deserialize, Serialize};

/// One batch: a density of a target given an optional condition, p(x | c).
///
/// Discrete targets travel as floats that hold whole numbers `0 ..= levels - 1` (exact in f32 to 2²⁴). Real numbers, of the
/// target and of the condition, travel standardised ([`Scale::standardize`]): a device computes in 32 bits, which a column of
/// large numbers with a small spread would lose before a model could see it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is modelled, `[batch, event]`; an image's event is its pixels in channel, row, column order.
    pub target: Tensor<2>,
    /// What it is conditioned on, `[batch, condition]`, standardised.
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
    /// Channels, rows and columns of one target: `[1, 8, 8]` for a digit, `[1, 1, n]` for n dimensions in a row.
    pub shape: [usize; 3],
    /// The values that each dimension of the target takes.
    pub values: Values,
    /// The condition, when there is one.
    pub condition: Option<ConditionSpec>,
}

/// The values of one dimension of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Whole numbers `0 ..= levels - 1`.
    Levels(usize),
    /// Real numbers, with the units of each.
    Real(Scale),
    /// Of each dimension real numbers or levels of its own, as in a table.
    Columns(ColumnValues),
}

/// The values of dimensions of different kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnValues {
    /// Number of levels of each dimension; 0 where its values are real numbers.
    pub levels: Vec<usize>,
    /// The units of the real numbers; mean 0 and standard deviation 1 where there are levels.
    pub scale: Scale,
}

/// The units of real numbers: what each one's standardised value (x − mean) / std is multiplied by and added to.
///
/// Everything is f64, and the mean is a sum of two, so that neither an offset nor a unit costs a digit: z of x·a + b is z of
/// x, to the rounding of z itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Mean of each dimension over the training split, in its own units.
    pub mean: Vec<f64>,
    /// What `mean` loses by its rounding, added to it: not 0 for numbers that are large beside their spread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean_rest: Vec<f64>,
    /// Standard deviation of each dimension, in its own units; above zero.
    pub std: Vec<f64>,
    /// Distance between neighbouring values of each dimension, in its own units, where they are a grid, as whole numbers and those rounded to
    /// a digit are; 0 where not, and empty where none is. What is below it cannot be known: no predicted standard deviation is smaller than
    /// step/√12, that of a number which is equally likely anywhere in its cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step: Vec<f64>,
    /// Where the numbers are dequantised levels, x + u with u from 0 to 1: how many levels there were. Samples are levels again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<usize>,
}

impl Scale {
    /// Numbers that stay as they are: mean 0 and standard deviation 1.
    pub fn identity(width: usize) -> Self {
        Self { mean: vec![0.0; width], std: vec![1.0; width], ..Self::default() }
    }

    /// Mean and standard deviation of each of `width` dimensions over rows, such as those of the training split: deviations of 0 become 1, so
    /// that a constant stays a finite number.
    pub fn of(rows: &[f64], width: usize) -> Self {
        let column = |d: usize| rows.iter().skip(d).step_by(width.max(1));
        let n = (rows.len() / width.max(1)).max(1) as f64;
        // Around the first row, so that an offset costs no digits.
        let first: Vec<f64> = rows.iter().take(width).copied().collect();
        let shift: Vec<f64> =
            first.iter().enumerate().map(|(d, first)| column(d).map(|x| x - first).sum::<f64>() / n).collect();
        let deviation = |d: usize| {
            let center = |x: &f64| (x - first.get(d).copied().unwrap_or(0.0)) - shift.get(d).copied().unwrap_or(0.0);
            let std = (column(d).map(|x| center(x).powi(2)).sum::<f64>() / n).sqrt();
            if std > 0.0 { std } else { 1.0 }
        };
        let std = (0..first.len()).map(deviation).collect();
        Self { mean: first, mean_rest: shift, std, ..Self::default() }
    }

    /// The variance of a number within its cell, step²/12, in standardised units; `None`: there is no grid.
    pub(crate) fn cell_variance(&self) -> Option<Vec<f32>> {
        let variance = |(step, std): (&f64, &f64)| ((step / std).powi(2) / 12.0) as f32;
        let all: Vec<f32> = self.step.iter().zip(&self.std).map(variance).collect();
        all.iter().any(|&variance| variance > 0.0).then_some(all)
    }

    /// Number of dimensions.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// log of the product of the standard deviations: log p of standardised numbers less this is log p in the units of the data.
    pub(crate) fn log_units(&self) -> f64 {
        self.std.iter().map(|std| std.ln()).sum()
    }

    /// Mean, its rest and standard deviation of each dimension, again and again for row after row.
    fn cycle(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let rests = self.mean_rest.iter().copied().chain(std::iter::repeat(0.0));
        let row = self.mean.iter().zip(rests).zip(&self.std).map(|((&mean, rest), &std)| (mean, rest, std));
        row.collect::<Vec<_>>().into_iter().cycle()
    }

    /// (x − mean) / std of rows of numbers in their own units: computed in f64, rounded once.
    pub fn standardize(&self, x: &[f64]) -> Vec<f32> {
        x.iter().zip(self.cycle()).map(|(x, (mean, rest, std))| (((x - mean) - rest) / std) as f32).collect()
    }

    /// mean + std · z of rows of standardised numbers: what they are in their own units.
    pub fn restore(&self, z: &[f32]) -> Vec<f64> {
        z.iter().zip(self.cycle()).map(|(&z, (mean, rest, std))| mean + (rest + std * f64::from(z))).collect()
    }

    /// What samples are in the units of the data: [`restore`](Self::restore), and where the numbers were dequantised ⌊x⌋, the level that
    /// they came from.
    pub fn restore_samples(&self, z: &[f32]) -> Vec<f64> {
        let restored = self.restore(z);
        match self.levels {
            Some(levels) => {
                let highest = levels.saturating_sub(1) as f64;
                restored.into_iter().map(|x| x.floor().clamp(0.0, highest)).collect()
            }
            None => restored,
        }
    }

    /// Whether there is one mean and one deviation, finite and above zero, for each of `width` dimensions.
    fn fits(&self, width: usize) -> bool {
        let rest = self.mean_rest.is_empty() || self.mean_rest.len() == width;
        let positive = self.std.iter().all(|std| std.is_finite() && *std > 0.0);
        self.mean.len() == width && self.std.len() == width && rest && positive
    }
}

/// The condition: `width` elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionSpec {
    /// The units of each element (mean 0 and standard deviation 1 for one-hot labels).
    #[serde(flatten)]
    pub scale: Scale,
    /// Number of classes, when the condition is a label in one-hot form.
    pub classes: Option<usize>,
    /// Number of trailing elements that encode the augmentation of an example (shift, reflection, rotation), all zeros without
    /// one. With them as an input a model has one density per augmentation, and that of unaugmented data stays a
    /// likelihood. Mean 0 and standard deviation 1. Files of earlier versions call it `told`.
    #[serde(default, alias = "told", skip_serializing_if = "is_zero")]
    pub augmentation: usize,
    /// Channels, rows and columns, where the condition is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
}

/// A shape in words.
fn shape(dims: Option<[usize; 2]>) -> String {
    dims.map_or("none".into(), |dims| format!("one of shape {dims:?}"))
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl ConditionSpec {
    /// Number of elements of a condition.
    pub fn width(&self) -> usize {
        self.scale.width()
    }
}

impl DataSpec {
    /// Whether examples have rows and columns, more than one of each: what convolutions and views of images are for.
    pub fn is_grid(&self) -> bool {
        let [_, rows, columns] = self.shape;
        rows > 1 && columns > 1
    }

    /// Whether the description makes sense: sizes above 0, 2 to 65536 levels, one mean and one deviation per dimension.
    ///
    /// # Errors
    /// What does not, in words.
    pub fn check(&self) -> Result<(), String> {
        let event = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if !event.is_some_and(|event| (1..=1 << 24).contains(&event)) {
            return Err(format!("targets of shape {:?}, expected 1 to 2^24 elements", self.shape));
        }
        match &self.values {
            Values::Levels(levels) if !(2..=65_536).contains(levels) => {
                return Err(format!("{levels} levels, expected 2 to 65536"));
            }
            Values::Columns(ColumnValues { levels, .. })
                if levels.len() != self.event() || levels.iter().any(|&levels| levels > 65_536) =>
            {
                return Err(format!("levels {levels:?} for {} elements, expected 0 to 65536 for each", self.event()));
            }
            Values::Real(scale) | Values::Columns(ColumnValues { scale, .. }) if !scale.fits(self.event()) => {
                let (means, stds) = (scale.mean.len(), scale.std.len());
                return Err(format!(
                    "{means} means and {stds} standard deviations above 0 for {} elements",
                    self.event()
                ));
            }
            _ => {}
        }
        match &self.condition {
            Some(condition)
                if !condition.scale.fits(condition.width())
                    || condition
                        .classes
                        .is_some_and(|classes| classes + condition.augmentation != condition.width())
                    || condition.shape.is_some_and(|shape| shape.iter().product::<usize>() != condition.width())
                    || condition.augmentation > condition.width() =>
            {
                Err(format!("a condition of {} elements whose description does not fit it", condition.width()))
            }
            _ => Ok(()),
        }
    }

    /// [`check`](Self::check) as a [`ModelError`].
    pub(crate) fn checked(&self) -> Result<(), ModelError> {
        self.check().map_err(|what| ModelError::Data(format!("the data's description is wrong: {what}; fix it")))
    }

    /// Refuses columns of different kinds, which a `kind` of model has no use for.
    pub(crate) fn without_columns(&self, kind: &str) -> Result<(), ModelError> {
        match self.values {
            Values::Levels(_) | Values::Real(_) => Ok(()),
            Values::Columns(_) => Err(ModelError::Data(format!(
                "`model.kind` is \"{kind}\", which is for real numbers or for levels, and the data have columns of both, or missing cells; use \
                 model.kind = \"any_order_mlp\""
            ))),
        }
    }

    /// What this dimension of the target has to be, in words, where `value` is not it; `None`: it is.
    pub fn expects(&self, dimension: usize, value: f64) -> Option<String> {
        let levels = self.levels_of(dimension);
        match levels {
            0 if !value.is_finite() => Some("a finite number".into()),
            1.. if value.fract() != 0.0 || !(0.0..levels as f64).contains(&value) => {
                Some(format!("a whole number from 0 to {}", levels - 1))
            }
            _ => None,
        }
    }

    /// Number of levels of this dimension of the target; 0 where its values are real numbers.
    pub fn levels_of(&self, dimension: usize) -> usize {
        match &self.values {
            Values::Levels(levels) => *levels,
            Values::Real(_) => 0,
            Values::Columns(columns) => columns.levels.get(dimension).copied().unwrap_or(0),
        }
    }

    /// The units of the target's numbers, standardised in a batch; `None`: all are levels.
    pub fn scale(&self) -> Option<&Scale> {
        match &self.values {
            Values::Levels(_) => None,
            Values::Real(scale) | Values::Columns(ColumnValues { scale, .. }) => Some(scale),
        }
    }

    /// Whether a condition begins with a label in one-hot form, where it is to.
    pub fn has_label(&self, condition: &[f64]) -> bool {
        let Some(classes) = self.condition.as_ref().and_then(|condition| condition.classes) else { return true };
        let label = condition.get(..classes).unwrap_or_default();
        let count = |number: f64| label.iter().filter(|&&value| value == number).count();
        classes == 0 || (count(1.0), count(0.0)) == (1, classes - 1)
    }

    /// Whether a batch is one of these data: its shapes, levels that are levels, finite real numbers, labels in one-hot form. It reads
    /// the batch back from the device, so it is for data that come from outside, not for every step.
    ///
    /// # Errors
    /// [`ModelError::Data`] with the first thing that is not: the argument, the example, what was found and what was expected.
    pub fn check_batch(&self, batch: &Batch) -> Result<(), ModelError> {
        self.checked()?;
        let refuse = |what: String| Err(ModelError::Data(format!("{what}; fix the batch")));
        let ([n, event], width) = (batch.target.dims(), self.condition_width());
        if n == 0 {
            return refuse("found a batch without examples, expected one at least".into());
        }
        if event != self.event() {
            return refuse(format!("target: found {event} elements per example, expected {}", self.event()));
        }
        let found = batch.condition.as_ref().map(Tensor::dims);
        let expected = self.condition.as_ref().map(|_| [n, width]);
        if found != expected {
            return refuse(format!("condition: found {}, expected {}", shape(found), shape(expected)));
        }
        if let Some(mask) = batch.mask.as_ref().map(Tensor::dims).filter(|mask| *mask != [n, event]) {
            return refuse(format!("mask: found shape {mask:?}, expected {:?}", [n, event]));
        }
        let shown = batch.mask.clone().map(host);
        let hidden = |at: usize| shown.as_ref().is_some_and(|mask| mask.get(at).is_some_and(|&one| one < 0.5));
        for (at, value) in host(batch.target.clone()).into_iter().enumerate().filter(|(at, _)| !hidden(*at)) {
            let Some(expected) = self.expects(at % event, value) else { continue };
            return refuse(format!("target: example {}: found {value}, expected {expected}", at / event));
        }
        let Some(condition) = &batch.condition else { return Ok(()) };
        let classes = self.condition.as_ref().and_then(|condition| condition.classes).unwrap_or(0);
        for (example, row) in host(condition.clone()).chunks(width.max(1)).enumerate() {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return refuse(format!("condition: example {example}: found {value}, expected a finite number"));
            }
            if !self.has_label(row) {
                let label = row.get(..classes).unwrap_or_default();
                return refuse(format!(
                    "condition: example {example}: found the label {label:?}, expected one 1 among zeros"
                ));
            }
        }
        Ok(())
    }

    /// Dimensions of one target: channels × rows × columns.
    pub fn event(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of levels of each dimension of a target; `None`: they are real, or differ.
    pub fn levels(&self) -> Option<usize> {
        match self.values {
            Values::Levels(levels) => Some(levels),
            Values::Real(_) | Values::Columns(_) => None,
        }
    }

    /// How many levels samples have: those of the target, or those that it had before it was dequantised; `None`: they are real.
    pub fn sample_levels(&self) -> Option<usize> {
        match &self.values {
            Values::Levels(levels) => Some(*levels),
            Values::Real(scale) => scale.levels,
            Values::Columns(_) => None,
        }
    }

    /// Elements of one condition, 0 when there is none.
    pub fn condition_width(&self) -> usize {
        self.condition.as_ref().map_or(0, ConditionSpec::width)
    }
}
