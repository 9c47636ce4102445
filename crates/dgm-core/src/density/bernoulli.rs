//! Bernoulli: a coin, from its logit.

use super::{Support, assert_one_shape, distribution};
use crate::ops;
use crate::random::Stream;
use crate::special::{log1p, sigmoid};
use burn::tensor::Tensor;

/// P(x = 1) = σ(l), P(x = 0) = σ(−l).
#[derive(Clone, Debug)]
pub struct Bernoulli<const D: usize> {
    logits: Tensor<D>,
}

impl<const D: usize> Bernoulli<D> {
    /// Independent coins with the given logits l = log(p / (1 − p)).
    pub fn from_logits(logits: Tensor<D>) -> Self {
        Self { logits }
    }

    /// 0 and 1.
    pub fn support(&self) -> Support {
        Support::Binary
    }

    /// log p(x) = x·l − softplus(l) in nats, for x in {0, 1}; the shape of the logits.
    ///
    /// # Panics
    /// If the shapes of the logits and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        ops::bernoulli_log_prob(self.logits.clone(), x)
    }

    /// E\[x\] = σ(l).
    pub fn mean(&self) -> Tensor<D> {
        sigmoid(self.logits.clone())
    }

    /// Var\[x\] = σ(l)·σ(−l).
    pub fn variance(&self) -> Tensor<D> {
        self.mean() * sigmoid(self.logits.clone().neg())
    }

    /// 0 up to p = σ(−l), and 1 above.
    ///
    /// # Panics
    /// If the shapes of the logits and `p` differ.
    pub fn quantile(&self, p: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Bernoulli::quantile", ("logits", &self.logits), ("p", &p));
        p.greater(sigmoid(self.logits.clone().neg())).float()
    }

    /// H = softplus(l) − l·σ(l), in nats.
    ///
    /// By symmetry in l, computed from |l|: log1p(exp(−|l|)) + |l|·σ(−|l|), of which neither term cancels.
    pub fn entropy(&self) -> Tensor<D> {
        let size = self.logits.clone().abs();
        log1p(size.clone().neg().exp()) + sigmoid(size.clone().neg()) * size
    }

    /// P(X ≤ x): 0 below 0, σ(−l) from 0 to 1, 1 from there on.
    ///
    /// # Panics
    /// If the shapes of the logits and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Bernoulli::cdf", ("logits", &self.logits), ("x", &x));
        let value = sigmoid(self.logits.clone().neg()).mask_fill(x.clone().greater_equal_elem(1.0), 1.0);
        // x − x: 0, and NaN for NaN.
        value.mask_fill(x.clone().lower_elem(0.0), 0.0) + (x.clone() - x)
    }

    /// One sample of each coin: 1 where a uniform number falls below σ(l).
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        let uniform = rng.uniform_tensor(self.logits.dims(), &self.logits.device());
        uniform.lower(self.mean()).float()
    }
}

distribution!(Bernoulli<D> { variance, entropy, cdf(x), quantile(p) });
