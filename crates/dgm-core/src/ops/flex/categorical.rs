//! Categorical log-densities of rows of logits.

use super::{exp_all, from_vec, max, rows_per_chunk, sum};
use crate::vectorised;
use burn::backend::ops::IntTensorOps;
use burn::tensor::IntDType;
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

/// l\[class\] − m − log Σₖ exp(lₖ − m), m = max l.
pub(super) fn log_prob(logits: FlexTensor, class: FlexTensor) -> FlexTensor {
    let logits = logits.to_contiguous();
    let width = logits.layout().shape()[1];
    let classes = class_indices(class, width);
    let rows = rows_per_chunk(width);
    let mut out = vec![0.0f32; classes.len()];
    out.par_chunks_mut(rows)
        .zip(logits.storage::<f32>().par_chunks(rows * width))
        .zip(classes.par_chunks(rows))
        .for_each_init(Vec::new, |scratch, ((out, l), classes)| rows_log_prob(out, l, classes, scratch));
    let n = classes.len();
    from_vec(out, [n])
}

/// g·(onehot(class) − softmax(l)).
pub(super) fn log_prob_pullback(logits: FlexTensor, class: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let (logits, grad) = (logits.to_contiguous(), grad.to_contiguous());
    let shape = logits.layout().shape().clone();
    let width = shape[1];
    let classes = class_indices(class, width);
    let rows = rows_per_chunk(width);
    let mut out = logits.storage::<f32>().to_vec();
    out.par_chunks_mut(rows * width)
        .zip(classes.par_chunks(rows))
        .zip(grad.storage::<f32>().par_chunks(rows))
        .for_each(|((out, classes), grads)| pull_rows(out, classes, grads, width));
    from_vec(out, shape)
}

vectorised! {
    fn rows_log_prob(out: &mut [f32], l: &[f32], classes: &[usize], scratch: &mut Vec<f32>) {
        let width = l.len() / out.len().max(1);
        scratch.clear();
        scratch.extend_from_slice(l);
        for ((out, l), &class) in out.iter_mut().zip(scratch.chunks_exact_mut(width)).zip(classes) {
            shift(l);
            *out = l[class];
        }
        // All rows at once: a short row alone would leave most of a vector register empty.
        exp_all(scratch);
        for (out, l) in out.iter_mut().zip(scratch.chunks_exact(width)) {
            *out -= sum(l).ln();
        }
    }

    /// From the logits to the gradients.
    fn pull_rows(out: &mut [f32], classes: &[usize], grads: &[f32], width: usize) {
        out.chunks_exact_mut(width).for_each(shift);
        exp_all(out);
        for ((out, &class), &grad) in out.chunks_exact_mut(width).zip(classes).zip(grads) {
            let scale = -grad / sum(out);
            out.iter_mut().for_each(|out| *out *= scale);
            out[class] += grad;
        }
    }
}

/// Subtracts the maximum.
#[inline(always)]
fn shift(l: &mut [f32]) {
    let max = max(l);
    l.iter_mut().for_each(|l| *l -= max);
}

/// The classes as indices below `width`.
fn class_indices(class: FlexTensor, width: usize) -> Vec<usize> {
    let class = Flex::int_cast(class, IntDType::I64).to_contiguous();
    let check = |(row, &class): (usize, &i64)| match usize::try_from(class) {
        Ok(index) if index < width => index,
        _ => out_of_range(class, row, width),
    };
    class.storage::<i64>().iter().enumerate().map(check).collect()
}

/// The documented panic: a class that no logit belongs to.
#[allow(clippy::panic)]
fn out_of_range(class: i64, row: usize, width: usize) -> usize {
    panic!("categorical_log_prob: `class` is {class} in row {row}, but `logits` has {width} columns");
}
