//! Negative log-likelihood of a conditional density.

use super::{Objective, sum_event};
use burn::tensor::Tensor;

/// L = −Σ_e log p(x_e | c): the cross-entropy of the data under the model, the maximum-likelihood objective.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nll;

impl Nll {
    /// From `log_prob` `[batch, event]` in nats.
    pub fn objective(&self, log_prob: Tensor<2>) -> Objective {
        let nll = sum_event(log_prob).neg();
        Objective { loss: nll.clone(), terms: vec![("nll", nll)] }
    }
}
