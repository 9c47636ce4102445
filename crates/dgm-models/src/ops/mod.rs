//! The tap convolution, a convolution given by the list of its open taps, and the gate that follows it, each as one
//! operation on every backend.
//!
//! y\[b, o, p\] = base\[b, o, p\] + bias\[o\] + Σ_{c,t} w\[o, c, t\] · φ(x)\[b, c, p + tap_t\], with φ(x) = 0 outside the image.
//!
//! The base is a residual path or whatever else is added, φ an activation or the gate ([`Before`]). A masked or causal convolution lists only
//! the taps that are open, so closed ones cost nothing, and what is causal is read off the list. [`ConvOps`] is a backend extension as
//! `dgm_core::ops::ObjectiveOps` is: default bodies of shifted slices and matrix products (`composed`), a hand-written pullback (`autodiff`),
//! and on flex sums over shifted planes (`flex`). [`DenseOps`] is the same for a linear layer with its activation (`dense`),
//! [`AttentionOps`] for causal self-attention and [`NormOps`] for layer normalisation.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

mod activation;
mod attention;
mod autodiff;
mod composed;
mod dense;
#[cfg(feature = "flex")]
mod flex;
mod norm;
mod tensor;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Tensor};

pub use activation::{Activation, Before};
pub use attention::{AttentionOps, causal_attention, composed_causal_attention};
pub(crate) use attention::{attend, split_heads};
pub use dense::{DenseOps, composed_dense, dense};
pub use norm::{NormOps, composed_layer_norm, layer_norm};
pub use tensor::{gate as composed_gate, tap_conv2d as composed_tap_conv2d};

/// One open tap: the offset (row, column) from the output's position to the input's.
pub type Tap = [isize; 2];

/// The tap convolution and its pullback.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait ConvOps: Backend {
    /// See the module, without a base. Shapes: x `[b, c, h, w]`, or twice the channels for the gate, weight `[o, c, t]`, bias `[o]`; the
    /// result `[b, o, h, w]`.
    #[fusion(default)]
    fn tap_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        composed::tap_conv2d::<Self>(x, weight, bias, &taps, before)
    }

    /// The same, added to base: `[b, o, h, w]`, or `[1, o, h, w]` for all images.
    #[fusion(default)]
    fn tap_conv2d_onto(
        base: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> FloatTensor<Self> {
        Self::float_add(composed::tap_conv2d::<Self>(x, weight, bias, &taps, before), base)
    }

    /// The pullback of `grad` `[b, o, h, w]` to x, and `grad` itself added where the base is x: `residual`.
    #[fusion(default)]
    fn tap_conv2d_pullback_input(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
        residual: bool,
    ) -> FloatTensor<Self> {
        composed::tap_conv2d_pullback_input::<Self>(x, weight, grad, &taps, before, residual)
    }

    /// The pullback of `grad` `[b, o, h, w]` to weight and bias.
    #[fusion(default)]
    fn tap_conv2d_pullback_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::tap_conv2d_pullback_weight::<Self>(x, grad, &taps, before)
    }

    /// Both: to x, weight and bias.
    #[fusion(default)]
    fn tap_conv2d_pullback(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        taps: Vec<Tap>,
        before: Before,
        residual: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let of_x = Self::tap_conv2d_pullback_input(x.clone(), weight, grad.clone(), taps.clone(), before, residual);
        let (of_weight, of_bias) = Self::tap_conv2d_pullback_weight(x, grad, taps, before);
        (of_x, of_weight, of_bias)
    }

    /// Σ over the images: x `[n, c, h, w]`, the result `[1, c, h, w]`.
    #[fusion(default)]
    fn sum_of_images(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum_dim(x, 0)
    }

    /// tanh(a) · σ(b) of the two halves a and b of the channels: x `[n, 2c, h, w]`, the result `[n, c, h, w]`.
    #[fusion(default)]
    fn gate(x: FloatTensor<Self>) -> FloatTensor<Self> {
        activation::gate::<Self>(x)
    }

    /// The pullback of `grad` `[n, c, h, w]`: g·(1 − tanh² a)·σ(b) and g·tanh(a)·σ(b)·(1 − σ(b)), `[n, 2c, h, w]`.
    #[fusion(default)]
    fn gate_pullback(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        activation::gate_pullback::<Self>(x, grad)
    }
}

#[cfg(feature = "ndarray")]
impl ConvOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl ConvOps for burn_cubecl::CubeBackend {}

