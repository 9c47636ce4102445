//! Laplace: two outputs, location and log-scale of the standardised number.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, likelihood, part};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::Laplace as Density;
use dgm_core::random::Stream;

pub(super) const MIXES: bool = false;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(Laplace, spec)
}

#[derive(Debug)]
struct Laplace;

/// The scale stays as near to the data's as a normal's standard deviation does.
fn halves(parameters: &Tensor<3>) -> [Tensor<2>; 2] {
    [part(parameters, 0), part(parameters, 1).clamp(-LOG_VAR_BOUND / 2.0, LOG_VAR_BOUND / 2.0)]
}

impl Standardised for Laplace {
    fn parameters(&self) -> usize {
        2
    }

    fn log_prob(&self, parameters: Tensor<3>, z: Tensor<2>) -> Tensor<2> {
        let [mean, log_scale] = halves(&parameters);
        Density::new(mean, log_scale).log_prob(z)
    }

    /// p^(1/T) ∝ exp(−|z − μ| / (T s)): T times the scale.
    fn sample(&self, parameters: Tensor<3>, temperature: f64, rng: &mut Stream) -> Tensor<2> {
        let [mean, log_scale] = halves(&parameters);
        Density::new(mean, log_scale + temperature.ln()).sample(rng)
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        part(&parameters, 0)
    }
}
