//! `[objective]`: what a model is trained to minimise. One file an objective, one line each in the registry below.

mod dreg;
mod elbo;
mod info_vae;
mod iwae;
mod model;
mod nll;

use crate::data::Batch;
use crate::error::ModelError;
use crate::training::{Inference, TrainBound, Training};
use crate::traits::Model;
use burn::tensor::Tensor;
use dgm_core::objective::Objective;
use dgm_core::random::Stream;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Debug;

pub use dreg::DregConfig;
pub use elbo::ElboConfig;
pub use info_vae::InfoVaeConfig;
pub use iwae::IwaeConfig;
pub use model::ModelLoss;
pub use nll::NllConfig;

/// A value of a configuration out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The key inside its table; with dots where it stands deeper.
    pub key: &'static str,
    /// What it may be.
    pub expected: String,
}

/// Whether a weight of a term is one in the 32 bits that a device computes in: finite, at least 0, and 0 only where it is meant to be.
pub fn is_weight(value: f64) -> bool {
    let held = value as f32;
    held.is_finite() && held >= 0.0 && (held > 0.0 || value == 0.0)
}

/// What [`is_weight`] expects, in words.
pub const WEIGHT: &str = "a finite number of at least 0 (in f32)";

/// `Ok` where `valid`, otherwise an [`OutOfRange`].
///
/// # Errors
/// The value is not valid.
pub fn within(valid: bool, key: &'static str, expected: impl Into<String>) -> Result<(), OutOfRange> {
    if valid { Ok(()) } else { Err(OutOfRange { key, expected: expected.into() }) }
}

/// Why an objective cannot make a loss of what a model trains by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Misfit {
    /// It is for other models, in words: "models with latent variables".
    IsFor(&'static str),
    /// A key asks for what the model or its data have not: the key, and what it needs.
    Key(&'static str, String),
}

/// One step of one player.
pub struct Step<'a> {
    /// The player's place among [`Training::players`].
    pub player: usize,
    /// The examples, in as many views as [`Training::views`] says.
    pub views: &'a [Batch],
    /// Number of the step, from 0 on: what schedules go by.
    pub step: u64,
    /// For dropout, latent samples and generated examples.
    pub rng: &'a mut Stream,
}

/// From what a model trains by to a loss.
trait Rule: Debug {
    /// Whether the values are in range.
    fn validate(&self) -> Result<(), OutOfRange> {
        Ok(())
    }

    /// Whether it can make a loss of this.
    ///
    /// # Errors
    /// Why it cannot.
    fn fits(&self, training: Training<'_>) -> Result<(), Misfit>;

    /// Whether the mean loss of a batch is that of its parts.
    fn is_additive(&self, _: Training<'_>) -> bool {
        true
    }

    /// The fewest examples of a batch that it says anything of.
    fn least_batch(&self, _: Training<'_>) -> usize {
        1
    }

    /// The terms whose sum is −log p(x | c) or a bound of it, in nats per example, whatever the weights of the loss; none where the loss says
    /// nothing of a likelihood.
    fn likelihood_terms(&self) -> &'static [&'static str];

    /// Samples of the importance-weighted bound that it minimises; 1: it minimises another loss.
    fn importance_samples(&self) -> usize {
        1
    }

    /// The loss of each example and its named terms; `None` where it does not fit.
    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective>;
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $variant:ident),+ $(,)?) => {
        /// The objective, with the keys that it alone has; the key `kind` of `[objective]` picks the variant.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum ObjectiveKind {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                #[serde(rename = $kind)]
                $variant($config),
            )+
        }

        impl ObjectiveKind {
            /// The names that `kind` may have.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The objective of this name with the defaults of its keys; `None`: there is none.
            pub fn of_kind(kind: &str) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$variant(Default::default())),)+
                    _ => None,
                }
            }

            /// Reads the keys of the objective `kind` (the table without the key `kind` itself). `None`: there is no objective of
            /// that name.
            ///
            /// Unlike the derived `Deserialize`, this keeps the positions that a TOML error points to.
            pub fn deserialize_kind<'de, D: Deserializer<'de>>(kind: &str, table: D) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($kind => Some($config::deserialize(table).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// The name of this objective.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            fn rule(&self) -> &dyn Rule {
                match self { $(Self::$variant(rule) => rule,)+ }
            }
        }
    };
}

