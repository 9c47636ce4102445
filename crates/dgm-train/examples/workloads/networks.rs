//! The networks of the comparison, of this library's parts.

use crate::inputs::uniform;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::ops::{bernoulli_log_prob, categorical_log_prob};
use dgm_models::ops::{Activation, Before, Tap, dense, fused_tap_conv2d};

/// The first weights' seed; each layer after it has the next.
const FIRST_SEED: u32 = 100;

fn layer(x: Tensor<2>, layer: &Linear, activation: Activation) -> Tensor<2> {
    let bias = layer.bias.as_ref().expect("a bias").val();
    dense(x, layer.weight.val(), bias, activation)
}

fn linear(inputs: usize, outputs: usize, seed: u32, device: &Device) -> Linear {
    let bound = 1.0 / (inputs as f32).sqrt();
    let weights: Vec<f32> = uniform(inputs * outputs, seed).map(|u| u * 2.0 * bound - bound).collect();
    Linear {
        weight: Param::from_data(TensorData::new(weights, [inputs, outputs]), device),
        bias: Some(Param::from_data(TensorData::zeros::<f32, _>([outputs]), device)),
    }
}

/// Mean and log-variance of y given x.
#[derive(Module, Debug)]
pub(crate) struct ConditionalMlp {
    layers: Vec<Linear>,
}

impl ConditionalMlp {
    pub(crate) fn new(widths: &[usize], device: &Device) -> Self {
        let layers = widths.windows(2).zip(FIRST_SEED..);
        Self { layers: layers.map(|(widths, seed)| linear(widths[0], widths[1], seed, device)).collect() }
    }

    pub(crate) fn loss(&self, x: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
        let (last, hidden) = self.layers.split_last().expect("layers");
        let out = layer(hidden.iter().fold(x, |x, of| layer(x, of, Activation::Relu)), last, Activation::Identity);
        let ([batch, _], log_var) = (out.dims(), out.clone().slice([0..out.dims()[0], 1..2]));
        let mean = out.slice([0..batch, 0..1]);
        ((y - mean).square() * log_var.clone().neg().exp() + log_var).mean().mul_scalar(0.5)
    }
}

/// A VAE with one hidden layer on each side.
#[derive(Module, Debug)]
pub(crate) struct Vae {
    encoder: [Linear; 2],
    decoder: [Linear; 2],
    #[module(skip)]
    latent: usize,
}

impl Vae {
    pub(crate) fn new(inputs: usize, hidden: usize, latent: usize, device: &Device) -> Self {
        let of = |from, to, place| linear(from, to, FIRST_SEED + place, device);
        Self {
            encoder: [of(inputs, hidden, 0), of(hidden, 2 * latent, 1)],
            decoder: [of(latent, hidden, 2), of(hidden, inputs, 3)],
            latent,
        }
    }

    pub(crate) fn loss(&self, x: Tensor<2>, noise: Tensor<2>) -> Tensor<1> {
        let two = |x, [hidden, out]: &[Linear; 2]| layer(layer(x, hidden, Activation::Relu), out, Activation::Identity);
        let [batch, _] = x.dims();
        let out = two(x.clone(), &self.encoder);
        let mean = out.clone().slice([0..batch, 0..self.latent]);
        let log_var = out.slice([0..batch, self.latent..2 * self.latent]);
        let z = mean.clone() + log_var.clone().mul_scalar(0.5).exp() * noise;
        let log_likelihood = bernoulli_log_prob(two(z, &self.decoder), x).sum();
        let kl = (mean.square() + log_var.clone().exp() - log_var).sub_scalar(1.0).sum().mul_scalar(0.5);
        (kl - log_likelihood).div_scalar(batch as f64)
    }
}

/// A convolution over taps.
#[derive(Module, Debug)]
struct Conv {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    taps: Vec<Tap>,
}

