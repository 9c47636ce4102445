//! Adam and AdamW in one pass over each parameter: what Burn's take a dozen passes for.

// NdArray is deprecated in Burn 0.22, and offered by name all the same.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// How weights decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// A penalty in the gradient, g ← g + λ·θ: Adam (Kingma and Ba 2015).
    Penalty(f32),
    /// Apart from the gradient, θ ← (1 − lr·λ)·θ: AdamW (Loshchilov and Hutter 2019).
    Decoupled(f32),
}

/// m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε), for each element, and the decay.
///
/// Kingma and Ba 2015, "Adam: A method for stochastic optimization", algorithm 1. Decoupled, the operations and their order are those of
/// Burn's `AdamW`, so on flex the weights are the same bit for bit; the state is Burn's, so either resumes what the other began.
#[derive(Clone, Debug)]
pub struct FusedAdam {
    /// Decay rate of the gradient's mean, in [0, 1).
    pub beta_1: f32,
    /// Decay rate of the gradient's second moment, in [0, 1).
    pub beta_2: f32,
    /// ε, above 0.
    pub epsilon: f32,
    /// λ, and what it acts on.
    pub decay: Decay,
}

impl Default for FusedAdam {
    /// β₁ = 0.9, β₂ = 0.999, ε = 1e-8, no decay.
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: Decay::Decoupled(0.0) }
    }
}

impl Optimizer for FusedAdam {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let zeros = || AdaptiveMomentumState::new(0, grad.zeros_like(), grad.zeros_like());
        let AdaptiveMomentumState { time, moment_1, moment_2, max_moment_2 } =
            state.map_or_else(zeros, |state| state.momentum);
        let time = time + 1;
        let power = i32::try_from(time).unwrap_or(i32::MAX);
        let (penalty, kept) = match self.decay {
            Decay::Penalty(decay) => (decay, 1.0),
            Decay::Decoupled(decay) => (0.0, 1.0 - lr * f64::from(decay)),
        };
        let step = AdamStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            correction_1: 1.0 - self.beta_1.powi(power),
            correction_2: 1.0 - self.beta_2.powi(power),
            epsilon: self.epsilon,
            penalty,
            kept: kept as f32,
            rate: lr as f32,
        };
        let (tensor, moment_1, moment_2) = adam_step(tensor, grad, moment_1, moment_2, step);
        let momentum = AdaptiveMomentumState { time, moment_1, moment_2, max_moment_2 };
        (tensor, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// β₁.
    pub beta_1: f32,
    /// β₂.
    pub beta_2: f32,
    /// 1 − β₁ᵗ.
    pub correction_1: f32,
    /// 1 − β₂ᵗ.
    pub correction_2: f32,
    /// ε.
    pub epsilon: f32,
    /// λ of a penalty.
    pub penalty: f32,
    /// 1 − lr·λ of a decoupled decay.
    pub kept: f32,
    /// lr.
    pub rate: f32,
}

/// A step of Adam on one parameter.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Fusion: cfg(feature = "fusion"),
)]
pub trait UpdateOps: Backend {
    /// θ, m and v after the step (see [`FusedAdam`]); all of one shape.
    #[fusion(default)]
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::<Self>([parameter, gradient, moment_1, moment_2], step)
    }
}

#[cfg(feature = "ndarray")]
impl UpdateOps for burn_ndarray::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl UpdateOps for burn_cubecl::CubeBackend {}

/// θ, m and v after a step.
fn adam_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moment_1: Tensor<D>,
    moment_2: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    if !crate::is_listed!(parameter.device()) {
        return in_tensors([parameter, gradient, moment_1, moment_2], step);
    }
    let [parameter, gradient, moment_1, moment_2] =
        [parameter, gradient, moment_1, moment_2].map(|tensor| tensor.into_dispatch());
    let (parameter, moment_1, moment_2) = Dispatch::adam_step(parameter, gradient, moment_1, moment_2, step);
    (Tensor::from_dispatch(parameter), Tensor::from_dispatch(moment_1), Tensor::from_dispatch(moment_2))
}

