//! Decoders of latent-variable models: from latent variables to the parameters of the likelihood. One file each, one line each in the
//! registry below.

mod conv;
mod dense;

use crate::data::DataSpec;
use crate::encoder::{ConvConfig, MlpConfig, ResidualMlpConfig};
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, Residual};
use crate::parts::part;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use std::fmt::Debug;

pub use conv::ConvDecoder;
pub use dense::DenseDecoder;

/// A network from latent variables to the parameters of p(x | z, c).
pub trait Decoder: Module + Sync + Debug {
    /// Elements of a target, and parameters of the likelihood for each.
    fn outputs(&self) -> [usize; 2];

    /// Latent variables, and after them the condition, `[batch, latent + condition]` → `[batch, event, parameters]`.
    fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<3>;
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $variant:ident ($module:ty)),+ $(,)?) => {
        part! {
            /// `decoder = "mlp"`, or `{ kind = "mlp", hidden = [256, 256] }`: the short form has every key at its default.
            DecoderConfig, such as "{ kind = \"mlp\", hidden = [256, 256] }":
            $($kind => $config as $variant),+
        }

        impl DecoderConfig {
            /// Builds the decoder of so many latent variables for `spec` and a likelihood of so many parameters.
            ///
            /// # Errors
            /// A value out of its range, or data that it is not for.
            pub fn init(
                &self,
                latent: usize,
                spec: &DataSpec,
                parameters: usize,
                rng: &mut Stream,
                device: &Device,
            ) -> Result<AnyDecoder, ModelError> {
                match self {
                    $(Self::$variant(config) => {
                        config.decoder(latent, spec, parameters, rng, device).map(AnyDecoder::$variant)
                    })+
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
            fn outputs(&self) -> [usize; 2] {
                match self { $(Self::$variant(decoder) => decoder.outputs(),)+ }
            }

            fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<3> {
                match self { $(Self::$variant(decoder) => Decoder::forward(decoder, z, mode),)+ }
            }
        }
    };
}

registry! {
    "mlp" => MlpConfig as Mlp (DenseDecoder<Mlp>),
    "residual_mlp" => ResidualMlpConfig as ResidualMlp (DenseDecoder<Residual>),
    "conv" => ConvConfig as Conv (ConvDecoder),
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}
