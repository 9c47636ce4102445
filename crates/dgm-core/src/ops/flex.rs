//! One-pass implementations of [`ObjectiveOps`] for flex, Burn's CPU backend.
//!
//! One loop over the elements in place of eight passes over memory. The loops hold no calls, so the compiler turns them
//! into vector instructions of whatever the target has; a result does not depend on the number of threads.

use super::elementary::{exp_negative, log1p_unit};
use super::{ObjectiveOps, composed};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use rayon::prelude::*;

/// Elements for one thread at a time.
const CHUNK: usize = 16 * 1024;

impl ObjectiveOps for Flex {
    fn bernoulli_log_prob(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&logits, &x]) {
            return composed::bernoulli_log_prob::<Self>(logits, x);
        }
        let (logits, x) = (logits.to_contiguous(), x.to_contiguous());
        let (l, v) = (logits.storage::<f32>(), x.storage::<f32>());
        let mut out = vec![0.0f32; l.len()];
        out.par_chunks_mut(CHUNK).zip(l.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK)).for_each(|((out, l), v)| {
            for ((out, &l), &v) in out.iter_mut().zip(l).zip(v) {
                *out = v * l - l.max(0.0) - log1p_unit(exp_negative(-l.abs()));
            }
        });
        from_vec(out, logits.layout().shape().clone())
    }

    fn bernoulli_log_prob_pullback(
        logits: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&logits, &x, &grad]) {
            return composed::bernoulli_log_prob_pullback::<Self>(logits, x, grad);
        }
        let (logits, x, grad) = (logits.to_contiguous(), x.to_contiguous(), grad.to_contiguous());
        let (l, v, g) = (logits.storage::<f32>(), x.storage::<f32>(), grad.storage::<f32>());
        let mut out = vec![0.0f32; l.len()];
        out.par_chunks_mut(CHUNK).zip(l.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK)).zip(g.par_chunks(CHUNK)).for_each(
            |(((out, l), v), g)| {
                for (((out, &l), &v), &g) in out.iter_mut().zip(l).zip(v).zip(g) {
                    let decay = exp_negative(-l.abs());
                    // x − σ(l) = (x − 1) + σ(−l) for l ≥ 0: with the smaller of σ(±l) nothing is lost where x is met.
                    let rest = decay / (1.0 + decay);
                    *out = g * if l >= 0.0 { (v - 1.0) + rest } else { v - rest };
                }
            },
        );
        from_vec(out, logits.layout().shape().clone())
    }

    fn categorical_log_prob(logits: FloatTensor<Self>, class: IntTensor<Self>) -> FloatTensor<Self> {
        let Some(classes) = class_indices(&class) else {
            return composed::categorical_log_prob::<Self>(logits, class);
        };
        if !all_f32(&[&logits]) {
            return composed::categorical_log_prob::<Self>(logits, class);
        }
        let logits = logits.to_contiguous();
        let width = logits.layout().shape()[1];
        let mut out = vec![0.0f32; classes.len()];
        let rows = rows_per_chunk(width);
        out.par_chunks_mut(rows)
            .zip(logits.storage::<f32>().par_chunks(rows * width))
            .zip(classes.par_chunks(rows))
            .for_each(|((out, l), class)| {
                for ((out, l), &class) in out.iter_mut().zip(l.chunks_exact(width)).zip(class) {
                    let (max, sum) = max_and_sum(l);
                    *out = l[class] - max - sum.ln();
                }
            });
        let n = classes.len();
        from_vec(out, [n])
    }

    fn categorical_log_prob_pullback(
        logits: FloatTensor<Self>,
        class: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let Some(classes) = class_indices(&class) else {
            return composed::categorical_log_prob_pullback::<Self>(logits, class, grad);
        };
        if !all_f32(&[&logits, &grad]) {
            return composed::categorical_log_prob_pullback::<Self>(logits, class, grad);
        }
        let (logits, grad) = (logits.to_contiguous(), grad.to_contiguous());
        let width = logits.layout().shape()[1];
        let l = logits.storage::<f32>();
        let mut out = vec![0.0f32; l.len()];
        let rows = rows_per_chunk(width);
        out.par_chunks_mut(rows * width)
            .zip(l.par_chunks(rows * width))
            .zip(classes.par_chunks(rows))
            .zip(grad.storage::<f32>().par_chunks(rows))
            .for_each(|(((out, l), class), grad)| {
                let rows = out.chunks_exact_mut(width).zip(l.chunks_exact(width)).zip(class).zip(grad);
                for (((out, l), &class), &grad) in rows {
                    let (max, sum) = max_and_sum(l);
                    let scale = -grad / sum;
                    for (out, &l) in out.iter_mut().zip(l) {
                        *out = scale * exp_negative(l - max);
                    }
                    out[class] += grad;
                }
            });
        from_vec(out, logits.layout().shape().clone())
    }
}

/// Whether a loop over `f32` may read all of them.
pub fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// A tensor of these numbers in row-major order.
pub fn from_vec(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

/// The classes as indices, `None` for an integer type that flex does not use by default.
fn class_indices(class: &FlexTensor) -> Option<Vec<usize>> {
    let class = class.to_contiguous();
    match class.dtype() {
        DType::I32 => Some(class.storage::<i32>().iter().map(|&class| class as usize).collect()),
        DType::I64 => Some(class.storage::<i64>().iter().map(|&class| class as usize).collect()),
        _ => None,
    }
}

fn rows_per_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// m = max l and Σₖ exp(lₖ − m).
fn max_and_sum(l: &[f32]) -> (f32, f32) {
    let max = l.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (max, l.iter().map(|&l| exp_negative(l - max)).sum())
}
