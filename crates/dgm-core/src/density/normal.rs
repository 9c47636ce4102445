//! Normal with a diagonal covariance, from its mean and log-variance.

use super::{Support, assert_one_shape, distribution};
use crate::random::Stream;
use crate::special::{normal_cdf, normal_quantile};
use burn::tensor::Tensor;

/// log 2π.
const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// N(x; μ, σ²) with σ² = exp(log_var).
#[derive(Clone, Debug)]
pub struct Normal<const D: usize> {
    mean: Tensor<D>,
    log_var: Tensor<D>,
}

impl<const D: usize> Normal<D> {
    /// Independent normals; `mean` and `log_var` of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(mean: Tensor<D>, log_var: Tensor<D>) -> Self {
        assert_one_shape("Normal", ("mean", &mean), ("log_var", &log_var));
        Self { mean, log_var }
    }

    /// All finite numbers.
    pub fn support(&self) -> Support {
        Support::Real
    }

    /// (x − μ) / σ.
    fn standardised(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Normal", ("mean", &self.mean), ("x", &x));
        (x - self.mean.clone()) * self.log_var.clone().mul_scalar(-0.5).exp()
    }

    /// log p(x) = −½ (log 2π + log σ² + (x − μ)² / σ²), in nats per unit of x; the shape of the mean.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        // Squared after the division: (x − μ)² alone overflows earlier.
        (self.log_var.clone() + self.standardised(x).square()).add_scalar(LN_2PI).mul_scalar(-0.5)
    }

    /// μ.
    pub fn mean(&self) -> Tensor<D> {
        self.mean.clone()
    }

    /// log σ².
    pub fn log_var(&self) -> Tensor<D> {
        self.log_var.clone()
    }

    /// σ².
    pub fn variance(&self) -> Tensor<D> {
        self.log_var.clone().exp()
    }

    /// The same density with its parameters held fixed: no gradient reaches them.
    pub fn detach(&self) -> Self {
        Self { mean: self.mean.clone().detach(), log_var: self.log_var.clone().detach() }
    }

    /// H = ½ (1 + log 2π + log σ²), in nats.
    pub fn entropy(&self) -> Tensor<D> {
        self.log_var.clone().add_scalar(1.0 + LN_2PI).mul_scalar(0.5)
    }

    /// P(X ≤ x) = Φ((x − μ) / σ), relatively accurate in the lower tail too.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        normal_cdf(self.standardised(x))
    }

    /// μ + σ·Φ⁻¹(p).
    ///
    /// # Panics
    /// If the shapes of the mean and `p` differ.
    pub fn quantile(&self, p: Tensor<D>) -> Tensor<D> {
        self.transform(normal_quantile(p))
    }

    /// μ + σ·ε with ε ~ N(0, 1): differentiable in both parameters (Kingma and Welling 2014, section 2.4).
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        self.transform(rng.normal_tensor(self.mean.dims(), &self.mean.device()))
    }

    /// μ + σ·ε for a given ε of the mean's shape.
    ///
    /// # Panics
    /// If the shapes of the mean and `epsilon` differ.
    pub fn transform(&self, epsilon: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Normal::transform", ("mean", &self.mean), ("epsilon", &epsilon));
        self.mean.clone() + self.log_var.clone().mul_scalar(0.5).exp() * epsilon
    }
}

distribution!(Normal<D> { variance, entropy, cdf(x), quantile(p) });
