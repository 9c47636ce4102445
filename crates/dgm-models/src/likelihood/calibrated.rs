//! A likelihood made wider or narrower by one factor, fitted on examples that nothing was learnt from.

use super::choice::SamplingParams;
use super::shaped::Shaped;
use super::{Family, Likelihood};
use burn::tensor::Tensor;
use dgm_core::density::Distribution;
use dgm_core::host;
use std::ops::Range;

/// The factors between which the best one is looked for, as logarithms: 1/20 to 20.
const LOG_FACTORS: [f64; 2] = [-3.0, 3.0];

/// Standard deviation of the prior of the logarithm: to be worth a factor of 2 takes a nat of evidence.
const PRIOR_STD: f64 = 0.5;

/// Steps of golden-section search, each of which leaves 0.618 of the interval: the last one is 10⁻⁴ wide.
const STEPS: usize = 23;

/// Levels: p^(1/T), normalised again, the temperature scaling of Guo et al. 2017, "On calibration of modern neural networks". Real numbers: T times
/// the scale, of each component of a mixture and of each member of an ensemble; the floor of a grid stays.
#[derive(Debug)]
struct Calibrated {
    inner: Likelihood,
    factor: f64,
}

impl Likelihood {
    /// The same with all uncertainty multiplied by a factor above 0: the temperature of levels, the scale of
    /// real numbers, of each component of a mixture by itself.
    pub fn calibrated(&self, factor: f64) -> Self {
        Self::new(Calibrated { inner: self.clone(), factor })
    }

    /// The factor of [`calibrated`](Self::calibrated) with the least −log p on examples: the parameters and targets of their batches. A normal prior
    /// of its logarithm around 0 keeps few examples, all of them predicted well, from making certainties of probabilities.
    pub fn fit_calibration(&self, batches: &[(Tensor<3>, Tensor<2>)]) -> f64 {
        let loss = |log_factor: f64| -> f64 {
            let likelihood = self.calibrated(log_factor.exp());
            let log_prob = |(parameters, y): &(Tensor<3>, Tensor<2>)| {
                host(likelihood.log_prob(parameters.clone(), y.clone())).iter().sum::<f64>()
            };
            0.5 * (log_factor / PRIOR_STD).powi(2) - batches.iter().map(log_prob).sum::<f64>()
        };
        let share = (5f64.sqrt() - 1.0) / 2.0;
        let [mut low, mut high] = LOG_FACTORS;
        let mut inner = [high - share * (high - low), low + share * (high - low)];
        let mut losses = inner.map(loss);
        for _ in 0..STEPS {
            match losses[0] <= losses[1] {
                true => {
                    high = inner[1];
                    inner = [high - share * (high - low), inner[0]];
                    losses = [loss(inner[0]), losses[0]];
                }
                false => {
                    low = inner[0];
                    inner = [inner[1], low + share * (high - low)];
                    losses = [losses[1], loss(inner[1])];
                }
            }
        }
        // What is no better than to leave it as it is, is left.
        let best = (low + high) / 2.0;
        if loss(best) < loss(0.0) { best.exp() } else { 1.0 }
    }
}

impl Family for Calibrated {
    fn parameters(&self) -> usize {
        self.inner.parameters()
    }

    fn distribution(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
    ) -> Box<dyn Distribution<2>> {
        if let Some(table) = self.inner.log_probs(parameters.clone()) {
            let choice = SamplingParams { temperature: temperature * self.factor, ..SamplingParams::default() };
            return Shaped::boxed(table, |rows| choice.narrowed(rows));
        }
        if temperature == 1.0 {
            return self.inner.rescaled(parameters, dimensions, self.factor);
        }
        self.inner.tempered(parameters, dimensions, temperature * self.factor.powi(2))
    }

    fn log_units(&self, dimensions: Range<usize>) -> Option<&[f32]> {
        self.inner.log_units(dimensions)
    }

    fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        let table = self.inner.log_probs(parameters)?;
        let [batch, event, levels] = table.dims();
        let choice = SamplingParams { temperature: self.factor, ..SamplingParams::default() };
        let rows = choice.narrowed(table.reshape([batch * event, levels]));
        Some(rows.log_probs().reshape([batch, event, levels]))
    }

    fn log_probs_at(&self, parameters: Tensor<3>, dimension: usize) -> Option<Tensor<2>> {
        let table = self.inner.log_probs_at(parameters, dimension)?;
        let choice = SamplingParams { temperature: self.factor, ..SamplingParams::default() };
        Some(choice.narrowed(table).log_probs())
    }

    fn is_nominal(&self) -> bool {
        self.inner.is_nominal()
    }
}
