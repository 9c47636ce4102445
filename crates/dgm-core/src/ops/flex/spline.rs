//! Rational-quadratic splines: parameters of one number after the other, softmaxes in f32, the curve itself in f64.

use super::{CHUNK, from_vec};
use crate::ops::elementary::{exp, exp_negative};
use crate::ops::spline::LOG_RANGE;
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// y and log dy/dx, `[2, n]`.
pub(crate) fn forward(x: FlexTensor, parameters: FlexTensor, bound: f64, inverse: bool) -> FlexTensor {
    let (x, parameters) = (x.to_contiguous(), parameters.to_contiguous());
    let (x, raw) = (x.storage::<f32>(), parameters.storage::<f32>());
    let (n, count) = (x.len(), parameters.layout().shape()[1]);
    let rows = rows_at_once(count);
    let mut out = vec![0.0f32; 2 * n];
    let (values, slopes) = out.split_at_mut(n);
    let outputs = values.par_chunks_mut(rows).zip(slopes.par_chunks_mut(rows));
    outputs.zip(x.par_chunks(rows)).zip(raw.par_chunks(rows * count)).for_each(|(((values, slopes), x), raw)| {
        let mut curve = Curve::new(count.div_ceil(3), bound);
        for (((value, slope), &x), raw) in values.iter_mut().zip(slopes).zip(x).zip(raw.chunks(count)) {
            *value = x;
            if f64::from(x).abs() < bound {
                curve.set(raw);
                let bin = if inverse { curve.inverse(f64::from(x)) } else { curve.forward(f64::from(x)) };
                let log_slope = bin.log_slope();
                *value = if inverse { bin.x() } else { bin.y() } as f32;
                *slope = if inverse { -log_slope } else { log_slope } as f32;
            }
        }
    });
    from_vec(out, [2, n])
}

/// The pullback to x and to the parameters.
pub(crate) fn pullback(
    x: FlexTensor,
    parameters: FlexTensor,
    grad: FlexTensor,
    bound: f64,
    inverse: bool,
) -> (FlexTensor, FlexTensor) {
    let [x, parameters, grad] = [x, parameters, grad].map(|tensor| tensor.to_contiguous());
    let (x, raw) = (x.storage::<f32>(), parameters.storage::<f32>());
    let (n, count) = (x.len(), parameters.layout().shape()[1]);
    let (of_y, of_slope) = grad.storage::<f32>().split_at(n);
    let rows = rows_at_once(count);
    let (mut to_x, mut to_raw) = (vec![0.0f32; n], vec![0.0f32; n * count]);
    let outputs = to_x.par_chunks_mut(rows).zip(to_raw.par_chunks_mut(rows * count));
    let grads = of_y.par_chunks(rows).zip(of_slope.par_chunks(rows));
    let inputs = x.par_chunks(rows).zip(raw.par_chunks(rows * count)).zip(grads);
    outputs.zip(inputs).for_each(|((to_x, to_raw), ((x, raw), (of_y, of_slope)))| {
        let mut curve = Curve::new(count.div_ceil(3), bound);
        let outputs = to_x.iter_mut().zip(to_raw.chunks_mut(count));
        let inputs = x.iter().zip(raw.chunks(count)).zip(of_y.iter().zip(of_slope));
        for ((to_x, to_raw), ((&x, raw), (&of_y, &of_slope))) in outputs.zip(inputs) {
            *to_x = of_y;
            if f64::from(x).abs() < bound {
                curve.set(raw);
                let (of_y, of_slope) = (f64::from(of_y), f64::from(of_slope));
                *to_x = if inverse {
                    // x = f⁻¹(y): dx = (dy − ∂f/∂θ dθ)/f′, and the logarithm of its slope is −log f′(x).
                    let bin = curve.inverse(f64::from(x));
                    let (_, log_slope) = bin.slopes_by_xi();
                    let through = (of_y - of_slope * log_slope / bin.w) * (-bin.log_slope()).exp();
                    curve.pull(&bin, -through, -of_slope, to_raw);
                    through
                } else {
                    let bin = curve.forward(f64::from(x));
                    curve.pull(&bin, of_y, of_slope, to_raw)
                } as f32;
            }
        }
    });
    (from_vec(to_x, [n]), from_vec(to_raw, [n, count]))
}

/// A number takes as long as several of its parameters in other loops.
fn rows_at_once(count: usize) -> usize {
    (CHUNK / 2 / count.max(1)).max(1)
}

