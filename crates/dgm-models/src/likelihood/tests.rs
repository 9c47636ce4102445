//! How a choice narrows a distribution, against probabilities by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::Scale;
use crate::testing::likelihood_of;
use crate::testing::rounding::tolerance;
use burn::tensor::{Device, TensorData};
use dgm_core::random::Seed;

/// The probabilities of `choice` where those of the model are `p`.
fn narrowed(p: &[f32], choice: SamplingParams) -> Vec<f32> {
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

fn temperature(temperature: f64) -> SamplingParams {
    SamplingParams { temperature, ..SamplingParams::default() }
}

fn top_k(k: usize) -> SamplingParams {
    SamplingParams { top_k: Some(k), ..SamplingParams::default() }
}

fn top_p(p: f64) -> SamplingParams {
    SamplingParams { top_p: Some(p), ..SamplingParams::default() }
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
    let both = SamplingParams { top_k: Some(2), top_p: Some(0.6), ..SamplingParams::default() };
    assert_close(&narrowed(&p, both), &[0.0, 1.0, 0.0]);
}

#[test]
fn a_mixture_is_the_mean_of_its_densities() {
    let spec = DataSpec { shape: [1, 1, 1], values: Values::Levels(2), condition: None };
    let member = |kind: &str| likelihood_of(kind, 1).build(&spec).unwrap();
    let mixture = Likelihood::mixture(vec![member("bernoulli"), member("categorical")]);
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

/// Dequantised levels 0 to 4.
fn dequantised() -> Values {
    Values::Real(Scale { mean: vec![2.5, 1.5], std: vec![1.25, 1.0], levels: Some(5), ..Scale::default() })
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
    let mixes = |kind: &str| matches!(kind, "beta_binomial" | "discretized_logistic" | "normal_mixture");
    let all = LikelihoodConfig::KINDS.iter().flat_map(|kind| [(kind, 1), (kind, 3)]);
    let all = all.filter(|(kind, n)| *n == 1 || mixes(kind));
    all.filter_map(|(kind, n)| Some((format!("{kind} {n}"), likelihood_of(kind, n).build(&spec).ok()?))).collect()
}

#[test]
fn every_likelihood_of_levels_sums_to_one() {
    for (levels, kinds) in [(2, 9), (7, 8)] {
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
fn a_density_of_dequantised_levels_integrates_to_one_over_them() {
    let likelihood = likelihood_of("continuous_bernoulli", 1).build(&spec(dequantised())).unwrap();
    let parameters = outputs(1, 1);
    let (n, mut sums, mut means) = (2000, [0.0; 2], [0.0; 2]);
    let [mean, std] = [[2.5, 1.5], [1.25, 1.0]];
    for i in 0..n {
        let x = 5.0 * (f64::from(i) + 0.5) / f64::from(n);
        let z = [0, 1].map(|d| ((x - mean[d]) / std[d]) as f32);
        let log_prob = host(likelihood.log_prob(parameters.clone(), Tensor::from_floats([z], &Device::flex())));
        for d in 0..2 {
            sums[d] += log_prob[d].exp() * 5.0 / f64::from(n);
            means[d] += log_prob[d].exp() * x * 5.0 / f64::from(n);
        }
    }
    let found = host(likelihood.mean(parameters));
    for d in 0..2 {
        assert!((sums[d] - 1.0).abs() < 1e-4, "{sums:?}");
        assert!((found[d] * std[d] + mean[d] - means[d]).abs() < 1e-3, "{found:?} {means:?}");
    }
    assert!(likelihood_of("continuous_bernoulli", 1).build(&spec(scale())).is_err(), "not of any real number");
}

#[test]
fn a_predictive_distribution_has_the_quantiles_of_its_samples() {
    let n = 20_000;
    let all = [scale(), dequantised(), Values::Levels(2), Values::Levels(7)];
    let mut with_quantiles = Vec::new();
    for (name, likelihood) in all.iter().flat_map(likelihoods) {
        let one = outputs(1, likelihood.parameters());
        let distribution = likelihood.distribution(one.clone());
        let samples = {
            let parameters = one.expand([n, 2, likelihood.parameters()]);
            host(likelihood.sample(parameters, &mut Seed(7).stream("test", 0)))
        };
        for p in [0.1, 0.5, 0.9] {
            let Some(at) = distribution.quantile(Tensor::full([1, 2], p, &Device::flex())) else { continue };
            with_quantiles.push(name.clone());
            for (d, at) in host(at).into_iter().enumerate() {
                let of = |below: &dyn Fn(f64) -> bool| {
                    samples.iter().skip(d).step_by(2).filter(|&&x| below(x)).count() as f64 / n as f64
                };
                let error = 5.0 * (p * (1.0 - p) / n as f64).sqrt() + 1e-4;
                let (below, up_to) = (of(&|x| x < at - 1e-6), of(&|x| x <= at + 1e-6));
                assert!(below <= p + error && up_to >= p - error, "{name}: {p} at {at}: {below} to {up_to}");
            }
        }
    }
    with_quantiles.dedup();
    assert!(with_quantiles.len() >= 15, "{with_quantiles:?}");
}

#[test]
fn samples_follow_the_density_also_at_a_temperature() {
    let n = 20_000;
    for temperature in [1.0, 0.5, 3.0] {
        let choice = SamplingParams { temperature, ..SamplingParams::default() };
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
    let sampled = |kind: &str, components: usize, temperature: f64| {
        let likelihood = likelihood_of(kind, components).build(&spec(scale())).unwrap();
        let parameters = outputs(1, likelihood.parameters()).expand([n, 2, likelihood.parameters()]);
        let choice = SamplingParams { temperature, ..SamplingParams::default() };
        host(likelihood.sample_at(parameters, 0..2, &choice, &mut Seed(7).stream("test", 0)))
    };
    // √T times as far from the location, number by number.
    let [plain, hot] = [1.0, temperature].map(|temperature| sampled("student_t", 1, temperature));
    let location = host(outputs(1, 3).slice([0..1, 0..2, 0..1]));
    for (i, (plain, hot)) in plain.iter().zip(hot).enumerate() {
        let (plain, hot) = (plain - location[i % 2], hot - location[i % 2]);
        assert!((hot - 2.0 * plain).abs() <= 1e-4 * (1.0 + plain.abs()), "{plain} {hot}");
    }
    // Against the distribution of the mixture whose components have T times their variance.
    let hot = sampled("normal_mixture", 3, temperature);
    let mixture = normal_mixture::NormalMixture { components: 3 };
    for x in [-3.0, -1.0, 0.0, 1.0, 4.0] {
        let [weights, mean, log_var] = mixture.mixture(shaped::rows(outputs(1, 9)), 1.0, None).parameters();
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
    let table = |kind: &str, levels: usize, outputs: &[f64]| {
        let likelihood = likelihood_of(kind, 1).build(&spec(Values::Levels(levels))).unwrap();
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
            let found = table("poisson", levels, &[output]);
            close(&found, &|x| x * log_rate - log_factorial(x), &format!("poisson {levels} {output}"));
            for shape in [-5.0, 0.0, 8.0, 20.0] {
                let (mean, r) = ((output.clamp(-20.0, 20.0) + middle).exp(), f64::exp(shape));
                let rising = |x: f64| (0..x as u32).map(|i| (r + f64::from(i)).ln()).sum::<f64>();
                let log_p = |x: f64| rising(x) - log_factorial(x) + x * (mean.ln() - (r + mean).ln());
                let found = table("negative_binomial", levels, &[output, shape]);
                close(&found, &log_p, &format!("negative_binomial {levels} {output} {shape}"));
            }
        }
    }
    // Poisson of rate 2 at 0, 1, 2, 3: 1, 2, 2, 4/3 over their sum.
    let found = table("poisson", 4, &[(2.0f64 / 1.5).ln()]);
    let expected = [3.0f64, 6.0, 6.0, 4.0].map(|part| (part / 19.0).ln());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
}

#[test]
fn what_does_not_fit_names_what_does() {
    let error = likelihood_of("normal", 1).build(&spec(Values::Levels(5))).unwrap_err().to_string();
    let expected = "`model.likelihood` is \"normal\", but the data hold 5 levels; use \"categorical\", \"ordinal\", \"beta_binomial\", \
                    \"discretized_logistic\", \"poisson\" or \"negative_binomial\"";
    assert_eq!(error, expected);
    let error = likelihood_of("bernoulli", 1).build(&spec(Values::Levels(5))).unwrap_err().to_string();
    assert!(error.ends_with("or \"negative_binomial\", or binarise the data"), "{error}");
    let error = likelihood_of("poisson", 1).build(&spec(scale())).unwrap_err().to_string();
    assert!(
        error.ends_with("real numbers; use \"normal\", \"normal_mixture\", \"laplace\" or \"student_t\""),
        "{error}"
    );
    let error = likelihood_of("normal_mixture", 65).build(&spec(scale())).unwrap_err().to_string();
    assert_eq!(error, "`model.likelihood.components` is 65, expected 1 to 64");
    let json = serde_json::json!({ "kind": "laplace", "components": 2 });
    let error = serde_json::from_value::<LikelihoodConfig>(json).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `components`"), "{error}");
}

#[test]
fn counts_of_many_levels_keep_their_differences() {
    // Near its mode, by sums in f64: mean e^0.4 and e^-1 of the middle of the range, shape e^1.2.
    let levels = 16_384usize;
    let middle = (levels as f64 - 1.0) / 2.0;
    let spec = spec(Values::Levels(levels));
    for (kind, outputs, r) in
        [("poisson", vec![-1.0f32], f64::INFINITY), ("negative_binomial", vec![0.4, 1.2], 1.2f64.exp())]
    {
        let mean = middle * f64::from(outputs[0]).exp();
        let likelihood = LikelihoodConfig::of_kind(kind).unwrap().build(&spec).unwrap();
        let width = outputs.len();
        let parameters = Tensor::from_data(TensorData::new(outputs, [1, 1, width]), &Device::flex());
        let table = host(likelihood.log_probs(parameters).unwrap());
        let step = |x: usize| ((1.0 + (x as f64 - 1.0) / r) / x as f64).ln() - (1.0 / mean + 1.0 / r).ln();
        let logits: Vec<f64> = (0..levels)
            .scan(0.0, |sum, x| {
                *sum += if x == 0 { 0.0 } else { step(x) };
                Some(*sum)
            })
            .collect();
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let norm = most + logits.iter().map(|logit| (logit - most).exp()).sum::<f64>().ln();
        for (x, (found, logit)) in table.iter().zip(&logits).enumerate().filter(|(_, (_, logit))| **logit > most - 7.0)
        {
            let expected = logit - norm;
            assert!((found - expected).abs() < 5e-3, "{kind}: log P({x}) = {found}, expected {expected}");
        }
    }
}

#[test]
#[should_panic(expected = "Likelihood::sample_at")]
fn a_choice_out_of_range_is_no_sample() {
    let likelihood = likelihood_of("categorical", 1).build(&spec(Values::Levels(3))).unwrap();
    likelihood.sample_at(outputs(1, 3), 0..2, &temperature(0.0), &mut Seed(0).stream("sample", 0));
}

/// A target on a grid: no density is above that of a number which varies within its cell, and a wide one is what it was.
#[test]
fn a_grid_is_met_by_no_spike() {
    let Values::Real(plain) = scale() else { unreachable!() };
    // Cells of 0.3 where the standard deviation is 2; no grid in the second dimension.
    let grid = Values::Real(Scale { step: vec![0.3, 0.0], ..plain });
    let variance = (0.3f64 / 2.0).powi(2) / 12.0;
    for kind in ["normal", "laplace", "student_t", "normal_mixture"] {
        let likelihood = likelihood_of(kind, 1).build(&spec(grid.clone())).unwrap();
        let n = likelihood.parameters();
        // As narrow as it can be: the output that is its scale at −100, the others at 0.
        let scale_at = if kind == "normal_mixture" { 2 } else { 1 };
        let all: Vec<f32> = (0..2 * n).map(|i| if i % n == scale_at { -100.0 } else { 0.0 }).collect();
        let narrow = likelihood.distribution(Tensor::from_data(TensorData::new(all, [1, 2, n]), &Device::flex()));
        let top = host(narrow.log_prob(narrow.mean()));
        // A Laplace number is the sharpest of these: density 1/√(2 variance) at its centre.
        assert!(top[0] <= -(2.0 * variance).ln() / 2.0 + 1e-3, "{kind}: {top:?}");
        assert!(top[1] > top[0] + 1.0, "{kind}: {top:?}");
    }
    // In closed form: a normal of variance σ² + step²/12.
    let [with, without] = [grid, scale()].map(|values| LikelihoodConfig::NORMAL.build(&spec(values)).unwrap());
    let (parameters, x) = (outputs(3, 2), outputs(3, 1).reshape([3, 2]));
    let log_var = host(parameters.clone().slice([0..3, 0..2, 1..2]));
    let mean = host(parameters.clone().slice([0..3, 0..2, 0..1]));
    let [with, without] = [with, without].map(|likelihood| host(likelihood.log_prob(parameters.clone(), x.clone())));
    for (i, x) in host(x).into_iter().enumerate() {
        let of = |variance: f64| {
            let square = (x - mean[i]).powi(2) / variance;
            -0.5 * (square + variance.ln() + (2.0 * std::f64::consts::PI).ln())
        };
        let (unit, floor) = if i % 2 == 0 { (2.0f64.ln(), variance) } else { (0.5f64.ln(), 0.0) };
        assert!((with[i] - (of(log_var[i].exp() + floor) - unit)).abs() < 1e-5, "{i}: {} ", with[i]);
        assert!((without[i] - (of(log_var[i].exp()) - unit)).abs() < 1e-5, "{i}: {}", without[i]);
    }
}
