//! Laplace: two outputs, location and log-scale of the standardised number.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, floored_scale, likelihood, part, warmer};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::{Distribution, Laplace as Density};
use std::ops::Range;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(Laplace, spec)
}

#[derive(Debug)]
struct Laplace;

impl Standardised for Laplace {
    fn power(&self) -> f64 {
        1.0
    }

    fn parameters(&self) -> usize {
        2
    }

    /// p^(1/T) ∝ exp(−|z − μ| / (T s)): T times the scale, which stays as near to the data's as a normal's standard deviation does.
    fn density(
        &self,
        parameters: Tensor<3>,
        _: Range<usize>,
        temperature: f64,
        floor: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>> {
        let log_scale = part(&parameters, 1).clamp(-LOG_VAR_BOUND / 2.0, LOG_VAR_BOUND / 2.0);
        // A variance of 2s².
        let log_scale = floored_scale(log_scale, floor, 0.5);
        Box::new(Density::new(part(&parameters, 0), warmer(log_scale, temperature.ln())))
    }
}
