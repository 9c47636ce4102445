//! How a choice narrows a distribution, against probabilities by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::Scale;
use crate::testing::rounding::tolerance;
use burn::tensor::{Device, TensorData};
use dgm_core::random::Seed;

/// The probabilities of `choice` where those of the model are `p`.
fn narrowed(p: &[f32], choice: Choice) -> Vec<f32> {
    let log_probs = TensorData::new(p.iter().map(|p| p.ln()).collect::<Vec<_>>(), [1, p.len()]);
    let narrowed = choice.narrowed(Tensor::from_data(log_probs, &Device::flex()));
    narrowed.log_probs().exp().into_data().iter::<f32>().collect()
}

/// Within the rounding of logarithms of probabilities, which are divided, shifted, normalised up to three times and raised again.
fn assert_close(found: &[f32], expected: &[f32]) {
    let within = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) <= tolerance(16, 1.0);
    let close = found.len() == expected.len() && found.iter().zip(expected).all(within);
    assert!(close, "found {found:?}, expected {expected:?}");
}

fn temperature(temperature: f64) -> Choice {
    Choice { temperature, ..Choice::default() }
}

fn top_k(k: usize) -> Choice {
    Choice { top_k: Some(k), ..Choice::default() }
}

fn top_p(p: f64) -> Choice {
    Choice { top_p: Some(p), ..Choice::default() }
}

#[test]
fn a_temperature_is_an_exponent() {
    let p = [0.5, 0.3, 0.2];
    assert_close(&narrowed(&p, temperature(1.0)), &p);
    // √0.5, √0.3, √0.2 over their sum 1.70204.
    assert_close(&narrowed(&p, temperature(2.0)), &[0.415_446, 0.321_803, 0.262_751]);
    // 0.25, 0.09, 0.04 over 0.38.
    assert_close(&narrowed(&p, temperature(0.5)), &[0.657_895, 0.236_842, 0.105_263]);
    assert_close(&narrowed(&p, temperature(1e-6)), &[1.0, 0.0, 0.0]);
    assert_close(&narrowed(&[1e-30, 2e-30, 1.0], temperature(1e-6)), &[0.0, 0.0, 1.0]);
}

#[test]
fn the_most_probable_levels_are_kept() {
    let p = [0.2, 0.5, 0.3];
    assert_close(&narrowed(&p, top_k(1)), &[0.0, 1.0, 0.0]);
    assert_close(&narrowed(&p, top_k(2)), &[0.0, 0.625, 0.375]);
    for k in [3, 4, 1000] {
        assert_close(&narrowed(&p, top_k(k)), &p);
    }
    // Ties at the last place.
    assert_close(&narrowed(&[0.25; 4], top_k(2)), &[0.25; 4]);
}

#[test]
fn the_fewest_levels_that_have_the_probability_are_kept() {
    let p = [0.2, 0.5, 0.3];
    for (least, expected) in [
        (0.01, [0.0, 1.0, 0.0]),
        (0.49, [0.0, 1.0, 0.0]),
        (0.51, [0.0, 0.625, 0.375]),
        (0.81, [0.2, 0.5, 0.3]),
        (1.0, [0.2, 0.5, 0.3]),
    ] {
        assert_close(&narrowed(&p, top_p(least)), &expected);
    }
    assert_close(&narrowed(&[0.25; 4], top_p(0.1)), &[0.25; 4]);
    // After k: 0.5 and 0.3 are 0.625 and 0.375 then.
    let both = Choice { top_k: Some(2), top_p: Some(0.6), ..Choice::default() };
    assert_close(&narrowed(&p, both), &[0.0, 1.0, 0.0]);
}

