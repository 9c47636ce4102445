//! Examples that belong together, and how their numbers get from the store to a batch.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::estimate::bits_per_dim;
use dgm_core::random::Seed;
use dgm_models::{Batch, ConditionSpec, DataSpec, Scale};

use super::store::View;
use super::transform::{Draw, Step};
use super::{Names, Unit};
use crate::error::{Error, Result};

/// Bits of an epoch's number that say in which view of an example its random steps are: the highest ones.
pub(crate) const VIEW_BITS: u32 = 16;

/// Steps between neighbouring numbers that a standard deviation is at least. Below it a likelihood would see their rounding: in
/// 64 bits that moves a standardised number by up to 1/512, and what depends on an offset is no result. Numbers of a file in fewer bits
/// have lost their digits already: they are taken as they are while their spread is a few steps.
fn least_steps(epsilon: f64) -> f64 {
    if epsilon > f64::EPSILON { 4.0 } else { 256.0 }
}

/// Numbers whose digits are lost, and how to keep them.
fn lost(name: &str, mean: f64, std: f64, epsilon: f64) -> Error {
    let (bits, save) = match epsilon {
        1e-4.. => (16, " save them in 64 bits (float64), or"),
        1e-10.. => (32, " save them in 64 bits (float64), or"),
        _ => (64, ""),
    };
    let step = epsilon * mean.abs();
    Error::input(format!(
        "{name}: found a standard deviation of {std:e} around a mean of {mean:e}, where {bits}-bit numbers are {step:e} apart; expected at \
         least {} times that, or the digits that differ are lost;{save} subtract a constant such as {mean:e} from the numbers before they \
         are written to the file",
        least_steps(epsilon)
    ))
}

/// Numbers on the host, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    rows: usize,
    width: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// A matrix from its numbers, row by row.
    ///
    /// # Panics
    ///
    /// When there are not rows × width numbers.
    pub fn new(rows: usize, width: usize, values: Vec<f64>) -> Self {
        assert_eq!(rows * width, values.len(), "a matrix of {rows} × {width}");
        Self { rows, width, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Every number, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Row `i`.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }
}

/// One part of the examples (the target, the condition or the mask): rows of a store, and the steps from what is stored
/// to what a model sees.
#[derive(Clone, Debug)]
pub struct Field {
    stored: View,
    steps: Vec<Step>,
    draw: Draw,
    /// The units of real numbers, which travel to a model without them.
    scale: Option<Arc<Scale>>,
}

impl Default for Field {
    /// No example.
    fn default() -> Self {
        Self::new(View::empty(0))
    }
}

impl From<Matrix> for Field {
    /// Numbers in memory, as they are: the way in for data that no source reads.
    fn from(matrix: Matrix) -> Self {
        Self::new(View::of(matrix.width, matrix.values))
    }
}

impl Field {
    /// The rows as they are stored.
    pub(super) fn new(stored: View) -> Self {
        Self { stored, steps: Vec::new(), draw: Draw::default(), scale: None }
    }

    /// One more step, after those that are there.
    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Where the random steps draw from.
    pub(super) fn drawn_from(mut self, draw: Draw) -> Self {
        self.draw = draw;
        self
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.steps.iter().fold(self.stored.width(), |width, step| step.width(width))
    }

