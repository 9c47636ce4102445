//! Negative log-likelihood of an autoregressive model.

use super::{Objective, sum_event};
use burn::tensor::Tensor;

/// L = −Σ_d m_d log p(x_d | x_<d, c): the chain rule, so the sum of the conditionals is the exact log-likelihood.
///
/// The mask m is 1 where a position is part of the example and 0 where it is padding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArmNll;

impl ArmNll {
    /// From the conditionals' `log_prob` `[batch, length]` in nats, and the mask of the same shape for sequences of
    /// unequal length.
    ///
    /// # Panics
    /// If the shapes of `log_prob` and `mask` differ.
    ///
    /// A padded position contributes exactly 0 to the value and to the gradient, whatever (NaN included) stands there.
    pub fn objective(&self, log_prob: Tensor<2>, mask: Option<Tensor<2>>) -> Objective {
        let log_prob = match mask {
            Some(mask) => {
                assert_eq!(log_prob.dims(), mask.dims(), "ArmNll: `log_prob` and `mask` must have one shape");
                // Filling, not multiplying: 0 · NaN is NaN.
                log_prob.mask_fill(mask.lower_elem(0.5), 0.0)
            }
            None => log_prob,
        };
        let nll = sum_event(log_prob).neg();
        Objective { loss: nll.clone(), terms: vec![("nll", nll)] }
    }
}
