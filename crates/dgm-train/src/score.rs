//! How strange is an example? Surprisal −log p of a trained density, and a p-value from examples that nothing was learnt from.
//!
//! ```no_run
//! use dgm_train::backend::Backend;
//! use dgm_train::config::Config;
//! use dgm_train::run_folder::RunFolder;
//! use dgm_train::score::{Calibration, Scorer};
//! use std::path::Path;
//!
//! # fn main() -> dgm_train::error::Result<()> {
//! let run = RunFolder::open(Path::new("runs/sensors"))?;
//! let config: Config = run.config()?;
//! let data = run.dataset(&config)?;
//! let scorer: Scorer = Scorer::open(&run, &config, &data.spec, &Backend::open("flex")?)?;
//! let calibration = Calibration::of(&scorer, &data.validation)?;
//! for surprisal in scorer.split(&data.test)? {
//!     println!("{surprisal:.2} nats, p = {:.3}", calibration.p_value(surprisal));
//! }
//! # Ok(())
//! # }
//! ```

mod statistic;
mod table;

use crate::backend::Backend;
use crate::config::{Config, ModelConfig};
use crate::data::Split;
use crate::data::chunks::chunks;
use crate::error::{Error, Result};
use crate::measure::log_prob_by_weights;
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use dgm_core::host;
use dgm_core::random::Seed;
use dgm_models::posterior::Space;
use dgm_models::{Batch, Capability, DataSpec, Ensemble, Mode, Model, ModelFactory, require};
use statistic::By;
pub use statistic::Statistic;
pub use table::{ScoreOptions, score_split, score_table};

/// Rows that a model sees at once.
const ROWS: usize = 512;

/// A trained density that scores examples.
pub struct Scorer<C: ModelFactory = ModelConfig> {
    model: Ensemble<C::Model>,
    /// Of a model with latent variables.
    estimate: Estimate,
    by: By<C>,
    seed: Seed,
    device: Device,
}

/// How log p(x) of a model with latent variables is estimated.
#[derive(Clone, Copy, Debug)]
enum Estimate {
    /// By so many importance weights.
    Weights(usize),
    /// By the one weight at the mean of q.
    AtMean,
}

/// What is known of some examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// −log p(x | c) of each in nats, in the units of the data: larger is stranger.
    pub surprisal: Vec<f64>,
    /// What p-values are of: the surprisal, or another [`Statistic`].
    pub strangeness: Vec<f64>,
    /// −log p of each dimension given those before it, `[examples, dimensions]`, where the model has such factors.
    pub dimensions: Option<Vec<f64>>,
}

/// What is known of one example.
#[derive(Clone, Copy, Debug)]
pub struct Score<'a> {
    /// −log p(x | c).
    pub surprisal: f64,
    /// The statistic that its p-value is of.
    pub strangeness: f64,
    /// −log p of each dimension, where the model has such factors.
    pub factors: Option<&'a [f64]>,
}

impl Scores {
    /// Number of factors of an example.
    fn width(&self) -> usize {
        self.dimensions.as_ref().map_or(0, |all| all.len() / self.surprisal.len().max(1))
    }

    /// Those of this example.
    fn of(&self, example: usize) -> Score<'_> {
        let width = self.width();
        let number = |all: &[f64]| all.get(example).copied().unwrap_or(f64::NAN);
        Score {
            surprisal: number(&self.surprisal),
            strangeness: number(&self.strangeness),
            factors: self.dimensions.as_ref().and_then(|all| all.get(example * width..(example + 1) * width)),
        }
    }
}

impl<C: ModelFactory> Scorer<C> {
    /// What the run in this folder has learnt.
    ///
    /// # Errors
    /// A run that is not trained, or whose model is no density.
    pub fn open(folder: &RunFolder, config: &Config<C>, spec: &DataSpec, backend: &Backend) -> Result<Self> {
        let model = folder.model(config, spec, &backend.device)?;
        require(model.density(), Capability::Density, &model)?;
        Ok(Self {
            model,
            estimate: Estimate::Weights(64),
            by: By::Surprisal,
            seed: Seed(config.seed),
            device: backend.device.clone(),
        })
    }

