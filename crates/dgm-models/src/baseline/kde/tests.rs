//! Kernel densities against scikit-learn, their integral, their samples and their bandwidths.

#![allow(clippy::unwrap_used)]

use super::kernels::log_ball;
use super::*;
use crate::baseline::testing::{assert_close, check_integral, fitted, literals, log_probs, rows, spec, two};
use dgm_core::random::Seed;

fn model(width: usize, kernel: Kernel, bandwidth: BandwidthConfig) -> KernelDensity {
    let config = KernelDensityConfig { kernel, bandwidth };
    config.init(&spec(width), &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap()
}

fn of(value: f64) -> BandwidthConfig {
    BandwidthConfig::One(OneConfig { value: Some(value) })
}

#[test]
fn it_is_scikit_learns() {
    for (kernel, name, h) in [(Kernel::Gaussian, "gaussian", 0.4), (Kernel::Epanechnikov, "epanechnikov", 2.5)] {
        let model = fitted(model(3, kernel, of(h)), &rows(60, 0));
        assert_close(&log_probs(&model, rows(8, 1000)), &literals(name), 1e-5);
    }
}

#[test]
fn it_integrates_to_one_and_its_samples_follow_it() {
    for kernel in [Kernel::Gaussian, Kernel::Epanechnikov] {
        for bandwidth in ["automatic", "one", "per_dimension", "adaptive"] {
            let model = model(2, kernel, BandwidthConfig::of_kind(bandwidth).unwrap());
            check_integral(&fitted(model, &two(&rows(80, 0))), 12.0, 1e-3);
        }
    }
}

#[test]
fn rows_that_recur_count_once() {
    let once = rows(60, 0);
    let twice = Rows { width: 3, values: [once.values.clone(), once.values.clone()].concat() };
    let [one, two] =
        [once, twice].map(|rows| fitted(model(3, Kernel::Gaussian, BandwidthConfig::Automatic(Plain {})), &rows));
    assert_eq!(log_probs(&one, rows(8, 1000)), log_probs(&two, rows(8, 1000)));
}

#[test]
fn the_bandwidth_of_normals_is_near_the_best() {
    // Of N(0, 1) the best bandwidth for likelihood is near Silverman's 1.06 n^(−1/5); across many dimensions one that is narrow shows itself.
    let mut rng = Seed(3).stream("x", 0);
    let n = 1000;
    let values: Vec<f32> = (0..n)
        .flat_map(|_| {
            let two = rng.normals(2);
            [two[0], 0.1 * two[1]]
        })
        .collect();
    let model = fitted(model(2, Kernel::Gaussian, BandwidthConfig::PerDimension(Plain {})), &Rows { width: 2, values });
    let h: Vec<f64> = host(model.log_bandwidths.val()).into_iter().map(f64::exp).collect();
    let silverman = f64::from(n).powf(-1.0 / 6.0);
    assert!(
        (0.6..1.4).contains(&(h[0] / silverman)) && (0.6..1.4).contains(&(h[1] / (0.1 * silverman))),
        "{h:?} {silverman}"
    );
}

#[test]
fn balls_have_their_volumes() {
    let pi = std::f64::consts::PI;
    for (d, volume) in [(1, 2.0), (2, pi), (3, 4.0 * pi / 3.0), (4, pi * pi / 2.0), (5, 8.0 * pi * pi / 15.0)] {
        assert!((log_ball(d) - f64::ln(volume)).abs() < 1e-12, "{d}");
    }
}

#[test]
fn far_from_all_points_it_is_improbable_and_a_number() {
    let far = Rows { width: 3, values: vec![1e6, -1e6, 1e6] };
    let gaussian = fitted(model(3, Kernel::Gaussian, of(0.4)), &rows(60, 0));
    assert!(log_probs(&gaussian, far.clone())[0] < -1e6);
    let epanechnikov = fitted(model(3, Kernel::Epanechnikov, of(2.5)), &rows(60, 0));
    assert_eq!(log_probs(&epanechnikov, far), [f64::NEG_INFINITY]);
}
