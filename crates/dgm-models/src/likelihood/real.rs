//! Families of real numbers: densities of the standardised number, which the Jacobian makes ones in the data's units.

use super::{Family, Likelihood};
use crate::data::{DataSpec, Values};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::Distribution;
use std::fmt::Debug;
use std::ops::Range;

/// Log-variances stay within ±15 of the data's: standard deviations from 1/1800 to 1800 times theirs. Without a floor a number that
/// the network meets exactly is worth infinitely many nats.
pub(crate) const LOG_VAR_BOUND: f64 = 15.0;

/// A density of a standardised number.
pub(super) trait Standardised: Debug + Send + Sync {
    /// Outputs of a network for one number.
    fn parameters(&self) -> usize;

    /// p(z)^(1/T), normalised, of each of these dimensions, from parameters `[batch, dimensions, parameters]`.
    fn density(&self, parameters: Tensor<3>, dimensions: Range<usize>, temperature: f64) -> Box<dyn Distribution<2>>;
}

/// A [`Standardised`] density as a [`Family`].
#[derive(Debug)]
struct OfReal<S> {
    density: S,
    /// log of the standard deviation that each number was divided by: p(x) = p(z) dz/dx with z = (x − mean) / std.
    log_std: Vec<f32>,
}

/// The likelihood with this density; `None`: the data are levels.
pub(super) fn likelihood(density: impl Standardised + 'static, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Real(scale) = &spec.values else { return None };
    let log_std = scale.std.iter().map(|std| std.ln() as f32).collect();
    Some(Likelihood::new(OfReal { density, log_std }))
}

impl<S: Standardised> Family for OfReal<S> {
    fn parameters(&self) -> usize {
        self.density.parameters()
    }

    fn distribution(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
    ) -> Box<dyn Distribution<2>> {
        self.density.density(parameters, dimensions, temperature)
    }

    fn log_units(&self, dimensions: Range<usize>) -> Option<&[f32]> {
        self.log_std.get(dimensions)
    }
}

/// The parameter `i` of each dimension, `[batch, event]`.
pub(super) fn part(parameters: &Tensor<3>, i: usize) -> Tensor<2> {
    let [batch, event, _] = parameters.dims();
    parameters.clone().slice([0..batch, 0..event, i..i + 1]).reshape([batch, event])
}

/// One row `[1, n]` for broadcasting over a batch.
pub(super) fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}

/// The logarithm of a scale plus that of a factor, which is 0 but at a temperature.
pub(super) fn warmer(log_scale: Tensor<2>, log_factor: f64) -> Tensor<2> {
    if log_factor == 0.0 { log_scale } else { log_scale + log_factor }
}
