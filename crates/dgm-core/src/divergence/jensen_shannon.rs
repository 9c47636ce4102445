//! Jensen–Shannon divergence: symmetric, between 0 and log 2 nats (Lin 1991, "Divergence measures based on the Shannon entropy").
//!
//! JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½ (p + q).

use super::kl;
use crate::estimate::Mean;
use crate::host;
use crate::shape::assert_one_shape;
use crate::special::{attach_gradient, expm1, log_sigmoid, log1p, polynomial};
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// JS of two categorical densities from logits a and b, `[n, k]` → `[n]`, in nats.
///
/// Its gradient is ½ pₖ (log(pₖ/mₖ) − Σⱼ pⱼ log(pⱼ/mⱼ)) to aₖ, and likewise to b.
///
/// # Panics
/// If the shapes differ.
pub fn categorical(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    assert_one_shape("jensen_shannon::categorical", ("a", &a), ("b", &b));
    let (fixed_a, fixed_b) = (a.clone().detach(), b.clone().detach());
    let [log_p, log_q] = [&fixed_a, &fixed_b].map(|logits| log_softmax(logits.clone(), 1));
    // log qₖ − log pₖ = dₖ − Σⱼ pⱼ dⱼ − KL(p ‖ q), of which only the last is rounded like a number near 1.
    let kl = kl::categorical(fixed_a.clone(), fixed_b.clone()).unsqueeze_dim::<2>(1);
    let d = kl::log_ratio(fixed_a, fixed_b);
    let centred = d.clone() - (log_p.clone().exp() * d).sum_dim(1);
    let delta = (log_q.clone() - log_p.clone()).mask_where(centred.clone().abs().lower_elem(1.0), centred - kl);
    let slope = |log_p: &Tensor<2>, delta: Tensor<2>| {
        let (p, over) = (log_p.clone().exp(), over_middle(delta));
        p.clone() * (over.clone() - (p * over).sum_dim(1)).mul_scalar(0.5)
    };
    let (slope_a, slope_b) = (|| slope(&log_p, delta.clone()), || slope(&log_q, delta.clone().neg()));
    attach_gradient(share(&log_p, &log_q, &delta), [(&a, &slope_a), (&b, &slope_b)]).sum_dim(1).squeeze_dim(1)
}

/// JS of two coins from logits a and b, elementwise, in nats.
///
/// Its gradient is ½ σ(a) σ(−a) (a − c) to a, where c is the logit of ½ (σ(a) + σ(b)), and likewise to b.
///
/// # Panics
/// If the shapes differ.
pub fn bernoulli<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_one_shape("jensen_shannon::bernoulli", ("a", &a), ("b", &b));
    let (fixed_a, fixed_b) = (a.clone().detach(), b.clone().detach());
    let logs = |logits: &Tensor<D>| (log_sigmoid(logits.clone()), log_sigmoid(logits.clone().neg()));
    let ((on_a, off_a), (on_b, off_b)) = (logs(&fixed_a), logs(&fixed_b));
    // log σ(b) − log σ(a) = −log(1 + σ(−a) (exp(−d) − 1)): from d itself where it is small.
    let d = fixed_b - fixed_a;
    let near = d.clone().abs().lower_elem(1.0);
    let small = d.clamp(-1.0, 1.0);
    let delta_on = (on_b.clone() - on_a.clone())
        .mask_where(near.clone(), log1p(off_a.clone().exp() * expm1(small.clone().neg())).neg());
    let delta_off = (off_b.clone() - off_a.clone()).mask_where(near, log1p(on_a.clone().exp() * expm1(small)).neg());
    let value = share(&on_a, &on_b, &delta_on) + share(&off_a, &off_b, &delta_off);
    let slope = |on: Tensor<D>, off: Tensor<D>, delta_on: Tensor<D>, delta_off: Tensor<D>| {
        (on + off).exp() * (over_middle(delta_on) - over_middle(delta_off)).mul_scalar(0.5)
    };
    let slope_a = || slope(on_a.clone(), off_a.clone(), delta_on.clone(), delta_off.clone());
    let slope_b = || slope(on_b.clone(), off_b.clone(), delta_on.clone().neg(), delta_off.clone().neg());
    attach_gradient(value, [(&a, &slope_a), (&b, &slope_b)])
}

