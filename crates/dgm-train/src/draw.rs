//! Draws from a model, with conditions where it has them.

use crate::data::Split;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::{AnyModel, DataSpec};
use std::ops::Range;

/// Draws at once: more cost memory and no less time.
const CHUNK: usize = 256;

/// `n` draws `[n][event]`. Labels as conditions take turns, or are all `label`; other conditions are the first of
/// `conditions`, again and again.
pub fn draw(
    model: &AnyModel,
    conditions: &Split,
    n: usize,
    label: Option<usize>,
    device: &Device,
    seed: Seed,
) -> Result<Vec<Vec<f32>>> {
    let view = model.as_model();
    let spec = view.spec();
    let generator = view.as_generate().ok_or_else(|| Error::input("this model cannot draw samples"))?;
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
    Ok(match (classes, label) {
        (Some(classes), Some(label)) if label >= classes => {
            return Err(Error::input(format!("--label {label}: the labels are 0 to {}", classes - 1)));
        }
        (Some(classes), _) => {
            let mut one_hot = vec![0.0f32; n * classes];
            for (i, row) in rows.clone().zip(one_hot.chunks_mut(classes)) {
                if let Some(one) = row.get_mut(label.unwrap_or(i % classes)) {
                    *one = 1.0;
                }
            }
            Some(Tensor::from_data(TensorData::new(one_hot, [n, classes]), device))
        }
        (None, _) => {
            let picked: Vec<usize> = rows.clone().map(|i| i % conditions.len().max(1)).collect();
            if spec.condition.is_some() { conditions.batch(&picked, 0, device)?.condition } else { None }
        }
    })
}
