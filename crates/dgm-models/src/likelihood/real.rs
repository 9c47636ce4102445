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

    /// The power a of the scale s that the temperature T goes with: p(z)^(1/T) has T^(1/a) times the scale.
    fn power(&self) -> f64 {
        2.0
    }

    /// p(z)^(1/T), normalised, of each of these dimensions, from parameters `[batch, dimensions, parameters]`; `floor`, `[1, dimensions]`, is
    /// what a variance is more than, see [`floored`].
    fn density(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
        floor: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>>;
}

/// A [`Standardised`] density as a [`Family`].
#[derive(Debug)]
struct OfReal<S> {
    density: S,
    /// log of the standard deviation that each number was divided by: p(x) = p(z) dz/dx with z = (x − mean) / std.
    log_std: Vec<f32>,
    /// The variance of each number within its cell, where the numbers are a grid.
    cell_variance: Option<Vec<f32>>,
}

/// The likelihood with this density; `None`: the data are levels.
pub(super) fn likelihood(density: impl Standardised + 'static, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Real(scale) = &spec.values else { return None };
    let log_std = scale.std.iter().map(|std| std.ln() as f32).collect();
    Some(Likelihood::new(OfReal { density, log_std, cell_variance: scale.cell_variance() }))
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
        let device = parameters.device();
        let of_cells = self.cell_variance.as_ref().and_then(|all| all.get(dimensions.clone()));
        let floor = of_cells.map(|variances| row(variances, &device));
        self.density.density(parameters, dimensions, temperature, floor)
    }

    fn rescaled(&self, parameters: Tensor<3>, dimensions: Range<usize>, factor: f64) -> Box<dyn Distribution<2>> {
        let device = parameters.device();
        let of_cells = self.cell_variance.as_ref().and_then(|all| all.get(dimensions.clone()));
        // It is multiplied by the factor again, which leaves it as it was.
        let floor = of_cells.map(|variances| row(variances, &device).div_scalar(factor.powi(2)));
        self.density.density(parameters, dimensions, factor.powf(self.density.power()), floor)
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

/// log (σ² + f) from log σ²: a number that was rounded varies within its cell beside all else (Sheppard's correction), so that a grid is met
/// by no spike of density.
pub(super) fn floored<const D: usize>(log_var: Tensor<D>, floor: Option<Tensor<D>>) -> Tensor<D> {
    match floor {
        Some(floor) => log_var.clone() + (floor * log_var.neg().exp()).log1p(),
        None => log_var,
    }
}

/// The same of the logarithm of a scale whose square is `share` of the variance.
pub(super) fn floored_scale(log_scale: Tensor<2>, floor: Option<Tensor<2>>, share: f64) -> Tensor<2> {
    match floor {
        Some(floor) => floored(log_scale.mul_scalar(2.0), Some(floor.mul_scalar(share))).mul_scalar(0.5),
        None => log_scale,
    }
}

/// The logarithm of a scale plus that of a factor, which is 0 but at a temperature.
pub(super) fn warmer(log_scale: Tensor<2>, log_factor: f64) -> Tensor<2> {
    if log_factor == 0.0 { log_scale } else { log_scale + log_factor }
}