impl Conv {
    /// `kernel`: the taps of the whole kernel in order, each with whether it is open; the weights of closed ones are passed over.
    fn new(inputs: usize, outputs: usize, kernel: &[(Tap, bool)], seed: u32, device: &Device) -> Self {
        let bound = 1.0 / ((inputs * kernel.len()) as f32).sqrt();
        let all = uniform(outputs * inputs * kernel.len(), seed).map(|u| u * 2.0 * bound - bound);
        let open = all.zip(kernel.iter().cycle()).filter(|(_, (_, open))| *open).map(|(weight, _)| weight);
        let open: Vec<f32> = open.collect();
        let taps: Vec<Tap> = kernel.iter().filter(|(_, open)| *open).map(|(tap, _)| *tap).collect();
        Self {
            weight: Param::from_data(TensorData::new(open, [outputs, inputs, taps.len()]), device),
            bias: Param::from_data(TensorData::zeros::<f32, _>([outputs]), device),
            taps,
        }
    }

    /// base + the convolution of φ(x).
    fn forward(&self, x: Tensor<4>, activation: Activation, base: Option<Tensor<4>>) -> Tensor<4> {
        fused_tap_conv2d(x, Before::Each(activation), self.weight.val(), self.bias.val(), &self.taps, base)
    }
}

/// A square kernel masked to what comes before its middle, and to the middle itself where that is `open`.
fn masked(side: isize, open: bool) -> Vec<(Tap, bool)> {
    let half = side / 2;
    let taps = (-half..=half).flat_map(|row| (-half..=half).map(move |column| [row, column]));
    taps.map(|tap| (tap, tap < [0, 0] || open && tap == [0, 0])).collect()
}

/// Masked convolutions with residual connections.
#[derive(Module, Debug)]
pub(crate) struct PixelCnn {
    first: Conv,
    blocks: Vec<Conv>,
    outputs: [Conv; 2],
}

impl PixelCnn {
    pub(crate) fn new(channels: usize, blocks: u32, device: &Device) -> Self {
        let conv =
            |inputs, outputs, kernel: Vec<_>, place| Conv::new(inputs, outputs, &kernel, FIRST_SEED + place, device);
        let here = || vec![([0, 0], true)];
        Self {
            first: conv(1, channels, masked(7, false), 0),
            blocks: (1..=blocks).map(|place| conv(channels, channels, masked(3, true), place)).collect(),
            outputs: [conv(channels, channels, here(), blocks + 1), conv(channels, 1, here(), blocks + 2)],
        }
    }

    pub(crate) fn loss(&self, x: Tensor<4>) -> Tensor<1> {
        let h = self.first.forward(x.clone(), Activation::Identity, None);
        let h = self.blocks.iter().fold(h, |h, block| block.forward(h.clone(), Activation::Relu, Some(h)));
        let [hidden, out] = &self.outputs;
        let logits = out.forward(hidden.forward(h, Activation::Relu, None), Activation::Relu, None);
        bernoulli_log_prob(logits, x.clone()).sum().div_scalar(-(x.dims()[0] as f64))
    }
}

/// Causal convolutions over a sequence.
#[derive(Module, Debug)]
pub(crate) struct CausalConv {
    layers: Vec<Conv>,
    #[module(skip)]
    classes: usize,
}

impl CausalConv {
    pub(crate) fn new(channels: usize, kernel: isize, classes: usize, device: &Device) -> Self {
        // The first layer does not see its own position.
        let causal =
            |shift: isize| (0..kernel).map(move |tap| ([0, tap + 1 - kernel - shift], true)).collect::<Vec<_>>();
        let sizes = [(1, channels, 1), (channels, channels, 0), (channels, channels, 0), (channels, classes, 0)];
        let layer = |((inputs, outputs, shift), seed)| Conv::new(inputs, outputs, &causal(shift), seed, device);
        Self { layers: sizes.into_iter().zip(FIRST_SEED..).map(layer).collect(), classes }
    }

    pub(crate) fn loss(&self, x: Tensor<4>, target: Tensor<1, Int>) -> Tensor<1> {
        let [batch, _, _, length] = x.dims();
        let (first, rest) = self.layers.split_first().expect("layers");
        let h = first.forward(x, Activation::Identity, None);
        let logits = rest.iter().fold(h, |h, layer| layer.forward(h, Activation::LeakyRelu(0.01), None));
        let logits = logits.permute([0, 2, 3, 1]).reshape([batch * length, self.classes]);
        categorical_log_prob(logits, target).sum().div_scalar(-(batch as f64))
    }
}
