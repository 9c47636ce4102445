//! Default bodies of [`ObjectiveOps`](super::ObjectiveOps), in terms of `Backend`'s own operations.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{IndexingUpdateOp, Shape};

/// x·l − max(l, 0) − log1p(exp(−|l|)).
pub(super) fn bernoulli_log_prob<B: Backend>(logits: FloatTensor<B>, x: FloatTensor<B>) -> FloatTensor<B> {
    let decay = B::float_log1p(B::float_exp(B::float_neg(B::float_abs(logits.clone()))));
    // In this order: x·l − max(l, 0) is 0 where x is met, and a small remainder is not rounded away against l.
    let met = B::float_sub(B::float_mul(x, logits.clone()), B::float_clamp_min(logits, 0.0f32.into()));
    B::float_sub(met, decay)
}

/// g·(x − σ(l)), as g·(x·σ(−l) − (1 − x)·σ(l)): for x = 1 and a large logit x − σ(l) would round to 0.
pub(super) fn bernoulli_log_prob_pullback<B: Backend>(
    logits: FloatTensor<B>,
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let (on, off) = (B::sigmoid(logits.clone()), B::sigmoid(B::float_neg(logits)));
    let not_x = B::float_add_scalar(B::float_neg(x.clone()), 1.0f32.into());
    B::float_mul(grad, B::float_sub(B::float_mul(x, off), B::float_mul(not_x, on)))
}

/// Rows shifted by their maximum, and the logarithm of their sum of exponentials: `[n, k]` and `[n, 1]`.
fn shift_and_log_sum<B: Backend>(logits: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let max = B::float_max_dim(B::float_detach(logits.clone()), 1);
    let shifted = B::float_sub(logits, max);
    let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
    (shifted, log_sum)
}

/// l\[class\] − m − log Σₖ exp(lₖ − m).
pub(super) fn categorical_log_prob<B: Backend>(logits: FloatTensor<B>, class: IntTensor<B>) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let (shifted, log_sum) = shift_and_log_sum::<B>(logits);
    let class = B::int_reshape(class, Shape::new([rows, 1]));
    let picked = B::float_gather(1, shifted, class);
    B::float_reshape(B::float_sub(picked, log_sum), Shape::new([rows]))
}

/// g·(onehot(class) − softmax(l)).
pub(super) fn categorical_log_prob_pullback<B: Backend>(
    logits: FloatTensor<B>,
    class: IntTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let (shifted, log_sum) = shift_and_log_sum::<B>(logits);
    let softmax = B::float_exp(B::float_sub(shifted, log_sum));
    let class = B::int_reshape(class, Shape::new([rows, 1]));
    let grad = B::float_reshape(grad, Shape::new([rows, 1]));
    let spread = B::float_neg(B::float_mul(softmax, grad.clone()));
    B::float_scatter(1, spread, class, grad, IndexingUpdateOp::Add)
}