    /// The same with so many importance samples for each example, where the model has latent variables (default: 64).
    pub fn with_samples(self, samples: usize) -> Self {
        Self { estimate: Estimate::Weights(samples.max(1)), ..self }
    }

    /// The same with −log p(x, z | c) + log q(z | x, c) at the mean of q as the score, where the model has latent variables: one importance weight
    /// without noise. It is no bound, and other programs find the same number.
    ///
    /// # Errors
    /// A model without latent variables that are real numbers and inferred from x.
    pub fn at_mean(self, split: &Split) -> Result<Self> {
        let first = split.unaugmented(&[0], &self.device)?;
        match at_mean(&self.model, &first) {
            Some(_) => Ok(Self { estimate: Estimate::AtMean, ..self }),
            None => Err(Error::input(
                "--at-mean is for one model with latent variables that are real numbers and inferred from x, and this run's is not; leave it out",
            )),
        }
    }

    /// What p-values are of.
    pub fn statistic(&self) -> Statistic {
        self.by.statistic()
    }

    /// Whether it, or the background that it is held against, takes importance samples.
    pub fn has_samples(&self) -> bool {
        self.model.latent().is_some() || self.by.background().is_some_and(Self::has_samples)
    }

    /// Whether a score is an estimate: then its noise depends on the place of the row.
    fn is_estimate(&self) -> bool {
        match (self.model.latent(), self.model.density()) {
            (Some(_), _) => matches!(self.estimate, Estimate::Weights(_)),
            (None, density) => !density.is_some_and(|density| density.estimator().is_exact()),
        }
    }

    /// The data that the model was built for.
    pub fn spec(&self) -> &DataSpec {
        self.model.spec()
    }

    /// What the scores are of, in words.
    pub fn estimator(&self) -> String {
        match (self.model.latent(), self.model.density()) {
            (Some(_), _) => match self.estimate {
                Estimate::AtMean => "−log p(x, z) + log q(z | x) at the mean of q, no bound,".into(),
                Estimate::Weights(k) => format!("−log p, importance-weighted bound with k = {k},"),
            },
            (None, Some(density)) if !density.estimator().is_exact() => "a bound of −log p,".into(),
            _ => "−log p, exact,".into(),
        }
    }

    /// The scores of a batch; `index` names the noise of an estimate.
    ///
    /// # Errors
    /// An estimate that is not a number.
    pub fn score(&self, batch: &Batch, index: u64) -> Result<Scores> {
        let mut noise = self.seed.stream("score", index);
        let density = require(self.model.density(), Capability::Density, &self.model)?;
        // What no 32-bit number holds, such as the square of one that is very far away, is as strange as can be.
        let surprisal_of = |log_p: f64| if log_p.is_nan() { f64::INFINITY } else { -log_p };
        let negative = |values: Vec<f64>| values.into_iter().map(surprisal_of).collect();
        let surprisal = match self.model.latent() {
            Some(latent) => match self.estimate {
                Estimate::Weights(k) => log_prob_by_weights(latent, batch, k, &mut noise)?,
                Estimate::AtMean => at_mean(&self.model, batch).ok_or_else(|| {
                    Error::run("the mean of q cannot be computed of some examples; score without --at-mean")
                })?,
            },
            None => host(density.log_prob(batch, &mut noise)),
        };
        let dimensions = density.log_prob_elementwise(batch).map(|factors| negative(host(factors)));
        let surprisal: Vec<f64> = negative(surprisal);
        let strangeness = self.by.of(batch, &surprisal, index)?;
        Ok(Scores { surprisal, strangeness, dimensions })
    }

    /// The surprisal of each example of a split.
    ///
    /// # Errors
    /// Data that cannot be read any more.
    pub fn split(&self, split: &Split) -> Result<Vec<f64>> {
        self.each(split, |scores| scores.surprisal)
    }

