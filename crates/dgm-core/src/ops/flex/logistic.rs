//! Mixtures of discretised logistics, rows of components.

use super::super::elementary::{exp, exp_negative, log1m_exp_neg, log1p, one_minus_exp_neg_over};
use super::{exp_all, from_vec, max, rows_per_chunk, sum};
use crate::vectorised;
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// What a thread keeps of its chunk, a number for each component of each row.
#[derive(Default)]
struct Scratch {
    /// The row's level.
    x: Vec<f32>,
    /// log π + log P but for a constant of the row, then its exponential.
    posterior: Vec<f32>,
    /// The weights' logits less their maximum, then the exponential.
    prior: Vec<f32>,
}

impl Scratch {
    /// Fills `x`, `prior` with the shifted logits of the weights, and `posterior` with these plus log P: before any exponential.
    #[inline(always)]
    fn fill(&mut self, [w, mean, log_scale]: [&[f32]; 3], x: &[f32], components: usize, intervals: f32) {
        self.x.clear();
        self.x.extend(x.iter().flat_map(|&x| std::iter::repeat_n(x, components)));
        self.prior.clear();
        self.prior.extend_from_slice(w);
        for prior in self.prior.chunks_exact_mut(components) {
            let top = max(prior);
            prior.iter_mut().for_each(|w| *w -= top);
        }
        self.posterior.clear();
        self.posterior.resize(w.len(), 0.0);
        let parts = mean.iter().zip(log_scale).zip(&self.x).zip(&self.prior);
        for (joint, (((&mean, &log_scale), &x), &prior)) in self.posterior.iter_mut().zip(parts) {
            *joint = prior + Bin::new(mean, log_scale, x, intervals).log_prob();
        }
    }
}

/// One level under one component.
#[derive(Clone, Copy)]
struct Bin {
    /// 0 for the first level, else 1: whether the bin ends below.
    below: f32,
    /// 0 for the last level, else 1: whether the bin ends above.
    above: f32,
    precision: f32,
    /// The bin's edges, standardised, and the distance between them.
    lower: f32,
    upper: f32,
    width: f32,
    /// exp(−|lower|), exp(−|upper|) and exp(−width).
    lower_decay: f32,
    upper_decay: f32,
    width_decay: f32,
}

impl Bin {
    #[inline(always)]
    fn new(mean: f32, log_scale: f32, x: f32, intervals: f32) -> Self {
        let precision = exp(-log_scale);
        let lower = ((2.0 * x - 1.0 - intervals) / intervals - mean) * precision;
        let upper = ((2.0 * x + 1.0 - intervals) / intervals - mean) * precision;
        let width = 2.0 / intervals * precision;
        Self {
            below: x.clamp(0.0, 1.0),
            above: (intervals - x).clamp(0.0, 1.0),
            precision,
            lower,
            upper,
            width,
            lower_decay: exp_negative(-lower.abs()),
            upper_decay: exp_negative(-upper.abs()),
            width_decay: exp_negative(-width),
        }
    }

    /// log σ(b) + log σ(−a) + log(1 − exp(a − b)), of which the edge bins have one of the first two terms alone.
    #[inline(always)]
    fn log_prob(&self) -> f32 {
        let up = self.upper.min(0.0) - log1p(self.upper_decay);
        let down = -self.lower.max(0.0) - log1p(self.lower_decay);
        let inner = log1m_exp_neg(self.width, self.width_decay);
        self.above * up + self.below * down + self.above * self.below * inner
    }

    /// ∂/∂μ and ∂/∂log s of the log-probability.
    #[inline(always)]
    fn slopes(&self) -> [f32; 2] {
        // σ(a) and σ(−b) from exp(−|·|).
        let low = (if self.lower >= 0.0 { 1.0 } else { self.lower_decay }) / (1.0 + self.lower_decay) * self.below;
        let high = (if self.upper >= 0.0 { self.upper_decay } else { 1.0 }) / (1.0 + self.upper_decay) * self.above;
        // d / (exp(d) − 1), 1 at 0.
        let shrink = self.width_decay / one_minus_exp_neg_over(self.width, self.width_decay);
        let inner = shrink * self.below * self.above;
        [(low - high) * self.precision, self.lower * low - self.upper * high - inner]
    }
}

