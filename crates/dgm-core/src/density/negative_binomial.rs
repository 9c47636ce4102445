//! Negative binomial: counts whose variance exceeds their mean, from the logarithms of mean and shape.

use super::{Support, assert_one_shape, distribution, sample_on_host};
use crate::random::Stream;
use crate::special::{
    attach_gradient, digamma_minus_log, half_deviance, log_factorial_remainder, log1p, polynomial, stirling_remainder,
};
use burn::tensor::Tensor;
use rand_distr::{Gamma, Poisson};

/// P(x) = Γ(x+r) / (Γ(r) x!) · (r/(r+μ))ʳ (μ/(r+μ))ˣ for whole x ≥ 0, with μ = exp(log_mean), r = exp(log_count):
/// a Poisson count whose rate is a gamma variable of mean μ and shape r.
///
/// Its variance is μ + μ²/r, so it tends to Poisson(μ) with growing r (Hilbe 2011, "Negative binomial regression", NB2).
#[derive(Clone, Debug)]
pub struct NegativeBinomial<const D: usize> {
    log_mean: Tensor<D>,
    log_count: Tensor<D>,
}

/// What the value and the slopes are made of: x, μ, r and (x + r)/(μ + r) − 1.
struct Parts<const D: usize> {
    x: Tensor<D>,
    mean: Tensor<D>,
    count: Tensor<D>,
    excess: Tensor<D>,
}

impl<const D: usize> NegativeBinomial<D> {
    /// Independent counts; `log_mean` and `log_count` (log r) of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(log_mean: Tensor<D>, log_count: Tensor<D>) -> Self {
        assert_one_shape("NegativeBinomial", ("log_mean", &log_mean), ("log_count", &log_count));
        Self { log_mean, log_count }
    }

    /// Whole numbers from 0 on.
    pub fn support(&self) -> Support {
        Support::Counts
    }

    /// log P(x) in nats, for whole x ≥ 0 (to 2²⁴, where f32 stops counting); the shape of the parameters.
    ///
    /// In Loader's saddle-point form, −r·(t − log(1+t)) − d(x, m) + log-corrections, with t = (x − μ)/(r + μ),
    /// m = μ(r + x)/(r + μ) and d the deviance: no log-gamma of a large number is subtracted from another.
    ///
    /// # Panics
    /// If the shapes of the parameters and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("NegativeBinomial::log_prob", ("log_mean", &self.log_mean), ("x", &x));
        let log_mean = self.log_mean.clone().detach();
        let (mean, count) = (log_mean.clone().exp(), self.log_count.clone().detach().exp());
        let total = count.clone() + mean.clone();
        let excess = (x.clone() - mean.clone()) / total.clone();
        let parts = Parts { x: x.clone(), mean: mean.clone(), count: count.clone(), excess };

        let stretch = (count.clone() + x.clone()) / total;
        let deviance = half_deviance(
            x.clone(),
            mean.clone() * stretch.clone(),
            log_mean + stretch.clone().log(),
            count.clone() * parts.excess.clone() / (mean * stretch),
        );
        let gamma = stirling_remainder(count.clone() + x.clone()) - stirling_remainder(count.clone());
        let value = count.clone() * parts.log_minus_excess() - deviance + gamma
            - log1p(x.clone() / count).mul_scalar(0.5)
            - log_factorial_remainder(x);
        attach_gradient(value, [(&self.log_mean, &|| parts.slope_mean()), (&self.log_count, &|| parts.slope_count())])
    }

    /// E\[x\] = μ.
    pub fn mean(&self) -> Tensor<D> {
        self.log_mean.clone().exp()
    }

    /// Var\[x\] = μ + μ²/r.
    pub fn variance(&self) -> Tensor<D> {
        let mean = self.mean();
        mean.clone() + mean.square() * self.log_count.clone().neg().exp()
    }

    /// One sample of each count, on the host: a Poisson count with a gamma rate. NaN where a parameter is not a number.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        sample_on_host([&self.log_mean, &self.log_count], rng, |[log_mean, log_count], rng| {
            let (mean, count) = (log_mean.exp(), log_count.exp());
            let rate = Gamma::new(count, mean / count).map_or(f64::NAN, |gamma| rng.sample(&gamma));
            // A rate that underflows is one of no counts.
            if rate == 0.0 { 0.0 } else { Poisson::new(rate).map_or(f64::NAN, |counts| rng.sample(&counts)) }
        })
    }
}

distribution!(NegativeBinomial<D> { variance });

impl<const D: usize> Parts<D> {
    /// log(1 + t) − t ≤ 0.
    fn log_minus_excess(&self) -> Tensor<D> {
        let t = self.excess.clone();
        // Small: log(1 + t) = 2 artanh s with s = t/(2 + t), and 2s − t = −t s, so nothing of the first order is left.
        let near = t.clone().abs().lower_elem(0.5);
        let small = t.clone().clamp(-0.5, 0.5);
        let s = small.clone() / small.clone().add_scalar(2.0);
        let square = s.clone().square();
        let odd =
            polynomial(&square, &[2.0 / 15.0, 2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0]);
        let close = s * (odd * square - small);
        // Close to t = −1 the digits of 1 + t are gone, but those of (x + r)/(r + μ) are not.
        let ratio = (self.x.clone() + self.count.clone()) / (self.count.clone() + self.mean.clone());
        let low = t.clone().lower_elem(-0.5);
        let far = log1p(t.clone().clamp_min(-0.5)).mask_where(low, ratio.log()) - t;
        far.mask_where(near, close)
    }

    /// ∂/∂log μ = r (x − μ)/(r + μ).
    fn slope_mean(&self) -> Tensor<D> {
        self.count.clone() * self.excess.clone()
    }

    /// ∂/∂log r = r (ψ(x + r) − ψ(r) + log(r/(r+μ)) + (μ − x)/(r + μ)), with ψ(a) = log a + (ψ(a) − log a).
    fn slope_count(&self) -> Tensor<D> {
        let total = self.x.clone() + self.count.clone();
        let rest = digamma_minus_log(total) - digamma_minus_log(self.count.clone());
        self.count.clone() * (self.log_minus_excess() + rest)
    }
}
