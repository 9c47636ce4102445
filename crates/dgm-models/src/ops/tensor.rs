//! The tap convolution and the gate in plain tensor operations: the fallback for unlisted backends, and the oracle of the tests.

use super::{Tap, padding};
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, tanh};

/// One matrix product a tap; see [`tap_conv2d`](super::tap_conv2d).
pub fn tap_conv2d(x: Tensor<4>, weight: Tensor<3>, bias: Tensor<1>, taps: &[Tap]) -> Tensor<4> {
    let ([b, c, h, w], [o, _, _]) = (x.dims(), weight.dims());
    let [top, bottom, left, right] = padding(taps);
    let device = x.device();
    let padded = Tensor::zeros([b, c, h + top + bottom, w + left + right], &device)
        .slice_assign([0..b, 0..c, top..top + h, left..left + w], x);
    let mut y = bias.reshape([1, o, 1]).expand([b, o, h * w]);
    for (t, &[dy, dx]) in taps.iter().enumerate() {
        let (row, column) = ((top as isize + dy) as usize, (left as isize + dx) as usize);
        let shifted = padded.clone().slice([0..b, 0..c, row..row + h, column..column + w]).reshape([b, c, h * w]);
        let kernel = weight.clone().slice([0..o, 0..c, t..t + 1]).reshape([1, o, c]).expand([b, o, c]);
        y = y + kernel.matmul(shifted);
    }
    y.reshape([b, o, h, w])
}

/// tanh · σ of the halves; see [`gate`](super::gate).
pub fn gate(x: Tensor<4>) -> Tensor<4> {
    let [n, channels, h, w] = x.dims();
    let half = channels / 2;
    let content = x.clone().slice([0..n, 0..half, 0..h, 0..w]);
    tanh(content) * sigmoid(x.slice([0..n, half..channels, 0..h, 0..w]))
}
