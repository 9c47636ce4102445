//! FusedAdam against Burn's optimisers and its own composed form.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::random::Seed;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig};
use burn::tensor::TensorData;

/// Ten steps from the same weights along the same gradients, with a pause in between for the state to be another tensor's.
fn weights<O: Optimizer>(optimizer: &O, device: &Device) -> TensorData {
    let mut rng = Seed(3).stream("test", 0);
    let mut tensor: Tensor<2> = rng.normal_tensor([70, 130], device);
    let mut state = None;
    for step in 0..10 {
        let gradient: Tensor<2> = rng.normal_tensor([70, 130], device);
        // A column without a gradient, and one of tiny ones.
        let scale = Tensor::<1>::from_floats([0.0, 1e-12], device).reshape([1, 2]);
        let gradient = gradient.clone().slice_assign([0..70, 0..2], gradient.slice([0..70, 0..2]) * scale);
        (tensor, state) = optimizer.step(0.01 / f64::from(step + 1), tensor, gradient, state);
    }
    tensor.into_data()
}

#[test]
fn it_is_burns_adamw_bit_for_bit() {
    let device = Device::flex();
    for decay in [0.0, 0.1] {
        let burns = AdamWConfig::new().with_beta_1(0.8).with_beta_2(0.99).with_epsilon(1e-8);
        let burns = weights(&burns.with_weight_decay(decay).build(), &device);
        let ours = FusedAdam { beta_1: 0.8, beta_2: 0.99, epsilon: 1e-8, decay: Decay::Decoupled(decay) };
        assert_eq!(weights(&ours, &device), burns, "decay {decay}");
    }
}

#[test]
fn with_a_penalty_it_is_burns_adam() {
    let device = Device::flex();
    for decay in [None, Some(0.1)] {
        let burns = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay.map(WeightDecayConfig::new));
        let burns: Vec<f32> = weights(&burns.build(), &device).iter().collect();
        let ours = FusedAdam { decay: Decay::Penalty(decay.unwrap_or(0.0)), ..FusedAdam::default() };
        let ours: Vec<f32> = weights(&ours, &device).iter().collect();
        for (a, b) in ours.iter().zip(&burns) {
            // Ten steps of at most 0.01, each of a dozen operations, on weights of up to 5.
            assert!((a - b).abs() <= 10.0 * f32::EPSILON * (1.0 + b.abs()), "{a} {b}");
        }
    }
}

#[test]
fn every_form_of_a_step_is_the_same() {
    let device = Device::flex();
    let mut rng = Seed(4).stream("test", 0);
    let [parameter, gradient, moment_1, moment_2]: [Tensor<2>; 4] =
        std::array::from_fn(|_| rng.normal_tensor([9, 11], &device));
    let moment_2 = moment_2.square();
    for penalty in [0.0, 0.3] {
        let step = AdamStep {
            beta_1: 0.9,
            beta_2: 0.99,
            correction_1: 0.4,
            correction_2: 0.2,
            epsilon: 1e-8,
            penalty,
            kept: 0.97,
            rate: 0.02,
        };
        let tensors = || [parameter.clone(), gradient.clone(), moment_1.clone(), moment_2.clone()];
        let [a, b, c, d] = tensors();
        let fused = adam_step(a, b, c, d, step);
        let written = in_tensors(tensors(), step);
        let flex = tensors().map(|tensor| burn_flex::FlexTensor::from_data(tensor.into_data()));
        let (a, b, c) = composed::<burn_flex::Flex>(flex, step);
        let of = |tensor: burn_flex::FlexTensor| tensor.into_data();
        for (name, [x, m, v]) in
            [("tensors", [written.0, written.1, written.2].map(Tensor::into_data)), ("composed", [of(a), of(b), of(c)])]
        {
            assert_eq!(fused.0.to_data(), x, "{name}");
            assert_eq!(fused.1.to_data(), m, "{name}");
            assert_eq!(fused.2.to_data(), v, "{name}");
        }
    }
}

#[test]
fn tensors_that_somebody_else_holds_stay_as_they_are() {
    let device = Device::flex();
    let parameter = Tensor::<1>::from_floats([1.0, 2.0], &device);
    let gradient = Tensor::<1>::from_floats([0.5, -0.5], &device);
    let (next, state) = FusedAdam::default().step(0.1, parameter.clone(), gradient.clone(), None);
    let held = state.clone().unwrap().momentum.moment_1.to_data();
    let _ = FusedAdam::default().step(0.1, next.clone(), gradient, state.clone());
    assert_eq!(parameter.to_data(), TensorData::from([1.0f32, 2.0]));
    assert_eq!(state.unwrap().momentum.moment_1.to_data(), held);
    // The first step is the learning rate in the direction of the gradient's sign.
    next.to_data().assert_approx_eq::<f32>(&TensorData::from([0.9f32, 2.1]), burn::tensor::Tolerance::absolute(1e-6));
}
