//! Normal with a full covariance, from its mean and a Cholesky factor.

use super::Support;
use crate::random::Stream;
use burn::tensor::{Tensor, TensorData};

/// log 2π.
const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// N(x; μ, LLᵀ) for rows x of d numbers, L lower triangular: its diagonal is exp(log_std), what stands below it is given, and all
/// else is 0.
#[derive(Clone, Debug)]
pub struct MultivariateNormal {
    mean: Tensor<2>,
    log_std: Tensor<2>,
    /// `[n, d, d]`; only what is below the diagonal counts.
    below: Tensor<3>,
}

impl MultivariateNormal {
    /// n rows: `mean` and `log_std` (the logarithm of L's diagonal) `[n, d]`, `below` `[n, d, d]`, of which only what is below the
    /// diagonal is read.
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn new(mean: Tensor<2>, log_std: Tensor<2>, below: Tensor<3>) -> Self {
        let ([n, d], of_std, shape) = (mean.dims(), log_std.dims(), below.dims());
        assert_eq!(of_std, [n, d], "MultivariateNormal: `mean` has shape [{n}, {d}] and `log_std` {of_std:?}");
        assert_eq!(shape, [n, d, d], "MultivariateNormal: `mean` has shape [{n}, {d}] and `below` {shape:?}");
        Self { mean, log_std, below }
    }

    /// All finite numbers.
    pub fn support(&self) -> Support {
        Support::Real
    }

    /// μ, `[n, d]`.
    pub fn mean(&self) -> Tensor<2> {
        self.mean.clone()
    }

    /// Mean, log_std and what was given as `below`.
    pub fn parameters(&self) -> (Tensor<2>, Tensor<2>, Tensor<3>) {
        (self.mean.clone(), self.log_std.clone(), self.below.clone())
    }

    /// The same without a gradient to its parameters.
    pub fn detach(&self) -> Self {
        Self {
            mean: self.mean.clone().detach(),
            log_std: self.log_std.clone().detach(),
            below: self.below.clone().detach(),
        }
    }

    /// What is below the diagonal, `[n, d, d]`, and 0 elsewhere.
    pub(crate) fn strictly_lower(&self) -> Tensor<3> {
        let [n, d, _] = self.below.dims();
        let open: Vec<f32> = (0..d * d).map(|i| f32::from(u8::from(i % d < i / d))).collect();
        let open = Tensor::<3>::from_data(TensorData::new(open, [1, d, d]), &self.below.device());
        self.below.clone() * open.expand([n, d, d])
    }

    /// L, `[n, d, d]`.
    pub fn cholesky(&self) -> Tensor<3> {
        let [n, d] = self.mean.dims();
        let one: Vec<f32> = (0..d * d).map(|i| f32::from(u8::from(i % d == i / d))).collect();
        let one = Tensor::<3>::from_data(TensorData::new(one, [1, d, d]), &self.mean.device());
        let diagonal = self.log_std.clone().exp().unsqueeze_dim::<3>(2).expand([n, d, d]);
        self.strictly_lower() + one.expand([n, d, d]) * diagonal
    }

    /// log p(x) = −½ (d log 2π + |L⁻¹(x − μ)|²) − Σ log Lᵢᵢ of each row in nats, `[n, d]` → `[n]`; L⁻¹ by forward substitution.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn log_prob(&self, x: Tensor<2>) -> Tensor<1> {
        let ([n, d], shape) = (self.mean.dims(), x.dims());
        assert_eq!(shape, [n, d], "MultivariateNormal: `mean` has shape [{n}, {d}] and `x` {shape:?}");
        let (rest, below) = (x - self.mean.clone(), self.strictly_lower());
        let inverse = self.log_std.clone().neg().exp();
        let column = |of: &Tensor<2>, i: usize| of.clone().slice([0..n, i..i + 1]);
        let mut epsilon: Vec<Tensor<2>> = Vec::with_capacity(d);
        for i in 0..d {
            let mut left = column(&rest, i);
            if i > 0 {
                let row: Tensor<2> = below.clone().slice([0..n, i..i + 1, 0..i]).reshape([n, i]);
                left = left - (row * Tensor::cat(epsilon.clone(), 1)).sum_dim(1);
            }
            epsilon.push(left * column(&inverse, i));
        }
        self.log_prob_of(Tensor::cat(epsilon, 1))
    }

    /// log p(μ + Lε).
    fn log_prob_of(&self, epsilon: Tensor<2>) -> Tensor<1> {
        let [_, d] = epsilon.dims();
        let quadratic = epsilon.square().sum_dim(1).add_scalar(d as f64 * LN_2PI).mul_scalar(-0.5);
        (quadratic - self.log_std.clone().sum_dim(1)).squeeze_dim(1)
    }

    /// μ + Lε with ε ~ N(0, 1), differentiable in all parameters, and its log p.
    pub fn sample_with_log_prob(&self, rng: &mut Stream) -> (Tensor<2>, Tensor<1>) {
        let epsilon = rng.normal_tensor(self.mean.dims(), &self.mean.device());
        let moved = self.cholesky().matmul(epsilon.clone().unsqueeze_dim(2)).squeeze_dim(2);
        (self.mean.clone() + moved, self.log_prob_of(epsilon))
    }

    /// −E\[log p(x)\] = ½ d (1 + log 2π) + Σ log Lᵢᵢ of each row, in nats.
    pub fn entropy(&self) -> Tensor<1> {
        let [_, d] = self.mean.dims();
        self.log_std.clone().sum_dim(1).squeeze_dim::<1>(1).add_scalar(0.5 * d as f64 * (1.0 + LN_2PI))
    }
}
