//! The hot log-densities as one operation each, generic over Burn's `Backend` trait.
//!
//! [`ObjectiveOps`] is a backend extension: its default bodies (`composed`) are written once in terms of
//! [`Backend`]'s own operations, so every listed backend has them; `autodiff` holds the hand-written pullbacks; `flex`
//! the one-pass implementations for the CPU backend. The public functions at the end of this module work on
//! [`Tensor`] and fall back to plain tensor operations where a backend is compiled in that the extension does not list.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

mod autodiff;
mod composed;
#[doc(hidden)] // for the extension of dgm-models
pub mod elementary;
#[cfg(feature = "flex")]
#[doc(hidden)] // for the extension of dgm-models
pub mod flex;
pub(crate) mod spline;
mod tensor;

use crate::shape::assert_one_shape;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Int, Tensor};

pub(crate) use spline::rational_quadratic;
pub use tensor::{
    bernoulli_log_prob as composed_bernoulli_log_prob, beta_binomial_log_prob as composed_beta_binomial_log_prob,
    categorical_log_prob as composed_categorical_log_prob,
    discretized_logistic_mixture_log_prob as composed_discretized_logistic_mixture_log_prob,
};

/// Log-densities that a training step spends its time in, and their pullbacks.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait ObjectiveOps: Backend {
    /// log Bernoulli(x; σ(l)) = x·l − softplus(l), elementwise, in nats; any shape, the same for both.
    #[fusion(default)]
    fn bernoulli_log_prob(logits: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::bernoulli_log_prob::<Self>(logits, x)
    }

    /// Pullback of [`bernoulli_log_prob`](Self::bernoulli_log_prob) to the logits: g·(x − σ(l)).
    #[fusion(default)]
    fn bernoulli_log_prob_pullback(
        logits: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::bernoulli_log_prob_pullback::<Self>(logits, x, grad)
    }

    /// log softmax(l)\[class\] = l\[class\] − log Σₖ exp lₖ for each row, in nats.
    /// Shapes: logits `[n, k]`, class `[n]`, result `[n]`.
    #[fusion(default)]
    fn categorical_log_prob(logits: FloatTensor<Self>, class: IntTensor<Self>) -> FloatTensor<Self> {
        composed::categorical_log_prob::<Self>(logits, class)
    }

    /// Pullback of [`categorical_log_prob`](Self::categorical_log_prob) to the logits: g·(onehot(class) − softmax(l)).
    #[fusion(default)]
    fn categorical_log_prob_pullback(
        logits: FloatTensor<Self>,
        class: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::categorical_log_prob_pullback::<Self>(logits, class, grad)
    }

    /// log C(n, x) (α)ₓ (β)ₙ₋ₓ / (α + β)ₙ with (a)ₖ = a(a + 1)…(a + k − 1), elementwise, in nats.
    /// Shapes: log α and log β `[r, m]`, x `[r]`, result `[r, m]`; n = `trials`.
    #[fusion(default)]
    fn beta_binomial_log_prob(
        log_alpha: FloatTensor<Self>,
        log_beta: FloatTensor<Self>,
        x: FloatTensor<Self>,
        trials: usize,
    ) -> FloatTensor<Self> {
        composed::beta_binomial_log_prob::<Self>(log_alpha, log_beta, x, trials)
    }

    /// Pullback of [`beta_binomial_log_prob`](Self::beta_binomial_log_prob) to log α and log β:
    /// g·α·(Σ_{i<x} 1/(α + i) − Σ_{i<n} 1/(α + β + i)), and so for β with n − x.
    #[fusion(default)]
    fn beta_binomial_log_prob_pullback(
        log_alpha: FloatTensor<Self>,
        log_beta: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        trials: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::beta_binomial_log_prob_pullback::<Self>(log_alpha, log_beta, x, grad, trials)
    }

    /// log Σₘ πₘ P(x; μₘ, sₘ) of a mixture of discretised logistics for each row, in nats.
    /// Shapes: weight_logits, mean, log_scale `[n, m]`, x `[n]`, result `[n]`.
    #[fusion(default)]
    fn discretized_logistic_mixture_log_prob(
        weight_logits: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        log_scale: FloatTensor<Self>,
        x: FloatTensor<Self>,
        levels: usize,
    ) -> FloatTensor<Self> {
        composed::discretized_logistic_mixture_log_prob::<Self>(weight_logits, mean, log_scale, x, levels)
    }

    /// Pullback of [`discretized_logistic_mixture_log_prob`](Self::discretized_logistic_mixture_log_prob) to the logits of the
    /// weights, the means and the log-scales.
    #[fusion(default)]
    fn discretized_logistic_mixture_log_prob_pullback(
        weight_logits: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        log_scale: FloatTensor<Self>,
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        levels: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::discretized_logistic_mixture_log_prob_pullback::<Self>(
            weight_logits,
            mean,
            log_scale,
            x,
            grad,
            levels,
        )
    }
}

#[cfg(feature = "ndarray")]
impl ObjectiveOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl ObjectiveOps for burn_cubecl::CubeBackend {}

/// Whether the backend of a [`Device`] is one that the expanding crate's features list, as its extensions do.
///
/// A macro, because what a `cfg` sees in a function are this crate's features, and another crate may list fewer.
#[doc(hidden)]
#[macro_export]
macro_rules! is_listed {
    ($device:expr) => {
        match $device.as_dispatch().clone().inner() {
            #[cfg(feature = "flex")]
            ::burn::backend::DispatchDevice::Flex(_) => true,
            #[cfg(feature = "ndarray")]
            ::burn::backend::DispatchDevice::NdArray(_) => true,
            #[cfg(any(feature = "wgpu", feature = "cuda"))]
            ::burn::backend::DispatchDevice::Cube(_) => true,
            #[allow(unreachable_patterns)] // every backend of this build may be listed
            _ => false,
        }
    };
}

