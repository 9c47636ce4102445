//! Causal self-attention of several heads as one operation on every backend:
//! y\[i\] = Σ_{j ≤ i} softmax_j(q\[i\]·k\[j\] / √width) v\[j\] in each head.
//!
//! [`AttentionOps`] is a backend extension as `dgm_core::ops::ObjectiveOps` is. It reads queries, keys and values as the layer that makes them
//! leaves them, side by side, and its pullback makes the weights again: of a head flex keeps the scores of some queries at a time, and
//! skips hidden places, up to whole tiles.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

/// Attention and its pullback.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait AttentionOps: Backend {
    /// See the module: queries, keys and values `[n, length, 3·channels]`, of each the heads one after the other; the result
    /// `[n, length, channels]`.
    #[fusion(default)]
    fn causal_attention(projections: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        composed::causal_attention::<Self>(projections, heads)
    }

    /// The pullback of `grad` `[n, length, channels]`, `[n, length, 3·channels]`.
    #[fusion(default)]
    fn causal_attention_pullback(
        projections: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self> {
        composed::causal_attention_pullback::<Self>(projections, grad, heads)
    }
}

#[cfg(feature = "ndarray")]
impl AttentionOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl AttentionOps for burn_cubecl::CubeBackend {}

/// Causal self-attention: each place attends to itself and those before it (Vaswani et al. 2017, "Attention is all you need").
///
/// # Shapes
/// `projections` `[n, length, 3·channels]`: queries, keys and values, of each the heads one after the other; the result
/// `[n, length, channels]`.
///
/// # Panics
/// If the last dimension is not three times a multiple of `heads`.
pub fn causal_attention(projections: Tensor<3>, heads: usize) -> Tensor<3> {
    let [_, _, all] = projections.dims();
    let whole = heads > 0 && all > 0 && all.is_multiple_of(3 * heads);
    assert!(whole, "causal_attention: `projections` are {all} wide, expected 3 times a multiple of the {heads} heads");
    if !super::is_listed(&projections.device()) {
        return composed_causal_attention(projections, heads);
    }
    Tensor::from_dispatch(Dispatch::causal_attention(projections.into_dispatch(), heads))
}

/// [`causal_attention`] in operations of tensors.
pub fn composed_causal_attention(projections: Tensor<3>, heads: usize) -> Tensor<3> {
    let [n, length, all] = projections.dims();
    let [query, key, value] = split_heads(projections, heads);
    attend(query, key, value, None).swap_dims(1, 2).reshape([n, length, all / 3])
}

/// Queries, keys and values, each `[n, heads, length, channels / heads]`, of projections `[n, length, 3·channels]`.
pub(crate) fn split_heads(projections: Tensor<3>, heads: usize) -> [Tensor<4>; 3] {
    let [n, length, all] = projections.dims();
    let width = all / (3 * heads);
    let all = projections.reshape([n, length, 3, heads, width]).permute([2, 0, 3, 1, 4]);
    [0, 1, 2].map(|i| all.clone().slice([i..i + 1, 0..n, 0..heads, 0..length, 0..width]).squeeze_dim(0))
}

/// softmax(q kᵀ / √width) v, each `[n, heads, length, width]`. `hidden`: the keys that no query attends to, `[1, 1, 1, keys]`; without
/// it, those behind the query's own place.
pub(crate) fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, hidden: Option<Tensor<4, Bool>>) -> Tensor<4> {
    let [n, heads, length, width] = query.dims();
    let [_, _, count, _] = key.dims();
    let options = options(hidden.is_none(), width);
    let mask = hidden.map(|hidden| hidden.expand([n, heads, length, count]));
    attention(query, key, value, mask, None, options)
}

/// Without a scale by name Burn may choose a GPU kernel that multiplies in half precision: a likelihood that is evaluated must be the one
/// that was trained.
fn options(is_causal: bool, width: usize) -> AttentionModuleOptions {
    AttentionModuleOptions { is_causal, scale: Some(scale(width)), ..Default::default() }
}

/// What scores are multiplied by.
fn scale(width: usize) -> f64 {
    1.0 / (width as f64).sqrt()
}

#[derive(Debug)]
struct CausalAttention;

