//! Autoregressive model of a sequence with causal one-dimensional convolutions: p(x | c) = Π_d p(x_d | x_<d, c).
//!
//! The event is read as one sequence, in channel, row, column order. The first convolution sees strictly earlier
//! positions, the later ones also their own, so no output sees its own input (van den Oord et al. 2016, "WaveNet";
//! Tomczak 2022, "Deep Generative Modeling", chapter 2).

use crate::autoregressive::Autoregressive;
use crate::data::DataSpec;
use crate::error::ModelError;
use crate::layers::{Mode, TapConv, linear, standardize_condition, standardize_target, zeros};
use crate::likelihood::{Likelihood, LikelihoodKind};
use crate::ops::{Tap, gate};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`CausalConv`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CausalConvConfig {
    /// Channels of the residual stream.
    pub channels: usize,
    /// Number of gated residual layers after the first convolution.
    pub layers: usize,
    /// Positions that one convolution sees.
    pub kernel: usize,
    /// The dilation of layer i is dilation_base^i (1: none).
    pub dilation_base: usize,
    /// Dropout after each gate.
    pub dropout: f64,
    /// What the outputs mean.
    pub likelihood: LikelihoodKind,
    /// Mixture components of a beta-binomial likelihood.
    pub components: usize,
}

impl Default for CausalConvConfig {
    fn default() -> Self {
        Self {
            channels: 64,
            layers: 4,
            kernel: 7,
            dilation_base: 1,
            dropout: 0.0,
            likelihood: LikelihoodKind::Categorical,
            components: 1,
        }
    }
}

impl CausalConvConfig {
    /// Builds the model for `spec`, with weights drawn from `noise`.
    pub fn init(&self, spec: &DataSpec, noise: &mut Stream, device: &Device) -> Result<CausalConv, ModelError> {
        ModelError::check((1..=16_384).contains(&self.channels), "channels", self.channels, "1 to 16384")?;
        ModelError::check((1..=256).contains(&self.layers), "layers", self.layers, "1 to 256")?;
        ModelError::check((2..=1024).contains(&self.kernel), "kernel", self.kernel, "2 to 1024")?;
        ModelError::check((1..=16).contains(&self.dilation_base), "dilation_base", self.dilation_base, "1 to 16")?;
        ModelError::check_dropout("dropout", self.dropout)?;
        let likelihood = self.likelihood.build(self.components, spec)?;

        let (channels, event) = (self.channels, spec.event());
        let layer = [self.kernel * channels + spec.condition_width(), 2 * channels];
        let all = std::iter::repeat_n(layer, self.layers).chain([[channels, event]]);
        ModelError::check_weights("channels", channels, all)?;
        let before: Vec<Tap> = (1..=self.kernel).rev().map(|back| [0, -(back as isize)]).collect();
        let mut dilation = 1usize;
        let layers = (0..self.layers)
            .map(|_| {
                let reach = dilation;
                // A dilation beyond the sequence sees only padding: stop growing there.
                dilation = (dilation * self.dilation_base).min(event.max(1));
                let taps: Vec<Tap> = (0..self.kernel).rev().map(|back| [0, -((back * reach) as isize)]).collect();
                Layer {
                    conv: TapConv::new(channels, 2 * channels, &taps, noise, device),
                    condition: spec.condition.as_ref().map(|c| linear(c.width(), 2 * channels, noise, device)),
                    project: TapConv::new(channels, channels, &[[0, 0]], noise, device),
                }
            })
            .collect();
        Ok(CausalConv {
            first: TapConv::new(1, channels, &before, noise, device),
            position: zeros([channels, event], device),
            layers,
            head: TapConv::new(channels, channels, &[[0, 0]], noise, device),
            output: TapConv::new(channels, likelihood.parameters(), &[[0, 0]], noise, device),
            dropout: self.dropout,
            likelihood,
            spec: spec.clone(),
        })
    }
}

/// One gated residual layer: h + project(dropout(gate(conv(h) + condition))).
#[derive(Module, Debug)]
struct Layer {
    conv: TapConv,
    condition: Option<Linear>,
    project: TapConv,
}

/// p(x | c) = Π_d likelihood(x_d; network(x_<d, d, c)).
#[derive(Module, Debug)]
pub struct CausalConv {
    first: TapConv,
    position: Param<Tensor<2>>,
    layers: Vec<Layer>,
    head: TapConv,
    output: TapConv,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

impl CausalConv {
    /// The parameters of every conditional at once, `[batch, event, parameters]`; those of position d depend on
    /// x_<d, on d and on the condition alone.
    pub fn conditionals(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        self.forward(x, condition, &mut Mode::Evaluate)
    }
}

impl Autoregressive for CausalConv {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn likelihood(&self) -> &Likelihood {
        &self.likelihood
    }

    fn device(&self) -> Device {
        self.position.val().device()
    }

    fn order(&self) -> Vec<usize> {
        (0..self.spec.event()).collect()
    }

    fn forward(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let [batch, event] = x.dims();
        let condition = standardize_condition(&self.spec, condition);
        let inputs = standardize_target(&self.spec, x).reshape([batch, 1, 1, event]);
        let [channels, _] = self.position.dims();
        let mut h = self.first.forward(inputs) + self.position.val().reshape([1, channels, 1, event]);
        for layer in &self.layers {
            let mut content = layer.conv.forward(h.clone());
            if let (Some(linear), Some(condition)) = (&layer.condition, &condition) {
                content = content + linear.forward(condition.clone()).reshape([batch, 2 * channels, 1, 1]);
            }
            h = h + layer.project.forward(mode.dropout(gate(content), self.dropout));
        }
        let h = silu(self.head.forward(silu(h)));
        let outputs = self.output.forward(h);
        outputs.reshape([batch, self.likelihood.parameters(), event]).swap_dims(1, 2)
    }
}

#[cfg(test)]
mod tests;