vectorised! {
    fn chunk_log_prob(out: &mut [f32], x: &[f32], parameters: [&[f32]; 3], levels: usize, scratch: &mut Scratch) {
        let components = parameters[0].len() / out.len().max(1);
        scratch.fill(parameters, x, components, (levels - 1) as f32);
        for (out, joint) in out.iter_mut().zip(scratch.posterior.chunks_exact_mut(components)) {
            *out = max(joint);
            joint.iter_mut().for_each(|joint| *joint -= *out);
        }
        exp_all(&mut scratch.posterior);
        exp_all(&mut scratch.prior);
        let sums = scratch.posterior.chunks_exact(components).zip(scratch.prior.chunks_exact(components));
        for (out, (posterior, prior)) in out.iter_mut().zip(sums) {
            *out += sum(posterior).ln() - sum(prior).ln();
        }
    }

    fn pull_chunk(
        outputs: [&mut [f32]; 3],
        parameters: [&[f32]; 3],
        x: &[f32],
        grads: &[f32],
        levels: usize,
        scratch: &mut Scratch,
    ) {
        let ([to_weights, to_mean, to_log_scale], [_, mean, log_scale]) = (outputs, parameters);
        let components = to_weights.len() / x.len().max(1);
        let intervals = (levels - 1) as f32;
        scratch.fill(parameters, x, components, intervals);
        for joint in scratch.posterior.chunks_exact_mut(components) {
            let top = max(joint);
            joint.iter_mut().for_each(|joint| *joint -= top);
        }
        exp_all(&mut scratch.posterior);
        exp_all(&mut scratch.prior);
        let normalised = scratch.posterior.chunks_exact_mut(components).zip(scratch.prior.chunks_exact_mut(components));
        for ((posterior, prior), &grad) in normalised.zip(grads) {
            let (of_posterior, of_prior) = (grad / sum(posterior), grad / sum(prior));
            posterior.iter_mut().for_each(|posterior| *posterior *= of_posterior);
            prior.iter_mut().for_each(|prior| *prior *= of_prior);
        }
        for ((to, &posterior), &prior) in to_weights.iter_mut().zip(&scratch.posterior).zip(&scratch.prior) {
            *to = posterior - prior;
        }
        let outputs = to_mean.iter_mut().zip(to_log_scale);
        let inputs = mean.iter().zip(log_scale).zip(&scratch.x).zip(&scratch.posterior);
        for ((to_mean, to_log_scale), (((&mean, &log_scale), &x), &posterior)) in outputs.zip(inputs) {
            let [of_mean, of_log_scale] = Bin::new(mean, log_scale, x, intervals).slopes();
            *to_mean = posterior * of_mean;
            *to_log_scale = posterior * of_log_scale;
        }
    }
}

/// log Σₘ πₘ P(x; μₘ, sₘ).
pub(super) fn log_prob(parameters: [FlexTensor; 3], x: FlexTensor, levels: usize) -> FlexTensor {
    let parameters = parameters.map(|tensor| tensor.to_contiguous());
    let x = x.to_contiguous();
    let components = parameters[0].layout().shape()[1];
    let rows = rows_per_chunk(components);
    let [w, mean, log_scale] = parameters.each_ref().map(|tensor| tensor.storage::<f32>());
    let levels_of = x.storage::<f32>();
    let mut out = vec![0.0f32; levels_of.len()];
    let size = rows * components;
    out.par_chunks_mut(rows)
        .zip(levels_of.par_chunks(rows))
        .zip(w.par_chunks(size).zip(mean.par_chunks(size)).zip(log_scale.par_chunks(size)))
        .for_each_init(Scratch::default, |scratch, ((out, x), ((w, mean), log_scale))| {
            chunk_log_prob(out, x, [w, mean, log_scale], levels, scratch);
        });
    from_vec(out, [levels_of.len()])
}

/// g·(ρ − π), and g·ρ times the slopes of the components.
pub(super) fn log_prob_pullback(
    parameters: [FlexTensor; 3],
    x: FlexTensor,
    grad: FlexTensor,
    levels: usize,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let parameters = parameters.map(|tensor| tensor.to_contiguous());
    let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
    let shape = parameters[0].layout().shape().clone();
    let components = shape[1];
    let rows = rows_per_chunk(components);
    let [w, mean, log_scale] = parameters.each_ref().map(|tensor| tensor.storage::<f32>());
    let [mut to_weights, mut to_mean, mut to_log_scale] = [(); 3].map(|()| vec![0.0f32; w.len()]);
    let size = rows * components;
    let outputs =
        to_weights.par_chunks_mut(size).zip(to_mean.par_chunks_mut(size)).zip(to_log_scale.par_chunks_mut(size));
    let inputs = w.par_chunks(size).zip(mean.par_chunks(size)).zip(log_scale.par_chunks(size));
    let per_row = x.storage::<f32>().par_chunks(rows).zip(grad.storage::<f32>().par_chunks(rows));
    outputs.zip(inputs).zip(per_row).for_each_init(Scratch::default, |scratch, ((outputs, inputs), (x, grads))| {
        let (((to_weights, to_mean), to_log_scale), ((w, mean), log_scale)) = (outputs, inputs);
        pull_chunk([to_weights, to_mean, to_log_scale], [w, mean, log_scale], x, grads, levels, scratch);
    });
    (from_vec(to_weights, shape.clone()), from_vec(to_mean, shape.clone()), from_vec(to_log_scale, shape))
}
