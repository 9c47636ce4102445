//! Continuous Bernoulli on [0, 1]: the density that a Bernoulli's cross-entropy belongs to when pixels are grey.

use super::{Support, assert_one_shape, distribution};
use crate::random::Stream;
use crate::special::{attach_gradient, log1p, one_minus_exp_neg, polynomial};
use burn::tensor::{Bool, Tensor};

/// p(x) = C(l) exp(l·x) on [0, 1], with C(l) = l / (exp(l) − 1), from the logit l = log(λ / (1 − λ)).
///
/// Loaiza-Ganem and Cunningham 2019, "The continuous Bernoulli". A Bernoulli's x·l − softplus(l) at a grey x lacks C(l), so it
/// is no log-density.
///
/// Everything is computed from the edge that l favours: with a = |l|, the distance y of x from that edge is an
/// exponential variable of rate a, cut off at 1.
#[derive(Clone, Debug)]
pub struct ContinuousBernoulli<const D: usize> {
    logits: Tensor<D>,
}

/// a below which the power series around 0 are used.
const NEAR: f64 = 1.0;

impl<const D: usize> ContinuousBernoulli<D> {
    /// Independent variables with the given logits.
    pub fn from_logits(logits: Tensor<D>) -> Self {
        Self { logits }
    }

    /// Numbers from 0 to 1.
    pub fn support(&self) -> Support {
        Support::UnitInterval
    }

