//! Causal transformer over the pixels of an image in raster order or the symbols of a text (Vaswani et al. 2017, "Attention
//! is all you need"; Chen et al. 2020, "Generative pretraining from pixels"), with layer normalisation before each part.
//!
//! The token of a pixel is made of its neighbours before it, so every position may attend to itself.

use super::{Arm, ArmBuilder, InputKind, Mode, Network, Pixels};
use crate::data::DataSpec;
use crate::error::ModelError;
use crate::layers::{LayerNorm, PointConv, TapConv, apply_at_places, linear, zeros};
use crate::likelihood::LikelihoodConfig;
use crate::ops::{Activation, Tap, attend, causal_attention, split_heads};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Transformer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerConfig {
    /// Width of the residual stream.
    pub channels: usize,
    /// Number of blocks: attention and a feed-forward part each.
    pub layers: usize,
    /// Number of attention heads, which divides `channels`.
    pub heads: usize,
    /// Width of the hidden layer of the feed-forward parts, in multiples of `channels`.
    pub expansion: usize,
    /// Receptive field of a token: this many values to the left, and in an image this many rows above, as far to both sides.
    pub reach: usize,
    /// Encoding of positions.
    pub positions: Positions,
    /// Dropout of the tokens and after each sub-layer.
    pub dropout: f64,
    /// Encoding of the target as an input. Default: see [`InputKind`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputKind>,
    /// Distribution that the outputs parameterise.
    pub likelihood: LikelihoodConfig,
}

/// Encoding of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// A learned vector for each row and one for each column, added to the token.
    Learned,
    /// Queries and keys rotated by angles that grow with the column, in an image half of them with the row (Su et al. 2021,
    /// "RoFormer").
    Rotary,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            channels: 64,
            layers: 4,
            heads: 4,
            expansion: 4,
            reach: 1,
            positions: Positions::Learned,
            dropout: 0.0,
            inputs: None,
            likelihood: LikelihoodConfig::CATEGORICAL,
        }
    }
}

/// p(x | c) with causal self-attention.
pub type Transformer = Arm<TransformerNetwork>;

impl TransformerConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        layers = [2, 4, 6]
        dropout = [0.0, 0.1, 0.2]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Transformer, ModelError> {
        let Self { channels, layers, heads, expansion, reach, .. } = *self;
        ModelError::check((1..=16_384).contains(&channels), "channels", channels, "1 to 16384")?;
        ModelError::check((1..=256).contains(&layers), "layers", layers, "1 to 256")?;
        let divides = heads >= 1 && channels.is_multiple_of(heads);
        ModelError::check(divides, "heads", heads, "a divisor of model.channels")?;
        ModelError::check((1..=64).contains(&expansion), "expansion", expansion, "1 to 64")?;
        ModelError::check((1..=64).contains(&reach), "reach", reach, "1 to 64")?;
        let [_, rows, columns] = spec.shape;
        // Pairs of features rotate, in an image as many with the row as with the column.
        let turning = if rows > 1 { 4 } else { 2 };
        let turns = self.positions == Positions::Learned || (channels / heads).is_multiple_of(turning);
        let what = "a number of heads whose width, model.channels / model.heads, is a multiple of 4 (2 for texts), for \
                    positions = \"rotary\"";
        ModelError::check(turns, "heads", heads, what)?;
        ModelError::check_dropout("dropout", self.dropout)?;
        // Except on flex, the scores of all pairs of places are made at once.
        let scores = (rows * columns).saturating_mul(rows * columns).saturating_mul(heads);
        if scores > 1 << 26 {
            return Err(ModelError::Data(format!(
                "targets of {} positions: the attention of {heads} heads makes {scores} numbers per example; expected at most \
                 67108864 (2^26); use shorter windows or smaller images, or kind = \"causal_conv\"",
                rows * columns
            )));
        }
        let shared = ArmBuilder::new(self.inputs, &self.likelihood, spec)?;

        let before = strictly_before(reach, rows);
        let width = 4 * channels + 2 * expansion * channels + spec.condition_width();
        let first = [before.len() * shared.features() + rows + columns, channels];
        shared.check_size("channels", channels, std::iter::repeat_n([width, channels], layers).chain([first]))?;
        let norm = || LayerNorm::new(channels, device);
        let blocks = (0..layers)
            .map(|_| Block {
                condition: spec.condition.as_ref().map(|c| linear(c.width(), channels, rng, device)),
                before_attention: norm(),
                attend: linear(channels, 3 * channels, rng, device),
                attended: linear(channels, channels, rng, device),
                before_feed_forward: norm(),
                expand: linear(channels, expansion * channels, rng, device),
                contract: linear(expansion * channels, channels, rng, device),
                heads,
            })
            .collect();
        let learned = |n: usize| (self.positions == Positions::Learned).then(|| zeros([n, channels], device));
        let network = TransformerNetwork {
            token: TapConv::new(shared.features(), channels, &before, rng, device),
            rows: learned(rows),
            columns: learned(columns),
            blocks,
            last: norm(),
            angles: (self.positions == Positions::Rotary).then(|| angles([rows, columns], channels / heads)),
            shape: [rows, columns],
            dropout: self.dropout,
        };
        Ok(shared.build(network, channels, rng, device))
    }
}

