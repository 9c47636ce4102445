//! Negative log-likelihood of an autoregressive model.

use super::{Objective, fill_padding, sum_event};
use burn::tensor::Tensor;

/// L = −Σ_d m_d log p(x_d | x_<d, c): the chain rule, so the sum of the conditionals is the exact log-likelihood.
///
/// The mask m is 1 where a position is part of the example and 0 where it is padding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArmNll;

impl ArmNll {
    /// From the conditionals' `log_prob` `[batch, length]` in nats, and the mask of the same shape for sequences of
    /// unequal length. A padded position contributes exactly 0: see [`fill_padding`].
    ///
    /// # Panics
    /// If the shapes of `log_prob` and `mask` differ.
    pub fn objective(&self, log_prob: Tensor<2>, mask: Option<Tensor<2>>) -> Objective {
        let nll = sum_event(fill_padding(log_prob, mask.as_ref())).neg();
        Objective { loss: nll.clone(), terms: vec![("nll", nll)] }
    }
}
