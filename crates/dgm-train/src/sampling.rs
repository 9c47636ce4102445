//! Samples from a model, with conditions where it has them.

use crate::data::Split;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::{Given, SamplingParams, complete, fill_in};
use dgm_models::{Capability, DataSpec, Model, require};
use std::ops::{ControlFlow, Range};

/// Samples per call of the model: more take memory and save no time.
const CHUNK: usize = 256;

/// Whether the conditions to sample with are examples of the data: those that are neither labels nor augmentations.
pub fn needs_examples(spec: &DataSpec) -> bool {
    spec.condition
        .as_ref()
        .is_some_and(|condition| condition.classes.is_none() && condition.augmentation < condition.width())
}

/// What to sample.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Number of samples.
    pub n: usize,
    /// The class of all of them; `None`: labels as conditions take turns.
    pub label: Option<usize>,
    /// How values are chosen from their conditionals; other than the default it needs an autoregressive model.
    pub choice: SamplingParams,
    /// What all of them begin with, for an autoregressive model.
    pub prefix: Option<Prefix>,
    /// Dimensions of the target that all of them have, and their values in the units of the data, for a model of any order.
    pub given: Vec<(usize, f64)>,
    /// Names the noise.
    pub seed: Seed,
}

impl Wanted {
    /// `n` samples from the model itself.
    pub fn plain(n: usize, seed: Seed) -> Self {
        Self { n, label: None, choice: SamplingParams::default(), prefix: None, given: Vec::new(), seed }
    }
}

/// Values that are known before sampling begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefix {
    /// `[event]`; only the first `count` in the model's order are read.
    pub values: Vec<f32>,
    /// Number of given values.
    pub count: usize,
}

/// Samples `[n][event]`, in the units of the data; `sampled` is told how many values were sampled since it was last called. A model with the
/// augmentation as an input samples unaugmented data; conditions that are not labels are the first of `conditions`, again and again.
///
/// # Errors
/// A model that cannot sample, or not in this way; a label that there is not; conditions that cannot be read.
pub fn sample(
    model: &dyn Model,
    conditions: &Split,
    wanted: &Wanted,
    device: &Device,
    sampled: &mut dyn FnMut(u64),
) -> Result<Vec<Vec<f64>>> {
    wanted.choice.check()?;
    let spec = model.spec();
    let generator = require(model.generator(), Capability::Generate, model)?;
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
    if let (Some(label), None) = (wanted.label, classes) {
        return Err(Error::input(format!("--label {label}: this model is not conditioned on a label; leave it out")));
    }
    let arm = match wanted.choice != SamplingParams::default() || wanted.prefix.is_some() {
        true => {
            let arm = require(model.conditionals(), Capability::Autoregressive, model);
            Some(arm.map_err(|error| {
                Error::input(format!("leave out --temperature, --top-k, --top-p and --complete: {error}"))
            })?)
        }
        false => model.conditionals(),
    };
    if !wanted.given.is_empty() && !known_row(&wanted.given, spec).0.iter().all(|value| value.is_finite()) {
        return Err(Error::input(
            "--given: found a number more than 3e38 standard deviations from those of the training rows; expected one like theirs; give \
             another",
        ));
    }
    let any_order = match wanted.given.is_empty() {
        true => None,
        false => Some(
            require(model.any_order(), Capability::AnyOrder, model)
                .map_err(|error| Error::input(format!("leave out --given: {error}")))?,
        ),
    };
    let cuts = wanted.choice.top_k.is_some() || wanted.choice.top_p.is_some();
    if cuts && spec.scale().is_some() {
        return Err(Error::input(
            "--top-k and --top-p choose among levels, and this run's values are real numbers or columns; use --temperature",
        ));
    }
    let mut noise = wanted.seed.stream("sampling", 0);
    let mut all = Vec::with_capacity(wanted.n);
    for first in (0..wanted.n).step_by(CHUNK) {
        let rows = first..(first + CHUNK).min(wanted.n);
        let n = rows.len();
        let condition = condition_of(&rows, classes, wanted.label, spec, conditions, device)?;
        let values = match (any_order, arm) {
            (Some(any_order), _) => {
                let (x, visible) = known(&wanted.given, n, spec, device);
                let mut each = || sampled(n as u64);
                fill_in(any_order, x, &visible, condition.as_ref(), &wanted.choice, &mut noise, &mut each)
            }
            (None, Some(arm)) => {
                let given = wanted.prefix.as_ref().map(|prefix| given(prefix, n, device));
                let mut each = |_: usize, _: &Tensor<2>| {
                    sampled(n as u64);
                    ControlFlow::Continue(())
                };
                complete(arm, n, condition.as_ref(), given.as_ref(), &wanted.choice, &mut noise, &mut each)
            }
            (None, None) => {
                let values = generator.generate(n, condition, &mut noise);
                sampled((n * spec.event()) as u64);
                values
            }
        };
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let values = match spec.scale() {
            Some(scale) => scale.restore_samples(&values),
            None => values.into_iter().map(f64::from).collect(),
        };
        all.extend(values.chunks(spec.event()).map(|row| {
            let mut row = row.to_vec();
            // Single precision has fewer digits than somebody may have written.
            for &(dimension, value) in &wanted.given {
                row.get_mut(dimension).into_iter().for_each(|at| *at = value);
            }
            row
        }));
    }
    Ok(all)
}

