//! Families of real numbers: densities of the standardised number, which the Jacobian makes ones in the data's units.

use super::{Choice, Family, Likelihood};
use crate::data::{DataSpec, Values};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use std::fmt::Debug;
use std::ops::Range;

/// Log-variances stay within ±15 of the data's: standard deviations from 1/1800 to 1800 times theirs. Without a floor a number that
/// the network meets exactly is worth infinitely many nats.
pub(super) const LOG_VAR_BOUND: f64 = 15.0;

/// A density of a standardised number, from parameters `[batch, event, parameters]`.
pub(super) trait Standardised: Debug + Send + Sync {
    fn parameters(&self) -> usize;

    /// log p(z), `[batch, event]`, in nats per unit of z.
    fn log_prob(&self, parameters: Tensor<3>, z: Tensor<2>) -> Tensor<2>;

    /// A sample of p(z)^(1/T), normalised, `[batch, event]`.
    fn sample(&self, parameters: Tensor<3>, temperature: f64, rng: &mut Stream) -> Tensor<2>;

    /// E\[z\], `[batch, event]`.
    fn mean(&self, parameters: Tensor<3>) -> Tensor<2>;
}

/// A [`Standardised`] density as a [`Family`].
#[derive(Debug)]
struct OfReal<S> {
    density: S,
    /// log of the standard deviation that each number was divided by: p(x) = p(z) dz/dx with z = (x − mean) / std.
    log_std: Vec<f64>,
}

/// The likelihood with this density; `None`: the data are levels.
pub(super) fn likelihood(density: impl Standardised + 'static, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Real(scale) = &spec.values else { return None };
    let log_std = scale.std.iter().map(|std| std.ln()).collect();
    Some(Likelihood::new(OfReal { density, log_std }))
}

impl<S: Standardised> Family for OfReal<S> {
    fn parameters(&self) -> usize {
        self.density.parameters()
    }

    fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>, dimensions: Range<usize>) -> Tensor<2> {
        let log_std = self.log_std.get(dimensions).unwrap_or_default();
        let log_std: Vec<f32> = log_std.iter().map(|&log| log as f32).collect();
        let log_std = row(&log_std, &x.device());
        self.density.log_prob(parameters, x) - log_std
    }

    fn sample(&self, parameters: Tensor<3>, _: Range<usize>, choice: &Choice, rng: &mut Stream) -> Tensor<2> {
        self.density.sample(parameters, choice.temperature, rng)
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        self.density.mean(parameters)
    }

    fn log_probs(&self, _: Tensor<3>) -> Option<Tensor<3>> {
        None
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
