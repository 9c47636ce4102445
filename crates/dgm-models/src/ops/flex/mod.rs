//! The tap convolution and the gate on flex, images in parallel.
//!
//! How images are grouped, and the order in which their weight gradients are summed, depend on the sizes alone, so a result does not
//! depend on the number of threads.

mod planes;
mod vector;

use super::{ConvOps, Tap, composed};
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::elementary::{sigmoid, tanh};
use dgm_core::ops::flex::{all_f32, from_vec, owned};
use planes::{Images, Packed, Planes, convolve, correlate};
use rayon::prelude::*;

/// Weight gradients are summed in this many runs of groups, then across the runs.
const SUMS: usize = 8;

impl ConvOps for Flex {
    fn tap_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&x, &weight, &bias]) {
            return composed::tap_conv2d::<Self>(x, weight, bias, &taps);
        }
        let (x, weight, bias) = (owned(x), owned(weight), owned(bias));
        let Sizes { b, c, h, w, o } = Sizes::new(&x, weight.layout().shape()[0]);
        let [planes, _] = planes::planes(&taps, [h, w]);
        let packed = Packed::forward(weight.storage::<f32>(), [o, c], &taps, &planes);
        let out = convolve_all(&planes, &packed, Some(bias.storage::<f32>()), x.storage::<f32>(), [c, o]);
        from_vec(out, [b, o, h, w])
    }

    fn tap_conv2d_pullback_input(
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&weight, &grad]) {
            return composed::tap_conv2d_pullback_input::<Self>(weight, grad, &taps);
        }
        let (weight, grad) = (owned(weight), owned(grad));
        let Sizes { b, c: o, h, w, o: c } = Sizes::new(&grad, weight.layout().shape()[1]);
        let [_, planes] = planes::planes(&taps, [h, w]);
        let packed = Packed::backward(weight.storage::<f32>(), [o, c], &taps, &planes);
        from_vec(convolve_all(&planes, &packed, None, grad.storage::<f32>(), [o, c]), [b, c, h, w])
    }

    fn tap_conv2d_pullback_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &grad]) {
            return composed::tap_conv2d_pullback_weight::<Self>(x, grad, &taps);
        }
        let (x, grad) = (owned(x), owned(grad));
        let sizes = Sizes::new(&x, grad.layout().shape()[1]);
        let Sizes { b, c, h, w, o } = sizes;
        let planes = planes::planes(&taps, [h, w]);
        let run = b.div_ceil(SUMS).max(1);
        let (xs, gs) =
            (x.storage::<f32>().par_chunks(run * c * h * w), grad.storage::<f32>().par_chunks(run * o * h * w));
        let runs: Vec<_> = xs.zip(gs).map(|(xs, gs)| pull_run(sizes, &planes, &taps, xs, gs)).collect();

        let mut sums = runs.into_iter();
        let none = || (vec![0.0; o * c * taps.len()], vec![0.0; o]);
        let (mut grad_weight, mut grad_bias) = sums.next().unwrap_or_else(none);
        for (run_weight, run_bias) in sums {
            grad_weight.iter_mut().zip(run_weight).for_each(|(sum, run)| *sum += run);
            grad_bias.iter_mut().zip(run_bias).for_each(|(sum, run)| *sum += run);
        }
        (from_vec(grad_weight, [o, c, taps.len()]), from_vec(grad_bias, [o]))
    }

    fn gate(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x]) {
            return composed::gate::<Self>(x);
        }
        let x = x.to_contiguous();
        let ([n, c, h, w], half) = halves(&x);
        let mut out = vec![0.0f32; n * half];
        out.par_chunks_mut(half).zip(x.storage::<f32>().par_chunks(2 * half)).for_each(|(out, x)| {
            let (a, b) = x.split_at(half);
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out = tanh(a) * sigmoid(b);
            }
        });
        from_vec(out, [n, c / 2, h, w])
    }

    fn gate_pullback(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x, &grad]) {
            return composed::gate_pullback::<Self>(x, grad);
        }
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        let (shape, half) = halves(&x);
        let xs = x.storage::<f32>();
        let mut out = vec![0.0f32; xs.len()];
        out.par_chunks_mut(2 * half).zip(xs.par_chunks(2 * half)).zip(grad.storage::<f32>().par_chunks(half)).for_each(
            |((out, x), grad)| {
                let ((out_a, out_b), (a, b)) = (out.split_at_mut(half), x.split_at(half));
                for ((((out_a, out_b), &a), &b), &g) in out_a.iter_mut().zip(out_b).zip(a).zip(b).zip(grad) {
                    let (t, s) = (tanh(a), sigmoid(b));
                    *out_a = g * s * (1.0 - t * t);
                    *out_b = g * s * t * (1.0 - s);
                }
            },
        );
        from_vec(out, shape)
    }
}

