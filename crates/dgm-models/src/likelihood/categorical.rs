//! A softmax over the levels: one logit each.

use super::Likelihood;
use super::levels::{Table, likelihood};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::Categorical as Density;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| Categorical { levels })
}

#[derive(Debug)]
struct Categorical {
    levels: usize,
}

impl Table for Categorical {
    fn parameters(&self) -> usize {
        self.levels
    }

    fn categorical(&self, parameters: Tensor<2>) -> Density {
        Density::from_logits(parameters)
    }

    fn is_nominal(&self) -> bool {
        true
    }
}
