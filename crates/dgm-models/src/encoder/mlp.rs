//! Fully connected layers, as an encoder.

use super::Encoder;
use crate::data::DataSpec;
use crate::error::{ModelError, chain};
use crate::layers::{HiddenActivation, Mlp, Mode};
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `encoder = { kind = "mlp", hidden = [256, 256] }`, and the same of a decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the layers. Default: two of 256.
    pub hidden: Vec<usize>,
    /// Activation of each layer. Default: `"silu"`.
    pub activation: HiddenActivation,
    /// Dropout after each layer.
    pub dropout: f64,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { hidden: vec![256, 256], activation: HiddenActivation::Silu, dropout: 0.0 }
    }
}

impl MlpConfig {
    /// Layers of these widths, without dropout.
    pub fn of(hidden: &[usize]) -> Self {
        Self { hidden: hidden.to_vec(), ..Self::default() }
    }

    pub(super) fn encoder(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Mlp, ModelError> {
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
    ) -> Result<Mlp, ModelError> {
        let [hidden, dropout] = keys;
        ModelError::check_dropout(dropout, self.dropout)?;
        ModelError::check_hidden(hidden, &self.hidden)?;
        let widths = std::iter::once(inputs).chain(self.hidden.iter().copied());
        ModelError::check_weights(hidden, format!("{:?}", self.hidden), chain(widths))?;
        Ok(Mlp::new(inputs, &self.hidden, self.dropout, rng, device).with_activation(self.activation))
    }
}

impl Encoder for Mlp {
    fn features(&self) -> usize {
        self.outputs()
    }

    fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        self.forward(x, mode)
    }
}
