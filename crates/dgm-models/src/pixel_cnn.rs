//! Gated PixelCNN (van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders"): an autoregressive
//! model of images in raster order, p(x | c) = Π_p Π_k p(x_{p,k} | x_{p,<k}, x_<p, c) over pixels p and channels k.
//!
//! Two stacks and so no blind spot: the vertical one sees the rows above, the horizontal one the pixels to the left and,
//! through the vertical one shifted down a row, everything above. Channels of a pixel are ordered in the head, which
//! sees the earlier channels of its own pixel.

use crate::autoregressive::Autoregressive;
use crate::data::{DataSpec, Values};
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

/// Configuration of [`PixelCnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PixelCnnConfig {
    /// Channels of each stack's residual stream.
    pub channels: usize,
    /// Number of gated layers.
    pub layers: usize,
    /// Dropout after each gate.
    pub dropout: f64,
    /// What the outputs mean.
    pub likelihood: LikelihoodKind,
    /// Mixture components of a beta-binomial likelihood.
    pub components: usize,
}

impl Default for PixelCnnConfig {
    fn default() -> Self {
        Self { channels: 40, layers: 6, dropout: 0.0, likelihood: LikelihoodKind::Categorical, components: 1 }
    }
}

/// Pixels in the same row or above, within one column: with the shift of a row down, strictly above.
const VERTICAL: [Tap; 6] = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 0], [0, 1]];
/// Strictly to the left: the first layer, which reads the image itself.
const STRICTLY_LEFT: [Tap; 2] = [[0, -2], [0, -1]];
/// The position itself and its left neighbour.
const LEFT: [Tap; 2] = [[0, -1], [0, 0]];
const HERE: [Tap; 1] = [[0, 0]];
/// One row up: brings the vertical stack's features of the row above.
const ABOVE: [Tap; 1] = [[-1, 0]];

/// Up to this many levels an image enters as thermometer bits.
const THERMOMETER_LEVELS: usize = 32;

impl PixelCnnConfig {
    /// Builds the model for `spec`, with weights drawn from `noise`.
    pub fn init(&self, spec: &DataSpec, noise: &mut Stream, device: &Device) -> Result<PixelCnn, ModelError> {
        ModelError::check((1..=16_384).contains(&self.channels), "channels", self.channels, "1 to 16384")?;
        ModelError::check((1..=256).contains(&self.layers), "layers", self.layers, "1 to 256")?;
        ModelError::check_dropout("dropout", self.dropout)?;
        let likelihood = self.likelihood.build(self.components, spec)?;

        let [colours, rows, columns] = spec.shape;
        let channels = self.channels;
        let features = features_a_channel(spec) * colours + 1;
        // Both stacks' convolutions with their places, the two projections and the way down.
        let inputs = features.max(channels) * (VERTICAL.len() + LEFT.len()) + 2 * (rows + columns) + 3 * channels;
        let all = std::iter::repeat_n([inputs, 2 * channels], self.layers);
        ModelError::check_weights("channels", channels, all)?;
        let mut layer = |inputs: usize, left: &[Tap]| {
            let mut gated = |taps: &[Tap]| Gated {
                conv: TapConv::new(inputs, 2 * channels, taps, noise, device),
                place: Place::new(2 * channels, rows, columns, device),
                condition: spec.condition.as_ref().map(|c| linear(c.width(), 2 * channels, noise, device)),
                project: TapConv::new(channels, channels, &HERE, noise, device),
            };
            let (vertical, horizontal) = (gated(&VERTICAL), gated(left));
            Layer { vertical, horizontal, down: TapConv::new(2 * channels, 2 * channels, &ABOVE, noise, device) }
        };
        let first = layer(features, &STRICTLY_LEFT);
        let layers = (1..self.layers).map(|_| layer(channels, &LEFT)).collect();
        let outputs = likelihood.parameters();
        let heads = (0..colours)
            .map(|colour| Head {
                hidden: TapConv::new(channels, channels, &HERE, noise, device),
                earlier: (colour > 0)
                    .then(|| TapConv::new(features_a_channel(spec) * colour, channels, &HERE, noise, device)),
                output: TapConv::new(channels, outputs, &HERE, noise, device),
            })
            .collect();
        Ok(PixelCnn { first, layers, heads, dropout: self.dropout, likelihood, spec: spec.clone() })
    }
}

/// A learned offset for each row plus one for each column: where in the image a position is.
#[derive(Module, Debug)]
struct Place {
    rows: Param<Tensor<4>>,
    columns: Param<Tensor<4>>,
}

impl Place {
    fn new(channels: usize, rows: usize, columns: usize, device: &Device) -> Self {
        Self { rows: zeros([1, channels, rows, 1], device), columns: zeros([1, channels, 1, columns], device) }
    }
}

/// conv → + place + condition → gate → dropout → projection.
#[derive(Module, Debug)]
struct Gated {
    conv: TapConv,
    place: Place,
    condition: Option<Linear>,
    project: TapConv,
}

impl Gated {
    /// What enters the gate, without what the other stack adds.
    fn content(&self, x: Tensor<4>, condition: Option<&Tensor<2>>) -> Tensor<4> {
        let content = self.conv.forward(x) + (self.place.rows.val() + self.place.columns.val());
        match (&self.condition, condition) {
            (Some(linear), Some(condition)) => {
                let offset = linear.forward(condition.clone());
                let [batch, channels] = offset.dims();
                content + offset.reshape([batch, channels, 1, 1])
            }
            _ => content,
        }
    }

