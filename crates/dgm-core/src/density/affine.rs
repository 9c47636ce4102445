//! An affine map of any density: a change of units.

use super::{Distribution, Support};
use crate::random::Stream;
use burn::tensor::Tensor;

/// y = a·x + b of variables x, with a > 0: p(y) = p_x((y − b)/a) / a, variable by variable.
#[derive(Debug)]
pub struct Affine<const D: usize> {
    inner: Box<dyn Distribution<D>>,
    scale: Tensor<D>,
    shift: Tensor<D>,
}

impl<const D: usize> Affine<D> {
    /// Of these variables; a (`scale`) and b (`shift`) have their shape, or broadcast to it.
    pub fn new(inner: Box<dyn Distribution<D>>, scale: Tensor<D>, shift: Tensor<D>) -> Self {
        Self { inner, scale, shift }
    }

    fn backward(&self, y: Tensor<D>) -> Tensor<D> {
        let x = (y - self.shift.clone()) / self.scale.clone();
        // Rounding takes no value out of the interval.
        if self.inner.support() == Support::UnitInterval { x.clamp(0.0, 1.0) } else { x }
    }

    fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        x * self.scale.clone() + self.shift.clone()
    }
}

impl<const D: usize> Distribution<D> for Affine<D> {
    /// Finite numbers: which of them the inner density says.
    fn support(&self) -> Support {
        Support::Real
    }

    fn log_prob(&self, y: Tensor<D>) -> Tensor<D> {
        self.inner.log_prob(self.backward(y)) - self.scale.clone().log()
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        self.forward(self.inner.sample(rng))
    }

    fn mean(&self) -> Tensor<D> {
        self.forward(self.inner.mean())
    }

    fn variance(&self) -> Option<Tensor<D>> {
        Some(self.inner.variance()? * self.scale.clone().square())
    }

    fn entropy(&self) -> Option<Tensor<D>> {
        Some(self.inner.entropy()? + self.scale.clone().log())
    }

    fn cdf(&self, y: Tensor<D>) -> Option<Tensor<D>> {
        self.inner.cdf(self.backward(y))
    }

    fn quantile(&self, p: Tensor<D>) -> Option<Tensor<D>> {
        Some(self.forward(self.inner.quantile(p)?))
    }
}
