//! A softmax over the levels: one logit each.

use super::Likelihood;
use super::levels::{OfLevels, Table};
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::Categorical as Density;

pub(super) const MIXES: bool = false;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(Categorical { levels })))
}

#[derive(Debug)]
pub(super) struct Categorical {
    pub(super) levels: usize,
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
