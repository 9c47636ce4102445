//! Every invertible layer: backwards undoes forwards, the Jacobian is that of finite differences, and what may not be seen is not.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::moved;
use burn::module::Module;
use burn::tensor::{Device, TensorData};
use dgm_core::random::Seed;

const WIDTH: usize = 5;

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn check<B: Bijection + Module>(layers: Vec<B>, what: &str) {
    let device = Device::flex();
    let layers = moved(layers, 0.3);
    let mut rng = Seed(3).stream("x", 0);
    let (x, features) = (rng.normal_tensor([7, WIDTH], &device), rng.normal_tensor([7, 3], &device));
    let (y, log_det) = forward(&layers, x.clone(), Some(&features));
    let (back, negative) = inverse(&layers, y.clone(), Some(&features));
    for (found, expected) in host(back).iter().zip(host(x.clone())) {
        assert!((found - expected).abs() < 2e-4, "{what}: {found} {expected}");
    }
    for (forwards, backwards) in host(log_det.clone()).iter().zip(host(negative)) {
        assert!((forwards + backwards).abs() < 1e-4 && forwards.abs() > 1e-3, "{what}: {forwards} {backwards}");
    }
    // The Jacobian of the first row by central differences, its determinant by elimination.
    let h = 1e-2f32;
    let row: Vec<f32> = x.clone().slice([0..1, 0..WIDTH]).into_data().iter().collect();
    let at = |i: usize, by: f32| {
        let mut moved = row.clone();
        moved[i] += by;
        let x = Tensor::from_data(TensorData::new(moved, [1, WIDTH]), &device);
        host(forward(&layers, x, Some(&features.clone().slice([0..1, 0..3]))).0)
    };
    let mut jacobian: Vec<Vec<f64>> = (0..WIDTH)
        .map(|i| at(i, h).iter().zip(at(i, -h)).map(|(up, down)| (up - down) / f64::from(2.0 * h)).collect())
        .collect();
    let mut determinant = 0.0;
    for i in 0..WIDTH {
        let pivot = (i..WIDTH).max_by(|&a, &b| jacobian[a][i].abs().total_cmp(&jacobian[b][i].abs())).unwrap();
        jacobian.swap(i, pivot);
        determinant += jacobian[i][i].abs().ln();
        for j in i + 1..WIDTH {
            let factor = jacobian[j][i] / jacobian[i][i];
            let above = jacobian[i].clone();
            jacobian[j].iter_mut().zip(above).for_each(|(value, above)| *value -= factor * above);
        }
    }
    assert!((determinant - host(log_det)[0]).abs() < 5e-3, "{what}: {determinant}");
    // Features matter.
    let other = forward(&layers, x, Some(&features.add_scalar(1.0))).0;
    assert_ne!(host(other), host(y), "{what}");
}

#[test]
fn layers_are_invertible_and_know_their_jacobian() {
    let device = Device::flex();
    let mut rng = Seed(1).stream("weights", 0);
    check(Coupling::stack(4, WIDTH, &[8], 3, &mut rng, &device).unwrap(), "couplings");
    check(Autoregressive::stack(2, WIDTH, &[9, 7], 3, &mut rng, &device), "autoregressive");
    check(Autoregressive::stack(2, WIDTH, &[], 3, &mut rng, &device), "autoregressive, linear");
}

#[test]
fn a_flow_starts_as_the_identity() {
    let layers = Coupling::stack(3, WIDTH, &[8], 0, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap();
    let x = Seed(3).stream("x", 0).normal_tensor([2, WIDTH], &Device::flex());
    assert_eq!(host(forward(&layers, x.clone(), None).0), host(x));
}

#[test]
fn an_autoregressive_conditioner_sees_what_comes_before() {
    let device = Device::flex();
    let sizes = Sizes { inputs: 4, outputs: 8, hidden: &[6, 6], features: 0 };
    let network = Conditioner::new(sizes, true, &mut Seed(1).stream("weights", 0), &device);
    let network = moved(network, 0.3);
    let outputs = |x: [f32; 4]| host(network.forward(Tensor::from_floats([x], &device), None));
    let base = outputs([0.1, -0.4, 0.9, 0.3]);
    for moved in 0..4 {
        let mut x = [0.1, -0.4, 0.9, 0.3];
        x[moved] += 1.0;
        let changed = outputs(x);
        for (place, (a, b)) in base.iter().zip(&changed).enumerate() {
            assert_eq!(a != b, place % 4 > moved, "input {moved}, output {place}");
        }
    }
}
