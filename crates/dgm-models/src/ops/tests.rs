//! The tap convolution against its tensor form and finite differences, on every backend of the build.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::devices;
use crate::testing::rounding::{Moves, largest, rounding, tolerance};
use burn::tensor::Device;
use dgm_core::host;
use dgm_core::random::Seed;

/// Batch, inputs, height, width and outputs: rows of whole vectors and others, several tiles of outputs with a rest, a row, a position,
/// and runs of several groups of images with a rest.
const SIZES: [[usize; 5]; 8] = [
    [3, 2, 4, 5, 3],
    [19, 3, 8, 8, 4],
    [2, 5, 3, 9, 13],
    [9, 4, 1, 16, 7],
    [1, 2, 1, 1, 1],
    [17, 1, 19, 19, 2],
    [2, 3, 5, 28, 25],
    [2, 2, 3, 64, 11],
];
const TAPS: [&[Tap]; 4] = [&[[0, 0]], &[[0, -1], [-1, 1], [-1, 0]], &[[0, -3], [2, 1]], &[[-9, 0], [0, -30], [0, -1]]];

fn inputs([b, c, h, w, o]: [usize; 5], taps: &[Tap], device: &Device) -> (Tensor<4>, Tensor<3>, Tensor<1>) {
    let mut noise = Seed(1).stream("test", 0);
    (
        noise.normal_tensor([b, c, h, w], device),
        noise.normal_tensor([o, c, taps.len()], device),
        noise.normal_tensor([o], device),
    )
}

#[test]
fn values_and_gradients_are_those_of_the_tensor_form() {
    for device in devices() {
        for (size, taps) in SIZES.into_iter().flat_map(|size| TAPS.map(|taps| (size, taps))) {
            let device = device.clone().autodiff();
            let run = |conv: fn(Tensor<4>, Tensor<3>, Tensor<1>, &[Tap]) -> Tensor<4>, moves: &mut Moves| {
                let (x, weight, bias) = inputs(size, taps, &device);
                let (x, weight) = (moves.tensor(x).require_grad(), moves.tensor(weight).require_grad());
                let bias = moves.tensor(bias).require_grad();
                let y = conv(x.clone(), weight.clone(), bias.clone(), taps);
                // A loss with a different gradient everywhere.
                let grads = y.clone().square().sum().backward();
                [
                    host(y.detach()),
                    host(x.grad(&grads).unwrap()),
                    host(weight.grad(&grads).unwrap()),
                    host(bias.grad(&grads).unwrap()),
                ]
            };
            let [b, c, h, w, o] = size;
            let (each, all) = ((c * taps.len()).max(o * taps.len()) + 1, b * h * w);
            let found = with_all_vectors(|| run(tap_conv2d, &mut Moves::none()));
            let oracle = run(composed_tap_conv2d, &mut Moves::none());
            // Values and the inputs' gradients are sums over the taps; those of weights and biases over all positions too.
            for (i, terms) in [each, 2 * each, each + all, each + all].into_iter().enumerate() {
                let allowed = largest(&rounding(terms, |moves| run(composed_tap_conv2d, moves)[i].clone()));
                for (a, b) in found.iter().flat_map(|ours| ours[i].iter().zip(&oracle[i])) {
                    assert!((a - b).abs() <= allowed, "{i} of {size:?} {taps:?}: {a} {b}, allowed {allowed:e}");
                }
            }
        }
    }
}

/// What is added to the convolution.
#[derive(Clone, Copy, Debug)]
enum Base {
    Nothing,
    OneForAll,
    OneForEach,
    TheInput,
}

/// The whole of it in operations of tensors.
fn composed_fused(
    x: Tensor<4>,
    before: Before,
    weight: Tensor<3>,
    bias: Tensor<1>,
    taps: &[Tap],
    base: Option<Tensor<4>>,
) -> Tensor<4> {
    let y = composed_tap_conv2d(before.of_tensor(x), weight, bias, taps);
    match base {
        Some(base) => y + base,
        None => y,
    }
}