#[test]
fn a_mixture_is_the_mean_of_its_densities() {
    let spec = DataSpec { shape: [1, 1, 1], values: Values::Levels(2), condition: None };
    let member = |kind: LikelihoodKind| kind.build(1, &spec).unwrap();
    let mixture = Likelihood::mixture(vec![member(LikelihoodKind::Bernoulli), member(LikelihoodKind::Categorical)]);
    assert_eq!(mixture.parameters(), 3);
    // σ(log 3) = 3/4; softmax(0, log 9) gives 9/10 to the second.
    let parameters = Tensor::<3>::from_floats([[[3f32.ln(), 0.0, 9f32.ln()]]], &Device::flex());
    let expected = [0.175, 0.825];
    for (x, p) in expected.into_iter().enumerate() {
        let log_prob = mixture.log_prob(parameters.clone(), Tensor::from_floats([[x as f32]], &Device::flex()));
        assert_close(&log_prob.exp().into_data().iter::<f32>().collect::<Vec<_>>(), &[p]);
    }
    let table =
        mixture.log_probs(parameters.clone()).map(|table| table.exp().into_data().iter::<f32>().collect::<Vec<_>>());
    assert_close(&table.unwrap_or_default(), &expected);
    assert_close(&mixture.mean(parameters).into_data().iter::<f32>().collect::<Vec<_>>(), &[0.825]);
}

fn spec(values: Values) -> DataSpec {
    DataSpec { shape: [1, 1, 2], values, condition: None }
}

fn scale() -> Values {
    Values::Real(Scale { mean: vec![3.0, -1.0], std: vec![2.0, 0.5], ..Scale::default() })
}

fn host<const D: usize>(values: Tensor<D>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}

/// Outputs of a network for two dimensions of `rows` examples, not all alike.
fn outputs(rows: usize, width: usize) -> Tensor<3> {
    let all: Vec<f32> = (0..rows * 2 * width).map(|i| ((i * 7 % 11) as f32 - 5.0) / 7.0).collect();
    Tensor::from_data(TensorData::new(all, [rows, 2, width]), &Device::flex())
}

/// Every kind that is for these values, with one component and, where it mixes, with three.
fn likelihoods(values: &Values) -> Vec<(String, Likelihood)> {
    let spec = spec(values.clone());
    let all = LikelihoodKind::ALL.iter().flat_map(|kind| [(kind, 1), (kind, 3)]);
    all.filter_map(|(kind, n)| Some((format!("{} {n}", kind.name()), kind.build(n, &spec).ok()?))).collect()
}

#[test]
fn every_likelihood_of_levels_sums_to_one() {
    for (levels, kinds) in [(2, 8), (7, 7)] {
        let all = likelihoods(&Values::Levels(levels));
        assert_eq!(all.len(), kinds, "{all:?}");
        for (name, likelihood) in all {
            let parameters = outputs(3, likelihood.parameters());
            let mut sums = [0.0; 6];
            let mut means = [0.0; 6];
            for x in 0..levels {
                let log_prob = likelihood.log_prob(parameters.clone(), Tensor::full([3, 2], x as f32, &Device::flex()));
                for (i, log_prob) in host(log_prob).into_iter().enumerate() {
                    sums[i] += log_prob.exp();
                    means[i] += log_prob.exp() * x as f64;
                }
            }
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{name}: {sums:?}");
            // The table says the same, and the mean is that of the table.
            let table = host(likelihood.log_probs(parameters.clone()).unwrap());
            let sum: f64 = table.iter().map(|log_p| log_p.exp()).sum();
            assert!((sum - 6.0).abs() < 1e-4, "{name}: {sum}");
            for (found, mean) in host(likelihood.mean(parameters)).into_iter().zip(means) {
                assert!((found - mean).abs() < 1e-4 * levels as f64, "{name}: {found} {mean}");
            }
        }
    }
}

#[test]
fn real_likelihoods_integrate_to_one_in_data_units() {
    let all = likelihoods(&scale());
    assert_eq!(all.len(), 5, "{all:?}");
    let std = [2.0, 0.5];
    for (name, likelihood) in all {
        let parameters = outputs(1, likelihood.parameters());
        // z = sinh t, by the trapezoidal rule: even tails of two degrees of freedom are below 1e-7 at its ends.
        let (n, step) = (2000, 0.01);
        let mut sums = [0.0; 2];
        for i in -n..=n {
            let t = f64::from(i) * step;
            let z = Tensor::full([1, 2], t.sinh() as f32, &Device::flex());
            let log_prob = host(likelihood.log_prob(parameters.clone(), z));
            for (dimension, log_prob) in log_prob.into_iter().enumerate() {
                sums[dimension] += log_prob.exp() * std[dimension] * t.cosh() * step;
            }
        }
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-3), "{name}: {sums:?}");
        assert!(likelihood.log_probs(parameters).is_none());
    }
}

