//! Residual blocks of fully connected layers, as an encoder and (in `decoder/dense.rs`) as a decoder.

use super::Encoder;
use crate::data::DataSpec;
use crate::error::ModelError;
use crate::layers::{HiddenActivation, Mode, Residual};
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `encoder = { kind = "residual_mlp", hidden = [256, 256, 256] }`, and the same of a decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualMlpConfig {
    /// First the width, then the width inside of each block. Default: `[256, 256, 256]`, two blocks.
    pub hidden: Vec<usize>,
    /// Activation of the blocks. Default: `"silu"`.
    pub activation: HiddenActivation,
    /// Dropout inside of each block.
    pub dropout: f64,
}

impl Default for ResidualMlpConfig {
    fn default() -> Self {
        Self { hidden: vec![256; 3], activation: HiddenActivation::Silu, dropout: 0.0 }
    }
}

impl ResidualMlpConfig {
    pub(super) fn encoder(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Residual, ModelError> {
        let inputs = spec.event() + spec.condition_width();
        self.init(["encoder.hidden", "encoder.dropout"], inputs, rng, device)
    }

    /// From so many inputs; `keys` name the widths and the dropout in messages.
    pub(crate) fn init(
        &self,
        keys: [&'static str; 2],
        inputs: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Residual, ModelError> {
        let [hidden, dropout] = keys;
        ModelError::check_dropout(dropout, self.dropout)?;
        ModelError::check_hidden(hidden, &self.hidden)?;
        let width = self.hidden.first().copied().unwrap_or_default();
        let blocks = self.hidden.iter().skip(1).map(|inner| [2 * width, *inner]);
        let found = format!("{:?}", self.hidden);
        ModelError::check_weights(hidden, &found, std::iter::once([inputs, width]).chain(blocks))?;
        Residual::new(inputs, &self.hidden, self.activation, self.dropout, rng, device).ok_or(ModelError::OutOfRange {
            key: hidden,
            found,
            expected: "a width, and one for each block".into(),
        })
    }
}

impl Encoder for Residual {
    fn features(&self) -> usize {
        self.width()
    }

    fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        self.forward(x, mode)
    }
}
