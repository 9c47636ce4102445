//! A mixture of normals (Bishop 1994, "Mixture density networks"): three outputs per component, weight logit, mean and log-variance of
//! the standardised number.

use super::levels::of_components;
use super::real::{LOG_VAR_BOUND, Standardised, floored, likelihood, row, warmer};
use super::shaped::Shaped;
use super::{Components, Likelihood};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::{Distribution, NormalMixture as Density};
use std::ops::Range;

pub(super) fn build(&Components { components }: &Components, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(NormalMixture { components }, spec)
}

#[derive(Debug)]
pub(super) struct NormalMixture {
    pub(super) components: usize,
}

impl NormalMixture {
    /// Outputs of 0 are means spread evenly over two standard deviations to either side, and components of half the distance between
    /// them: components that all start alike would never part.
    pub(super) fn mixture(&self, rows: Tensor<2>, temperature: f64, floor: Option<Tensor<2>>) -> Density {
        let components = self.components;
        let [weights, mean, log_var] = of_components(rows, components);
        let apart = 4.0 / components as f32;
        let centres: Vec<f32> = (0..components).map(|m| (m as f32 + 0.5) * apart - 2.0).collect();
        let mean = mean.clone() + row(&centres, &mean.device());
        let start = if components == 1 { 0.0 } else { 2.0 * f64::from(apart / 2.0).ln() };
        let log_var = log_var.add_scalar(start).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND);
        let log_var = floored(log_var, floor);
        Density::new(weights, mean, warmer(log_var, temperature.ln()))
    }
}

impl Standardised for NormalMixture {
    fn parameters(&self) -> usize {
        3 * self.components
    }

    /// Of each component p^(1/T): T times its variance, with the weights as they are.
    fn density(
        &self,
        parameters: Tensor<3>,
        _: Range<usize>,
        temperature: f64,
        floor: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>> {
        let [batch, event, _] = parameters.dims();
        let floor = floor.map(|row| row.expand([batch, event]).reshape([batch * event, 1]));
        Shaped::boxed(parameters, |rows| self.mixture(rows, temperature, floor))
    }
}
