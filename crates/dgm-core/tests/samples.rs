//! Samples against their densities, and densities against 1, their sum or integral.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use burn::tensor::Tensor;
use common::formulas::*;
use common::*;
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, Normal};
use dgm_core::random::Seed;

const DRAWS: usize = 20_000;

/// Each frequency within five standard errors of its probability.
fn check_frequencies(what: &str, draws: &[f64], probabilities: &[f64]) {
    assert_eq!(draws.len(), DRAWS);
    for (class, &p) in probabilities.iter().enumerate() {
        let frequency = draws.iter().filter(|&&draw| draw == class as f64).count() as f64 / DRAWS as f64;
        let error = (p * (1.0 - p) / DRAWS as f64).sqrt();
        assert!((frequency - p).abs() <= 5.0 * error, "{what}, class {class}: {frequency}, probability {p}");
    }
    let inside = draws.iter().all(|&draw| draw >= 0.0 && draw < probabilities.len() as f64 && draw.fract() == 0.0);
    assert!(inside, "{what}: a draw outside 0 .. {}", probabilities.len());
}

#[test]
fn samples_follow_their_densities() {
    for place in places() {
        let device = &place.device;
        let repeat = |row: &[f64]| to_tensor(row, [1, row.len()], device).expand([DRAWS, row.len()]);
        let mut noise = Seed(11).stream("sample", 0);

        let draws = to_host(Bernoulli::from_logits(repeat(&[-1.25])).sample(&mut noise));
        check_frequencies(&format!("bernoulli on {}", place.name), &draws, &[sigmoid(1.25), sigmoid(-1.25)]);

        // With a class that never comes, at either end too.
        let logits = [-1e4, 0.5, -1.0, 2.0, -1e4, 0.0, -1e4];
        let draws = to_host(Categorical::from_logits(repeat(&logits)).sample(&mut noise).float());
        check_frequencies(&format!("categorical on {}", place.name), &draws, &softmax(&logits));

        let (weights, log_alpha, log_beta) = ([0.5, -0.5], [-0.75, 1.5], [0.25, 0.5]);
        let mixture = BetaBinomialMixture::new(repeat(&weights), repeat(&log_alpha), repeat(&log_beta), 9);
        let draws = to_host(mixture.to_categorical().sample(&mut noise).float());
        let components = log_alpha.iter().zip(log_beta).map(|(a, b): (&f64, f64)| beta_binomial(a.exp(), b.exp(), 8));
        let mut probabilities = vec![0.0; 9];
        for (weight, component) in softmax(&weights).into_iter().zip(components) {
            probabilities.iter_mut().zip(component).for_each(|(total, p)| *total += weight * p);
        }
        check_frequencies(&format!("beta-binomial on {}", place.name), &draws, &probabilities);

        let (mean, log_var) = (3.0, 1.0f64);
        let draws = to_host(Normal::new(repeat(&[mean]), repeat(&[log_var])).sample(&mut noise));
        let standardised: Vec<f64> = draws.iter().map(|x| (x - mean) / (0.5 * log_var).exp()).collect();
        // Moments 1 to 4 of N(0, 1) are 0, 1, 0, 3, and the variances of their powers 1, 2, 15, 96.
        for (power, moment, variance) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let found = standardised.iter().map(|z| z.powi(power)).sum::<f64>() / DRAWS as f64;
            let error = (variance / DRAWS as f64).sqrt();
            assert!((found - moment).abs() < 5.0 * error, "normal on {}, moment {power}: {found}", place.name);
        }
    }
}

#[test]
fn probabilities_add_up_to_one() {
    for place in places() {
        let part = |purpose: &str, scale: f64| to_tensor(&matrix(purpose, scale), [ROWS, COLUMNS], &place.device);
        for levels in [2, 17, 64] {
            let mixture = BetaBinomialMixture::new(part("w", 1.0), part("a", 4.0), part("b", 4.0), levels);
            let total = (0..levels)
                .map(|level| mixture.log_prob(Tensor::full([ROWS], level as f64, &place.device)).exp())
                .reduce(|total, p| total + p)
                .unwrap();
            for total in to_host(total) {
                assert!((total - 1.0).abs() < 1e-4, "{levels} levels on {}: {total}", place.name);
            }
        }
    }
}
