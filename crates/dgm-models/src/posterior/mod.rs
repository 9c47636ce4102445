//! Approximate posteriors q(z | x) of latent variables, from an encoder's features: one file each, one line each in the registry
//! below.

mod normal;

use crate::error::ModelError;
use crate::parts::{Plain, part};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::random::Stream;
use std::fmt::Debug;

pub use normal::NormalPosterior;

/// From features to q(z | x).
pub trait Posterior: Module + Sync + Debug {
    /// q(z | x) of each row of features, `[batch, features]`.
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior>;
}

/// q(z | x) of each example of a batch; z is `[batch, k, latent]`, and densities are `[batch, k]`, summed over the latent variables,
/// in nats.
pub trait ApproximatePosterior {
    /// k samples of each example, reparameterised: gradients reach the parameters of q through them.
    fn sample(&self, k: usize, rng: &mut Stream) -> Tensor<3>;

    /// log q(z | x).
    fn log_prob(&self, z: Tensor<3>) -> Tensor<2>;

    /// The same with the parameters of q held fixed: a gradient reaches z alone.
    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2>;

    /// E\[z\], `[batch, latent]`.
    fn mean(&self) -> Tensor<2>;

    /// q as a normal with a diagonal covariance, `[batch, latent]`, where it is one: for divergences in closed form.
    fn normal(&self) -> Option<&Normal<2>> {
        None
    }
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $variant:ident ($module:ident)),+ $(,)?) => {
        part! {
            /// `posterior = "normal"`: a name, or a table with the key `kind`.
            PosteriorConfig, such as "{ kind = \"normal\" }":
            $($kind => $config as $variant),+
        }

        impl PosteriorConfig {
            /// Builds the posterior of so many latent variables from so many features.
            ///
            /// # Errors
            /// A value out of its range.
            pub fn init(
                &self,
                features: usize,
                latent: usize,
                rng: &mut Stream,
                device: &Device,
            ) -> Result<AnyPosterior, ModelError> {
                match self {
                    $(Self::$variant(config) => {
                        $module::new(config, features, latent, rng, device).map(AnyPosterior::$variant)
                    })+
                }
            }
        }

        /// A posterior of any kind.
        #[derive(Module, Debug)]
        pub enum AnyPosterior {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $variant($module),
            )+
        }

        impl Posterior for AnyPosterior {
            fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
                match self { $(Self::$variant(posterior) => posterior.infer(features),)+ }
            }
        }
    };
}

registry! {
    "normal" => Plain as Normal (NormalPosterior),
}

impl Default for PosteriorConfig {
    fn default() -> Self {
        Self::Normal(Plain {})
    }
}

/// Each row k times, one after the other: `[n, d]` → `[n · k, d]`.
pub(crate) fn repeat_rows(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n, d] = x.dims();
    if k == 1 { x } else { x.unsqueeze_dim::<3>(1).expand([n, k, d]).reshape([n * k, d]) }
}
