//! Student's t with a location and a scale: regression that outliers do not bend.

mod standard;

use super::{Support, assert_one_shape, distribution, on_host, sample_on_host};
use crate::random::Stream;
use crate::special::{LN_SQRT_2PI, digamma_half_step, log_gamma_half_step, log1p};
use burn::tensor::Tensor;
use rand_distr::StudentT as Standard;

/// p(x) = Γ((ν+1)/2) / (Γ(ν/2) √(πν) s) · (1 + z²/ν)^(−(ν+1)/2), z = (x − μ)/s, s = exp(log_scale), ν = exp(log_dof).
///
/// (Johnson, Kotz and Balakrishnan 1995, chapter 28.) It tends to N(μ, s²) with growing ν, at which no term here loses
/// digits: the ratio of gammas is taken as a whole.
#[derive(Clone, Debug)]
pub struct StudentT<const D: usize> {
    mean: Tensor<D>,
    log_scale: Tensor<D>,
    log_dof: Tensor<D>,
}

impl<const D: usize> StudentT<D> {
    /// Independent variables; location, log-scale and log ν (degrees of freedom) of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(mean: Tensor<D>, log_scale: Tensor<D>, log_dof: Tensor<D>) -> Self {
        assert_one_shape("StudentT", ("mean", &mean), ("log_scale", &log_scale));
        assert_one_shape("StudentT", ("mean", &mean), ("log_dof", &log_dof));
        Self { mean, log_scale, log_dof }
    }

    /// All finite numbers.
    pub fn support(&self) -> Support {
        Support::Real
    }

    /// log p(x) in nats per unit of x; the shape of the mean.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("StudentT::log_prob", ("mean", &self.mean), ("x", &x));
        let scaled =
            (x - self.mean.clone()) * (self.log_scale.clone() + self.log_dof.clone().mul_scalar(0.5)).neg().exp();
        self.log_peak() - self.log_scale.clone() - self.tail(scaled)
    }

    /// log Γ((ν+1)/2) − log Γ(ν/2) − ½ log(πν): the log-density at the centre for s = 1.
    fn log_peak(&self) -> Tensor<D> {
        log_gamma_half_step(self.half_dof()).sub_scalar(LN_SQRT_2PI)
    }

    fn half_dof(&self) -> Tensor<D> {
        self.log_dof.clone().exp().mul_scalar(0.5)
    }

    /// (ν+1)/2 · log(1 + w²) for w = z/√ν.
    fn tail(&self, w: Tensor<D>) -> Tensor<D> {
        let dof = self.log_dof.clone().exp();
        // Beyond 1 as 2 log|w| + log(1 + 1/w²), before w² overflows.
        let far = w.clone().detach().abs().greater_elem(1.0);
        let outer = w.clone().abs().clamp_min(1.0);
        let outer = outer.clone().log().mul_scalar(2.0) + log1p(outer.square().recip());
        let log = log1p(w.clamp(-1.0, 1.0).square()).mask_where(far, outer);
        (dof.add_scalar(1.0) * log).mul_scalar(0.5)
    }

    /// μ: the mean for ν > 1, and the median always.
    pub fn mean(&self) -> Tensor<D> {
        self.mean.clone()
    }

    /// Var\[x\] = s² ν/(ν − 2) for ν > 2, and ∞ up to there.
    pub fn variance(&self) -> Tensor<D> {
        let dof = self.log_dof.clone().exp();
        let square = self.log_scale.clone().mul_scalar(2.0).exp();
        let none = dof.clone().lower_equal_elem(2.0);
        (square * dof.clone() / dof.sub_scalar(2.0)).mask_fill(none, f64::INFINITY)
    }

    /// H = log s − log p₀ + (ν+1)/2 · (ψ((ν+1)/2) − ψ(ν/2)), in nats, with p₀ the density at the centre for s = 1.
    pub fn entropy(&self) -> Tensor<D> {
        let half = self.half_dof();
        self.log_scale.clone() - self.log_peak() + half.clone().add_scalar(0.5) * digamma_half_step(half)
    }

    /// P(X ≤ x), computed on the host; no gradient goes through it.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("StudentT::cdf", ("mean", &self.mean), ("x", &x));
        on_host([&self.mean, &self.log_scale, &self.log_dof, &x], |[mean, log_scale, log_dof, x]| {
            standard::cdf((x - mean) * (-log_scale).exp(), log_dof.exp())
        })
    }

    /// The x with P(X ≤ x) = p, computed on the host; no gradient goes through it.
    ///
    /// # Panics
    /// If the shapes of the mean and `p` differ.
    pub fn quantile(&self, p: Tensor<D>) -> Tensor<D> {
        assert_one_shape("StudentT::quantile", ("mean", &self.mean), ("p", &p));
        on_host([&self.mean, &self.log_scale, &self.log_dof, &p], |[mean, log_scale, log_dof, p]| {
            mean + log_scale.exp() * standard::quantile(p, log_dof.exp())
        })
    }

    /// μ + s·ε with ε a standard Student number of ν degrees of freedom, drawn on the host: differentiable in the location and
    /// the scale, not in ν.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        let epsilon = sample_on_host([&self.log_dof], rng, |[log_dof], rng| {
            Standard::new(log_dof.exp()).map_or(f64::NAN, |standard| rng.sample(&standard))
        });
        self.mean.clone() + self.log_scale.clone().exp() * epsilon
    }
}

distribution!(StudentT<D> { variance, entropy, cdf(x), quantile(p) });
