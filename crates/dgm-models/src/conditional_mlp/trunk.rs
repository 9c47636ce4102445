//! The hidden layers: one after the other, or blocks that add to what comes before them.

use crate::layers::{Mlp, Mode, Norm, apply, linear};
use crate::ops::Activation;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// From features to the inputs of the head.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a model has one")]
pub(super) enum Trunk {
    /// Layer after layer.
    Plain(Mlp),
    /// Residual blocks.
    Residual(Residual),
}

/// h₁ = W x, hᵢ = hᵢ₋₁ + W₂ SiLU(W₁ LayerNorm(hᵢ₋₁)), and LayerNorm of the last (Gorishniy et al. 2021, "Revisiting deep learning models for
/// tabular data", section 3.2, with layer normalisation).
#[derive(Module, Debug)]
pub(super) struct Residual {
    first: Linear,
    blocks: Vec<Block>,
    norm: Norm,
    #[module(skip)]
    dropout: f64,
}

#[derive(Module, Debug)]
struct Block {
    norm: Norm,
    up: Linear,
    down: Linear,
}

impl Trunk {
    /// From `inputs` over hidden layers of these widths; dropout after each. With blocks the first width is that of h, the others those inside of
    /// a block each.
    pub(super) fn new(
        inputs: usize,
        hidden: &[usize],
        residual: bool,
        dropout: f64,
        rng: &mut Stream,
        device: &Device,
    ) -> Self {
        let (true, Some((&width, inner))) = (residual, hidden.split_first()) else {
            return Self::Plain(Mlp::new(inputs, hidden, dropout, rng, device));
        };
        let first = linear(inputs, width, rng, device);
        let mut block = |&inner: &usize| Block {
            norm: Norm::new(width, device),
            up: linear(width, inner, rng, device),
            down: linear(inner, width, rng, device),
        };
        let blocks = inner.iter().map(&mut block).collect();
        Self::Residual(Residual { first, blocks, norm: Norm::new(width, device), dropout })
    }

    /// How many numbers come out, from so many inputs.
    pub(super) fn outputs(inputs: usize, hidden: &[usize], residual: bool) -> usize {
        let width = if residual { hidden.first() } else { hidden.last() };
        width.copied().unwrap_or(inputs)
    }

    /// `[batch, inputs]` → `[batch, outputs]`.
    pub(super) fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        match self {
            Self::Plain(mlp) => mlp.forward(x, mode),
            Self::Residual(Residual { first, blocks, norm, dropout }) => {
                let h = apply(first, x, Activation::Identity);
                let h = blocks.iter().fold(h, |h, block| {
                    let inner = apply(&block.up, block.norm.forward(h.clone()), Activation::Silu);
                    h + apply(&block.down, mode.dropout(inner, *dropout), Activation::Identity)
                });
                norm.forward(h)
            }
        }
    }
}
