//! What the networks are made of. Weights are drawn on the host, so they are the same on every backend.

mod image;
mod residual;

use crate::data::{DataSpec, Values};
use crate::ops::{Activation, Before, Tap, dense, fused_tap_conv2d, gate, layer_norm, tap_conv2d};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
pub use image::Resample;
pub(crate) use image::{AROUND, Down, ResidualConv, Up, depth_to_space, halved, space_to_depth};
pub use residual::Residual;
use serde::{Deserialize, Serialize};

/// Training, with noise for dropout, or evaluation, without.
#[derive(Debug)]
pub enum Mode<'a> {
    /// With this noise.
    Train(&'a mut Stream),
    /// Evaluation of one of the networks that dropout makes: the same units are off for all examples.
    OneMask(&'a mut Stream),
    /// Without.
    Evaluate,
}

impl Mode<'_> {
    /// Inverted dropout while training; the identity otherwise.
    pub fn dropout<const D: usize>(&mut self, x: Tensor<D>, rate: f64) -> Tensor<D> {
        match self {
            Self::Train(noise) if rate > 0.0 => {
                let factors = noise.dropout_tensor(rate, x.dims(), &x.device());
                x * factors
            }
            Self::OneMask(noise) if rate > 0.0 => {
                let shape = x.dims();
                let mut of_one = shape;
                of_one[0] = 1;
                let factors = noise.dropout_tensor(rate, of_one, &x.device());
                x * factors.expand(shape)
            }
            _ => x,
        }
    }

    /// Normal noise of standard deviation `std` while training; the identity otherwise.
    pub(crate) fn jitter<const D: usize>(&mut self, x: Tensor<D>, std: f64) -> Tensor<D> {
        match self {
            Self::Train(noise) if std > 0.0 => {
                let normal = noise.normal_tensor(x.dims(), &x.device());
                x + normal.mul_scalar(std)
            }
            _ => x,
        }
    }
}

/// U(−a, a) with a = 1 / √fan_in.
fn uniform<const D: usize>(shape: [usize; D], fan_in: usize, rng: &mut Stream, device: &Device) -> Param<Tensor<D>> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    let n = shape.iter().product();
    let values: Vec<f32> = rng.uniforms(n).into_iter().map(|u| (2.0 * u - 1.0) * bound).collect();
    Param::from_data(TensorData::new(values, shape), device)
}

/// A parameter that starts at 0.
pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_data(TensorData::zeros::<f32, _>(shape), device)
}

/// A linear layer with weights from U(−1/√inputs, 1/√inputs) and biases of 0.
pub fn linear(inputs: usize, outputs: usize, rng: &mut Stream, device: &Device) -> Linear {
    Linear { weight: uniform([inputs, outputs], inputs, rng, device), bias: Some(zeros([outputs], device)) }
}

/// φ(layer(x)) as one operation.
pub(crate) fn apply(layer: &Linear, x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let weight = layer.weight.val();
    let bias = match &layer.bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([weight.dims()[1]], &weight.device()),
    };
    dense(x, weight, bias, activation)
}

/// φ(layer(x)) at every place of `x` `[n, length, inputs]`.
pub(crate) fn apply_at_places(layer: &Linear, x: Tensor<3>, activation: Activation) -> Tensor<3> {
    let [n, length, inputs] = x.dims();
    let y = apply(layer, x.reshape([n * length, inputs]), activation);
    let [_, outputs] = y.dims();
    y.reshape([n, length, outputs])
}

/// Layer normalisation with weights that start at 1 and biases that start at 0.
///
/// It is named as Burn's own: by that name Burn's adapters know that PyTorch calls γ `weight` and β `bias`.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Of so many features.
    pub(crate) fn new(features: usize, device: &Device) -> Self {
        let ones = TensorData::ones::<f32, _>([features]);
        Self { gamma: Param::from_data(ones, device), beta: zeros([features], device) }
    }

    /// Each row of the last dimension on its own, with ε = 1e-5.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.gamma.val(), self.beta.val(), 1e-5)
    }
}

