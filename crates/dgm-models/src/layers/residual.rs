//! Residual blocks: hidden layers that add to what comes before them.

use crate::layers::{HiddenActivation, LayerNorm, Mode, apply, linear};
use crate::ops::Activation;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// h₁ = W x, hᵢ = hᵢ₋₁ + W₂ φ(W₁ LayerNorm(hᵢ₋₁)), and LayerNorm of the last (Gorishniy et al. 2021, "Revisiting deep learning models for
/// tabular data", section 3.2, with layer normalisation).
#[derive(Module, Debug)]
pub struct Residual {
    first: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    #[module(skip)]
    activation: HiddenActivation,
    #[module(skip)]
    dropout: f64,
}

#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Residual {
    /// From `inputs` to the first of these widths, that of h; the others are the widths inside of a block each, with dropout there. `None`: there
    /// is no width.
    pub(crate) fn new(
        inputs: usize,
        hidden: &[usize],
        activation: HiddenActivation,
        dropout: f64,
        rng: &mut Stream,
        device: &Device,
    ) -> Option<Self> {
        let (&width, inner) = hidden.split_first()?;
        let first = linear(inputs, width, rng, device);
        let mut block = |&inner: &usize| Block {
            norm: LayerNorm::new(width, device),
            up: linear(width, inner, rng, device),
            down: linear(inner, width, rng, device),
        };
        let blocks = inner.iter().map(&mut block).collect();
        Some(Self { first, blocks, norm: LayerNorm::new(width, device), activation, dropout })
    }

    /// The first width, that of h.
    pub fn width(&self) -> usize {
        self.first.weight.val().dims()[1]
    }

    /// `[batch, inputs]` → `[batch, the first width]`.
    pub fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        let h = apply(&self.first, x, Activation::Identity);
        let h = self.blocks.iter().fold(h, |h, block| {
            let inner = self.activation.after(&block.up, block.norm.forward(h.clone()));
            h + apply(&block.down, mode.dropout(inner, self.dropout), Activation::Identity)
        });
        self.norm.forward(h)
    }
}