    /// Whether real noise was added to whole numbers.
    pub fn is_dequantized(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Dequantize))
    }

    /// These rows as they are in this epoch, in their own units.
    ///
    /// A random step's numbers are named by (seed, purpose, epoch) and the row, so they do not depend on which other rows
    /// are read, nor in what order.
    ///
    /// # Errors
    ///
    /// A file that cannot be read any more, or that somebody changed.
    ///
    /// # Panics
    ///
    /// When a row does not exist.
    pub fn read(&self, rows: &[usize], epoch: u64) -> Result<Matrix> {
        self.read_by(&self.steps, rows, epoch)
    }

    /// The same by these steps.
    fn read_by(&self, steps: &[Step], rows: &[usize], epoch: u64) -> Result<Matrix> {
        let width = self.width();
        let mut values = Vec::with_capacity(rows.len() * width.max(self.stored.width()));
        let streams: Vec<_> = steps.iter().map(|step| step.stream(&self.draw, epoch)).collect();
        for &row in rows {
            let start = values.len();
            self.stored.append(row, epoch, &mut values)?;
            for (step, stream) in steps.iter().zip(&streams) {
                step.apply(&mut values, start, row, stream.as_ref());
            }
        }
        Ok(Matrix::new(rows.len(), width, values))
    }

    /// Every row as it is in this epoch.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_all(&self, epoch: u64) -> Result<Matrix> {
        self.read(&(0..self.len()).collect::<Vec<_>>(), epoch)
    }

    /// As a batch holds them, `[rows, width]`, in one upload: real numbers standardised.
    fn upload(&self, read: Matrix, device: &Device) -> Tensor<2> {
        let values = match &self.scale {
            Some(scale) => scale.standardize(&read.values),
            None => read.values.iter().map(|&value| value as f32).collect(),
        };
        Tensor::from_data(TensorData::new(values, [read.rows, read.width]), device)
    }

    /// Mean and standard deviation of each number over the rows of epoch 0, or of all numbers together where `pooled`.
    ///
    /// A standard deviation is 1 where all numbers are the same, so that nothing is divided by zero. Both are computed from
    /// differences to the first number, so that an offset changes neither the standard deviation nor (x − mean) / std.
    ///
    /// `name` says what number `i` is called in messages.
    ///
    /// # Errors
    ///
    /// A file that cannot be read any more; numbers that are so large beside their spread that their own rounding shows.
    pub(super) fn scale_of(&self, pooled: bool, name: &dyn Fn(usize) -> String) -> Result<Scale> {
        let width = self.width();
        let groups = if pooled { 1 } else { width };
        let mut first: Vec<Option<f64>> = vec![None; groups];
        let mut varies = vec![false; groups];
        let mut sums = vec![0.0f64; groups];
        let mut largest = vec![0.0f64; groups];
        let mut counts = vec![0usize; groups];
        self.each(
            |group, value| {
                let origin = *first[group].get_or_insert(value);
                varies[group] |= origin != value;
                counts[group] += 1;
                sums[group] += value - origin;
                largest[group] = largest[group].max((value - origin).abs());
            },
            groups,
        )?;
        let n = |group: usize| counts.get(group).copied().unwrap_or(0).max(1) as f64;
        let origins: Vec<f64> = first.iter().map(|first| first.unwrap_or(0.0)).collect();
        let offsets: Vec<f64> =
            sums.iter().enumerate().map(|(group, sum)| if *sum == 0.0 { 0.0 } else { sum / n(group) }).collect();
        // A power of two near the largest difference: dividing by it is exact, and no square leaves the range of the numbers.
        let units: Vec<f64> =
            largest.iter().map(|largest| 2f64.powi(largest.log2().floor().clamp(-1000.0, 1000.0) as i32)).collect();
        let mut squares = vec![0.0f64; groups];
        self.each(
            |group, value| squares[group] += ((value - origins[group] - offsets[group]) / units[group]).powi(2),
            groups,
        )?;
        let mut scale = Scale::default();
        for group in 0..groups {
            let (origin, offset) = (origins[group], offsets[group]);
            let std = match varies[group] {
                true => (squares[group] / n(group)).sqrt() * units[group],
                false => 1.0,
            };
            let mean = origin + offset;
            let epsilon = self.stored.epsilon();
            if varies[group] && (std < least_steps(epsilon) * epsilon * mean.abs() || std < f64::MIN_POSITIVE) {
                return Err(lost(&name(group), mean, std, epsilon));
            }
            if !(std.is_finite() && sums[group].is_finite()) {
                return Err(Error::input(format!(
                    "{}: found numbers of up to {:e}, whose sum 64-bit numbers do not hold; expected smaller ones; give them in a larger unit",
                    name(group),
                    largest[group].max(origin.abs())
                )));
            }
            // What the sum lost (Knuth's two-sum); next to nothing is nothing.
            let back = mean - origin;
            let rest = (origin - (mean - back)) + (offset - back);
            scale.mean.push(mean);
            scale.mean_rest.push(if rest.abs() > std * 2f64.powi(-50) { rest } else { 0.0 });
            scale.std.push(std);
        }
        if scale.mean_rest.iter().all(|&rest| rest == 0.0) {
            scale.mean_rest.clear();
        }
        Ok(scale)
    }

    /// Calls `f` with every number that is not missing and its group: its place in the row, modulo `groups`.
    fn each(&self, mut f: impl FnMut(usize, f64), groups: usize) -> Result<()> {
        for part in self.chunks() {
            let part = part?;
            for row in part.values.chunks_exact(part.width.max(1)) {
                let present = row.iter().enumerate().filter(|(_, value)| !value.is_nan());
                present.for_each(|(place, &value)| f(place % groups, value));
            }
        }
        Ok(())
    }
}

/// Examples that belong together.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// What is modelled, one example per row.
    pub target: Field,
    /// What it is conditioned on.
    pub condition: Option<Field>,
    /// 1 where a number of the target is scored; 0 where it is given (before scored ones) or padding (behind them);
    /// `None`: everything is scored.
    pub mask: Option<Field>,
    /// Of targets that are tokens: what one is, and how many are scored.
    pub tokens: Option<Tokens>,
    /// The label of each example as a whole number, where the source has one, whether a model sees it or not.
    pub label: Option<Field>,
}

/// The label of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its number.
    pub class: usize,
    /// Its name, or the number.
    pub name: String,
}

/// What the numbers of a target are where they are tokens of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// What one token is.
    pub unit: Unit,
    /// How many tokens of a split are scored, each time that they count; of training, in its first epoch.
    pub scored: u64,
}

impl Split {
    /// A split without padding.
    ///
    /// # Panics
    ///
    /// When there are not as many conditions as targets.
    pub fn new(target: Field, condition: Option<Field>) -> Self {
        if let Some(condition) = &condition {
            let (targets, conditions) = (target.len(), condition.len());
            assert_eq!(targets, conditions, "Split::new: {targets} targets and {conditions} conditions");
        }
        Self { target, condition, mask: None, tokens: None, label: None }
    }