/// The places within `reach` that come before a pixel in raster order.
fn strictly_before(reach: usize, rows: usize) -> Vec<Tap> {
    let far = reach as isize;
    let left = (-far..0).map(|column| [0, column]);
    let above = (1..=far.min(rows as isize - 1)).flat_map(move |row| (-far..=far).map(move |column| [-row, column]));
    left.chain(above).collect()
}

/// h + attention(norm(h)), then h + feed-forward(norm(h)).
#[derive(Module, Debug)]
struct Block {
    condition: Option<Linear>,
    before_attention: LayerNorm,
    attend: Linear,
    attended: Linear,
    before_feed_forward: LayerNorm,
    expand: Linear,
    contract: Linear,
    #[module(skip)]
    heads: usize,
}

impl Block {
    /// Queries, keys and values of tokens `[n, length, channels]`, `[n, length, 3·channels]`; turned where places are told so, those
    /// from `first` on.
    fn project(&self, h: Tensor<3>, condition: Option<&Tensor<2>>, turn: Option<&Turn>, first: usize) -> Tensor<3> {
        let mut x = self.before_attention.forward(h);
        if let Some((linear, condition)) = self.condition.as_ref().zip(condition) {
            x = x + linear.forward(condition.clone()).unsqueeze_dim(1);
        }
        let projections = apply_at_places(&self.attend, x, Activation::Identity);
        match turn {
            Some(turn) => turn.of_places(projections, self.heads, first),
            None => projections,
        }
    }

    /// The rest of the block, from what the heads attended to, `[n, length, channels]`.
    fn close(&self, h: Tensor<3>, attended: Tensor<3>, dropout: f64, mode: &mut Mode) -> Tensor<3> {
        let attended = apply_at_places(&self.attended, attended, Activation::Identity);
        let h = h + mode.dropout(attended, dropout);
        // The square of ReLU (So et al. 2021, "Primer"): no worse than GELU, and no error function.
        let hidden =
            apply_at_places(&self.expand, self.before_feed_forward.forward(h.clone()), Activation::SquaredRelu);
        h + mode.dropout(apply_at_places(&self.contract, hidden, Activation::Identity), dropout)
    }
}

/// Tokens of the pixels before, blocks of attention, and a last normalisation.
#[derive(Module, Debug)]
pub struct TransformerNetwork {
    token: TapConv,
    rows: Option<Param<Tensor<2>>>,
    columns: Option<Param<Tensor<2>>>,
    blocks: Vec<Block>,
    last: LayerNorm,
    /// By how much each pair of features rotates at each position, `length × pairs`.
    #[module(skip)]
    angles: Option<Vec<f32>>,
    #[module(skip)]
    shape: [usize; 2],
    #[module(skip)]
    dropout: f64,
}

