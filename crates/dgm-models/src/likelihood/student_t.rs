//! Student's t: three outputs, location, log-scale and log (ν − 1) of the standardised number, ν the degrees of freedom.

use super::Likelihood;
use super::real::{LOG_VAR_BOUND, Standardised, likelihood, part};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use dgm_core::density::StudentT as Density;
use dgm_core::random::Stream;

pub(super) const MIXES: bool = false;

/// More degrees of freedom than e¹⁰ are a normal to f32.
const LOG_DOF_BOUND: f64 = 10.0;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(StudentT, spec)
}

#[derive(Debug)]
struct StudentT;

/// Location, log-scale and log ν, ν above 1: there is a mean.
fn parts(parameters: &Tensor<3>) -> [Tensor<2>; 3] {
    let log_scale = part(parameters, 1).clamp(-LOG_VAR_BOUND / 2.0, LOG_VAR_BOUND / 2.0);
    // log (1 + exp x): ν is 2 where the output is 0.
    let log_dof = softplus(part(parameters, 2).clamp(-LOG_DOF_BOUND, LOG_DOF_BOUND), 1.0);
    [part(parameters, 0), log_scale, log_dof]
}

impl Standardised for StudentT {
    fn parameters(&self) -> usize {
        3
    }

    fn log_prob(&self, parameters: Tensor<3>, z: Tensor<2>) -> Tensor<2> {
        let [mean, log_scale, log_dof] = parts(&parameters);
        Density::new(mean, log_scale, log_dof).log_prob(z)
    }

    /// √T times the scale with as many degrees of freedom: p^(1/T) is no density where T is ν + 1 or more.
    fn sample(&self, parameters: Tensor<3>, temperature: f64, rng: &mut Stream) -> Tensor<2> {
        let [mean, log_scale, log_dof] = parts(&parameters);
        Density::new(mean, log_scale + temperature.ln() / 2.0, log_dof).sample(rng)
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        part(&parameters, 0)
    }
}
