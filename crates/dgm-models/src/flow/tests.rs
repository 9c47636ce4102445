//! Every invertible layer: backwards undoes forwards, the Jacobian is that of autodiff, and what may not be seen is not.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::moved;
use burn::tensor::{Device, TensorData};
use dgm_core::random::Seed;

const WIDTH: usize = 5;

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn spec(transform: &TransformConfig) -> FlowSpec<'_> {
    FlowSpec {
        structure: Structure::Coupling,
        network: (&NetworkConfig::MLP, [1, 1, WIDTH]),
        transform,
        layers: 4,
        hidden: &[9, 9],
        mixing: Mixing::Alternate,
        act_norm: false,
        dropout: 0.0,
        width: WIDTH,
        features: 3,
        keys: ["layers", "hidden", "transform", "structure"],
    }
}

fn flow(spec: &FlowSpec<'_>, device: &Device) -> Flow {
    Flow::new(spec, &mut Seed(1).stream("weights", 0), device).unwrap()
}

/// log |det| of a matrix, by elimination.
fn log_determinant(mut matrix: Vec<Vec<f64>>) -> f64 {
    let n = matrix.len();
    let mut log = 0.0;
    for i in 0..n {
        let pivot = (i..n).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs())).unwrap();
        matrix.swap(i, pivot);
        log += matrix[i][i].abs().ln();
        for j in i + 1..n {
            let factor = matrix[j][i] / matrix[i][i];
            let above = matrix[i].clone();
            matrix[j].iter_mut().zip(above).for_each(|(value, above)| *value -= factor * above);
        }
    }
    log
}

fn check(spec: &FlowSpec<'_>, what: &str) {
    // Where the graph of autodiff is recorded.
    let device = Device::flex().autodiff();
    let mut layers = moved(flow(spec, &device), 0.2).no_grad();
    let mut rng = Seed(3).stream("x", 0);
    let (x, features) = (rng.normal_tensor([7, WIDTH], &device), rng.normal_tensor([7, 3], &device));
    layers.fit(x.clone(), Some(&features));
    let (y, log_det) = layers.forward(x.clone(), Some(&features), &mut Mode::Evaluate);
    let (back, negative) = layers.inverse(y.clone(), Some(&features));
    for (found, expected) in host(back).iter().zip(host(x.clone())) {
        assert!((found - expected).abs() < 5e-4, "{what}: {found} {expected}");
    }
    let log_dets = host(log_det);
    for (forwards, backwards) in log_dets.iter().zip(host(negative)) {
        assert!(
            (forwards + backwards).abs() < 3e-4 * (1.0 + forwards.abs()) && forwards.abs() > 1e-4,
            "{what}: {forwards} {backwards}"
        );
    }
    // A row of each Jacobian at a time, since examples do not see each other.
    let rows: Vec<Vec<f64>> = (0..WIDTH)
        .map(|i| {
            let x = Tensor::from_data(x.to_data(), &device).require_grad();
            let (y, _) = layers.forward(x.clone(), Some(&features), &mut Mode::Evaluate);
            let grads = y.slice([0..7, i..i + 1]).sum().backward();
            host(x.grad(&grads).unwrap())
        })
        .collect();
    for (n, log_det) in log_dets.iter().enumerate() {
        let jacobian = rows.iter().map(|row| row[n * WIDTH..(n + 1) * WIDTH].to_vec()).collect();
        assert!((log_determinant(jacobian) - log_det).abs() < 1e-4, "{what}: example {n}");
    }
    // Features matter.
    let other = layers.forward(x, Some(&features.add_scalar(1.0)), &mut Mode::Evaluate).0;
    assert_ne!(host(other), host(y), "{what}");
}

#[test]
fn layers_are_invertible_and_know_their_jacobian() {
    for transform in [TransformConfig::AFFINE, TransformConfig::SPLINE] {
        for structure in [Structure::Coupling, Structure::Autoregressive] {
            for mixing in [Mixing::Alternate, Mixing::Permutation, Mixing::Lu] {
                let spec = FlowSpec { structure, mixing, act_norm: mixing == Mixing::Lu, ..spec(&transform) };
                check(&spec, &format!("{spec:?}"));
            }
            check(&FlowSpec { structure, hidden: &[], ..spec(&transform) }, "without hidden layers");
        }
    }
}

#[test]
fn layers_of_images_are_invertible_and_know_their_jacobian() {
    let device = Device::flex().autodiff();
    let network = NetworkConfig::Conv(ConvNetworkConfig { channels: 4, blocks: 1, scales: 2 });
    for transform in [TransformConfig::AFFINE, TransformConfig::SPLINE] {
        let of = FlowSpec { network: (&network, [1, 4, 4]), layers: 2, act_norm: true, width: 16, ..spec(&transform) };
        let mut layers = moved(flow(&of, &device), 0.05).no_grad();
        let mut rng = Seed(3).stream("x", 0);
        let (x, features): (Tensor<2>, _) = (rng.normal_tensor([6, 16], &device), rng.normal_tensor([6, 3], &device));
        layers.fit(x.clone(), Some(&features));
        let x = x.slice([0..2, 0..16]);
        let features = features.slice([0..2, 0..3]);
        let (y, log_det) = layers.forward(x.clone(), Some(&features), &mut Mode::Evaluate);
        let (back, negative) = layers.inverse(y, Some(&features));
        for (found, expected) in host(back).iter().zip(host(x.clone())) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
        let log_dets = host(log_det);
        for (forwards, backwards) in log_dets.iter().zip(host(negative)) {
            assert!((forwards + backwards).abs() < 2e-3 && forwards.abs() > 1e-3, "{forwards} {backwards}");
        }
        let rows: Vec<Vec<f64>> = (0..16)
            .map(|i| {
                let x = Tensor::from_data(x.to_data(), &device).require_grad();
                let (y, _) = layers.forward(x.clone(), Some(&features), &mut Mode::Evaluate);
                host(x.grad(&y.slice([0..2, i..i + 1]).sum().backward()).unwrap())
            })
            .collect();
        for (n, log_det) in log_dets.iter().enumerate() {
            let jacobian = rows.iter().map(|row| row[n * 16..(n + 1) * 16].to_vec()).collect();
            assert!((log_determinant(jacobian) - log_det).abs() < 1e-3, "example {n}");
        }
    }
}

