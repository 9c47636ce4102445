//! Networks that see noisy data: for images a small U-Net (Ronneberger, Fischer and Brox 2015), otherwise residual layers.

use crate::data::DataSpec;
use crate::encoder::{ConvConfig, ConvKeys, ResidualMlpConfig};
use crate::error::ModelError;
use crate::layers::{
    AROUND, Down, Mode, Resample, Residual, ResidualConv, TapConv, Up, apply, depth_to_space, linear, space_to_depth,
    zeros,
};
use crate::ops::{Activation, Before};
use crate::parts::part;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// `network = { kind = "unet", channels = [64, 64], blocks = 2 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNetConfig {
    /// Channels at each resolution, each half of the one before, on the way down and up again. Default: `[32, 64]`.
    pub channels: Vec<usize>,
    /// Residual blocks at each resolution, on each way. Default: 2.
    pub blocks: usize,
    /// Pixels at the side of the blocks that the image is cut into first, each block one place with as many channels: 2 costs a quarter.
    /// Default: 1.
    pub patch: usize,
    /// Sines and cosines of noisy levels that the network sees beside them, of periods of 1, 2, 4 … levels: near x they tell how far z is off, which z
    /// itself tells by its last digits alone (the Fourier features of Kingma et al. 2021). 8 of 256 levels. Default: 0.
    pub waves: usize,
    /// How one resolution becomes the next. Default: `"shuffle"`.
    pub resample: Resample,
    /// Dropout in every block. Default: 0.
    pub dropout: f64,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self { channels: vec![32, 64], blocks: 2, patch: 1, waves: 0, resample: Resample::Shuffle, dropout: 0.0 }
    }
}

part! {
    /// `network = "unet"`, or `{ kind = "unet", channels = [32, 64] }`.
    DenoiserConfig, such as "{ kind = \"unet\", channels = [32, 64] }":
    /// Residual layers, for rows of a table.
    "residual_mlp" => ResidualMlpConfig as ResidualMlp,
    /// Convolutions at several resolutions, for images.
    "unet" => UNetConfig as UNet,
}

impl DenoiserConfig {
    /// Builds the network for `spec`.
    pub(super) fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Denoiser, ModelError> {
        let inputs = FEATURES + spec.condition_width();
        match self {
            Self::ResidualMlp(config) => {
                let inputs = spec.event() + inputs;
                let trunk = config.init(["network.hidden", "network.dropout"], inputs, rng, device)?;
                let output = linear(trunk.width(), spec.event(), rng, device);
                let weight = Param::from_tensor(output.weight.val().mul_scalar(SMALL).detach());
                let output = Linear { weight, ..output };
                Ok(Denoiser::Rows(Rows { trunk, output }))
            }
            Self::UNet(config) => UNet::new(config, spec, inputs, rng, device).map(Denoiser::Images),
        }
    }
}

/// The first predictions are close to 0.
const SMALL: f64 = 0.01;

/// Numbers that stand for a noise level.
const FEATURES: usize = 17;

/// γ/10, and waves of it.
fn features(gamma: &Tensor<2>) -> Tensor<2> {
    let level = gamma.clone().div_scalar(10.0);
    let mut all = vec![level.clone()];
    for octave in 0..(FEATURES - 1) / 2 {
        let phase = level.clone().mul_scalar(std::f64::consts::PI * 0.5 * f64::from(1u32 << octave));
        all.extend([phase.clone().sin(), phase.cos()]);
    }
    Tensor::cat(all, 1)
}

/// The angle of each wave for each 1 of z, of periods of 1, 2, 4 … of so many levels from −1 to 1.
fn angles(waves: usize, levels: usize) -> Vec<f64> {
    (0..waves).map(|octave| PI * (levels as f64 - 1.0) / f64::from(1u32 << octave)).collect()
}

/// z `[n, colours, rows, columns]` and its waves, each as many more channels; of angle 0 at the lowest level.
fn with_waves(z: Tensor<4>, angles: &[f64]) -> Tensor<4> {
    if angles.is_empty() {
        return z;
    }
    let phases = angles.iter().map(|&angle| z.clone().add_scalar(1.0).mul_scalar(angle));
    let waves = phases.flat_map(|phase| [phase.clone().sin(), phase.cos()]);
    Tensor::cat(std::iter::once(z.clone()).chain(waves).collect(), 1)
}

