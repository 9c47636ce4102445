//! Kullback–Leibler divergences KL(q ‖ p), in nats: closed forms, elementwise, never below 0 and 0 at equality; and Monte Carlo.

use crate::density::{Laplace, MultivariateNormal, Normal, VonMisesFisher};
use crate::estimate::Mean;
use crate::host;
use crate::shape::assert_one_shape;
use crate::special::{attach_gradient, log_sigmoid, log1p, one_minus_exp_neg};
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid, softmax};

/// KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + (σ² − 1 − log σ²)), elementwise (Kingma and Welling 2014, appendix B).
pub fn normal_standard<const D: usize>(q: &Normal<D>) -> Tensor<D> {
    (q.mean().square() + exp_minus_tangent(q.log_var())).mul_scalar(0.5)
}

/// KL(N(μ₁, σ₁²) ‖ N(μ₂, σ₂²)) = ½ ((μ₁ − μ₂)² / σ₂² + (v − 1 − log v)) with v = σ₁² / σ₂², elementwise.
///
/// # Panics
/// If the shapes differ.
pub fn normal_normal<const D: usize>(q: &Normal<D>, p: &Normal<D>) -> Tensor<D> {
    assert_one_shape("kl::normal_normal", ("q", &q.mean()), ("p", &p.mean()));
    let distance = (q.mean() - p.mean()) * p.log_var().mul_scalar(-0.5).exp();
    (distance.square() + exp_minus_tangent(q.log_var() - p.log_var())).mul_scalar(0.5)
}

/// KL(N(μ, LLᵀ) ‖ N(0, I)) = ½ Σᵢ (μᵢ² + Σ_{j<i} Lᵢⱼ² + (Lᵢᵢ² − 1 − log Lᵢᵢ²)) of each row, `[n]`.
pub fn multivariate_normal_standard(q: &MultivariateNormal) -> Tensor<1> {
    let (mean, log_std, _) = q.parameters();
    let below: Tensor<2> = q.strictly_lower().square().sum_dim(2).squeeze_dim(2);
    let each = mean.square() + below + exp_minus_tangent(log_std.mul_scalar(2.0));
    each.sum_dim(1).squeeze_dim::<1>(1).mul_scalar(0.5)
}

/// KL(vMF(μ, κ) ‖ uniform on the sphere) = κ A_d(κ) + log C_d(κ) − log C_d(0) of each row, `[n]` (Davidson et al. 2018, appendix B).
pub fn von_mises_fisher_uniform(q: &VonMisesFisher) -> Tensor<1> {
    q.kl_uniform()
}

/// KL(Laplace(μ₁, b₁) ‖ Laplace(μ₂, b₂)) = (r − 1 − log r) + r (exp(−d) − 1 + d) with r = b₁/b₂, d = |μ₁ − μ₂|/b₁,
/// elementwise (Meyer 2021, "An alternative probabilistic interpretation of the Huber loss", regrouped so that no
/// term is negative).
///
/// # Panics
/// If the shapes differ.
pub fn laplace_laplace<const D: usize>(q: &Laplace<D>, p: &Laplace<D>) -> Tensor<D> {
    assert_one_shape("kl::laplace_laplace", ("q", &q.mean()), ("p", &p.mean()));
    let log_ratio = q.log_scale() - p.log_scale();
    let distance = (q.mean() - p.mean()).abs() * q.log_scale().neg().exp();
    // r (exp(−d) − 1 + d), where d is large with r d = |μ₁ − μ₂|/b₂ as one term: it does not depend on b₁.
    let apart = (q.mean() - p.mean()).abs() * p.log_scale().neg().exp();
    let ratio = log_ratio.clone().exp();
    let far = apart + ratio.clone() * distance.clone().neg().exp().sub_scalar(1.0);
    let near = distance.clone().lower_elem(NEAR);
    let moved = far.mask_where(near, ratio * exp_minus_tangent_near(distance.neg()));
    exp_minus_tangent(log_ratio) + moved
}

/// KL(q ‖ p) = E_q\[log q(x) − log p(x)\] by Monte Carlo, from both log-densities at samples of q, `[samples]`: the mean with its
/// standard error, in nats. A single estimate may be negative.
///
/// # Panics
/// If the shapes differ.
pub fn monte_carlo(log_q: Tensor<1>, log_p: Tensor<1>) -> Mean {
    assert_one_shape("kl::monte_carlo", ("log_q", &log_q), ("log_p", &log_p));
    Mean::of(&host(log_q - log_p))
}

