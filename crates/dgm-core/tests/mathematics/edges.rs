//! The edges of what a function is given: below a support, at infinity, NaN, ruled-out classes, Monte Carlo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::*;
use burn::tensor::{Device, Tensor};
use dgm_core::density::*;
use dgm_core::divergence::{jensen_shannon, kl};
use dgm_core::estimate::{log_mean_exp, randomised_pit};
use dgm_core::objective::LabelSmoothing;
use dgm_core::random::Seed;

fn row(values: &[f64], device: &Device) -> Tensor<1> {
    to_tensor(values, [values.len()], device)
}

fn matrix_of(values: &[f64], device: &Device) -> Tensor<2> {
    to_tensor(values, [1, values.len()], device)
}

#[test]
fn a_cdf_is_0_below_the_support_and_1_above() {
    for place in places() {
        let device = &place.device;
        let at = |x: f64| row(&[x], device);
        let one = |value: f64| matrix_of(&[value], device);
        let logistic = DiscretizedLogistic::new(row(&[-0.9], device), row(&[0.0], device), 4);
        let mixture = DiscretizedLogisticMixture::new(one(0.0), one(-0.9), one(0.0), 4);
        let beta = BetaBinomialMixture::new(one(0.0), one(0.3), one(0.1), 4);
        let categorical = Categorical::from_logits(matrix_of(&[0.0, 1.0, 2.0, 0.5], device));
        let coin = Bernoulli::from_logits(row(&[1.0], device));
        let grey = ContinuousBernoulli::from_logits(row(&[1.0], device));
        let ends = [
            [logistic.cdf(at(-1.0)), logistic.cdf(at(3.0))],
            [mixture.cdf(at(-1.0)), mixture.cdf(at(3.0))],
            [beta.cdf(at(-1.0)), beta.cdf(at(3.0))],
            [categorical.cdf(at(-1.0).int()), categorical.cdf(at(3.0).int())],
            [coin.cdf(at(-1.0)), coin.cdf(at(1.0))],
            [grey.cdf(at(-1.0)), grey.cdf(at(2.0))],
        ];
        for (i, [below, above]) in ends.into_iter().enumerate() {
            let [below, above] = [below, above].map(|value| to_host(value)[0]);
            assert_eq!(below, 0.0, "density {i} on {}", place.name);
            // A sum over four levels and a few operations.
            assert!((above - 1.0).abs() <= tolerance(12, 1.0), "density {i} on {}: {above}", place.name);
        }
        // What the randomised PIT asks for: F(x − 1) and F(x) at the first level.
        let [below, here] = [-1.0, 0.0].map(|x| to_host(logistic.cdf(at(x))));
        let pit = randomised_pit(&below, &here, &mut Seed(0).stream("pit", 0)).unwrap();
        assert!((0.0..=here[0]).contains(&pit[0]), "{pit:?} {here:?}");
    }
}

#[test]
fn nan_comes_out_as_nan() {
    // WGSL promises nothing about NaN and infinities.
    for place in places().into_iter().filter(|place| place.exact) {
        let device = &place.device;
        let nan = || row(&[f64::NAN], device);
        let one = |value: f64| matrix_of(&[value], device);
        let beta = BetaBinomialMixture::new(one(0.0), one(0.3), one(0.1), 4);
        for (what, value) in [
            ("beta-binomial", beta.log_prob(nan())),
            ("beta-binomial cdf", beta.cdf(nan())),
            ("Bernoulli cdf", Bernoulli::from_logits(row(&[1.0], device)).cdf(nan())),
            ("normal cdf", Normal::new(row(&[0.0], device), row(&[0.0], device)).cdf(nan())),
            ("Poisson", Poisson::new(row(&[0.0], device)).log_prob(nan())),
        ] {
            assert!(to_host(value)[0].is_nan(), "{what} on {}", place.name);
        }
    }
}

