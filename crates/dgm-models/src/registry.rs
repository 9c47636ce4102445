//! Every model that this crate knows: one line each.

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::traits::Model;
use burn::module::Module;
use burn::tensor::Device;
use dgm_core::random::Stream;
use serde::{Deserialize, Deserializer, Serialize};

macro_rules! registry {
    ($($kind:literal => $module:ident :: $model:ident ($config:ident)),+ $(,)?) => {
        /// A model's configuration: the table `[model]`, whose key `kind` picks the variant.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum ModelConfig {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                #[serde(rename = $kind)]
                $model(crate::$module::$config),
            )+
        }

        impl ModelConfig {
            /// The names that `kind` may have.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// Reads the keys of the model `kind` (the table without the key `kind` itself).
            /// `None`: there is no model of that name.
            ///
            /// Unlike the derived `Deserialize`, this keeps the positions that a TOML error points to.
            pub fn deserialize_kind<'de, D: Deserializer<'de>>(
                kind: &str,
                table: D,
            ) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($kind => Some(crate::$module::$config::deserialize(table).map(Self::$model)),)+
                    _ => None,
                }
            }

            /// The name of this model.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$model(_) => $kind,)+ }
            }

            /// Builds the model for `spec`, with weights drawn from `noise`.
            ///
            /// # Errors
            /// A value out of its range, or a model that does not fit the data.
            pub fn init(&self, spec: &DataSpec, noise: &mut Stream, device: &Device) -> Result<AnyModel, ModelError> {
                spec.check().map_err(|what| ModelError::Data(format!("the data's description is wrong: {what}; fix it")))?;
                match self { $(Self::$model(config) => config.init(spec, noise, device).map(AnyModel::$model),)+ }
            }
        }

        /// A model of any kind, as one Burn module: what is trained, saved and loaded.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant)] // one value a process
        pub enum AnyModel {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $model(crate::$module::$model),
            )+
        }

        impl AnyModel {
            /// What the model can do.
            pub fn as_model(&self) -> &dyn Model {
                match self { $(Self::$model(model) => model,)+ }
            }
        }
    };
}

registry! {
    "conditional_mlp" => conditional_mlp::ConditionalMlp(ConditionalMlpConfig),
    "vae" => vae::Vae(VaeConfig),
    "causal_conv" => causal_conv::CausalConv(CausalConvConfig),
    "pixel_cnn" => pixel_cnn::PixelCnn(PixelCnnConfig),
    "transformer" => transformer::Transformer(TransformerConfig),
}
