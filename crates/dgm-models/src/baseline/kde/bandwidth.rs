//! The choice of bandwidths by leave-one-out likelihood.

use super::kernels::Kernels;
use super::{AdaptiveConfig, BandwidthConfig, Kernel, KernelDensityConfig, OneConfig};
use crate::baseline::rows::{Rows, each};
use crate::data::DataSpec;
use crate::error::ModelError;
use dgm_core::random::Stream;

/// Bandwidths of the dimensions, and of each point the logarithm of a factor.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) bandwidths: Vec<f64>,
    pub(super) log_factors: Vec<f32>,
    /// Mean leave-one-out log density of the held-out points.
    log_likelihood: f64,
}

/// Points that are left out, one after the other: enough to tell bandwidths apart.
const HELD_OUT: usize = 2000;

/// Steps of EM at most.
const STEPS: usize = 100;

/// Ranks of neighbours that are tried.
const NEIGHBOURS: [usize; 5] = [5, 10, 20, 50, 100];

/// No bandwidth is less, in standard deviations of the data.
const SMALLEST: f64 = 1e-3;

pub(super) fn choose(
    config: &KernelDensityConfig,
    points: &Rows,
    spec: &DataSpec,
    rng: &mut Stream,
) -> Result<Chosen, ModelError> {
    let (n, width) = (points.len(), points.width);
    if let BandwidthConfig::One(OneConfig { value: Some(value) }) = config.bandwidth {
        let (bandwidths, log_factors) = (vec![value; width], vec![0.0; n]);
        return Ok(Chosen { bandwidths, log_factors, log_likelihood: f64::NAN });
    }
    if n < 3 {
        return Err(ModelError::Data(format!(
            "the training split has {n} distinct rows, too few to choose a bandwidth by leaving one out; give it more, or set model.bandwidth = \
             {{ kind = \"one\", value = 0.3 }}"
        )));
    }
    let mut held_out = rng.permutation(n);
    held_out.truncate(HELD_OUT);
    // What lies on a grid is known to its step only.
    let grid = spec.scale().and_then(|scale| scale.cell_variance());
    let floors: Vec<f64> = match grid {
        Some(variances) => variances.iter().map(|&variance| f64::from(variance).sqrt().max(SMALLEST)).collect(),
        None => vec![SMALLEST; width],
    };
    let search = Search { kernel: config.kernel, points, held_out: &held_out, floors: &floors };
    let candidates = match &config.bandwidth {
        BandwidthConfig::One(_) => vec![search.one()],
        BandwidthConfig::PerDimension(_) => vec![search.per_dimension(search.one())],
        BandwidthConfig::Adaptive(AdaptiveConfig { neighbours }) => {
            let ranks = neighbours.map_or(NEIGHBOURS.to_vec(), |rank| vec![rank]);
            search.adaptive(&ranks)
        }
        BandwidthConfig::Automatic(_) => {
            let one = search.one();
            let per_dimension = search.per_dimension(one.clone());
            [one, per_dimension].into_iter().chain(search.adaptive(&NEIGHBOURS)).collect()
        }
    };
    let best = candidates.into_iter().max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood));
    best.ok_or_else(|| ModelError::Data("no bandwidth was found; set model.bandwidth to a number".into()))
}

/// What all candidates share.
struct Search<'a> {
    kernel: Kernel,
    points: &'a Rows,
    held_out: &'a [usize],
    floors: &'a [f64],
}