/// The step where the extension does not reach a backend.
fn in_tensors<const D: usize>(
    [parameter, gradient, moment_1, moment_2]: [Tensor<D>; 4],
    step: AdamStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let gradient = if step.penalty == 0.0 { gradient } else { gradient + parameter.clone().mul_scalar(step.penalty) };
    let moment_1 = moment_1.mul_scalar(step.beta_1) + gradient.clone().mul_scalar(1.0 - step.beta_1);
    let moment_2 = moment_2.mul_scalar(step.beta_2) + gradient.square().mul_scalar(1.0 - step.beta_2);
    let deviation = moment_2.clone().div_scalar(step.correction_2).sqrt().add_scalar(step.epsilon);
    let direction = moment_1.clone().div_scalar(step.correction_1) / deviation;
    (parameter.mul_scalar(step.kept) - direction.mul_scalar(step.rate), moment_1, moment_2)
}

/// The same for any backend.
fn composed<B: Backend>(
    [parameter, gradient, moment_1, moment_2]: [FloatTensor<B>; 4],
    step: AdamStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let scaled = |tensor, factor: f32| B::float_mul_scalar(tensor, factor.into());
    let gradient =
        if step.penalty == 0.0 { gradient } else { B::float_add(gradient, scaled(parameter.clone(), step.penalty)) };
    let square = B::float_mul(gradient.clone(), gradient.clone());
    let moment_1 = B::float_add(scaled(moment_1, step.beta_1), scaled(gradient, 1.0 - step.beta_1));
    let moment_2 = B::float_add(scaled(moment_2, step.beta_2), scaled(square, 1.0 - step.beta_2));
    let variance = B::float_div_scalar(moment_2.clone(), step.correction_2.into());
    let deviation = B::float_add_scalar(B::float_sqrt(variance), step.epsilon.into());
    let mean = B::float_div_scalar(moment_1.clone(), step.correction_1.into());
    let direction = scaled(B::float_div(mean, deviation), step.rate);
    (B::float_sub(scaled(parameter, step.kept), direction), moment_1, moment_2)
}

#[cfg(feature = "flex")]
mod flex {
    //! In place where nobody else holds the tensors.

    use super::{AdamStep, UpdateOps, composed};
    use crate::ops::flex::{CHUNK, all_f32, owned};
    use crate::vectorised;
    use burn::backend::tensor::FloatTensor;
    use burn_flex::Flex;
    use rayon::prelude::*;

    impl UpdateOps for Flex {
        fn adam_step(
            parameter: FloatTensor<Self>,
            gradient: FloatTensor<Self>,
            moment_1: FloatTensor<Self>,
            moment_2: FloatTensor<Self>,
            step: AdamStep,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
            if !all_f32(&[&parameter, &gradient, &moment_1, &moment_2]) {
                return composed::<Self>([parameter, gradient, moment_1, moment_2], step);
            }
            let gradient = owned(gradient);
            let [mut parameter, mut moment_1, mut moment_2] = [parameter, moment_1, moment_2].map(owned);
            let rows =
                parameter.storage_mut::<f32>().par_chunks_mut(CHUNK).zip(gradient.storage::<f32>().par_chunks(CHUNK));
            let rows = rows.zip(moment_1.storage_mut::<f32>().par_chunks_mut(CHUNK));
            let rows = rows.zip(moment_2.storage_mut::<f32>().par_chunks_mut(CHUNK));
            rows.for_each(|(((parameter, gradient), moment_1), moment_2)| {
                update(parameter, gradient, moment_1, moment_2, step);
            });
            (parameter, moment_1, moment_2)
        }
    }

    vectorised! {
        fn update(parameter: &mut [f32], gradient: &[f32], moment_1: &mut [f32], moment_2: &mut [f32], step: AdamStep) {
            let (share_1, share_2) = (1.0 - step.beta_1, 1.0 - step.beta_2);
            for (((x, &g), m), v) in parameter.iter_mut().zip(gradient).zip(moment_1).zip(moment_2) {
                let g = if step.penalty == 0.0 { g } else { g + *x * step.penalty };
                *m = *m * step.beta_1 + g * share_1;
                *v = *v * step.beta_2 + (g * g) * share_2;
                let direction = (*m / step.correction_1) / ((*v / step.correction_2).sqrt() + step.epsilon);
                *x = *x * step.kept - direction * step.rate;
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