    /// log p(x) = l·x + log C(l) in nats, for x in [0, 1]; the shape of the logits.
    ///
    /// # Panics
    /// If the shapes of the logits and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("ContinuousBernoulli::log_prob", ("logits", &self.logits), ("x", &x));
        let (a, near) = self.rate();
        let y = self.mirrored(x.clone().detach());
        let small = a.clone().clamp_max(NEAR);
        let close = y.clone().sub_scalar(0.5).neg() * a.clone() - log_sinhc(small);
        let value = (log_norm_far(a.clone()) - a * y.clone()).mask_where(near, close);
        // E[y] − y; close to the middle from ½ − y, so that the two halves do not round.
        let slope = || {
            let (a, near) = self.rate();
            let small = a.clamp_max(NEAR);
            let close = y.clone().neg().add_scalar(0.5) - centre_slope(small.clone()) * small;
            self.signed((self.distance_mean() - y.clone()).mask_where(near, close))
        };
        attach_gradient(value, [(&self.logits, &slope), (&x, &|| self.logits.clone())])
    }

    /// E\[x\] = 1 / (1 − exp(−l)) − 1/l; ½ at l = 0.
    pub fn mean(&self) -> Tensor<D> {
        attach_gradient(self.mirrored(self.distance_mean()), [(&self.logits, &|| self.variance())])
    }

    /// Var\[x\] = 1/l² − 1 / (4 sinh²(l/2)); 1/12 at l = 0. Carries no gradient.
    pub fn variance(&self) -> Tensor<D> {
        let (a, near) = self.rate();
        let square = a.clone().clamp_max(NEAR).square();
        let close = polynomial(&square, &[1.0 / 5_322_240.0, -1.0 / 172_800.0, 1.0 / 6048.0, -1.0 / 240.0, 1.0 / 12.0]);
        let a = a.clamp_min(NEAR);
        let odds = a.clone().neg().exp() / one_minus_exp_neg(a.clone()).square();
        (a.square().recip() - odds).mask_where(near, close)
    }

    /// H = −log C(l) − l·E\[x\], the differential entropy in nats: 0 at l = 0 and negative elsewhere.
    pub fn entropy(&self) -> Tensor<D> {
        let (a, near) = self.rate();
        let small = a.clone().clamp_max(NEAR);
        let close = log_sinhc(small.clone()) - small.clone().square() * centre_slope(small);
        let value = (a.clone() * self.distance_mean() - log_norm_far(a)).mask_where(near, close);
        attach_gradient(value, [(&self.logits, &|| (self.logits.clone() * self.variance()).neg())])
    }

    /// P(X ≤ x) = (exp(l·x) − 1) / (exp(l) − 1) for x in [0, 1]; x at l = 0; 0 below and 1 above. Carries no gradient to the
    /// logits.
    ///
    /// # Panics
    /// If the shapes of the logits and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("ContinuousBernoulli::cdf", ("logits", &self.logits), ("x", &x));
        let x = x.clamp(0.0, 1.0);
        let fixed = x.clone().detach();
        // At l = 0 the ratio is 0/0; at any rate this small it is x.
        let a = self.rate().0.clamp_min(1e-12);
        let part = one_minus_exp_neg(a.clone() * fixed.clone()) / one_minus_exp_neg(a.clone());
        let remote = (a * (fixed.clone().neg().add_scalar(1.0))).neg().exp();
        let value = part.clone().mask_where(self.favours_one(), part * remote);
        attach_gradient(value, [(&x, &|| self.log_prob(fixed.clone()).exp())])
    }

    /// The quantile at a uniform number: differentiable in the logits.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        self.quantile(rng.uniform_tensor(self.logits.dims(), &self.logits.device()))
    }

    /// x = log(1 + u (exp(l) − 1)) / l, the inverse of the cdf at u: differentiable in the logits.
    ///
    /// # Panics
    /// If the shapes of the logits and `u` differ.
    pub fn quantile(&self, u: Tensor<D>) -> Tensor<D> {
        const SMALL: f64 = 0.05;
        assert_one_shape("ContinuousBernoulli::quantile", ("logits", &self.logits), ("u", &u));
        let near = self.logits.clone().abs().lower_elem(SMALL);
        // log E exp(l·B) / l of a coin B with probability u: the coefficients are its cumulants.
        let l = self.logits.clone().clamp(-SMALL, SMALL);
        let spread = u.clone() * u.clone().neg().add_scalar(1.0);
        let skew = spread.clone() * u.clone().mul_scalar(-2.0).add_scalar(1.0);
        let tail = spread.clone() * spread.clone().mul_scalar(-6.0).add_scalar(1.0);
        let slope =
            spread.mul_scalar(0.5) + (skew.mul_scalar(1.0 / 6.0) + l.clone() * tail.mul_scalar(1.0 / 24.0)) * l.clone();
        let close = u.clone() + l * slope;
        let a = self.logits.clone().abs().clamp_min(SMALL);
        // 1 − 2⁻²⁴ is the largest number below 1: there the logarithm is still finite.
        let passed = (self.mirrored(u) * one_minus_exp_neg(a.clone())).clamp_max(1.0 - 1.0 / 16_777_216.0);
        self.mirrored((log1p(passed.neg()).neg() / a).clamp_max(1.0)).mask_where(near, close)
    }

    /// a = |l| without gradient, and where it is small.
    fn rate(&self) -> (Tensor<D>, Tensor<D, Bool>) {
        let a = self.logits.clone().detach().abs();
        let near = a.clone().lower_elem(NEAR);
        (a, near)
    }

    fn favours_one(&self) -> Tensor<D, Bool> {
        self.logits.clone().detach().greater_equal_elem(0.0)
    }

    /// From x to its distance from the favoured edge, and back: 1 − x where l ≥ 0, else x.
    fn mirrored(&self, x: Tensor<D>) -> Tensor<D> {
        x.clone().mask_where(self.favours_one(), x.neg().add_scalar(1.0))
    }

    /// Minus where l < 0.
    fn signed(&self, value: Tensor<D>) -> Tensor<D> {
        value.clone().neg().mask_where(self.favours_one(), value)
    }

    /// E\[y\] = 1/a − 1 / (exp(a) − 1).
    fn distance_mean(&self) -> Tensor<D> {
        let (a, near) = self.rate();
        let small = a.clone().clamp_max(NEAR);
        let close = (centre_slope(small.clone()) * small).neg().add_scalar(0.5);
        let a = a.clamp_min(NEAR);
        let odds = a.clone().neg().exp() / one_minus_exp_neg(a.clone());
        (a.recip() - odds).mask_where(near, close)
    }
}

distribution!(ContinuousBernoulli<D> { variance, entropy, cdf(x), quantile(p) });

/// log(a / (1 − exp(−a))) for a ≥ [`NEAR`]: the log-density at the favoured edge.
fn log_norm_far<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let a = a.clamp_min(NEAR);
    a.clone().log() - log1p(a.neg().exp().neg())
}

/// log(sinh(a/2) / (a/2)) for 0 ≤ a ≤ [`NEAR`], Σ B₂ₙ a²ⁿ / (2n (2n)!) with the Bernoulli numbers B₂ₙ.
fn log_sinhc<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let q = a.square();
    let series = polynomial(&q, &[1.0 / 479_001_600.0, -1.0 / 9_676_800.0, 1.0 / 181_440.0, -1.0 / 2880.0, 1.0 / 24.0]);
    series * q
}

/// (½ − E\[y\]) / a for 0 ≤ a ≤ [`NEAR`], Σ B₂ₙ a²ⁿ⁻² / (2n)!.
fn centre_slope<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    polynomial(&a.square(), &[1.0 / 47_900_160.0, -1.0 / 1_209_600.0, 1.0 / 30_240.0, -1.0 / 720.0, 1.0 / 12.0])
}
