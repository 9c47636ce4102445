//! Mixtures of normals: real numbers with several likely values.

use super::{Categorical, Normal, Support, assert_one_shape, distribution, invert, pick};
use crate::random::Stream;
use crate::special::log_sum_exp;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};

/// p(x) = Σₘ πₘ N(x; μₘ, σₘ²) with π = softmax(weight_logits), σ² = exp(log_var) (Bishop 1994, "Mixture density networks").
#[derive(Clone, Debug)]
pub struct NormalMixture {
    weight_logits: Tensor<2>,
    components: Normal<2>,
}

impl NormalMixture {
    /// n variables, each a mixture of m components; all parameters `[n, m]`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(weight_logits: Tensor<2>, mean: Tensor<2>, log_var: Tensor<2>) -> Self {
        assert_one_shape("NormalMixture", ("weight_logits", &weight_logits), ("mean", &mean));
        Self { weight_logits, components: Normal::new(mean, log_var) }
    }

    /// All finite numbers.
    pub fn support(&self) -> Support {
        Support::Real
    }

    /// log p(x) = log Σₘ exp(log πₘ + log N(x; μₘ, σₘ²)) in nats per unit of x; `x` `[n]`, the result `[n]`.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn log_prob(&self, x: Tensor<1>) -> Tensor<1> {
        log_sum_exp(log_softmax(self.weight_logits.clone(), 1) + self.components.log_prob(self.for_components(x)))
    }

    /// x `[n]` for each component, `[n, m]`.
    fn for_components(&self, x: Tensor<1>) -> Tensor<2> {
        let ([rows, components], [numbers]) = (self.weight_logits.dims(), x.dims());
        assert_eq!(
            rows, numbers,
            "NormalMixture: parameters of shape [{rows}, {components}] and `x` of shape [{numbers}]"
        );
        x.unsqueeze_dim::<2>(1).expand([rows, components])
    }

    fn weights(&self) -> Tensor<2> {
        softmax(self.weight_logits.clone(), 1)
    }

    /// E\[x\] = Σₘ πₘ μₘ, `[n]`.
    pub fn mean(&self) -> Tensor<1> {
        (self.weights() * self.components.mean()).sum_dim(1).squeeze_dim(1)
    }

    /// Var\[x\] = Σₘ πₘ (σₘ² + (μₘ − E\[x\])²), `[n]`.
    pub fn variance(&self) -> Tensor<1> {
        let distance = self.components.mean() - self.mean().unsqueeze_dim(1);
        (self.weights() * (self.components.log_var().exp() + distance.square())).sum_dim(1).squeeze_dim(1)
    }

    /// P(X ≤ x) = Σₘ πₘ Φ((x − μₘ)/σₘ); `x` `[n]`, the result `[n]`.
    ///
    /// # Panics
    /// If `x` has not n numbers.
    pub fn cdf(&self, x: Tensor<1>) -> Tensor<1> {
        (self.weights() * self.components.cdf(self.for_components(x))).sum_dim(1).squeeze_dim(1)
    }

    /// The x with P(X ≤ x) = p, by bisection between the components' quantiles; `p` `[n]`, the result `[n]`.
    ///
    /// # Panics
    /// If `p` has not n numbers.
    pub fn quantile(&self, p: Tensor<1>) -> Tensor<1> {
        let of_components = self.components.quantile(self.for_components(p.clone()));
        let bracket = [of_components.clone().min_dim(1), of_components.max_dim(1)].map(|end| end.squeeze_dim(1));
        invert::quantile(&p, bracket, false, |x| self.cdf(x))
    }

    /// One sample of each variable, `[n]`; no gradient reaches the weights, through which no sample can be differentiated.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<1> {
        let component = Categorical::from_logits(self.weight_logits.clone()).sample(rng);
        let [mean, log_var] = [self.components.mean(), self.components.log_var()].map(|all| pick(all, &component));
        Normal::new(mean, log_var).sample(rng)
    }

    /// The parameters `[n, m]`: logits of the weights, means and log-variances.
    pub fn parameters(&self) -> [Tensor<2>; 3] {
        [self.weight_logits.clone(), self.components.mean(), self.components.log_var()]
    }
}

distribution!(NormalMixture { variance, cdf(x), quantile(p) });
