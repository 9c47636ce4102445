//! Counts, as levels, that vary more than their mean: a negative binomial truncated after the last level, two outputs, the
//! logarithms of the mean μ over the middle of the range and of the shape r.

use super::Likelihood;
use super::levels::{Table, counts, likelihood, log_middle};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use dgm_core::density::Categorical;

/// The outputs stay within ±this: a shape of e²⁰ is a Poisson distribution's.
const LOG_BOUND: f64 = 20.0;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| NegativeBinomial { levels })
}

#[derive(Debug)]
struct NegativeBinomial {
    levels: usize,
}

impl Table for NegativeBinomial {
    fn parameters(&self) -> usize {
        2
    }

    /// Logits Σ_{i<x} log ((1 + i/r) / (1 + i)) − x log (1/μ + 1/r), which are those of a Poisson distribution for large r: without what
    /// all levels share, and summed ratio by ratio, as sums of large logarithms would swallow the differences of levels.
    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        let ([rows, _], device) = (parameters.dims(), parameters.device());
        let parameters = parameters.clamp(-LOG_BOUND, LOG_BOUND);
        let part = |i: usize| parameters.clone().slice([0..rows, i..i + 1]);
        let (log_mean, log_shape) = (part(0).add_scalar(log_middle(self.levels)), part(1));
        // log (1/μ + 1/r), of the larger one and of how much smaller the other is.
        let log_sum = softplus(log_mean.clone() - log_shape.clone(), 1.0) - log_mean;
        let counts = counts(self.levels, &device);
        let step = counts.clone().clamp_min(1.0);
        let rise = (step.clone().sub_scalar(1.0) * log_shape.neg().exp()).add_scalar(1.0) / step;
        // Nothing at 0, from which the sums begin.
        let ratios = (rise.log() - log_sum) * counts.clamp_max(1.0);
        Categorical::from_logits(ratios.cumsum(1))
    }
}
