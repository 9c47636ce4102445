//! Gated PixelCNN (van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders").
//!
//! Two stacks and so no blind spot: the vertical one sees the rows above, the horizontal one the pixels to the left and,
//! through the vertical one shifted down a row, those above and to the right. With `L` layers a pixel sees `L + 1` rows above it,
//! in them `L` columns to each side at the most, and `L + 1` pixels to its left.

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

/// Configuration of [`PixelCnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PixelCnnConfig {
    /// Channels of each stack's residual stream.
    pub channels: usize,
    /// Number of gated layers L: a pixel sees L + 1 rows above and L + 1 pixels to its left.
    pub layers: usize,
    /// Dropout after each gate.
    pub dropout: f64,
    /// Encoding of the target as an input. Default: see [`InputKind`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputKind>,
    /// Distribution that the outputs parameterise.
    pub likelihood: LikelihoodConfig,
}

impl Default for PixelCnnConfig {
    fn default() -> Self {
        Self { channels: 40, layers: 6, dropout: 0.0, inputs: None, likelihood: LikelihoodConfig::CATEGORICAL }
    }
}

/// Pixels in the same row or above, within one column: with the shift of a row down, strictly above.
const VERTICAL: [Tap; 6] = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 0], [0, 1]];
/// Columns of `VERTICAL`.
const WIDTH: usize = 3;
/// Strictly to the left: the first layer, which reads the image itself.
const STRICTLY_LEFT: [Tap; 2] = [[0, -2], [0, -1]];
/// The position itself and its left neighbour.
const LEFT: [Tap; 2] = [[0, -1], [0, 0]];
const HERE: [Tap; 1] = [[0, 0]];
/// One row up: brings the vertical stack's features of the row above.
const ABOVE: [Tap; 1] = [[-1, 0]];

/// p(x | c) with the two stacks of a gated PixelCNN.
pub type PixelCnn = Arm<PixelCnnNetwork>;

