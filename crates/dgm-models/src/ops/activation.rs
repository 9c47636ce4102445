//! What is applied number by number: φ of a layer, and what a convolution sees of its input.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Slice, Tensor, activation};

/// φ of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// φ(z) = z.
    Identity,
    /// φ(z) = max(z, 0).
    Relu,
    /// φ(z) = z for z > 0, otherwise z times the slope.
    LeakyRelu(f32),
    /// φ(z) = z·σ(z).
    Silu,
    /// φ(z) = max(z, 0)² (So et al. 2021, "Primer").
    SquaredRelu,
}

/// What a tap convolution sees of its input x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Before {
    /// φ(x).
    Each(Activation),
    /// tanh(a)·σ(b) of the two halves a and b of the channels: of `[n, 2c, h, w]` there remains `[n, c, h, w]`.
    Gate,
}

impl Before {
    /// x itself.
    pub const IDENTITY: Self = Self::Each(Activation::Identity);

    /// Channels of x for each that the convolution sees.
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Each(_) => 1,
            Self::Gate => 2,
        }
    }

    /// In operations of tensors.
    pub(super) fn of_tensor(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Each(activation) => activation.of_tensor(x),
            Self::Gate => super::composed_gate(x),
        }
    }

    /// In operations of any backend.
    pub(super) fn of<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Each(activation) => activation.of::<B>(x),
            Self::Gate => gate::<B>(x),
        }
    }

    /// The pullback of `grad` to x.
    pub(super) fn pullback<B: Backend>(self, x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Each(activation) => activation.pullback::<B>(x, grad),
            Self::Gate => gate_pullback::<B>(x, grad),
        }
    }
}

impl Activation {
    /// φ(z) in operations of tensors.
    pub(super) fn of_tensor<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => z,
            Self::Relu => activation::relu(z),
            Self::LeakyRelu(slope) => activation::leaky_relu(z, f64::from(slope)),
            Self::Silu => activation::silu(z),
            Self::SquaredRelu => {
                let half = activation::relu(z);
                half.clone() * half
            }
        }
    }

    /// φ(z) in operations of any backend.
    pub(super) fn of<B: Backend>(self, z: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Identity => z,
            Self::Relu => B::relu(z),
            Self::LeakyRelu(slope) => B::leaky_relu(z, slope.into()),
            Self::Silu => B::float_mul(z.clone(), B::sigmoid(z)),
            Self::SquaredRelu => {
                let half = B::relu(z);
                B::float_mul(half.clone(), half)
            }
        }
    }

    /// grad · φ′(z), where φ′(0) is the slope to the left.
    pub(super) fn pullback<B: Backend>(self, z: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Identity => grad,
            Self::Relu => B::relu_backward(z, grad),
            Self::LeakyRelu(slope) => {
                let right = B::relu_backward(z, grad.clone());
                B::float_add(B::float_mul_scalar(grad, slope.into()), B::float_mul_scalar(right, (1.0 - slope).into()))
            }
            Self::Silu => {
                let s = B::sigmoid(z.clone());
                // σ(z)·(1 + z·(1 − σ(z)))
                let slope = B::float_add_scalar(B::float_mul(z, one_minus::<B>(s.clone())), 1.0f32.into());
                B::float_mul(grad, B::float_mul(s, slope))
            }
            Self::SquaredRelu => B::float_mul(grad, B::float_mul_scalar(B::relu(z), 2.0f32.into())),
        }
    }
}

fn one_minus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(x), 1.0f32.into())
}

/// The two halves of the channels.
fn halves<B: Backend>(x: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let shape = x.shape();
    let (n, c, h, w) = (shape[0], shape[1], shape[2], shape[3]);
    let slices = |channels| [0..n, channels, 0..h, 0..w].map(Slice::from);
    (B::float_slice(x.clone(), &slices(0..c / 2)), B::float_slice(x, &slices(c / 2..c)))
}

#[cfg(feature = "flex")]
pub(super) mod flex;

pub(super) fn gate<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let (a, b) = halves::<B>(x);
    B::float_mul(B::float_tanh(a), B::sigmoid(b))
}

pub(super) fn gate_pullback<B: Backend>(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let (a, b) = halves::<B>(x);
    let (t, s) = (B::float_tanh(a), B::sigmoid(b));
    let through = B::float_mul(grad, s.clone());
    let content = B::float_mul(through.clone(), one_minus::<B>(B::float_mul(t.clone(), t.clone())));
    B::float_cat(vec![content, B::float_mul(B::float_mul(through, t), one_minus::<B>(s))], 1)
}