impl Search<'_> {
    /// Scott's rule, where a search begins.
    fn start(&self) -> f64 {
        let (n, d) = (self.points.len() as f64, self.points.width as f64);
        let wide = if self.kernel == Kernel::Epanechnikov { (d + 4.0).sqrt() } else { 1.0 };
        n.powf(-1.0 / (d + 4.0)) * wide
    }

    fn one(&self) -> Chosen {
        self.shared(vec![0.0; self.points.len()], self.start())
    }

    /// Of each rank the distances to the neighbour, and one factor for all.
    fn adaptive(&self, ranks: &[usize]) -> Vec<Chosen> {
        let none = vec![0.0; self.points.len()];
        let kernels = Kernels::new(Kernel::Gaussian, self.points, &vec![1.0; self.points.width], &none);
        let distances = each(self.points.len(), |i| kernels.distances_to_neighbours(self.points.row(i), i, ranks));
        let of_rank = |place: usize| {
            let logs = distances.iter().map(|all| f64::from(all[place].max(1e-6)).ln());
            let mean = logs.clone().sum::<f64>() / distances.len().max(1) as f64;
            self.shared(logs.map(|log| (log - mean) as f32).collect(), self.start())
        };
        (0..ranks.len()).map(of_rank).collect()
    }

    /// One bandwidth for all dimensions, beside these factors.
    fn shared(&self, log_factors: Vec<f32>, start: f64) -> Chosen {
        let floor = self.floors.iter().copied().fold(0.0, f64::max).max(SMALLEST);
        let width = self.points.width;
        let bandwidths = |h: f64| vec![h.max(floor); width];
        match self.kernel {
            Kernel::Gaussian => self.climb(bandwidths(start), log_factors, |spread| {
                let mean = spread.iter().sum::<f64>() / spread.len().max(1) as f64;
                bandwidths(mean.sqrt())
            }),
            // Not by EM: a search of narrowing steps in the logarithm.
            Kernel::Epanechnikov => {
                let (mut centre, mut step) = (start.ln(), 0.8);
                let mut best = self.at(bandwidths(start), log_factors.clone());
                while step > 0.01 {
                    let around =
                        [centre - step, centre + step].map(|log| self.at(bandwidths(log.exp()), log_factors.clone()));
                    let better = around.into_iter().filter(|one| one.log_likelihood > best.log_likelihood);
                    match better.max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood)) {
                        Some(one) => best = one,
                        None if best.log_likelihood == f64::NEG_INFINITY => {
                            best = self.at(bandwidths((centre + step).exp()), log_factors.clone())
                        }
                        None => step *= 0.5,
                    }
                    centre = best.bandwidths.first().map_or(centre, |h| h.ln());
                }
                best
            }
        }
    }

    /// One for each dimension, from one for all.
    fn per_dimension(&self, start: Chosen) -> Chosen {
        if self.kernel == Kernel::Epanechnikov {
            return start;
        }
        self.climb(start.bandwidths, start.log_factors, |spread| {
            spread.iter().zip(self.floors).map(|(spread, floor)| spread.sqrt().max(*floor)).collect()
        })
    }

    fn at(&self, bandwidths: Vec<f64>, log_factors: Vec<f32>) -> Chosen {
        let kernels = Kernels::new(self.kernel, self.points, &bandwidths, &log_factors);
        let log_p = each(self.held_out.len(), |i| {
            let own = self.held_out[i];
            kernels.log_density(self.points.row(own), Some(own))
        });
        let log_likelihood = log_p.iter().sum::<f64>() / log_p.len().max(1) as f64;
        Chosen { bandwidths, log_factors, log_likelihood }
    }

    /// EM: bandwidths from the mean squared distance of each dimension under the responsibilities, until nothing is gained. Steps are longer than
    /// EM's own as long as they gain, as EM goes slowly where kernels overlap.
    fn climb(&self, start: Vec<f64>, log_factors: Vec<f32>, update: impl Fn(&[f64]) -> Vec<f64>) -> Chosen {
        let mut best = Chosen { bandwidths: start.clone(), log_factors, log_likelihood: f64::NEG_INFINITY };
        let (mut at, mut direction, mut stretch) = (start, Vec::new(), 1.0);
        for _ in 0..STEPS {
            let (log_likelihood, squared) = self.look(&at, &best.log_factors);
            let gain = log_likelihood - best.log_likelihood;
            if gain < 1e-5 && stretch == 1.0 {
                break;
            }
            if gain > 0.0 {
                direction = update(&squared).iter().zip(&at).map(|(next, h)| (next / h).ln()).collect();
                best.bandwidths = at;
                best.log_likelihood = log_likelihood;
                stretch = f64::min(1.5 * stretch, 16.0);
            } else {
                stretch = 1.0;
            }
            // Through the rule once more: no bandwidth is below its floor.
            let next = best
                .bandwidths
                .iter()
                .zip(&direction)
                .map(|(h, log): (&f64, &f64)| (h * (stretch * log).exp()).powi(2));
            at = update(&next.collect::<Vec<_>>());
        }
        best
    }

    /// Leave-one-out log-likelihood, and the mean squared distance of each dimension.
    fn look(&self, bandwidths: &[f64], log_factors: &[f32]) -> (f64, Vec<f64>) {
        let kernels = Kernels::new(self.kernel, self.points, bandwidths, log_factors);
        let rows = each(self.held_out.len(), |i| {
            let own = self.held_out[i];
            kernels.spread(self.points.row(own), own)
        });
        let count = rows.len().max(1) as f64;
        let log_likelihood = rows.iter().map(|(log_p, _)| log_p).sum::<f64>() / count;
        let mut spread = vec![0.0; bandwidths.len()];
        for (_, row) in &rows {
            spread.iter_mut().zip(row).for_each(|(sum, one)| *sum += one / count);
        }
        (log_likelihood, spread.iter().zip(bandwidths).map(|(spread, h)| spread * h * h).collect())
    }
}
