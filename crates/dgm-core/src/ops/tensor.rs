//! The same log-densities in plain tensor operations: the fallback for unlisted backends, and the oracle of the tests.

use burn::tensor::{Int, Tensor};

/// x·l − max(l, 0) − log1p(exp(−|l|)); see [`bernoulli_log_prob`](super::bernoulli_log_prob).
pub fn bernoulli_log_prob<const D: usize>(logits: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
    // max(l, 0) and |l| as products with constants: their own gradients at 0 would add up to 0 or 1 instead of σ(0) = ½.
    let positive = logits.clone().detach().greater_equal_elem(0.0).float();
    let sign = positive.clone().mul_scalar(2.0).sub_scalar(1.0);
    let decay = (logits.clone() * sign).neg().exp().log1p();
    (x - positive) * logits - decay
}

/// gather(l − logsumexp l, class); see [`categorical_log_prob`](super::categorical_log_prob).
pub fn categorical_log_prob(logits: Tensor<2>, class: Tensor<1, Int>) -> Tensor<1> {
    let shifted = logits.clone() - logits.detach().max_dim(1);
    let log_sum = shifted.clone().exp().sum_dim(1).log();
    (shifted.gather(1, class.unsqueeze_dim(1)) - log_sum).squeeze_dim(1)
}