/// The shape of x and the elements of half an image's channels.
fn halves(x: &FlexTensor) -> ([usize; 4], usize) {
    let x = x.layout().shape();
    ([x[0], x[1], x[2], x[3]], x[1] / 2 * x[2] * x[3])
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    c: usize,
    h: usize,
    w: usize,
    o: usize,
}

impl Sizes {
    fn new(x: &FlexTensor, o: usize) -> Self {
        let x = x.layout().shape();
        Self { b: x[0], c: x[1], h: x[2], w: x[3], o }
    }
}

/// The convolution of all images, each of so many numbers and channels.
fn convolve_all(
    planes: &Planes,
    packed: &Packed,
    bias: Option<&[f32]>,
    images: &[f32],
    [inputs, outputs]: [usize; 2],
) -> Vec<f32> {
    let positions = planes.positions();
    let mut out = vec![0.0f32; images.len() / inputs.max(1) * outputs];
    out.par_chunks_mut(outputs * positions).zip(images.par_chunks(inputs * positions)).for_each_init(
        || vec![0.0f32; planes.len(inputs)],
        |input, (out, image)| {
            planes.fill(image, input);
            convolve(planes, packed, bias, input, out);
        },
    );
    out
}

/// The gradients of weight and bias that one run of images gives.
fn pull_run(
    Sizes { c, h, w, o, .. }: Sizes,
    [of_inputs, of_grads]: &[Planes; 2],
    taps: &[Tap],
    xs: &[f32],
    gs: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let (inputs, outputs) = (c * h * w, o * h * w);
    let at_once = of_inputs.images_at_once().min(xs.len() / inputs.max(1)).max(1);
    let (input_stride, grad_stride) = (of_inputs.len(c), of_grads.len(o.next_multiple_of(planes::GRADS)));
    let (mut input_planes, mut grad_planes) =
        (vec![0.0f32; at_once * input_stride], vec![0.0f32; at_once * grad_stride]);
    let (mut grad_weight, mut grad_bias) = (vec![0.0f32; o * c * taps.len()], vec![0.0f32; o]);
    for (xs, gs) in xs.chunks(at_once * inputs).zip(gs.chunks(at_once * outputs)) {
        let planes = input_planes.chunks_mut(input_stride).zip(grad_planes.chunks_mut(grad_stride));
        for ((x, g), (input, grad)) in xs.chunks(inputs).zip(gs.chunks(outputs)).zip(planes) {
            of_inputs.fill(x, input);
            of_grads.fill(g, grad);
            for (sum, g) in grad_bias.iter_mut().zip(g.chunks(h * w)) {
                *sum += g.iter().sum::<f32>();
            }
        }
        let images = xs.len() / inputs.max(1);
        let inputs = Images { planes: &input_planes[..images * input_stride], stride: input_stride };
        let grads = Images { planes: &grad_planes[..images * grad_stride], stride: grad_stride };
        correlate([of_inputs, of_grads], [o, c], taps, inputs, grads, &mut grad_weight);
    }
    (grad_weight, grad_bias)
}
