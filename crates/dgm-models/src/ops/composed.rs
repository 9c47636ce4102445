//! Default bodies of [`ConvOps`](super::ConvOps), in terms of `Backend`'s own operations.
//!
//! With channels in front, the shifted slices of all taps stack to one matrix `[c·t, b·h·w]`, and the convolution is
//! one matrix product; its pullback two more, and the shifted sums of what the first gives.

use super::{Before, Tap, padding};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{FloatDType, Shape, Slice};

/// Sizes of one call.
struct Sizes {
    b: usize,
    c: usize,
    h: usize,
    w: usize,
    o: usize,
    t: usize,
}

impl Sizes {
    /// Of an image or its gradient: what is not its channels is given.
    fn of<B: Backend>(maps: &FloatTensor<B>, [c, o, t]: [usize; 3]) -> Self {
        let maps = maps.shape();
        Self { b: maps[0], c, h: maps[2], w: maps[3], o, t }
    }

    fn positions(&self) -> usize {
        self.b * self.h * self.w
    }
}

fn slices<const D: usize>(ranges: [std::ops::Range<usize>; D]) -> Vec<Slice> {
    ranges.into_iter().map(Slice::from).collect()
}

/// Where tap t of the image starts in the padded one.
fn window(tap: Tap, channels: usize, s: &Sizes, pad: [usize; 4]) -> Vec<Slice> {
    let (row, column) = ((pad[0] as isize + tap[0]) as usize, (pad[2] as isize + tap[1]) as usize);
    slices([0..channels, 0..s.b, row..row + s.h, column..column + s.w])
}

fn padded_zeros<B: Backend>(like: &FloatTensor<B>, s: &Sizes, pad: [usize; 4]) -> FloatTensor<B> {
    let dtype: FloatDType = like.dtype().into();
    let shape = Shape::new([s.c, s.b, s.h + pad[0] + pad[1], s.w + pad[2] + pad[3]]);
    B::float_zeros(shape, &like.device(), dtype)
}

/// The stacked slices `[t·c, b·h·w]`.
fn columns<B: Backend>(x: FloatTensor<B>, s: &Sizes, taps: &[Tap]) -> FloatTensor<B> {
    let pad = padding(taps);
    let inside = slices([0..s.c, 0..s.b, pad[0]..pad[0] + s.h, pad[2]..pad[2] + s.w]);
    let padded = padded_zeros::<B>(&x, s, pad);
    let padded = B::float_slice_assign(padded, &inside, B::float_permute(x, &[1, 0, 2, 3]));
    let rows = taps
        .iter()
        .map(|&tap| {
            let shifted = B::float_slice(padded.clone(), &window(tap, s.c, s, pad));
            B::float_reshape(shifted, Shape::new([s.c, s.positions()]))
        })
        .collect();
    B::float_cat(rows, 0)
}

/// `[o, c, t]` → `[o, t·c]`.
fn kernel<B: Backend>(weight: FloatTensor<B>, s: &Sizes) -> FloatTensor<B> {
    B::float_reshape(B::float_permute(weight, &[0, 2, 1]), Shape::new([s.o, s.t * s.c]))
}

/// `[o, b·h·w]` ← `[b, o, h, w]`.
fn channels_first<B: Backend>(grad: FloatTensor<B>, s: &Sizes) -> FloatTensor<B> {
    B::float_reshape(B::float_permute(grad, &[1, 0, 2, 3]), Shape::new([s.o, s.positions()]))
}

pub(super) fn tap_conv2d<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    taps: &[Tap],
    before: Before,
) -> FloatTensor<B> {
    let x = before.of::<B>(x);
    let s = Sizes::of::<B>(&x, [x.shape()[1], weight.shape()[0], taps.len()]);
    let y = B::float_matmul(kernel::<B>(weight, &s), columns::<B>(x, &s, taps));
    let y = B::float_add(y, B::float_reshape(bias, Shape::new([s.o, 1])));
    B::float_permute(B::float_reshape(y, Shape::new([s.o, s.b, s.h, s.w])), &[1, 0, 2, 3])
}

pub(super) fn tap_conv2d_pullback_input<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    grad: FloatTensor<B>,
    taps: &[Tap],
    before: Before,
    residual: bool,
) -> FloatTensor<B> {
    let seen = before.pullback::<B>(x, pullback_seen::<B>(weight, grad.clone(), taps));
    if residual { B::float_add(seen, grad) } else { seen }
}

/// The pullback to what the convolution sees.
fn pullback_seen<B: Backend>(weight: FloatTensor<B>, grad: FloatTensor<B>, taps: &[Tap]) -> FloatTensor<B> {
    let s = Sizes::of::<B>(&grad, [weight.shape()[1], weight.shape()[0], taps.len()]);
    let pad = padding(taps);
    let mut grad_padded = padded_zeros::<B>(&grad, &s, pad);
    let grad = channels_first::<B>(grad, &s);
    let grad_columns = B::float_matmul(B::float_transpose(kernel::<B>(weight, &s)), grad);
    for (t, &tap) in taps.iter().enumerate() {
        let rows = B::float_slice(grad_columns.clone(), &slices([t * s.c..(t + 1) * s.c, 0..s.positions()]));
        let rows = B::float_reshape(rows, Shape::new([s.c, s.b, s.h, s.w]));
        let window = window(tap, s.c, &s, pad);
        let sum = B::float_add(B::float_slice(grad_padded.clone(), &window), rows);
        grad_padded = B::float_slice_assign(grad_padded, &window, sum);
    }
    let inside = slices([0..s.c, 0..s.b, pad[0]..pad[0] + s.h, pad[2]..pad[2] + s.w]);
    B::float_permute(B::float_slice(grad_padded, &inside), &[1, 0, 2, 3])
}

pub(super) fn tap_conv2d_pullback_weight<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    taps: &[Tap],
    before: Before,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let x = before.of::<B>(x);
    let s = Sizes::of::<B>(&x, [x.shape()[1], grad.shape()[1], taps.len()]);
    let grad = channels_first::<B>(grad, &s);
    let grad_bias = B::float_reshape(B::float_sum_dim(grad.clone(), 1), Shape::new([s.o]));
    let grad_weight = B::float_matmul(grad, B::float_transpose(columns::<B>(x, &s, taps)));
    let grad_weight = B::float_reshape(grad_weight, Shape::new([s.o, s.t, s.c]));
    (B::float_permute(grad_weight, &[0, 2, 1]), grad_bias)
}
