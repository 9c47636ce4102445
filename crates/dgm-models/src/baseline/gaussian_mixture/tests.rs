//! Mixtures against scikit-learn, their integral, their samples and the choice of their components.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::baseline::testing::{assert_close, check_integral, fitted, literals, log_probs, rows, spec, two};
use dgm_core::random::Seed;

fn model(width: usize, config: &GaussianMixtureConfig) -> GaussianMixture {
    config.init(&spec(width), &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap()
}

fn config(components: Option<usize>, covariance: &str) -> GaussianMixtureConfig {
    let covariance = CovarianceConfig::of_kind(covariance).unwrap();
    GaussianMixtureConfig { components, covariance, ridge: components.map(|_| 1e-3) }
}

#[test]
fn it_is_scikit_learns() {
    for (covariance, name) in [("full", "full"), ("diagonal", "diag"), ("tied", "tied")] {
        let model = fitted(model(3, &config(Some(2), covariance)), &rows(60, 0));
        assert_close(&log_probs(&model, rows(8, 1000)), &literals(name), 1e-3);
    }
}

#[test]
fn densities_of_given_components_are_exact() {
    // One normal has a closed form: mean and covariance of the rows.
    let data = rows(60, 0);
    let model = fitted(model(3, &config(Some(1), "full")), &data);
    let (n, x) = (60.0, data.values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let mean: Vec<f64> = (0..3).map(|d| x.iter().skip(d).step_by(3).sum::<f64>() / n).collect();
    let entry = |i: usize, j: usize| {
        let sum: f64 = x.chunks_exact(3).map(|row| (row[i] - mean[i]) * (row[j] - mean[j])).sum();
        sum / n + if i == j { 1e-3 } else { 0.0 }
    };
    let covariance: Vec<f64> = (0..9).map(|at| entry(at / 3, at % 3)).collect();
    let precision = matrix::inverse(&covariance, 3).unwrap();
    let det = |m: &[f64]| {
        m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6])
    };
    let expected: Vec<f64> = rows(8, 1000)
        .iter()
        .map(|row| {
            let c: Vec<f64> = row.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect();
            let distance: f64 = (0..9).map(|at| c[at / 3] * precision[at] * c[at % 3]).sum();
            -0.5 * (distance + det(&covariance).ln() + 3.0 * (2.0 * std::f64::consts::PI).ln())
        })
        .collect();
    assert_close(&log_probs(&model, rows(8, 1000)), &expected, 1e-5);
}

#[test]
fn it_integrates_to_one_and_its_samples_follow_it() {
    for covariance in ["full", "diagonal", "tied", "factor"] {
        let mut config = config(None, covariance);
        if let CovarianceConfig::Factor(factor) = &mut config.covariance {
            factor.rank = Some(1);
        }
        check_integral(&fitted(model(2, &config), &two(&rows(90, 0))), 14.0, 1e-3);
    }
}

/// Four clusters on a square.
fn square(n: u32, step: u64) -> Rows {
    let mut rng = Seed(3).stream("x", step);
    let values = (0..n).flat_map(|i| {
        let noise = rng.normals(2);
        [5.0 * (i % 2) as f32 + 0.5 * noise[0], 5.0 * (i / 2 % 2) as f32 + 0.5 * noise[1]]
    });
    Rows { width: 2, values: values.collect() }
}

#[test]
fn held_out_likelihood_finds_what_the_clusters_are() {
    let model = fitted(model(2, &config(None, "full")), &square(600, 0));
    let fresh = square(4000, 1);
    let truth = |row: &[f32]| {
        let distance = |x: f32, centre: f32| (f64::from(x - centre) / 0.5).powi(2);
        let of = |(a, b)| {
            -0.5 * (distance(row[0], a) + distance(row[1], b)) - (2.0 * std::f64::consts::PI * 0.25 * 4.0).ln()
        };
        log_sum_exp([(0.0, 0.0), (5.0, 0.0), (0.0, 5.0), (5.0, 5.0)].map(of))
    };
    let lost: Vec<f64> =
        log_probs(&model, fresh.clone()).iter().zip(fresh.iter()).map(|(log_p, row)| truth(row) - log_p).collect();
    let lost = lost.iter().sum::<f64>() / lost.len() as f64;
    // Of 23 free numbers fitted to 600 rows 23 / 1200 nats are lost.
    assert!((-0.01..0.05).contains(&lost), "{lost}");
}

#[test]
fn a_factor_analyser_finds_its_factors() {
    // x = w z + noise in six dimensions: with one factor the covariance is that of the model, to sampling error.
    let (mut rng, w) = (Seed(4).stream("x", 0), [1.0, -1.0, 0.5, 0.0, 2.0, 1.0]);
    let values: Vec<f32> = (0..20_000)
        .flat_map(|_| {
            let (z, noise) = (rng.normals(1)[0], rng.normals(6));
            (0..6).map(move |d| w[d] * z + 0.5 * noise[d]).collect::<Vec<_>>()
        })
        .collect();
    let config = GaussianMixtureConfig {
        components: Some(1),
        covariance: CovarianceConfig::Factor(FactorConfig { rank: Some(1) }),
        ridge: Some(0.0),
    };
    let model = fitted(model(6, &config), &Rows { width: 6, values });
    let component = &model.components()[0];
    // L of the covariance, column by column.
    let columns: Vec<Vec<f64>> = (0..6)
        .map(|i| {
            let unit: Vec<f64> = (0..6).map(|j| f64::from(u8::from(i == j))).collect();
            component.at(&unit).iter().zip(&component.mean).map(|(x, mean)| x - mean).collect()
        })
        .collect();
    for i in 0..6 {
        for j in 0..6 {
            let found: f64 = columns.iter().map(|column| column[i] * column[j]).sum();
            let expected = f64::from(w[i] * w[j]) + if i == j { 0.25 } else { 0.0 };
            assert!((found - expected).abs() < 0.1, "{i} {j}: {found} {expected}");
        }
    }
}
