//! Expectation maximisation, from k-means++ starts.

use super::matrix::{inverse, inverse_factor, product, transposed};
use super::{CovarianceConfig, FactorConfig};
use crate::baseline::rows::{Rows, each, log_sum_exp};
use dgm_core::random::Stream;

/// π N(x; μ, Σ).
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub(super) log_weight: f64,
    pub(super) mean: Vec<f64>,
    /// L⁻¹ with Σ = L Lᵀ, row-major.
    pub(super) factor: Vec<f64>,
    /// log π + log |L⁻¹| − d/2 log 2π.
    log_norm: f64,
}

impl Component {
    pub(super) fn new(log_weight: f64, mean: Vec<f64>, factor: Vec<f64>) -> Self {
        let width = mean.len();
        let log_det: f64 = (0..width).map(|i| factor[i * width + i].ln()).sum();
        let log_norm = log_weight + log_det - 0.5 * width as f64 * (2.0 * std::f64::consts::PI).ln();
        Self { log_weight, mean, factor, log_norm }
    }

    /// log π N(x; μ, Σ).
    pub(super) fn log_joint(&self, x: &[f64]) -> f64 {
        let centred: Vec<f64> = x.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        let rows = self.factor.chunks_exact(centred.len().max(1)).enumerate();
        let distance: f64 =
            rows.map(|(i, row)| row[..=i].iter().zip(&centred).map(|(a, b)| a * b).sum::<f64>().powi(2)).sum();
        self.log_norm - 0.5 * distance
    }

    /// μ + L ε.
    pub(super) fn at(&self, noise: &[f64]) -> Vec<f64> {
        let width = self.mean.len();
        // L⁻¹ y = ε, from the first number on.
        let mut y = vec![0.0; width];
        for i in 0..width {
            let row = &self.factor[i * width..(i + 1) * width];
            let known: f64 = row[..i].iter().zip(&y).map(|(a, b)| a * b).sum();
            y[i] = (noise[i] - known) / row[i];
        }
        y.iter().zip(&self.mean).map(|(y, mean)| y + mean).collect()
    }
}

/// How a mixture is fitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'a> {
    pub(super) components: usize,
    pub(super) covariance: &'a CovarianceConfig,
    pub(super) ridge: f64,
    pub(super) steps: usize,
}

/// Nats per row that a step has to gain.
const GAIN: f64 = 1e-5;

/// The mean log-likelihood of rows.
pub(super) fn mean_log_likelihood(components: &[Component], rows: &[Vec<f64>]) -> f64 {
    let each = each(rows.len(), |i| log_sum_exp(components.iter().map(|one| one.log_joint(&rows[i]))));
    each.iter().sum::<f64>() / rows.len().max(1) as f64
}

/// The rows in f64.
pub(super) fn widened(rows: &Rows) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

/// The mixture and its mean log-likelihood; `None`: a covariance is singular.
pub(super) fn fit(what: Fit<'_>, rows: &[Vec<f64>], rng: &mut Stream) -> Option<(Vec<Component>, f64)> {
    let Fit { components: k, steps, .. } = what;
    // Each row wholly of the centre that is nearest to it.
    let nearest = k_means(rows, k, rng);
    let mut weights: Vec<Vec<f64>> =
        (0..k).map(|j| nearest.iter().map(|&i| f64::from(u8::from(i == j))).collect()).collect();
    let mut last = f64::NEG_INFINITY;
    let mut components = maximise(what, rows, &weights)?;
    for _ in 0..steps {
        let logs = each(rows.len(), |i| {
            let joint: Vec<f64> = components.iter().map(|one| one.log_joint(&rows[i])).collect();
            let log_p = log_sum_exp(joint.iter().copied());
            (joint.into_iter().map(|log| (log - log_p).exp()).collect::<Vec<_>>(), log_p)
        });
        let log_likelihood = logs.iter().map(|(_, log_p)| log_p).sum::<f64>() / rows.len().max(1) as f64;
        if !log_likelihood.is_finite() {
            return None;
        }
        if log_likelihood - last < GAIN {
            last = log_likelihood;
            break;
        }
        last = log_likelihood;
        for (j, weights) in weights.iter_mut().enumerate() {
            weights.iter_mut().zip(&logs).for_each(|(weight, (all, _))| *weight = all[j]);
        }
        components = maximise(what, rows, &weights)?;
    }
    Some((components, last))
}

/// Weights, means and covariances from the responsibilities, `[k][n]`.
fn maximise(what: Fit<'_>, rows: &[Vec<f64>], weights: &[Vec<f64>]) -> Option<Vec<Component>> {
    let (n, width) = (rows.len() as f64, rows.first().map_or(0, Vec::len));
    let diagonal = matches!(what.covariance, CovarianceConfig::Diagonal(_));
    let moments = each(weights.len(), |j| moments(rows, &weights[j], diagonal));
    let tied = matches!(what.covariance, CovarianceConfig::Tied(_)).then(|| {
        let mut sum = vec![0.0; width * width];
        for (mass, _, covariance) in &moments {
            sum.iter_mut().zip(covariance).for_each(|(sum, value)| *sum += mass / n * value);
        }
        sum
    });
    let components = moments.into_iter().map(|(mass, mean, covariance)| {
        let mut covariance = tied.clone().unwrap_or(covariance);
        (0..width).for_each(|i| covariance[i * width + i] += what.ridge);
        if let CovarianceConfig::Factor(FactorConfig { rank }) = what.covariance {
            covariance = factor_analysis(&covariance, width, rank.unwrap_or(5).min(width))?;
        }
        let factor = inverse_factor(&covariance, width)?;
        Some(Component::new((mass.max(1e-300) / n).ln(), mean, factor))
    });
    components.collect()
}

