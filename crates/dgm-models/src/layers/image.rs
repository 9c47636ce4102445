//! Residual convolutions on images, and their changes of resolution.

use super::{Mode, TapConv};
use crate::ops::{Activation, Before, Tap};
use burn::module::Module;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// How images are halved and doubled between two resolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resample {
    /// Blocks of 2×2 pixels become channels, and channels become blocks (Shi et al. 2016, "Real-time single image and video
    /// super-resolution using an efficient sub-pixel convolutional neural network").
    #[default]
    Shuffle,
    /// The mean of 2×2 pixels, and their nearest neighbour.
    Resize,
}

/// The taps of a 3×3 convolution.
pub(crate) const AROUND: [Tap; 9] = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 0], [0, 1], [1, -1], [1, 0], [1, 1]];

/// Rows and columns of an image that is halved: an odd last one is kept.
pub(crate) fn halved([h, w]: [usize; 2], factor: usize) -> [usize; 2] {
    [h.div_ceil(factor), w.div_ceil(factor)]
}

/// Zeros below and to the right, so that rows and columns are multiples of `factor`.
fn padded(x: Tensor<4>, factor: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let ([rows, columns], device) = (halved([h, w], factor), x.device());
    let x = match rows * factor - h {
        0 => x,
        missing => Tensor::cat(vec![x, Tensor::zeros([n, c, missing, w], &device)], 2),
    };
    match columns * factor - w {
        0 => x,
        missing => Tensor::cat(vec![x, Tensor::zeros([n, c, rows * factor, missing], &device)], 3),
    }
}

/// Blocks of factor × factor pixels as channels: `[n, c, h, w]` → `[n, c·factor², ⌈h / factor⌉, ⌈w / factor⌉]`.
pub(crate) fn space_to_depth(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let x = padded(x, factor);
    let [n, c, h, w] = x.dims();
    let (rows, columns) = (h / factor, w / factor);
    let blocks: Tensor<6> = x.reshape([n, c, rows, factor, columns, factor]);
    blocks.permute([0, 1, 3, 5, 2, 4]).reshape([n, c * factor * factor, rows, columns])
}

/// The inverse of [`space_to_depth`], of images of this many rows and columns.
pub(crate) fn depth_to_space(x: Tensor<4>, factor: usize, [h, w]: [usize; 2]) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [n, c, rows, columns] = x.dims();
    let channels = c / (factor * factor);
    let blocks: Tensor<6> = x.reshape([n, channels, factor, factor, rows, columns]);
    let x = blocks.permute([0, 1, 4, 2, 5, 3]).reshape([n, channels, rows * factor, columns * factor]);
    cropped(x, [h, w])
}

/// The first rows and columns.
fn cropped(x: Tensor<4>, [h, w]: [usize; 2]) -> Tensor<4> {
    let [n, c, rows, columns] = x.dims();
    if [rows, columns] == [h, w] { x } else { x.slice([0..n, 0..c, 0..h, 0..w]) }
}

/// From one resolution to half of it, with other channels.
#[derive(Module, Debug)]
pub(crate) struct Down {
    conv: TapConv,
    #[module(skip)]
    how: Resample,
}

impl Down {
    pub(crate) fn new(inputs: usize, outputs: usize, how: Resample, rng: &mut Stream, device: &Device) -> Self {
        let inputs = if how == Resample::Shuffle { 4 * inputs } else { inputs };
        Self { conv: TapConv::new(inputs, outputs, &AROUND, rng, device), how }
    }

    /// `[n, inputs, h, w]` → `[n, outputs, ⌈h / 2⌉, ⌈w / 2⌉]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, _, _] = x.dims();
        let blocks = space_to_depth(x, 2);
        self.conv.forward(match self.how {
            Resample::Shuffle => blocks,
            Resample::Resize => {
                let [_, _, h, w] = blocks.dims();
                blocks.reshape([n, c, 4, h * w]).mean_dim(2).reshape([n, c, h, w])
            }
        })
    }
}

/// From one resolution to twice of it, with other channels.
#[derive(Module, Debug)]
pub(crate) struct Up {
    conv: TapConv,
    #[module(skip)]
    how: Resample,
}

impl Up {
    pub(crate) fn new(inputs: usize, outputs: usize, how: Resample, rng: &mut Stream, device: &Device) -> Self {
        let outputs = if how == Resample::Shuffle { 4 * outputs } else { outputs };
        Self { conv: TapConv::new(inputs, outputs, &AROUND, rng, device), how }
    }

    /// `[n, inputs, ⌈h / 2⌉, ⌈w / 2⌉]` → `[n, outputs, h, w]`.
    pub(crate) fn forward(&self, x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        match self.how {
            Resample::Shuffle => depth_to_space(self.conv.forward(x), 2, size),
            Resample::Resize => {
                let [n, c, h, w] = x.dims();
                let twice: Tensor<6> = x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, 2, w, 2]);
                self.conv.forward(cropped(twice.reshape([n, c, 2 * h, 2 * w]), size))
            }
        }
    }
}

/// x + conv(SiLU(conv(SiLU(x)))), 3×3 (He et al. 2016, "Identity mappings in deep residual networks", without normalisation), with
/// dropout before the second.
#[derive(Module, Debug)]
pub(crate) struct ResidualConv {
    first: TapConv,
    second: TapConv,
    #[module(skip)]
    dropout: f64,
}

impl ResidualConv {
    pub(crate) fn new(channels: usize, dropout: f64, rng: &mut Stream, device: &Device) -> Self {
        let mut conv = || TapConv::new(channels, channels, &AROUND, rng, device);
        Self { first: conv(), second: conv(), dropout }
    }

    /// The same with a small second convolution, so that the block begins close to the identity.
    pub(crate) fn starting_small(self) -> Self {
        Self { second: self.second.times(0.1), ..self }
    }

    /// `[n, channels, h, w]` → the same.
    pub(crate) fn forward(&self, x: Tensor<4>, mode: &mut Mode) -> Tensor<4> {
        self.forward_shifted(x, None, mode)
    }

    /// With this added between the convolutions, `[n, channels, h, w]`.
    pub(crate) fn forward_shifted(&self, x: Tensor<4>, shift: Option<Tensor<4>>, mode: &mut Mode) -> Tensor<4> {
        const SILU: Before = Before::Each(Activation::Silu);
        let inner = self.first.fused(x.clone(), SILU, shift);
        match self.dropout > 0.0 && !matches!(mode, Mode::Evaluate) {
            true => self.second.fused(mode.dropout(silu(inner), self.dropout), Before::IDENTITY, Some(x)),
            false => self.second.fused(inner, SILU, Some(x)),
        }
    }
}
