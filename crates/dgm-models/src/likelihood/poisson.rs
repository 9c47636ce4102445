//! Counts, as levels: P(x) ∝ λˣ / x! for x < levels, one output, the logarithm of λ over the middle of the range.

use super::Likelihood;
use super::levels::{Table, counts, likelihood, log_middle};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::Categorical;

/// The logarithm of the rate stays within ±this of that of the middle: all weight is on the last level, or on 0, long before.
const LOG_BOUND: f64 = 30.0;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| Poisson { levels })
}

#[derive(Debug)]
struct Poisson {
    levels: usize,
}

impl Table for Poisson {
    fn parameters(&self) -> usize {
        1
    }

    /// Logits Σ_{1≤i≤x} log (λ / i): without the −λ that all levels share, which would swallow their differences.
    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        let device = parameters.device();
        let log_rate = parameters.clamp(-LOG_BOUND, LOG_BOUND).add_scalar(log_middle(self.levels));
        let counts = counts(self.levels, &device);
        // Nothing at 0, from which the sums begin.
        let ratios = (log_rate - counts.clone().clamp_min(1.0).log()) * counts.clamp_max(1.0);
        Categorical::from_logits(ratios.cumsum(1))
    }
}