impl TransformerNetwork {
    /// What is learned of every place, `[1, length, channels]`; `None` where places are told by turning.
    fn places(&self) -> Option<Tensor<3>> {
        let (rows, columns) = self.rows.as_ref().zip(self.columns.as_ref())?;
        let [height, width] = self.shape;
        let [_, channels] = rows.dims();
        let all = rows.val().unsqueeze_dim::<3>(1) + columns.val().unsqueeze_dim::<3>(0);
        Some(all.reshape([1, height * width, channels]))
    }

    /// The angles of every place, where queries and keys turn.
    fn turn(&self) -> Option<Turn> {
        let angles = self.angles.as_ref()?;
        let [rows, columns] = self.shape;
        let length = rows * columns;
        let device = self.token.device();
        let table = |f: fn(f32) -> f32| {
            let all: Vec<f32> = angles.iter().copied().map(f).collect();
            Tensor::from_data(TensorData::new(all, [1, length, 1, 1, angles.len() / length]), &device)
        };
        Some(Turn { cos: table(f32::cos), sin: table(f32::sin) })
    }
}

impl Network for TransformerNetwork {
    fn forward(&self, inputs: Tensor<4>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<4> {
        let tokens = self.token.forward(inputs);
        let [n, channels, rows, columns] = tokens.dims();
        let length = rows * columns;
        let mut h = tokens.reshape([n, channels, length]).swap_dims(1, 2);
        if let Some(places) = self.places() {
            h = h + places;
        }
        h = mode.dropout(h, self.dropout);
        let turn = self.turn();
        for block in &self.blocks {
            let projections = block.project(h.clone(), condition, turn.as_ref(), 0);
            h = block.close(h, causal_attention(projections, block.heads), self.dropout, mode);
        }
        self.last.forward(h).swap_dims(1, 2).reshape([n, channels, rows, columns])
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Pixels + '_> {
        let device = self.device();
        let (channels, length) = (self.token.outputs(), self.shape[0] * self.shape[1]);
        let cache = |block: &Block| {
            let none = Tensor::zeros([n, block.heads, GROWTH.min(length), channels / block.heads], &device);
            (none.clone(), none)
        };
        Box::new(TransformerPixels {
            token: self.token.at_one_position(),
            outside: Tensor::zeros([n, self.token.inputs()], &device),
            places: self.places(),
            turn: self.turn(),
            caches: self.blocks.iter().map(cache).collect(),
            condition: condition.cloned(),
            inputs: Vec::new(),
            network: self,
        })
    }

    fn device(&self) -> Device {
        self.token.device()
    }
}

/// Place × frequency, for each position and each pair of `width` features; in an image every second pair rotates with the row.
fn angles([rows, columns]: [usize; 2], width: usize) -> Vec<f32> {
    let pairs = width / 2;
    let axes = if rows > 1 { 2 } else { 1 };
    let frequency = |pair: usize| 10_000f64.powf(-((pair / axes) as f64) / (pairs / axes).max(1) as f64);
    let frequencies: Vec<f64> = (0..pairs).map(frequency).collect();
    let of_place = |row: usize, column: usize| {
        let along = move |pair: usize| if axes == 2 && pair % 2 == 1 { row } else { column } as f64;
        frequencies.iter().enumerate().map(move |(pair, frequency)| (frequency * along(pair)) as f32)
    };
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .flat_map(|(row, column)| of_place(row, column))
        .collect()
}

/// Rotations of queries and keys: number j of the first half and of the second half are a pair, turned by place × frequency.
struct Turn {
    /// `[1, length, 1, 1, width / 2]`
    cos: Tensor<5>,
    sin: Tensor<5>,
}

impl Turn {
    /// Projections `[n, length, 3·channels]` of the places from `first` on, with queries and keys turned.
    fn of_places(&self, projections: Tensor<3>, heads: usize, first: usize) -> Tensor<3> {
        let [n, length, all] = projections.dims();
        let pairs = all / (6 * heads);
        let x = projections.reshape([n, length, 3, heads, 2 * pairs]);
        let of = |table: &Tensor<5>| table.clone().slice([0..1, first..first + length, 0..1, 0..1, 0..pairs]);
        let (cos, sin) = (of(&self.cos), of(&self.sin));
        let part = |kinds, features| x.clone().slice([0..n, 0..length, kinds, 0..heads, features]);
        let (a, b) = (part(0..2, 0..pairs), part(0..2, pairs..2 * pairs));
        let turned = a.clone() * cos.clone() - b.clone() * sin.clone();
        let turned = Tensor::cat(vec![turned, a * sin + b * cos], 4);
        Tensor::cat(vec![turned, part(2..3, 0..2 * pairs)], 2).reshape([n, length, all])
    }
}

/// Places by which the caches of keys and values grow. Attention reads them whole, without a copy of a part, and is told which
/// are not there yet.
const GROWTH: usize = 64;

/// Where sampling stands: the keys and values of every block so far.
struct TransformerPixels<'a> {
    network: &'a TransformerNetwork,
    token: PointConv,
    places: Option<Tensor<3>>,
    turn: Option<Turn>,
    /// Keys and values `[n, heads, places, channels / heads]`, zeros where none are yet.
    caches: Vec<(Tensor<4>, Tensor<4>)>,
    condition: Option<Tensor<2>>,
    /// Of all pixels so far.
    inputs: Vec<Tensor<2>>,
    /// What stands outside the image.
    outside: Tensor<2>,
}

