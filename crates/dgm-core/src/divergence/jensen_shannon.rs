//! Jensen–Shannon divergence: symmetric, between 0 and log 2 nats (Lin 1991, "Divergence measures based on the Shannon entropy").
//!
//! JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½ (p + q).

use super::kl;
use crate::density::assert_one_shape;
use crate::estimate::Mean;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Tensor, activation::softplus};

/// JS of two categorical densities from logits a and b, `[n, k]` → `[n]`, in nats.
///
/// # Panics
/// If the shapes differ.
pub fn categorical(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    assert_one_shape("jensen_shannon::categorical", ("a", &a), ("b", &b));
    let middle = log_mean(log_softmax(a.clone(), 1), log_softmax(b.clone(), 1));
    (kl::categorical(a, middle.clone()) + kl::categorical(b, middle)).mul_scalar(0.5)
}

/// JS of two coins from logits a and b, elementwise, in nats.
///
/// # Panics
/// If the shapes differ.
pub fn bernoulli<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_one_shape("jensen_shannon::bernoulli", ("a", &a), ("b", &b));
    let on = log_mean(log_sigmoid(a.clone()), log_sigmoid(b.clone()));
    let off = log_mean(log_sigmoid(a.clone().neg()), log_sigmoid(b.clone().neg()));
    let middle = on - off;
    (kl::bernoulli(a, middle.clone()) + kl::bernoulli(b, middle)).mul_scalar(0.5)
}

/// JS of any two densities, by Monte Carlo from log p and log q at draws of each, in nats:
///
/// log 2 − ½ E_p\[softplus(log q − log p)\] − ½ E_q\[softplus(log p − log q)\].
///
/// `p_draws` = (log p(x), log q(x)) at x drawn from p, `q_draws` the same at x drawn from q; the draws may differ in number. The
/// standard error is that of the two means together; `n` counts all draws.
///
/// # Panics
/// If the two numbers of a pair differ in shape.
pub fn monte_carlo(p_draws: (Tensor<1>, Tensor<1>), q_draws: (Tensor<1>, Tensor<1>)) -> Mean {
    assert_one_shape("jensen_shannon::monte_carlo", ("log p at draws of p", &p_draws.0), ("log q", &p_draws.1));
    assert_one_shape("jensen_shannon::monte_carlo", ("log p at draws of q", &q_draws.0), ("log q", &q_draws.1));
    let mean = |log_ratio: Tensor<1>| Mean::of(&softplus(log_ratio, 1.0).into_data().iter::<f64>().collect::<Vec<_>>());
    let [p, q] = [mean(p_draws.1 - p_draws.0), mean(q_draws.0 - q_draws.1)];
    Mean {
        mean: std::f64::consts::LN_2 - 0.5 * (p.mean + q.mean),
        standard_error: 0.5 * p.standard_error.hypot(q.standard_error),
        n: p.n + q.n,
    }
}

/// log(½ (exp(a) + exp(b))), elementwise.
fn log_mean<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let max = a.clone().max_pair(b.clone()).detach();
    ((a - max.clone()).exp() + (b - max.clone()).exp()).mul_scalar(0.5).log() + max
}