impl<B: AttentionOps> Backward<B, 1> for CausalAttention {
    type State = (FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (projections, heads) = ops.state;
        let pull = |grad| B::causal_attention_pullback(projections, grad, heads);
        unary::<B, _>(ops.parents, ops.node, grads, pull);
    }
}

impl<B: AttentionOps, C: CheckpointStrategy> AttentionOps for Autodiff<B, C> {
    fn causal_attention(projections: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        let prepared = CausalAttention.prepare::<C>([projections.node()]).compute_bound().stateful();
        let projections = projections.into_primitive();
        match prepared {
            OpsKind::Tracked(prep) => {
                prep.finish((projections.clone(), heads), B::causal_attention(projections, heads))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::causal_attention(projections, heads)),
        }
    }
}

/// The same in operations of any backend.
mod composed {
    use super::{Backend, FloatTensor, options, scale};
    use burn::backend::TensorMetadata;
    use burn::tensor::{Shape, Slice, TensorData};

    /// [n, length, heads, width].
    fn sizes<B: Backend>(projections: &FloatTensor<B>, heads: usize) -> [usize; 4] {
        let shape = projections.shape();
        [shape[0], shape[1], heads, shape[2] / (3 * heads)]
    }

    /// Queries, keys and values, each `[n, heads, length, width]`.
    fn split<B: Backend>(projections: FloatTensor<B>, [n, length, heads, width]: [usize; 4]) -> [FloatTensor<B>; 3] {
        let all = B::float_reshape(projections, Shape::new([n, length, 3, heads, width]));
        let all = B::float_permute(all, &[2, 0, 3, 1, 4]);
        [0, 1, 2].map(|i| {
            let part = [i..i + 1, 0..n, 0..heads, 0..length, 0..width].map(Slice::from);
            B::float_reshape(B::float_slice(all.clone(), &part), Shape::new([n, heads, length, width]))
        })
    }

    /// `[n, length, heads·width]` of `[n, heads, length, width]`.
    fn join<B: Backend>(parts: FloatTensor<B>, [n, length, heads, width]: [usize; 4]) -> FloatTensor<B> {
        B::float_reshape(B::float_permute(parts, &[0, 2, 1, 3]), Shape::new([n, length, heads * width]))
    }

    pub(super) fn causal_attention<B: Backend>(projections: FloatTensor<B>, heads: usize) -> FloatTensor<B> {
        let sizes = sizes::<B>(&projections, heads);
        let [query, key, value] = split::<B>(projections, sizes);
        join::<B>(B::attention(query, key, value, None, None, options(true, sizes[3])), sizes)
    }

    pub(super) fn causal_attention_pullback<B: Backend>(
        projections: FloatTensor<B>,
        grad: FloatTensor<B>,
        heads: usize,
    ) -> FloatTensor<B> {
        let sizes = sizes::<B>(&projections, heads);
        let [n, length, heads, width] = sizes;
        let scale = scale(width);
        let hidden = (0..length).flat_map(|i| (0..length).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 }));
        let hidden = TensorData::new(hidden.collect::<Vec<f32>>(), [1, 1, length, length]);
        let hidden = B::float_cast(B::float_from_data(hidden, &grad.device()), grad.dtype().into());

        let [query, key, value] = split::<B>(projections, sizes);
        let grad = B::float_permute(B::float_reshape(grad, Shape::new([n, length, heads, width])), &[0, 2, 1, 3]);
        let scores = B::float_matmul(query.clone(), B::float_transpose(key.clone()));
        let weights = B::softmax(B::float_add(B::float_mul_scalar(scores, scale.into()), hidden), 3);
        let of_value = B::float_matmul(B::float_transpose(weights.clone()), grad.clone());
        // Of a softmax: w·(g − Σ w·g).
        let of_weights = B::float_matmul(grad, B::float_transpose(value));
        let mean = B::float_sum_dim(B::float_mul(weights.clone(), of_weights.clone()), 3);
        let of_scores = B::float_mul(weights, B::float_sub(of_weights, mean));
        let of_scores = B::float_mul_scalar(of_scores, scale.into());
        let of_query = B::float_matmul(of_scores.clone(), key);
        let of_key = B::float_matmul(B::float_transpose(of_scores), query);
        B::float_cat([of_query, of_key, of_value].map(|part| join::<B>(part, sizes)).into(), 2)
    }
}

#[cfg(feature = "flex")]
mod flex;

#[cfg(test)]
mod tests;
