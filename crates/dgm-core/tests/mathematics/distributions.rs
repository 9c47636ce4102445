//! Every density behind [`Distribution`]: what it says of itself against sums and integrals of its own log-density.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{to_host, to_tensor};
use burn::tensor::{Device, Tensor};
use dgm_core::density::*;
use dgm_core::random::Seed;

type Boxed = Box<dyn Distribution<1>>;

fn one(value: f64) -> Tensor<1> {
    to_tensor(&[value], [1], &Device::flex())
}

fn row(values: &[f64]) -> Tensor<2> {
    to_tensor(values, [1, values.len()], &Device::flex())
}

/// One variable of each density.
fn densities() -> Vec<(&'static str, Boxed)> {
    let normal = |mean: f64, log_var: f64| Normal::new(one(mean), one(log_var));
    let laplace = || Laplace::new(one(-0.5), one(0.3));
    let categorical = || Categorical::from_logits(row(&[0.3, -1.0, 0.8, 0.1]));
    vec![
        ("bernoulli", Box::new(Bernoulli::from_logits(one(0.7)))),
        ("categorical", Box::new(categorical())),
        ("beta_binomial", {
            let [weights, alpha, beta] = [[0.2, -0.4], [0.5, -0.3], [0.1, 1.2]].map(|values| row(&values));
            Box::new(BetaBinomialMixture::new(weights, alpha, beta, 9))
        }),
        ("discretized_logistic", Box::new(DiscretizedLogistic::new(one(0.2), one(-1.1), 17))),
        ("discretized_logistic_mixture", {
            let [weights, mean, log_scale] = [[0.2, -0.4], [0.5, -0.6], [-1.5, -2.0]].map(|values| row(&values));
            Box::new(DiscretizedLogisticMixture::new(weights, mean, log_scale, 17))
        }),
        ("poisson", Box::new(Poisson::new(one(1.1)))),
        ("negative_binomial", Box::new(NegativeBinomial::new(one(0.9), one(1.4)))),
        ("continuous_bernoulli", Box::new(ContinuousBernoulli::from_logits(one(-1.7)))),
        ("continuous_bernoulli at 0", Box::new(ContinuousBernoulli::from_logits(one(0.01)))),
        ("normal", Box::new(normal(0.4, 0.6))),
        ("laplace", Box::new(laplace())),
        ("student_t", Box::new(StudentT::new(one(0.3), one(-0.2), one(2.0)))),
        ("normal_mixture", {
            let [weights, mean, log_var] = [[0.2, -0.4], [1.5, -0.6], [-0.5, 0.3]].map(|values| row(&values));
            Box::new(NormalMixture::new(weights, mean, log_var))
        }),
        ("mean of real", Box::new(MeanOf::new(vec![Box::new(normal(1.0, -0.5)) as Boxed, Box::new(laplace())]))),
        ("affine", {
            let inner = Box::new(ContinuousBernoulli::from_logits(one(1.3)));
            Box::new(Affine::new(inner, one(3.0), one(-1.0)))
        }),
        ("mean of levels", {
            let other = Box::new(Categorical::from_logits(row(&[0.0, 2.0, -0.5, 0.0])));
            Box::new(MeanOf::new(vec![Box::new(categorical()) as Boxed, other]))
        }),
    ]
}

/// Points with the weights of a sum, or of an integral by the midpoint rule, over all but 1e-7 of the density.
fn points(name: &str, support: Support) -> Vec<(f64, f64)> {
    match support {
        // Of 3x − 1 with x from 0 to 1.
        _ if name == "affine" => {
            points("", Support::UnitInterval).into_iter().map(|(x, weight)| (3.0 * x - 1.0, 3.0 * weight)).collect()
        }
        Support::Binary => vec![(0.0, 1.0), (1.0, 1.0)],
        Support::Levels(levels) => (0..levels).map(|x| (x as f64, 1.0)).collect(),
        Support::Counts => (0..120).map(|x| (f64::from(x), 1.0)).collect(),
        Support::UnitInterval => (0..2000).map(|i| ((f64::from(i) + 0.5) / 2000.0, 1.0 / 2000.0)).collect(),
        // x = sinh t: far into heavy tails.
        Support::Real => (-4000..=4000).map(|i| f64::from(i) * 0.002).map(|t| (t.sinh(), t.cosh() * 0.002)).collect(),
    }
}

fn log_probs(density: &Boxed, points: &[(f64, f64)]) -> Vec<f64> {
    points.iter().map(|&(x, _)| to_host(density.log_prob(one(x)))[0]).collect()
}

