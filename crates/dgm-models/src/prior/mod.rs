//! Priors p(z) of latent variables: one file each, one line each in the registry below.

mod autoregressive;
mod flow;
mod mixture;
mod standard_normal;
mod uniform;
mod vamp;

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::parts::{Plain, part};
use crate::posterior::{ApproximatePosterior, Space};
use crate::training::Examples;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use std::fmt;

pub use autoregressive::{AutoregressiveConfig, AutoregressivePrior};
pub use flow::{FlowPrior, FlowPriorConfig};
pub use mixture::{Mixture, MixtureConfig};
pub use standard_normal::StandardNormal;
pub use uniform::Uniform;
pub use vamp::{Vamp, VampConfig};

/// q(z | x) of targets as a network sees them, `[n, event]`: what a prior may be made of.
pub type Encode<'a> = dyn Fn(Tensor<2>) -> Box<dyn ApproximatePosterior> + 'a;

/// What a prior is built for.
#[derive(Clone, Copy, Debug)]
pub struct LatentSpec<'a> {
    /// Number of latent variables.
    pub latent: usize,
    /// Where they lie.
    pub space: Space,
    /// The data of the model.
    pub data: &'a DataSpec,
}

/// A density of the latent variables, with or without parameters of its own.
pub trait Prior: Module + Sync + fmt::Debug {
    /// log p(z) of each row, `[n, latent]` → `[n]`, in nats.
    fn log_prob(&self, z: Tensor<2>, encode: &Encode<'_>) -> Tensor<1>;

    /// n samples on this device, that of the model, `[n, latent]`.
    fn sample(&self, n: usize, encode: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2>;

    /// Whether it is a density there. Default: of real numbers.
    fn is_on(&self, space: Space) -> bool {
        space == Space::Real
    }

    /// KL(q ‖ p) of each latent variable, or of groups of them, `[n, parts]`, in closed form; `None`: there is none, and it is estimated by
    /// samples.
    fn kl(&self, _: &dyn ApproximatePosterior) -> Option<Tensor<2>> {
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
        part! {
            /// `prior = "vamp"`, or `{ kind = "vamp", components = 50 }`: the short form has every key at its default.
            PriorConfig, such as "{ kind = \"vamp\", components = 50 }":
            $($kind => $config as $prior),+
        }

        impl PriorConfig {
            /// Builds the prior.
            ///
            /// # Errors
            /// A value out of its range, or data that it is not for.
            pub fn init(
                &self,
                spec: &LatentSpec<'_>,
                rng: &mut Stream,
                device: &Device,
            ) -> Result<AnyPrior, ModelError> {
                match self { $(Self::$prior(config) => $prior::new(config, spec, rng, device).map(AnyPrior::$prior),)+ }
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

            fn is_on(&self, space: Space) -> bool {
                match self { $(Self::$prior(prior) => prior.is_on(space),)+ }
            }

            fn kl(&self, q: &dyn ApproximatePosterior) -> Option<Tensor<2>> {
                match self { $(Self::$prior(prior) => prior.kl(q),)+ }
            }

            fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
                match self { $(Self::$prior(prior) => prior.fit(examples, rng),)+ }
            }
        }
    };
}

registry! {
    "standard_normal" => Plain as StandardNormal,
    "mixture" => MixtureConfig as Mixture,
    "vamp" => VampConfig as Vamp,
    "flow" => FlowPriorConfig as FlowPrior,
    "autoregressive" => AutoregressiveConfig as AutoregressivePrior,
    "uniform" => Plain as Uniform,
}

impl Default for PriorConfig {
    fn default() -> Self {
        Self::StandardNormal(Plain {})
    }
}

/// Number of parts of a mixture, and the size of its parameters.
fn check_components(components: usize, parameters: [usize; 2]) -> Result<(), ModelError> {
    ModelError::check((1..=10_000).contains(&components), "prior.components", components, "1 to 10000")?;
    ModelError::check_weights("prior.components", components, [parameters])
}

#[cfg(all(test, feature = "flex"))]
mod tests;
