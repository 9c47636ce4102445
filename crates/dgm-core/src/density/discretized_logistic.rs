//! Logistic densities over the levels of a pixel: ordinal values 0 ..= K − 1, from a mean and a scale.

use super::{Support, assert_one_shape};
use crate::ops;
use crate::random::Stream;
use crate::special::sigmoid;
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
        // The mixture of one: the same operation.
        let (shape, numbers) = (x.dims(), x.shape().num_elements());
        let [mean, log_scale] = [&self.mean, &self.log_scale].map(|all| all.clone().reshape([numbers, 1]));
        let weight = mean.clone().detach().zeros_like();
        ops::discretized_logistic_mixture_log_prob(weight, mean, log_scale, x.reshape([numbers]), self.levels)
            .reshape(shape)
    }

    /// P(X ≤ x) = σ((v + h − μ)/s), 1 at the last level.
    ///
    /// # Panics
    /// If the shapes of the mean and `x` differ.
    pub fn cdf(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("DiscretizedLogistic::cdf", ("mean", &self.mean), ("x", &x));
        cdf(&self.mean, &self.log_scale, x, self.levels)
    }

    /// One draw of each variable: the level nearest to a logistic number, the edges taking what falls beyond.
    pub fn sample(&self, noise: &mut Stream) -> Tensor<D> {
        sample(self.mean.clone(), self.log_scale.clone(), self.levels, noise)
    }
}

/// σ((v + h − μ)/s) below the last level.
pub(super) fn cdf<const D: usize>(mean: &Tensor<D>, log_scale: &Tensor<D>, x: Tensor<D>, levels: usize) -> Tensor<D> {
    let intervals = (levels - 1) as f64;
    let last = x.clone().greater_equal_elem(intervals);
    let edge = x.mul_scalar(2.0).sub_scalar(intervals - 1.0).div_scalar(intervals);
    let z = (edge - mean.clone()) * log_scale.clone().neg().exp();
    sigmoid(z).mask_fill(last, 1.0)
}

/// The level nearest to μ + s·logit(u).
pub(super) fn sample<const D: usize>(
    mean: Tensor<D>,
    log_scale: Tensor<D>,
    levels: usize,
    noise: &mut Stream,
) -> Tensor<D> {
    let intervals = (levels - 1) as f64;
    // Half a step off 0 and 1, so that the logit is finite.
    let u = noise.uniform_tensor(mean.dims(), &mean.device()).add_scalar(0.5 / 16_777_216.0);
    let logit = u.clone().log() - u.neg().log1p();
    let value = mean + log_scale.exp() * logit;
    value.add_scalar(1.0).mul_scalar(0.5 * intervals).round().clamp(0.0, intervals)
}
