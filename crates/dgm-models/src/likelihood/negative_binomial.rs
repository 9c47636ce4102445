//! Counts that are levels and vary more than their mean: a negative binomial cut off behind the last level, two outputs, the
//! logarithms of mean and shape.

use super::Likelihood;
use super::levels::{OfLevels, Table, cut_off};
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::{Categorical, NegativeBinomial as Density};

pub(super) const MIXES: bool = false;

/// Logarithms of means and shapes stay within ±this: beyond it f32 has none.
const LOG_BOUND: f64 = 20.0;

pub(super) fn build(_: usize, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(NegativeBinomial { levels })))
}

#[derive(Debug)]
struct NegativeBinomial {
    levels: usize,
}

impl Table for NegativeBinomial {
    fn parameters(&self) -> usize {
        2
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        let [rows, _] = parameters.dims();
        let parameters = parameters.clamp(-LOG_BOUND, LOG_BOUND);
        let of_each = |i: usize| parameters.clone().slice([0..rows, i..i + 1]).expand([rows, self.levels]);
        let (log_mean, log_count) = (of_each(0), of_each(1));
        let log_prob = |counts| Density::new(log_mean.clone(), log_count.clone()).log_prob(counts);
        cut_off(rows, self.levels, &parameters, log_prob)
    }
}