/// The spline of one number.
struct Curve {
    bins: usize,
    bound: f64,
    /// Shares of the widths in the interval, then of the heights.
    shares: Vec<f32>,
    /// Derivatives at all edges.
    slopes: Vec<f32>,
    /// Of each parameter the slope of the function that keeps it in its range.
    rates: Vec<f32>,
}

/// A point of the curve, and the bin it lies in.
struct Bin {
    k: usize,
    left: f64,
    bottom: f64,
    w: f64,
    h: f64,
    d0: f64,
    d1: f64,
    xi: f64,
}

impl Curve {
    fn new(bins: usize, bound: f64) -> Self {
        Self { bins, bound, shares: vec![0.0; 2 * bins], slopes: vec![1.0; bins + 1], rates: vec![0.0; 3 * bins - 1] }
    }

    /// Reads its parameters.
    fn set(&mut self, raw: &[f32]) {
        let (sizes, inner) = raw.split_at(2 * self.bins);
        fill(&mut self.shares, &mut self.slopes, &mut self.rates, sizes, inner);
    }

    fn size(&self, share: f32) -> f64 {
        2.0 * self.bound * f64::from(share)
    }

    /// The bin that x lies in, or y with `by_height`.
    fn find(&self, at: f64, by_height: bool) -> Bin {
        let (widths, heights) = self.shares.split_at(self.bins);
        let (mut left, mut bottom) = (-self.bound, -self.bound);
        let mut k = 0;
        loop {
            let (w, h) = (self.size(widths[k]), self.size(heights[k]));
            let end = if by_height { bottom + h } else { left + w };
            if at < end || k + 1 == self.bins {
                let (d0, d1) = (f64::from(self.slopes[k]), f64::from(self.slopes[k + 1]));
                return Bin { k, left, bottom, w, h, d0, d1, xi: 0.0 };
            }
            (left, bottom, k) = (left + w, bottom + h, k + 1);
        }
    }

    /// The point with this x.
    fn forward(&self, x: f64) -> Bin {
        let bin = self.find(x, false);
        Bin { xi: ((x - bin.left) / bin.w).clamp(0.0, 1.0), ..bin }
    }

    /// The point with this y.
    fn inverse(&self, y: f64) -> Bin {
        let bin = self.find(y, true);
        let rise = (y - bin.bottom).clamp(0.0, bin.h);
        let s = bin.h / bin.w;
        let bend = rise * (bin.d0 + bin.d1 - 2.0 * s);
        let (a, b, c) = (bin.h * (s - bin.d0) + bend, bin.h * bin.d0 - bend, -s * rise);
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let xi = if rise == 0.0 { 0.0 } else { 2.0 * c / (-b - root) };
        Bin { xi: xi.clamp(0.0, 1.0), ..bin }
    }

    /// Pulls the gradients of y and of log dy/dx back to the parameters, and gives that of x.
    fn pull(&self, bin: &Bin, of_y: f64, of_slope: f64, to_raw: &mut [f32]) -> f64 {
        let &Bin { k, w, h, xi, .. } = bin;
        let (s, rest) = (h / w, 1.0 - xi);
        let q = xi * rest;
        let [numerator, denominator, slope_numerator] = bin.quotients();
        let (rise_by_xi, slope_by_xi) = bin.slopes_by_xi();
        let square = denominator * denominator;
        let rise = of_y * h;
        let to_xi = rise * rise_by_xi + of_slope * slope_by_xi;
        let to_s = rise * (xi * xi * denominator - numerator * (1.0 - 2.0 * q)) / square
            + of_slope * (2.0 / s + 2.0 * q / slope_numerator - 2.0 * (1.0 - 2.0 * q) / denominator);
        let to_d0 = rise * q * (denominator - numerator) / square
            + of_slope * (rest * rest / slope_numerator - 2.0 * q / denominator);
        let to_d1 = -rise * q * numerator / square + of_slope * (xi * xi / slope_numerator - 2.0 * q / denominator);
        let to_x = to_xi / w;
        // The edges of the bin are the sums of all sizes before it.
        let to_w = (-to_xi * xi - to_s * s) / w;
        let to_h = of_y * numerator / denominator + to_s / w;

        let (sizes, inner) = to_raw.split_at_mut(2 * self.bins);
        let (to_widths, to_heights) = sizes.split_at_mut(self.bins);
        let (widths, heights) = self.shares.split_at(self.bins);
        self.pull_sizes(to_widths, widths, k, -to_x, to_w);
        self.pull_sizes(to_heights, heights, k, of_y, to_h);
        for (edge, to) in [(k, to_d0), (k + 1, to_d1)] {
            if (1..self.bins).contains(&edge) {
                inner[edge - 1] = (to * f64::from(self.slopes[edge])) as f32;
            }
        }
        for (to, &rate) in to_raw.iter_mut().zip(&self.rates) {
            *to *= rate;
        }
        to_x
    }

