//! The mean of several likelihoods: p(x) = (1/K) Σ_k p_k(x), dimension by dimension.

use super::choice::SamplingParams;
use super::shaped::Shaped;
use super::{Family, Likelihood};
use burn::tensor::Tensor;
use dgm_core::density::{Distribution, MeanOf};
use dgm_core::estimate;
use std::ops::Range;

/// Likelihoods, one at least, all of levels or all of real numbers.
#[derive(Debug)]
pub(super) struct Mixture {
    pub(super) members: Vec<Likelihood>,
}

impl Mixture {
    /// What `f` gives for each density and its outputs.
    fn each<T>(&self, parameters: &Tensor<3>, mut f: impl FnMut(&Likelihood, Tensor<3>) -> T) -> Vec<T> {
        let [batch, event, _] = parameters.dims();
        let mut start = 0;
        let next = |one: &Likelihood| {
            let end = start + one.parameters();
            let part = parameters.clone().slice([0..batch, 0..event, start..end]);
            start = end;
            f(one, part)
        };
        self.members.iter().map(next).collect()
    }
}

impl Family for Mixture {
    fn parameters(&self) -> usize {
        self.members.iter().map(Likelihood::parameters).sum()
    }

    /// At a temperature the members of real numbers are taken at it one by one, and those of levels together.
    fn distribution(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
    ) -> Box<dyn Distribution<2>> {
        if temperature != 1.0
            && let Some(table) = self.log_probs(parameters.clone())
        {
            let choice = SamplingParams { temperature, ..SamplingParams::default() };
            return Shaped::boxed(table, |rows| choice.narrowed(rows));
        }
        let of = |one: &Likelihood, parameters| one.tempered(parameters, dimensions.clone(), temperature);
        Box::new(MeanOf::new(self.each(&parameters, of)))
    }

    fn rescaled(&self, parameters: Tensor<3>, dimensions: Range<usize>, factor: f64) -> Box<dyn Distribution<2>> {
        let of = |one: &Likelihood, parameters| one.rescaled(parameters, dimensions.clone(), factor);
        Box::new(MeanOf::new(self.each(&parameters, of)))
    }

    fn log_units(&self, dimensions: Range<usize>) -> Option<&[f32]> {
        self.members.first()?.log_units(dimensions)
    }

    fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        let tables: Option<_> =
            self.each(&parameters, |one, parameters| one.log_probs(parameters)).into_iter().collect();
        tables.map(log_mean_exp)
    }

    fn log_probs_at(&self, parameters: Tensor<3>, dimension: usize) -> Option<Tensor<2>> {
        let of = |one: &Likelihood, parameters| one.log_probs_at(parameters, dimension);
        let tables: Option<_> = self.each(&parameters, of).into_iter().collect();
        tables.map(log_mean_exp)
    }

    fn is_nominal(&self) -> bool {
        self.members.iter().any(Likelihood::is_nominal)
    }
}

/// log (1/K) Σ_k exp a_k of each place of K tensors of one shape.
pub(crate) fn log_mean_exp<const D: usize>(all: Vec<Tensor<D>>) -> Tensor<D> {
    let shape = all.first().map_or([0; D], |one| one.dims());
    let places = shape.iter().product();
    let columns = all.into_iter().map(|one| one.reshape([places, 1])).collect();
    estimate::log_mean_exp(Tensor::cat(columns, 1)).reshape(shape)
}
