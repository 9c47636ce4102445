//! Layer normalisation on flex: rows in parallel, their sums in runs that depend on the sizes alone.

use super::{NormOps, composed};
use crate::ops::flex::written;
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::flex::{CHUNK, all_f32, from_vec, owned, sum};
use dgm_core::vectorised;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// The gradients of γ and β are summed in this many runs of rows, then across the runs.
const SUMS: usize = 8;

impl NormOps for Flex {
    fn normalise_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&x, &gamma, &beta]) {
            return Self::layer_norm(x, gamma, Some(beta), epsilon);
        }
        let [x, gamma, beta] = [x, gamma, beta].map(owned);
        let (gamma, beta) = (gamma.storage::<f32>(), beta.storage::<f32>());
        assert_sizes(&x, gamma.len(), beta.len());
        let rows = gamma.len().max(1) * (CHUNK / gamma.len().max(1)).max(1);
        let write = |out: &mut [MaybeUninit<f32>]| {
            let chunks = out.par_chunks_mut(rows).zip(x.storage::<f32>().par_chunks(rows));
            chunks.for_each(|(out, x)| normalise(out, x, gamma, beta, epsilon as f32));
        };
        // SAFETY: x is whole rows of as many numbers as γ and β have.
        let out = unsafe { written(x.layout().num_elements(), write) };
        from_vec(out, x.layout().shape().clone())
    }

    fn normalise_rows_pullback(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32(&[&x, &gamma, &grad]) {
            return composed::pullback::<Self>(x, gamma, grad, epsilon);
        }
        let [x, gamma, mut grad] = [x, gamma, grad].map(owned);
        let gammas = gamma.storage::<f32>();
        assert_sizes(&x, gammas.len(), gammas.len());
        assert_eq!(grad.layout().num_elements(), x.layout().num_elements(), "layer_norm: numbers of the gradient");
        let width = gammas.len().max(1);
        let rows = width * (x.layout().num_elements() / width).div_ceil(SUMS).max(1);
        let runs = grad.storage_mut::<f32>().par_chunks_mut(rows).zip(x.storage::<f32>().par_chunks(rows));
        let of_runs: Vec<[Vec<f32>; 2]> = runs
            .map(|(grad, x)| {
                let mut sums = [vec![0.0f32; width], vec![0.0f32; width]];
                pull(grad, x, gammas, epsilon as f32, &mut sums);
                sums
            })
            .collect();
        let total = |part: usize| {
            let mut total = vec![0.0f32; width];
            for sums in &of_runs {
                total.iter_mut().zip(&sums[part]).for_each(|(total, sum)| *total += sum);
            }
            from_vec(total, [width])
        };
        let (of_gamma, of_beta): (FlexTensor, FlexTensor) = (total(0), total(1));
        (grad, of_gamma, of_beta)
    }
}

/// Rows of x are as long as γ and β.
fn assert_sizes(x: &FlexTensor, gamma: usize, beta: usize) {
    let features = x.layout().shape().last().copied().unwrap_or(1);
    assert!(features == gamma && gamma == beta, "layer_norm: {features} features, {gamma} of γ and {beta} of β");
}

/// The mean of a row, and one over its standard deviation.
#[inline(always)]
fn moments(row: &[f32], epsilon: f32) -> [f32; 2] {
    let n = row.len() as f32;
    let mean = sum(row) / n;
    let mut squares = [0.0f32; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (square, x) in squares.iter_mut().zip(block) {
            *square += (x - mean) * (x - mean);
        }
    }
    let rest: f32 = rest.iter().map(|x| (x - mean) * (x - mean)).sum();
    let variance = (squares.iter().sum::<f32>() + rest) / n;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

/// Partial sums of a row: whole vectors, whatever the machine's are.
const LANES: usize = 16;

vectorised! {
    fn normalise(out: &mut [MaybeUninit<f32>], x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        let width = gamma.len().max(1);
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let [mean, scale] = moments(x, epsilon);
            for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                out.write((x - mean) * scale * gamma + beta);
            }
        }
    }

    /// Writes the gradient of x over that of the output, and adds up those of γ and β.
    fn pull(grad: &mut [f32], x: &[f32], gamma: &[f32], epsilon: f32, sums: &mut [Vec<f32>; 2]) {
        let width = gamma.len().max(1);
        let [of_gamma, of_beta] = sums;
        for (grad, x) in grad.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let [mean, scale] = moments(x, epsilon);
            // Of g = γ·grad and u = (x − mean)·scale: the means of g and of g·u.
            let (mut g_lanes, mut along_lanes) = ([0.0f32; LANES], [0.0f32; LANES]);
            let sums = of_gamma.chunks_mut(LANES).zip(of_beta.chunks_mut(LANES));
            let rows = grad.chunks(LANES).zip(x.chunks(LANES)).zip(gamma.chunks(LANES));
            for (((grad, x), gamma), (of_gamma, of_beta)) in rows.zip(sums) {
                let lanes = g_lanes.iter_mut().zip(&mut along_lanes).zip(of_gamma.iter_mut().zip(of_beta));
                for (((grad, x), gamma), ((g_lane, along_lane), (of_gamma, of_beta))) in grad.iter().zip(x).zip(gamma).zip(lanes) {
                    let unit = (x - mean) * scale;
                    let g = grad * gamma;
                    *g_lane += g;
                    *along_lane += g * unit;
                    *of_gamma += grad * unit;
                    *of_beta += grad;
                }
            }
            let n = width as f32;
            let (g_mean, along) = (g_lanes.iter().sum::<f32>() / n, along_lanes.iter().sum::<f32>() / n);
            for ((grad, x), gamma) in grad.iter_mut().zip(x).zip(gamma) {
                let unit = (x - mean) * scale;
                *grad = (*grad * gamma - g_mean - unit * along) * scale;
            }
        }
    }
}
