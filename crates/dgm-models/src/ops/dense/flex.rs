//! One pass in each direction on flex. Rows are split by the sizes alone, so a result does not depend on the number of threads.

use super::super::activation::flex::{
    leaky_relu, pull_leaky_relu, pull_relu, pull_silu, pull_squared_relu, relu, squared_relu,
};
use super::product::{Matrix, product, two_products};
use super::{Activation, DenseOps, composed};
use crate::ops::flex::written;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::elementary::{flush_tiny, sigmoid};
use dgm_core::ops::flex::{CHUNK, all_f32, from_vec, owned};
use dgm_core::vectorised;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// The rows' gradients are summed in this many runs, then across the runs.
const SUMS: usize = 8;

/// Numbers below which waking other threads takes longer than the work.
const ALONE: usize = 128 * 1024;

impl DenseOps for Flex {
    fn dense_with_preactivation(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        // Of a negative slope φ(z) does not tell the sign of z.
        let folds = matches!(activation, Activation::LeakyRelu(slope) if slope.is_sign_negative());
        if folds || !all_f32(&[&x, &weight, &bias]) {
            return composed::dense_with_preactivation::<Self>(x, weight, bias, activation);
        }
        let bias = owned(bias);
        let bias = bias.storage::<f32>();
        let (x, weight) = (owned(x), owned(weight));
        assert_eq!(bias.len(), weight.layout().shape()[1], "dense: numbers of the bias, and columns of the weight");
        let z = product(matrix(&x), matrix(&weight));
        let shape = [x.layout().shape()[0], weight.layout().shape()[1]];
        let mut z = from_vec(z, shape);
        let (width, rows) = (bias.len().max(1), rows_of(&z, bias.len()));
        let per_chunk = width * (CHUNK / width).max(1);
        let values = z.storage_mut::<f32>();
        let kept: fn(&mut [f32], &mut [MaybeUninit<f32>], &[f32]) = match activation {
            Activation::Silu => add_silu,
            Activation::SquaredRelu => add_squared_relu,
            // Of the others the value itself tells the slope, and z is not kept.
            Activation::Identity | Activation::Relu | Activation::LeakyRelu(_) => {
                each(values.len(), values.par_chunks_mut(per_chunk), |z| match activation {
                    Activation::Relu => add_relu(z, bias),
                    Activation::LeakyRelu(slope) => add_leaky_relu(z, bias, slope),
                    _ => add_bias(z, bias),
                });
                return (z.clone(), z);
            }
        };
        let write = |y: &mut [MaybeUninit<f32>]| {
            let chunks = values.par_chunks_mut(per_chunk).zip(y.par_chunks_mut(per_chunk));
            each(rows * width, chunks, |(z, y)| kept(z, y, bias));
        };
        // SAFETY: there are as many numbers in z, whole rows of the bias' length.
        let y = unsafe { written(rows * width, write) };
        (from_vec(y, shape), z)
    }

    fn dense_pullback_input(weight: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&weight, &grad]) {
            return Self::float_matmul(grad, Self::float_transpose(weight));
        }
        let (weight, grad) = (owned(weight), owned(grad));
        let (weight, grad) = (matrix(&weight).transposed(), matrix(&grad));
        from_vec(product(grad, weight), [grad.rows(), weight.columns()])
    }

    fn dense_pullback_weight(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&x, &grad]) {
            return Self::float_matmul(Self::float_transpose(x), grad);
        }
        let (x, grad) = (owned(x), owned(grad));
        let (x, grad) = (matrix(&x).transposed(), matrix(&grad));
        from_vec(product(x, grad), [x.rows(), grad.columns()])
    }

    fn dense_pullback(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &weight, &grad]) {
            return (Self::dense_pullback_input(weight, grad.clone()), Self::dense_pullback_weight(x, grad));
        }
        let (x, weight, grad) = (owned(x), owned(weight), owned(grad));
        let (x, weight, grad) = (matrix(&x).transposed(), matrix(&weight).transposed(), matrix(&grad));
        let [of_x, of_weight] = two_products([[grad, weight], [x, grad]]);
        (from_vec(of_x, [grad.rows(), weight.columns()]), from_vec(of_weight, [x.rows(), grad.columns()]))
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
                add_rows(&mut sums, grad);
                sums
            })
        } else {
            let runs = grad.storage_mut::<f32>().par_chunks_mut(per_run).zip(z.storage::<f32>().par_chunks(per_run));
            collected(rows * width, runs, |(grad, z)| {
                let mut sums = vec![0.0f32; width];
                match activation {
                    Activation::Relu => pull_relu_rows(&mut sums, grad, z),
                    Activation::LeakyRelu(slope) => pull_leaky_relu_rows(&mut sums, grad, z, slope),
                    Activation::Silu => pull_silu_rows(&mut sums, grad, z),
                    Activation::SquaredRelu => pull_squared_relu_rows(&mut sums, grad, z),
                    Activation::Identity => add_rows(&mut sums, grad),
                }
                sums
            })
        };
        let mut sums = sums.into_iter();
        let mut total = sums.next().unwrap_or_else(|| vec![0.0; width]);
        sums.for_each(|sum| add_rows(&mut total, &sum));
        (grad, from_vec(total, [width]))
    }
}

