//! Negative log-likelihood.

use super::{Objective, fill_padding, sum_event};
use burn::tensor::Tensor;

/// L = −Σ_d m_d log p(x_d | x_<d, c): the cross-entropy of the data under the model, the maximum-likelihood objective. By the chain
/// rule the sum of an autoregressive model's conditionals is the exact log-likelihood.
///
/// The mask m is 1 where a position is part of the example and 0 where it is padding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nll;

impl Nll {
    /// From `log_prob` `[batch, event]` in nats, and the mask of the same shape for sequences of unequal length; `None`: nothing is
    /// padding. A padded position contributes exactly 0: see [`fill_padding`].
    ///
    /// # Panics
    /// If the shapes of `log_prob` and `mask` differ.
    pub fn objective(&self, log_prob: Tensor<2>, mask: Option<Tensor<2>>) -> Objective {
        let nll = sum_event(fill_padding(log_prob, mask.as_ref())).neg();
        Objective { loss: nll.clone(), terms: vec![("nll", nll)] }
    }

    /// −Σ m log p / Σ m over the whole batch, as the mean over the batch of Lᵢ = (n / N) · nllᵢ, with n examples
    /// and N = Σ m tokens in it: nats per token, whose exponential is the batch's perplexity.
    ///
    /// It is a mean over tokens, so a long example weighs more than a short one; the mean of the examples' own means,
    /// nllᵢ / Nᵢ, is another number. An example without a token has a loss of 0 and takes no part; a batch without one
    /// has a loss of 0 (N is then taken as 1). For a data set, add up [`objective`](Self::objective) and the tokens:
    /// batches differ in N. Shapes, padding and terms (`nll`, not divided) are those of `objective`.
    ///
    /// # Panics
    /// If the shapes of `log_prob` and `mask` differ.
    pub fn per_token(&self, log_prob: Tensor<2>, mask: Option<Tensor<2>>) -> Objective {
        let [batch, length] = log_prob.dims();
        let Objective { loss: nll, terms } = self.objective(log_prob, mask.clone());
        let loss = match mask {
            Some(mask) => {
                // Counted as whole numbers, which f32 would lose beyond 2²⁴ tokens.
                let tokens = mask.detach().lower_elem(0.5).bool_not().int().sum().clamp_min(1).float();
                nll.mul_scalar(batch as f64) / tokens
            }
            None => nll.div_scalar(length.max(1) as f64),
        };
        Objective { loss, terms }
    }
}
