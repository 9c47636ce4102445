//! A mixture of normals (Bishop 1994, "Mixture density networks"): three outputs a component, weight logit, mean and log-variance of
//! the standardised number.

use super::Likelihood;
use super::levels::{of_components, rows};
use super::real::{LOG_VAR_BOUND, Standardised, likelihood, row};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::NormalMixture as Density;
use dgm_core::random::Stream;

pub(super) const MIXES: bool = true;

pub(super) fn build(components: usize, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(NormalMixture { components }, spec)
}

#[derive(Debug)]
pub(super) struct NormalMixture {
    pub(super) components: usize,
}

impl NormalMixture {
    /// Outputs of 0 are means spread evenly over two standard deviations to either side, and components of half the distance between
    /// them: components that all start alike would never part.
    pub(super) fn density(&self, parameters: Tensor<3>, temperature: f64) -> Density {
        let components = self.components;
        let [weights, mean, log_var] = of_components(rows(parameters), components);
        let apart = 4.0 / components as f32;
        let centres: Vec<f32> = (0..components).map(|m| (m as f32 + 0.5) * apart - 2.0).collect();
        let mean = mean.clone() + row(&centres, &mean.device());
        let start = if components == 1 { 0.0 } else { 2.0 * f64::from(apart / 2.0).ln() };
        let log_var = log_var.add_scalar(start).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND).add_scalar(temperature.ln());
        Density::new(weights, mean, log_var)
    }
}

impl Standardised for NormalMixture {
    fn parameters(&self) -> usize {
        3 * self.components
    }

    fn log_prob(&self, parameters: Tensor<3>, z: Tensor<2>) -> Tensor<2> {
        let [batch, event] = z.dims();
        self.density(parameters, 1.0).log_prob(z.reshape([batch * event])).reshape([batch, event])
    }

    /// Of each component p^(1/T): T times its variance, with the weights as they are.
    fn sample(&self, parameters: Tensor<3>, temperature: f64, rng: &mut Stream) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        self.density(parameters, temperature).sample(rng).reshape([batch, event])
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        self.density(parameters, 1.0).mean().reshape([batch, event])
    }
}
