//! Decoders of latent-variable models: from latent variables to features, of which a linear layer makes the parameters of the
//! likelihood. One file each, one line each in the registry below.

mod mlp;

use crate::data::DataSpec;
use crate::encoder::MlpConfig;
use crate::error::ModelError;
use crate::layers::{Mlp, Mode};
use crate::parts::part;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use std::fmt::Debug;

/// A network from latent variables to features.
pub trait Decoder: Module + Sync + Debug {
    /// How many features it gives.
    fn features(&self) -> usize;

    /// Latent variables, and after them the condition, `[batch, latent + condition]` → `[batch, features]`.
    fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<2>;
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $variant:ident ($module:ident)),+ $(,)?) => {
        part! {
            /// `decoder = "mlp"`, or `{ kind = "mlp", hidden = [256, 256] }`: the short form has every key at its default.
            DecoderConfig, such as "{ kind = \"mlp\", hidden = [256, 256] }":
            $($kind => $config as $variant),+
        }

        impl DecoderConfig {
            /// Builds the decoder of so many latent variables for `spec`.
            ///
            /// # Errors
            /// A value out of its range, or data that it is not for.
            pub fn init(
                &self,
                latent: usize,
                spec: &DataSpec,
                rng: &mut Stream,
                device: &Device,
            ) -> Result<AnyDecoder, ModelError> {
                match self {
                    $(Self::$variant(config) => config.decoder(latent, spec, rng, device).map(AnyDecoder::$variant),)+
                }
            }
        }

        /// A decoder of any kind.
        #[derive(Module, Debug)]
        pub enum AnyDecoder {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $variant($module),
            )+
        }

        impl Decoder for AnyDecoder {
            fn features(&self) -> usize {
                match self { $(Self::$variant(decoder) => Decoder::features(decoder),)+ }
            }

            fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
                match self { $(Self::$variant(decoder) => Decoder::forward(decoder, z, mode),)+ }
            }
        }
    };
}

registry! {
    "mlp" => MlpConfig as Mlp (Mlp),
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}