    /// Through the softmax: `before` for each size before bin k, `own` for that of bin k.
    fn pull_sizes(&self, to: &mut [f32], shares: &[f32], k: usize, before: f64, own: f64) {
        let below: f64 = shares[..k].iter().map(|&share| f64::from(share)).sum();
        let mean = before * below + own * f64::from(shares[k]);
        for (j, (to, &share)) in to.iter_mut().zip(shares).enumerate() {
            let of = match j.cmp(&k) {
                std::cmp::Ordering::Less => before,
                std::cmp::Ordering::Equal => own,
                std::cmp::Ordering::Greater => 0.0,
            };
            *to = (2.0 * self.bound * f64::from(share) * (of - mean)) as f32;
        }
    }
}

impl Bin {
    fn x(&self) -> f64 {
        self.left + self.w * self.xi
    }

    fn y(&self) -> f64 {
        let [numerator, denominator, _] = self.quotients();
        self.bottom + self.h * numerator / denominator
    }

    fn log_slope(&self) -> f64 {
        let [_, denominator, slope_numerator] = self.quotients();
        let s = self.h / self.w;
        (s * s * slope_numerator / (denominator * denominator)).ln()
    }

    /// s ξ² + δ₀ q, s + (δ₀ + δ₁ − 2s) q, and δ₁ ξ² + 2 s q + δ₀ (1 − ξ)².
    fn quotients(&self) -> [f64; 3] {
        let (s, xi, rest) = (self.h / self.w, self.xi, 1.0 - self.xi);
        let q = xi * rest;
        [
            s * xi * xi + self.d0 * q,
            s + (self.d0 + self.d1 - 2.0 * s) * q,
            self.d1 * xi * xi + 2.0 * s * q + self.d0 * rest * rest,
        ]
    }

    /// The derivatives by ξ of (y − y_k)/h and of log dy/dx.
    fn slopes_by_xi(&self) -> (f64, f64) {
        let (s, xi) = (self.h / self.w, self.xi);
        let [numerator, denominator, slope_numerator] = self.quotients();
        let bend = (self.d0 + self.d1 - 2.0 * s) * (1.0 - 2.0 * xi);
        let of_numerator = 2.0 * s * xi + self.d0 * (1.0 - 2.0 * xi);
        let of_slope = 2.0 * (self.d1 * xi + s * (1.0 - 2.0 * xi) - self.d0 * (1.0 - xi));
        let rise = (of_numerator * denominator - numerator * bend) / (denominator * denominator);
        (rise, of_slope / slope_numerator - 2.0 * bend / denominator)
    }
}

crate::vectorised! {
    /// The softmaxes of both halves of `sizes`, and the derivatives.
    fn fill(shares: &mut [f32], slopes: &mut [f32], rates: &mut [f32], sizes: &[f32], inner: &[f32]) {
        let bins = sizes.len() / 2;
        let (of_sizes, of_slopes) = rates.split_at_mut(sizes.len());
        for ((share, rate), &raw) in shares.iter_mut().zip(of_sizes).zip(sizes) {
            let factor = 1.0 / (1.0 + raw.abs() * (2.0 / LOG_RANGE) as f32);
            *share = raw * factor;
            *rate = factor * factor;
        }
        for shares in shares.chunks_exact_mut(bins) {
            let max = shares.iter().fold(f32::NEG_INFINITY, |max, &l| if l > max { l } else { max });
            let mut sum = 0.0;
            for share in shares.iter_mut() {
                *share = exp_negative(*share - max);
            }
            for share in shares.iter() {
                sum += share;
            }
            let factor = 1.0 / sum;
            for share in shares.iter_mut() {
                *share *= factor;
            }
        }
        for ((slope, rate), &raw) in slopes[1..].iter_mut().zip(of_slopes).zip(inner) {
            let factor = 1.0 / (1.0 + raw.abs() * (1.0 / LOG_RANGE) as f32);
            *slope = exp(raw * factor);
            *rate = factor * factor;
        }
    }
}
