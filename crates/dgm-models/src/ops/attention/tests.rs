//! Attention against its tensor form on every backend of the build, against sums written out, and what it may not see.

#![allow(clippy::unwrap_used)]

use super::super::with_all_vectors;
use super::*;
use crate::testing::devices;
use crate::testing::rounding::{Moves, largest, rounding};
use burn::tensor::{Device, TensorData};
use dgm_core::host;
use dgm_core::random::Seed;

/// Images, places, heads and their width: whole vectors and others, one place, several blocks of queries with a rest.
const SIZES: [[usize; 4]; 6] =
    [[2, 5, 2, 3], [3, 16, 1, 8], [1, 1, 3, 4], [2, 101, 2, 5], [1, 96, 1, 16], [1, 50, 1, 33]];

type Attention = fn(Tensor<3>, usize) -> Tensor<3>;

/// Values and the gradient of a loss with a different gradient everywhere.
fn run(
    attention: Attention,
    [n, length, heads, width]: [usize; 4],
    device: &Device,
    moves: &mut Moves,
) -> [Vec<f64>; 2] {
    let mut rng = Seed(1).stream("test", 0);
    let projections = rng.normal_tensor([n, length, 3 * heads * width], device).mul_scalar(1.5);
    let projections = moves.tensor(projections).require_grad();
    let y = attention(projections.clone(), heads);
    let grads = y.clone().square().sum().backward();
    [host(y.detach()), host(projections.grad(&grads).unwrap())]
}

#[test]
fn values_and_gradients_are_those_of_the_tensor_form() {
    for device in devices() {
        let device = device.autodiff();
        for sizes in SIZES {
            let found = with_all_vectors(|| run(causal_attention, sizes, &device, &mut Moves::none()));
            let oracle = run(composed_causal_attention, sizes, &device, &mut Moves::none());
            let [_, length, _, width] = sizes;
            for (place, terms) in [length + width, 3 * (length + width)].into_iter().enumerate() {
                let moved = |moves: &mut Moves| run(composed_causal_attention, sizes, &device, moves)[place].clone();
                let allowed = largest(&rounding(terms, moved));
                for (a, b) in found.iter().flat_map(|ours| ours[place].iter().zip(&oracle[place])) {
                    assert!((a - b).abs() <= allowed, "{place} of {sizes:?}: {a} {b}, allowed {allowed:e}");
                }
            }
        }
    }
}

#[test]
fn it_is_the_sum_of_its_definition() {
    let (length, heads, width) = (7, 2, 3);
    let channels = heads * width;
    let x: Vec<f64> = host(Seed(2).stream("test", 0).normal_tensor([1, length, 3 * channels], &Device::flex()));
    let of = |kind: usize, place: usize, head: usize| &x[(place * 3 + kind) * channels + head * width..][..width];
    for device in devices() {
        let projections = Tensor::<1>::from_floats(&*x.iter().map(|&x| x as f32).collect::<Vec<_>>(), &device);
        let y = host(causal_attention(projections.reshape([1, length, 3 * channels]), heads));
        for (place, head, feature) in (0..length * channels).map(|i| (i / channels, i % channels / width, i % width)) {
            let score = |seen: usize| {
                let products = of(0, place, head).iter().zip(of(1, seen, head)).map(|(q, k)| q * k);
                (products.sum::<f64>() / 3f64.sqrt()).exp()
            };
            let total: f64 = (0..=place).map(score).sum();
            let expected: f64 = (0..=place).map(|seen| score(seen) / total * of(2, seen, head)[feature]).sum();
            let found = y[place * channels + head * width + feature];
            assert!((found - expected).abs() < 1e-5, "{place} {head} {feature}: {found}, expected {expected}");
        }
    }
}

#[test]
fn no_place_sees_a_later_one() {
    for device in devices() {
        let run = |last: f32| {
            let x = Seed(3).stream("test", 0).normal_tensor([1, 20, 12], &device);
            let x = x.slice_assign([0..1, 19..20, 0..12], Tensor::full([1, 1, 12], last, &device));
            host(causal_attention(x, 2).slice([0..1, 0..19]))
        };
        assert_eq!(run(1.0), run(-3.0));
    }
}

#[cfg(feature = "flex")]
#[test]
fn results_do_not_depend_on_the_number_of_threads_or_on_a_graph() {
    let run = |threads: usize| -> Vec<TensorData> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let run = |sizes| run(causal_attention, sizes, &Device::flex().autodiff(), &mut Moves::none());
            SIZES.into_iter().flat_map(run).map(|values| TensorData::from(values.as_slice())).collect()
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
    let of = |device: &Device| {
        let x = Seed(4).stream("test", 0).normal_tensor([2, 9, 12], device);
        host(causal_attention(if device.is_autodiff() { x.require_grad() } else { x }, 2).detach())
    };
    assert_eq!(of(&Device::flex()), of(&Device::flex().autodiff()));
}

#[test]
fn large_scores_do_not_overflow() {
    for device in devices() {
        let x = Seed(5).stream("test", 0).normal_tensor([1, 10, 12], &device).mul_scalar(1e4);
        assert!(host(causal_attention(x, 1)).iter().all(|y| y.is_finite()));
    }
}
