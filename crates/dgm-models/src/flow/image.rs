//! Invertible layers of images: couplings whose network is convolutional, and a squeeze of places into channels.

use super::transform::Transform;
use super::{Bijection, Given, Mapped, indices};
use crate::layers::{AROUND, ResidualConv, TapConv, apply, depth_to_space, linear, space_to_depth};
use crate::ops::{Activation, Before};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `network = { kind = "conv", channels = 32, blocks = 2, scales = 2 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvNetworkConfig {
    /// Channels of the hidden layers. Default: 32.
    pub channels: usize,
    /// Residual blocks of each coupling. Default: 2.
    pub blocks: usize,
    /// Resolutions, each half of the one before; at each half of the numbers are left as they are then. Default: 2.
    pub scales: usize,
}

impl Default for ConvNetworkConfig {
    fn default() -> Self {
        Self { channels: 32, blocks: 2, scales: 2 }
    }
}

/// Which numbers of an image move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Every other place, as on a chessboard.
    Checkerboard,
    /// Half of the channels.
    Channels,
}

/// y = f(x; θ(the numbers that stay)) of half of the numbers of an image, θ by residual convolutions (Dinh, Sohl-Dickstein and Bengio 2017,
/// section 3.4).
#[derive(Module, Debug)]
pub(crate) struct ImageCoupling {
    input: TapConv,
    condition: Option<Linear>,
    blocks: Vec<ResidualConv>,
    output: TapConv,
    #[module(skip)]
    transform: Transform,
    #[module(skip)]
    shape: [usize; 3],
    /// The places that stay, then those that move.
    #[module(skip)]
    places: [Vec<i32>; 2],
}

/// What an [`ImageCoupling`] is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImageSpec<'a> {
    pub(super) network: &'a ConvNetworkConfig,
    pub(super) transform: Transform,
    pub(super) shape: [usize; 3],
    pub(super) features: usize,
    pub(super) dropout: f64,
}

impl ImageCoupling {
    /// With the other half moving at odd places in the flow.
    pub(super) fn new(spec: ImageSpec<'_>, pattern: Pattern, odd: bool, rng: &mut Stream, device: &Device) -> Self {
        let ImageSpec { network, transform, shape, features, dropout } = spec;
        let [c, h, w] = shape;
        let moves = |at: usize| {
            let (channel, row, column) = (at / (h * w), at / w % h, at % w);
            odd != match pattern {
                Pattern::Checkerboard => (row + column).is_multiple_of(2),
                Pattern::Channels => channel < c / 2,
            }
        };
        let of = |moving: bool| (0..c * h * w).filter(|&at| moves(at) == moving).map(|at| at as i32).collect();
        let channels = network.channels;
        Self {
            input: TapConv::new(c, channels, &AROUND, rng, device),
            condition: (features > 0).then(|| linear(features, channels, rng, device)),
            blocks: (0..network.blocks).map(|_| ResidualConv::new(channels, dropout, rng, device)).collect(),
            output: TapConv::new(channels, c * transform.parameters(), &AROUND, rng, device)
                .times(super::conditioner::SMALL),
            transform,
            shape,
            places: [of(false), of(true)],
        }
    }

    fn apply(&self, x: &Tensor<2>, given: &mut Given<'_, '_>, inverse: bool) -> Mapped {
        let ([n, d], [c, h, w], device) = (x.dims(), self.shape, x.device());
        let [still, moved] = &self.places;
        let mut stays = vec![0.0f32; d];
        still.iter().for_each(|&at| stays[at as usize] = 1.0);
        let stays = Tensor::<1>::from_floats(stays.as_slice(), &device).unsqueeze_dim::<2>(0);
        let seen = super::conditioner::squash(x.clone() * stays).reshape([n, c, h, w]);
        let mut hidden = self.input.forward(seen);
        if let Some((layer, features)) = self.condition.as_ref().zip(given.features) {
            let shift = apply(layer, features.clone(), Activation::Identity);
            let ([_, channels], shape) = (shift.dims(), hidden.dims());
            hidden = hidden + shift.reshape([n, channels, 1, 1]).expand(shape);
        }
        hidden = self.blocks.iter().fold(hidden, |hidden, block| block.forward(hidden, given.mode));
        let count = self.transform.parameters();
        let outputs = self.output.fused(hidden, Before::Each(Activation::Silu), None);
        let outputs: Tensor<5> = outputs.reshape([n, c, count, h, w]);
        let of_numbers: Tensor<3> = outputs.permute([0, 1, 3, 4, 2]).reshape([n, d, count]);
        let parameters = of_numbers.select(1, indices(moved, &device)).reshape([n * moved.len(), count]);
        let moving = x.clone().select(1, indices(moved, &device));
        let (moving, log_det) = self.transform.apply(moving, parameters, inverse);
        let unmoved = x.clone().select(1, indices(still, &device));
        let mut back = vec![0; d];
        for (at, &from) in still.iter().chain(moved).enumerate() {
            back[from as usize] = at as i32;
        }
        (Tensor::cat(vec![unmoved, moving], 1).select(1, indices(&back, &device)), log_det)
    }
}

impl Bijection for ImageCoupling {
    fn forward(&self, x: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        self.apply(&x, given, false)
    }

    fn inverse(&self, y: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        self.apply(&y, given, true)
    }
}

/// Blocks of 2×2 places as channels.
#[derive(Module, Debug)]
pub(crate) struct Squeeze {
    #[module(skip)]
    shape: [usize; 3],
}

impl Squeeze {
    /// Of images of even height and width.
    pub(super) fn new(shape: [usize; 3]) -> Self {
        Self { shape }
    }
}

impl Bijection for Squeeze {
    fn forward(&self, x: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let ([n, d], [c, h, w]) = (x.dims(), self.shape);
        let none = Tensor::zeros([n], &x.device());
        (space_to_depth(x.reshape([n, c, h, w]), 2).reshape([n, d]), none)
    }

    fn inverse(&self, y: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let ([n, d], [c, h, w]) = (y.dims(), self.shape);
        let none = Tensor::zeros([n], &y.device());
        (depth_to_space(y.reshape([n, 4 * c, h / 2, w / 2]), 2, [h, w]).reshape([n, d]), none)
    }
}
