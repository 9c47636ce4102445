//! Levels in an order, as a number that is cut at thresholds: P(x ≤ k) = σ(θₖ) with θ₀ < θ₁ < … (McCullagh 1980, "Regression models for
//! ordinal data"), one output for each threshold: the first, and the distances of the others.

use super::Likelihood;
use super::levels::{Table, likelihood};
use crate::data::DataSpec;
use crate::parts::Plain;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, softplus};
use dgm_core::density::Categorical;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| Ordinal { levels })
}

#[derive(Debug)]
struct Ordinal {
    levels: usize,
}

impl Table for Ordinal {
    fn parameters(&self) -> usize {
        self.levels - 1
    }

    /// log P(k) = log σ(θₖ) + log σ(−θₖ₋₁) + log (1 − e^(θₖ₋₁ − θₖ)), in which the last is log σ(δₖ) of a distance softplus(δₖ): no difference of
    /// two probabilities, which would lose its digits.
    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        let [rows, cuts] = parameters.dims();
        let first = parameters.clone().slice([0..rows, 0..1]);
        let steps = parameters.slice([0..rows, 1..cuts]);
        // Outputs of 0 are thresholds around 0, evenly.
        let start = first.sub_scalar((cuts as f64 - 1.0) / 2.0 * 2f64.ln());
        let nothing = Tensor::zeros([rows, 1], &start.device());
        let (theta, apart) = match cuts {
            1 => (start, nothing),
            _ => {
                let distances = softplus(steps.clone(), 1.0).cumsum(1);
                let theta = Tensor::cat(vec![start.clone(), start.expand([rows, cuts - 1]) + distances], 1);
                (theta, Tensor::cat(vec![nothing, log_sigmoid(steps)], 1))
            }
        };
        let below = log_sigmoid(theta.clone()) + apart;
        let above = log_sigmoid(theta.neg());
        let none = Tensor::zeros([rows, 1], &below.device());
        Categorical::from_logits(Tensor::cat(vec![below, none.clone()], 1) + Tensor::cat(vec![none, above], 1))
    }
}
