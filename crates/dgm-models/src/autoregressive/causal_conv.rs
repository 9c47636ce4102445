//! Gated causal one-dimensional convolutions over a sequence: texts, and images in raster order.
//!
//! The first convolution sees strictly earlier positions, the later ones also their own, so no feature sees its own input (van
//! den Oord et al. 2016, "WaveNet"; Tomczak 2022, "Deep Generative Modeling", chapter 2).

use super::{Arm, ArmBuilder, InputKind, Mode, Network, Pixels};
use crate::data::DataSpec;
use crate::error::ModelError;
use crate::layers::{PointConv, TapConv, linear, zeros};
use crate::likelihood::LikelihoodConfig;
use crate::ops::{Before, Tap, gate};
use burn::module::{Module, Param};
use burn::nn::Linear;
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
    /// Kernel size.
    pub kernel: usize,
    /// The dilation of layer i is dilation_base^(i mod dilation_cycle) (1: none).
    pub dilation_base: usize,
    /// Number of layers after which the dilation returns to 1.
    pub dilation_cycle: usize,
    /// Dropout after each gate.
    pub dropout: f64,
    /// Encoding of the target as an input. Default: see [`InputKind`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputKind>,
    /// Distribution that the outputs parameterise.
    pub likelihood: LikelihoodConfig,
}

impl Default for CausalConvConfig {
    fn default() -> Self {
        Self {
            channels: 64,
            layers: 4,
            kernel: 7,
            dilation_base: 1,
            dilation_cycle: 8,
            dropout: 0.0,
            inputs: None,
            likelihood: LikelihoodConfig::CATEGORICAL,
        }
    }
}

/// p(x | c) with causal convolutions over the pixels.
pub type CausalConv = Arm<CausalConvNetwork>;

impl CausalConvConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        channels = [32, 64, 128]
        layers = [4, 6, 8]
        dropout = [0.0, 0.1, 0.2]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<CausalConv, ModelError> {
        ModelError::check((1..=16_384).contains(&self.channels), "channels", self.channels, "1 to 16384")?;
        ModelError::check((1..=256).contains(&self.layers), "layers", self.layers, "1 to 256")?;
        ModelError::check((2..=1024).contains(&self.kernel), "kernel", self.kernel, "2 to 1024")?;
        ModelError::check((1..=16).contains(&self.dilation_base), "dilation_base", self.dilation_base, "1 to 16")?;
        ModelError::check((1..=256).contains(&self.dilation_cycle), "dilation_cycle", self.dilation_cycle, "1 to 256")?;
        ModelError::check_dropout("dropout", self.dropout)?;
        let shared = ArmBuilder::new(self.inputs, &self.likelihood, spec)?;

        let [_, rows, columns] = spec.shape;
        let (channels, length) = (self.channels, rows * columns);
        let layer = [self.kernel * channels + spec.condition_width(), 2 * channels];
        let first = [self.kernel * shared.features() + length, channels];
        shared.check_size("channels", channels, std::iter::repeat_n(layer, self.layers).chain([first]))?;
        // A tap beyond the sequence sees nothing but padding.
        let inside = |offset: &isize| offset.unsigned_abs() < length.max(2);
        let before: Vec<isize> = (1..=self.kernel as isize).rev().map(|back| -back).filter(inside).collect();
        let layers = (0..self.layers)
            .map(|i| {
                // A dilation beyond the sequence sees only padding: it stops growing there.
                let power = self.dilation_base.checked_pow((i % self.dilation_cycle) as u32).unwrap_or(length);
                let dilation = power.min(length) as isize;
                let back: Vec<isize> =
                    (0..self.kernel as isize).rev().map(|back| -back * dilation).filter(inside).collect();
                Layer {
                    conv: TapConv::new(channels, 2 * channels, &taps(&back), rng, device),
                    condition: spec.condition.as_ref().map(|c| linear(c.width(), 2 * channels, rng, device)),
                    project: TapConv::new(channels, channels, &taps(&[0]), rng, device),
                }
            })
            .collect();
        let network = CausalConvNetwork {
            first: TapConv::new(shared.features(), channels, &taps(&before), rng, device),
            position: zeros([channels, length], device),
            layers,
            dropout: self.dropout,
        };
        Ok(shared.build(network, channels, rng, device))
    }
}

fn taps(offsets: &[isize]) -> Vec<Tap> {
    offsets.iter().map(|&offset| [0, offset]).collect()
}

/// One gated residual layer: h + project(dropout(gate(conv(h) + condition))).
#[derive(Module, Debug)]
struct Layer {
    conv: TapConv,
    condition: Option<Linear>,
    project: TapConv,
}

