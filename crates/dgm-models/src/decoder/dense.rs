//! Fully connected layers, plain or residual, as a decoder.

use super::Decoder;
use crate::data::DataSpec;
use crate::encoder::{Encoder, MlpConfig, ResidualMlpConfig};
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, Residual, apply, linear};
use crate::ops::Activation;
use burn::module::{Module, ModuleDisplay};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// The keys of a decoder's widths and dropout.
const KEYS: [&str; 2] = ["decoder.hidden", "decoder.dropout"];

impl MlpConfig {
    pub(super) fn decoder(
        &self,
        latent: usize,
        spec: &DataSpec,
        parameters: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<DenseDecoder<Mlp>, ModelError> {
        let trunk = self.init(KEYS, latent + spec.condition_width(), rng, device)?;
        DenseDecoder::new(trunk, [spec.event(), parameters], rng, device)
    }
}

impl ResidualMlpConfig {
    pub(super) fn decoder(
        &self,
        latent: usize,
        spec: &DataSpec,
        parameters: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<DenseDecoder<Residual>, ModelError> {
        let trunk = self.init(KEYS, latent + spec.condition_width(), rng, device)?;
        DenseDecoder::new(trunk, [spec.event(), parameters], rng, device)
    }
}

/// Features, of which the likelihood's parameters are a linear function.
#[derive(Module, Debug)]
pub struct DenseDecoder<T: Module> {
    trunk: T,
    output: Linear,
    #[module(skip)]
    outputs: [usize; 2],
}

impl<T: Encoder> DenseDecoder<T> {
    fn new(trunk: T, outputs: [usize; 2], rng: &mut Stream, device: &Device) -> Result<Self, ModelError> {
        let (features, all) = (trunk.features(), outputs.iter().product());
        ModelError::check_weights("decoder", features, [[features, all]])?;
        let output = linear(features, all, rng, device);
        Ok(Self { trunk, output, outputs })
    }
}

impl<T: Encoder + ModuleDisplay> Decoder for DenseDecoder<T> {
    fn outputs(&self) -> [usize; 2] {
        self.outputs
    }

    fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<3> {
        let ([rows, _], [event, parameters]) = (z.dims(), self.outputs);
        apply(&self.output, self.trunk.forward(z, mode), Activation::Identity).reshape([rows, event, parameters])
    }
}