/// KL(Bernoulli(σ(a)) ‖ Bernoulli(σ(b))) = σ(a) log(σ(a)/σ(b)) + σ(−a) log(σ(−a)/σ(−b)) from the logits, elementwise.
///
/// Where it is small, the two terms cancel; there, as [`categorical`] with the two classes' d′ = σ(−a)·d and −σ(a)·d.
///
/// # Panics
/// If the shapes differ.
pub fn bernoulli<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_one_shape("kl::bernoulli", ("a", &a), ("b", &b));
    let (fixed_a, fixed_b) = (a.clone().detach(), b.clone().detach());
    let (on, off) = (sigmoid(fixed_a.clone()), sigmoid(fixed_a.clone().neg()));
    let (log_q_on, log_q_off) = (log_sigmoid(fixed_b.clone()), log_sigmoid(fixed_b.clone().neg()));
    let direct = on.clone() * (log_sigmoid(fixed_a.clone()) - log_q_on.clone())
        + off.clone() * (log_sigmoid(fixed_a.clone().neg()) - log_q_off.clone());
    let d = fixed_b.clone() - fixed_a.clone();
    let (up, down) = (off.clone() * d.clone(), (on.clone() * d.clone()).neg());
    let excess =
        tilted(on.clone(), log_q_on + direct.clone(), up) + tilted(off.clone(), log_q_off + direct.clone(), down);
    // σ(b) − σ(a) = ±σ(max) σ(−min) (1 − exp(−|d|)), in which nothing cancels.
    let slope_b = || {
        let (high, low) = (fixed_a.clone().max_pair(fixed_b.clone()), fixed_a.clone().min_pair(fixed_b.clone()));
        sigmoid(high) * sigmoid(low.neg()) * one_minus_exp_neg(d.clone().abs()) * d.clone().sign()
    };
    let slope_a = || (on.clone() * off.clone() * d.clone()).neg();
    attach_gradient(small_or_direct(excess, direct), [(&a, &slope_a), (&b, &slope_b)])
}

/// KL(Categorical(a) ‖ Categorical(b)) = Σₖ pₖ (log pₖ − log qₖ), p = softmax(a), q = softmax(b); `[n, k]` → `[n]`.
///
/// Where it is small, the terms cancel; there, as log Σₖ pₖ exp(d′ₖ) = log1p(Σₖ pₖ (exp(d′ₖ) − 1 − d′ₖ)) with d = b − a
/// and d′ = d − Σₖ pₖ dₖ: no term is negative.
///
/// # Panics
/// If the shapes differ.
pub fn categorical(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    assert_one_shape("kl::categorical", ("a", &a), ("b", &b));
    let (p, log_q) = (softmax(a.clone(), 1), log_softmax(b.clone(), 1));
    let direct = (p.clone() * (log_softmax(a.clone(), 1) - log_q.clone())).sum_dim(1);
    let d = log_ratio(a, b);
    let centred = d.clone() - (p.clone() * d).sum_dim(1);
    small_or_direct(tilted(p, log_q + direct.clone(), centred).sum_dim(1), direct).squeeze_dim(1)
}

/// b − a but for a constant of each row.
pub(super) fn log_ratio(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    // Common offsets that differ would round all of b − a: then each row from its own maximum.
    let [from_a, from_b] = [&a, &b].map(|logits| logits.clone().detach().max_dim(1));
    let alike = (from_b.clone() - from_a.clone()).abs().lower_elem(1.0);
    (b - from_b.mask_fill(alike.clone(), 0.0)) - (a - from_a.mask_fill(alike, 0.0))
}

/// log1p(excess) where the divergence is small, else the direct sum.
fn small_or_direct<const D: usize>(excess: Tensor<D>, direct: Tensor<D>) -> Tensor<D> {
    const SMALL: f64 = 0.5;
    let small = direct.clone().lower_elem(SMALL);
    direct.mask_where(small, log1p(excess))
}

/// p·(exp(v) − 1 − v) ≥ 0, with log(p·exp(v)) = log q + KL: log p + v would round like the larger of the two.
pub(super) fn tilted<const D: usize>(p: Tensor<D>, log_product: Tensor<D>, v: Tensor<D>) -> Tensor<D> {
    // Passes 1 only where the divergence is large and this value is not used.
    let direct = log_product.clamp_max(1.0).exp() - p.clone() - p.clone() * v.clone();
    direct.mask_where(v.clone().abs().lower_elem(NEAR), p * exp_minus_tangent_near(v))
}

/// |v| below which exp(v) − 1 − v is taken from its Taylor series.
const NEAR: f64 = 0.3;

/// exp(v) − 1 − v ≥ 0. Close to 0, where the three terms cancel, by its Taylor series.
fn exp_minus_tangent<const D: usize>(v: Tensor<D>) -> Tensor<D> {
    let direct = v.clone().exp().sub_scalar(1.0) - v.clone();
    direct.mask_where(v.clone().abs().lower_elem(NEAR), exp_minus_tangent_near(v))
}

/// The Taylor series of exp(v) − 1 − v for |v| ≤ [`NEAR`].
fn exp_minus_tangent_near<const D: usize>(v: Tensor<D>) -> Tensor<D> {
    // Clamped, so that far away, where it is not used, it has a gradient of 0 and not of ∞ · 0.
    let near = v.clamp(-NEAR, NEAR);
    // v²/2 (1 + v/3 (1 + v/4 (1 + v/5 (1 + v/6 (1 + v/7)))))
    let mut series = near.clone().div_scalar(7.0).add_scalar(1.0);
    for divisor in [6.0, 5.0, 4.0, 3.0] {
        series = (series * near.clone()).div_scalar(divisor).add_scalar(1.0);
    }
    near.square().mul_scalar(0.5) * series
}
