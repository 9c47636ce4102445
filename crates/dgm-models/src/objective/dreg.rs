//! The importance-weighted bound with the doubly reparameterised gradient.

use super::iwae::check_samples;
use super::{Misfit, OutOfRange, Rule, Step, bound, log_weights};
use crate::layers::Mode;
use crate::training::Training;
use dgm_core::objective::{Dreg, Objective};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// The loss of `iwae` with an encoder gradient whose signal does not fade as k grows: see [`Dreg`]. It decodes twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DregConfig {
    /// Samples k of z per example; memory and time grow with them. Default: 5.
    pub samples: usize,
}

impl Default for DregConfig {
    fn default() -> Self {
        Self { samples: 5 }
    }
}

impl Rule for DregConfig {
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
        let z = inference.sample(self.samples, step.rng).z;
        // The weights are needed before the gradient: both times with the same dropout.
        let (start, end) = (step.rng.clone(), RefCell::new(step.rng.clone()));
        let objective = Dreg.objective(z, |z| {
            let mut rng = start.clone();
            let log_posterior = inference.log_posterior_fixed(z.clone());
            let weights = log_weights(inference.as_ref(), z, log_posterior, &mut Mode::Train(&mut rng));
            end.replace(rng);
            weights
        });
        *step.rng = end.into_inner();
        Some(objective)
    }
}