/// What is given once for each sample, `[n, event]` as in a batch, and which of it that is.
fn known(given: &[(usize, f64)], n: usize, spec: &DataSpec, device: &Device) -> (Tensor<2>, Vec<bool>) {
    let (row, visible) = known_row(given, spec);
    let event = row.len();
    (Tensor::from_data(TensorData::new(row.repeat(n), [n, event]), device), visible.repeat(n))
}

/// The same of one sample, `[event]`.
fn known_row(given: &[(usize, f64)], spec: &DataSpec) -> (Vec<f32>, Vec<bool>) {
    let event = spec.event();
    let mut row = vec![0.0; event];
    let mut visible = vec![false; event];
    for &(dimension, value) in given {
        if let (Some(at), Some(is)) = (row.get_mut(dimension), visible.get_mut(dimension)) {
            (*at, *is) = (value, true);
        }
    }
    let row = match spec.scale() {
        Some(scale) => scale.standardize(&row),
        None => row.iter().map(|&value| value as f32).collect(),
    };
    (row, visible)
}

/// The prefix once for each sample.
fn given(prefix: &Prefix, n: usize, device: &Device) -> Given {
    let Prefix { values, count } = prefix;
    let repeated = TensorData::new(values.repeat(n), [n, values.len()]);
    Given { values: Tensor::from_data(repeated, device), count: *count }
}

/// The conditions of these samples.
fn condition_of(
    rows: &Range<usize>,
    classes: Option<usize>,
    label: Option<usize>,
    spec: &DataSpec,
    conditions: &Split,
    device: &Device,
) -> Result<Option<Tensor<2>>> {
    let n = rows.len();
    let Some(described) = &spec.condition else { return Ok(None) };
    if let (Some(classes), Some(label)) = (classes, label.filter(|&label| classes.is_some_and(|n| label >= n))) {
        return Err(Error::input(format!("--label {label}: the labels are 0 to {}; give one of them", classes - 1)));
    }
    if needs_examples(spec) {
        let picked: Vec<usize> = rows.clone().map(|i| i % conditions.len().max(1)).collect();
        return Ok(conditions.unaugmented(&picked, device)?.condition);
    }
    // The augmentation comes behind the label and is all zeros: none.
    let width = described.width();
    let mut values = vec![0.0f32; n * width];
    for (i, row) in rows.clone().zip(values.chunks_mut(width.max(1))) {
        let class = classes.map(|classes| label.unwrap_or(i % classes));
        if let Some(one) = class.and_then(|class| row.get_mut(class)) {
            *one = 1.0;
        }
    }
    Ok(Some(Tensor::from_data(TensorData::new(values, [n, width]), device)))
}