impl TransformerPixels<'_> {
    /// What a tap from pixel `here` sees.
    fn tap(&self, here: usize, [row, column]: Tap) -> Tensor<2> {
        let width = self.network.shape[1];
        let column = (here % width).checked_add_signed(column).filter(|&column| column < width);
        let row = (here / width).checked_add_signed(row);
        let seen = row.zip(column).and_then(|(row, column)| self.inputs.get(row * width + column));
        seen.unwrap_or(&self.outside).clone()
    }
}

impl Pixels for TransformerPixels<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<2> {
        self.inputs.extend(previous);
        let here = self.inputs.len();
        let taps = self.network.token.taps().iter().map(|&tap| self.tap(here, tap)).collect();
        let mut h = self.token.forward(taps).unsqueeze_dim::<3>(1);
        let [n, _, channels] = h.dims();
        if let Some(places) = &self.places {
            h = h + places.clone().slice([0..1, here..here + 1, 0..channels]);
        }
        let length = self.network.shape[0] * self.network.shape[1];
        let places = (here + 1).next_multiple_of(GROWTH).min(length);
        let later = Tensor::<1, Int>::arange(0..places as i64, &h.device()).greater_elem(here as i64);
        let later = later.reshape([1, 1, 1, places]);
        for (block, (keys, values)) in self.network.blocks.iter().zip(&mut self.caches) {
            let projections = block.project(h.clone(), self.condition.as_ref(), self.turn.as_ref(), here);
            let [query, key, value] = split_heads(projections, block.heads);
            let [_, heads, _, width] = key.dims();
            let now = [0..n, 0..heads, here..here + 1, 0..width];
            // Taken out, so that there is no other owner and they are written in place.
            let take = |cache: &mut Tensor<4>| {
                let cache = std::mem::replace(cache, Tensor::empty([1, 1, 1, 1], &h.device()));
                match places - cache.dims()[2] {
                    0 => cache,
                    more => Tensor::cat(vec![cache, Tensor::zeros([n, heads, more, width], &h.device())], 2),
                }
            };
            *keys = take(keys).slice_assign(now.clone(), key);
            *values = take(values).slice_assign(now, value);
            let attended = attend(query, keys.clone(), values.clone(), Some(later.clone()));
            let attended = attended.swap_dims(1, 2).reshape([n, 1, channels]);
            h = block.close(h, attended, 0.0, &mut Mode::Evaluate);
        }
        self.network.last.forward(h).squeeze_dim(1)
    }
}
