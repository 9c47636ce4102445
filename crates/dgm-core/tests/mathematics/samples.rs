//! Samples against the densities that they are drawn from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::formulas::*;
use crate::common::*;
use burn::tensor::Tensor;
use dgm_core::density::*;
use dgm_core::estimate::{Mean, kolmogorov_smirnov_uniform};
use dgm_core::random::Seed;

const SAMPLES: usize = 20_000;

/// Each frequency within five standard errors of its probability.
fn check_frequencies(what: &str, samples: &[f64], probabilities: &[f64]) {
    assert_eq!(samples.len(), SAMPLES);
    for (class, &p) in probabilities.iter().enumerate() {
        let frequency = samples.iter().filter(|&&sample| sample == class as f64).count() as f64 / SAMPLES as f64;
        let error = (p * (1.0 - p) / SAMPLES as f64).sqrt();
        assert!((frequency - p).abs() <= 5.0 * error, "{what}, class {class}: {frequency}, probability {p}");
    }
    let inside =
        samples.iter().all(|&sample| sample >= 0.0 && sample < probabilities.len() as f64 && sample.fract() == 0.0);
    assert!(inside, "{what}: a sample outside 0 .. {}", probabilities.len());
}

#[test]
fn samples_follow_their_densities() {
    for place in places() {
        let device = &place.device;
        let repeat = |row: &[f64]| to_tensor(row, [1, row.len()], device).expand([SAMPLES, row.len()]);
        let mut noise = Seed(11).stream("sample", 0);

        let samples = to_host(Bernoulli::from_logits(repeat(&[-1.25])).sample(&mut noise));
        check_frequencies(&format!("bernoulli on {}", place.name), &samples, &[sigmoid(1.25), sigmoid(-1.25)]);

        // With a class that never comes, at either end too.
        let logits = [-1e4, 0.5, -1.0, 2.0, -1e4, 0.0, -1e4];
        let samples = to_host(Categorical::from_logits(repeat(&logits)).sample(&mut noise).float());
        check_frequencies(&format!("categorical on {}", place.name), &samples, &softmax(&logits));

        let (weights, log_alpha, log_beta) = ([0.5, -0.5], [-0.75, 1.5], [0.25, 0.5]);
        let mixture = BetaBinomialMixture::new(repeat(&weights), repeat(&log_alpha), repeat(&log_beta), 9);
        let samples = to_host(mixture.to_categorical().sample(&mut noise).float());
        let components = log_alpha.iter().zip(log_beta).map(|(a, b): (&f64, f64)| beta_binomial(a.exp(), b.exp(), 8));
        let mut probabilities = vec![0.0; 9];
        for (weight, component) in softmax(&weights).into_iter().zip(components) {
            probabilities.iter_mut().zip(component).for_each(|(total, p)| *total += weight * p);
        }
        check_frequencies(&format!("beta-binomial on {}", place.name), &samples, &probabilities);

        let (mean, log_var) = (3.0, 1.0f64);
        let samples = to_host(Normal::new(repeat(&[mean]), repeat(&[log_var])).sample(&mut noise));
        let standardised: Vec<f64> = samples.iter().map(|x| (x - mean) / (0.5 * log_var).exp()).collect();
        // Moments 1 to 4 of N(0, 1) are 0, 1, 0, 3, and the variances of their powers 1, 2, 15, 96.
        for (power, moment, variance) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let found = standardised.iter().map(|z| z.powi(power)).sum::<f64>() / SAMPLES as f64;
            let error = (variance / SAMPLES as f64).sqrt();
            assert!((found - moment).abs() < 5.0 * error, "normal on {}, moment {power}: {found}", place.name);
        }
    }
}

/// The cdf of the samples is uniform: the largest distance from it is within what 20,000 samples leave (p < 1e-6).
fn check_cdf(what: &str, cdf: &[f64]) {
    let distance = kolmogorov_smirnov_uniform(cdf).unwrap();
    assert!(distance < 2.7 / (SAMPLES as f64).sqrt(), "{what}: {distance}");
}

#[test]
fn samples_of_real_numbers_have_a_uniform_cdf() {
    for place in places() {
        let device = &place.device;
        let repeat = |value: f64| to_tensor(&[value], [1], device).expand([SAMPLES]);
        let mut noise = Seed(12).stream("sample", 0);
        for logit in [-30.0, -2.0, -0.01, 0.0, 0.04, 5.0, 1e3] {
            let density = ContinuousBernoulli::from_logits(repeat(logit));
            let samples = density.sample(&mut noise);
            check_cdf(&format!("continuous Bernoulli {logit} on {}", place.name), &to_host(density.cdf(samples)));
        }
        let density = Laplace::new(repeat(-1.0), repeat(0.75));
        let samples = density.sample(&mut noise);
        check_cdf(&format!("Laplace on {}", place.name), &to_host(density.cdf(samples)));
        let density = Normal::new(repeat(2.0), repeat(-1.5));
        let samples = density.sample(&mut noise);
        check_cdf(&format!("normal on {}", place.name), &to_host(density.cdf(samples)));
        let row = |values: &[f64]| to_tensor(values, [1, values.len()], device).expand([SAMPLES, values.len()]);
        let density = NormalMixture::new(row(&[0.5, -0.5, 1.0]), row(&[-2.0, 0.0, 3.0]), row(&[0.0, 1.0, -2.0]));
        let samples = density.sample(&mut noise);
        let moments = Mean::of(&to_host(samples.clone()));
        let expected = to_host(density.mean())[0];
        assert!((moments.mean - expected).abs() < 5.0 * moments.standard_error, "{moments:?} {expected}");
        let (spread, variance) = (moments.standard_error.powi(2) * SAMPLES as f64, to_host(density.variance())[0]);
        assert!((spread / variance - 1.0).abs() < 0.1, "{spread} {variance}");
        check_cdf(&format!("normal mixture on {}", place.name), &to_host(density.cdf(samples)));
    }
}