    /// The labels of these examples; `None`: the source has none.
    ///
    /// # Errors
    /// Data that cannot be read any more.
    pub fn labels(&self, rows: &[usize], names: &Names) -> Result<Option<Vec<Label>>> {
        let Some(field) = &self.label else { return Ok(None) };
        let read = field.read(rows, 0)?;
        let label = |&value: &f64| {
            let class = value as usize;
            let name = names.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
            Label { class, name }
        };
        Ok(Some(read.values().iter().map(label).collect()))
    }

    /// The same with targets that are tokens, scored where the mask is 1.
    ///
    /// # Panics
    ///
    /// When the mask is not as large as the target.
    pub fn with_tokens(mut self, tokens: Tokens, mask: Option<Field>) -> Self {
        if let Some(mask) = &mask {
            let [target, found] = [&self.target, mask].map(|field| [field.len(), field.width()]);
            assert_eq!(
                target, found,
                "Split::with_tokens: a target of {} × {} and a mask of {} × {}",
                target[0], target[1], found[0], found[1]
            );
        }
        (self.tokens, self.mask) = (Some(tokens), mask);
        self
    }

    /// The same with targets of which some numbers are missing: NaN, which a batch hides.
    pub(super) fn with_missing(mut self) -> Self {
        self.mask = Some(self.target.clone().then(Step::Present));
        self
    }

    /// How many numbers of a target are scored, in the mean over the examples: all of them, where they are not tokens.
    pub fn mean_scored(&self) -> f64 {
        match &self.tokens {
            Some(tokens) => tokens.scored as f64 / self.len() as f64,
            None => self.target.width() as f64,
        }
    }

    /// How many numbers of each example's target are scored, as they are in epoch 0.
    ///
    /// # Errors
    ///
    /// A file that cannot be read any more, or that somebody changed.
    pub fn scored(&self) -> Result<Vec<usize>> {
        let Some(mask) = &self.mask else { return Ok(vec![self.target.width(); self.len()]) };
        let mut scored = Vec::with_capacity(self.len());
        for part in mask.chunks() {
            scored.extend(part?.iter().map(|row| row.iter().filter(|&&one| one > 0.5).count()));
        }
        Ok(scored)
    }

    /// Nats per example in the mean → nats per token: Σ nats / Σ scored; `None`: the targets are not tokens.
    ///
    /// Exact for the mean over the whole split; for that over some examples, as if they had as many tokens as others.
    pub fn nats_per_token(&self, nats: f64) -> Option<f64> {
        self.tokens.map(|_| nats / self.mean_scored())
    }

    /// Nats per example in the mean → bits for each number that is scored: Σ nats / (Σ scored · ln 2).
    pub fn bits_per_dim(&self, nats: f64) -> f64 {
        bits_per_dim(nats, self.mean_scored())
    }

    /// The units of this description are those of the numbers: a batch holds them standardised.
    pub(crate) fn standardize(&mut self, spec: &DataSpec) {
        if let Some(scale) = spec.scale() {
            self.target.scale = Some(Arc::new(scale.clone()));
        }
        if let (Some(ConditionSpec { scale, .. }), Some(field)) = (&spec.condition, &mut self.condition) {
            field.scale = Some(Arc::new(scale.clone()));
        }
    }

    /// What is drawn anew every epoch is drawn by this seed from now on.
    pub(crate) fn redraw(&mut self, seed: Seed) {
        let fields = [Some(&mut self.target), self.condition.as_mut(), self.mask.as_mut()];
        for field in fields.into_iter().flatten() {
            field.draw = field.draw.by(seed);
            field.stored.redraw(seed);
        }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch of these rows as training sees them in this epoch: augmented. Only a training split changes from epoch to epoch, validation
    /// and test are the same in all of them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read any more, or that somebody changed.
    ///
    /// # Panics
    ///
    /// When a row does not exist.
    pub fn batch(&self, rows: &[usize], epoch: u64, device: &Device) -> Result<Batch> {
        self.batch_by(|field| Ok(field.upload(field.read(rows, epoch)?, device)))
    }

    /// The batch of these rows as everything but training sees them: not augmented, with the random steps of epoch 0.
    ///
    /// # Errors
    ///
    /// As [`batch`](Self::batch).
    ///
    /// # Panics
    ///
    /// When a row does not exist.
    pub fn unaugmented(&self, rows: &[usize], device: &Device) -> Result<Batch> {
        self.batch_by(|field| {
            let steps: Vec<Step> = field.steps.iter().filter_map(Step::unaugmented).collect();
            Ok(field.upload(field.read_by(&steps, rows, 0)?, device))
        })
    }

    fn batch_by(&self, part: impl Fn(&Field) -> Result<Tensor<2>>) -> Result<Batch> {
        Ok(Batch {
            target: part(&self.target)?,
            condition: self.condition.as_ref().map(&part).transpose()?,
            mask: self.mask.as_ref().map(&part).transpose()?,
        })
    }
}