/// Whether [`ObjectiveOps`] reaches the backend of `device`; if not, callers compose plain tensor operations.
///
/// A backend that another crate switched on through feature unification, but this crate did not list, is not reached.
pub fn is_listed(device: &Device) -> bool {
    crate::is_listed!(device)
}

/// log Bernoulli(x; σ(logits)) elementwise, in nats.
///
/// x·l − softplus(l), with softplus(l) = max(l, 0) + log1p(exp(−|l|)), so no logit overflows and none is clamped.
/// `x` is 0 or 1; for x in between it is the negative cross-entropy, which is *not* a log-density of x.
///
/// # Shapes
/// `logits` and `x` alike; the result likewise.
///
/// # Panics
/// If the shapes differ.
pub fn bernoulli_log_prob<const D: usize>(logits: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
    assert_one_shape("bernoulli_log_prob", ("logits", &logits), ("x", &x));
    if !is_listed(&logits.device()) {
        return tensor::bernoulli_log_prob(logits, x);
    }
    Tensor::from_dispatch(Dispatch::bernoulli_log_prob(logits.into_dispatch(), x.into_dispatch()))
}

/// log softmax(logits)\[class\] for each row, in nats.
///
/// l\[class\] − m − log Σₖ exp(lₖ − m) with m = max l.
///
/// # Shapes
/// `logits` `[n, k]`, `class` `[n]` with values in 0 .. k; the result `[n]`.
///
/// # Panics
/// If the numbers of rows differ. A class out of range panics on a CPU, on flex naming it, and reads another place on a GPU:
/// [`Support::check_int`](crate::density::Support::check_int) looks beforehand.
pub fn categorical_log_prob(logits: Tensor<2>, class: Tensor<1, Int>) -> Tensor<1> {
    let (shape, numbers) = (logits.dims(), class.dims());
    assert_eq!(shape[0], numbers[0], "categorical_log_prob: `logits` has shape {shape:?} and `class` {numbers:?}");
    if !is_listed(&logits.device()) {
        return tensor::categorical_log_prob(logits, class);
    }
    Tensor::from_dispatch(Dispatch::categorical_log_prob(logits.into_dispatch(), class.into_dispatch()))
}

/// log Σₘ πₘ P(x; μₘ, sₘ) of a mixture of discretised logistics for each row, in nats, with π = softmax(weight_logits); see
/// [`DiscretizedLogisticMixture`](crate::density::DiscretizedLogisticMixture).
///
/// # Shapes
/// `weight_logits`, `mean`, `log_scale` `[n, m]`, `x` `[n]` with whole values in 0 .. levels; the result `[n]`. No gradient
/// reaches `x`.
///
/// # Panics
/// If the shapes do not agree or `levels` < 2.
pub fn discretized_logistic_mixture_log_prob(
    weight_logits: Tensor<2>,
    mean: Tensor<2>,
    log_scale: Tensor<2>,
    x: Tensor<1>,
    levels: usize,
) -> Tensor<1> {
    let what = "discretized_logistic_mixture_log_prob";
    assert_one_shape(what, ("weight_logits", &weight_logits), ("mean", &mean));
    assert_one_shape(what, ("mean", &mean), ("log_scale", &log_scale));
    let (shape, numbers) = (mean.dims(), x.dims());
    assert_eq!(shape[0], numbers[0], "{what}: `mean` has shape {shape:?} and `x` {numbers:?}");
    assert!(levels >= 2, "{what}: `levels` is {levels}, need 2 or more");
    if !is_listed(&mean.device()) {
        return tensor::discretized_logistic_mixture_log_prob(weight_logits, mean, log_scale, x, levels);
    }
    let [weight_logits, mean, log_scale] = [weight_logits, mean, log_scale].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::discretized_logistic_mixture_log_prob(
        weight_logits,
        mean,
        log_scale,
        x.into_dispatch(),
        levels,
    ))
}

/// log BetaBinomial(x; n, α, β) = log C(n, x) (α)ₓ (β)ₙ₋ₓ / (α + β)ₙ with (a)ₖ = a(a + 1)…(a + k − 1), elementwise, in nats; see
/// [`BetaBinomialMixture`](crate::density::BetaBinomialMixture). On flex its time does not depend on n = `trials`; elsewhere time and
/// memory grow with it.
///
/// # Shapes
/// `log_alpha`, `log_beta` `[r, m]`, `x` `[r]` with whole values in 0 ..= n; the result `[r, m]`. No gradient reaches `x`.
///
/// # Panics
/// If the shapes do not agree.
pub fn beta_binomial_log_prob(log_alpha: Tensor<2>, log_beta: Tensor<2>, x: Tensor<1>, trials: usize) -> Tensor<2> {
    let what = "beta_binomial_log_prob";
    assert_one_shape(what, ("log_alpha", &log_alpha), ("log_beta", &log_beta));
    let (shape, numbers) = (log_alpha.dims(), x.dims());
    assert_eq!(shape[0], numbers[0], "{what}: `log_alpha` has shape {shape:?} and `x` {numbers:?}");
    if !is_listed(&log_alpha.device()) {
        return tensor::beta_binomial_log_prob(log_alpha, log_beta, x, trials);
    }
    let [log_alpha, log_beta] = [log_alpha, log_beta].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::beta_binomial_log_prob(log_alpha, log_beta, x.into_dispatch(), trials))
}