    fn close(&self, content: Tensor<4>, rate: f64, mode: &mut Mode) -> Tensor<4> {
        self.project.forward(mode.dropout(gate(content), rate))
    }
}

/// One layer of both stacks.
#[derive(Module, Debug)]
struct Layer {
    vertical: Gated,
    down: TapConv,
    horizontal: Gated,
}

impl Layer {
    /// What the layer adds to the vertical and to the horizontal stack.
    fn forward(
        &self,
        vertical: Tensor<4>,
        horizontal: Tensor<4>,
        condition: Option<&Tensor<2>>,
        dropout: f64,
        mode: &mut Mode,
    ) -> (Tensor<4>, Tensor<4>) {
        let above = self.vertical.content(vertical, condition);
        let left = self.horizontal.content(horizontal, condition) + self.down.forward(above.clone());
        (self.vertical.close(above, dropout, mode), self.horizontal.close(left, dropout, mode))
    }
}

/// The outputs of one channel of the image.
#[derive(Module, Debug)]
struct Head {
    hidden: TapConv,
    earlier: Option<TapConv>,
    output: TapConv,
}

/// p(x | c), pixel by pixel and channel by channel.
#[derive(Module, Debug)]
pub struct PixelCnn {
    first: Layer,
    layers: Vec<Layer>,
    heads: Vec<Head>,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

/// How many feature maps one channel of the image becomes.
fn features_a_channel(spec: &DataSpec) -> usize {
    match spec.values {
        Values::Levels(levels) if levels <= THERMOMETER_LEVELS && levels > 2 => levels,
        _ => 1,
    }
}

impl PixelCnn {
    /// The parameters of every conditional at once, `[batch, event, parameters]`.
    ///
    /// Those of pixel p, channel k depend on the pixels before p in raster order, on the channels before k of pixel p,
    /// on the position and on the condition alone.
    pub fn conditionals(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        self.forward(x, condition, &mut Mode::Evaluate)
    }

    /// The image as maps `[batch, colours × features, rows, columns]`: scaled to −1 … 1 and, for few levels, with the
    /// thermometer bits \[x > 0\], \[x > 1\], …, which make the order of the levels visible to a linear map.
    fn features(&self, x: Tensor<2>) -> Tensor<4> {
        let [batch, _] = x.dims();
        let [colours, rows, columns] = self.spec.shape;
        let scaled = standardize_target(&self.spec, x.clone()).reshape([batch, colours, 1, rows * columns]);
        let maps = features_a_channel(&self.spec);
        let all = if maps == 1 {
            scaled
        } else {
            let x = x.reshape([batch, colours, 1, rows * columns]);
            let device = x.device();
            let thresholds = Tensor::<1, burn::tensor::Int>::arange(0..maps as i64 - 1, &device).float();
            let shape = [batch, colours, maps - 1, rows * columns];
            let bits = x.expand(shape).greater(thresholds.reshape([1, 1, maps - 1, 1]).expand(shape)).float();
            Tensor::cat(vec![scaled, bits], 2)
        };
        all.reshape([batch, colours * maps, rows, columns])
    }
}

impl Autoregressive for PixelCnn {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn likelihood(&self) -> &Likelihood {
        &self.likelihood
    }

    fn device(&self) -> Device {
        self.first.vertical.place.rows.val().device()
    }

    /// Pixel by pixel, and in a pixel channel by channel.
    fn order(&self) -> Vec<usize> {
        let [colours, rows, columns] = self.spec.shape;
        let pixels = rows * columns;
        (0..pixels).flat_map(|pixel| (0..colours).map(move |colour| colour * pixels + pixel)).collect()
    }

    fn forward(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let [batch, event] = x.dims();
        let [colours, rows, columns] = self.spec.shape;
        let condition = standardize_condition(&self.spec, condition);
        let features = self.features(x);
        // A constant 1, which the zeros outside turn into a mark of the inside.
        let inside = Tensor::ones([batch, 1, rows, columns], &features.device());
        let image = Tensor::cat(vec![features.clone(), inside], 1);

        // The first layer has no residual path: it would carry the pixel itself.
        let (mut vertical, mut horizontal) =
            self.first.forward(image.clone(), image, condition.as_ref(), self.dropout, mode);
        for layer in &self.layers {
            let (above, left) =
                layer.forward(vertical.clone(), horizontal.clone(), condition.as_ref(), self.dropout, mode);
            (vertical, horizontal) = (vertical + above, horizontal + left);
        }

        let horizontal = silu(horizontal);
        let per_channel = features.dims()[1] / colours;
        let outputs = self.heads.iter().enumerate().map(|(colour, head)| {
            let mut hidden = head.hidden.forward(horizontal.clone());
            if let Some(earlier) = &head.earlier {
                let seen = features.clone().slice([0..batch, 0..colour * per_channel, 0..rows, 0..columns]);
                hidden = hidden + earlier.forward(seen);
            }
            let output = head.output.forward(silu(hidden));
            output.reshape([batch, self.likelihood.parameters(), rows * columns]).swap_dims(1, 2)
        });
        Tensor::cat(outputs.collect(), 1).reshape([batch, event, self.likelihood.parameters()])
    }
}

#[cfg(test)]
mod tests;
