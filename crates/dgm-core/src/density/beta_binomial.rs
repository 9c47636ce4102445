//! Beta-binomial mixtures: ordinal values 0 ..= n, from two shape parameters per component.
//!
//! Neighbouring levels share probability, which a softmax has to learn level by level. Over a finite support the
//! normalising constants are finite sums of logarithms, so no log-gamma is needed.

use super::{Categorical, Support, assert_one_shape, distribution};
use crate::ops::beta_binomial_log_prob;
use crate::random::Stream;
use crate::special::{log_sum_exp, sigmoid};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// p(x) = Σₘ πₘ BetaBinomial(x; n, αₘ, βₘ) (with one component, the beta-binomial itself), with
///
/// log BetaBinomial(x) = log C(n, x) + Σ_{i<x} log(α + i) + Σ_{j<n−x} log(β + j) − Σ_{i<n} log(α + β + i).
///
/// (Johnson, Kemp and Kotz 2005, section 6.2.2, with B(α + x, β + n − x) / B(α, β) written as rising factorials.)
#[derive(Clone, Debug)]
pub struct BetaBinomialMixture {
    /// log π, `[n, m]`.
    log_weights: Tensor<2>,
    log_alpha: Tensor<2>,
    log_beta: Tensor<2>,
    levels: usize,
}

/// Shape parameters stay in exp(±30), whose sums and ratios f32 holds.
const LOG_SHAPE_BOUND: f64 = 30.0;

impl BetaBinomialMixture {
    /// n variables with values 0 .. `levels`, each a mixture of m components.
    ///
    /// # Shapes
    /// `weight_logits`, `log_alpha`, `log_beta`: `[n, m]`; the shapes' logarithms are clamped to ±30, and have no gradient
    /// beyond.
    ///
    /// # Panics
    /// If the shapes differ or `levels` < 2.
    pub fn new(weight_logits: Tensor<2>, log_alpha: Tensor<2>, log_beta: Tensor<2>, levels: usize) -> Self {
        assert_one_shape("BetaBinomialMixture", ("weight_logits", &weight_logits), ("log_alpha", &log_alpha));
        assert_one_shape("BetaBinomialMixture", ("log_alpha", &log_alpha), ("log_beta", &log_beta));
        assert!(levels >= 2, "BetaBinomialMixture: `levels` is {levels}, need 2 or more");
        Self {
            log_weights: log_softmax(weight_logits, 1),
            log_alpha: log_alpha.clamp(-LOG_SHAPE_BOUND, LOG_SHAPE_BOUND),
            log_beta: log_beta.clamp(-LOG_SHAPE_BOUND, LOG_SHAPE_BOUND),
            levels,
        }
    }

    /// Whole numbers 0 ..= levels − 1.
    pub fn support(&self) -> Support {
        Support::Levels(self.levels)
    }

    /// log p(x) in nats, for whole numbers x in 0 .. levels; `x` `[n]`, the result `[n]`.
    ///
    /// On backends other than flex memory and time grow with n·m·levels, and the error with the levels: 1e-5 at 256, 3e-4 at 4096.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn log_prob(&self, x: Tensor<1>) -> Tensor<1> {
        let ([rows, components], [numbers]) = (self.log_alpha.dims(), x.dims());
        assert_eq!(
            rows, numbers,
            "BetaBinomialMixture::log_prob: parameters of shape [{rows}, {components}] and `x` of shape [{numbers}]"
        );
        let [log_alpha, log_beta] = [&self.log_alpha, &self.log_beta].map(Tensor::clone);
        let component = beta_binomial_log_prob(log_alpha, log_beta, x.clone(), self.levels - 1);
        // x − x: 0, and NaN for NaN.
        log_sum_exp(component + self.log_weights.clone()) + (x.clone() - x)
    }

    /// E\[x\] = Σₘ πₘ n αₘ / (αₘ + βₘ), `[n]`.
    pub fn mean(&self) -> Tensor<1> {
        // α / (α + β) from the difference of the logarithms.
        let part = sigmoid(self.log_alpha.clone() - self.log_beta.clone());
        (self.log_weights.clone().exp() * part).sum_dim(1).mul_scalar(self.levels as f64 - 1.0).squeeze_dim(1)
    }

    /// H = −Σₓ p(x) log p(x) over the levels, `[n]`, in nats.
    pub fn entropy(&self) -> Tensor<1> {
        self.to_categorical().entropy()
    }

    /// P(X ≤ x), `[n]`: 0 below the first level.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn cdf(&self, x: Tensor<1>) -> Tensor<1> {
        let (shape, numbers) = (self.log_alpha.dims(), x.dims());
        assert_eq!(
            shape[0], numbers[0],
            "BetaBinomialMixture::cdf: parameters of shape {shape:?} and `x` of shape {numbers:?}"
        );
        self.to_categorical().cdf(level_indices(x.clone().floor())) + (x.clone() - x)
    }

    /// Var\[x\] over the levels, `[n]`.
    pub fn variance(&self) -> Tensor<1> {
        self.to_categorical().variance()
    }

    /// The lowest level that P(X ≤ x) ≥ p holds for, `[n]`.
    ///
    /// # Panics
    /// If `p` has not n numbers.
    pub fn quantile(&self, p: Tensor<1>) -> Tensor<1> {
        self.to_categorical().quantile(p).float()
    }

    /// One sample of each variable, `[n]`.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<1> {
        self.to_categorical().sample(rng).float()
    }

    /// All probabilities as a [`Categorical`] over the levels.
    pub fn to_categorical(&self) -> Categorical {
        let [rows, components] = self.log_alpha.dims();
        let trials = self.levels - 1;
        let device = self.log_alpha.device();
        let steps = Tensor::<1, Int>::arange(0..trials as i64, &device).float().reshape([1, 1, trials]);
        let alpha = self.log_alpha.clone().exp().reshape([rows, components, 1]);
        let beta = self.log_beta.clone().exp().reshape([rows, components, 1]);
        // p(x + 1)/p(x) = (n − x)/(x + 1) · (x + α)/(n − 1 − x + β): its logarithms add up to those of the probabilities but for
        // their sum, and stay of their size.
        let rest = steps.clone().neg().add_scalar(trials as f64 - 1.0);
        let choice = rest.clone().add_scalar(1.0) / steps.clone().add_scalar(1.0);
        let ratios = ((steps + alpha) / (rest + beta) * choice).log();
        let table = Tensor::cat(vec![Tensor::zeros([rows, components, 1], &device), ratios.cumsum(2)], 2);
        let weighted = log_softmax(table, 2) + self.log_weights.clone().reshape([rows, components, 1]);
        let by_level = weighted.swap_dims(1, 2).reshape([rows * self.levels, components]);
        Categorical::from_logits(log_sum_exp(by_level).reshape([rows, self.levels]))
    }
}

distribution!(BetaBinomialMixture { variance, entropy, cdf(x), quantile(p) });

/// Levels as indices; NaN, of which ndarray makes no integer, as 0.
fn level_indices(x: Tensor<1>) -> Tensor<1, Int> {
    x.clone().mask_fill(x.is_nan(), 0.0).int()
}