#[test]
fn samples_follow_the_density_also_at_a_temperature() {
    let n = 20_000;
    for temperature in [1.0, 0.5, 3.0] {
        let choice = Choice { temperature, ..Choice::default() };
        for (name, likelihood) in likelihoods(&scale()).into_iter().chain(likelihoods(&Values::Levels(5))) {
            let one = outputs(1, likelihood.parameters());
            let parameters = one.clone().expand([n, 2, likelihood.parameters()]);
            let mut rng = Seed(7).stream("test", 0);
            let samples = host(likelihood.sample_at(parameters, 0..2, &choice, &mut rng));
            // Those have laws of their own at a temperature.
            if temperature != 1.0 && (name.starts_with("normal_mixture 3") || name.starts_with("student_t")) {
                continue;
            }
            // P(X ≤ x) of the density to the power of 1/T, by summing it up.
            let grid: Vec<f64> = match likelihood.log_probs(one.clone()) {
                Some(_) => (0..5).map(f64::from).collect(),
                None => (-1500..=1500).map(|i| (f64::from(i) * 0.01).sinh()).collect(),
            };
            let width = |i: usize| if grid.len() == 5 { 1.0 } else { (1.0 + grid[i] * grid[i]).sqrt() };
            for dimension in 0..2 {
                let density: Vec<f64> = grid
                    .iter()
                    .enumerate()
                    .map(|(i, &x)| {
                        let at = Tensor::full([1, 2], x as f32, &Device::flex());
                        let log_p = host(likelihood.log_prob(one.clone(), at))[dimension];
                        (log_p / temperature).exp() * width(i)
                    })
                    .collect();
                let total: f64 = density.iter().sum();
                let mut below = 0.0;
                for (i, part) in density.iter().enumerate() {
                    below += part / total;
                    if i % 100 != 0 && grid.len() != 5 {
                        continue;
                    }
                    // Half of the last part of a continuous density lies above.
                    let p = if grid.len() == 5 { below } else { below - part / total / 2.0 };
                    let found = samples.iter().skip(dimension).step_by(2).filter(|&&x| x <= grid[i] + 1e-9).count();
                    let error = 5.0 * (p * (1.0 - p).max(0.0) / n as f64).sqrt() + 1e-3;
                    assert!(
                        (found as f64 / n as f64 - p).abs() < error,
                        "{name} T = {temperature}: {found} {p} at {}",
                        grid[i]
                    );
                }
            }
        }
    }
}

#[test]
fn a_temperature_widens_components_and_heavy_tails() {
    let (n, temperature) = (20_000, 4.0);
    let sampled = |kind: LikelihoodKind, components: usize, temperature: f64| {
        let likelihood = kind.build(components, &spec(scale())).unwrap();
        let parameters = outputs(1, likelihood.parameters()).expand([n, 2, likelihood.parameters()]);
        let choice = Choice { temperature, ..Choice::default() };
        host(likelihood.sample_at(parameters, 0..2, &choice, &mut Seed(7).stream("test", 0)))
    };
    // √T times as far from the location, number by number.
    let [plain, hot] = [1.0, temperature].map(|temperature| sampled(LikelihoodKind::StudentT, 1, temperature));
    let location = host(outputs(1, 3).slice([0..1, 0..2, 0..1]));
    for (i, (plain, hot)) in plain.iter().zip(hot).enumerate() {
        let (plain, hot) = (plain - location[i % 2], hot - location[i % 2]);
        assert!((hot - 2.0 * plain).abs() <= 1e-4 * (1.0 + plain.abs()), "{plain} {hot}");
    }
    // Against the distribution of the mixture whose components have T times their variance.
    let hot = sampled(LikelihoodKind::NormalMixture, 3, temperature);
    let mixture = normal_mixture::NormalMixture { components: 3 };
    for x in [-3.0, -1.0, 0.0, 1.0, 4.0] {
        let [weights, mean, log_var] = mixture.density(outputs(1, 9), 1.0).parameters();
        let wide = dgm_core::density::NormalMixture::new(weights, mean, log_var + temperature.ln());
        let p = host(wide.cdf(Tensor::full([2], x, &Device::flex())));
        for dimension in 0..2 {
            let found = hot.iter().skip(dimension).step_by(2).filter(|&&value| value <= x).count();
            assert!(
                (found as f64 / n as f64 - p[dimension]).abs() < 5.0 * 0.5 / (n as f64).sqrt(),
                "{x}: {found} {p:?}"
            );
        }
    }
}

