//! Laplace, from its mean and the logarithm of its scale.

use super::{Support, assert_one_shape, distribution};
use crate::random::Stream;
use crate::special::{attach_gradient, log1p};
use burn::tensor::Tensor;

/// p(x) = exp(−|x − μ| / b) / (2b) with b = exp(log_scale): errors with heavier tails than a normal's.
#[derive(Clone, Debug)]
pub struct Laplace<const D: usize> {
    mean: Tensor<D>,
    log_scale: Tensor<D>,
}

impl<const D: usize> Laplace<D> {
    /// Independent variables; `mean` and `log_scale` of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(mean: Tensor<D>, log_scale: Tensor<D>) -> Self {
        assert_one_shape("Laplace", ("mean", &mean), ("log_scale", &log_scale));
        Self { mean, log_scale }
    }

    /// All finite numbers.
    pub fn support(&self) -> Support {
        Support::Real
    }

    /// (x − μ) / b.
    fn standardised(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Laplace", ("mean", &self.mean), ("x", &x));
        (x - self.mean.clone()) * self.log_scale.clone().neg().exp()
    }

    /// log p(x) = −log 2 − log b − |x − μ| / b, in nats per unit of x; the shape of the mean.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        (self.standardised(x).abs() + self.log_scale.clone()).add_scalar(std::f64::consts::LN_2).neg()
    }

    /// μ.
    pub fn mean(&self) -> Tensor<D> {
        self.mean.clone()
    }

    /// log b.
    pub fn log_scale(&self) -> Tensor<D> {
        self.log_scale.clone()
    }

    /// Var\[x\] = 2b².
    pub fn variance(&self) -> Tensor<D> {
        self.log_scale.clone().mul_scalar(2.0).exp().mul_scalar(2.0)
    }

    /// H = 1 + log 2b, in nats.
    pub fn entropy(&self) -> Tensor<D> {
        self.log_scale.clone().add_scalar(1.0 + std::f64::consts::LN_2)
    }

    /// P(X ≤ x): ½ exp(z) below the mean and 1 − ½ exp(−z) above, z = (x − μ) / b.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        let z = self.standardised(x);
        let fixed = z.clone().detach();
        let tail = fixed.clone().abs().neg().exp().mul_scalar(0.5);
        let value = tail.clone().mask_where(fixed.greater_elem(0.0), tail.clone().neg().add_scalar(1.0));
        attach_gradient(value, [(&z, &|| tail.clone())])
    }

    /// μ + b log 2p up to p = ½, and μ − b log 2(1 − p) above.
    ///
    /// # Panics
    /// If the shapes of the mean and `p` differ.
    pub fn quantile(&self, p: Tensor<D>) -> Tensor<D> {
        let rest = p.clone().neg().add_scalar(1.0);
        let upper = p.clone().greater_elem(0.5);
        let tail = p.mask_where(upper.clone(), rest).mul_scalar(2.0).log();
        self.transform(tail.clone().mask_where(upper, tail.neg()))
    }

    /// μ + b·ε with ε a standard Laplace number: differentiable in both parameters.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        let (shape, device) = (self.mean.dims(), self.mean.device());
        // An exponential number with a random sign.
        let size = log1p(rng.uniform_tensor(shape, &device).neg()).neg();
        let sign = rng.uniform_tensor(shape, &device).lower_elem(0.5).float().mul_scalar(2.0).sub_scalar(1.0);
        self.transform(size * sign)
    }

    /// μ + b·ε for a given ε of the mean's shape.
    ///
    /// # Panics
    /// If the shapes of the mean and `epsilon` differ.
    pub fn transform(&self, epsilon: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Laplace::transform", ("mean", &self.mean), ("epsilon", &epsilon));
        self.mean.clone() + self.log_scale.clone().exp() * epsilon
    }
}

distribution!(Laplace<D> { variance, entropy, cdf(x), quantile(p) });