/// Moments of what is drawn on the host, one backend is as good as another.
#[test]
fn samples_on_the_host_have_their_moments() {
    let device = &places().remove(0).device;
    let repeat = |value: f64| to_tensor(&[value], [1], device).expand([SAMPLES]);
    let mut noise = Seed(13).stream("sample", 0);
    let check = |what: &str, samples: Tensor<1>, mean: f64, variance: f64| {
        let found = Mean::of(&to_host(samples));
        assert!((found.mean - mean).abs() < 5.0 * (variance / SAMPLES as f64).sqrt(), "{what}: {found:?}, mean {mean}");
        let spread = found.standard_error.powi(2) * SAMPLES as f64;
        assert!((spread / variance - 1.0).abs() < 0.15, "{what}: variance {spread}, expected {variance}");
    };
    for log_rate in [-1.0f64, 1.5, 8.0] {
        let rate = log_rate.exp();
        check("Poisson", Poisson::new(repeat(log_rate)).sample(&mut noise), rate, rate);
    }
    for (log_mean, log_count) in [(1.0f64, 0.5f64), (4.0, 3.0), (-1.0, -1.0)] {
        let density = NegativeBinomial::new(repeat(log_mean), repeat(log_count));
        let variance = log_mean.exp() + (2.0 * log_mean - log_count).exp();
        assert!((to_host(density.variance())[0] / variance - 1.0).abs() < 1e-6);
        check("negative binomial", density.sample(&mut noise), log_mean.exp(), variance);
    }
    // ν / (ν − 2) at ν = 12.
    let density = StudentT::new(repeat(3.0), repeat(0.0), repeat(12f64.ln()));
    check("Student-t", density.sample(&mut noise), 3.0, 1.2);
}

#[test]
fn samples_of_levels_follow_their_probabilities() {
    for place in places() {
        let device = &place.device;
        let row = |values: &[f64]| to_tensor(values, [1, values.len()], device).expand([SAMPLES, values.len()]);
        let mut noise = Seed(14).stream("sample", 0);
        let (w, m, s) = ([0.5, -0.5], [-0.8, 0.4], [-1.0, -2.5]);
        let mixture = DiscretizedLogisticMixture::new(row(&w), row(&m), row(&s), 9);
        let probabilities = to_host(mixture.to_categorical().log_probs().slice([0..1, 0..9]).exp());
        check_frequencies(
            &format!("logistic mixture on {}", place.name),
            &to_host(mixture.sample(&mut noise)),
            &probabilities,
        );
        let one = DiscretizedLogistic::new(row(&[0.3]), row(&[-1.0]), 9);
        let samples = to_host(one.sample(&mut noise));
        let probabilities: Vec<f64> = (0..9)
            .map(|level| {
                let level = to_tensor(&[f64::from(level)], [1, 1], device);
                let single =
                    DiscretizedLogistic::new(to_tensor(&[0.3], [1, 1], device), to_tensor(&[-1.0], [1, 1], device), 9);
                to_host(single.log_prob(level))[0].exp()
            })
            .collect();
        check_frequencies(&format!("discretised logistic on {}", place.name), &samples, &probabilities);
    }
}

/// dx/dl at fixed noise, by differences of the same samples.
#[test]
fn a_continuous_bernoulli_sample_is_differentiable() {
    let plain = places().remove(0).device;
    let device = plain.clone().autodiff();
    for logit in [-6.0, -0.5, -0.02, 0.0, 0.03, 2.0, 9.0] {
        let draw = |logit: f64, device: &burn::tensor::Device| {
            let leaf = to_tensor(&[logit], [1], device).require_grad();
            let mut noise = Seed(15).stream("sample", 0);
            (ContinuousBernoulli::from_logits(leaf.clone().expand([1000])).sample(&mut noise), leaf)
        };
        let (samples, leaf) = draw(logit, &device);
        let gradient = to_host(leaf.grad(&samples.sum().backward()).unwrap())[0];
        let step = 1e-2;
        let sum = |logit: f64| to_host(draw(logit, &device).0).iter().sum::<f64>();
        let slope = (sum(logit + step) - sum(logit - step)) / (2.0 * step);
        assert!((gradient - slope).abs() < 2e-3 * slope.abs() + 1e-2, "{logit}: {gradient}, by differences {slope}");
    }
}
