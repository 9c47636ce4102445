//! The loss that a model brings with it.

use super::{Misfit, Rule, Step};
use crate::training::Training;
use dgm_core::objective::Objective;
use serde::{Deserialize, Serialize};

/// The losses of the model's own players, or a fit in closed form: the model says what is minimised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelLoss {}

impl Rule for ModelLoss {
    fn fits(&self, training: Training<'_>) -> Result<(), Misfit> {
        match training {
            Training::Custom(_) | Training::Fit => Ok(()),
            _ => Err(Misfit::IsFor("models that bring a loss of their own")),
        }
    }

    fn is_additive(&self, training: Training<'_>) -> bool {
        match training {
            Training::Custom(train) => train.is_additive(),
            _ => true,
        }
    }

    fn least_batch(&self, training: Training<'_>) -> usize {
        match training {
            Training::Custom(train) => train.least_batch(),
            _ => 1,
        }
    }

    fn likelihood_terms(&self) -> &'static [&'static str] {
        &[]
    }

    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective> {
        match training {
            Training::Custom(train) => Some(train.loss(step.player, step.views, step.rng)),
            _ => None,
        }
    }
}
