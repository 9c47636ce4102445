//! Residual convolutions, as a decoder: see [`ConvConfig`].

use super::Decoder;
use crate::data::DataSpec;
use crate::encoder::{ConvConfig, ConvKeys, blocks};
use crate::error::ModelError;
use crate::layers::{AROUND, Mlp, Mode, ResidualConv, TapConv, Up, apply, depth_to_space, linear, zeros};
use crate::ops::{Activation, Before};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

impl ConvConfig {
    pub(super) fn decoder(
        &self,
        latent: usize,
        spec: &DataSpec,
        parameters: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<ConvDecoder, ModelError> {
        let keys = ConvKeys {
            channels: "decoder.channels",
            blocks: "decoder.blocks",
            patch: "decoder.patch",
            hidden: "decoder.hidden",
            dropout: "decoder.dropout",
        };
        // From the lowest resolution up; sizes are counted from the image down.
        let down = Self { channels: self.channels.iter().rev().copied().collect(), ..self.clone() };
        down.check(&keys, spec)?;
        let mut sizes = down.sizes(spec.shape);
        sizes.reverse();
        let head = Mlp::new(latent + spec.condition_width(), &self.hidden, self.dropout, rng, device);
        let first = self.channels.first().copied().unwrap_or(1);
        let places = sizes.first().map_or(1, |[h, w]| h * w);
        let map = linear(head.outputs(), first * places, rng, device);
        let mut before = first;
        let stages = self.channels.iter().enumerate().map(|(place, &channels)| {
            let up = (place > 0).then(|| Up::new(before, channels, self.resample, rng, device));
            before = channels;
            UpStage { up, blocks: blocks(self, channels, rng, device) }
        });
        let stages = stages.collect();
        let outputs = spec.shape[0] * parameters * self.patch * self.patch;
        let output = TapConv::new(before, outputs, &AROUND, rng, device);
        let [h, w] = sizes.last().copied().unwrap_or([1, 1]);
        let bias = zeros([1, outputs, h, w], device);
        Ok(ConvDecoder { head, map, stages, output, bias, sizes, shape: spec.shape, parameters, patch: self.patch })
    }
}

/// One resolution.
#[derive(Module, Debug)]
struct UpStage {
    up: Option<Up>,
    blocks: Vec<ResidualConv>,
}

/// Fully connected layers, a map of the lowest resolution, residual blocks at each resolution, and a convolution with a bias of its own at
/// every place.
#[derive(Module, Debug)]
pub struct ConvDecoder {
    head: Mlp,
    map: Linear,
    stages: Vec<UpStage>,
    output: TapConv,
    bias: Param<Tensor<4>>,
    #[module(skip)]
    sizes: Vec<[usize; 2]>,
    #[module(skip)]
    shape: [usize; 3],
    #[module(skip)]
    parameters: usize,
    #[module(skip)]
    patch: usize,
}

impl Decoder for ConvDecoder {
    fn outputs(&self) -> [usize; 2] {
        [self.shape.iter().product(), self.parameters]
    }

    fn forward(&self, z: Tensor<2>, mode: &mut Mode) -> Tensor<3> {
        let ([n, _], [pixels, rows, columns]) = (z.dims(), self.shape);
        let maps = apply(&self.map, self.head.forward(z, mode), Activation::Identity);
        let [_, width] = maps.dims();
        let [h, w] = self.sizes.first().copied().unwrap_or([1, 1]);
        let mut maps = maps.reshape([n, width / (h * w), h, w]);
        for (UpStage { up, blocks }, &size) in self.stages.iter().zip(&self.sizes) {
            if let Some(up) = up {
                maps = up.forward(maps, size);
            }
            maps = blocks.iter().fold(maps, |maps, block| block.forward(maps, mode));
        }
        let maps = self.output.fused(maps, Before::Each(Activation::Silu), Some(self.bias.val()));
        let maps = depth_to_space(maps, self.patch, [rows, columns]);
        let places: Tensor<4> = maps.reshape([n, pixels, self.parameters, rows * columns]);
        places.swap_dims(2, 3).reshape([n, pixels * rows * columns, self.parameters])
    }
}
