//! One pass in each direction on flex. Rows are split by the sizes alone, so a result does not depend on the number of threads.

use super::{Activation, DenseOps, composed};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::elementary::sigmoid;
use dgm_core::ops::flex::{CHUNK, all_f32, from_vec, owned, vectorised};
use rayon::prelude::*;

/// The rows' gradients are summed in this many runs, then across the runs.
const SUMS: usize = 8;

/// Numbers below which waking other threads takes longer than the work.
const ALONE: usize = 32 * 1024;

impl DenseOps for Flex {
    fn dense_with_preactivation(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &weight, &bias]) {
            return composed::dense_with_preactivation::<Self>(x, weight, bias, activation);
        }
        let bias = owned(bias);
        let bias = bias.storage::<f32>();
        let mut z = owned(Self::float_matmul(x, weight));
        let shape = z.layout().shape().clone();
        let (width, rows) = (bias.len().max(1), rows_of(&z, bias.len()));
        let per_chunk = width * (CHUNK / width).max(1);
        let values = z.storage_mut::<f32>();
        if activation != Activation::Silu {
            let least = if activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY };
            each(values.len(), values.par_chunks_mut(per_chunk), |z| {
                vectorised(|| {
                    for row in z.chunks_mut(width) {
                        for (z, &bias) in row.iter_mut().zip(bias) {
                            let sum = *z + bias;
                            // NaN stays NaN.
                            *z = if sum < least { least } else { sum };
                        }
                    }
                });
            });
            return (z.clone(), z);
        }
        let mut y = vec![0.0f32; rows * width];
        each(values.len(), values.par_chunks_mut(per_chunk).zip(y.par_chunks_mut(per_chunk)), |(z, y)| {
            vectorised(|| {
                for (z, y) in z.chunks_mut(width).zip(y.chunks_mut(width)) {
                    for ((z, y), &bias) in z.iter_mut().zip(y).zip(bias) {
                        *z += bias;
                        *y = *z * sigmoid(*z);
                    }
                }
            });
        });
        (from_vec(y, shape), z)
    }

    fn activation_pullback(
        z: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&z, &grad]) {
            return composed::activation_pullback::<Self>(z, grad, activation);
        }
        let (z, mut grad) = (owned(z), owned(grad));
        let width = grad.layout().shape()[1];
        let rows = rows_of(&grad, width);
        let per_run = width.max(1) * rows.div_ceil(SUMS).max(1);
        let sums: Vec<Vec<f32>> = if activation == Activation::Identity {
            let runs = grad.storage::<f32>().par_chunks(per_run);
            collected(rows * width, runs, |grad| {
                let mut sums = vec![0.0f32; width];
                vectorised(|| grad.chunks(width).for_each(|row| add(&mut sums, row)));
                sums
            })
        } else {
            let runs = grad.storage_mut::<f32>().par_chunks_mut(per_run).zip(z.storage::<f32>().par_chunks(per_run));
            collected(rows * width, runs, |(grad, z)| {
                let mut sums = vec![0.0f32; width];
                vectorised(|| {
                    for (grad, z) in grad.chunks_mut(width).zip(z.chunks(width)) {
                        for (grad, &z) in grad.iter_mut().zip(z) {
                            *grad = pulled(*grad, z, activation);
                        }
                        add(&mut sums, grad);
                    }
                });
                sums
            })
        };
        let mut sums = sums.into_iter();
        let mut total = sums.next().unwrap_or_else(|| vec![0.0; width]);
        sums.for_each(|sum| add(&mut total, &sum));
        (grad, from_vec(total, [width]))
    }
}

/// g·φ′(z).
#[inline(always)]
fn pulled(g: f32, z: f32, activation: Activation) -> f32 {
    match activation {
        Activation::Identity => g,
        // Where it is cut off even an infinite gradient is.
        Activation::Relu if z <= 0.0 => 0.0,
        Activation::Relu => g,
        Activation::Silu => {
            let s = sigmoid(z);
            g * (s * (1.0 + z * (1.0 - s)))
        }
    }
}

#[inline(always)]
fn add(sums: &mut [f32], row: &[f32]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

fn rows_of(tensor: &FlexTensor, width: usize) -> usize {
    tensor.layout().num_elements() / width.max(1)
}

/// Runs `f` on all chunks of so many numbers together, on this thread alone where they are few.
fn each<I: IndexedParallelIterator>(numbers: usize, chunks: I, f: impl Fn(I::Item) + Sync + Send) {
    let least = if numbers < ALONE { chunks.len().max(1) } else { 1 };
    chunks.with_min_len(least).for_each(f);
}

/// What `f` makes of each chunk, in order.
fn collected<I: IndexedParallelIterator, T: Send>(
    numbers: usize,
    chunks: I,
    f: impl Fn(I::Item) -> T + Sync + Send,
) -> Vec<T> {
    let least = if numbers < ALONE { chunks.len().max(1) } else { 1 };
    chunks.with_min_len(least).map(f).collect()
}
