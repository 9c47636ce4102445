//! The tap convolution on flex: columns of the open taps for a group of images, one GEMM per group, groups in parallel.
//!
//! The groups, and the order in which their weight gradients are summed, depend on the sizes alone, so a result does
//! not depend on the number of threads.

use super::{ConvOps, Tap, composed};
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::elementary::{sigmoid, tanh};
use dgm_core::ops::flex::{all_f32, from_vec};
use rayon::prelude::*;

/// Positions of one group: enough for an efficient GEMM, few enough for columns that stay in the cache.
const GROUP_POSITIONS: usize = 512;

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
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let sizes = ConvSizes::new(&x, &weight, &taps);
        let (xs, ws, bs) = (x.storage::<f32>(), weight.storage::<f32>(), bias.storage::<f32>());
        let mut out = vec![0.0f32; sizes.b * sizes.o * sizes.hw];

        out.par_chunks_mut(sizes.group * sizes.o * sizes.hw)
            .zip(xs.par_chunks(sizes.group * sizes.c * sizes.hw))
            .for_each_init(Scratch::default, |scratch, (out, xs)| {
                let images = xs.len() / (sizes.c * sizes.hw);
                let positions = images * sizes.hw;
                sizes.fill_columns(xs, images, &mut scratch.columns);
                let product = sized(&mut scratch.product, sizes.o * positions);
                // [o, k] × [k, positions]
                gemm_f32(
                    product,
                    false,
                    [sizes.o, positions, sizes.k],
                    ws,
                    [sizes.k, 1],
                    &scratch.columns,
                    [positions, 1],
                );
                for image in 0..images {
                    for o in 0..sizes.o {
                        let from = &product[o * positions + image * sizes.hw..][..sizes.hw];
                        let to = &mut out[(image * sizes.o + o) * sizes.hw..][..sizes.hw];
                        let bias = bs[o];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = from + bias);
                    }
                }
            });
        from_vec(out, [sizes.b, sizes.o, sizes.h, sizes.w])
    }

    fn tap_conv2d_pullback(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &weight, &grad]) {
            return composed::tap_conv2d_pullback::<Self>(x, weight, grad, &taps);
        }
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let sizes = ConvSizes::new(&x, &weight, &taps);
        let (xs, ws, gs) = (x.storage::<f32>(), weight.storage::<f32>(), grad.storage::<f32>());
        let mut grad_x = vec![0.0f32; xs.len()];

        let groups_per_run = sizes.b.div_ceil(sizes.group).div_ceil(SUMS);
        let images_per_run = groups_per_run * sizes.group;
        let runs: Vec<(Vec<f32>, Vec<f32>)> = grad_x
            .par_chunks_mut(images_per_run * sizes.c * sizes.hw)
            .zip(xs.par_chunks(images_per_run * sizes.c * sizes.hw))
            .zip(gs.par_chunks(images_per_run * sizes.o * sizes.hw))
            .map_init(Scratch::default, |scratch, ((grad_x, xs), gs)| sizes.pull_run(scratch, grad_x, xs, gs, ws))
            .collect();

        let mut sums = runs.into_iter();
        let (mut grad_weight, mut grad_bias) =
            sums.next().unwrap_or_else(|| (vec![0.0; sizes.o * sizes.k], vec![0.0; sizes.o]));
        for (run_weight, run_bias) in sums {
            grad_weight.iter_mut().zip(run_weight).for_each(|(sum, run)| *sum += run);
            grad_bias.iter_mut().zip(run_bias).for_each(|(sum, run)| *sum += run);
        }
        (
            from_vec(grad_x, [sizes.b, sizes.c, sizes.h, sizes.w]),
            from_vec(grad_weight, [sizes.o, sizes.c, taps.len()]),
            from_vec(grad_bias, [sizes.o]),
        )
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

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    columns: Vec<f32>,
    product: Vec<f32>,
}

/// The sizes of one call and how its images are grouped.
struct ConvSizes<'a> {
    b: usize,
    c: usize,
    h: usize,
    w: usize,
    hw: usize,
    o: usize,
    /// Rows of the columns: channels × taps.
    k: usize,
    /// Images in a group.
    group: usize,
    taps: &'a [Tap],
}

impl<'a> ConvSizes<'a> {
    fn new(x: &FlexTensor, weight: &FlexTensor, taps: &'a [Tap]) -> Self {
        let (x, o) = (x.layout().shape(), weight.layout().shape()[0]);
        let (b, c, h, w) = (x[0], x[1], x[2], x[3]);
        let hw = h * w;
        let group = (GROUP_POSITIONS / hw.max(1)).max(1);
        Self { b, c, h, w, hw, o, k: c * taps.len(), group, taps }
    }