impl PixelCnnConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        channels = [32, 64, 96]
        layers = [4, 6, 8]
        dropout = [0.0, 0.2, 0.4]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<PixelCnn, ModelError> {
        ModelError::check((1..=16_384).contains(&self.channels), "channels", self.channels, "1 to 16384")?;
        ModelError::check((1..=256).contains(&self.layers), "layers", self.layers, "1 to 256")?;
        ModelError::check_dropout("dropout", self.dropout)?;
        let shared = ArmBuilder::new(self.inputs, &self.likelihood, spec)?;

        let [_, rows, columns] = spec.shape;
        let (channels, features) = (self.channels, shared.features());
        // Both stacks' convolutions with their places, the two projections and the way down.
        let inputs = features.max(channels) * (VERTICAL.len() + LEFT.len()) + 2 * (rows + columns) + 3 * channels;
        let inputs = inputs + 2 * spec.condition_width();
        shared.check_size("channels", channels, std::iter::repeat_n([inputs, 2 * channels], self.layers))?;
        let mut layer = |inputs: usize, left: &[Tap]| {
            let mut gated = |taps: &[Tap]| Gated {
                conv: TapConv::new(inputs, 2 * channels, taps, rng, device),
                place: Place::new(2 * channels, rows, columns, device),
                condition: spec.condition.as_ref().map(|c| linear(c.width(), 2 * channels, rng, device)),
                project: TapConv::new(channels, channels, &HERE, rng, device),
            };
            let (vertical, horizontal) = (gated(&VERTICAL), gated(left));
            Layer { vertical, horizontal, down: TapConv::new(2 * channels, 2 * channels, &ABOVE, rng, device) }
        };
        let first = layer(features, &STRICTLY_LEFT);
        let layers = (1..self.layers).map(|_| layer(channels, &LEFT)).collect();
        let network = PixelCnnNetwork { first, layers, dropout: self.dropout };
        Ok(shared.build(network, channels, rng, device))
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

    /// Those of one row, `[1, channels, 1, columns]`.
    fn of_row(&self, row: usize) -> Tensor<4> {
        let [_, channels, _, _] = self.rows.dims();
        self.rows.val().slice([0..1, 0..channels, row..row + 1, 0..1]) + self.columns.val()
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
        let place = self.place.rows.val() + self.place.columns.val();
        let base = match self.offset(condition) {
            Some(offset) => place + offset,
            None => place,
        };
        self.conv.fused(x, Before::IDENTITY, Some(base))
    }

    /// What the condition adds, `[n, 2 × channels, 1, 1]`.
    fn offset(&self, condition: Option<&Tensor<2>>) -> Option<Tensor<4>> {
        let (linear, condition) = self.condition.as_ref().zip(condition)?;
        let offset = linear.forward(condition.clone());
        let [n, channels] = offset.dims();
        Some(offset.reshape([n, channels, 1, 1]))
    }

    /// base + projection(dropout(gate(content))).
    fn close(&self, content: Tensor<4>, base: Option<Tensor<4>>, dropout: f64, mode: &mut Mode) -> Tensor<4> {
        self.project.of_gate(content, base, dropout, mode)
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
    /// The vertical and the horizontal stack after the layer, which is added to what stood there where it is `residual`.
    fn forward(
        &self,
        [vertical, horizontal]: [Tensor<4>; 2],
        residual: bool,
        condition: Option<&Tensor<2>>,
        dropout: f64,
        mode: &mut Mode,
    ) -> [Tensor<4>; 2] {
        let above = self.vertical.content(vertical.clone(), condition);
        let left = self.horizontal.content(horizontal.clone(), condition);
        let left = self.down.fused(above.clone(), Before::IDENTITY, Some(left));
        let base = |x: Tensor<4>| residual.then_some(x);
        [
            self.vertical.close(above, base(vertical), dropout, mode),
            self.horizontal.close(left, base(horizontal), dropout, mode),
        ]
    }
}

/// The two stacks.
#[derive(Module, Debug)]
pub struct PixelCnnNetwork {
    first: Layer,
    layers: Vec<Layer>,
    #[module(skip)]
    dropout: f64,
}

impl Network for PixelCnnNetwork {
    fn forward(&self, inputs: Tensor<4>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<4> {
        // The first layer has no residual path: it would carry the pixel itself.
        let mut stacks = self.first.forward([inputs.clone(), inputs], false, condition, self.dropout, mode);
        for layer in &self.layers {
            stacks = layer.forward(stacks, true, condition, self.dropout, mode);
        }
        let [_, horizontal] = stacks;
        horizontal
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Pixels + '_> {
        let [_, _, _, columns] = self.first.vertical.place.columns.dims();
        let device = self.device();
        let rows = |layer: &Layer| Tensor::zeros([n, layer.vertical.conv.inputs(), 1, columns], &device);
        let all = || std::iter::once(&self.first).chain(&self.layers);
        let mut pixels = PixelCnnPixels {
            stacks: all().map(|layer| LayerAtOnePosition::new(layer, rows(layer), condition)).collect(),
            columns,
            row: 0,
            inputs: Vec::new(),
            outside: Tensor::zeros([n, self.first.horizontal.conv.inputs()], &device),
        };
        pixels.begin_row(None);
        Box::new(pixels)
    }

    fn device(&self) -> Device {
        self.first.down.device()
    }
}

/// Where a layer stands. The vertical stack goes row by row, once the row above is known; the horizontal one pixel by pixel.
struct LayerAtOnePosition<'a> {
    layer: &'a Layer,
    vertical: Box<dyn Fn(Tensor<4>) -> Tensor<4>>,
    vertical_offset: Option<Tensor<4>>,
    horizontal: PointConv,
    horizontal_offset: Option<Tensor<4>>,
    project: PointConv,
    /// What the vertical convolution saw in the row before, `[n, inputs, 1, columns]`.
    above: Tensor<4>,
    /// What enters the gates of the present row, without what comes from the left: `[n, 2 × channels]` for each column.
    from_above: Vec<Tensor<2>>,
    /// What the horizontal convolution saw at the pixel to the left.
    left: Option<Tensor<2>>,
}

impl<'a> LayerAtOnePosition<'a> {
    fn new(layer: &'a Layer, above: Tensor<4>, condition: Option<&Tensor<2>>) -> Self {
        Self {
            layer,
            vertical: Box::new(layer.vertical.conv.of_stacked_rows(WIDTH)),
            vertical_offset: layer.vertical.offset(condition),
            horizontal: layer.horizontal.conv.at_one_position(),
            horizontal_offset: layer.horizontal.offset(condition),
            project: layer.horizontal.project.at_one_position(),
            above,
            from_above: Vec::new(),
            left: None,
        }
    }

    /// What enters the vertical gate in row `row`, whose inputs are `x`.
    fn vertical_content(&mut self, row: usize, x: Tensor<4>) -> Tensor<4> {
        let above = std::mem::replace(&mut self.above, x.clone());
        let content = (self.vertical)(Tensor::cat(vec![above, x], 1)) + self.layer.vertical.place.of_row(row);
        match &self.vertical_offset {
            Some(offset) => content + offset.clone(),
            None => content,
        }
    }

    /// Begins row `row`, given what enters the vertical gate in the row above it.
    fn begin_row(&mut self, row: usize, content_above: Option<Tensor<4>>) {
        self.left = None;
        let [n, _, _, columns] = self.above.dims();
        let content_above = content_above
            .unwrap_or_else(|| Tensor::zeros([n, self.layer.down.inputs(), 1, columns], &self.above.device()));
        let mut offset = self.layer.down.at_height_one(content_above) + self.layer.horizontal.place.of_row(row);
        if let Some(condition) = &self.horizontal_offset {
            offset = offset + condition.clone();
        }
        let [_, channels, _, _] = offset.dims();
        let by_column = offset.reshape([n, channels, columns]).permute([2, 0, 1]);
        self.from_above = (0..columns)
            .map(|c| by_column.clone().slice([c..c + 1, 0..n, 0..channels]).reshape([n, channels]))
            .collect();
    }

    /// What the layer adds to the horizontal stack at a column of the present row.
    fn horizontal(&self, column: usize, left: Tensor<2>, here: Tensor<2>) -> Tensor<2> {
        let content = self.horizontal.forward(vec![left, here]) + self.from_above[column].clone();
        let [n, channels] = content.dims();
        self.project.forward(vec![gate(content.reshape([n, channels, 1, 1])).reshape([n, channels / 2])])
    }
}

/// Where sampling stands.
struct PixelCnnPixels<'a> {
    stacks: Vec<LayerAtOnePosition<'a>>,
    columns: usize,
    row: usize,
    /// Of the present row, as far as they are known.
    inputs: Vec<Tensor<2>>,
    /// What stands outside the image.
    outside: Tensor<2>,
}

