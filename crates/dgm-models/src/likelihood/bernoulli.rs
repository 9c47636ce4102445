//! Two levels: one logit.

use super::Likelihood;
use super::levels::{Table, likelihood};
use crate::data::{DataSpec, Values};
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::{Bernoulli as Density, Categorical, Distribution};

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    if spec.values == Values::Levels(2) { likelihood(spec, |_| Bernoulli) } else { None }
}

#[derive(Debug)]
struct Bernoulli;

impl Table for Bernoulli {
    fn parameters(&self) -> usize {
        1
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        Categorical::from_logits(Tensor::cat(vec![parameters.zeros_like(), parameters], 1))
    }

    fn density(&self, parameters: Tensor<2>) -> Box<dyn Distribution<1>> {
        Box::new(Density::<1>::from_logits(parameters.squeeze_dim(1)))
    }
}
