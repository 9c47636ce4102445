//! One-pass implementations of [`ObjectiveOps`] for flex, Burn's CPU backend.
//!
//! One loop over the elements in place of eight passes over memory. The loops hold no calls, so the compiler turns them
//! into vector instructions of whatever the target has; a result does not depend on the number of threads.

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
        from_vec(out, Shape::new([n]))
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

fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

fn from_vec(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
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

/// exp(x) for x ≤ 0, within 2 units in the last place; 0 below −87.3, where f32 is no longer normal; NaN stays NaN.
///
/// 2ⁿ·exp(r) with n = round(x / ln 2), |r| ≤ ½ ln 2, exp(r) by the polynomial of Cephes' `expf`. Free of branches and
/// calls, so a loop over it becomes vector instructions.
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and taking away 1.5·2²³ rounds to a whole number, and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let bounded = if x < -87.3 { -87.3 } else { x };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5.000_000_3e-1;
    let exp_r = p * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23);
    let value = exp_r * power;
    if x < -87.3 { 0.0 } else { value }
}

/// log(1 + u) for 0 ≤ u ≤ 1, within 2 units in the last place, small u included.
///
/// 2·artanh(s) with s = u / (2 + u) ≤ 1/3: its series in s² loses a digit a term.
#[inline(always)]
pub(crate) fn log1p_unit(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let mut p = 1.0 / 17.0;
    for divisor in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = p * q + 1.0 / divisor;
    }
    2.0 * s + 2.0 * s * q * p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_negative(x)) - exact).abs() / exact;
            assert!(error < 2.5e-7, "exp({x}): relative error {error}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert_eq!(exp_negative(-1e4), 0.0);
        assert_eq!(exp_negative(f32::NEG_INFINITY), 0.0);
        assert!(exp_negative(f32::NAN).is_nan());
    }

    #[test]
    fn log1p_is_log1p() {
        for i in 0..=1_000_000 {
            let u = i as f32 * 1e-6;
            let exact = f64::from(u).ln_1p();
            assert!((f64::from(log1p_unit(u)) - exact).abs() <= 2.5e-7 * exact, "log1p({u})");
        }
        assert_eq!(log1p_unit(1e-30), 1e-30);
    }
}
