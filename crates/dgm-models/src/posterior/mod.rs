//! Approximate posteriors q(z | x) of latent variables, from an encoder's features: one file each, one line each in the registry
//! below.

mod categorical;
mod flow;
mod full_normal;
mod normal;
mod von_mises_fisher;

use crate::error::ModelError;
use crate::parts::{Plain, part};
use crate::training::Samples;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use std::fmt::{self, Debug};

pub use categorical::{CategoricalConfig, CategoricalPosterior};
pub use flow::{FlowPosterior, FlowPosteriorConfig};
pub use full_normal::FullNormalPosterior;
pub use normal::NormalPosterior;
pub(crate) use normal::{normal, widened};
pub use von_mises_fisher::VonMisesFisherPosterior;

/// Where latent variables lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Real numbers.
    Real,
    /// Points of the unit sphere.
    Sphere,
    /// Groups of so many numbers, one of each group 1 and the others 0.
    OneOf(usize),
}

/// As a sentence goes on after "of".
impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real numbers",
            Self::Sphere => "points of a sphere",
            Self::OneOf(_) => "classes",
        })
    }
}

/// From features to q(z | x).
pub trait Posterior: Module + Sync + Debug {
    /// Where z lies. Default: real numbers.
    fn space(&self) -> Space {
        Space::Real
    }

    /// q(z | x) of each row of features, `[batch, features]`.
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior>;
}

/// q(z | x) of each example of a batch; z is `[batch, k, latent]`, and densities are `[batch, k]`, summed over the latent variables,
/// in nats.
pub trait ApproximatePosterior {
    /// k samples of each example, reparameterised: gradients reach the parameters of q through them.
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples;

    /// log q(z | x).
    fn log_prob(&self, z: Tensor<3>) -> Tensor<2>;

    /// The same with the parameters of q held fixed: a gradient reaches z alone.
    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2>;

    /// What stands for an example, `[batch, latent]`: E\[z\], or where that is not at hand what the centre of q becomes.
    fn mean(&self) -> Tensor<2>;

    /// E\[z\], or what comes next to it: how far z moves with x. Default: [`mean`](Self::mean).
    fn expectation(&self) -> Tensor<2> {
        self.mean()
    }

    /// KL(q ‖ N(0, 1)), `[batch, parts]`, in closed form.
    fn kl_standard_normal(&self) -> Option<Tensor<2>> {
        None
    }

    /// KL of q from the uniform density where z lies, `[batch, parts]`, in closed form.
    fn kl_uniform(&self) -> Option<Tensor<2>> {
        None
    }

    /// q with standard deviations times `factor`, or what comes next to it; `None`: there is no such form.
    fn widened(&self, _factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
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
            fn space(&self) -> Space {
                match self { $(Self::$variant(posterior) => posterior.space(),)+ }
            }

            fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
                match self { $(Self::$variant(posterior) => posterior.infer(features),)+ }
            }
        }
    };
}

registry! {
    "normal" => Plain as Normal (NormalPosterior),
    "full_normal" => Plain as FullNormal (FullNormalPosterior),
    "flow" => FlowPosteriorConfig as Flow (FlowPosterior),
    "von_mises_fisher" => Plain as VonMisesFisher (VonMisesFisherPosterior),
    "categorical" => CategoricalConfig as Categorical (CategoricalPosterior),
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

#[cfg(all(test, feature = "flex"))]
mod tests;
