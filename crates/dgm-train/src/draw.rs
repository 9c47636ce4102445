//! Draws from a model, with conditions where it has them.

use crate::data::Split;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::{DataSpec, Model};
use std::ops::Range;

/// Draws at once: more cost memory and no less time.
const CHUNK: usize = 256;

/// Whether the conditions to draw with are examples of the data: those that are neither labels nor tell of variations.
pub fn needs_examples(spec: &DataSpec) -> bool {
    spec.condition.as_ref().is_some_and(|condition| condition.classes.is_none() && condition.told < condition.width())
}

/// `n` draws `[n][event]`. Labels as conditions take turns, or are all `label`; a model that is told of variations draws the
/// data as they are; other conditions are the first of `conditions`, again and again.
pub fn draw(
    model: &dyn Model,
    conditions: &Split,
    n: usize,
    label: Option<usize>,
    device: &Device,
    seed: Seed,
) -> Result<Vec<Vec<f32>>> {
    let spec = model.spec();
    let generator = model.as_generate().ok_or_else(|| Error::input("this model cannot draw samples"))?;
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
    if let (Some(label), None) = (label, classes) {
        return Err(Error::input(format!("--label {label}: this model is not conditioned on a label")));
    }
    let mut noise = seed.stream("sampling", 0);
    let mut all = Vec::with_capacity(n);
    for first in (0..n).step_by(CHUNK) {
        let rows = first..(first + CHUNK).min(n);
        let condition = condition_of(&rows, classes, label, spec, conditions, device)?;
        let drawn = generator.generate(rows.len(), condition, &mut noise);
        let values: Vec<f32> = drawn.into_data().iter::<f32>().collect();
        all.extend(values.chunks(spec.event()).map(<[f32]>::to_vec));
    }
    Ok(all)
}

/// The conditions of these draws.
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
        return Err(Error::input(format!("--label {label}: the labels are 0 to {}", classes - 1)));
    }
    if needs_examples(spec) {
        let picked: Vec<usize> = rows.clone().map(|i| i % conditions.len().max(1)).collect();
        return Ok(conditions.batch(&picked, 0, device)?.condition);
    }
    // What is told comes behind the label and is all zeros: nothing was varied.
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