impl PixelCnnPixels<'_> {
    /// `above`: the inputs of the row above, `[n, features, 1, columns]`; none for the first row.
    fn begin_row(&mut self, above: Option<Tensor<4>>) {
        let mut vertical = above;
        let mut residual = false;
        for stack in &mut self.stacks {
            let content = match (vertical.take(), self.row.checked_sub(1)) {
                (Some(x), Some(above)) => {
                    let content = stack.vertical_content(above, x.clone());
                    let base = residual.then_some(x);
                    vertical = Some(stack.layer.vertical.close(content.clone(), base, 0.0, &mut Mode::Evaluate));
                    Some(content)
                }
                _ => None,
            };
            residual = true;
            stack.begin_row(self.row, content);
        }
    }
}

impl Pixels for PixelCnnPixels<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<2> {
        self.inputs.extend(previous);
        if self.inputs.len() == self.columns {
            self.row += 1;
            let row = std::mem::take(&mut self.inputs);
            self.begin_row(Some(Tensor::stack::<3>(row, 2).unsqueeze_dim(2)));
        }
        let column = self.inputs.len();
        let back = |by: usize| column.checked_sub(by).map_or_else(|| self.outside.clone(), |c| self.inputs[c].clone());
        let mut h: Option<Tensor<2>> = None;
        for stack in &mut self.stacks {
            h = Some(match h {
                // The first layer reads the image itself, strictly to the left, and has no residual path.
                None => stack.horizontal(column, back(2), back(1)),
                Some(h) => {
                    let left = stack.left.replace(h.clone()).unwrap_or_else(|| h.zeros_like());
                    h.clone() + stack.horizontal(column, left, h)
                }
            });
        }
        h.unwrap_or_else(|| self.outside.clone())
    }
}
