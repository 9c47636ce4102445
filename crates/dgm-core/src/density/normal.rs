//! Normal with a diagonal covariance, from its mean and log-variance.

use crate::random::Stream;
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
        assert_eq!(mean.dims(), log_var.dims(), "Normal: `mean` and `log_var` must have one shape");
        Self { mean, log_var }
    }

    /// log p(x) = −½ (log 2π + log σ² + (x − μ)² / σ²), in nats per unit of x; the shape of the mean.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        // (x − μ) / σ, squared after the division: (x − μ)² alone overflows earlier.
        let standardised = (x - self.mean.clone()) * self.log_var.clone().mul_scalar(-0.5).exp();
        (self.log_var.clone() + standardised.square()).add_scalar(LN_2PI).mul_scalar(-0.5)
    }

    /// μ.
    pub fn mean(&self) -> Tensor<D> {
        self.mean.clone()
    }

    /// log σ².
    pub fn log_var(&self) -> Tensor<D> {
        self.log_var.clone()
    }

    /// H = ½ (1 + log 2π + log σ²), in nats.
    pub fn entropy(&self) -> Tensor<D> {
        self.log_var.clone().add_scalar(1.0 + LN_2PI).mul_scalar(0.5)
    }

    /// μ + σ·ε with ε ~ N(0, 1): differentiable in both parameters (Kingma and Welling 2014, section 2.4).
    pub fn sample(&self, noise: &mut Stream) -> Tensor<D> {
        self.transform(noise.normal_tensor(self.mean.dims(), &self.mean.device()))
    }

    /// μ + σ·ε for a given ε of the mean's shape.
    pub fn transform(&self, epsilon: Tensor<D>) -> Tensor<D> {
        self.mean.clone() + self.log_var.clone().mul_scalar(0.5).exp() * epsilon
    }
}
