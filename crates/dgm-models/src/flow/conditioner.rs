//! The network of an invertible layer: what each number is transformed by, as a function of others.

use crate::layers::{Mode, linear};
use crate::ops::{Activation, dense};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use std::sync::Arc;

/// Sizes of a [`Conditioner`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes<'a> {
    /// Numbers that are seen.
    pub(crate) inputs: usize,
    /// Parameters that are given for each number that is transformed.
    pub(crate) parameters: usize,
    /// Numbers that are transformed: of an autoregressive network the inputs.
    pub(crate) outputs: usize,
    /// Widths of the hidden layers.
    pub(crate) hidden: &'a [usize],
    /// Features of a row that are seen too; 0: none.
    pub(crate) features: usize,
    /// Share of hidden units that are off in a training step.
    pub(crate) dropout: f64,
}

/// Fully connected layers; one as wide as the one before adds to it. Where it is autoregressive, connections are open only from inputs before
/// the output's own (Germain et al. 2015, "MADE", section 3). The last layer starts small, so that what it steers starts
/// next to the identity.
#[derive(Module, Debug)]
pub(crate) struct Conditioner {
    hidden: Vec<Linear>,
    output: Linear,
    /// 1 where a connection is open, for each layer; none where all are.
    #[module(skip)]
    open: Vec<Arc<[f32]>>,
    #[module(skip)]
    parameters: usize,
    #[module(skip)]
    dropout: f64,
}

impl Conditioner {
    pub(crate) fn new(sizes: Sizes<'_>, autoregressive: bool, rng: &mut Stream, device: &Device) -> Self {
        let Sizes { inputs, parameters, outputs, hidden, features, dropout } = sizes;
        let mut width = inputs + features;
        let mut layers = Vec::with_capacity(hidden.len());
        for &next in hidden {
            layers.push(match layers.is_empty() && features > 0 {
                true => beside(linear(inputs, next, rng, device), linear(features, next, rng, device)),
                false => linear(width, next, rng, device),
            });
            width = next;
        }
        let count = outputs * parameters;
        let output = linear(width, count, rng, device);
        let weight = Param::from_tensor(output.weight.val().mul_scalar(SMALL).detach());
        let output = Linear { weight, ..output };
        let open = if autoregressive { open_connections(inputs, features, hidden, parameters) } else { Vec::new() };
        Self { hidden: layers, output, open, parameters, dropout }
    }

    /// x `[n, inputs]` → `[n · outputs, parameters]`, given the features of each row, `[n, features]`.
    pub(crate) fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<2> {
        let x = squash(x);
        let mut h = match features {
            Some(features) => Tensor::cat(vec![x, features.clone()], 1),
            None => x,
        };
        for (place, layer) in self.hidden.iter().enumerate() {
            let next = mode.dropout(self.layer(place, layer, h.clone(), Activation::Silu), self.dropout);
            h = if place > 0 && next.dims() == h.dims() { h + next } else { next };
        }
        let y = self.layer(self.hidden.len(), &self.output, h, Activation::Identity);
        let [n, outputs] = y.dims();
        y.reshape([n * outputs / self.parameters.max(1), self.parameters])
    }

    /// The layer at this place, with its closed connections closed.
    fn layer(&self, place: usize, layer: &Linear, x: Tensor<2>, activation: Activation) -> Tensor<2> {
        let weight = layer.weight.val();
        let (shape, device) = (weight.dims(), weight.device());
        let weight = match self.open.get(place) {
            Some(open) => weight * Tensor::from_data(TensorData::new(open.to_vec(), shape), &device),
            None => weight,
        };
        let bias = layer.bias.as_ref().map_or_else(|| Tensor::zeros([shape[1]], &device), Param::val);
        dense(x, weight, bias, activation)
    }
}

/// One layer of two on inputs side by side, of which each keeps the weights that it began with: many features do not drown a few numbers.
fn beside(x: Linear, features: Linear) -> Linear {
    let weight = Tensor::cat(vec![x.weight.val(), features.weight.val()], 0);
    Linear { weight: Param::from_tensor(weight.detach()), ..x }
}

/// What the weights of the last layer begin at, as a share of those of any other.
pub(super) const SMALL: f64 = 0.01;

/// From here on x enters as its logarithm.
const FAR: f64 = 5.0;

/// x within ±5, and beyond it 5 + log(1 + |x| − 5) with its sign: what lies far outside the data steers nothing to extremes.
pub(super) fn squash(x: Tensor<2>) -> Tensor<2> {
    let near = x.clone().clamp(-FAR, FAR);
    let beyond = (x - near.clone()).clamp(-1e30, 1e30);
    near + beyond.clone().abs().log1p() * beyond.sign()
}

/// For each layer 1 where a connection is open, `[inputs, outputs]`: units are spread over the inputs that they may depend on, whatever the
/// width, and features are seen by all.
fn open_connections(inputs: usize, features: usize, hidden: &[usize], parameters: usize) -> Vec<Arc<[f32]>> {
    // What may be seen of each unit depends on inputs before this place.
    let mut before: Vec<usize> = (1..=inputs).chain(std::iter::repeat_n(0, features)).collect();
    let widths = hidden.iter().map(|&width| (0..width).map(|unit| unit * inputs / width).collect::<Vec<_>>());
    let last = (0..inputs * parameters).map(|output| output / parameters).collect();
    let between = |after: Vec<usize>| {
        let open = before.iter().flat_map(|from| after.iter().map(move |to| f32::from(u8::from(from <= to))));
        let open: Arc<[f32]> = open.collect();
        before = after;
        open
    };
    widths.chain([last]).map(between).collect()
}
