//! Sums of kernels over all points: what a kernel density estimate spends its time in.

use super::Kernel;
use crate::baseline::rows::{LogSum, Rows};
use dgm_core::ops::elementary::{exp_negative, ln_positive};

/// Points at a time, whose distances stay in a core's own cache.
const BLOCK: usize = 512;

/// Kernels at points in units of the bandwidths: column after column.
pub(super) struct Kernels {
    kernel: Kernel,
    width: usize,
    n: usize,
    columns: Vec<f32>,
    /// Of each point what a squared distance is multiplied by.
    closeness: Vec<f32>,
    /// Of each point what its kernel's logarithm is above that of the kernel's shape.
    log_weights: Vec<f32>,
    bandwidths: Vec<f32>,
    /// What all share.
    log_norm: f64,
}

impl Kernels {
    /// At these points, with these bandwidths of each dimension times exp(log factor) of each point.
    pub(super) fn new(kernel: Kernel, points: &Rows, bandwidths: &[f64], log_factors: &[f32]) -> Self {
        let (width, n) = (points.width, points.len());
        let mut columns = vec![0.0; width * n];
        for (i, row) in points.iter().enumerate() {
            for (d, (x, h)) in row.iter().zip(bandwidths).enumerate() {
                columns[d * n + i] = (f64::from(*x) / h) as f32;
            }
        }
        let log_volume: f64 = bandwidths.iter().map(|h| h.ln()).sum();
        Self {
            kernel,
            width,
            n,
            columns,
            closeness: log_factors.iter().map(|log| (-2.0 * log).exp()).collect(),
            log_weights: log_factors.iter().map(|log| -(width as f32) * log).collect(),
            bandwidths: bandwidths.iter().map(|&h| h as f32).collect(),
            log_norm: kernel.log_norm(width) - log_volume,
        }
    }

    /// The squared distance of x, in units of the bandwidths, to the points from `first` on, as far as the block goes.
    fn distances<'a>(&self, x: &[f32], first: usize, block: &'a mut [f32; BLOCK]) -> &'a mut [f32] {
        let len = BLOCK.min(self.n - first);
        let block = &mut block[..len];
        block.fill(0.0);
        for (d, (&x, &h)) in x.iter().zip(&self.bandwidths).enumerate() {
            let column = &self.columns[d * self.n + first..d * self.n + first + len];
            add_squares(block, column, (f64::from(x) / f64::from(h)) as f32);
        }
        block
    }

    /// log 1/n Σᵢ K(x; xᵢ) over all points, or all but one.
    pub(super) fn log_density(&self, x: &[f32], without: Option<usize>) -> f64 {
        let mut block = [0.0; BLOCK];
        let mut sum = LogSum::NOTHING;
        for first in (0..self.n).step_by(BLOCK) {
            let distances = self.distances(x, first, &mut block);
            let len = distances.len();
            let range = first..first + len;
            self.kernel.logarithms(distances, &self.closeness[range.clone()], &self.log_weights[range]);
            if let Some(own) = without.and_then(|own| own.checked_sub(first)).filter(|&own| own < len) {
                distances[own] = f32::NEG_INFINITY;
            }
            let (max, total) = sum_exp(distances);
            sum.add(f64::from(max), f64::from(total));
        }
        let count = self.n - usize::from(without.is_some());
        sum.log() + self.log_norm - (count.max(1) as f64).ln()
    }

    /// Of row i, left out: log density, and Σⱼ rⱼ (xᵢ − xⱼ)²/(hⱼ's factor)² of each dimension in units of the bandwidths, with the
    /// responsibilities rⱼ of the other kernels for it.
    pub(super) fn spread(&self, x: &[f32], own: usize) -> (f64, Vec<f64>) {
        let log_density = self.log_density(x, Some(own));
        let mut spread = vec![0.0; self.width];
        if log_density == f64::NEG_INFINITY {
            return (log_density, spread);
        }
        let level = log_density - self.log_norm + ((self.n - 1).max(1) as f64).ln();
        let mut block = [0.0; BLOCK];
        for first in (0..self.n).step_by(BLOCK) {
            let distances = self.distances(x, first, &mut block);
            let len = distances.len();
            let range = first..first + len;
            self.kernel.logarithms(distances, &self.closeness[range.clone()], &self.log_weights[range.clone()]);
            if let Some(own) = own.checked_sub(first).filter(|&own| own < len) {
                distances[own] = f32::NEG_INFINITY;
            }
            weigh(distances, level as f32, &self.closeness[range]);
            for (d, (spread, (&x, &h))) in spread.iter_mut().zip(x.iter().zip(&self.bandwidths)).enumerate() {
                let column = &self.columns[d * self.n + first..d * self.n + first + len];
                *spread += f64::from(weighted_squares(distances, column, (f64::from(x) / f64::from(h)) as f32));
            }
        }
        (log_density, spread)
    }

    /// The distances of row i to its neighbours of these ranks, which ascend, in units of the bandwidths.
    pub(super) fn distances_to_neighbours(&self, x: &[f32], own: usize, ranks: &[usize]) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.n);
        let mut block = [0.0; BLOCK];
        for first in (0..self.n).step_by(BLOCK) {
            all.extend_from_slice(self.distances(x, first, &mut block));
        }
        if own < all.len() {
            all[own] = f32::INFINITY;
        }
        let last = all.len().saturating_sub(2);
        let nearest = ranks.last().map_or(0, |&rank| rank.min(last));
        all.select_nth_unstable_by(nearest, f32::total_cmp);
        let near = &mut all[..=nearest];
        near.sort_unstable_by(f32::total_cmp);
        ranks.iter().map(|&rank| near[rank.clamp(1, last + 1) - 1].sqrt()).collect()
    }
}