/// A network of any kind.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value per model
pub(super) enum Denoiser {
    Rows(Rows),
    Images(UNet),
}

impl Denoiser {
    /// z `[n, event]`, γ `[n, 1]` and the condition of each → `[n, event]`.
    pub(super) fn forward(
        &self,
        z: Tensor<2>,
        gamma: &Tensor<2>,
        condition: Option<&Tensor<2>>,
        mode: &mut Mode,
    ) -> Tensor<2> {
        let known = std::iter::once(features(gamma)).chain(condition.cloned());
        match self {
            Self::Rows(Rows { trunk, output }) => {
                let inputs = std::iter::once(z).chain(known).collect();
                apply(output, trunk.forward(Tensor::cat(inputs, 1), mode), Activation::Identity)
            }
            Self::Images(network) => network.forward(z, Tensor::cat(known.collect(), 1), mode),
        }
    }
}

/// Residual layers that see z, the noise level and the condition side by side.
#[derive(Module, Debug)]
pub(super) struct Rows {
    trunk: Residual,
    output: Linear,
}

/// A residual block with a shift of each channel that depends on the noise level and the condition.
#[derive(Module, Debug)]
struct Block {
    conv: ResidualConv,
    shift: Linear,
}

impl Block {
    fn new(channels: usize, known: usize, dropout: f64, rng: &mut Stream, device: &Device) -> Self {
        let conv = ResidualConv::new(channels, dropout, rng, device).starting_small();
        Self { conv, shift: linear(known, channels, rng, device) }
    }

    fn forward(&self, x: Tensor<4>, known: &Tensor<2>, mode: &mut Mode) -> Tensor<4> {
        let [n, channels, h, w] = x.dims();
        let shift = apply(&self.shift, known.clone(), Activation::Identity);
        let shift = shift.reshape([n, channels, 1, 1]).expand([n, channels, h, w]);
        self.conv.forward_shifted(x, Some(shift), mode)
    }
}

/// One resolution: blocks on the way down and on the way up, and the ways to the one below, where there is one.
#[derive(Module, Debug)]
struct Stage {
    down: Vec<Block>,
    up: Vec<Block>,
    below: Option<(Down, Up)>,
}

/// Down through the resolutions and up again; what each gave on the way down is added on the way up.
#[derive(Module, Debug)]
pub(super) struct UNet {
    known: Linear,
    input: TapConv,
    /// Added to the first channels: where in the image a place is.
    places: Param<Tensor<4>>,
    stages: Vec<Stage>,
    output: TapConv,
    #[module(skip)]
    shape: [usize; 3],
    #[module(skip)]
    patch: usize,
    #[module(skip)]
    angles: Vec<f64>,
}

