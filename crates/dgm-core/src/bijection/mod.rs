//! Invertible functions of one number with log |dy/dx|, each number with parameters of its own: what the layers of a normalizing flow
//! are made of.

mod affine;
mod rational_quadratic;

use burn::tensor::Tensor;

pub use affine::AffineMap;
pub use rational_quadratic::RationalQuadratic;

/// y, and log |dy/dx| of each number in nats, `[n]` both.
pub type Mapped = (Tensor<1>, Tensor<1>);

/// An increasing function y = f(x; θ) of numbers x `[n]`, whose parameters θ `[n, parameters]` may be any real numbers; with θ = 0 it is the
/// identity.
pub trait ElementwiseBijection {
    /// Number of parameters of one number.
    fn parameters(&self) -> usize;

    /// y = f(x; θ).
    ///
    /// # Panics
    /// If the shapes do not agree.
    fn forward(&self, x: Tensor<1>, parameters: Tensor<2>) -> Mapped;

    /// x = f⁻¹(y; θ), and log |dx/dy|.
    ///
    /// # Panics
    /// If the shapes do not agree.
    fn inverse(&self, y: Tensor<1>, parameters: Tensor<2>) -> Mapped;
}

/// One row of parameters for each number.
fn check(what: &str, numbers: &Tensor<1>, parameters: &Tensor<2>, expected: usize) {
    let (n, shape) = (numbers.dims()[0], parameters.dims());
    assert_eq!(shape, [n, expected], "{what}: parameters of shape {shape:?} for {n} numbers of {expected}");
}