/// A first convolution of strictly earlier positions, a learned offset for each position, and gated residual layers.
#[derive(Module, Debug)]
pub struct CausalConvNetwork {
    first: TapConv,
    position: Param<Tensor<2>>,
    layers: Vec<Layer>,
    #[module(skip)]
    dropout: f64,
}

impl Network for CausalConvNetwork {
    fn forward(&self, inputs: Tensor<4>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<4> {
        let [n, features, rows, columns] = inputs.dims();
        let [channels, length] = self.position.dims();
        let sequence = inputs.reshape([n, features, 1, rows * columns]);
        let places = self.position.val().reshape([1, channels, 1, length]);
        let mut h = self.first.fused(sequence, Before::IDENTITY, Some(places));
        for layer in &self.layers {
            let mut content = layer.conv.forward(h.clone());
            if let (Some(linear), Some(condition)) = (&layer.condition, condition) {
                content = content + linear.forward(condition.clone()).reshape([n, 2 * channels, 1, 1]);
            }
            h = layer.project.of_gate(content, Some(h), self.dropout, mode);
        }
        h.reshape([n, channels, rows, columns])
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Pixels + '_> {
        let [channels, _] = self.position.dims();
        let device = self.device();
        let of_layer = |layer: &Layer| {
            let condition = layer.condition.as_ref().zip(condition);
            LayerAtOnePosition {
                conv: layer.conv.at_one_position(),
                condition: condition.map(|(linear, condition)| linear.forward(condition.clone())),
                project: layer.project.at_one_position(),
                seen: Seen::new(&layer.conv, Tensor::zeros([n, channels], &device)),
            }
        };
        Box::new(CausalConvPixels {
            first: self.first.at_one_position(),
            inputs: Seen::new(&self.first, Tensor::zeros([n, self.first.inputs()], &device)),
            places: self.position.val().swap_dims(0, 1),
            layers: self.layers.iter().map(of_layer).collect(),
        })
    }

    fn device(&self) -> Device {
        self.first.device()
    }
}

/// What a convolution has seen so far, for the positions that it will see again.
struct Seen {
    /// From a position to those that its convolution sees, the farthest first.
    offsets: Vec<isize>,
    /// What stands before the first position.
    outside: Tensor<2>,
    all: Vec<Option<Tensor<2>>>,
}

impl Seen {
    fn new(conv: &TapConv, outside: Tensor<2>) -> Self {
        let offsets = conv.taps().iter().map(|&[_, offset]| offset).collect();
        Self { offsets, outside, all: Vec::new() }
    }

    fn push(&mut self, x: Tensor<2>) {
        self.all.push(Some(x));
        // The farthest one back is not needed again.
        let farthest = self.offsets.first().map_or(0, |offset| offset.unsigned_abs());
        if let Some(forgotten) = self.all.len().checked_sub(farthest + 2).and_then(|i| self.all.get_mut(i)) {
            *forgotten = None;
        }
    }

    /// What stands at the offsets from position `here`.
    fn taps(&self, here: usize) -> Vec<Tensor<2>> {
        let at = |&offset: &isize| {
            let seen = here.checked_add_signed(offset).and_then(|i| self.all.get(i)).and_then(Option::as_ref);
            seen.unwrap_or(&self.outside).clone()
        };
        self.offsets.iter().map(at).collect()
    }
}

struct LayerAtOnePosition {
    conv: PointConv,
    condition: Option<Tensor<2>>,
    project: PointConv,
    seen: Seen,
}

/// Where sampling stands: what every convolution has seen.
struct CausalConvPixels {
    first: PointConv,
    inputs: Seen,
    /// The learned offset of each position, `[length, channels]`.
    places: Tensor<2>,
    layers: Vec<LayerAtOnePosition>,
}

impl Pixels for CausalConvPixels {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<2> {
        if let Some(previous) = previous {
            self.inputs.push(previous);
        }
        let here = self.inputs.all.len();
        let [_, channels] = self.places.dims();
        let place = self.places.clone().slice([here..here + 1, 0..channels]);
        let mut h = self.first.forward(self.inputs.taps(here)) + place;
        for layer in &mut self.layers {
            layer.seen.push(h.clone());
            let [n, _] = h.dims();
            let mut content = layer.conv.forward(layer.seen.taps(here));
            if let Some(condition) = &layer.condition {
                content = content + condition.clone();
            }
            h = h + layer.project.forward(vec![gate(content.reshape([n, 2 * channels, 1, 1])).reshape([n, channels])]);
        }
        h
    }
}
