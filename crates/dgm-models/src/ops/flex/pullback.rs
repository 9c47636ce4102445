//! The pullbacks of the tap convolution: one pass over the images for all that is wanted.

use super::layout::{Planes, planes};
use super::planes::{Added, GRADS, Images, Packed, convolve, correlate};
use super::{Sizes, written};
use crate::ops::activation::flex::add;
use crate::ops::{Before, Tap};
use burn_flex::FlexTensor;
use dgm_core::ops::flex::{CHUNK, from_vec, owned, sum};
use dgm_core::vectorised;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Weight gradients are summed in this many runs of images, then across the runs.
const SUMS: usize = 8;

/// The gradient of x, and that of the output added to it where it is a residual.
pub(super) fn of_input(
    [x, grad]: [FlexTensor; 2],
    weight: FlexTensor,
    taps: &[Tap],
    before: Before,
    residual: bool,
) -> FlexTensor {
    let call = Call::new([&x, &grad], taps, before, false);
    let packed = call.packed(weight);
    let (x, grad) = (owned(x), owned(grad));
    let [input, output] = call.numbers();
    let write = |out: &mut [MaybeUninit<f32>]| {
        let run = call.images_of_run();
        let images = out.par_chunks_mut(run * input).zip(x.storage::<f32>().par_chunks(run * input));
        let images = images.zip(grad.storage::<f32>().par_chunks(run * output));
        images.for_each(|((out, xs), gs)| {
            call.run(xs, gs, Some(Pull { packed: &packed, residual, out }));
        });
    };
    // SAFETY: `Call::new` asserts that x and the gradient have as many images, and all of each is written.
    let of_x = unsafe { written(x.layout().num_elements(), write) };
    from_vec(of_x, x.layout().shape().clone())
}

/// The gradients of weight and bias.
pub(super) fn of_weights([x, grad]: [FlexTensor; 2], taps: &[Tap], before: Before) -> (FlexTensor, FlexTensor) {
    let call = Call::new([&x, &grad], taps, before, true);
    let (x, grad) = (owned(x), owned(grad));
    let ([input, output], run) = (call.numbers(), call.images_of_run());
    let images = x.storage::<f32>().par_chunks(run * input).zip(grad.storage::<f32>().par_chunks(run * output));
    let runs: Vec<Sums> = images.map(|(xs, gs)| call.run(xs, gs, None)).collect();
    call.total(&runs)
}

/// Both.
pub(super) fn of_all(
    [x, grad]: [FlexTensor; 2],
    weight: FlexTensor,
    taps: &[Tap],
    before: Before,
    residual: bool,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let call = Call::new([&x, &grad], taps, before, true);
    let packed = call.packed(weight);
    let (x, grad) = (owned(x), owned(grad));
    let ([input, output], run) = (call.numbers(), call.images_of_run());
    let mut runs = Vec::new();
    let write = |out: &mut [MaybeUninit<f32>]| {
        let images = out.par_chunks_mut(run * input).zip(x.storage::<f32>().par_chunks(run * input));
        let images = images.zip(grad.storage::<f32>().par_chunks(run * output));
        let of_run = |((out, xs), gs)| call.run(xs, gs, Some(Pull { packed: &packed, residual, out }));
        runs = images.map(of_run).collect();
    };
    // SAFETY: as in `of_input`.
    let of_x = unsafe { written(x.layout().num_elements(), write) };
    let (of_weight, of_bias) = call.total(&runs);
    (from_vec(of_x, x.layout().shape().clone()), of_weight, of_bias)
}

/// What all images share.
struct Call<'a> {
    sizes: Sizes,
    taps: &'a [Tap],
    before: Before,
    /// Of the inputs and of the gradients.
    planes: [Planes; 2],
    wants_weights: bool,
}

/// The gradient of x, where it is wanted.
struct Pull<'a> {
    packed: &'a Packed,
    /// Whether the output's gradient is added.
    residual: bool,
    /// Where it is written.
    out: &'a mut [MaybeUninit<f32>],
}

/// Bytes of planes that a thread goes over again and again.
const CACHE: usize = 16 * 1024;

/// Images that stay in a core's cache while tiles of them are gone over.
fn at_once(planes: &Planes) -> usize {
    (CACHE / (4 * GRADS * planes.size.max(1))).max(1)
}

/// The gradients of weight and bias.
type Sums = (Vec<f32>, Vec<f32>);

impl<'a> Call<'a> {
    fn new([x, grad]: [&FlexTensor; 2], taps: &'a [Tap], before: Before, wants_weights: bool) -> Self {
        let sizes = Sizes::new(x, before, grad.layout().shape()[1]);
        let Sizes { b, h, w, o, .. } = sizes;
        assert_eq!(grad.layout().shape().as_slice(), [b, o, h, w], "tap_conv2d: the gradient's shape");
        Self { sizes, taps, before, planes: planes(taps, [sizes.h, sizes.w]), wants_weights }
    }