#[test]
fn what_is_fused_is_its_tensor_form() {
    type Conv = fn(Tensor<4>, Before, Tensor<3>, Tensor<1>, &[Tap], Option<Tensor<4>>) -> Tensor<4>;
    let activations =
        [Activation::Identity, Activation::Relu, Activation::LeakyRelu(0.2), Activation::Silu, Activation::SquaredRelu];
    let befores: Vec<Before> = activations.into_iter().map(Before::Each).chain([Before::Gate]).collect();
    // As many outputs as channels of x, so that x can be the base; rows of no whole vectors, and rows of one.
    let sizes = [[5, 4, 5, 21], [11, 2, 3, 8]];
    let [wide, narrow] = sizes;
    let cases = [(wide, Base::Nothing), (narrow, Base::OneForAll), (wide, Base::OneForEach), (narrow, Base::TheInput)];
    let taps: &[Tap] = &[[0, -1], [-1, 1], [-1, 0]];
    for (device, &before) in
        devices().into_iter().flat_map(|device| befores.iter().map(move |before| (device.clone(), before)))
    {
        let device = device.autodiff();
        for ([b, o, h, w], kind) in cases {
            let run = |conv: Conv, moves: &mut Moves| {
                let mut noise = Seed(3).stream("test", 0);
                let x = moves.tensor(noise.normal_tensor([b, o, h, w], &device)).require_grad();
                let c = o / before.channels();
                let weight = moves.tensor(noise.normal_tensor([o, c, taps.len()], &device)).require_grad();
                let bias = moves.tensor(noise.normal_tensor([o], &device)).require_grad();
                let own = |n: usize, noise: &mut dgm_core::random::Stream| {
                    noise.normal_tensor([n, o, h, w], &device).require_grad()
                };
                let base = match kind {
                    Base::Nothing => None,
                    Base::OneForAll => Some(own(1, &mut noise)),
                    Base::OneForEach => Some(own(b, &mut noise)),
                    Base::TheInput => Some(x.clone()),
                };
                let y = conv(x.clone(), before, weight.clone(), bias.clone(), taps, base.clone());
                let grads = y.clone().square().sum().backward();
                let of_base = base.map(|base| host(base.grad(&grads).unwrap())).unwrap_or_default();
                [
                    host(y.detach()),
                    host(x.grad(&grads).unwrap()),
                    host(weight.grad(&grads).unwrap()),
                    host(bias.grad(&grads).unwrap()),
                    of_base,
                ]
            };
            let found = with_all_vectors(|| run(fused_tap_conv2d, &mut Moves::none()));
            let oracle = run(composed_fused, &mut Moves::none());
            let (each, all) = (o * taps.len() + 8, b * h * w);
            for (i, terms) in [each, 2 * each, each + all, each + all, each + b].into_iter().enumerate() {
                let allowed = largest(&rounding(terms, |moves| run(composed_fused, moves)[i].clone()));
                assert!(found.iter().all(|ours| ours[i].len() == oracle[i].len()));
                for (a, b) in found.iter().flat_map(|ours| ours[i].iter().zip(&oracle[i])) {
                    assert!((a - b).abs() <= allowed, "{i} of {before:?} {kind:?}: {a} {b}, allowed {allowed:e}");
                }
            }
        }
    }
}