/// Whether [`ConvOps`] reaches the backend of `device`, which `dgm-core` may list and this crate not.
pub(crate) fn is_listed(device: &Device) -> bool {
    dgm_core::is_listed!(device)
}

/// A convolution over open taps (see the module).
///
/// # Shapes
/// `x` `[b, c, h, w]`, `weight` `[o, c, t]` for the t taps, `bias` `[o]`; the result `[b, o, h, w]`.
///
/// # Panics
/// If the channels or the number of taps do not agree, or there is no tap.
pub fn tap_conv2d(x: Tensor<4>, weight: Tensor<3>, bias: Tensor<1>, taps: &[Tap]) -> Tensor<4> {
    fused_tap_conv2d(x, Before::IDENTITY, weight, bias, taps, None)
}

/// base + the convolution of what `before` makes of `x` (see the module), in one pass where the backend has one.
///
/// # Shapes
/// `x` `[b, c, h, w]`, twice the channels for [`Before::Gate`], `weight` `[o, c, t]` for the t taps, `bias` `[o]`, `base` `[b, o, h, w]` or
/// `[1, o, h, w]`; the result `[b, o, h, w]`.
///
/// # Panics
/// If the sizes or the number of taps do not agree, or there is no tap.
pub fn fused_tap_conv2d(
    x: Tensor<4>,
    before: Before,
    weight: Tensor<3>,
    bias: Tensor<1>,
    taps: &[Tap],
    base: Option<Tensor<4>>,
) -> Tensor<4> {
    let ([b, channels, h, w], [outputs, inputs, open], [biases]) = (x.dims(), weight.dims(), bias.dims());
    let seen = inputs * before.channels();
    assert!(!taps.is_empty(), "tap_conv2d: the list of taps is empty, need one at least");
    assert_eq!(channels, seen, "tap_conv2d: `x` has {channels} channels and `weight` takes {inputs} after {before:?}");
    assert_eq!(open, taps.len(), "tap_conv2d: `weight` has {open} taps and the list {}", taps.len());
    assert_eq!(outputs, biases, "tap_conv2d: `weight` gives {outputs} channels and `bias` {biases}");
    if let Some([n, base @ ..]) = base.as_ref().map(Tensor::dims) {
        let fits = (n == b || n == 1) && base == [outputs, h, w];
        assert!(
            fits,
            "tap_conv2d: `base` is {:?}, expected [{b} or 1, {outputs}, {h}, {w}]",
            [&[n][..], &base].concat()
        );
    }
    if !is_listed(&x.device()) {
        let y = tensor::tap_conv2d(before.of_tensor(x), weight, bias, taps);
        return match base {
            Some(base) => y + base,
            None => y,
        };
    }
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let taps = taps.to_vec();
    Tensor::from_dispatch(match base {
        Some(base) => Dispatch::tap_conv2d_onto(base.into_dispatch(), x, weight, bias, taps, before),
        None => Dispatch::tap_conv2d(x, weight, bias, taps, before),
    })
}

/// tanh(a) · σ(b) of the two halves a and b of the channels (van den Oord et al. 2016, "Conditional image generation with
/// PixelCNN decoders", eq. 2).
///
/// # Shapes
/// `x` `[n, 2c, h, w]`; the result `[n, c, h, w]`.
///
/// # Panics
/// If the number of channels is odd.
pub fn gate(x: Tensor<4>) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    assert_eq!(channels % 2, 0, "gate: `x` has {channels} channels, which have no halves");
    if !is_listed(&x.device()) {
        return tensor::gate(x);
    }
    Tensor::from_dispatch(Dispatch::gate(x.into_dispatch()))
}

/// Zeros needed around an image, so that every tap stays inside: (top, bottom, left, right).
fn padding(taps: &[Tap]) -> [usize; 4] {
    let reach = |axis: usize, sign: isize| taps.iter().map(|tap| (sign * tap[axis]).max(0)).max().unwrap_or(0) as usize;
    [reach(0, -1), reach(0, 1), reach(1, -1), reach(1, 1)]
}

/// What `f` gives with the longest vectors of the machine, and with shorter ones.
#[cfg(test)]
fn with_all_vectors<T>(f: impl Fn() -> T) -> Vec<T> {
    #[cfg(feature = "flex")]
    return flex::vector::tests::long_and_short(f).into();
    #[cfg(not(feature = "flex"))]
    vec![f()]
}

#[cfg(test)]
mod tests;
