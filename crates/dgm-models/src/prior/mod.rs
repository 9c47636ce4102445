//! Priors p(z) of latent variables: one file each, one line each in the registry below.

mod mixture;
mod standard_normal;
mod vamp;

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::training::Examples;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::random::Stream;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

pub use mixture::{Mixture, MixtureConfig};
pub use standard_normal::{StandardNormal, StandardNormalConfig};
pub use vamp::{Vamp, VampConfig};

/// q(z | x) of targets as a network sees them, `[n, event]`: what a prior may be made of.
pub type Encode<'a> = dyn Fn(Tensor<2>) -> Normal<2> + 'a;

/// A density of the latent variables, with or without parameters of its own.
pub trait Prior: Module + Sync + fmt::Debug {
    /// log p(z) of each row, `[n, latent]` → `[n]`, in nats.
    fn log_prob(&self, z: Tensor<2>, encode: &Encode<'_>) -> Tensor<1>;

    /// n samples on this device, that of the model, `[n, latent]`.
    fn sample(&self, n: usize, encode: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2>;

    /// KL(q ‖ p) of each latent variable, `[n, latent]`, in closed form; `None`: there is none, and it is estimated by samples.
    fn kl(&self, _: &Normal<2>) -> Option<Tensor<2>> {
        None
    }

    /// Looks at the training examples once, before the first step.
    ///
    /// # Errors
    /// Data that can no longer be read.
    fn fit(&mut self, _: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        Ok(())
    }
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $prior:ident),+ $(,)?) => {
        /// `prior = "vamp"`, or `{ kind = "vamp", components = 50 }`: the short form has every key at its default.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind")]
        pub enum PriorConfig {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                #[serde(rename = $kind)]
                $prior($config),
            )+
        }

        /// The table.
        #[derive(Deserialize)]
        #[serde(tag = "kind")]
        enum Table {
            $(#[serde(rename = $kind)] $prior($config),)+
        }

        impl From<Table> for PriorConfig {
            fn from(table: Table) -> Self {
                match table { $(Table::$prior(config) => Self::$prior(config),)+ }
            }
        }

        impl PriorConfig {
            /// The names that `kind` may have.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The prior of this name with the defaults of its keys; `None`: there is none.
            pub fn of_kind(kind: &str) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$prior(Default::default())),)+
                    _ => None,
                }
            }

            /// Builds the prior of so many latent variables.
            ///
            /// # Errors
            /// A value out of its range, or data that it is not for.
            pub fn init(
                &self,
                latent: usize,
                spec: &DataSpec,
                rng: &mut Stream,
                device: &Device,
            ) -> Result<AnyPrior, ModelError> {
                match self { $(Self::$prior(config) => config.init(latent, spec, rng, device).map(AnyPrior::$prior),)+ }
            }
        }

        /// A prior of any kind.
        #[derive(Module, Debug)]
        pub enum AnyPrior {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $prior($prior),
            )+
        }

        impl Prior for AnyPrior {
            fn log_prob(&self, z: Tensor<2>, encode: &Encode<'_>) -> Tensor<1> {
                match self { $(Self::$prior(prior) => prior.log_prob(z, encode),)+ }
            }

            fn sample(&self, n: usize, encode: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
                match self { $(Self::$prior(prior) => prior.sample(n, encode, rng, device),)+ }
            }

            fn kl(&self, q: &Normal<2>) -> Option<Tensor<2>> {
                match self { $(Self::$prior(prior) => prior.kl(q),)+ }
            }

            fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
                match self { $(Self::$prior(prior) => prior.fit(examples, rng),)+ }
            }
        }
    };
}

registry! {
    "standard_normal" => StandardNormalConfig as StandardNormal,
    "mixture" => MixtureConfig as Mixture,
    "vamp" => VampConfig as Vamp,
}

impl Default for PriorConfig {
    fn default() -> Self {
        Self::StandardNormal(StandardNormalConfig::default())
    }
}

/// A name, or a table.
impl<'de> Deserialize<'de> for PriorConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = PriorConfig;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name, or a table such as { kind = \"vamp\", components = 50 }")
            }

            fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<PriorConfig, E> {
                PriorConfig::of_kind(kind).ok_or_else(|| E::unknown_variant(kind, PriorConfig::KINDS))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PriorConfig, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(PriorConfig::from)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// log p(z) of a mixture of normals with these means and log-variances `[k, latent]` and logarithms of weights `[k]`:
/// `[n, latent]` → `[n]`.
fn log_mixture(z: Tensor<2>, parts: &Normal<2>, log_weights: Tensor<1>) -> Tensor<1> {
    let ([n, latent], [k, _]) = (z.dims(), parts.mean().dims());
    let each = |part: Tensor<2>| part.unsqueeze_dim::<3>(0).expand([n, k, latent]);
    let z = z.unsqueeze_dim::<3>(1).expand([n, k, latent]);
    let log_prob: Tensor<2> =
        Normal::new(each(parts.mean()), each(parts.log_var())).log_prob(z).sum_dim(2).squeeze_dim(2);
    dgm_core::estimate::log_sum_exp(log_prob + log_weights.unsqueeze_dim::<2>(0).expand([n, k]))
}

/// n samples of these parts, the i-th of them with this probability.
fn sample_mixture(n: usize, parts: &Normal<2>, probabilities: &[f64], rng: &mut Stream) -> Tensor<2> {
    let last = probabilities.len().saturating_sub(1) as i32;
    let pick = |u: f32| {
        let mut below = f64::from(u);
        let found = probabilities.iter().position(|p| {
            below -= p;
            below < 0.0
        });
        found.map_or(last, |at| at as i32)
    };
    let of: Vec<i32> = rng.uniforms(n).into_iter().map(pick).collect();
    let rows = Tensor::from_ints(of.as_slice(), &parts.mean().device());
    Normal::new(parts.mean().select(0, rows.clone()), parts.log_var().select(0, rows)).sample(rng)
}

/// Number of parts of a mixture, and the size of its parameters.
fn check_components(components: usize, parameters: [usize; 2]) -> Result<(), ModelError> {
    ModelError::check((1..=10_000).contains(&components), "prior.components", components, "1 to 10000")?;
    ModelError::check_weights("prior.components", components, [parameters])
}

#[cfg(all(test, feature = "flex"))]
mod tests;
