//! The network of an invertible layer: what x is shifted and scaled by, as a function of a part of it.

use crate::layers::{linear, zeros};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;

/// Sizes of a [`Conditioner`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes<'a> {
    /// Numbers that are seen.
    pub(crate) inputs: usize,
    /// Numbers that are given.
    pub(crate) outputs: usize,
    /// Widths of the hidden layers.
    pub(crate) hidden: &'a [usize],
    /// Features of a row that are seen too; 0: none.
    pub(crate) features: usize,
}

/// Fully connected layers. Where it is autoregressive, connections are open only from inputs before the output's own (Germain et al. 2015,
/// "MADE", section 3). The last layer starts at 0, so that what it steers starts as the identity.
#[derive(Module, Debug)]
pub(crate) struct Conditioner {
    hidden: Vec<Linear>,
    features: Option<Linear>,
    output: Linear,
    #[module(skip)]
    autoregressive: bool,
}

/// A layer that gives 0 at first.
fn nothing(inputs: usize, outputs: usize, device: &Device) -> Linear {
    Linear { weight: zeros([inputs, outputs], device), bias: Some(zeros([outputs], device)) }
}

impl Conditioner {
    pub(crate) fn new(sizes: Sizes<'_>, autoregressive: bool, rng: &mut Stream, device: &Device) -> Self {
        let mut width = sizes.inputs;
        let hidden: Vec<Linear> = sizes
            .hidden
            .iter()
            .map(|&outputs| linear(std::mem::replace(&mut width, outputs), outputs, rng, device))
            .collect();
        let seen = sizes.hidden.first().copied().unwrap_or(sizes.outputs);
        let features = (sizes.features > 0).then(|| match sizes.hidden.is_empty() {
            true => nothing(sizes.features, seen, device),
            false => linear(sizes.features, seen, rng, device),
        });
        let output = nothing(width, sizes.outputs, device);
        Self { hidden, features, output, autoregressive }
    }

    /// `[n, inputs]` → `[n, outputs]`, given the features of each row, `[n, features]`.
    pub(crate) fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>) -> Tensor<2> {
        let [_, inputs] = x.dims();
        let mut shift = self.features.as_ref().zip(features).map(|(layer, features)| layer.forward(features.clone()));
        let mut h = x;
        // What each number may depend on: inputs before this place.
        let mut before: Vec<usize> = (1..=inputs).collect();
        for layer in &self.hidden {
            let [_, outputs] = layer.weight.dims();
            // Spread over the inputs, whatever the width.
            let after: Vec<usize> = (0..outputs).map(|unit| unit * inputs / outputs).collect();
            h = self.masked(layer, h, &before, &after);
            h = silu(match shift.take() {
                Some(shift) => h + shift,
                None => h,
            });
            before = after;
        }
        let [_, outputs] = self.output.weight.dims();
        let after: Vec<usize> = (0..outputs).map(|output| output % inputs).collect();
        let y = self.masked(&self.output, h, &before, &after);
        match shift {
            Some(shift) => y + shift,
            None => y,
        }
    }

    /// The layer with the connections open that go from what depends on no more than what they go to.
    fn masked(&self, layer: &Linear, x: Tensor<2>, before: &[usize], after: &[usize]) -> Tensor<2> {
        if !self.autoregressive {
            return layer.forward(x);
        }
        let open: Vec<f32> =
            before.iter().flat_map(|from| after.iter().map(move |to| f32::from(u8::from(from <= to)))).collect();
        let weight = layer.weight.val();
        let open = Tensor::from_data(TensorData::new(open, [before.len(), after.len()]), &weight.device());
        let y = x.matmul(weight * open);
        match &layer.bias {
            Some(bias) => y + bias.val().unsqueeze_dim::<2>(0),
            None => y,
        }
    }
}
