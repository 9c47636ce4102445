//! Student's t: three outputs, location, log-scale and log (ν − 1) of the standardised number, ν the degrees of freedom.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, floored_scale, likelihood, part, warmer};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use dgm_core::density::{Distribution, StudentT as Density};
use std::ops::Range;

/// More degrees of freedom than e¹⁰ are a normal to f32.
const LOG_DOF_BOUND: f64 = 10.0;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(StudentT, spec)
}

#[derive(Debug)]
struct StudentT;

impl Standardised for StudentT {
    fn parameters(&self) -> usize {
        3
    }

    /// √T times the scale with as many degrees of freedom: p^(1/T) is no density where T is ν + 1 or more.
    fn density(
        &self,
        parameters: Tensor<3>,
        _: Range<usize>,
        temperature: f64,
        floor: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>> {
        let log_scale = part(&parameters, 1).clamp(-LOG_VAR_BOUND / 2.0, LOG_VAR_BOUND / 2.0);
        // A variance of s²ν/(ν − 2), which is above s².
        let log_scale = floored_scale(log_scale, floor, 1.0);
        // log (1 + exp x), so that ν is above 1 and there is a mean: ν is 2 where the output is 0.
        let log_dof = softplus(part(&parameters, 2).clamp(-LOG_DOF_BOUND, LOG_DOF_BOUND), 1.0);
        Box::new(Density::new(part(&parameters, 0), warmer(log_scale, temperature.ln() / 2.0), log_dof))
    }
}
