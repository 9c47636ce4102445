//! Scale and shift.

use super::{ElementwiseBijection, Mapped, check};
use burn::tensor::Tensor;

/// y = x·exp(s) + t, with s = 3·tanh(a/3), so that one layer scales by at most e³ ≈ 20 (Dinh, Sohl-Dickstein and Bengio 2017, "Density
/// estimation using Real NVP", eq. 4). The parameters of a number are a and t.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AffineMap;

/// The bound of log-scales.
const LOG_SCALE: f64 = 3.0;

impl AffineMap {
    /// s and t.
    fn parts(parameters: Tensor<2>) -> [Tensor<1>; 2] {
        let [n, _] = parameters.dims();
        let part = |i: usize| parameters.clone().slice([0..n, i..i + 1]).squeeze_dim::<1>(1);
        [part(0).div_scalar(LOG_SCALE).tanh().mul_scalar(LOG_SCALE), part(1)]
    }
}

impl ElementwiseBijection for AffineMap {
    fn parameters(&self) -> usize {
        2
    }

    fn forward(&self, x: Tensor<1>, parameters: Tensor<2>) -> Mapped {
        check("AffineMap::forward", &x, &parameters, 2);
        let [s, t] = Self::parts(parameters);
        (x * s.clone().exp() + t, s)
    }

    fn inverse(&self, y: Tensor<1>, parameters: Tensor<2>) -> Mapped {
        check("AffineMap::inverse", &y, &parameters, 2);
        let [s, t] = Self::parts(parameters);
        ((y - t) * s.clone().neg().exp(), s.neg())
    }
}