impl Kernel {
    /// The logarithm of the factor that makes a kernel of bandwidth 1 a density.
    fn log_norm(self, width: usize) -> f64 {
        let d = width as f64;
        match self {
            Self::Gaussian => -0.5 * d * (2.0 * std::f64::consts::PI).ln(),
            // (d + 2) / (2 V), V the volume of the ball.
            Self::Epanechnikov => (0.5 * (d + 2.0)).ln() - log_ball(width),
        }
    }

    /// The logarithm of each kernel from its squared distance.
    fn logarithms(self, distances: &mut [f32], closeness: &[f32], log_weights: &[f32]) {
        match self {
            Self::Gaussian => gaussian(distances, closeness, log_weights),
            Self::Epanechnikov => epanechnikov(distances, closeness, log_weights),
        }
    }
}

/// log of the volume of the unit ball: V₀ = 1, V₁ = 2, V_d = V_{d−2} · 2π/d.
pub(super) fn log_ball(width: usize) -> f64 {
    let first = if width.is_multiple_of(2) { 0.0 } else { 2.0f64.ln() };
    (1..=width)
        .filter(|d| d % 2 == width % 2 && *d > 1)
        .map(|d| (2.0 * std::f64::consts::PI / d as f64).ln())
        .sum::<f64>()
        + first
}

dgm_core::vectorised! {
    fn add_squares(block: &mut [f32], column: &[f32], x: f32) {
        for (sum, &y) in block.iter_mut().zip(column) {
            let difference = x - y;
            *sum += difference * difference;
        }
    }

    fn gaussian(distances: &mut [f32], closeness: &[f32], log_weights: &[f32]) {
        for ((value, &closeness), &log_weight) in distances.iter_mut().zip(closeness).zip(log_weights) {
            *value = log_weight - 0.5 * *value * closeness;
        }
    }

    fn epanechnikov(distances: &mut [f32], closeness: &[f32], log_weights: &[f32]) {
        for ((value, &closeness), &log_weight) in distances.iter_mut().zip(closeness).zip(log_weights) {
            let height = 1.0 - *value * closeness;
            *value = if height > 0.0 { log_weight + ln_positive(height.max(1e-30)) } else { f32::NEG_INFINITY };
        }
    }

    /// The largest, and Σ exp of what is below it.
    fn sum_exp(values: &[f32]) -> (f32, f32) {
        let max = values.iter().fold(f32::NEG_INFINITY, |max, &value| if value > max { value } else { max });
        if max == f32::NEG_INFINITY {
            return (max, 0.0);
        }
        let mut lanes = [0.0f32; 16];
        let (blocks, rest) = values.as_chunks::<16>();
        for block in blocks {
            for (lane, &value) in lanes.iter_mut().zip(block) {
                *lane += exp_negative(value - max);
            }
        }
        let rest: f32 = rest.iter().map(|&value| exp_negative(value - max)).sum();
        (max, lanes.iter().sum::<f32>() + rest)
    }

    /// exp(value − level) times the closeness.
    fn weigh(values: &mut [f32], level: f32, closeness: &[f32]) {
        for (value, &closeness) in values.iter_mut().zip(closeness) {
            *value = exp_negative((*value - level).min(0.0)) * closeness;
        }
    }

    fn weighted_squares(weights: &[f32], column: &[f32], x: f32) -> f32 {
        let mut lanes = [0.0f32; 16];
        let (blocks, rest) = weights.as_chunks::<16>();
        let (columns, column_rest) = column.as_chunks::<16>();
        for (block, column) in blocks.iter().zip(columns) {
            for ((lane, &weight), &y) in lanes.iter_mut().zip(block).zip(column) {
                *lane += weight * (x - y) * (x - y);
            }
        }
        let rest: f32 = rest.iter().zip(column_rest).map(|(&weight, &y)| weight * (x - y) * (x - y)).sum();
        lanes.iter().sum::<f32>() + rest
    }
}