registry! {
    "nll" => NllConfig as Nll,
    "elbo" => ElboConfig as Elbo,
    "iwae" => IwaeConfig as Iwae,
    "dreg" => DregConfig as Dreg,
    "info_vae" => InfoVaeConfig as InfoVae,
    "model" => ModelLoss as Model,
}

impl ObjectiveKind {
    /// Whether the values are in range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Result<(), OutOfRange> {
        self.rule().validate()
    }

    /// Whether the model can be trained by this objective.
    ///
    /// # Errors
    /// [`ModelError::Objective`], with the objectives that can.
    pub fn check(&self, model: &dyn Model) -> Result<(), ModelError> {
        let training = model.training();
        self.rule().fits(training).map_err(|misfit| match misfit {
            Misfit::Key(key, needs) => ModelError::ObjectiveKey { key, needs },
            Misfit::IsFor(is_for) => {
                let fits = |kind: &&&str| Self::of_kind(kind).is_some_and(|other| other.rule().fits(training).is_ok());
                let others: Vec<String> = Self::KINDS.iter().filter(fits).map(|kind| format!("\"{kind}\"")).collect();
                let instead = match others.as_slice() {
                    [] => "nothing: leave out [objective]".into(),
                    [one] => format!("{one}: write that, or leave the key out"),
                    several => format!("{}: write one of them, or leave the key out", several.join(" or ")),
                };
                ModelError::Objective { objective: self.name(), is_for, model: model.name().into(), instead }
            }
        })
    }

    /// Whether the mean loss of a batch is that of its parts, so that its gradient may be accumulated over micro-batches.
    pub fn is_additive(&self, model: &dyn Model) -> bool {
        self.rule().is_additive(model.training())
    }

    /// The fewest examples of a batch that it says anything of: 2 where it compares them with each other.
    pub fn least_batch(&self, model: &dyn Model) -> usize {
        self.rule().least_batch(model.training())
    }

    /// The terms whose sum is −log p(x | c) or a bound of it, in nats per example, whatever the weights of the loss; none where the loss says
    /// nothing of a likelihood.
    pub fn likelihood_terms(&self) -> &'static [&'static str] {
        self.rule().likelihood_terms()
    }

    /// Samples of the importance-weighted bound that it minimises, by which its checkpoints are chosen too; 1: it minimises another loss, and
    /// they are chosen by the model's own [criterion](Model::criterion).
    pub fn importance_samples(&self) -> usize {
        self.rule().importance_samples()
    }

    /// The loss of each example and its named terms, all in nats.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn loss(&self, model: &dyn Model, mut step: Step<'_>) -> Result<Objective, ModelError> {
        match self.rule().loss(model.training(), &mut step) {
            Some(objective) => Ok(objective),
            None => {
                self.check(model)?;
                Err(ModelError::Data(
                    "a step of training without examples, or a model that has `levels` and no `train_log_probs`; give it one".into(),
                ))
            }
        }
    }
}

/// The bound that a model with latent variables trains by.
fn bound(training: Training<'_>) -> Result<&dyn TrainBound, Misfit> {
    match training {
        Training::Bound(bound) => Ok(bound),
        _ => Err(Misfit::IsFor("models with an approximate posterior of latent variables")),
    }
}

/// log p(x, z | c) − log q(z | x, c) of each sample, `[batch, k]`, in nats, with this log q.
pub(crate) fn log_weights(
    inference: &dyn Inference,
    z: Tensor<3>,
    log_posterior: Tensor<2>,
    mode: &mut crate::layers::Mode,
) -> Tensor<2> {
    let ratio = inference.log_prior(z.clone()) - log_posterior;
    inference.log_likelihood(z, mode) + ratio
}

#[cfg(all(test, feature = "flex"))]
mod tests;
