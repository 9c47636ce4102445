//! From the features of a pixel to the likelihood's parameters of its channels, one channel after the other.

use super::input::Inputs;
use crate::layers::{PointConv, TapConv};
use crate::ops::{Activation, Before};
use burn::module::Module;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

const HERE: [[isize; 2]; 1] = [[0, 0]];

/// The outputs of one channel: output(silu(hidden(h) + earlier(x of the channels before))).
#[derive(Module, Debug)]
pub(crate) struct Head {
    hidden: TapConv,
    earlier: Option<TapConv>,
    output: TapConv,
}

impl Head {
    /// One head for each channel of the data.
    pub(crate) fn of_channels(
        channels: usize,
        inputs: &Inputs,
        width: usize,
        outputs: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Vec<Self> {
        let head = |channel: usize| Self {
            hidden: TapConv::new(width, width, &HERE, rng, device),
            earlier: (channel > 0)
                .then(|| TapConv::new(inputs.features_per_channel() * channel, width, &HERE, rng, device)),
            output: TapConv::new(width, outputs, &HERE, rng, device),
        };
        (0..channels).map(head).collect()
    }

    /// `h` `[n, width, rows, columns]`, `seen` the maps of the channels before → `[n, outputs, rows, columns]`.
    pub(crate) fn forward(&self, h: Tensor<4>, seen: Option<Tensor<4>>) -> Tensor<4> {
        let silu = Before::Each(Activation::Silu);
        let earlier = self.earlier.as_ref().zip(seen).map(|(earlier, seen)| earlier.forward(seen));
        let hidden = self.hidden.fused(h, silu, earlier);
        self.output.fused(hidden, silu, None)
    }

    /// The same at one pixel.
    pub(crate) fn at_one_position(&self) -> HeadAtOnePosition {
        HeadAtOnePosition {
            hidden: self.hidden.at_one_position(),
            earlier: self.earlier.as_ref().map(TapConv::at_one_position),
            output: self.output.at_one_position(),
        }
    }
}

/// [`Head`] at one pixel.
pub(crate) struct HeadAtOnePosition {
    hidden: PointConv,
    earlier: Option<PointConv>,
    output: PointConv,
}

impl HeadAtOnePosition {
    /// `h` `[n, width]`, `seen` the features of each channel before, `[n, features_per_channel]` → `[n, outputs]`.
    pub(crate) fn forward(&self, h: Tensor<2>, seen: &[Tensor<2>]) -> Tensor<2> {
        let mut hidden = self.hidden.forward(vec![silu(h)]);
        if let Some(earlier) = &self.earlier {
            hidden = hidden + earlier.forward(vec![Tensor::cat(seen.to_vec(), 1)]);
        }
        self.output.forward(vec![silu(hidden)])
    }
}
