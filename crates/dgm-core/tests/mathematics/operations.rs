//! The one-operation forms against the composed ones: values, gradients, strides, bad targets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::*;
use burn::tensor::{Device, Int, Tensor};
use dgm_core::ops;

/// Values and gradients (to every input) of Σ w·f(u), with u = 2·tanh(input) so that checkpointing has something to redo.
fn run(inputs: &[Matrix], device: &Device, function: impl Fn(&[Tensor<2>]) -> Tensor<1>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let leaves: Vec<Tensor<2>> =
        inputs.iter().map(|values| to_tensor(values, [ROWS, COLUMNS], device).require_grad()).collect();
    let inner: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().tanh().mul_scalar(2.0)).collect();
    let value = function(&inner);
    let n = value.dims()[0];
    let gradients = (value.clone() * to_tensor(&weights(n), [n], device)).sum().backward();
    (to_host(value), leaves.iter().map(|leaf| to_host(leaf.grad(&gradients).expect("a gradient"))).collect())
}

/// Sums of 5 numbers and a dozen operations more; a small number among large ones is a difference of numbers of their size.
fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance(COLUMNS + 12, largest), "{what}, number {i}: {found} {expected}");
    }
}

#[test]
fn one_operation_is_the_composed_form() {
    let mut logits = matrix("logits", 3.0);
    // At a logit of 0, where a network starts, max(l, 0) and |l| have no gradient of their own.
    logits[3] = 0.0;
    let x = matrix("x", 1.0);
    for place in places() {
        let plain = place.device.clone().autodiff();
        let checkpointed = place.device.clone().autodiff().gradient_checkpointing();
        assert!(ops::is_listed(&plain), "{} goes through the one operation", place.name);
        for device in [plain, checkpointed] {
            let inputs = [logits.clone(), x.clone()];
            let fused = run(&inputs, &device, |v| ops::bernoulli_log_prob(v[0].clone(), v[1].clone()).flatten(0, 1));
            let composed =
                run(&inputs, &device, |v| ops::composed_bernoulli_log_prob(v[0].clone(), v[1].clone()).flatten(0, 1));
            assert_close(&format!("bernoulli on {}", place.name), &fused.0, &composed.0);
            for (fused, composed) in fused.1.iter().zip(&composed.1) {
                assert_close(&format!("bernoulli's gradient on {}", place.name), fused, composed);
            }
            let classes = || Tensor::<1, Int>::from_data([4, 0, 2, 2, 1, 3], &device);
            let inputs = [logits.clone()];
            let fused = run(&inputs, &device, |v| ops::categorical_log_prob(v[0].clone(), classes()));
            let composed = run(&inputs, &device, |v| ops::composed_categorical_log_prob(v[0].clone(), classes()));
            assert_close(&format!("categorical on {}", place.name), &fused.0, &composed.0);
            assert_close(&format!("categorical's gradient on {}", place.name), &fused.1[0], &composed.1[0]);
        }
    }
}

#[test]
fn a_beta_binomial_is_the_composed_form() {
    let inputs = [matrix("logits", 3.0), matrix("x", 3.0)];
    for (place, trials) in
        [1, 4, 16].into_iter().flat_map(|trials| places().into_iter().map(move |place| (place, trials)))
    {
        let device = place.device.clone().autodiff();
        // No step, all of them, and some.
        let (all, one) = (trials as f32, f32::from(u8::from(trials > 1)));
        let x = || Tensor::<1>::from_data([all, 0.0, all, one, 0.0, all - one], &device);
        let fused = run(&inputs, &device, |v| {
            ops::beta_binomial_log_prob(v[0].clone(), v[1].clone(), x(), trials).sum_dim(1).squeeze_dim(1)
        });
        let composed = run(&inputs, &device, |v| {
            ops::composed_beta_binomial_log_prob(v[0].clone(), v[1].clone(), x(), trials).sum_dim(1).squeeze_dim(1)
        });
        assert_close(&format!("{trials} trials on {}", place.name), &fused.0, &composed.0);
        for (fused, composed) in fused.1.iter().zip(&composed.1) {
            assert_close(&format!("gradient of {trials} trials on {}", place.name), fused, composed);
        }
    }
}

