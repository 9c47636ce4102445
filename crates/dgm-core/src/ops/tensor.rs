//! The same log-densities in plain tensor operations: the fallback for unlisted backends, and the oracle of the tests.

use crate::special::{log_sigmoid, log_sum_exp, log1m_exp_neg};
use burn::tensor::activation::log_softmax;
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

/// log σ(b) + log σ(−a) + log(1 − exp(a − b)) for the bin from a to b, elementwise; see
/// [`DiscretizedLogistic`](crate::density::DiscretizedLogistic).
fn discretized_logistic_log_prob(mean: Tensor<2>, log_scale: Tensor<2>, x: Tensor<2>, levels: usize) -> Tensor<2> {
    let intervals = (levels - 1) as f64;
    let (first, last) = (x.clone().lower_elem(0.5), x.clone().greater_elem(intervals - 0.5));
    let precision = log_scale.neg().exp();
    // The edges of the bin straight from the level: v ± h, each rounded once.
    let edge = |side: f64| x.clone().mul_scalar(2.0).add_scalar(side - intervals).div_scalar(intervals);
    let upper = (edge(1.0) - mean.clone()) * precision.clone();
    let lower = (edge(-1.0) - mean) * precision.clone();
    let inner = log1m_exp_neg(precision.mul_scalar(2.0 / intervals));
    log_sigmoid(upper).mask_fill(last.clone(), 0.0)
        + log_sigmoid(lower.neg()).mask_fill(first.clone(), 0.0)
        + inner.mask_fill(first, 0.0).mask_fill(last, 0.0)
}

/// log Σₘ πₘ P(x; μₘ, sₘ); see
/// [`discretized_logistic_mixture_log_prob`](super::discretized_logistic_mixture_log_prob).
pub fn discretized_logistic_mixture_log_prob(
    weight_logits: Tensor<2>,
    mean: Tensor<2>,
    log_scale: Tensor<2>,
    x: Tensor<1>,
    levels: usize,
) -> Tensor<1> {
    let x = x.unsqueeze_dim::<2>(1).expand(mean.dims());
    log_sum_exp(log_softmax(weight_logits, 1) + discretized_logistic_log_prob(mean, log_scale, x, levels))
}

/// The logarithms of n factors, (n − i)/(i + 1) of the coefficient among those with i < x, added up; see [`beta_binomial_log_prob`](super::beta_binomial_log_prob).
pub fn beta_binomial_log_prob(log_alpha: Tensor<2>, log_beta: Tensor<2>, x: Tensor<1>, trials: usize) -> Tensor<2> {
    let ([rows, components], device) = (log_alpha.dims(), log_alpha.device());
    let steps = Tensor::<1, Int>::arange(0..trials as i64, &device).float().reshape([1, 1, trials]);
    let x = x.reshape([rows, 1, 1]);
    // 1 where i < x (and so where j = n − 1 − i is not < n − x).
    let below = steps.clone().expand([rows, 1, trials]).lower(x.expand([rows, 1, trials])).float();
    let flipped = steps.clone().neg().add_scalar(trials as f64 - 1.0);
    let alpha = log_alpha.exp().reshape([rows, components, 1]);
    let beta = log_beta.exp().reshape([rows, components, 1]);
    let total = alpha.clone() + beta.clone() + steps.clone();
    let choice = flipped.clone().add_scalar(1.0) / steps.clone().add_scalar(1.0);
    let rise = (alpha + steps) * choice * below.clone() + (beta + flipped) * below.neg().add_scalar(1.0);
    // The ratios before their logarithms: sums of two hundred large logarithms would lose what their difference is.
    (rise / total).log().sum_dim(2).reshape([rows, components])
}
