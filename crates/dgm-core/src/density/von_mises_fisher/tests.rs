//! Against literals of mpmath, and its samples against its moments.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::divergence::kl;
use crate::estimate::Mean;
use crate::random::Seed;
use burn::tensor::Device;

/// d, κ, and of 40 digits (mpmath): A from besseli; the KL from the uniform density and (asserted equal to A) E[cos θ], both by quadrature
/// over θ; log p at an angle of 0.7; A′.
const LITERALS: &[(usize, f64, f64, f64, f64, f64)] = &[
    (2, 0.05, 0.0249921907538, 0.000624707166823, -1.80025985942, 0.499531575325),
    (2, 1.0, 0.446389965897, 0.210475607389, -1.30894923763, 0.35434603245),
    (2, 10.0, 0.948599825955, 1.54302617643, -2.13242727668, 0.00529838760295),
    (2, 200.0, 0.997496859252, 3.06684249611, -45.3019689637, 1.25314868486e-5),
    (3, 0.05, 0.0166638895501, 0.00041656252755, -2.49319876956, 0.333166732781),
    (3, 1.0, 0.313035285499, 0.151595923928, -1.92762142126, 0.275938339034),
    (3, 10.0, 0.900000004122, 1.99573231684, -1.88687009851, 0.00999999175539),
    (3, 200.0, 0.995, 4.99146454711, -43.571122243, 2.5e-5),
    (5, 0.05, 0.00999928579364, 0.000249973217592, -3.23229690642, 0.199957150792),
    (5, 1.0, 0.194528049465, 0.0959157607972, -2.60405912609, 0.18404664011),
    (5, 10.0, 0.811111106022, 2.41617665124, -1.31680156085, 0.0176543312793),
    (5, 200.0, 0.990025125628, 8.20120729244, -40.105669401, 4.97481124214e-5),
    (10, 0.05, 0.00499989583705, 0.000124996093905, -3.20062566879, 0.099993750372),
    (10, 1.0, 0.0991783823997, 0.0493847553134, -2.52369421926, 0.0975582068672),
    (10, 10.0, 0.633668391623, 2.48446958678, 0.557464763937, 0.0281628169966),
    (10, 200.0, 0.977697847062, 14.3897661644, -31.4201085706, 0.00011051673222),
    (50, 0.05, 0.000999999038463, 2.49999639424e-5, 25.5115521807, 0.0199999423079),
    (50, 1.0, 0.0199923133852, 0.00999423551309, 26.2281791807, 0.0199769515311),
    (50, 10.0, 0.192830801652, 0.946648552844, 32.1400974805, 0.0179453538397),
    (50, 200.0, 0.884706899597, 37.6900786614, 39.1904712702, 0.000540511404618),
];

/// Around the first axis, n times.
fn density(n: usize, d: usize, kappa: f64, device: &Device) -> VonMisesFisher {
    let mut towards = vec![0.0f32; d];
    towards[0] = 3.0;
    let towards = Tensor::from_data(TensorData::new(towards.repeat(n), [n, d]), device);
    VonMisesFisher::new(towards, Tensor::ones([n], device).mul_scalar(kappa))
}

fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1e-2), "{what}: {found} {expected}");
}

#[test]
fn moments_divergence_and_density_are_those_of_the_literals() {
    let device = Device::flex();
    for &(d, kappa, length, divergence, log_p, slope) in LITERALS {
        let what = format!("d = {d}, κ = {kappa}");
        let q = density(1, d, kappa, &device);
        close(host(q.mean_resultant_length())[0], length, &what);
        close(host(q.mean())[0], length, &what);
        // κ in f32 is not κ: what κ²/2d is off by.
        close(host(kl::von_mises_fisher_uniform(&q))[0], divergence, &what);
        let mut x = vec![0.0f32; d];
        (x[0], x[1]) = (0.7f32.cos(), 0.7f32.sin());
        let x = Tensor::<2>::from_data(TensorData::new(x, [1, d]), &device);
        let found = host(q.log_prob(x))[0];
        assert!((found - log_p).abs() < 4e-7 * kappa.max(log_p.abs()).max(1.0), "{what}: {found} {log_p}");
        close(slope_of_length(d as f64, kappa), slope, &what);
    }
}

#[test]
fn gradients_are_those_of_the_formulas() {
    let device = Device::flex().autodiff();
    for &(d, kappa, length, _, _, slope) in LITERALS {
        let concentration = Tensor::<1>::from_floats([kappa as f32], &device).require_grad();
        let gradient = |of: &dyn Fn(VonMisesFisher) -> Tensor<1>| {
            let q = VonMisesFisher::new(density(1, d, kappa, &device).direction(), concentration.clone());
            host(concentration.grad(&of(q).sum().backward()).unwrap())[0]
        };
        let what = format!("d = {d}, κ = {kappa}");
        close(gradient(&|q| q.mean_resultant_length()), slope, &what);
        close(gradient(&|q| kl::von_mises_fisher_uniform(&q)), kappa * slope, &what);
        let x = density(1, d, kappa, &device).direction();
        close(gradient(&|q| q.log_prob(x.clone())), 1.0 - length, &what);
    }
}

/// E\[w\] = A and E\[∂w/∂κ\] = A′: within five standard errors. All samples have length 1.
#[test]
fn samples_follow_the_density_and_so_do_their_gradients() {
    let device = Device::flex().autodiff();
    let n = 4000;
    for &(d, kappa, length, _, _, slope) in LITERALS {
        let concentration = Tensor::<1>::ones([n], &device).mul_scalar(kappa).require_grad();
        let q = VonMisesFisher::new(density(n, d, kappa, &device).direction(), concentration.clone());
        let x = q.sample(&mut Seed(1).stream("sampling", d as u64));
        for norm in host(x.clone().square().sum_dim(1)) {
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
        let along = x.clone().slice([0..n, 0..1]);
        let gradients = host(concentration.grad(&along.clone().sum().backward()).unwrap());
        for (found, expected, what) in [(Mean::of(&host(along)), length, "w"), (Mean::of(&gradients), slope, "∂w/∂κ")]
        {
            let allowed = 5.0 * found.standard_error + 1e-6;
            assert!((found.mean - expected).abs() < allowed, "d = {d}, κ = {kappa}: {what} {found:?}, not {expected}");
        }
        // At right angles to the mean direction there is no preferred one.
        let second = Mean::of(&host(x.slice([0..n, 1..2])));
        assert!(second.mean.abs() < 5.0 * second.standard_error, "{second:?}");
    }
}

/// The uniform density is one over the surface: 2π of the circle, 4π of the sphere.
#[test]
fn the_uniform_density_is_one_over_the_surface() {
    let pi = std::f64::consts::PI;
    assert!((VonMisesFisher::log_uniform(2) + (2.0 * pi).ln()).abs() < 1e-12);
    assert!((VonMisesFisher::log_uniform(3) + (4.0 * pi).ln()).abs() < 1e-12);
}
