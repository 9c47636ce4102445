//! Codes of examples, and what is decoded from codes: reconstructions, interpolations and traversals, in the units of the data.

use crate::data::Split;
use crate::data::chunks::chunks;
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_models::latent::Path;
use dgm_models::posterior::Space;
use dgm_models::{Capability, Model, require};

/// What is traversed unless something else is asked for: so many variables, in so many steps, to so many standard deviations on both sides.
pub const VARIABLES: usize = 10;
/// See [`VARIABLES`].
pub const STEPS: usize = 9;
/// See [`VARIABLES`].
pub const SPAN: f64 = 2.5;

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
        let code = encoder.encode(&split.unaugmented(few, device)?);
        let [_, width] = code.dims();
        codes.extend(host(code).chunks(width.max(1)).map(<[f64]>::to_vec));
    }
    Ok(codes)
}

/// The names of the numbers of a code: `z1`, `z2`, …; of several layers `layer1_z1`, …, the top layer first; of classes `z1_1`, `z1_2`, …, the
/// probability of each class of a variable.
pub fn names(model: &dyn Model, width: usize) -> Vec<String> {
    if let Space::OneOf(classes) = space(model) {
        return (0..width).map(|i| format!("{}_{}", of_group(i, classes), i % classes.max(1) + 1)).collect();
    }
    let layers = model.latent().map(|latent| latent.layers()).unwrap_or_default();
    if layers.len() < 2 {
        return (1..=width).map(|i| format!("z{i}")).collect();
    }
    let of_layer = |(layer, &count): (usize, &usize)| {
        (1..=count).map(move |i| format!("layer{}_z{i}", layer + 1)).collect::<Vec<_>>()
    };
    layers.iter().enumerate().flat_map(of_layer).collect()
}

/// The name of the variable whose classes a number of a code is one of.
fn of_group(place: usize, classes: usize) -> String {
    format!("z{}", place / classes.max(1) + 1)
}

/// Where codes lie.
fn space(model: &dyn Model) -> Space {
    model.latent().map_or(Space::Real, |latent| latent.space())
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
    let decoder = require(model.decoder(), Capability::Decode, model)?;
    let mut decoded = Vec::with_capacity(codes.len());
    for few in chunks(codes.len(), AT_ONCE) {
        let of = |row: &usize| rows.get(*row).copied();
        let examples: Vec<usize> = few.iter().filter_map(of).collect();
        let condition = split.unaugmented(&examples, device)?.condition;
        let some: Vec<&Vec<f64>> = few.iter().filter_map(|&row| codes.get(row)).collect();
        let width = some.first().map_or(0, |code| code.len());
        let values: Vec<f32> = some.iter().flat_map(|code| code.iter().map(|&value| value as f32)).collect();
        let code = Tensor::from_data(TensorData::new(values, [some.len(), width]), device);
        let mean = decoder.decode(code, condition);
        decoded.extend(in_units(model, mean));
    }
    Ok(decoded)
}

/// These examples as they are.
///
/// # Errors
/// Data that cannot be read any more.
pub fn originals(model: &dyn Model, split: &Split, rows: &[usize], device: &Device) -> Result<Vec<Vec<f64>>> {
    Ok(in_units(model, split.unaugmented(rows, device)?.target))
}

/// The means of x on the way from the code of one example to that of another: `steps` of them for each pair, both ends included, with the
/// condition of the first.
///
/// # Errors
/// As [`decode`]; an arc between codes that are classes.
pub fn interpolate(
    model: &dyn Model,
    split: &Split,
    pairs: &[[usize; 2]],
    steps: usize,
    path: Path,
    device: &Device,
) -> Result<Vec<Vec<f64>>> {
    let ends: Vec<usize> = pairs.iter().flatten().copied().collect();
    let path = match (space(model), path) {
        // On a sphere a straight line leaves where codes are.
        (Space::Sphere, _) => Path::Spherical,
        (Space::OneOf(_), Path::Spherical) => {
            return Err(Error::input("the codes of this run are classes, which lie on no arc; leave out --spherical"));
        }
        (Space::OneOf(_) | Space::Real, path) => path,
    };
    let codes = codes(model, split, &ends, device)?;
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
    /// The names of the variables, those that vary most over the split first.
    pub variables: Vec<String>,
    /// Values that each takes.
    pub steps: usize,
    /// The means of x, `steps` for each of the variables.
    pub decoded: Vec<Vec<f64>>,
}

/// Whether traversals have steps to choose; variables that are one of some classes take each of them.
pub fn has_steps(model: &dyn Model) -> bool {
    !matches!(space(model), Space::OneOf(_))
}

/// What becomes of one example where the `count` variables that vary most are moved, from `span` standard deviations (over the first 1000
/// examples) below their mean to as many above, in `steps`. On a sphere codes are brought back to it; a group of classes takes each of them.
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
    let space = space(model);
    // Classes are moved together.
    let width = if let Space::OneOf(classes) = space { classes.max(1) } else { 1 };
    let n = all.len().max(1) as f64;
    let moments = |variable: usize| {
        let values = || all.iter().filter_map(|code| code.get(variable));
        let mean = values().sum::<f64>() / n;
        (mean, (values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
    };
    let spread = |first: usize| (first..first + width).map(|variable| moments(variable).1).fold(0.0, f64::max);
    let mut variables: Vec<(usize, f64)> = (0..base.len()).step_by(width).map(|first| (first, spread(first))).collect();
    variables.sort_by(|a, b| b.1.total_cmp(&a.1));
    let variables: Vec<usize> = variables.into_iter().take(count).map(|(variable, _)| variable).collect();
    let steps = if width > 1 { width } else { steps };
    let moved = |&variable: &usize| {
        let (mean, std) = moments(variable);
        let base = &base;
        (0..steps).map(move |step| {
            let mut code = base.clone();
            for (place, value) in code.iter_mut().skip(variable).take(width).enumerate() {
                let along = 2.0 * step as f64 / steps.saturating_sub(1).max(1) as f64 - 1.0;
                *value = if width > 1 { f64::from(u8::from(place == step)) } else { mean + span * std * along };
            }
            if space == Space::Sphere {
                let length = code.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
                code.iter_mut().for_each(|value| *value /= length);
            }
            code
        })
    };
    let codes: Vec<Vec<f64>> = variables.iter().flat_map(moved).collect();
    let decoded = decode(model, &codes, split, &vec![example; codes.len()], device)?;
    let names = names(model, base.len());
    let name = |&variable: &usize| match space {
        Space::OneOf(classes) => of_group(variable, classes),
        Space::Real | Space::Sphere => names.get(variable).cloned().unwrap_or_default(),
    };
    Ok(Traversal { variables: variables.iter().map(name).collect(), steps, decoded })
}