vectorised! {
    fn add_bias(z: &mut [f32], bias: &[f32]) {
        finish(z, bias, |z| z);
    }

    fn add_relu(z: &mut [f32], bias: &[f32]) {
        finish(z, bias, relu);
    }

    fn add_leaky_relu(z: &mut [f32], bias: &[f32], slope: f32) {
        finish(z, bias, |z| leaky_relu(z, slope));
    }

    fn add_silu(z: &mut [f32], y: &mut [MaybeUninit<f32>], bias: &[f32]) {
        finish_beside(z, y, bias, |z| z * sigmoid(z));
    }

    fn add_squared_relu(z: &mut [f32], y: &mut [MaybeUninit<f32>], bias: &[f32]) {
        finish_beside(z, y, bias, squared_relu);
    }

    fn add_rows(sums: &mut [f32], rows: &[f32]) {
        for row in rows.chunks(sums.len().max(1)) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }

    fn pull_relu_rows(sums: &mut [f32], grad: &mut [f32], z: &[f32]) {
        pull(sums, grad, z, pull_relu);
    }

    fn pull_leaky_relu_rows(sums: &mut [f32], grad: &mut [f32], z: &[f32], slope: f32) {
        pull(sums, grad, z, |g, z| pull_leaky_relu(g, z, slope));
    }

    fn pull_silu_rows(sums: &mut [f32], grad: &mut [f32], z: &[f32]) {
        pull(sums, grad, z, pull_silu);
    }

    fn pull_squared_relu_rows(sums: &mut [f32], grad: &mut [f32], z: &[f32]) {
        pull(sums, grad, z, pull_squared_relu);
    }
}

/// g ← g·φ′(z), and adds the rows.
#[inline(always)]
fn pull(sums: &mut [f32], grad: &mut [f32], z: &[f32], f: impl Fn(f32, f32) -> f32) {
    let width = sums.len().max(1);
    for (grad, z) in grad.chunks_mut(width).zip(z.chunks(width)) {
        for ((grad, &z), sum) in grad.iter_mut().zip(z).zip(&mut *sums) {
            *grad = flush_tiny(f(*grad, z));
            *sum += *grad;
        }
    }
}

/// z ← φ(z + bias), row by row.
#[inline(always)]
fn finish(z: &mut [f32], bias: &[f32], f: impl Fn(f32) -> f32) {
    for row in z.chunks_mut(bias.len().max(1)) {
        for (z, &bias) in row.iter_mut().zip(bias) {
            *z = f(*z + bias);
        }
    }
}

/// z ← z + bias, y ← φ(z), row by row.
#[inline(always)]
fn finish_beside(z: &mut [f32], y: &mut [MaybeUninit<f32>], bias: &[f32], f: impl Fn(f32) -> f32) {
    let width = bias.len().max(1);
    for (z, y) in z.chunks_mut(width).zip(y.chunks_mut(width)) {
        for ((z, y), &bias) in z.iter_mut().zip(y).zip(bias) {
            *z += bias;
            y.write(f(*z));
        }
    }
}

/// Of a tensor with nothing else in its storage.
fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let shape = tensor.layout().shape();
    Matrix::new(tensor.storage::<f32>(), [shape[0], shape[1]])
}

fn rows_of(tensor: &FlexTensor, width: usize) -> usize {
    tensor.layout().num_elements() / width.max(1)
}

/// Chunks that a thread takes at once: all, where there are few numbers.
fn at_once(numbers: usize, chunks: usize) -> usize {
    if numbers < ALONE { chunks.max(1) } else { 1 }
}

/// Runs `f` on all chunks of so many numbers together, on this thread alone where they are few.
fn each<I: IndexedParallelIterator>(numbers: usize, chunks: I, f: impl Fn(I::Item) + Sync + Send) {
    let least = at_once(numbers, chunks.len());
    chunks.with_min_len(least).for_each(f);
}

/// What `f` makes of each chunk, in order.
fn collected<I: IndexedParallelIterator, T: Send>(
    numbers: usize,
    chunks: I,
    f: impl Fn(I::Item) -> T + Sync + Send,
) -> Vec<T> {
    let least = at_once(numbers, chunks.len());
    chunks.with_min_len(least).map(f).collect()
}
