//! An affine map of any density: a change of units.

use super::{Distribution, Support};
use crate::random::Stream;
use burn::tensor::Tensor;

/// How far beyond an interval rounding takes a value at the most.
const ROUNDING: f64 = 1e-5;

/// y = a·x + b of variables x, with a > 0: p(y) = p_x((y − b)/a) / a, variable by variable.
#[derive(Debug)]
pub struct Affine<const D: usize> {
    inner: Box<dyn Distribution<D>>,
    scale: Tensor<D>,
    shift: Tensor<D>,
}

impl<const D: usize> Affine<D> {
    /// Of these continuous variables; a (`scale`) and b (`shift`) have their shape, or broadcast to it.
    ///
    /// # Panics
    /// If the inner density is one of levels, whose masses have no Jacobian.
    pub fn new(inner: Box<dyn Distribution<D>>, scale: Tensor<D>, shift: Tensor<D>) -> Self {
        assert!(!inner.support().is_discrete(), "Affine: the inner density is one of levels, need one of real numbers");
        Self { inner, scale, shift }
    }

    /// (y − b) / a.
    fn inverse(&self, y: Tensor<D>) -> Tensor<D> {
        (y - self.shift.clone()) / self.scale.clone()
    }

    fn apply(&self, x: Tensor<D>) -> Tensor<D> {
        x * self.scale.clone() + self.shift.clone()
    }
}

impl<const D: usize> Distribution<D> for Affine<D> {
    /// Finite numbers: which of them the inner density says.
    fn support(&self) -> Support {
        Support::Real
    }

    fn log_prob(&self, y: Tensor<D>) -> Tensor<D> {
        let (x, log_scale) = (self.inverse(y), self.scale.clone().log());
        if self.inner.support() != Support::UnitInterval {
            return self.inner.log_prob(x) - log_scale;
        }
        // Rounding takes no value out of the interval; what lies further out has no density.
        let inside = x.clone().clamp(0.0, 1.0);
        let outside = (x - inside.clone()).abs().greater_elem(ROUNDING);
        (self.inner.log_prob(inside) - log_scale).mask_fill(outside, f64::NEG_INFINITY)
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        self.apply(self.inner.sample(rng))
    }

    fn mean(&self) -> Tensor<D> {
        self.apply(self.inner.mean())
    }

    fn variance(&self) -> Option<Tensor<D>> {
        Some(self.inner.variance()? * self.scale.clone().square())
    }

    fn entropy(&self) -> Option<Tensor<D>> {
        Some(self.inner.entropy()? + self.scale.clone().log())
    }

    fn cdf(&self, y: Tensor<D>) -> Option<Tensor<D>> {
        let x = self.inverse(y);
        self.inner.cdf(if self.inner.support() == Support::UnitInterval { x.clamp(0.0, 1.0) } else { x })
    }

    fn quantile(&self, p: Tensor<D>) -> Option<Tensor<D>> {
        Some(self.apply(self.inner.quantile(p)?))
    }
}