/// The activation of a hidden layer, as a configuration names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenActivation {
    /// z·σ(z).
    #[default]
    Silu,
    /// max(z, 0).
    Relu,
    /// max(z, 0)².
    SquaredRelu,
    /// z for z > 0, otherwise z / 100.
    LeakyRelu,
    /// z·Φ(z) with the normal distribution function Φ.
    Gelu,
    /// tanh z.
    Tanh,
}

impl HiddenActivation {
    /// φ(layer(x)).
    pub(crate) fn after(self, layer: &Linear, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Silu => apply(layer, x, Activation::Silu),
            Self::Relu => apply(layer, x, Activation::Relu),
            Self::SquaredRelu => apply(layer, x, Activation::SquaredRelu),
            Self::LeakyRelu => apply(layer, x, Activation::LeakyRelu(0.01)),
            Self::Gelu => gelu(apply(layer, x, Activation::Identity)),
            Self::Tanh => apply(layer, x, Activation::Identity).tanh(),
        }
    }
}

/// Linear layers, each followed by an activation and dropout.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    #[module(skip)]
    activation: HiddenActivation,
    #[module(skip)]
    inputs: usize,
    #[module(skip)]
    dropout: f64,
}

impl Mlp {
    /// From `inputs` over these widths; dropout after each layer.
    pub fn new(inputs: usize, hidden: &[usize], dropout: f64, rng: &mut Stream, device: &Device) -> Self {
        let mut width = inputs;
        let layers = hidden
            .iter()
            .map(|&outputs| linear(std::mem::replace(&mut width, outputs), outputs, rng, device))
            .collect();
        Self { layers, activation: HiddenActivation::default(), inputs, dropout }
    }

    /// The same with this activation; the default is SiLU.
    pub fn with_activation(self, activation: HiddenActivation) -> Self {
        Self { activation, ..self }
    }

    /// The last width; the number of inputs where there is no layer.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |layer| layer.weight.val().dims()[1])
    }

    /// `[batch, inputs]` → `[batch, the last width]`, or the inputs themselves where there is no layer.
    pub fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| mode.dropout(self.activation.after(layer, x), self.dropout))
    }
}

/// A convolution over open taps: see [`tap_conv2d`].
#[derive(Module, Debug)]
pub struct TapConv {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    taps: Vec<Tap>,
}

impl TapConv {
    /// Weights from U(−1/√fan_in, 1/√fan_in) with fan_in = inputs × taps, biases of 0.
    pub fn new(inputs: usize, outputs: usize, taps: &[Tap], rng: &mut Stream, device: &Device) -> Self {
        Self {
            weight: uniform([outputs, inputs, taps.len()], inputs * taps.len(), rng, device),
            bias: zeros([outputs], device),
            taps: taps.to_vec(),
        }
    }

    /// The same with its weights multiplied by this.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { weight: Param::from_tensor(self.weight.val().mul_scalar(factor).detach()), ..self }
    }

    /// `[b, inputs, h, w]` → `[b, outputs, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        tap_conv2d(x, self.weight.val(), self.bias.val(), &self.taps)
    }

    /// base + the convolution of what `before` makes of `x`: see [`fused_tap_conv2d`].
    pub fn fused(&self, x: Tensor<4>, before: Before, base: Option<Tensor<4>>) -> Tensor<4> {
        fused_tap_conv2d(x, before, self.weight.val(), self.bias.val(), &self.taps, base)
    }

    /// base + the convolution of dropout(gate(content)).
    pub(crate) fn of_gate(
        &self,
        content: Tensor<4>,
        base: Option<Tensor<4>>,
        dropout: f64,
        mode: &mut Mode,
    ) -> Tensor<4> {
        if matches!(mode, Mode::Train(_)) && dropout > 0.0 {
            return self.fused(mode.dropout(gate(content), dropout), Before::IDENTITY, base);
        }
        self.fused(content, Before::Gate, base)
    }

    /// What it sees, as it was given to [`new`](Self::new).
    pub(crate) fn taps(&self) -> &[Tap] {
        &self.taps
    }

    pub(crate) fn inputs(&self) -> usize {
        self.weight.val().dims()[1]
    }

    pub(crate) fn outputs(&self) -> usize {
        self.weight.val().dims()[0]
    }

    pub(crate) fn device(&self) -> Device {
        self.bias.val().device()
    }

    /// The same convolution at one position.
    pub(crate) fn at_one_position(&self) -> PointConv {
        let [outputs, inputs, taps] = self.weight.val().dims();
        let weight = self.weight.val().permute([2, 1, 0]).reshape([taps * inputs, outputs]);
        PointConv { weight, bias: self.bias.val().reshape([1, outputs]) }
    }

    /// The convolution with its one tap moved to the position itself.
    pub(crate) fn at_height_one(&self, x: Tensor<4>) -> Tensor<4> {
        tap_conv2d(x, self.weight.val(), self.bias.val(), &[[0, 0]])
    }

    /// The same convolution for a row at a time, where the taps are full rows of columns −c … c, one row after the other:
    /// from the rows that they see, as channels, `[n, taps' rows × inputs, 1, columns]` → `[n, outputs, 1, columns]`.
    pub(crate) fn of_stacked_rows(&self, columns: usize) -> impl Fn(Tensor<4>) -> Tensor<4> + use<> {
        let [outputs, inputs, taps] = self.weight.val().dims();
        let rows = taps / columns;
        let weight = self.weight.val().reshape([outputs, inputs, rows, columns]);
        let weight = weight.permute([0, 2, 1, 3]).reshape([outputs, rows * inputs, columns]);
        let bias = self.bias.val();
        let side = (columns / 2) as isize;
        let taps: Vec<Tap> = (-side..=side).map(|column| [0, column]).collect();
        move |x| tap_conv2d(x, weight.clone(), bias.clone(), &taps)
    }
}

