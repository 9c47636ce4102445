//! Normal: two outputs, mean and log-variance of the standardised number.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, floored, likelihood, part, warmer};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::{Distribution, Normal as Density};
use std::ops::Range;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(Normal, spec)
}

#[derive(Debug)]
struct Normal;

impl Standardised for Normal {
    fn parameters(&self) -> usize {
        2
    }

    /// p^(1/T) is a normal of T times the variance.
    fn density(
        &self,
        parameters: Tensor<3>,
        _: Range<usize>,
        temperature: f64,
        floor: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>> {
        let log_var = floored(part(&parameters, 1).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND), floor);
        Box::new(Density::new(part(&parameters, 0), warmer(log_var, temperature.ln())))
    }
}
