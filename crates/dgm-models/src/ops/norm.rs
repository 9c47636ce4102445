//! Layer normalisation as one operation on every backend: y = γ·(x − mean) / √(variance + ε) + β over the last dimension.
//!
//! [`NormOps`] is a backend extension as `dgm_core::ops::ObjectiveOps` is. Flex passes once over the rows in each direction; the pullback
//! makes mean and variance again.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// Layer normalisation and its pullback.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait NormOps: Backend {
    /// See the module: x `[…, features]`, γ and β `[features]`; the result like x.
    #[fusion(default)]
    fn normalise_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::layer_norm(x, gamma, Some(beta), epsilon)
    }

    /// The pullback of `grad`, like x, to x, γ and β.
    #[fusion(default)]
    fn normalise_rows_pullback(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::pullback::<Self>(x, gamma, grad, epsilon)
    }
}

#[cfg(feature = "ndarray")]
impl NormOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl NormOps for burn_cubecl::CubeBackend {}

/// γ·(x − mean) / √(variance + ε) + β over the last dimension, with the variance of n, not n − 1, numbers (Ba et al. 2016, "Layer
/// normalization").
///
/// # Shapes
/// `x` `[…, features]`, `gamma` and `beta` `[features]`; the result like `x`.
///
/// # Panics
/// If the sizes do not agree.
pub fn layer_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let (features, [scales], [shifts]) = (x.dims().last().copied().unwrap_or(1), gamma.dims(), beta.dims());
    assert_eq!(features, scales, "layer_norm: features of `x` and of `gamma`");
    assert_eq!(features, shifts, "layer_norm: features of `x` and of `beta`");
    if !super::is_listed(&x.device()) {
        return composed_layer_norm(x, gamma, beta, epsilon);
    }
    let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(Dispatch::normalise_rows(x, gamma, beta, epsilon))
}

/// [`layer_norm`] in operations of tensors.
pub fn composed_layer_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<D> {
    burn::tensor::module::layer_norm(x, gamma, Some(beta), epsilon)
}

#[derive(Debug)]
struct Norm;

impl<B: NormOps> Backward<B, 3> for Norm {
    type State = (FloatTensor<B>, FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, gamma, epsilon) = ops.state;
        let (of_x, of_gamma, of_beta) = B::normalise_rows_pullback(x, gamma, grad, epsilon);
        for (node, grad) in ops.parents.into_iter().zip([of_x, of_gamma, of_beta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn normalise_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let prepared = Norm.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => {
                prep.finish((x.clone(), gamma.clone(), epsilon), B::normalise_rows(x, gamma, beta, epsilon))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::normalise_rows(x, gamma, beta, epsilon)),
        }
    }
}

/// The pullback in operations of any backend.
mod composed {
    use super::{Backend, FloatTensor};
    use burn::backend::TensorMetadata;
    use burn::tensor::Shape;

    pub(super) fn pullback<B: Backend>(
        x: FloatTensor<B>,
        gamma: FloatTensor<B>,
        grad: FloatTensor<B>,
        epsilon: f64,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let shape = x.shape();
        let features = gamma.shape()[0];
        let rows = Shape::new([shape.num_elements() / features.max(1), features]);
        let (x, grad) = (B::float_reshape(x, rows.clone()), B::float_reshape(grad, rows));
        let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 1));
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
        let deviation = B::float_sqrt(B::float_add_scalar(variance, epsilon.into()));
        let unit = B::float_div(centred, deviation.clone());

        let sum = |of| B::float_reshape(B::float_sum_dim(of, 0), Shape::new([features]));
        let of_gamma = sum(B::float_mul(grad.clone(), unit.clone()));
        let of_beta = sum(grad.clone());
        // (g − mean g − u·mean(g·u)) / deviation, of g = γ·grad.
        let grad = B::float_mul(grad, B::float_reshape(gamma, Shape::new([1, features])));
        let along = B::float_mean_dim(B::float_mul(grad.clone(), unit.clone()), 1);
        let rest = B::float_sub(grad.clone(), B::float_mean_dim(grad, 1));
        let of_x = B::float_div(B::float_sub(rest, B::float_mul(unit, along)), deviation);
        (B::float_reshape(of_x, shape), of_gamma, of_beta)
    }
}

#[cfg(feature = "flex")]
mod flex;

#[cfg(test)]
mod tests;
