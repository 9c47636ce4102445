//! Codes of examples, and what is decoded from codes: reconstructions, interpolations and traversals, in the units of the data.

use crate::data::Split;
use crate::data::chunks::chunks;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_models::latent::Path;
use dgm_models::posterior::Space;
use dgm_models::{Capability, Model, require};

/// Examples per call of the model.
const AT_ONCE: usize = 256;

/// The code of each of these examples.
///
/// # Errors
/// A model that does not encode, or data that cannot be read any more.
pub fn codes(model: &dyn Model, split: &Split, rows: &[usize], device: &Device) -> Result<Vec<Vec<f64>>> {
    let encoder = require(model.encoder(), Capability::Represent, model)?;
    let mut codes = Vec::with_capacity(rows.len());
    for few in rows.chunks(AT_ONCE) {
        let code = encoder.encode(&split.batch(few, 0, device)?);
        let [_, width] = code.dims();
        codes.extend(host(code).chunks(width.max(1)).map(<[f64]>::to_vec));
    }
    Ok(codes)
}

/// The names of the numbers of a code: `z1`, `z2`, …; of several layers `layer1_z1`, …, the top layer first.
pub fn names(model: &dyn Model, width: usize) -> Vec<String> {
    let layers = model.latent().map(|latent| latent.layers()).unwrap_or_default();
    if layers.len() < 2 {
        return (1..=width).map(|i| format!("z{i}")).collect();
    }
    let of_layer = |(layer, &count): (usize, &usize)| {
        (1..=count).map(move |i| format!("layer{}_z{i}", layer + 1)).collect::<Vec<_>>()
    };
    layers.iter().enumerate().flat_map(of_layer).collect()
}

/// Targets as they travel → in the units of the data.
fn in_units(model: &dyn Model, values: Tensor<2>) -> Vec<Vec<f64>> {
    let spec = model.spec();
    let values: Vec<f32> = values.into_data().iter::<f32>().collect();
    let values = match spec.scale() {
        Some(scale) => scale.restore(&values),
        None => values.into_iter().map(f64::from).collect(),
    };
    values.chunks(spec.event().max(1)).map(<[f64]>::to_vec).collect()
}

/// The means of x given these codes, each with the condition of the example of the same place.
///
/// # Errors
/// A model that does not decode, or data that cannot be read any more.
pub fn decode(
    model: &dyn Model,
    codes: &[Vec<f64>],
    split: &Split,
    rows: &[usize],
    device: &Device,
) -> Result<Vec<Vec<f64>>> {
    let encoder = require(model.encoder(), Capability::Represent, model)?;
    let mut decoded = Vec::with_capacity(codes.len());
    for few in chunks(codes.len(), AT_ONCE) {
        let of = |row: &usize| rows.get(*row).copied();
        let examples: Vec<usize> = few.iter().filter_map(of).collect();
        let condition = split.batch(&examples, 0, device)?.condition;
        let some: Vec<&Vec<f64>> = few.iter().filter_map(|&row| codes.get(row)).collect();
        let width = some.first().map_or(0, |code| code.len());
        let values: Vec<f32> = some.iter().flat_map(|code| code.iter().map(|&value| value as f32)).collect();
        let code = Tensor::from_data(TensorData::new(values, [some.len(), width]), device);
        let mean = encoder.decode(code, condition).ok_or_else(|| {
            Error::input(format!(
                "a {:?} model encodes and does not decode; expected one that does; take another run",
                model.name()
            ))
        })?;
        decoded.extend(in_units(model, mean));
    }
    Ok(decoded)
}

/// These examples as they are.
///
/// # Errors
/// Data that cannot be read any more.
pub fn originals(model: &dyn Model, split: &Split, rows: &[usize], device: &Device) -> Result<Vec<Vec<f64>>> {
    Ok(in_units(model, split.batch(rows, 0, device)?.target))
}

/// The means of x on the way from the code of one example to that of another: `steps` of them for each pair, both ends included, with the
/// condition of the first.
///
/// # Errors
/// As [`decode`].
pub fn interpolate(
    model: &dyn Model,
    split: &Split,
    pairs: &[[usize; 2]],
    steps: usize,
    path: Path,
    device: &Device,
) -> Result<Vec<Vec<f64>>> {
    let ends: Vec<usize> = pairs.iter().flatten().copied().collect();
    let codes = codes(model, split, &ends, device)?;
    // On a sphere a straight line leaves where codes are.
    let sphere = model.latent().is_some_and(|latent| latent.space() == Space::Sphere);
    let path = if sphere { Path::Spherical } else { path };
    let last = steps.saturating_sub(1).max(1) as f64;
    let way = |pair: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let [a, b] = [pair.first(), pair.last()].map(|end| end.map_or(&[][..], Vec::as_slice));
        (0..steps).map(|step| path.at(a, b, step as f64 / last)).collect()
    };
    let all: Vec<Vec<f64>> = codes.chunks(2).flat_map(way).collect();
    let rows: Vec<usize> = pairs.iter().flat_map(|[first, _]| std::iter::repeat_n(*first, steps)).collect();
    decode(model, &all, split, &rows, device)
}

/// One latent variable after the other, each moved alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Traversal {
    /// The variables, by place in the code, those that vary most over the split first.
    pub variables: Vec<usize>,
    /// The means of x, `steps` for each of them.
    pub decoded: Vec<Vec<f64>>,
}

/// What becomes of one example where the `count` variables that vary most are moved, from `span` standard deviations (over these examples)
/// below their mean to as many above, in `steps`.
///
/// # Errors
/// As [`decode`].
pub fn traverse(
    model: &dyn Model,
    split: &Split,
    example: usize,
    [count, steps]: [usize; 2],
    span: f64,
    device: &Device,
) -> Result<Traversal> {
    let rows: Vec<usize> = (0..split.len().min(1000)).collect();
    let all = codes(model, split, &rows, device)?;
    let base = codes(model, split, &[example], device)?.into_iter().next().unwrap_or_default();
    let n = all.len().max(1) as f64;
    let moments = |variable: usize| {
        let values = || all.iter().filter_map(|code| code.get(variable));
        let mean = values().sum::<f64>() / n;
        (mean, (values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
    };
    let mut variables: Vec<(usize, f64, f64)> = (0..base.len())
        .map(|variable| {
            let (mean, std) = moments(variable);
            (variable, mean, std)
        })
        .collect();
    variables.sort_by(|a, b| b.2.total_cmp(&a.2));
    variables.truncate(count);
    let last = steps.saturating_sub(1).max(1) as f64;
    let moved: Vec<Vec<f64>> = variables
        .iter()
        .flat_map(|&(variable, mean, std)| {
            (0..steps).map(move |step| (variable, mean + span * std * (2.0 * step as f64 / last - 1.0)))
        })
        .map(|(variable, value)| {
            let mut code = base.clone();
            code.get_mut(variable).into_iter().for_each(|at| *at = value);
            code
        })
        .collect();
    let decoded = decode(model, &moved, split, &vec![example; moved.len()], device)?;
    Ok(Traversal { variables: variables.into_iter().map(|(variable, _, _)| variable).collect(), decoded })
}
