//! Ensembles: the mixture's estimator in words, and the results of the single members.

use super::Results;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::measure::{Metric, NATS};
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use dgm_core::estimate::Mean;
use dgm_models::{Ensemble, Model};
use serde::{Deserialize, Serialize};

/// Results of an ensemble's single members, which the mixture is to improve on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// Number of members.
    pub count: usize,
    /// Their likelihoods.
    pub metrics: Vec<MemberMetric>,
}

/// One metric of all members: its value is the mean over members, its standard error that of this mean as an estimate of the mean over
/// all seeds, the deviation between members / √members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberMetric {
    /// What was computed of each member by itself.
    #[serde(flatten)]
    pub mean: Metric,
    /// The best member's.
    pub lowest: f64,
    /// The worst member's.
    pub highest: f64,
}

impl Members {
    /// From the results that the folders of an ensemble's members hold.
    ///
    /// # Errors
    /// A result that is not there, or that was changed.
    pub fn read(ensemble: &RunFolder, count: usize) -> Result<Self> {
        let read = |index: usize| Results::read(&ensemble.member(index).path().join("result.json"));
        let all: Vec<Results> = (0..count).map(read).collect::<Result<_>>()?;
        let first = all.first().ok_or_else(|| Error::run("an ensemble has no members"))?;
        let likelihoods =
            first.metrics.iter().filter(|metric| metric.unit == NATS && metric.measure != "importance_weighted");
        let metric = |first: &Metric| {
            // What some do not have, as `[evaluation]` was another when they were trained, has no mean.
            let same = |metric: &&Metric| {
                (&metric.measure, &metric.split, &metric.quantity) == (&first.measure, &first.split, &first.quantity)
            };
            let of = |results: &Results| results.metrics.iter().find(same).cloned();
            let metrics: Vec<Metric> = all.iter().map(of).collect::<Option<_>>()?;
            let nats: Vec<f64> = metrics.iter().map(|metric| metric.value).collect();
            let bits: Option<Vec<f64>> = metrics.iter().map(|metric| metric.bits_per_dim).collect();
            let Mean { mean: value, standard_error, .. } = Mean::of(&nats);
            let bits_per_dim = bits.map(|bits| Mean::of(&bits).mean);
            Some(MemberMetric {
                mean: Metric { value, standard_error, bits_per_dim, per_token: None, ..first.clone() },
                lowest: nats.iter().copied().fold(f64::INFINITY, f64::min),
                highest: nats.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            })
        };
        Ok(Self { count, metrics: likelihoods.filter_map(metric).collect() })
    }

    /// Lines of the table for a terminal.
    pub(super) fn table(&self) -> String {
        let line = |MemberMetric { mean, lowest, highest }: &MemberMetric| {
            let Metric { split, quantity, value, standard_error, bits_per_dim, examples, estimator, .. } = mean;
            let bits = bits_per_dim.unwrap_or(f64::NAN);
            format!(
                "{split:<11} {quantity:<8} {value:>12.4} {standard_error:>9.4} {bits:>10.4} {examples:>9}  \
                 {estimator}: mean of the {} members by themselves, {lowest:.4} to {highest:.4}\n",
                self.count
            )
        };
        self.metrics.iter().map(line).collect()
    }
}

impl Results {
    /// Says in the estimator of every likelihood how the members of an ensemble are mixed; of one model nothing.
    pub(super) fn name_mixture<M: Model>(
        &mut self,
        ensemble: &Ensemble<M>,
        test: &Split,
        device: &Device,
    ) -> Result<()> {
        let count = ensemble.count();
        let Some(density) = ensemble.density().filter(|_| count > 1) else { return Ok(()) };
        // Whether the models say their factors does not depend on the example.
        let by_number = density.log_prob_elementwise(&test.unaugmented(&[0], device)?).is_some();
        let mixed = match (by_number, density.estimator().is_exact()) {
            (true, _) => format!("mixture of {count} models, dimension by dimension"),
            (false, true) => format!("mixture of {count} models"),
            (false, false) => format!("bound of the mixture of {count} models"),
        };
        for metric in self.metrics.iter_mut().filter(|metric| metric.unit == NATS) {
            metric.estimator = format!("{}, {mixed}", metric.estimator);
        }
        Ok(())
    }
}