/// With and without autodiff the same value, and no NaN in it.
#[test]
fn infinite_arguments_have_the_value_of_their_limit() {
    for place in places().into_iter().filter(|place| place.exact) {
        for device in [place.device.clone(), place.device.clone().autodiff()] {
            let leaf = |value: f64| row(&[value], &device).set_require_grad(device.is_autodiff());
            for (x, expected) in [(f64::NEG_INFINITY, 0.0), (f64::INFINITY, 1.0)] {
                let normal = Normal::new(leaf(0.0), leaf(0.0)).cdf(row(&[x], &device));
                let laplace = Laplace::new(leaf(0.0), leaf(0.0)).cdf(row(&[x], &device));
                let mean = Bernoulli::from_logits(row(&[x], &device)).mean();
                for value in [normal, laplace, mean] {
                    assert!((to_host(value)[0] - expected).abs() < 1e-37, "{x} on {}", place.name);
                }
            }
            let ruled_out = to_tensor(&[f64::NEG_INFINITY, 0.0, 1.0], [1, 3], &device);
            let two = Categorical::from_logits(to_tensor(&[0.0, 1.0], [1, 2], &device));
            let entropy = to_host(Categorical::from_logits(ruled_out.clone()).entropy())[0];
            assert!((entropy - to_host(two.entropy())[0]).abs() <= tolerance(16, 1.0), "{entropy}");
            let smoothing = LabelSmoothing { epsilon: 0.0 }.objective(ruled_out, row(&[2.0], &device).int());
            assert!((to_host(smoothing.loss)[0] - 0.313_261_687_5).abs() <= tolerance(16, 1.0));
            let nothing = to_tensor(&[f64::NEG_INFINITY; 2], [1, 2], &device);
            assert_eq!(to_host(log_mean_exp(nothing))[0], f64::NEG_INFINITY);
            let wide = to_tensor(&[0.0, 0.0], [1, 2], &device);
            let mixture = NormalMixture::new(wide.clone(), wide.clone(), wide);
            assert_eq!(to_host(mixture.log_prob(row(&[1e20], &device)))[0], f64::NEG_INFINITY);
        }
    }
}

/// Within five of its own standard errors of the closed form.
#[test]
fn monte_carlo_divergences_estimate_the_closed_forms() {
    const SAMPLES: usize = 50_000;
    let device = &places().remove(0).device;
    let all = |value: f64| Tensor::<1>::full([SAMPLES], value, device);
    let noise = &mut Seed(5).stream("monte carlo", 0);
    let (q, p) = (Normal::new(all(0.5), all(-0.5)), Normal::new(all(-0.25), all(0.4)));
    let x = q.sample(noise);
    let found = kl::monte_carlo(q.log_prob(x.clone()), p.log_prob(x));
    let exact = to_host(kl::normal_normal(&q, &p))[0];
    assert!((found.mean - exact).abs() < 5.0 * found.standard_error && found.n == SAMPLES, "{found:?} {exact}");
    assert!(found.standard_error < 0.02 * exact, "{found:?}");

    let (q, p) = (Bernoulli::from_logits(all(1.5)), Bernoulli::from_logits(all(-0.5)));
    let (from_q, from_p) = (q.sample(noise), p.sample(noise));
    let at = |x: Tensor<1>| (p.log_prob(x.clone()), q.log_prob(x));
    let found = jensen_shannon::monte_carlo(at(from_p), at(from_q));
    let exact = to_host(jensen_shannon::bernoulli(all(-0.5), all(1.5)))[0];
    assert!((found.mean - exact).abs() < 5.0 * found.standard_error && found.n == 2 * SAMPLES, "{found:?} {exact}");
    assert!(found.standard_error < 0.02 * exact, "{found:?}");
}