    /// Calls `copy(offset in the image, offset in the shifted image, length)` for each run of a row that stays inside.
    fn spans(&self, [dy, dx]: Tap, mut copy: impl FnMut(usize, usize, usize)) {
        let (h, w) = (self.h as isize, self.w as isize);
        let (from, to) = ((-dx).max(0), (w - dx).min(w));
        if from >= to {
            return;
        }
        for row in (-dy).max(0)..(h - dy).min(h) {
            copy(((row + dy) * w + from + dx) as usize, (row * w + from) as usize, (to - from) as usize);
        }
    }

    /// columns\[(c, t), (image, p)\] = x\[image, c, p + tap_t\], 0 outside.
    fn fill_columns(&self, xs: &[f32], images: usize, columns: &mut Vec<f32>) {
        let positions = images * self.hw;
        columns.clear();
        columns.resize(self.k * positions, 0.0);
        for image in 0..images {
            for c in 0..self.c {
                let plane = &xs[(image * self.c + c) * self.hw..][..self.hw];
                for (t, &tap) in self.taps.iter().enumerate() {
                    let row = &mut columns[(c * self.taps.len() + t) * positions + image * self.hw..][..self.hw];
                    self.spans(tap, |from, to, len| row[to..to + len].copy_from_slice(&plane[from..from + len]));
                }
            }
        }
    }

    /// The gradients of one run of groups: x's in place, and the run's sums for weight and bias.
    fn pull_run(
        &self,
        scratch: &mut Scratch,
        grad_x: &mut [f32],
        xs: &[f32],
        gs: &[f32],
        ws: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let mut grad_weight = vec![0.0f32; self.o * self.k];
        let mut grad_bias = vec![0.0f32; self.o];
        let groups = grad_x
            .chunks_mut(self.group * self.c * self.hw)
            .zip(xs.chunks(self.group * self.c * self.hw))
            .zip(gs.chunks(self.group * self.o * self.hw));
        for ((grad_x, xs), gs) in groups {
            let images = xs.len() / (self.c * self.hw);
            let positions = images * self.hw;
            // The gradient as [o, positions].
            let g = sized(&mut scratch.product, self.o * positions);
            for image in 0..images {
                for (o, sum) in grad_bias.iter_mut().enumerate() {
                    let from = &gs[(image * self.o + o) * self.hw..][..self.hw];
                    g[o * positions + image * self.hw..][..self.hw].copy_from_slice(from);
                    *sum += from.iter().sum::<f32>();
                }
            }
            self.fill_columns(xs, images, &mut scratch.columns);
            // [o, positions] × [positions, k]
            let by_weight = [self.o, self.k, positions];
            gemm_f32(&mut grad_weight, true, by_weight, g, [positions, 1], &scratch.columns, [1, positions]);
            // [k, o] × [o, positions], over the columns, which are no longer needed.
            let by_input = [self.k, positions, self.o];
            gemm_f32(&mut scratch.columns, false, by_input, ws, [1, self.k], g, [positions, 1]);
            for image in 0..images {
                for c in 0..self.c {
                    let plane = &mut grad_x[(image * self.c + c) * self.hw..][..self.hw];
                    for (t, &tap) in self.taps.iter().enumerate() {
                        let start = (c * self.taps.len() + t) * positions + image * self.hw;
                        let row = &scratch.columns[start..][..self.hw];
                        self.spans(tap, |to, from, len| {
                            let sums = plane[to..to + len].iter_mut().zip(&row[from..from + len]);
                            sums.for_each(|(sum, part)| *sum += part);
                        });
                    }
                }
            }
        }
        (grad_weight, grad_bias)
    }
}

fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// out\[m, n\] = (out if `add`) + a\[m, k\] · b\[k, n\], on this thread; `out` row-major, strides as \[row, column\].
fn gemm_f32(
    out: &mut [f32],
    add: bool,
    [m, n, k]: [usize; 3],
    a: &[f32],
    a_strides: [usize; 2],
    b: &[f32],
    b_strides: [usize; 2],
) {
    let last = |rows: usize, columns: usize, strides: [usize; 2]| {
        (rows.max(1) - 1) * strides[0] + (columns.max(1) - 1) * strides[1] + 1
    };
    assert!(out.len() >= m * n && a.len() >= last(m, k, a_strides) && b.len() >= last(k, n, b_strides));
    // SAFETY: the assertion above keeps every access inside its slice, and `out` is borrowed mutably, so it overlaps
    // neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.as_ptr(),
            a_strides[1] as isize,
            a_strides[0] as isize,
            b.as_ptr(),
            b_strides[1] as isize,
            b_strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
