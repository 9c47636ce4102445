//! Shapes that have to be one.

use burn::tensor::Tensor;

/// Panics, naming both shapes, unless they are one.
pub(crate) fn assert_one_shape<const D: usize>(whose: &str, a: (&str, &Tensor<D>), b: (&str, &Tensor<D>)) {
    let (left, right) = (a.1.dims(), b.1.dims());
    assert_eq!(left, right, "{whose}: `{}` has shape {left:?} and `{}` {right:?}", a.0, b.0);
}