#[test]
fn count_samples_follow_the_truncated_distribution() {
    let table = |kind: LikelihoodKind, levels: usize, outputs: &[f64]| {
        let likelihood = kind.build(1, &spec(Values::Levels(levels))).unwrap();
        let one: Vec<f32> = outputs.iter().chain(outputs).map(|&output| output as f32).collect();
        let parameters = Tensor::from_data(TensorData::new(one, [1, 2, outputs.len()]), &Device::flex());
        host(likelihood.log_probs(parameters).unwrap())[..levels].to_vec()
    };
    let close = |found: &[f64], unnormalised: &dyn Fn(f64) -> f64, what: &str| {
        let all: Vec<f64> = (0..found.len()).map(|x| unnormalised(x as f64)).collect();
        let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = most + all.iter().map(|log_p| (log_p - most).exp()).sum::<f64>().ln();
        for (found, log_p) in found.iter().zip(&all) {
            let expected = log_p - total;
            assert!((found - expected).abs() <= 1e-3 + 1e-5 * expected.abs(), "{what}: {found} {expected}");
        }
    };
    let log_factorial = |x: f64| (1..=x as u32).map(|i| f64::from(i).ln()).sum::<f64>();
    for levels in [4, 17, 256] {
        let middle = ((levels as f64 - 1.0) / 2.0).ln();
        for output in [-30.0, -2.0, 0.0, 3.0, 15.0, 30.0] {
            let log_rate = output + middle;
            let found = table(LikelihoodKind::Poisson, levels, &[output]);
            close(&found, &|x| x * log_rate - log_factorial(x), &format!("poisson {levels} {output}"));
            for shape in [-5.0, 0.0, 8.0, 20.0] {
                let (mean, r) = ((output.clamp(-20.0, 20.0) + middle).exp(), f64::exp(shape));
                let rising = |x: f64| (0..x as u32).map(|i| (r + f64::from(i)).ln()).sum::<f64>();
                let log_p = |x: f64| rising(x) - log_factorial(x) + x * (mean.ln() - (r + mean).ln());
                let found = table(LikelihoodKind::NegativeBinomial, levels, &[output, shape]);
                close(&found, &log_p, &format!("negative_binomial {levels} {output} {shape}"));
            }
        }
    }
    // Poisson of rate 2 at 0, 1, 2, 3: 1, 2, 2, 4/3 over their sum.
    let found = table(LikelihoodKind::Poisson, 4, &[(2.0f64 / 1.5).ln()]);
    let expected = [3.0f64, 6.0, 6.0, 4.0].map(|part| (part / 19.0).ln());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
}

#[test]
fn what_does_not_fit_names_what_does() {
    let error = LikelihoodKind::Normal.build(1, &spec(Values::Levels(5))).unwrap_err().to_string();
    let expected = "`model.likelihood` is \"normal\", but the data hold 5 levels; use \"categorical\", \"beta_binomial\", \
                    \"discretized_logistic\", \"poisson\" or \"negative_binomial\"";
    assert_eq!(error, expected);
    let error = LikelihoodKind::Bernoulli.build(1, &spec(Values::Levels(5))).unwrap_err().to_string();
    assert!(error.ends_with("or \"negative_binomial\", or binarise the data"), "{error}");
    let error = LikelihoodKind::Poisson.build(1, &spec(scale())).unwrap_err().to_string();
    assert!(
        error.ends_with("real numbers; use \"normal\", \"normal_mixture\", \"laplace\" or \"student_t\""),
        "{error}"
    );
    let error = LikelihoodKind::Laplace.build(2, &spec(scale())).unwrap_err().to_string();
    assert_eq!(error, "`model.components` is 2, expected 1, or up to 64 with likelihood = \"normal_mixture\"");
}
