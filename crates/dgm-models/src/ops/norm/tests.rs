//! Layer normalisation against its tensor form on every backend of the build, and against its definition.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::devices;
use crate::testing::rounding::{Moves, largest, rounding};
use burn::tensor::{Device, TensorData};
use dgm_core::host;
use dgm_core::random::Seed;

const SIZES: [[usize; 3]; 5] = [[2, 3, 5], [7, 11, 64], [1, 1, 1], [3, 50, 33], [1, 2, 700]];

type Norm = fn(Tensor<3>, Tensor<1>, Tensor<1>, f64) -> Tensor<3>;

/// Values and the gradients of x, γ and β, of a loss with a different gradient everywhere.
fn run(norm: Norm, [a, b, features]: [usize; 3], device: &Device, moves: &mut Moves) -> [Vec<f64>; 4] {
    let mut rng = Seed(1).stream("test", 0);
    let x = moves.tensor(rng.normal_tensor([a, b, features], device).add_scalar(0.5)).require_grad();
    let gamma = moves.tensor(rng.normal_tensor([features], device)).require_grad();
    let beta = moves.tensor(rng.normal_tensor([features], device)).require_grad();
    let y = norm(x.clone(), gamma.clone(), beta.clone(), 1e-2);
    let grads = y.clone().square().sum().backward();
    [
        host(y.detach()),
        host(x.grad(&grads).unwrap()),
        host(gamma.grad(&grads).unwrap()),
        host(beta.grad(&grads).unwrap()),
    ]
}

#[test]
fn values_and_gradients_are_those_of_the_tensor_form() {
    for device in devices() {
        let device = device.autodiff();
        for sizes in SIZES {
            let [ours, oracle] =
                [layer_norm as Norm, composed_layer_norm].map(|norm| run(norm, sizes, &device, &mut Moves::none()));
            let [a, b, features] = sizes;
            let (each, all) = (2 * features + 4, a * b + 2 * features + 4);
            for (place, terms) in [each, 2 * each, all, all].into_iter().enumerate() {
                let moved = |moves: &mut Moves| run(composed_layer_norm, sizes, &device, moves)[place].clone();
                let allowed = largest(&rounding(terms, moved));
                for (a, b) in ours[place].iter().zip(&oracle[place]) {
                    assert!((a - b).abs() <= allowed, "{place} of {sizes:?}: {a} {b}, allowed {allowed:e}");
                }
            }
        }
    }
}

#[test]
fn rows_have_the_mean_and_the_standard_deviation_asked_for() {
    for device in devices() {
        let x = Seed(2).stream("test", 0).normal_tensor([6, 40], &device).mul_scalar(3.0).add_scalar(100.0);
        let y = layer_norm(x, Tensor::full([40], 2.0, &device), Tensor::full([40], -1.0, &device), 1e-9);
        for row in host(y).chunks(40) {
            let mean = row.iter().sum::<f64>() / 40.0;
            let variance = row.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 40.0;
            assert!((mean + 1.0).abs() < 1e-4 && (variance - 4.0).abs() < 1e-3, "{mean} {variance}");
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| -> Vec<TensorData> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let run = |sizes| run(layer_norm, sizes, &Device::flex().autodiff(), &mut Moves::none());
            SIZES.into_iter().flat_map(run).map(|values| TensorData::from(values.as_slice())).collect()
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
}
