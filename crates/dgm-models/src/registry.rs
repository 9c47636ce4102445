//! Every model that this crate knows: one line each, with what it can do.

use crate::capability::Capability;
use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::training::{Examples, Training};
use crate::traits::{AnyOrder, Autoregressive, Decode, Density, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Deserializer, Serialize};

/// What holds of a configuration that does not say otherwise by a constant of its own, which comes first.
trait Defaults {
    const SAMPLING_KEYS: &[&str] = &[];
}

impl<C> Defaults for C {}

macro_rules! registry {
    ($($kind:literal => $module:ident :: $model:ident ($config:ident) by $objective:literal [$($capability:ident),+]),+ $(,)?) => {
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

            /// The kinds whose models have this capability.
            pub fn that_can(wanted: Capability) -> impl Iterator<Item = &'static str> {
                const CAN: &[(&str, &[Capability])] = &[$(($kind, &[$(Capability::$capability),+])),+];
                CAN.iter().filter(move |(_, can)| can.contains(&wanted)).map(|(kind, _)| *kind)
            }

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

            /// The objective that the model is trained by where the configuration names none.
            pub fn objective(&self) -> &'static str {
                match self { $(Self::$model(_) => $objective,)+ }
            }

            /// The keys of `[model]` that are worth searching, as TOML: see [`ModelFactory::search_space`](crate::ModelFactory::search_space).
            pub fn search_space(&self) -> &'static str {
                match self { $(Self::$model(_) => crate::$module::$config::SEARCH_SPACE,)+ }
            }

            /// The keys of `[model]` that decide how samples are drawn alone: see [`ModelFactory::sampling_keys`](crate::ModelFactory::sampling_keys).
            pub fn sampling_keys(&self) -> &'static [&'static str] {
                match self { $(Self::$model(_) => crate::$module::$config::SAMPLING_KEYS,)+ }
            }

            /// Builds the model for `spec`, with weights drawn from `rng`.
            ///
            /// # Errors
            /// A value out of its range, or a model that does not fit the data.
            pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<AnyModel, ModelError> {
                match self { $(Self::$model(config) => config.init(spec, rng, device).map(AnyModel::$model),)+ }
            }
        }

        /// A model of any kind, as one Burn module: what is trained, saved and loaded.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant)] // one value per process
        pub enum AnyModel {
            $(
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                $model(crate::$module::$model),
            )+
        }

        impl AnyModel {
            /// The model by itself.
            fn inner(&self) -> &dyn Model {
                match self { $(Self::$model(model) => model,)+ }
            }

            fn inner_mut(&mut self) -> &mut dyn Model {
                match self { $(Self::$model(model) => model,)+ }
            }

            fn kind(&self) -> &'static str {
                match self { $(Self::$model(_) => $kind,)+ }
            }
        }
    };
}

registry! {
    "conditional_mlp" => conditional_mlp::ConditionalMlp(ConditionalMlpConfig) by "nll" [Density, Generate, Represent, Autoregressive],
    "any_order_mlp" => any_order_mlp::AnyOrderMlp(AnyOrderMlpConfig) by "nll" [Density, Generate, Autoregressive, AnyOrder],
    "vae" => vae::Vae(VaeConfig) by "elbo" [Density, Generate, Represent, Decode, Latent],
    "hierarchical_vae" => hierarchical_vae::HierarchicalVae(HierarchicalVaeConfig) by "elbo" [Density, Generate, Represent, Decode, Latent],
    "adversarial_autoencoder" => adversarial_autoencoder::AdversarialAutoencoder(AdversarialAutoencoderConfig) by "model"
        [Density, Generate, Represent, Decode, Latent],
    "latent_generator" => latent_generator::LatentGenerator(LatentGeneratorConfig) by "nll" [Density, Generate, Latent],
    "flow" => normalizing_flow::NormalizingFlow(NormalizingFlowConfig) by "nll" [Density, Generate, Represent, Decode, Latent],
    "kde" => kde::KernelDensity(KernelDensityConfig) by "model" [Density, Generate],
    "gaussian_mixture" => gaussian_mixture::GaussianMixture(GaussianMixtureConfig) by "model" [Density, Generate],
    "histogram" => histogram::Histogram(HistogramConfig) by "model" [Density, Generate],
    "diffusion" => variational_diffusion::VariationalDiffusion(VariationalDiffusionConfig) by "model" [Density, Generate],
    "gan" => gan::Gan(GanConfig) by "model" [Generate],
    "autoencoder" => autoencoder::Autoencoder(AutoencoderConfig) by "model" [Represent, Decode],
    "contrastive" => contrastive::Contrastive(ContrastiveConfig) by "model" [Represent],
    "causal_conv" => causal_conv::CausalConv(CausalConvConfig) by "nll" [Density, Generate, Autoregressive],
    "pixel_cnn" => pixel_cnn::PixelCnn(PixelCnnConfig) by "nll" [Density, Generate, Autoregressive],
    "transformer" => transformer::Transformer(TransformerConfig) by "nll" [Density, Generate, Autoregressive],
}