/// x = μ + s·ε at a given ε: ∂x/∂μ = 1 and ∂x/∂log s = x − μ (half of it for a log-variance).
#[test]
fn samples_carry_gradients_to_location_and_scale() {
    let device = places().remove(0).device.autodiff();
    let leaf = |value: f64| row(&[value], &device).require_grad();
    let wide = |leaf: &Tensor<1>| leaf.clone().expand([50]);
    let noise = &mut Seed(6).stream("draws", 0);
    let check = |what: &str, samples: Tensor<1>, [mean, scale]: [&Tensor<1>; 2], per_log: f64| {
        let all: Vec<f64> = to_host(samples.clone()).iter().map(|x| x - 0.75).collect();
        let deviations: f64 = all.iter().sum();
        let gradients = samples.sum().backward();
        let [of_mean, of_scale] = [mean, scale].map(|leaf| to_host(leaf.grad(&gradients).unwrap())[0]);
        // Sums of 50 numbers, each of which takes a few operations; x − μ is what the draw's own rounding leaves of it.
        let size = all.iter().map(|x| x.abs() + 0.75).sum::<f64>();
        assert!((of_mean - 50.0).abs() <= tolerance(50, 50.0), "{what}: {of_mean}");
        assert!((of_scale - per_log * deviations).abs() <= tolerance(50 + 8, size), "{what}: {of_scale}");
    };
    let (mean, scale) = (leaf(0.75), leaf(-0.5));
    check("Normal", Normal::new(wide(&mean), wide(&scale)).sample(noise), [&mean, &scale], 0.5);
    check("Laplace", Laplace::new(wide(&mean), wide(&scale)).sample(noise), [&mean, &scale], 1.0);
    let dof = wide(&leaf(1.5));
    check("StudentT", StudentT::new(wide(&mean), wide(&scale), dof).sample(noise), [&mean, &scale], 1.0);
}

#[test]
fn levels_have_their_means_and_entropies() {
    let device = &places().remove(0).device;
    let logistic = DiscretizedLogistic::new(row(&[0.3, -2.0], device), row(&[-1.5, 0.5], device), 17).to_mixture();
    let beta = BetaBinomialMixture::new(
        to_tensor(&[0.0, 0.0], [2, 1], device),
        to_tensor(&[0.0, 2.0], [2, 1], device),
        to_tensor(&[0.0, -1.0], [2, 1], device),
        256,
    );
    let probabilities = |log_prob: &dyn Fn(Tensor<1>) -> Tensor<1>, levels: usize| -> Vec<Vec<f64>> {
        let columns: Vec<Vec<f64>> = (0..levels).map(|x| to_host(log_prob(row(&[x as f64; 2], device)))).collect();
        (0..2).map(|i| columns.iter().map(|column| column[i].exp()).collect()).collect()
    };
    // Sums over the levels, for the probabilities and of them, and a dozen operations.
    let allowed = |levels: usize, expected: f64| tolerance(2 * levels + 12, 1.0 + expected);
    for (all, mean, entropy) in [
        (probabilities(&|x| logistic.log_prob(x), 17), logistic.mean(), logistic.entropy()),
        (probabilities(&|x| beta.log_prob(x), 256), beta.mean(), beta.entropy()),
    ] {
        let (mean, entropy) = (to_host(mean), to_host(entropy));
        for (i, p) in all.iter().enumerate() {
            let expected: f64 = p.iter().enumerate().map(|(x, p)| x as f64 * p).sum();
            assert!((mean[i] - expected).abs() <= allowed(p.len(), expected), "{} {expected}", mean[i]);
            let expected: f64 = -p.iter().map(|p| p * p.ln()).sum::<f64>();
            assert!((entropy[i] - expected).abs() <= allowed(p.len(), expected), "{} {expected}", entropy[i]);
        }
    }
    // α = β = 1 is uniform; and by mpmath at 30 digits.
    let entropy = to_host(beta.entropy());
    for (entropy, expected) in entropy.into_iter().zip([256f64.ln(), 3.300_301]) {
        assert!((entropy - expected).abs() <= allowed(256, expected), "{entropy} {expected}");
    }
}
