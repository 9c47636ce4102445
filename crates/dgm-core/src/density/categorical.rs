//! Categorical: one of k classes, from k logits.

use super::{Distribution, Support, pick};
use crate::ops;
use crate::random::Stream;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor};

/// P(x = c) = exp(l\[c\]) / Σₖ exp(lₖ), for n independent variables.
#[derive(Clone, Debug)]
pub struct Categorical {
    logits: Tensor<2>,
}

impl Categorical {
    /// n variables of k classes from logits `[n, k]`, which need not be normalised; −∞ rules a class out.
    ///
    /// # Panics
    /// If there is no class.
    pub fn from_logits(logits: Tensor<2>) -> Self {
        let shape = logits.dims();
        assert!(shape[1] > 0, "Categorical: `logits` has shape {shape:?}, need 1 column or more");
        Self { logits }
    }

    /// The classes 0 ..= k − 1.
    pub fn support(&self) -> Support {
        Support::Levels(self.logits.dims()[1])
    }

    /// log p(class) = l\[class\] − logsumexp(l) in nats; `class` `[n]` in 0 .. k, the result `[n]`.
    ///
    /// # Panics
    /// If `class` has not n numbers; for a class out of range see [`ops::categorical_log_prob`].
    pub fn log_prob(&self, class: Tensor<1, Int>) -> Tensor<1> {
        ops::categorical_log_prob(self.logits.clone(), class)
    }

    /// The logarithm of all probabilities, `[n, k]`, in nats.
    pub fn log_probs(&self) -> Tensor<2> {
        log_softmax(self.logits.clone(), 1)
    }

    /// H = −Σₖ pₖ log pₖ, `[n]`, in nats.
    pub fn entropy(&self) -> Tensor<1> {
        // 0 · log 0 = 0.
        let log_probs = self.log_probs().clamp_min(f64::from(f32::MIN));
        (log_probs.clone().exp() * log_probs).sum_dim(1).neg().squeeze_dim(1)
    }

    /// The most probable class, `[n]`.
    pub fn mode(&self) -> Tensor<1, Int> {
        self.logits.clone().argmax(1).squeeze_dim(1)
    }

    /// E\[x\] of the class as a number, `[n]`.
    pub fn mean(&self) -> Tensor<1> {
        let [_, classes] = self.logits.dims();
        let values = Tensor::<1, Int>::arange(0..classes as i64, &self.logits.device()).float();
        (softmax(self.logits.clone(), 1) * values.unsqueeze()).sum_dim(1).squeeze_dim(1)
    }

    /// Var\[x\] of the class as a number, `[n]`.
    pub fn variance(&self) -> Tensor<1> {
        let [_, classes] = self.logits.dims();
        let values = Tensor::<1, Int>::arange(0..classes as i64, &self.logits.device()).float();
        let apart = values.unsqueeze::<2>() - self.mean().unsqueeze_dim::<2>(1);
        (softmax(self.logits.clone(), 1) * apart.square()).sum_dim(1).squeeze_dim(1)
    }

    /// The lowest class that P(X ≤ class) ≥ p holds for, `[n]`.
    ///
    /// # Panics
    /// If `p` has not n numbers.
    pub fn quantile(&self, p: Tensor<1>) -> Tensor<1, Int> {
        let ([rows, classes], [numbers]) = (self.logits.dims(), p.dims());
        assert_eq!(rows, numbers, "Categorical::quantile: `logits` has shape [{rows}, {classes}] and `p` [{numbers}]");
        let below = softmax(self.logits.clone(), 1).cumsum(1).lower(p.unsqueeze_dim::<2>(1).expand([rows, classes]));
        below.int().sum_dim(1).clamp_max(classes as i64 - 1).squeeze_dim(1)
    }

    /// P(X ≤ class) of ordered classes, `[n]`: the sum of their probabilities from 0 on, 0 for a negative class, 1 from the
    /// last one on.
    ///
    /// # Panics
    /// If `class` has not n numbers.
    pub fn cdf(&self, class: Tensor<1, Int>) -> Tensor<1> {
        let ([rows, classes], [numbers]) = (self.logits.dims(), class.dims());
        assert_eq!(rows, numbers, "Categorical::cdf: `logits` has shape [{rows}, {classes}] and `class` [{numbers}]");
        let last = classes as i64 - 1;
        let (below, above) = (class.clone().lower_elem(0), class.clone().greater_equal_elem(last));
        let sum = pick(softmax(self.logits.clone(), 1).cumsum(1), &class.clamp(0, last));
        sum.mask_fill(below, 0.0).mask_fill(above, 1.0)
    }

    /// One sample of each variable, `[n]`: the number of classes whose cumulative probability a uniform number reaches.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<1, Int> {
        let [rows, classes] = self.logits.dims();
        let cumulative = softmax(self.logits.clone(), 1).cumsum(1);
        let uniform = rng.uniform_tensor([rows, 1], &self.logits.device());
        // Rounding may leave the last cumulative probability short of 1: scaling by it keeps the class in range.
        let last = cumulative.clone().slice([0..rows, classes - 1..classes]);
        let passed = cumulative.lower_equal(uniform * last).int().sum_dim(1);
        passed.clamp_max(classes as i64 - 1).squeeze_dim(1)
    }
}

/// The classes as whole floats.
impl Distribution<1> for Categorical {
    fn support(&self) -> Support {
        self.support()
    }

    fn log_prob(&self, x: Tensor<1>) -> Tensor<1> {
        self.log_prob(x.int())
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<1> {
        self.sample(rng).float()
    }

    fn mean(&self) -> Tensor<1> {
        self.mean()
    }

    fn variance(&self) -> Option<Tensor<1>> {
        Some(self.variance())
    }

    fn entropy(&self) -> Option<Tensor<1>> {
        Some(self.entropy())
    }

    fn cdf(&self, x: Tensor<1>) -> Option<Tensor<1>> {
        Some(self.cdf(x.floor().int()))
    }

    fn quantile(&self, p: Tensor<1>) -> Option<Tensor<1>> {
        Some(self.quantile(p).float())
    }
}
