//! The layer against its tensor form, on every backend of the build.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::devices;
use crate::testing::rounding::{Moves, largest, rounding};
use burn::tensor::{Device, TensorData};
use dgm_core::host;
use dgm_core::random::Seed;

const ACTIVATIONS: [Activation; 6] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::LeakyRelu(-0.5),
    Activation::Silu,
    Activation::SquaredRelu,
];

type Layer = fn(Tensor<2>, Tensor<2>, Tensor<1>, Activation) -> Tensor<2>;

/// Values and the gradients of x, W and b, of a loss with a different gradient everywhere.
fn run(
    layer: Layer,
    [n, i, o]: [usize; 3],
    activation: Activation,
    device: &Device,
    moves: &mut Moves,
) -> [Vec<f64>; 4] {
    let mut rng = Seed(1).stream("test", 0);
    let x = moves.tensor(rng.normal_tensor([n, i], device)).require_grad();
    let weight = moves.tensor(rng.normal_tensor([i, o], device)).require_grad();
    let bias = moves.tensor(rng.normal_tensor([o], device)).require_grad();
    let y = layer(x.clone(), weight.clone(), bias.clone(), activation);
    let grads = y.clone().square().sum().backward();
    [
        host(y.detach()),
        host(x.grad(&grads).unwrap()),
        host(weight.grad(&grads).unwrap()),
        host(bias.grad(&grads).unwrap()),
    ]
}

#[test]
fn values_and_gradients_are_those_of_the_tensor_form() {
    for device in devices() {
        let device = device.autodiff();
        for (sizes, activation) in
            [[3, 4, 5], [300, 7, 130], [1, 1, 1]].into_iter().flat_map(|s| ACTIVATIONS.map(|a| (s, a)))
        {
            let [n, i, o] = sizes;
            let [ours, oracle] = [dense as Layer, composed_dense]
                .map(|layer| run(layer, sizes, activation, &device, &mut Moves::none()));
            for (place, terms) in [i + 4, i + o + 8, i + n + 8, i + n + 8].into_iter().enumerate() {
                let moved = |moves: &mut Moves| run(composed_dense, sizes, activation, &device, moves)[place].clone();
                let allowed = largest(&rounding(terms, moved));
                for (a, b) in ours[place].iter().zip(&oracle[place]) {
                    assert!(
                        (a - b).abs() <= allowed,
                        "{place} of {sizes:?} {activation:?}: {a} {b}, allowed {allowed:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_a_graph_it_is_the_same() {
    let layer = |device: &Device, activation| {
        let mut rng = Seed(2).stream("test", 0);
        let (x, weight) = (rng.normal_tensor([5, 3], device), rng.normal_tensor([3, 4], device));
        let bias = rng.normal_tensor([4], device);
        let bias = if device.is_autodiff() { bias.require_grad() } else { bias };
        dense(x, weight, bias, activation).detach().into_data()
    };
    for activation in ACTIVATIONS {
        assert_eq!(layer(&Device::flex(), activation), layer(&Device::flex().autodiff(), activation));
    }
}

#[cfg(feature = "flex")]
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| -> Vec<TensorData> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let run = |sizes, activation| run(dense, sizes, activation, &Device::flex().autodiff(), &mut Moves::none());
            // Of the second a part by two threads would be a product of 64 × 64, which is summed in another way.
            [[500, 130, 190], [64, 784, 128]]
                .into_iter()
                .flat_map(|sizes| ACTIVATIONS.map(|activation| run(sizes, activation)))
                .flatten()
                .map(|values| TensorData::from(values.as_slice()))
                .collect()
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
}

#[test]
fn nan_is_passed_on() {
    let device = Device::flex();
    for activation in ACTIVATIONS {
        let x = Tensor::<2>::from_floats([[f32::NAN]], &device);
        let y = dense(x, Tensor::ones([1, 1], &device), Tensor::zeros([1], &device), activation);
        assert!(y.into_scalar::<f32>().is_nan(), "{activation:?}");
    }
}
