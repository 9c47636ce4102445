//! A contrastive encoder: two views of an example are to have the same code. No density, no samples.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{NtXent, Objective};
use dgm_core::random::Stream;
use dgm_models::{
    Batch, DataSpec, Mlp, Mode, Model, ModelError, ModelFactory, Represent, Train, Training, linear, network_target,
};
use serde::{Deserialize, Serialize};

/// `kind = "toy_encoder"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "toy_encoder", default, deny_unknown_fields)]
pub(crate) struct ToyEncoderConfig {
    code: usize,
}

impl Default for ToyEncoderConfig {
    fn default() -> Self {
        Self { code: 8 }
    }
}

impl ModelFactory for ToyEncoderConfig {
    type Model = ToyEncoder;

    const KINDS: &'static [&'static str] = &["toy_encoder"];

    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<ToyEncoder, ModelError> {
        let hidden = Mlp::new(spec.event(), &[64], 0.0, rng, device);
        Ok(ToyEncoder { hidden, output: linear(64, self.code, rng, device), spec: spec.clone() })
    }
}

#[derive(Module, Debug)]
pub(crate) struct ToyEncoder {
    hidden: Mlp,
    output: Linear,
    #[module(skip)]
    spec: DataSpec,
}

impl ToyEncoder {
    fn code(&self, batch: &Batch) -> Tensor<2> {
        let x = network_target(&self.spec, batch.target.clone());
        self.output.forward(self.hidden.forward(x, &mut Mode::Evaluate))
    }
}

impl Train for ToyEncoder {
    fn views(&self) -> usize {
        2
    }

    fn loss(&self, _: usize, views: &[Batch], _: &mut Stream) -> Objective {
        assert_ne!(views[0].target.to_data(), views[1].target.to_data(), "two views of the same examples");
        NtXent { temperature: 0.2 }.objective(self.code(&views[0]), self.code(&views[1]))
    }

    fn is_additive(&self) -> bool {
        false
    }
}

impl Represent for ToyEncoder {
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.code(batch)
    }
}

impl Model for ToyEncoder {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }
}
