//! Logistic densities over the levels of a pixel: ordinal values 0 ..= K − 1, from a mean and a scale.

use super::{DiscretizedLogisticMixture, Support, assert_one_shape, distribution};
use crate::random::Stream;
use crate::special::{log1p, sigmoid};
use burn::tensor::Tensor;

/// P(x) = σ((v + h − μ)/s) − σ((v − h − μ)/s), v = 2x/(K−1) − 1 and h = 1/(K−1), where the first bin reaches to −∞ and the
/// last one to ∞; s = exp(log_scale) (Salimans et al. 2017, "PixelCNN++", eq. 2).
///
/// The levels stand on [−1, 1], so μ and s are in units of half the range.
#[derive(Clone, Debug)]
pub struct DiscretizedLogistic<const D: usize> {
    mean: Tensor<D>,
    log_scale: Tensor<D>,
    levels: usize,
}

impl<const D: usize> DiscretizedLogistic<D> {
    /// Independent variables with values 0 .. `levels`; `mean` and `log_scale` of one shape.
    ///
    /// # Panics
    /// If the shapes differ or `levels` < 2.
    pub fn new(mean: Tensor<D>, log_scale: Tensor<D>, levels: usize) -> Self {
        assert_one_shape("DiscretizedLogistic", ("mean", &mean), ("log_scale", &log_scale));
        assert!(levels >= 2, "DiscretizedLogistic: `levels` is {levels}, need 2 or more");
        Self { mean, log_scale, levels }
    }

    /// Whole numbers 0 ..= levels − 1.
    pub fn support(&self) -> Support {
        Support::Levels(self.levels)
    }

    /// log P(x) in nats, for whole x in 0 .. levels; the shape of the mean.
    ///
    /// log σ(b) + log σ(−a) + log(1 − exp(a − b)) for an inner bin from a to b: the difference of the two sigmoids without
    /// cancellation, however far in the tails; one of the first two terms alone for the edge bins.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("DiscretizedLogistic::log_prob", ("mean", &self.mean), ("x", &x));
        let (shape, numbers) = (x.dims(), x.shape().num_elements());
        self.to_mixture().log_prob(x.reshape([numbers])).reshape(shape)
    }

    /// The same numbers, row by row, as mixtures of one component: for means, entropies and all probabilities.
    pub fn to_mixture(&self) -> DiscretizedLogisticMixture {
        let numbers = self.mean.shape().num_elements();
        let [mean, log_scale] = [&self.mean, &self.log_scale].map(|all| all.clone().reshape([numbers, 1]));
        DiscretizedLogisticMixture::new(mean.clone().detach().zeros_like(), mean, log_scale, self.levels)
    }

    /// `of` each variable as a mixture of one component.
    fn each(&self, of: impl Fn(DiscretizedLogisticMixture) -> Tensor<1>) -> Tensor<D> {
        of(self.to_mixture()).reshape(self.mean.dims())
    }

    /// E\[x\] over the levels.
    pub fn mean(&self) -> Tensor<D> {
        self.each(|mixture| mixture.mean())
    }

    /// Var\[x\] over the levels.
    pub fn variance(&self) -> Tensor<D> {
        self.each(|mixture| mixture.variance())
    }

    /// H = −Σₓ P(x) log P(x) over the levels, in nats.
    pub fn entropy(&self) -> Tensor<D> {
        self.each(|mixture| mixture.entropy())
    }

    /// The lowest level that P(X ≤ x) ≥ p holds for.
    ///
    /// # Panics
    /// If the shapes of the mean and `p` differ.
    pub fn quantile(&self, p: Tensor<D>) -> Tensor<D> {
        assert_one_shape("DiscretizedLogistic::quantile", ("mean", &self.mean), ("p", &p));
        let numbers = p.shape().num_elements();
        self.each(|mixture| mixture.quantile(p.clone().reshape([numbers])))
    }

    /// P(X ≤ x) = σ((v + h − μ)/s), 0 below the first level and 1 from the last.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("DiscretizedLogistic::cdf", ("mean", &self.mean), ("x", &x));
        cdf(&self.mean, &self.log_scale, x, self.levels)
    }

    /// One sample of each variable: the level nearest to a logistic number, the edges taking what falls beyond.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        sample(self.mean.clone(), self.log_scale.clone(), self.levels, rng)
    }
}

distribution!(DiscretizedLogistic<D> { variance, entropy, cdf(x), quantile(p) });

/// σ((v + h − μ)/s) of the level v = ⌊x⌋ below the last one.
pub(super) fn cdf<const D: usize>(mean: &Tensor<D>, log_scale: &Tensor<D>, x: Tensor<D>, levels: usize) -> Tensor<D> {
    let intervals = (levels - 1) as f64;
    let x = x.floor();
    let (below, last) = (x.clone().lower_elem(0.0), x.clone().greater_equal_elem(intervals));
    let edge = x.mul_scalar(2.0).sub_scalar(intervals - 1.0).div_scalar(intervals);
    let z = (edge - mean.clone()) * log_scale.clone().neg().exp();
    sigmoid(z).mask_fill(last, 1.0).mask_fill(below, 0.0)
}

/// The level nearest to μ + s·logit(u).
pub(super) fn sample<const D: usize>(
    mean: Tensor<D>,
    log_scale: Tensor<D>,
    levels: usize,
    rng: &mut Stream,
) -> Tensor<D> {
    let intervals = (levels - 1) as f64;
    const STEP: f64 = 1.0 / 16_777_216.0;
    // Off 0 and 1, so that the logit is finite.
    let u = rng.uniform_tensor(mean.dims(), &mean.device()).clamp(0.5 * STEP, 1.0 - STEP);
    let logit = u.clone().log() - log1p(u.neg());
    let value = mean + log_scale.exp() * logit;
    value.add_scalar(1.0).mul_scalar(0.5 * intervals).round().clamp(0.0, intervals)
}
