//! Residual convolutions, as an encoder and (in `decoder/conv.rs`) as a decoder.

use super::Encoder;
use crate::data::DataSpec;
use crate::error::{ModelError, chain};
use crate::layers::{AROUND, Down, Mlp, Mode, Resample, ResidualConv, TapConv, apply, halved, linear, space_to_depth};
use crate::ops::Activation;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `encoder = { kind = "conv", channels = [32, 64] }`, and the same of a decoder, whose channels begin at its lowest resolution:
/// `decoder = { kind = "conv", channels = [64, 32] }`. For images of any size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvConfig {
    /// Channels at each resolution, each half of the one before (of a decoder: twice). Default: `[32]`, the image's own alone.
    pub channels: Vec<usize>,
    /// Residual blocks at each resolution. Default: 1.
    pub blocks: usize,
    /// Pixels at the side of the blocks that the image is cut into first, each block one place with as many channels: 2 costs a quarter.
    /// Default: 1.
    pub patch: usize,
    /// Widths of fully connected layers between the image and the latent variables. Default: `[256]`.
    pub hidden: Vec<usize>,
    /// How one resolution becomes the next. Default: `"shuffle"`.
    pub resample: Resample,
    /// Dropout in every block and after every fully connected layer.
    pub dropout: f64,
}

impl Default for ConvConfig {
    fn default() -> Self {
        Self { channels: vec![32], blocks: 1, patch: 1, hidden: vec![256], resample: Resample::Shuffle, dropout: 0.0 }
    }
}

/// The keys of a configuration in messages: of an encoder or of a decoder.
pub(crate) struct ConvKeys {
    pub(crate) channels: &'static str,
    pub(crate) blocks: &'static str,
    pub(crate) patch: &'static str,
    pub(crate) hidden: &'static str,
    pub(crate) dropout: &'static str,
}

impl ConvConfig {
    /// Rows and columns at each resolution, the image's (in patches) first.
    pub(crate) fn sizes(&self, [_, h, w]: [usize; 3]) -> Vec<[usize; 2]> {
        let first = halved([h, w], self.patch);
        std::iter::successors(Some(first), |&size| Some(halved(size, 2))).take(self.channels.len()).collect()
    }

    /// Whether the values are in range and `spec` is one of images.
    pub(crate) fn check(&self, keys: &ConvKeys, spec: &DataSpec) -> Result<(), ModelError> {
        let Self { channels, blocks, patch, hidden, dropout, .. } = self;
        let counts = (1..=16).contains(&channels.len()) && channels.iter().all(|count| (1..=4096).contains(count));
        ModelError::check(counts, keys.channels, format!("{channels:?}"), "1 to 16 numbers from 1 to 4096")?;
        ModelError::check(*blocks <= 64, keys.blocks, blocks, "0 to 64")?;
        ModelError::check((1..=64).contains(patch), keys.patch, patch, "1 to 64")?;
        ModelError::check_dropout(keys.dropout, *dropout)?;
        ModelError::check_hidden(keys.hidden, hidden)?;
        let [pixels, h, w] = spec.shape;
        if !spec.is_grid() {
            let part = keys.channels.split('.').next().unwrap_or_default();
            return Err(ModelError::Data(format!(
                "`model.{part}` is \"conv\", for images, and the targets are {h} by {w}; use {part} = \"mlp\" or \"residual_mlp\""
            )));
        }
        let of_blocks = channels.iter().flat_map(|&count| std::iter::repeat_n([9 * count, count], 2 * blocks));
        let between = chain(std::iter::once(pixels * patch * patch).chain(channels.iter().copied()));
        let changes = between.into_iter().map(|[a, b]| [36 * a, b]);
        let place = self.sizes(spec.shape).last().map_or(1, |[h, w]| h * w) * channels.last().copied().unwrap_or(1);
        let dense = chain(std::iter::once(place).chain(hidden.iter().copied()));
        ModelError::check_weights(keys.channels, format!("{channels:?}"), of_blocks.chain(changes).chain(dense))
    }

    pub(super) fn encoder(
        &self,
        spec: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<ConvEncoder, ModelError> {
        let keys = ConvKeys {
            channels: "encoder.channels",
            blocks: "encoder.blocks",
            patch: "encoder.patch",
            hidden: "encoder.hidden",
            dropout: "encoder.dropout",
        };
        self.init(&keys, spec, rng, device)
    }

    /// From the target of `spec`, and its condition where it has one; `keys` name the values in messages.
    pub(crate) fn init(
        &self,
        keys: &ConvKeys,
        spec: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<ConvEncoder, ModelError> {
        self.check(keys, spec)?;
        let [pixels, _, _] = spec.shape;
        let first = self.channels.first().copied().unwrap_or(1);
        let input = TapConv::new(pixels * self.patch * self.patch, first, &AROUND, rng, device);
        let condition = (spec.condition_width() > 0).then(|| linear(spec.condition_width(), first, rng, device));
        let mut before = first;
        let stages = self.channels.iter().enumerate().map(|(place, &channels)| {
            let down = (place > 0).then(|| Down::new(before, channels, self.resample, rng, device));
            before = channels;
            DownStage { down, blocks: blocks(self, channels, rng, device) }
        });
        let stages = stages.collect();
        let places = self.sizes(spec.shape).last().map_or(1, |[h, w]| h * w) * before;
        let head = Mlp::new(places, &self.hidden, self.dropout, rng, device);
        Ok(ConvEncoder { input, condition, stages, head, shape: spec.shape, patch: self.patch })
    }
}

/// The residual blocks of one resolution.
pub(crate) fn blocks(config: &ConvConfig, channels: usize, rng: &mut Stream, device: &Device) -> Vec<ResidualConv> {
    (0..config.blocks).map(|_| ResidualConv::new(channels, config.dropout, rng, device)).collect()
}

/// One resolution.
#[derive(Module, Debug)]
struct DownStage {
    down: Option<Down>,
    blocks: Vec<ResidualConv>,
}

/// A convolution, residual blocks at each resolution, and fully connected layers. A condition is added to every place of the first
/// channels.
#[derive(Module, Debug)]
pub struct ConvEncoder {
    input: TapConv,
    condition: Option<Linear>,
    stages: Vec<DownStage>,
    head: Mlp,
    #[module(skip)]
    shape: [usize; 3],
    #[module(skip)]
    patch: usize,
}

impl Encoder for ConvEncoder {
    fn features(&self) -> usize {
        self.head.outputs()
    }

    fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        let ([n, width], [pixels, rows, columns]) = (x.dims(), self.shape);
        let event = pixels * rows * columns;
        let image = x.clone().slice([0..n, 0..event]).reshape([n, pixels, rows, columns]);
        let mut h = self.input.forward(space_to_depth(image, self.patch));
        if let Some(layer) = &self.condition {
            let shift = apply(layer, x.slice([0..n, event..width]), Activation::Identity);
            let [_, channels] = shift.dims();
            let shape = h.dims();
            h = h + shift.reshape([n, channels, 1, 1]).expand(shape);
        }
        for DownStage { down, blocks } in &self.stages {
            if let Some(down) = down {
                h = down.forward(h);
            }
            h = blocks.iter().fold(h, |h, block| block.forward(h, mode));
        }
        let [_, channels, rows, columns] = h.dims();
        self.head.forward(silu(h).reshape([n, channels * rows * columns]), mode)
    }
}
