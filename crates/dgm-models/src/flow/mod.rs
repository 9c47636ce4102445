//! Invertible layers with log |det J|: affine couplings and autoregressive transformations, given features where there are any.

mod autoregressive;
mod conditioner;
mod coupling;

pub(crate) use autoregressive::Autoregressive;
pub(crate) use conditioner::{Conditioner, Sizes};
pub(crate) use coupling::Coupling;

use burn::tensor::Tensor;

/// y, and log |det ∂y/∂x| of each row in nats.
pub(crate) type Mapped = (Tensor<2>, Tensor<1>);

/// An invertible function of the rows of x `[n, d]`, given features of each row where its conditioner takes some.
pub(crate) trait Bijection {
    /// y = f(x).
    fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped;

    /// x = f⁻¹(y), and log |det ∂x/∂y|.
    fn inverse(&self, y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped;
}

/// One layer after the other.
pub(crate) fn forward<B: Bijection>(layers: &[B], x: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
    let [n, _] = x.dims();
    let none = Tensor::zeros([n], &x.device());
    layers.iter().fold((x, none), |(x, sum), layer| {
        let (y, log_det) = layer.forward(x, features);
        (y, sum + log_det)
    })
}

/// The same backwards.
pub(crate) fn inverse<B: Bijection>(layers: &[B], y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
    let [n, _] = y.dims();
    let none = Tensor::zeros([n], &y.device());
    layers.iter().rev().fold((y, none), |(y, sum), layer| {
        let (x, log_det) = layer.inverse(y, features);
        (x, sum + log_det)
    })
}

/// The bound of log-scales: one layer scales by at most e³ = 20.
const LOG_SCALE: f64 = 3.0;

/// The log-scale of a network's output: within ±3, and the output itself near 0.
fn log_scale(raw: Tensor<2>) -> Tensor<2> {
    raw.div_scalar(LOG_SCALE).tanh().mul_scalar(LOG_SCALE)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
