//! Counts that are levels: P(x) ∝ λˣ / x! for x < levels, one output, the logarithm of the rate.

use super::Likelihood;
use super::levels::{OfLevels, Table, cut_off};
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::{Categorical, Poisson as Density};

pub(super) const MIXES: bool = false;

/// Logarithms of rates stay within ±this: beyond it f32 has no rates.
const LOG_BOUND: f64 = 30.0;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(Poisson { levels })))
}

#[derive(Debug)]
struct Poisson {
    levels: usize,
}

impl Table for Poisson {
    fn parameters(&self) -> usize {
        1
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        let [rows, _] = parameters.dims();
        let log_rate = parameters.clamp(-LOG_BOUND, LOG_BOUND);
        let of_each = log_rate.clone().expand([rows, self.levels]);
        cut_off(rows, self.levels, &log_rate, |counts| Density::new(of_each.clone()).log_prob(counts))
    }
}
