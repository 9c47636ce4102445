//! Encoders of latent-variable models: from an example to features, of which the posterior makes q(z | x). One file each, one line
//! each in the registry below.

mod conv;
mod mlp;
mod residual;

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, Residual, apply, linear, with_condition};
use crate::ops::Activation;
use crate::parts::part;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use std::fmt::Debug;

pub use conv::{ConvConfig, ConvEncoder};
pub(crate) use conv::{ConvKeys, blocks};
pub use mlp::MlpConfig;
pub use residual::ResidualMlpConfig;

/// A network from an example to features.
pub trait Encoder: Module + Sync + Debug {
    /// How many features it gives.
    fn features(&self) -> usize;

    /// Targets as a network sees them, and after them the condition, `[batch, event + condition]` → `[batch, features]`.
    fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2>;
}

/// An encoder, and a linear function of its features: of what a representation or a score is made.
#[derive(Module, Debug)]
pub(crate) struct Projected {
    encoder: AnyEncoder,
    output: Linear,
}

impl Projected {
    /// Builds them for `spec`, with so many outputs.
    pub(crate) fn new(
        config: &EncoderConfig,
        outputs: usize,
        spec: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let encoder = config.init(spec, rng, device)?;
        let output = linear(encoder.features(), outputs, rng, device);
        Ok(Self { encoder, output })
    }

    /// Targets as a network sees them, and their condition where `spec` has one → `[batch, outputs]`.
    pub(crate) fn forward(
        &self,
        spec: &DataSpec,
        x: Tensor<2>,
        condition: Option<&Tensor<2>>,
        mode: &mut Mode,
    ) -> Tensor<2> {
        let features = self.encoder.forward(with_condition(spec, x, condition), mode);
        apply(&self.output, features, Activation::Identity)
    }
}

macro_rules! registry {
    ($($kind:literal => $config:ident as $variant:ident ($module:ident)),+ $(,)?) => {
        part! {
            /// `encoder = "mlp"`, or `{ kind = "mlp", hidden = [256, 256] }`: the short form has every key at its default.
            EncoderConfig, such as "{ kind = \"mlp\", hidden = [256, 256] }":
            $($kind => $config as $variant),+
        }

        impl EncoderConfig {
            /// Builds the encoder for `spec`.
            ///
            /// # Errors
            /// A value out of its range, or data that it is not for.
            pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<AnyEncoder, ModelError> {
                match self { $(Self::$variant(config) => config.encoder(spec, rng, device).map(AnyEncoder::$variant),)+ }
            }
        }

        /// An encoder of any kind.
        #[derive(Module, Debug)]
        pub enum AnyEncoder {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $variant($module),
            )+
        }

        impl Encoder for AnyEncoder {
            fn features(&self) -> usize {
                match self { $(Self::$variant(encoder) => encoder.features(),)+ }
            }

            fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
                match self { $(Self::$variant(encoder) => Encoder::forward(encoder, x, mode),)+ }
            }
        }
    };
}

registry! {
    "mlp" => MlpConfig as Mlp (Mlp),
    "residual_mlp" => ResidualMlpConfig as ResidualMlp (Residual),
    "conv" => ConvConfig as Conv (ConvEncoder),
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}