/// Autoregressive layers leave the numbers in the reverse order: after two they are where they were, and the last layer ran against an
/// autoregressive prior.
#[test]
fn layers_start_next_to_the_identity_but_for_the_order() {
    let x: Tensor<2> = Seed(3).stream("x", 0).normal_tensor([2, WIDTH], &Device::flex());
    for (structure, layers, reversed) in [
        (Structure::Coupling, 4, false),
        (Structure::Autoregressive, 1, true),
        (Structure::Autoregressive, 2, false),
        (Structure::Autoregressive, 3, true),
    ] {
        let layers = FlowSpec { features: 0, structure, layers, ..spec(&TransformConfig::AFFINE) };
        let y = flow(&layers, &Device::flex()).forward(x.clone(), None, &mut Mode::Evaluate).0;
        let expected = if reversed { x.clone().flip([1]) } else { x.clone() };
        for (y, x) in host(y).into_iter().zip(host(expected)) {
            assert!((y - x).abs() < 0.05, "{structure:?}: {y} {x}");
        }
    }
}

#[test]
fn normalised_by_data_what_comes_out_is_standard() {
    let device = Device::flex();
    let spec = FlowSpec { features: 0, layers: 1, act_norm: true, hidden: &[], ..spec(&TransformConfig::AFFINE) };
    let mut layers = flow(&spec, &device);
    let x = Seed(3).stream("x", 0).normal_tensor([500, WIDTH], &device).mul_scalar(7.0).add_scalar(2.0);
    layers.fit(x.clone(), None);
    let y = layers.forward(x, None, &mut Mode::Evaluate).0;
    for (mean, variance) in host(y.clone().mean_dim(0)).into_iter().zip(host(y.var_bias(0))) {
        assert!(mean.abs() < 0.1 && (variance - 1.0).abs() < 0.2, "{mean} {variance}");
    }
}

#[test]
fn a_constant_is_not_amplified() {
    let device = Device::flex();
    let spec = FlowSpec { features: 0, layers: 6, act_norm: true, ..spec(&TransformConfig::AFFINE) };
    let mut layers = flow(&spec, &device);
    let varies: Tensor<2> = Seed(3).stream("x", 0).normal_tensor([50, WIDTH - 1], &device);
    layers.fit(Tensor::cat(vec![varies.clone(), Tensor::full([50, 1], 2.0, &device)], 1), None);
    let moved = Tensor::cat(vec![varies, Tensor::full([50, 1], 2.1, &device)], 1);
    let (y, _) = layers.forward(moved, None, &mut Mode::Evaluate);
    assert!(host(y.abs()).into_iter().fold(0.0, f64::max) < 10.0);
}

#[test]
fn an_autoregressive_conditioner_sees_what_comes_before() {
    let device = Device::flex();
    let sizes = Sizes { inputs: 4, parameters: 2, outputs: 4, hidden: &[6, 6], features: 1, dropout: 0.0 };
    let network = Conditioner::new(sizes, true, &mut Seed(1).stream("weights", 0), &device);
    let network = moved(network, 0.3);
    let features = Tensor::from_floats([[0.5]], &device);
    let outputs =
        |x: [f32; 4]| host(network.forward(Tensor::from_floats([x], &device), Some(&features), &mut Mode::Evaluate));
    let base = outputs([0.1, -0.4, 0.9, 0.3]);
    for moved in 0..4 {
        let mut x = [0.1, -0.4, 0.9, 0.3];
        x[moved] += 1.0;
        let changed = outputs(x);
        for (place, (a, b)) in base.iter().zip(&changed).enumerate() {
            assert_eq!(a != b, place / 2 > moved, "input {moved}, output {place}");
        }
    }
}

#[test]
fn far_outside_nothing_is_lost() {
    let device = Device::flex();
    for structure in [Structure::Coupling, Structure::Autoregressive] {
        let layers = moved(flow(&FlowSpec { structure, features: 0, ..spec(&TransformConfig::SPLINE) }, &device), 0.05);
        let x: Vec<f32> = (0..WIDTH * 6).map(|i| (i as f32 - 15.0) * 1e3).collect();
        let x = Tensor::<2>::from_data(TensorData::new(x, [6, WIDTH]), &device);
        let (y, log_det) = layers.forward(x.clone(), None, &mut Mode::Evaluate);
        assert!(host(log_det).into_iter().all(f64::is_finite));
        for (found, expected) in host(layers.inverse(y, None).0).into_iter().zip(host(x)) {
            assert!((found - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{found} {expected}");
        }
    }
}
