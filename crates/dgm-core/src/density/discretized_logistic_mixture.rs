//! Mixtures of discretised logistics: ordinal levels with several likely values.

use super::{Categorical, Support, assert_one_shape, discretized_logistic, distribution, pick};
use crate::ops;
use crate::random::Stream;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

/// P(x) = Σₘ πₘ DiscretizedLogistic(x; μₘ, sₘ) with π = softmax(weight_logits) (Salimans et al. 2017, eq. 2).
///
/// See [`DiscretizedLogistic`](super::DiscretizedLogistic) for the bins and the units.
#[derive(Clone, Debug)]
pub struct DiscretizedLogisticMixture {
    weight_logits: Tensor<2>,
    mean: Tensor<2>,
    log_scale: Tensor<2>,
    levels: usize,
}

impl DiscretizedLogisticMixture {
    /// n variables with values 0 .. `levels`, each a mixture of m components; all parameters `[n, m]`.
    ///
    /// # Panics
    /// If the shapes differ or `levels` < 2.
    pub fn new(weight_logits: Tensor<2>, mean: Tensor<2>, log_scale: Tensor<2>, levels: usize) -> Self {
        assert_one_shape("DiscretizedLogisticMixture", ("weight_logits", &weight_logits), ("mean", &mean));
        assert_one_shape("DiscretizedLogisticMixture", ("mean", &mean), ("log_scale", &log_scale));
        assert!(levels >= 2, "DiscretizedLogisticMixture: `levels` is {levels}, need 2 or more");
        Self { weight_logits, mean, log_scale, levels }
    }

    /// Whole numbers 0 ..= levels − 1.
    pub fn support(&self) -> Support {
        Support::Levels(self.levels)
    }

    /// log P(x) in nats, for whole x in 0 .. levels; `x` `[n]`, the result `[n]`.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn log_prob(&self, x: Tensor<1>) -> Tensor<1> {
        let [weight_logits, mean, log_scale] = self.parameters();
        ops::discretized_logistic_mixture_log_prob(weight_logits, mean, log_scale, x, self.levels)
    }

    /// P(X ≤ x), `[n]`: 0 below the first level and 1 from the last.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn cdf(&self, x: Tensor<1>) -> Tensor<1> {
        let ([rows, components], [numbers]) = (self.mean.dims(), x.dims());
        assert_eq!(
            rows, numbers,
            "DiscretizedLogisticMixture::cdf: parameters of shape [{rows}, {components}] and `x` of shape [{numbers}]"
        );
        let x = x.unsqueeze_dim::<2>(1).expand([rows, components]);
        let each = discretized_logistic::cdf(&self.mean, &self.log_scale, x, self.levels);
        (softmax(self.weight_logits.clone(), 1) * each).sum_dim(1).squeeze_dim(1)
    }

    /// E\[x\] over the levels, `[n]`.
    pub fn mean(&self) -> Tensor<1> {
        self.to_categorical().mean()
    }

    /// H = −Σₓ P(x) log P(x) over the levels, `[n]`, in nats.
    pub fn entropy(&self) -> Tensor<1> {
        self.to_categorical().entropy()
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
        let component = Categorical::from_logits(self.weight_logits.clone()).sample(rng);
        let [mean, log_scale] = [&self.mean, &self.log_scale].map(|all| pick(all.clone(), &component));
        discretized_logistic::sample(mean, log_scale, self.levels, rng)
    }

    /// All probabilities as a [`Categorical`] over the levels (for means, modes and entropies): `[n, levels]` numbers, each of
    /// m components.
    pub fn to_categorical(&self) -> Categorical {
        let ([rows, components], levels) = (self.mean.dims(), self.levels);
        // The same parameters once for each level, the levels running fastest.
        let repeated = |all: Tensor<2>| {
            all.unsqueeze_dim::<3>(1).expand([rows, levels, components]).reshape([rows * levels, components])
        };
        let [weight_logits, mean, log_scale] = self.parameters().map(repeated);
        let x = Tensor::<1, burn::tensor::Int>::arange(0..levels as i64, &self.mean.device()).float();
        let x = x.unsqueeze_dim::<2>(0).expand([rows, levels]).reshape([rows * levels]);
        let log_prob = ops::discretized_logistic_mixture_log_prob(weight_logits, mean, log_scale, x, levels);
        Categorical::from_logits(log_prob.reshape([rows, levels]))
    }

    /// The parameters `[n, m]`: logits of the weights, means and log-scales.
    pub fn parameters(&self) -> [Tensor<2>; 3] {
        [self.weight_logits.clone(), self.mean.clone(), self.log_scale.clone()]
    }
}

distribution!(DiscretizedLogisticMixture { variance, entropy, cdf(x), quantile(p) });