/// What one class adds: ½ (p log(p/m) + q log(q/m)) + ½ (m − p) + ½ (m − q) = ½ (p log(p/m) + q log(q/m)) ≥ 0, with
/// δ = log q − log p as the caller knows it best.
///
/// ½ (h (log 2 − log1p(e^−|δ|)) − l (|δ| − log 2 + log1p(e^−|δ|))), h and l the higher and the lower of p and q; where
/// that cancels, √(pq) (u sinh u − cosh u log cosh u) with u = δ/2, by its series.
fn share<const D: usize>(log_p: &Tensor<D>, log_q: &Tensor<D>, delta: &Tensor<D>) -> Tensor<D> {
    const NEAR: f64 = 1.0;
    // u²/2 + u⁶/144 − u⁸/720 + …
    const SERIES: [f64; 6] = [-1.026_969_429_747_207_5e-4, 443.0 / 1_209_600.0, -1.0 / 720.0, 1.0 / 144.0, 0.0, 0.5];
    let size = delta.clone().abs();
    let (high, low) = (log_p.clone().max_pair(log_q.clone()).exp(), log_p.clone().min_pair(log_q.clone()).exp());
    let gap = log1p(size.clone().neg().exp()).neg().add_scalar(std::f64::consts::LN_2);
    let far = (high * gap.clone() - low * (size.clone() - gap)).mul_scalar(0.5);
    let square = delta.clone().mul_scalar(0.5).clamp(-0.5 * NEAR, 0.5 * NEAR).square();
    let series = square.clone() * polynomial(&square, &SERIES);
    let close = (log_p.clone() + log_q.clone()).mul_scalar(0.5).exp() * series;
    far.mask_where(size.lower_elem(NEAR), close)
}

/// log(p/m) = −log(½ (1 + e^δ)).
fn over_middle<const D: usize>(delta: Tensor<D>) -> Tensor<D> {
    // For δ > 0 from e^−δ; small ones by log1p(½ (e^δ − 1)).
    let small = delta.clone().clamp(-1.0, 1.0);
    let near = log1p(expm1(small).mul_scalar(0.5));
    let far = delta.clone().clamp_min(0.0) + log1p(delta.clone().abs().neg().exp()).sub_scalar(std::f64::consts::LN_2);
    far.mask_where(delta.abs().lower_elem(1.0), near).neg()
}

/// JS of any two densities, by Monte Carlo from log p and log q at samples of each, in nats:
///
/// log 2 − ½ E_p\[softplus(log q − log p)\] − ½ E_q\[softplus(log p − log q)\].
///
/// `p_samples` = (log p(x), log q(x)) at x drawn from p, `q_samples` the same at x drawn from q; the samples may differ in number. The
/// standard error is that of the two means together; `n` counts all samples.
///
/// # Panics
/// If the two numbers of a pair differ in shape.
pub fn monte_carlo(p_samples: (Tensor<1>, Tensor<1>), q_samples: (Tensor<1>, Tensor<1>)) -> Mean {
    assert_one_shape("jensen_shannon::monte_carlo", ("log p at samples of p", &p_samples.0), ("log q", &p_samples.1));
    assert_one_shape("jensen_shannon::monte_carlo", ("log p at samples of q", &q_samples.0), ("log q", &q_samples.1));
    let mean = |log_ratio: Tensor<1>| Mean::of(&host(log_sigmoid(log_ratio.neg()).neg()));
    let [p, q] = [mean(p_samples.1 - p_samples.0), mean(q_samples.0 - q_samples.1)];
    Mean {
        mean: std::f64::consts::LN_2 - 0.5 * (p.mean + q.mean),
        standard_error: 0.5 * p.standard_error.hypot(q.standard_error),
        n: p.n + q.n,
    }
}
