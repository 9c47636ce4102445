//! Histogram: each dimension by itself, the floor of every table of likelihoods.

use super::rows::{Rows, alone, log_sum_exp};
use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::training::{Examples, Training};
use crate::traits::{Density, Estimator, Generate, Model};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_core::objective::fill_padding;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Histogram`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistogramConfig {
    /// Of real numbers: bins of each dimension, over the range of the training examples. Default: the number with the best leave-one-out
    /// likelihood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bins: Option<usize>,
}

impl HistogramConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = "";

    /// Builds the model for `spec`; it is uniform before its fit.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, _: &mut Stream, device: &Device) -> Result<Histogram, ModelError> {
        spec.checked()?;
        alone("histogram", spec)?;
        spec.without_columns("histogram")?;
        if let Some(bins) = self.bins {
            ModelError::check((1..=MAX_BINS).contains(&bins), "bins", bins, "1 to 4096")?;
        }
        let levels = spec.levels();
        let log_std = spec.scale().map_or_else(Vec::new, |scale| scale.std.iter().map(|std| std.ln()).collect());
        let (width, bins) = (spec.event(), levels.unwrap_or(1));
        let empty = |shape: [usize; 2]| Param::from_data(TensorData::zeros::<f32, _>(shape), device);
        Ok(Histogram {
            log_probs: empty([width, bins]),
            ranges: empty([width, 2]),
            config: self.clone(),
            levels,
            log_std,
            spec: spec.clone(),
        })
    }
}

const MAX_BINS: usize = 4096;

/// p(x) = Π_d p_d(x_d). Of levels the frequencies (count + a)/(n + a·levels), with the a of the best leave-one-out likelihood for all
/// dimensions together. Of real numbers (1 − ε)·bins + ε·N(x; 0, 10²) in standard deviations of the data, with ε = 1/(n + 1), so that what lies
/// outside the range is improbable and not impossible.
#[derive(Module, Debug)]
pub struct Histogram {
    /// Of each dimension and bin, `[event, bins]`: of real numbers of the bins that it has, and −∞ after them.
    log_probs: Param<Tensor<2>>,
    /// Of real numbers the lowest edge and the width of a bin, `[event, 2]`.
    ranges: Param<Tensor<2>>,
    #[module(skip)]
    config: HistogramConfig,
    #[module(skip)]
    levels: Option<usize>,
    /// Of real numbers log of the standard deviation that each was divided by.
    #[module(skip)]
    log_std: Vec<f64>,
    #[module(skip)]
    spec: DataSpec,
}

/// Pseudo-counts that are tried.
const PSEUDO_COUNTS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// The logarithm of no probability that a module can keep.
const NEVER: f32 = -1e30;

impl Histogram {
    /// log p of each dimension of a row in the units of the data, standardised where it is real.
    fn log_probs_of(&self, row: &[f32], table: &[f64], ranges: &[f64]) -> Vec<f64> {
        let bins = table.len() / row.len().max(1);
        row.iter()
            .enumerate()
            .map(|(d, &x)| {
                let of = |bin: usize| table.get(d * bins + bin).copied().unwrap_or(f64::from(NEVER));
                if self.levels.is_some() {
                    return of(x.max(0.0) as usize);
                }
                let (low, size) =
                    (ranges.get(2 * d).copied().unwrap_or(0.0), ranges.get(2 * d + 1).copied().unwrap_or(1.0));
                // The last column is that of the share outside; before it what is beyond the bins of this dimension has no probability.
                let (place, last) = ((f64::from(x) - low) / size, bins.saturating_sub(1));
                let bin = place.max(0.0) as usize;
                let inside = if place >= 0.0 && bin < last { of(bin) - size.ln() } else { f64::NEG_INFINITY };
                log_sum_exp([inside, of(last) + log_wide(f64::from(x))]) - self.log_std.get(d).copied().unwrap_or(0.0)
            })
            .collect()
    }

    fn elementwise(&self, target: Tensor<2>) -> Tensor<2> {
        let (table, ranges, shape) = (host(self.log_probs.val()), host(self.ranges.val()), target.dims());
        let device = target.device();
        let rows = Rows::of_tensor(target);
        let values: Vec<f32> =
            rows.iter().flat_map(|row| self.log_probs_of(row, &table, &ranges)).map(|log| log as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &device)
    }

    fn fit_levels(&mut self, levels: usize, examples: &dyn Examples, device: &Device) -> Result<(), ModelError> {
        let width = self.spec.event();
        let mut counts = vec![0.0f64; width * levels];
        for batch in examples.batches(4096) {
            let batch = batch?;
            let shown = batch.mask.map(host);
            for (at, x) in host(batch.target).into_iter().enumerate() {
                let is_there = shown.as_ref().is_none_or(|mask| mask.get(at).is_some_and(|&one| one > 0.5));
                if let Some(count) = counts.get_mut(at % width * levels + x as usize).filter(|_| is_there) {
                    *count += 1.0;
                }
            }
        }
        // Σ c log((c − 1 + a)/(n − 1 + a k)): each example given all others.
        let held_out = |a: f64| -> f64 {
            let of = |counts: &[f64]| {
                let rest = counts.iter().sum::<f64>() - 1.0 + a * levels as f64;
                counts.iter().filter(|&&c| c > 0.0).map(|c| c * ((c - 1.0 + a) / rest).ln()).sum::<f64>()
            };
            counts.chunks_exact(levels).map(of).sum()
        };
        let best = PSEUDO_COUNTS.into_iter().max_by(|&a, &b| held_out(a).total_cmp(&held_out(b))).unwrap_or(1.0);
        let logs = counts.chunks_exact(levels).flat_map(|counts| {
            let total = counts.iter().sum::<f64>() + best * levels as f64;
            counts.iter().map(move |count| ((count + best) / total).ln() as f32).collect::<Vec<_>>()
        });
        self.log_probs = Param::from_data(TensorData::new(logs.collect::<Vec<_>>(), [width, levels]), device);
        Ok(())
    }

    fn fit_real(&mut self, examples: &dyn Examples, device: &Device) -> Result<(), ModelError> {
        let rows = Rows::of(examples, self.spec.event())?;
        let (n, width) = (rows.len() as f64, rows.width);
        let columns: Vec<Bins> = (0..width)
            .map(|d| {
                let column: Vec<f64> = rows.values.iter().skip(d).step_by(width).map(|&x| f64::from(x)).collect();
                Bins::of(&column, self.config.bins)
            })
            .collect();
        let most = columns.iter().map(|column| column.counts.len()).max().unwrap_or(1);
        let (outside, mut logs, mut ranges) = (1.0 / (n + 1.0), Vec::new(), Vec::new());
        for Bins { low, size, counts } in &columns {
            let total = n + 0.5 * counts.len() as f64;
            let inside = counts.iter().map(|count| ((1.0 - outside) * (count + 0.5) / total).ln() as f32);
            logs.extend(inside.chain(std::iter::repeat_n(NEVER, most - counts.len())).chain([outside.ln() as f32]));
            ranges.extend([*low as f32, *size as f32]);
        }
        self.log_probs = Param::from_data(TensorData::new(logs, [width, most + 1]), device);
        self.ranges = Param::from_data(TensorData::new(ranges, [width, 2]), device);
        Ok(())
    }
}

/// log N(x; 0, 10²).
fn log_wide(x: f64) -> f64 {
    -0.5 * (x / 10.0).powi(2) - 0.5 * (2.0 * std::f64::consts::PI * 100.0).ln()
}

/// The bins of one dimension.
struct Bins {
    low: f64,
    size: f64,
    counts: Vec<f64>,
}

impl Bins {
    /// So many, or as many as have the best leave-one-out likelihood.
    fn of(column: &[f64], bins: Option<usize>) -> Self {
        let (low, high) =
            column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        // A constant has a bin, too; and edges in f32 have room on both sides.
        let room = 1e-5 * (1.0 + low.abs().max(high.abs()));
        let (low, high) = (low - room, high + room);
        let with = |bins: usize| {
            let size = (high - low) / bins as f64;
            let mut counts = vec![0.0; bins];
            for x in column {
                if let Some(count) = counts.get_mut((((x - low) / size) as usize).min(bins - 1)) {
                    *count += 1.0;
                }
            }
            Self { low, size, counts }
        };
        match bins {
            Some(bins) => with(bins),
            None => {
                let candidates = (0..=9).map(|power| with(1 << power));
                candidates.max_by(|a, b| a.held_out().total_cmp(&b.held_out())).unwrap_or_else(|| with(1))
            }
        }
    }

    /// Σ c log of the density of each example given all others.
    fn held_out(&self) -> f64 {
        let rest = self.counts.iter().sum::<f64>() - 1.0 + 0.5 * self.counts.len() as f64;
        self.counts
            .iter()
            .map(|count| count * ((count - 0.5) / rest / self.size).ln())
            .filter(|log| !log.is_nan())
            .sum()
    }
}

impl Density for Histogram {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        dgm_core::objective::sum_event(fill_padding(self.elementwise(batch.target.clone()), batch.mask.as_ref()))
    }

    fn log_prob_elementwise(&self, batch: &Batch) -> Option<Tensor<2>> {
        Some(fill_padding(self.elementwise(batch.target.clone()), batch.mask.as_ref()))
    }
}

impl Generate for Histogram {
    fn generate(&self, n: usize, _: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let (table, ranges, width) = (host(self.log_probs.val()), host(self.ranges.val()), self.spec.event());
        let bins = table.len() / width.max(1);
        let mut values = Vec::with_capacity(n * width);
        for _ in 0..n {
            for d in 0..width {
                let (mut left, mut bin) = (f64::from(rng.uniform()), 0);
                while bin + 1 < bins {
                    left -= table.get(d * bins + bin).map_or(0.0, |log| log.exp());
                    if left < 0.0 {
                        break;
                    }
                    bin += 1;
                }
                values.push(match self.levels {
                    Some(_) => bin as f32,
                    None if bin + 1 == bins => 10.0 * rng.normals(1).first().copied().unwrap_or(0.0),
                    None => {
                        let (low, size) =
                            (ranges.get(2 * d).copied().unwrap_or(0.0), ranges.get(2 * d + 1).copied().unwrap_or(1.0));
                        (low + size * (bin as f64 + f64::from(rng.uniform()))) as f32
                    }
                });
            }
        }
        Rows { width, values }.into_tensor(&self.log_probs.val().device())
    }
}

impl Model for Histogram {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Fit
    }

    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        let device = self.log_probs.val().device();
        match self.levels {
            Some(levels) => self.fit_levels(levels, examples, &device),
            None => self.fit_real(examples, &device),
        }
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
