//! Splines: round trips, their operation on flex against tensor operations, gradients, and what lies outside.

use super::*;
use crate::host;
use crate::ops::spline::composed;
use crate::random::Seed;
use burn::tensor::Device;

const BINS: usize = 8;
const BOUND: f64 = 3.0;

/// Numbers and parameters on this device, some of the numbers outside.
fn example(n: usize, device: &Device) -> (Tensor<1>, Tensor<2>) {
    let mut rng = Seed(7).stream("test", 0);
    let x = rng.normal_tensor([n], device).mul_scalar(1.7);
    (x, rng.normal_tensor([n, 3 * BINS - 1], device))
}

fn largest_difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    host((a - b).abs()).into_iter().fold(0.0, f64::max)
}

#[test]
fn a_million_points_come_back() {
    let device = Device::flex();
    let spline = RationalQuadratic::new(BINS, BOUND);
    for std in [0.3, 1.0] {
        let (x, parameters) = example(1_000_000, &device);
        let parameters = parameters.mul_scalar(std);
        let (y, log_slope) = spline.forward(x.clone(), parameters.clone());
        let (back, negative) = spline.inverse(y, parameters);
        let error = (back - x).abs();
        // y is rounded to 32 bits, which a slope below 1 divides by.
        let rounded = error.clone() * log_slope.clone().exp().clamp_max(1.0);
        assert!(host(rounded).into_iter().fold(0.0, f64::max) < 5e-7);
        if std < 1.0 {
            assert!(host(error).into_iter().fold(0.0, f64::max) < 1e-5);
            assert!(largest_difference(log_slope, negative.neg()) < 1e-4);
        }
    }
}

#[test]
fn the_operation_on_flex_is_that_of_tensors() {
    let device = Device::flex().autodiff();
    for inverse in [false, true] {
        let grads = |f: fn(Tensor<1>, Tensor<2>, f64, bool) -> Mapped| {
            let (x, parameters) = example(2000, &device);
            let (x, parameters) = (x.require_grad(), parameters.require_grad());
            let (y, log_slope) = f(x.clone(), parameters.clone(), BOUND, inverse);
            let weights: Tensor<1> = Seed(8).stream("weights", 0).normal_tensor([2000], &device);
            let loss = (y.clone().sin() + log_slope.clone() * weights).sum();
            let grads = loss.backward();
            let of_x = x.grad(&grads).map(host).unwrap_or_default();
            (host(y), host(log_slope), of_x, parameters.grad(&grads).map(host).unwrap_or_default())
        };
        let (one, other) = (grads(rational_quadratic), grads(composed));
        let pairs = [(&one.0, &other.0), (&one.1, &other.1), (&one.2, &other.2), (&one.3, &other.3)];
        for (part, (one, other)) in pairs.into_iter().enumerate() {
            assert!(!one.is_empty());
            for (a, b) in one.iter().zip(other) {
                // Backwards the tensors lose digits in the root.
                let tolerance = if inverse { 2e-3 } else { 3e-4 };
                assert!((a - b).abs() < tolerance * (1.0 + b.abs()), "{inverse} {part}: {a} {b}");
            }
        }
    }
}

#[test]
fn far_away_it_is_the_identity_with_its_gradient() {
    let device = Device::flex().autodiff();
    let x = [-1e30f32, -1e5, -3.0, 3.0, 3.0001, 77.0, 1e30];
    for (inverse, f) in
        [(false, rational_quadratic as fn(_, _, _, _) -> _), (true, composed), (true, rational_quadratic)]
    {
        let numbers = Tensor::<1>::from_floats(x, &device).require_grad();
        // Parameters that are extreme, too.
        let parameters = (Seed(9).stream("parameters", 0).normal_tensor([7, 3 * BINS - 1], &device)).mul_scalar(1e3);
        let parameters = parameters.require_grad();
        let (y, log_slope): Mapped = f(numbers.clone(), parameters.clone(), BOUND, inverse);
        let grads = (y.clone().sum() + log_slope.clone().sum()).backward();
        assert_eq!(host(y), x.map(f64::from).to_vec());
        assert_eq!(host(log_slope), [0.0; 7]);
        assert_eq!(numbers.grad(&grads).map(host), Some(vec![1.0; 7]));
        assert!(parameters.grad(&grads).map(host).unwrap_or_default().iter().all(|&gradient| gradient == 0.0));
    }
}

#[test]
fn nothing_extreme_is_not_a_number() {
    let device = Device::flex().autodiff();
    let n = 3000;
    let x: Tensor<1> = Seed(9).stream("x", 0).uniform_tensor([n], &device).mul_scalar(6.0).sub_scalar(3.0);
    for inverse in [false, true] {
        let parameters: Tensor<2> = Seed(9).stream("parameters", 0).normal_tensor([n, 3 * BINS - 1], &device);
        let (x, parameters) = (x.clone().require_grad(), parameters.mul_scalar(30.0).require_grad());
        let (y, log_slope) = rational_quadratic(x.clone(), parameters.clone(), BOUND, inverse);
        let grads = (y.clone().sum() + log_slope.clone().sum()).backward();
        let all = [host(y), host(log_slope), x.grad(&grads).map(host).unwrap_or_default()];
        let all = all.into_iter().flatten().chain(parameters.grad(&grads).map(host).unwrap_or_default());
        assert!(all.into_iter().all(f64::is_finite), "{inverse}");
    }
}

#[test]
fn no_parameters_are_the_identity() {
    let device = Device::flex();
    let (x, parameters) = example(1000, &device);
    let (y, log_slope) = RationalQuadratic::new(BINS, BOUND).forward(x.clone(), parameters.zeros_like());
    assert!(largest_difference(y, x) < 2e-6);
    assert!(host(log_slope).into_iter().all(|log_slope| log_slope.abs() < 2e-6));
}