/// The registered kinds with this capability, as messages name them.
pub fn kinds_that_can(wanted: Capability) -> String {
    ModelConfig::that_can(wanted).map(|kind| format!("\"{kind}\"")).collect::<Vec<_>>().join(" or ")
}

/// What a getter of [`Model`] gave.
///
/// # Errors
/// Nothing, as the model lacks the capability: what it can do, and which registered kinds can do what was asked.
pub fn require<'a, T: ?Sized>(
    found: Option<&'a T>,
    wanted: Capability,
    model: &dyn Model,
) -> Result<&'a T, ModelError> {
    found.ok_or_else(|| {
        let can: Vec<&str> = Capability::ALL.into_iter().filter(|one| one.is_of(model)).map(Capability::does).collect();
        ModelError::Lacks {
            kind: model.name().to_owned(),
            wanted: wanted.does(),
            can: if can.is_empty() { "do nothing of that kind".to_owned() } else { can.join(", ") },
            kinds: kinds_that_can(wanted),
        }
    })
}

/// What the model of its kind can do.
impl Model for AnyModel {
    fn spec(&self) -> &DataSpec {
        self.inner().spec()
    }

    fn training(&self) -> Training<'_> {
        self.inner().training()
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        self.inner_mut().fit(examples, rng)
    }

    fn criterion(&self, batch: &Batch, rng: &mut Stream) -> Option<Tensor<1>> {
        self.inner().criterion(batch, rng)
    }

    fn criterion_is_likelihood(&self) -> bool {
        self.inner().criterion_is_likelihood()
    }

    fn name(&self) -> &str {
        self.kind()
    }

    fn density(&self) -> Option<&dyn Density> {
        self.inner().density()
    }

    fn generator(&self) -> Option<&dyn Generate> {
        self.inner().generator()
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        self.inner().encoder()
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        self.inner().decoder()
    }

    fn conditionals(&self) -> Option<&dyn Autoregressive> {
        self.inner().conditionals()
    }

    fn any_order(&self) -> Option<&dyn AnyOrder> {
        self.inner().any_order()
    }

    fn latent(&self) -> Option<&dyn Latent> {
        self.inner().latent()
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::{ConditionSpec, Scale, Values};
    use dgm_core::random::Seed;

    fn config(kind: &str) -> ModelConfig {
        serde_json::from_value(serde_json::json!({ "kind": kind })).unwrap()
    }

    /// A model of this kind with the defaults of its configuration, for the first of some data that it is for.
    fn model(kind: &str) -> AnyModel {
        let condition = ConditionSpec { scale: Scale::identity(2), classes: None, augmentation: 0, shape: None };
        let data = [
            DataSpec { shape: [1, 2, 2], values: Values::Levels(4), condition: None },
            DataSpec { shape: [1, 1, 1], values: Values::Real(Scale::identity(1)), condition: Some(condition) },
            DataSpec { shape: [1, 1, 3], values: Values::Real(Scale::identity(3)), condition: None },
        ];
        let config = config(kind);
        let init = |spec| config.init(spec, &mut Seed(0).stream("weights", 0), &Device::flex()).ok();
        data.iter().find_map(init).unwrap()
    }

    #[test]
    fn every_kind_can_do_what_its_line_says() {
        for &kind in ModelConfig::KINDS {
            let model = model(kind);
            assert_eq!(model.name(), kind);
            let objective = crate::objective::ObjectiveKind::of_kind(config(kind).objective()).unwrap();
            assert!(objective.check(&model).is_ok(), "{kind}");
            for capability in Capability::ALL {
                let says = ModelConfig::that_can(capability).any(|one| one == kind);
                assert_eq!(capability.is_of(&model), says, "{kind} {capability:?}");
            }
        }
    }

    #[test]
    fn a_model_that_lacks_a_capability_says_what_it_can_do() {
        let vae = model("vae");
        let error = require(vae.conditionals(), Capability::Autoregressive, &vae).err().unwrap().to_string();
        assert_eq!(
            error,
            "the model \"vae\" cannot sample position by position: it can score examples, sample, encode examples, decode codes, give importance-weighted \
             bounds; train one that can (model.kind = \"conditional_mlp\" or \"any_order_mlp\" or \"causal_conv\" or \"pixel_cnn\" or \"transformer\")"
        );
        assert!(require(vae.density(), Capability::Density, &vae).is_ok());
    }
}
