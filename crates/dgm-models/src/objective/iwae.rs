//! The importance-weighted bound.

use super::{Misfit, OutOfRange, Rule, Step, bound, log_weights, within};
use crate::layers::Mode;
use crate::training::Training;
use dgm_core::objective::{Iwae, Objective};
use serde::{Deserialize, Serialize};

/// L = −log (1/k Σᵢ wᵢ), k samples of z per example: see [`Iwae`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IwaeConfig {
    /// Samples k of z per example; memory and time grow with them. Default: 5.
    pub samples: usize,
}

impl Default for IwaeConfig {
    fn default() -> Self {
        Self { samples: 5 }
    }
}

/// Whether a step can hold this many samples per example.
pub(super) fn check_samples(samples: usize) -> Result<(), OutOfRange> {
    within((1..=10_000).contains(&samples), "samples", "a whole number from 1 to 10000")
}

impl Rule for IwaeConfig {
    fn validate(&self) -> Result<(), OutOfRange> {
        check_samples(self.samples)
    }

    fn fits(&self, training: Training<'_>) -> Result<(), Misfit> {
        bound(training).map(|_| ())
    }

    fn likelihood_terms(&self) -> &'static [&'static str] {
        &["nll_bound"]
    }

    fn importance_samples(&self) -> usize {
        self.samples
    }

    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective> {
        let inference = bound(training).ok()?.infer(step.views.first()?, &mut Mode::Train(step.rng));
        let samples = inference.sample(self.samples, step.rng);
        let log_posterior = inference.log_posterior_of(&samples);
        let weights = log_weights(inference.as_ref(), samples.z, log_posterior, &mut Mode::Train(step.rng));
        Some(Iwae.objective(weights))
    }
}
