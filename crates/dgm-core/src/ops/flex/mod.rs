//! One-pass implementations of [`ObjectiveOps`] for flex, Burn's CPU backend.
//!
//! One loop over the elements in place of eight passes over memory. Where the loops hold no calls the compiler turns them into vector
//! instructions ([`vectorised!`](crate::vectorised)); a result does not depend on the number of threads.

mod beta_binomial;
mod categorical;
mod logistic;
pub(crate) mod spline;

use super::elementary::{exp_negative, log1p};
use super::{ObjectiveOps, composed};
use crate::vectorised;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use rayon::prelude::*;

/// Elements for one thread at a time: with what is kept beside them they stay in a core's own cache.
pub const CHUNK: usize = 4 * 1024;

impl ObjectiveOps for Flex {
    fn bernoulli_log_prob(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32(&[&logits, &x]) {
            return composed::bernoulli_log_prob::<Self>(logits, x);
        }
        let (logits, x) = (logits.to_contiguous(), x.to_contiguous());
        let (l, v) = (logits.storage::<f32>(), x.storage::<f32>());
        let mut out = vec![0.0f32; l.len()];
        let chunks = out.par_chunks_mut(CHUNK).zip(l.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK));
        chunks.for_each(|((out, l), v)| bernoulli(out, l, v));
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
        let chunks = out.par_chunks_mut(CHUNK).zip(l.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK));
        chunks.zip(g.par_chunks(CHUNK)).for_each(|(((out, l), v), g)| pull_bernoulli(out, l, v, g));
        from_vec(out, logits.layout().shape().clone())
    }

    fn categorical_log_prob(logits: FloatTensor<Self>, class: IntTensor<Self>) -> FloatTensor<Self> {
        match all_f32(&[&logits]) {
            true => categorical::log_prob(logits, class),
            false => composed::categorical_log_prob::<Self>(logits, class),
        }
    }

    fn categorical_log_prob_pullback(
        logits: FloatTensor<Self>,
        class: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match all_f32(&[&logits, &grad]) {
            true => categorical::log_prob_pullback(logits, class, grad),
            false => composed::categorical_log_prob_pullback::<Self>(logits, class, grad),
        }
    }

    fn beta_binomial_log_prob(
        log_alpha: FloatTensor<Self>,
        log_beta: FloatTensor<Self>,
        x: FloatTensor<Self>,
        trials: usize,
    ) -> FloatTensor<Self> {
        match all_f32(&[&log_alpha, &log_beta, &x]) {
            true => beta_binomial::log_prob([log_alpha, log_beta], x, trials),
            false => composed::beta_binomial_log_prob::<Self>(log_alpha, log_beta, x, trials),
        }
    }

    fn beta_binomial_log_prob_pullback(
        log_alpha: FloatTensor<Self>,
        log_beta: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        trials: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        match all_f32(&[&log_alpha, &log_beta, &x, &grad]) {
            true => beta_binomial::log_prob_pullback([log_alpha, log_beta], x, grad, trials),
            false => composed::beta_binomial_log_prob_pullback::<Self>(log_alpha, log_beta, x, grad, trials),
        }
    }

    fn discretized_logistic_mixture_log_prob(
        weight_logits: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        log_scale: FloatTensor<Self>,
        x: FloatTensor<Self>,
        levels: usize,
    ) -> FloatTensor<Self> {
        match all_f32(&[&weight_logits, &mean, &log_scale, &x]) {
            true => logistic::log_prob([weight_logits, mean, log_scale], x, levels),
            false => composed::discretized_logistic_mixture_log_prob::<Self>(weight_logits, mean, log_scale, x, levels),
        }
    }

    fn discretized_logistic_mixture_log_prob_pullback(
        weight_logits: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        log_scale: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        levels: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        match all_f32(&[&weight_logits, &mean, &log_scale, &x, &grad]) {
            true => logistic::log_prob_pullback([weight_logits, mean, log_scale], x, grad, levels),
            false => composed::discretized_logistic_mixture_log_prob_pullback::<Self>(
                weight_logits,
                mean,
                log_scale,
                x,
                grad,
                levels,
            ),
        }
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

/// The tensor with its numbers in row-major order and nothing else in its storage; without a copy where it is so already, so that a
/// tensor that nobody else holds can be written in place.
pub fn owned(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let is_whole = layout.is_contiguous() && layout.start_offset() == 0;
    if is_whole && tensor.storage::<f32>().len() == layout.num_elements() { tensor } else { tensor.to_contiguous() }
}

/// Rows of `width` numbers that one thread takes at a time.
fn rows_per_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

vectorised! {
    /// v·l − max(l, 0) − log(1 + exp(−|l|)).
    fn bernoulli(out: &mut [f32], l: &[f32], v: &[f32]) {
        for ((out, &l), &v) in out.iter_mut().zip(l).zip(v) {
            *out = v * l - l.max(0.0) - log1p(exp_negative(-l.abs()));
        }
    }

    /// g·(v − σ(l)).
    fn pull_bernoulli(out: &mut [f32], l: &[f32], v: &[f32], g: &[f32]) {
        for (((out, &l), &v), &g) in out.iter_mut().zip(l).zip(v).zip(g) {
            let decay = exp_negative(-l.abs());
            // x − σ(l) = (x − 1) + σ(−l) for l ≥ 0: with the smaller of σ(±l) nothing is lost where x is met.
            let rest = decay / (1.0 + decay);
            *out = g * if l >= 0.0 { (v - 1.0) + rest } else { v - rest };
        }
    }
}

/// Partial results that a reduction keeps: enough for two vector registers, whatever the machine's are.
const LANES: usize = 16;

/// max l; NaN is passed over.
#[inline(always)]
pub fn max(l: &[f32]) -> f32 {
    let (blocks, rest) = l.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for (lane, &l) in lanes.iter_mut().zip(block) {
            *lane = if l > *lane { l } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &l| if l > max { l } else { max })
}

/// Σ l, in an order that depends on the length alone.
#[inline(always)]
pub fn sum(l: &[f32]) -> f32 {
    let (blocks, rest) = l.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for (lane, &l) in lanes.iter_mut().zip(block) {
            *lane += l;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// exp of every number (all ≤ 0), in place.
#[inline(always)]
fn exp_all(l: &mut [f32]) {
    for l in l {
        *l = exp_negative(*l);
    }
}