#[test]
fn the_gate_is_its_tensor_form() {
    for device in devices() {
        let device = device.autodiff();
        let run = |gate: fn(Tensor<4>) -> Tensor<4>| {
            let x = Seed(2).stream("test", 0).normal_tensor([5, 6, 3, 4], &device).mul_scalar(4.0).require_grad();
            let y = gate(x.clone());
            let grads = y.clone().square().sum().backward();
            [host(y.detach()), host(x.grad(&grads).unwrap())].concat()
        };
        for (a, b) in run(gate).into_iter().zip(run(composed_gate)) {
            // A handful of operations on numbers up to 1, and exponentials: WGSL's are off by 3 + 2|x| units in the last place.
            assert!((a - b).abs() <= tolerance(64, 1.0 + b.abs()), "{a} {b}");
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    let taps: &[Tap] = &[[0, -1], [-1, 1]];
    for device in devices() {
        let device = device.autodiff();
        let (x, weight, bias) = inputs([2, 2, 3, 3, 2], taps, &device);
        let (x, weight) = (x.require_grad(), weight.require_grad());
        // A bilinear function: central differences are exact up to rounding at any step.
        let terms = |x: Tensor<4>, weight: Tensor<3>| {
            let y = tap_conv2d(x, weight, bias.clone(), taps);
            let [b, o, h, w] = y.dims();
            let ramp = Tensor::<1, burn::tensor::Int>::arange(0..(b * o * h * w) as i64, &device).float();
            y * ramp.reshape([b, o, h, w])
        };
        let value = |x: Tensor<4>, weight: Tensor<3>| terms(x, weight).sum();
        // Sums of 2 channels times 2 taps and a bias, and of 36 of these; of each a gradient, and twice in a difference.
        let magnitude = host(terms(x.clone().abs(), weight.clone().abs())).into_iter().map(f64::abs).sum::<f64>();
        let allowed = tolerance(4 + 1 + 36, 2.0 * magnitude) as f32;
        let grads = value(x.clone(), weight.clone()).backward();
        let grad_x: Vec<f32> = x.grad(&grads).unwrap().into_data().iter().collect();
        let grad_weight: Vec<f32> = weight.grad(&grads).unwrap().into_data().iter().collect();
        let step = 0.5;
        for element in 0..36 {
            let mut bump = vec![0.0f32; 36];
            bump[element] = step;
            let bump = Tensor::from_data(burn::tensor::TensorData::new(bump, [2, 2, 3, 3]), &device);
            let up: f32 = value(x.clone() + bump.clone(), weight.clone()).into_scalar();
            let down: f32 = value(x.clone() - bump, weight.clone()).into_scalar();
            let exact = grad_x[element];
            assert!(((up - down) / (2.0 * step) - exact).abs() <= allowed, "x[{element}]: {} {exact}", up - down);
        }
        for element in 0..8 {
            let mut bump = vec![0.0f32; 8];
            bump[element] = step;
            let bump = Tensor::from_data(burn::tensor::TensorData::new(bump, [2, 2, 2]), &device);
            let up: f32 = value(x.clone(), weight.clone() + bump.clone()).into_scalar();
            let down: f32 = value(x.clone(), weight.clone() - bump).into_scalar();
            let exact = grad_weight[element];
            assert!(((up - down) / (2.0 * step) - exact).abs() <= allowed, "weight[{element}]: {} {exact}", up - down);
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let device = Device::flex().autodiff();
            let of = |size: [usize; 5], before: Before, residual: bool| {
                let (x, weight, bias) = inputs(size, TAPS[1], &device);
                let x = if before == Before::Gate { Tensor::cat(vec![x.clone(), x.flip([0])], 1) } else { x };
                let (x, weight) = (x.require_grad(), weight.require_grad());
                let base = residual.then(|| x.clone());
                let y = fused_tap_conv2d(x.clone(), before, weight.clone(), bias, TAPS[1], base);
                let grads = y.clone().square().sum().backward();
                [y.detach().into_data(), x.grad(&grads).unwrap().into_data(), weight.grad(&grads).unwrap().into_data()]
            };
            [
                of(SIZES[5], Before::IDENTITY, false),
                of([17, 3, 7, 7, 3], Before::Each(Activation::Silu), true),
                of([17, 3, 7, 7, 6], Before::Gate, true),
            ]
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_gradient_of_x_alone_is_that_of_all() {
    for device in devices() {
        let device = device.autodiff();
        let of_x = |frozen: bool| {
            let (x, weight, bias) = inputs([5, 3, 4, 9, 3], TAPS[1], &device);
            let x = x.require_grad();
            let (weight, bias) = if frozen { (weight, bias) } else { (weight.require_grad(), bias.require_grad()) };
            let before = Before::Each(Activation::Silu);
            let y = fused_tap_conv2d(x.clone(), before, weight, bias, TAPS[1], Some(x.clone()));
            x.grad(&y.square().sum().backward()).unwrap().into_data()
        };
        assert_eq!(of_x(true), of_x(false));
    }
}
