//! A linear layer with its activation as one operation on every backend: y = φ(x·W + b).
//!
//! [`DenseOps`] is a backend extension as `dgm_core::ops::ObjectiveOps` is. Beside the matrix products flex passes once over the values in
//! each direction: bias and activation forward, the activation's derivative and the bias' gradient back.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use super::Activation;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

/// The layer and its pullback.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait DenseOps: Backend {
    /// φ(x·W + b): x `[n, inputs]`, W `[inputs, outputs]`, b `[outputs]`; the result `[n, outputs]`.
    #[fusion(default)]
    fn dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        Self::dense_with_preactivation(x, weight, bias, activation).0
    }

    /// The same, and what [`activation_pullback`](Self::activation_pullback) reads: z = x·W + b, or φ(z) where that tells φ′(z) as well.
    #[fusion(default)]
    fn dense_with_preactivation(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::dense_with_preactivation::<Self>(x, weight, bias, activation)
    }

    /// The pullback of g `[n, outputs]` to x alone or to W alone, and to both: g·Wᵀ `[n, inputs]` and xᵀ·g `[inputs, outputs]`.
    #[fusion(default)]
    fn dense_pullback_input(weight: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(grad, Self::float_transpose(weight))
    }

    /// See [`dense_pullback_input`](Self::dense_pullback_input).
    #[fusion(default)]
    fn dense_pullback_weight(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(Self::float_transpose(x), grad)
    }

    /// See [`dense_pullback_input`](Self::dense_pullback_input).
    #[fusion(default)]
    fn dense_pullback(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        (Self::dense_pullback_input(weight, grad.clone()), Self::dense_pullback_weight(x, grad))
    }

    /// The pullback of `grad` to z and to the bias: g·φ′(z) `[n, outputs]`, and its sum over the rows `[outputs]`.
    #[fusion(default)]
    fn activation_pullback(
        z: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::activation_pullback::<Self>(z, grad, activation)
    }
}

#[cfg(feature = "ndarray")]
impl DenseOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl DenseOps for burn_cubecl::CubeBackend {}

/// φ(x·W + b).
///
/// # Shapes
/// `x` `[n, inputs]`, `weight` `[inputs, outputs]`, `bias` `[outputs]`; the result `[n, outputs]`.
///
/// # Panics
/// If the sizes do not agree.
pub fn dense(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, activation: Activation) -> Tensor<2> {
    let ([_, found], [inputs, outputs], [biases]) = (x.dims(), weight.dims(), bias.dims());
    assert_eq!(found, inputs, "dense: `x` has {found} inputs and `weight` takes {inputs}");
    assert_eq!(outputs, biases, "dense: `weight` gives {outputs} outputs and `bias` {biases}");
    if !super::is_listed(&x.device()) {
        return composed_dense(x, weight, bias, activation);
    }
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense(x, weight, bias, activation))
}

/// [`dense`] in operations of tensors.
pub fn composed_dense(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, activation: Activation) -> Tensor<2> {
    activation.of_tensor(x.matmul(weight) + bias.unsqueeze())
}

#[derive(Debug)]
struct Dense;

impl<B: DenseOps> Backward<B, 3> for Dense {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, z, activation) = ops.state;
        let (grad, grad_bias) = B::activation_pullback(z, grad, activation);
        let [of_x, of_weight, of_bias] = ops.parents;
        // The input of a first layer has no gradient.
        match (of_x, of_weight) {
            (Some(of_x), Some(of_weight)) => {
                let (grad_x, grad_weight) = B::dense_pullback(x, weight, grad);
                grads.register::<B>(of_x.id, grad_x);
                grads.register::<B>(of_weight.id, grad_weight);
            }
            (Some(of_x), None) => grads.register::<B>(of_x.id, B::dense_pullback_input(weight, grad)),
            (None, Some(of_weight)) => grads.register::<B>(of_weight.id, B::dense_pullback_weight(x, grad)),
            (None, None) => {}
        }
        if let Some(node) = of_bias {
            grads.register::<B>(node.id, grad_bias);
        }
    }
}

impl<B: DenseOps, C: CheckpointStrategy> DenseOps for Autodiff<B, C> {
    fn dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let prepared = Dense.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                let (y, z) = B::dense_with_preactivation(x.clone(), weight.clone(), bias, activation);
                prep.finish((x, weight, z, activation), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::dense(x, weight, bias, activation)),
        }
    }
}

/// The same in operations of any backend.
mod composed {
    use super::{Activation, Backend, FloatTensor, Shape, TensorMetadata};

    pub(super) fn dense_with_preactivation<B: Backend>(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        activation: Activation,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let outputs = bias.shape()[0];
        let z = B::float_add(B::float_matmul(x, weight), B::float_reshape(bias, Shape::new([1, outputs])));
        (activation.of::<B>(z.clone()), z)
    }

    pub(super) fn activation_pullback<B: Backend>(
        z: FloatTensor<B>,
        grad: FloatTensor<B>,
        activation: Activation,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let outputs = grad.shape()[1];
        let grad = activation.pullback::<B>(z, grad);
        let sum = B::float_reshape(B::float_sum_dim(grad.clone(), 0), Shape::new([outputs]));
        (grad, sum)
    }
}

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod product;

#[cfg(test)]
mod tests;
