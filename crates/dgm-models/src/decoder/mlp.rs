//! Fully connected layers, as a decoder.

use super::Decoder;
use crate::data::DataSpec;
use crate::encoder::MlpConfig;
use crate::error::ModelError;
use crate::layers::{Mlp, Mode};
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

impl MlpConfig {
    pub(super) fn decoder(
        &self,
        latent: usize,
        spec: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Mlp, ModelError> {
        self.init(["decoder.hidden", "decoder.dropout"], latent + spec.condition_width(), rng, device)
    }
}

impl Decoder for Mlp {
    fn features(&self) -> usize {
        self.outputs()
    }

    fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        self.forward(z, mode)
    }
}