/// A convolution at one position: y = W · \[x at the first tap, x at the second, …\] + b.
pub(crate) struct PointConv {
    /// `[taps × inputs, outputs]`
    weight: Tensor<2>,
    /// `[1, outputs]`
    bias: Tensor<2>,
}

impl PointConv {
    /// The inputs at each tap, `[n, inputs]`, in the order of the list → `[n, outputs]`.
    pub(crate) fn forward(&self, mut taps: Vec<Tensor<2>>) -> Tensor<2> {
        let x = match taps.pop() {
            Some(only) if taps.is_empty() => only,
            last => Tensor::cat(taps.into_iter().chain(last).collect(), 1),
        };
        x.matmul(self.weight.clone()) + self.bias.clone()
    }
}

/// The target as a network sees it: levels scaled to −1 … 1, real numbers as they travel, standardised.
pub fn network_target(spec: &DataSpec, target: Tensor<2>) -> Tensor<2> {
    match &spec.values {
        Values::Levels(levels) => target.mul_scalar(2.0 / (*levels as f64 - 1.0)).sub_scalar(1.0),
        Values::Real(_) | Values::Columns(_) => target,
    }
}

/// What a network gave as the target, as it stands in a batch: the nearest level of each, real numbers as they are. The way back from
/// [`network_target`].
pub(crate) fn from_network(spec: &DataSpec, x: Tensor<2>) -> Tensor<2> {
    match &spec.values {
        Values::Levels(_) => expected_levels(spec, x).round(),
        Values::Real(_) | Values::Columns(_) => x,
    }
}

/// The same without rounding: what a mean over levels may be.
pub(crate) fn expected_levels(spec: &DataSpec, x: Tensor<2>) -> Tensor<2> {
    match &spec.values {
        Values::Levels(levels) => {
            let highest = *levels as f64 - 1.0;
            x.add_scalar(1.0).mul_scalar(0.5 * highest).clamp(0.0, highest)
        }
        Values::Real(_) | Values::Columns(_) => x,
    }
}

/// The condition of a batch; `None` for data without one.
///
/// # Panics
/// If the data have a condition and the batch has none: a caller's slip, as data and model come from one description.
pub fn condition_of(spec: &DataSpec, condition: Option<&Tensor<2>>) -> Option<Tensor<2>> {
    let spec = spec.condition.as_ref()?;
    assert!(condition.is_some(), "the model takes a condition of {} elements, and the batch has none", spec.width());
    condition.cloned()
}

/// Appends the condition, where the data have one.
pub fn with_condition(spec: &DataSpec, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<2> {
    match condition_of(spec, condition) {
        Some(condition) => Tensor::cat(vec![x, condition], 1),
        None => x,
    }
}