    fn each(&self, split: &Split, what: impl Fn(Scores) -> Vec<f64>) -> Result<Vec<f64>> {
        let mut all = Vec::with_capacity(split.len());
        for (index, rows) in chunks(split.len(), ROWS).enumerate() {
            all.extend(what(self.score(&split.unaugmented(&rows, &self.device)?, index as u64)?));
        }
        Ok(all)
    }
}

/// log p(x, z | c) − log q(z | x, c) of each example at the mean z of q; `None`: the model has no such q.
fn at_mean(model: &impl Model, batch: &Batch) -> Option<Vec<f64>> {
    let latent = model.latent().filter(|latent| latent.space() == Space::Real)?;
    let inference = latent.infer(batch)?;
    let z = inference.expectation()?.unsqueeze_dim::<3>(1);
    let ratio = inference.log_prior(z.clone()) - inference.log_posterior(z.clone());
    Some(host(inference.log_likelihood(z, &mut Mode::Evaluate) + ratio))
}

/// Scores of examples that nothing was learnt from, in ascending order.
///
/// The p-value of a new example is (1 + the number of these that are at least as strange) / (n + 1): of examples of the same kind it is at most α
/// with a probability of at most α (Bates, Candès, Lei, Romano and Sesia 2023, "Testing for outliers with conformal p-values").
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    scores: Vec<f64>,
}

impl Calibration {
    /// From a split such as validation.
    ///
    /// # Errors
    /// Data that cannot be read any more.
    pub fn of<C: ModelFactory>(scorer: &Scorer<C>, split: &Split) -> Result<Self> {
        Ok(Self::from(scorer.each(split, |scores| scores.strangeness)?))
    }

    /// The statistic of each example, in ascending order.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.scores.len()
    }

    /// How rare a statistic as large as this is.
    pub fn p_value(&self, strangeness: f64) -> f64 {
        let stranger = self.scores.len() - self.scores.partition_point(|&score| score < strangeness);
        (1 + stranger) as f64 / (self.scores.len() + 1) as f64
    }

    /// The statistic above which an example is flagged at this rate of false alarms: p ≤ rate; ∞ where the examples are too few to say.
    pub fn threshold(&self, rate: f64) -> f64 {
        // p ≤ rate where at most rate·(n + 1) − 1 examples are at least as strange.
        let stranger = ((self.scores.len() + 1) as f64 * rate + 1e-9).floor();
        let Some(place) = (stranger >= 1.0).then(|| self.scores.len().checked_sub(stranger as usize)).flatten() else {
            return if stranger < 1.0 { f64::INFINITY } else { f64::NEG_INFINITY };
        };
        self.scores.get(place).copied().unwrap_or(f64::INFINITY)
    }
}

impl From<Vec<f64>> for Calibration {
    fn from(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        Self { scores }
    }
}

#[cfg(test)]
mod tests {
    use super::Calibration;

    #[test]
    fn p_values_are_ranks() {
        let calibration = Calibration::from(vec![3.0, 1.0, 2.0, 4.0]);
        let p: Vec<f64> = [0.0, 1.0, 1.5, 4.0, 5.0].map(|s| calibration.p_value(s)).to_vec();
        assert_eq!(p, [1.0, 1.0, 0.8, 0.4, 0.2]);
        assert_eq!(calibration.p_value(f64::INFINITY), 0.2);
    }

    #[test]
    fn a_threshold_is_where_the_p_value_falls_below_the_rate() {
        let calibration = Calibration::from((0..99).map(f64::from).collect::<Vec<_>>());
        for percent in 1..100 {
            let rate = f64::from(percent) / 100.0;
            let threshold = calibration.threshold(rate);
            assert!(calibration.p_value(threshold + 1e-9) <= rate + 1e-12, "{rate} {threshold}");
            assert!(calibration.p_value(threshold) > rate, "{rate} {threshold}");
        }
        assert_eq!(calibration.threshold(0.001), f64::INFINITY);
    }
}
