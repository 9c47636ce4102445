//! Monotonic rational-quadratic splines.

use super::{ElementwiseBijection, Mapped, check};
use crate::ops::rational_quadratic;
use burn::tensor::Tensor;

/// A monotonic spline of K rational quadratics from [−B, B] onto itself, and the identity outside (Durkan, Bekasov, Murray and Papamakarios
/// 2019, "Neural spline flows", section 3.1, after Gregory and Delbourgo 1982).
///
/// In bin k, from (x_k, y_k) to (x_{k+1}, y_{k+1}), of width w, height h and slope s = h/w, with ξ = (x − x_k)/w, q = ξ(1 − ξ) and the
/// derivatives δ_k, δ_{k+1} at its ends:
///
/// y = y_k + h (s ξ² + δ_k q) / (s + (δ_k + δ_{k+1} − 2s) q),
/// dy/dx = s² (δ_{k+1} ξ² + 2 s q + δ_k (1 − ξ)²) / (s + (δ_k + δ_{k+1} − 2s) q)².
///
/// The 3K − 1 parameters of a number are the logits of the widths and of the heights, and the logarithms of the inner derivatives; the outer
/// derivatives are 1. All pass through r/(1 + |r|/c) first, so that derivatives lie between 1/1000 and 1000 and no bin is more than 1000 times
/// as wide or high as another.
///
/// Numbers outside [−B, B] are set aside before the formula, so neither a value nor a gradient is NaN there. On flex one operation, with a
/// pullback written by hand; elsewhere composed of tensor operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RationalQuadratic {
    bins: usize,
    bound: f64,
}

impl RationalQuadratic {
    /// The most bins there may be.
    pub const MAX_BINS: usize = 64;

    /// K bins on [−bound, bound].
    ///
    /// # Panics
    /// If `bins` is not from 2 to [`MAX_BINS`](Self::MAX_BINS), or `bound` not a finite number above 0.
    pub fn new(bins: usize, bound: f64) -> Self {
        assert!((2..=Self::MAX_BINS).contains(&bins), "RationalQuadratic: {bins} bins, need 2 to {}", Self::MAX_BINS);
        assert!(
            bound.is_finite() && bound > 0.0,
            "RationalQuadratic: the bound is {bound}, need a finite number above 0"
        );
        Self { bins, bound }
    }
}

impl ElementwiseBijection for RationalQuadratic {
    fn parameters(&self) -> usize {
        3 * self.bins - 1
    }

    fn forward(&self, x: Tensor<1>, parameters: Tensor<2>) -> Mapped {
        check("RationalQuadratic::forward", &x, &parameters, self.parameters());
        rational_quadratic(x, parameters, self.bound, false)
    }

    fn inverse(&self, y: Tensor<1>, parameters: Tensor<2>) -> Mapped {
        check("RationalQuadratic::inverse", &y, &parameters, self.parameters());
        rational_quadratic(y, parameters, self.bound, true)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