impl UNet {
    fn new(
        config: &UNetConfig,
        spec: &DataSpec,
        inputs: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let UNetConfig { channels, blocks, patch, waves, resample, dropout } = config.clone();
        let sizes =
            ConvConfig { channels: channels.clone(), blocks: 2 * blocks, patch, resample, dropout, hidden: Vec::new() };
        let keys = ConvKeys {
            channels: "network.channels",
            blocks: "network.blocks",
            patch: "network.patch",
            hidden: "network.hidden",
            dropout: "network.dropout",
        };
        let [colours, rows, columns] = spec.shape;
        if !spec.is_grid() {
            return Err(ModelError::Data(format!(
                "`model.network` is \"unet\", for images, and the targets are {rows} by {columns}; use network = \"residual_mlp\""
            )));
        }
        ModelError::check(blocks <= 32, "network.blocks", blocks, "0 to 32")?;
        sizes.check(&keys, spec)?;
        ModelError::check(waves <= 16, "network.waves", waves, "0 to 16")?;
        let angles = match spec.levels() {
            Some(levels) => angles(waves, levels),
            None if waves == 0 => Vec::new(),
            None => {
                return Err(ModelError::Data(format!(
                    "`model.network.waves` is {waves}, of levels, and the targets are real numbers; leave it out"
                )));
            }
        };
        let [h, w] = sizes.sizes(spec.shape).first().copied().unwrap_or([1, 1]);
        let (first, cells) = (channels.first().copied().unwrap_or(1), colours * patch * patch);
        let width = 4 * first;
        let stages = channels.iter().enumerate().map(|(place, &count)| {
            let mut blocks = || (0..blocks).map(|_| Block::new(count, width, dropout, rng, device)).collect();
            let (down, up) = (blocks(), blocks());
            let below = channels.get(place + 1).map(|&next| {
                (Down::new(count, next, resample, rng, device), Up::new(next, count, resample, rng, device))
            });
            Stage { down, up, below }
        });
        let stages = stages.collect();
        Ok(Self {
            known: linear(inputs, width, rng, device),
            input: TapConv::new(cells * (1 + 2 * waves), first, &AROUND, rng, device),
            places: zeros([1, first, h, w], device),
            stages,
            output: TapConv::new(first, cells, &AROUND, rng, device).times(SMALL),
            shape: spec.shape,
            patch,
            angles,
        })
    }

    fn forward(&self, z: Tensor<2>, known: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        let ([n, event], [colours, rows, columns]) = (z.dims(), self.shape);
        let known = apply(&self.known, known, Activation::Silu);
        let seen = with_waves(z.reshape([n, colours, rows, columns]), &self.angles);
        let cells = space_to_depth(seen, self.patch);
        let h = self.input.fused(cells, Before::IDENTITY, Some(self.places.val()));
        let h = Self::through(&self.stages, h, &known, mode);
        let h = self.output.fused(h, Before::Each(Activation::Silu), None);
        depth_to_space(h, self.patch, [rows, columns]).reshape([n, event])
    }

    /// These resolutions, the highest first.
    fn through(stages: &[Stage], h: Tensor<4>, known: &Tensor<2>, mode: &mut Mode) -> Tensor<4> {
        let Some((Stage { down, up, below }, rest)) = stages.split_first() else { return h };
        let mut h = down.iter().fold(h, |h, block| block.forward(h, known, mode));
        if let Some((lower, higher)) = below {
            let [_, _, rows, columns] = h.dims();
            let inner = Self::through(rest, lower.forward(h.clone()), known, mode);
            h = h + higher.forward(inner, [rows, columns]);
        }
        up.iter().fold(h, |h, block| block.forward(h, known, mode))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::{Scale, Values};
    use dgm_core::host;
    use dgm_core::random::Seed;

    #[test]
    fn real_numbers_have_no_waves() {
        let spec = DataSpec { shape: [1, 4, 4], values: Values::Real(Scale::identity(16)), condition: None };
        let init = |waves| {
            let config = DenoiserConfig::UNet(UNetConfig { channels: vec![4], waves, ..UNetConfig::default() });
            config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex())
        };
        assert!(init(0).is_ok());
        let refused = init(2).unwrap_err().to_string();
        assert!(refused.contains("`model.network.waves` is 2") && refused.ends_with("leave it out"), "{refused}");
    }

    /// Five levels from −1 to 1: periods of one, two and four of them.
    #[test]
    fn waves_repeat_after_one_two_and_four_levels() {
        let z = Tensor::<4>::from_floats([[[[-1.0, -0.5, 0.0, 0.5, 1.0, -0.875]]]], &Device::flex());
        let seen = with_waves(z, &angles(3, 5));
        assert_eq!(seen.dims(), [1, 7, 1, 6]);
        let (half, eighth) = (0.5f64.sqrt(), std::f64::consts::FRAC_PI_8);
        let expected = [
            [-1.0, -0.5, 0.0, 0.5, 1.0, -0.875],
            [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, half],
            [1.0, -1.0, 1.0, -1.0, 1.0, half],
            [0.0, 1.0, 0.0, -1.0, 0.0, eighth.sin()],
            [1.0, 0.0, -1.0, 0.0, 1.0, eighth.cos()],
        ];
        for (found, expected) in host(seen).iter().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