/// Mass, mean and covariance under these weights; a component without mass is left at 0, and its weight next to none.
fn moments(rows: &[Vec<f64>], weights: &[f64], diagonal: bool) -> (f64, Vec<f64>, Vec<f64>) {
    let width = rows.first().map_or(0, Vec::len);
    let mass: f64 = weights.iter().sum();
    let total = mass.max(1e-10);
    let mut mean = vec![0.0; width];
    let heavy = || rows.iter().zip(weights).filter(|(_, weight)| **weight > 1e-12);
    for (row, weight) in heavy() {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight / total * x);
    }
    let mut covariance = vec![0.0; width * width];
    let mut centred = vec![0.0; width];
    for (row, weight) in heavy() {
        centred.iter_mut().zip(row.iter().zip(&mean)).for_each(|(out, (x, mean))| *out = x - mean);
        for i in 0..width {
            let share = weight / total * centred[i];
            if diagonal {
                covariance[i * width + i] += share * centred[i];
            } else {
                let row = &mut covariance[i * width..=i * width + i];
                row.iter_mut().zip(&centred).for_each(|(sum, x)| *sum += share * x);
            }
        }
    }
    for i in 0..width {
        for j in 0..i {
            covariance[j * width + i] = covariance[i * width + j];
        }
    }
    (mass, mean, covariance)
}

/// Steps of the inner EM.
const INNER: usize = 20;

/// W Wᵀ + Ψ next to a covariance S, Ψ diagonal, by EM (Rubin and Thayer 1982): β = Wᵀ(W Wᵀ + Ψ)⁻¹, E = 1 − β W + β S βᵀ, W ← S βᵀ E⁻¹,
/// Ψ ← diag(S − W β S). It starts at W of the leading columns of S's pivoted Cholesky factor.
fn factor_analysis(s: &[f64], width: usize, rank: usize) -> Option<Vec<f64>> {
    let mut w = leading_columns(s, width, rank);
    let mut psi: Vec<f64> = (0..width).map(|i| 0.5 * s[i * width + i]).collect();
    let together = |w: &[f64], psi: &[f64]| {
        let mut all = product(w, &transposed(w, rank), rank, width);
        (0..width).for_each(|i| all[i * width + i] += psi[i]);
        all
    };
    for _ in 0..INNER {
        let precision = inverse(&together(&w, &psi), width)?;
        let beta = product(&transposed(&w, rank), &precision, width, width);
        let beta_s = product(&beta, s, width, width);
        let beta_w = product(&beta, &w, width, rank);
        let mut moment = product(&beta_s, &transposed(&beta, width), width, rank);
        moment.iter_mut().zip(&beta_w).for_each(|(sum, value)| *sum -= value);
        (0..rank).for_each(|i| moment[i * rank + i] += 1.0);
        w = product(&transposed(&beta_s, width), &inverse(&moment, rank)?, rank, rank);
        let explained = product(&w, &beta_s, rank, width);
        psi = (0..width).map(|i| (s[i * width + i] - explained[i * width + i]).max(1e-6 * s[i * width + i])).collect();
    }
    Some(together(&w, &psi))
}

/// The first columns of the Cholesky factor with the largest remaining variance first, `[width, rank]`.
fn leading_columns(s: &[f64], width: usize, rank: usize) -> Vec<f64> {
    let mut left: Vec<f64> = (0..width).map(|i| s[i * width + i]).collect();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for _ in 0..rank {
        let pivot = (0..width).max_by(|&a, &b| left[a].total_cmp(&left[b])).unwrap_or(0);
        let scale = left[pivot].max(1e-12).sqrt();
        let column: Vec<f64> = (0..width)
            .map(|i| (s[i * width + pivot] - columns.iter().map(|c| c[i] * c[pivot]).sum::<f64>()) / scale)
            .collect();
        left.iter_mut().zip(&column).for_each(|(left, value)| *left -= value * value);
        columns.push(column);
    }
    (0..width * rank).map(|at| columns[at % rank][at / rank]).collect()
}

/// Rounds of k-means.
const ROUNDS: usize = 10;

/// Of each row the number of its cluster.
fn k_means(rows: &[Vec<f64>], k: usize, rng: &mut Stream) -> Vec<usize> {
    let squared = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let first = rng.below(u32::try_from(rows.len()).unwrap_or(u32::MAX)) as usize;
    let mut centres = vec![rows[first].clone()];
    let mut distances: Vec<f64> = each(rows.len(), |i| squared(&rows[i], &centres[0]));
    while centres.len() < k {
        // In proportion to the squared distance to the nearest centre.
        let mut left = f64::from(rng.uniform()) * distances.iter().sum::<f64>();
        let chosen = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        let centre = rows[chosen.unwrap_or(rows.len() - 1)].clone();
        let closer = each(rows.len(), |i| distances[i].min(squared(&rows[i], &centre)));
        distances = closer;
        centres.push(centre);
    }
    let mut nearest = vec![0; rows.len()];
    for _ in 0..ROUNDS {
        nearest = each(rows.len(), |i| {
            let all = (0..centres.len()).map(|j| (squared(&rows[i], &centres[j]), j));
            all.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0, |(_, j)| j)
        });
        let mut sums = vec![(vec![0.0; rows[0].len()], 0.0); centres.len()];
        for (row, &j) in rows.iter().zip(&nearest) {
            sums[j].0.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            sums[j].1 += 1.0;
        }
        for (centre, (sum, count)) in centres.iter_mut().zip(sums) {
            if count > 0.0 {
                *centre = sum.into_iter().map(|sum| sum / count).collect();
            }
        }
    }
    nearest
}