    fn packed(&self, weight: FlexTensor) -> Packed {
        let Sizes { c, o, .. } = self.sizes;
        Packed::backward(owned(weight).storage::<f32>(), [o, c], self.taps, &self.planes[1])
    }

    /// Runs depend on the sizes alone, and so does the order of the sums.
    fn images_of_run(&self) -> usize {
        self.sizes.b.div_ceil(SUMS).max(1)
    }

    /// Numbers of an image that goes in, and of one that comes out.
    fn numbers(&self) -> [usize; 2] {
        let Sizes { c, h, w, o, .. } = self.sizes;
        [self.before.channels() * c * h * w, o * h * w]
    }

    fn no_sums(&self) -> Sums {
        let Sizes { c, o, .. } = self.sizes;
        (vec![0.0; o * c * self.taps.len()], vec![0.0; o])
    }

    fn total(&self, runs: &[Sums]) -> (FlexTensor, FlexTensor) {
        let Sizes { c, o, .. } = self.sizes;
        let (mut weight, mut bias) = self.no_sums();
        weight.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
            let first = chunk * CHUNK;
            for (of_run, _) in runs {
                add(sums, &of_run[first..first + sums.len()]);
            }
        });
        runs.iter().for_each(|(_, of_run)| add(&mut bias, of_run));
        (from_vec(weight, [o, c, self.taps.len()]), from_vec(bias, [o]))
    }

    /// One run of images: writes the gradients of x where they are wanted, and gives those of weight and bias.
    fn run(&self, xs: &[f32], gs: &[f32], mut pull: Option<Pull<'_>>) -> Sums {
        let Sizes { c, h, w, o, .. } = self.sizes;
        let [of_inputs, of_grads] = &self.planes;
        let [input, output] = self.numbers();
        let at_once = at_once(of_inputs).min(xs.len() / input.max(1)).max(1);
        let (input_stride, grad_stride) = (of_inputs.len(c), of_grads.len(o.next_multiple_of(GRADS)));
        let mut inputs = vec![0.0f32; at_once * input_stride];
        let mut grads = vec![0.0f32; at_once * grad_stride];
        let (mut seen, mut pulled) = (Vec::new(), Vec::new());
        let (mut of_weight, mut of_bias) = self.no_sums();
        for (group, (xs, gs)) in xs.chunks(at_once * input).zip(gs.chunks(at_once * output)).enumerate() {
            let planes = inputs.chunks_mut(input_stride).zip(grads.chunks_mut(grad_stride));
            let images = xs.chunks(input).zip(gs.chunks(output)).zip(planes);
            for (i, ((x, g), (inputs, grads))) in images.enumerate() {
                of_grads.fill(g, grads);
                if let Some(pull) = &mut pull {
                    self.pull(pull, group * at_once + i, x, g, grads, &mut pulled);
                }
                if self.wants_weights {
                    of_inputs.fill_seen(x, self.before, &mut seen, inputs);
                    add_sums(&mut of_bias, g, h * w);
                }
            }
            if self.wants_weights {
                let images = xs.len() / input.max(1);
                let inputs = Images { planes: &inputs[..images * input_stride], stride: input_stride };
                let grads = Images { planes: &grads[..images * grad_stride], stride: grad_stride };
                correlate([of_inputs, of_grads], [o, c], self.taps, inputs, grads, &mut of_weight);
            }
        }
        (of_weight, of_bias)
    }

    /// The gradient of the run's image `i`, `x`, from that of its output, `g`, and its planes.
    fn pull(
        &self,
        Pull { packed, residual, out }: &mut Pull<'_>,
        i: usize,
        x: &[f32],
        g: &[f32],
        planes: &[f32],
        pulled: &mut Vec<MaybeUninit<f32>>,
    ) {
        let out = &mut out[i * x.len()..(i + 1) * x.len()];
        let more = residual.then_some(g);
        let [_, of_grads] = &self.planes;
        if self.before == Before::IDENTITY {
            return convolve(of_grads, packed, Added { bias: None, base: more }, planes, out);
        }
        pulled.resize(out.len() / self.before.channels(), MaybeUninit::uninit());
        convolve(of_grads, packed, Added { bias: None, base: None }, planes, pulled);
        // SAFETY: all of it is written.
        self.before.pull_image(x, unsafe { pulled.assume_init_ref() }, more, out);
    }
}

vectorised! {
    /// Adds the sum of each channel of so many positions.
    fn add_sums(sums: &mut [f32], channels: &[f32], positions: usize) {
        for (of_channel, channel) in sums.iter_mut().zip(channels.chunks(positions)) {
            *of_channel += sum(channel);
        }
    }
}