#[test]
fn moments_and_entropies_are_those_of_the_density() {
    for (name, density) in densities() {
        let points = points(name, density.support());
        let log_probs = log_probs(&density, &points);
        let expect = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().zip(&log_probs).map(|(&(x, weight), &log_p)| log_p.exp() * weight * f(x, log_p)).sum()
        };
        let close = |what: &str, found: Tensor<1>, expected: f64| {
            let found = to_host(found)[0];
            assert!((found - expected).abs() < 2e-4 * (1.0 + expected.abs()), "{name}: {what} {found}, {expected}");
        };
        assert!((expect(&|_, _| 1.0) - 1.0).abs() < 1e-4, "{name}: mass {}", expect(&|_, _| 1.0));
        let mean = expect(&|x, _| x);
        close("mean", density.mean(), mean);
        if let Some(variance) = density.variance() {
            close("variance", variance, expect(&|x, _| (x - mean).powi(2)));
        }
        if let Some(entropy) = density.entropy() {
            close("entropy", entropy, expect(&|_, log_p| -log_p));
        }
    }
}

#[test]
fn a_cdf_adds_up_the_density_and_a_quantile_inverts_it() {
    let mut checked = [0, 0];
    for (name, density) in densities() {
        let points = points(name, density.support());
        let discrete = points.iter().all(|(_, weight)| *weight == 1.0);
        let mut below = 0.0;
        for (i, ((x, weight), log_p)) in points.iter().zip(log_probs(&density, &points)).enumerate() {
            let mass = log_p.exp() * weight;
            below += mass;
            // The middle of a strip has half of it below.
            let p = if discrete { below } else { below - mass / 2.0 };
            if !discrete && i % 50 != 0 {
                continue;
            }
            let Some(cdf) = density.cdf(one(*x)) else { break };
            let cdf = to_host(cdf)[0];
            assert!((cdf - p).abs() < 1e-4, "{name}: P(X ≤ {x}) = {cdf}, expected {p}");
            checked[0] += 1;
            if !(0.01..0.99).contains(&p) {
                continue;
            }
            // In the middle of a level's mass its quantile is the level.
            let asked = if discrete { below - mass / 2.0 } else { cdf };
            let Some(quantile) = density.quantile(one(asked)) else { continue };
            let quantile = to_host(quantile)[0];
            assert!(
                (quantile - x).abs() < 1e-3 * (1.0 + x.abs()),
                "{name}: quantile of {asked} is {quantile}, not {x}"
            );
            checked[1] += 1;
        }
    }
    assert!(checked[0] > 300 && checked[1] > 100, "{checked:?}");
}

#[test]
fn samples_have_the_mean_and_the_variance() {
    let n = 40_000usize;
    for (name, density) in densities() {
        let mut rng = Seed(3).stream("sample", 0);
        let samples: Vec<f64> = (0..n).map(|_| to_host(density.sample(&mut rng))[0]).collect();
        let mean = samples.iter().sum::<f64>() / n as f64;
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        let error = (variance / n as f64).sqrt();
        let expected = to_host(density.mean())[0];
        assert!((mean - expected).abs() < 5.0 * error, "{name}: {mean} ± {error}, expected {expected}");
        let Some(expected) = density.variance() else { continue };
        let expected = to_host(expected)[0];
        // Heavy tails have a variance of the variance that is large: a tenth is what all of these keep to.
        assert!((variance / expected - 1.0).abs() < 0.1, "{name}: variance {variance}, expected {expected}");
    }
}

#[test]
fn a_cdf_of_levels_is_a_step_function_up_to_one() {
    for (name, density) in densities() {
        let Support::Levels(levels) = density.support() else { continue };
        let cdf = |x: f64| density.cdf(one(x)).map(|cdf| to_host(cdf)[0]);
        let Some(first) = cdf(0.0) else { continue };
        let last = levels as f64 - 1.0;
        for (x, expected) in [(-1.0, 0.0), (-0.5, 0.0), (0.5, first), (last, 1.0), (last + 0.5, 1.0), (last + 3.0, 1.0)]
        {
            assert!((cdf(x).unwrap() - expected).abs() < 1e-6, "{name}: P(X ≤ {x}) is {:?}, not {expected}", cdf(x));
        }
    }
}

#[test]
fn an_affine_density_ends_where_its_interval_does() {
    let density = Affine::new(Box::new(ContinuousBernoulli::from_logits(one(1.3))), one(3.0), one(-1.0));
    let log_prob = |y: f64| to_host(density.log_prob(one(y)))[0];
    for outside in [-100.0, -1.01, 2.01, 100.0] {
        assert_eq!(log_prob(outside), f64::NEG_INFINITY, "{outside}");
    }
    assert!(log_prob(-1.0 - 1e-6).is_finite() && log_prob(2.0 + 1e-6).is_finite());
}

#[test]
fn a_quantile_at_the_ends_has_no_gradient() {
    let p = Tensor::<1>::from_floats([0.0, 0.5, 1.0], &Device::flex().autodiff()).require_grad();
    let normal = Normal::new(p.zeros_like(), p.zeros_like());
    let gradients = normal.quantile(p.clone()).sum().backward();
    let found = to_host(p.grad(&gradients).unwrap());
    assert!(found[0] == 0.0 && found[2] == 0.0 && (found[1] - 2.506_628_3).abs() < 1e-5, "{found:?}");
}