/// Every value of mean and scale that a network may emit, with every kind of bin.
#[test]
fn a_mixture_of_discretised_logistics_is_the_composed_form() {
    let rows = 600;
    let components = 3;
    let mut noise = dgm_core::random::Seed(3).stream("mixture", 0);
    let mut draw = |low: f32, high: f32| -> Vec<f64> {
        noise.uniforms(rows * components).into_iter().map(|u| f64::from(low + (high - low) * u)).collect()
    };
    let (weights, means, log_scales) = (draw(-4.0, 4.0), draw(-1.5, 1.5), draw(-7.0, 3.0));
    for place in places() {
        for levels in [2usize, 3, 17, 256] {
            let x: Vec<f64> =
                (0..rows).map(|row| (row % levels.min(19) * (levels - 1) / (levels.min(19) - 1)) as f64).collect();
            let device = place.device.clone().autodiff();
            let x = to_tensor(&x, [rows], &device);
            let run = |function: &dyn Fn([Tensor<2>; 3]) -> Tensor<1>| {
                let leaves = [&weights, &means, &log_scales]
                    .map(|values| to_tensor(values, [rows, components], &device).require_grad());
                let value = function(leaves.clone());
                let gradients =
                    (value.clone() * to_tensor(&crate::common::weights(rows), [rows], &device)).sum().backward();
                (to_host(value), leaves.map(|leaf| to_host(leaf.grad(&gradients).unwrap())))
            };
            let fused = run(&|[w, m, s]| ops::discretized_logistic_mixture_log_prob(w, m, s, x.clone(), levels));
            let composed =
                run(&|[w, m, s]| ops::composed_discretized_logistic_mixture_log_prob(w, m, s, x.clone(), levels));
            // Edges that f32 rounds at 2⁻²⁴ are divided by scales down to exp(−7); and WGSL's exp is a third as good.
            let tolerance = if place.exact { 1e-5 } else { 1e-4 };
            let close = |what: &str, a: &[f64], b: &[f64]| {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    let allowed = tolerance * (1.0 + b.abs());
                    assert!((a - b).abs() <= allowed, "{what}, {levels} levels on {}, number {i}: {a} {b}", place.name);
                }
            };
            close("value", &fused.0, &composed.0);
            for (name, (fused, composed)) in
                ["weights", "mean", "log_scale"].iter().zip(fused.1.iter().zip(&composed.1))
            {
                close(name, fused, composed);
            }
        }
    }
}

#[cfg(feature = "flex")]
#[test]
#[should_panic(expected = "`class` is 5 in row 2, but `logits` has 5 columns")]
fn a_class_out_of_range_is_named() {
    let device = Device::flex();
    let classes = Tensor::<1, Int>::from_data([0, 4, 5, 1, 2, 3], &device);
    ops::categorical_log_prob(to_tensor(&matrix("logits", 1.0), [ROWS, COLUMNS], &device), classes);
}

#[test]
#[should_panic(expected = "`logits` has shape [6, 5] and `class` [2]")]
fn shapes_that_differ_are_named() {
    let device = places().remove(0).device;
    let classes = Tensor::<1, Int>::from_data([0, 1], &device);
    ops::categorical_log_prob(to_tensor(&matrix("logits", 1.0), [ROWS, COLUMNS], &device), classes);
}

#[test]
fn one_operation_takes_views() {
    // Transposed and sliced tensors: same numbers, other strides.
    for place in places() {
        let device = place.device.clone().autodiff();
        let logits = matrix("logits", 3.0);
        let x = to_tensor(&matrix("x", 1.0), [ROWS, COLUMNS], &device);
        let leaf = to_tensor(&logits, [ROWS, COLUMNS], &device).require_grad();
        let view = |t: Tensor<2>| t.swap_dims(0, 1).slice([1..4, 0..ROWS]);
        let value = ops::bernoulli_log_prob(view(leaf.clone()), view(x.clone()));
        let direct = view(ops::bernoulli_log_prob(leaf.clone(), x));
        assert_close(place.name, &to_host(value.clone()), &to_host(direct.clone()));
        let [a, b] = [value, direct].map(|value| to_host(leaf.grad(&value.square().sum().backward()).unwrap()));
        assert_close(place.name, &a, &b);
        let classes = Tensor::<1, Int>::from_data([5, 0, 3], &device);
        let value = ops::categorical_log_prob(view(leaf.clone()), classes.clone());
        let composed = ops::composed_categorical_log_prob(view(leaf.clone()), classes);
        assert_close(place.name, &to_host(value.clone()), &to_host(composed.clone()));
        let [a, b] = [value, composed].map(|value| to_host(leaf.grad(&value.square().sum().backward()).unwrap()));
        assert_close(place.name, &a, &b);
    }
}
