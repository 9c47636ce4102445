//! Normal: two outputs, mean and log-variance of the standardised number.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, likelihood, part};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::Normal as Density;
use dgm_core::random::Stream;

pub(super) const MIXES: bool = false;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(Normal, spec)
}

#[derive(Debug)]
struct Normal;

fn halves(parameters: &Tensor<3>) -> [Tensor<2>; 2] {
    [part(parameters, 0), part(parameters, 1).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND)]
}

impl Standardised for Normal {
    fn parameters(&self) -> usize {
        2
    }

    fn log_prob(&self, parameters: Tensor<3>, z: Tensor<2>) -> Tensor<2> {
        let [mean, log_var] = halves(&parameters);
        Density::new(mean, log_var).log_prob(z)
    }

    /// p^(1/T) is a normal of T times the variance.
    fn sample(&self, parameters: Tensor<3>, temperature: f64, rng: &mut Stream) -> Tensor<2> {
        let [mean, log_var] = halves(&parameters);
        Density::new(mean, log_var + temperature.ln()).sample(rng)
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        part(&parameters, 0)
    }
}
