//! The tap convolution and the gate on flex, images in parallel.
//!
//! Numbers below 1e-25 are taken for 0 (`flush_tiny` says why). How images are grouped, and the order in which their weight gradients are
//! summed, depend on the sizes alone, so a result does not depend on the number of threads.

mod layout;
mod planes;
mod pullback;
pub(super) mod small;
pub(super) mod vector;

use super::{Before, ConvOps, Tap, activation, composed};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::flex::{CHUNK, all_f32, from_vec, owned};
use planes::{Added, Packed, convolve};
use rayon::prelude::*;
use std::mem::MaybeUninit;

impl ConvOps for Flex {
    fn tap_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&x, &weight, &bias]) {
            return composed::tap_conv2d::<Self>(x, weight, bias, &taps, before);
        }
        forward([x, weight, bias], None, &taps, before)
    }

    fn tap_conv2d_onto(
        base: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&base, &x, &weight, &bias]) {
            return Self::float_add(composed::tap_conv2d::<Self>(x, weight, bias, &taps, before), base);
        }
        forward([x, weight, bias], Some(base), &taps, before)
    }

    fn tap_conv2d_pullback_input(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
        residual: bool,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&x, &weight, &grad]) {
            return composed::tap_conv2d_pullback_input::<Self>(x, weight, grad, &taps, before, residual);
        }
        pullback::of_input([x, grad], weight, &taps, before, residual)
    }

    fn tap_conv2d_pullback_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &grad]) {
            return composed::tap_conv2d_pullback_weight::<Self>(x, grad, &taps, before);
        }
        pullback::of_weights([x, grad], &taps, before)
    }

    fn tap_conv2d_pullback(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
        residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &weight, &grad]) {
            let (x_too, grad_too) = (x.clone(), grad.clone());
            let of_x = Self::tap_conv2d_pullback_input(x_too, weight, grad_too, taps.clone(), before, residual);
            let (of_weight, of_bias) = Self::tap_conv2d_pullback_weight(x, grad, taps, before);
            return (of_x, of_weight, of_bias);
        }
        pullback::of_all([x, grad], weight, &taps, before, residual)
    }

    fn sum_of_images(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x]) {
            return Self::float_sum_dim(x, 0);
        }
        let x = owned(x);
        let shape = x.layout().shape();
        let [n, c, h, w] = [shape[0], shape[1], shape[2], shape[3]];
        let (xs, image) = (x.storage::<f32>(), c * h * w);
        let mut sums = vec![0.0f32; image];
        sums.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
            for i in 0..n {
                let first = i * image + chunk * CHUNK;
                activation::flex::add(sums, &xs[first..first + sums.len()]);
            }
        });
        from_vec(sums, [1, c, h, w])
    }

    fn gate(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x]) {
            return activation::gate::<Self>(x);
        }
        let x = x.to_contiguous();
        let ([n, c, h, w], half) = halves(&x);
        let write = |out: &mut [MaybeUninit<f32>]| {
            let images = out.par_chunks_mut(half).zip(x.storage::<f32>().par_chunks(2 * half));
            images.for_each(|(out, x)| activation::flex::gate(x, out));
        };
        // SAFETY: there are n images in x, and the gate writes all of one.
        let out = unsafe { written(n * half, write) };
        from_vec(out, [n, c / 2, h, w])
    }

    fn gate_pullback(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x, &grad]) {
            return activation::gate_pullback::<Self>(x, grad);
        }
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        let (shape, half) = halves(&x);
        let xs = x.storage::<f32>();
        assert_eq!(2 * grad.layout().num_elements(), xs.len(), "gate_pullback: numbers of `grad`, twice, and of `x`");
        let write = |out: &mut [MaybeUninit<f32>]| {
            let images = out.par_chunks_mut(2 * half).zip(xs.par_chunks(2 * half));
            let images = images.zip(grad.storage::<f32>().par_chunks(half));
            images.for_each(|((out, x), grad)| Before::Gate.pull_image(x, grad, None, out));
        };
        // SAFETY: of all three there are as many images, and all of one is written.
        let out = unsafe { written(xs.len(), write) };
        from_vec(out, shape)
    }
}

fn forward(tensors: [FlexTensor; 3], base: Option<FlexTensor>, taps: &[Tap], before: Before) -> FlexTensor {
    let ([x, weight, bias], base) = (tensors.map(owned), base.map(owned));
    let Sizes { b, c, h, w, o } = Sizes::new(&x, before, weight.layout().shape()[0]);
    let [planes, _] = layout::planes(taps, [h, w]);
    let packed = Packed::forward(weight.storage::<f32>(), [o, c], taps, &planes);
    let outputs = o * h * w;
    let base_of = |image: usize| {
        // One for all images or one for each.
        let base = base.as_ref()?.storage::<f32>();
        let first = if base.len() == outputs { 0 } else { image * outputs };
        Some(&base[first..first + outputs])
    };
    let images = x.storage::<f32>().par_chunks(before.channels() * c * h * w);
    let write = |out: &mut [MaybeUninit<f32>]| {
        let scratch = || (vec![0.0f32; planes.len(c)], Vec::new());
        // Each piece needs planes of its own; what comes out does not depend on how many there are.
        let least = b.div_ceil(4 * rayon::current_num_threads());
        out.par_chunks_mut(outputs).zip(images).enumerate().with_min_len(least).for_each_init(
            scratch,
            |(input, seen), (i, (out, image))| {
                planes.fill_seen(image, before, seen, input);
                let added = Added { bias: Some(bias.storage::<f32>()), base: base_of(i) };
                convolve(&planes, &packed, added, input, out);
            },
        );
    };
    // SAFETY: there are b images in x, and the convolution writes all of one.
    let out = unsafe { written(b * outputs, write) };
    from_vec(out, [b, o, h, w])
}

/// The shape of x and the elements of half an image's channels.
fn halves(x: &FlexTensor) -> ([usize; 4], usize) {
    let x = x.layout().shape();
    ([x[0], x[1], x[2], x[3]], x[1] / 2 * x[2] * x[3])
}

/// The sizes of one call, of what the convolution sees.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    c: usize,
    h: usize,
    w: usize,
    o: usize,
}

impl Sizes {
    fn new(x: &FlexTensor, before: Before, o: usize) -> Self {
        let x = x.layout().shape();
        Self { b: x[0], c: x[1] / before.channels(), h: x[2], w: x[3], o }
    }
}

/// So many numbers, which need not be zeros before.
///
/// # Safety
/// `f` writes every one of them.
pub(in crate::ops) unsafe fn written(n: usize, f: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(n);
    f(&mut numbers.spare_capacity_mut()[..n]);
    // SAFETY: the caller's.
    unsafe { numbers.set_len(n) };
    numbers
}
