//! Two levels: one logit.

use super::Likelihood;
use super::levels::{OfLevels, Table};
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::{Bernoulli as Density, Categorical};
use dgm_core::random::Stream;

pub(super) const MIXES: bool = false;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    (spec.values == Values::Levels(2)).then(|| Likelihood::new(OfLevels(Bernoulli)))
}

#[derive(Debug)]
pub(super) struct Bernoulli;

fn density(parameters: Tensor<2>) -> Density<1> {
    Density::from_logits(parameters.squeeze_dim(1))
}

impl Table for Bernoulli {
    fn parameters(&self) -> usize {
        1
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        Categorical::from_logits(Tensor::cat(vec![parameters.zeros_like(), parameters], 1))
    }

    fn log_prob(&self, parameters: Tensor<2>, x: Tensor<1>) -> Tensor<1> {
        density(parameters).log_prob(x)
    }

    fn sample(&self, parameters: Tensor<2>, rng: &mut Stream) -> Tensor<1> {
        density(parameters).sample(rng)
    }

    fn mean(&self, parameters: Tensor<2>) -> Tensor<1> {
        density(parameters).mean()
    }
}
