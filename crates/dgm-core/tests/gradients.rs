//! Gradients against finite differences in f64, one-operation forms against composed ones, samples against their
//! densities, and laws that hold for any input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use burn::tensor::{Device, Int, Tensor, TensorData};
use common::places;
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, Normal};
use dgm_core::divergence::kl;
use dgm_core::estimate::log_mean_exp;
use dgm_core::objective::{ArmNll, Elbo, Nll};
use dgm_core::ops;
use dgm_core::random::Seed;

const ROWS: usize = 6;
const COLUMNS: usize = 5;

/// A matrix of `ROWS` rows, as tensors and the host see it.
type Matrix = Vec<f64>;

fn matrix(purpose: &str, scale: f64) -> Matrix {
    let values = Seed(7).stream(purpose, 0).normals(ROWS * COLUMNS);
    // Rounded to f32, so both sides start from one number.
    values.into_iter().map(|value| f64::from((f64::from(value) * scale) as f32)).collect()
}

fn to_tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// A different weight for every value, so that a lost or misplaced factor shows.
fn weights(n: usize) -> Vec<f64> {
    (0..n).map(|i| 0.5 + 0.25 * (i % 7) as f64).collect()
}

/// Σ w·f: its gradient by autodiff in f32 against central differences of `host` in f64.
fn check(
    name: &str,
    inputs: &[Matrix],
    host: impl Fn(&[Matrix]) -> Vec<f64>,
    tensor: impl Fn(&[Tensor<2>]) -> Tensor<1>,
) {
    let weighted = |inputs: &[Matrix]| -> f64 {
        let values = host(inputs);
        values.iter().zip(weights(values.len())).map(|(value, weight)| value * weight).sum()
    };
    // ε^⅓: truncation h² and rounding ε / h are then both near 1e-10.
    let step = 6e-6;
    let differences: Vec<Matrix> = (0..inputs.len())
        .map(|input| {
            let slope = |element: usize| {
                let at = |offset: f64| {
                    let mut moved = inputs.to_vec();
                    moved[input][element] += offset;
                    weighted(&moved)
                };
                (at(step) - at(-step)) / (2.0 * step)
            };
            (0..inputs[input].len()).map(slope).collect()
        })
        .collect();
    for place in places() {
        for device in [place.device.clone().autodiff(), place.device.clone().autodiff().gradient_checkpointing()] {
            let leaves: Vec<Tensor<2>> = inputs
                .iter()
                .map(|values| to_tensor(values, [ROWS, values.len() / ROWS], &device).require_grad())
                .collect();
            let value = tensor(&leaves);
            let found = to_host(value.clone());
            for (found, expected) in found.iter().zip(host(inputs)) {
                let allowed = 1e-5 * (1.0 + expected.abs());
                assert!((found - expected).abs() < allowed, "{name} on {}: {found}, expected {expected}", place.name);
            }
            let weights = to_tensor(&weights(found.len()), [found.len()], &device);
            let gradients = (value * weights).sum().backward();
            for (input, (leaf, expected)) in leaves.iter().zip(&differences).enumerate() {
                let found = to_host(leaf.grad(&gradients).expect("a gradient"));
                let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
                for (element, (found, expected)) in found.iter().zip(expected).enumerate() {
                    // A small element of a large gradient is a difference of numbers of the large ones' size.
                    let allowed = 1e-4 * expected.abs() + 2e-6 * largest;
                    assert!(
                        (found - expected).abs() <= allowed,
                        "{name} on {}, input {input}, element {element}: {found}, by differences {expected}",
                        place.name
                    );
                }
            }
        }
    }
}

// ---- the formulas on the host, in f64, from their definitions -------------------

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let total: f64 = row.iter().map(|x| x.exp()).sum();
    row.iter().map(|x| x.exp() / total).collect()
}

fn normal_log_density(mean: f64, log_var: f64, x: f64) -> f64 {
    let variance = log_var.exp();
    -0.5 * (x - mean).powi(2) / variance - 0.5 * (2.0 * std::f64::consts::PI * variance).ln()
}

fn normal_kl(mean_q: f64, log_var_q: f64, mean_p: f64, log_var_p: f64) -> f64 {
    let (q, p) = (log_var_q.exp(), log_var_p.exp());
    0.5 * ((q + (mean_q - mean_p).powi(2)) / p - 1.0 + (p / q).ln())
}

/// P(x) of a beta-binomial by its recurrence P(x + 1) / P(x) = (n − x)(x + α) / ((x + 1)(n − x − 1 + β)), normalised.
fn beta_binomial(alpha: f64, beta: f64, n: usize) -> Vec<f64> {
    let mut all = vec![1.0];
    for x in 0..n {
        let rest = (n - x) as f64;
        all.push(all[x] * rest * (x as f64 + alpha) / ((x as f64 + 1.0) * (rest - 1.0 + beta)));
    }
    let total: f64 = all.iter().sum();
    all.into_iter().map(|p| p / total).collect()
}

fn rows(matrix: &Matrix) -> std::slice::ChunksExact<'_, f64> {
    matrix.chunks_exact(matrix.len() / ROWS)
}

fn elements(inputs: &[Matrix], function: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..inputs[0].len()).map(|i| function(&inputs.iter().map(|input| input[i]).collect::<Vec<_>>())).collect()
}

// ---- finite differences ------------------------------------------------------------

#[test]
fn bernoulli_gradients() {
    let x: Matrix = (0..ROWS * COLUMNS).map(|i| (i % 3 % 2) as f64).collect();
    let mut logits = matrix("logits", 3.0);
    logits[0] = 0.0;
    logits[1] = 0.0;
    check(
        "bernoulli log_prob",
        &[logits.clone()],
        |inputs| {
            let log = |l: f64, x: f64| if x == 1.0 { sigmoid(l).ln() } else { sigmoid(-l).ln() };
            inputs[0].iter().zip(&x).map(|(&l, &x)| log(l, x)).collect()
        },
        |inputs| {
            let x = to_tensor(&x, [ROWS, COLUMNS], &inputs[0].device());
            Bernoulli::from_logits(inputs[0].clone()).log_prob(x).flatten(0, 1)
        },
    );
    let entropy = |l: &[f64]| -sigmoid(l[0]) * sigmoid(l[0]).ln() - sigmoid(-l[0]) * sigmoid(-l[0]).ln();
    check(
        "bernoulli entropy",
        &[logits.clone()],
        |inputs| elements(inputs, entropy),
        |inputs| Bernoulli::from_logits(inputs[0].clone()).entropy().flatten(0, 1),
    );
    let divergence = |l: &[f64]| {
        let (p, q) = (sigmoid(l[0]), sigmoid(l[1]));
        p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln()
    };
    check(
        "bernoulli KL",
        &[logits, matrix("others", 2.0)],
        |inputs| elements(inputs, divergence),
        |inputs| kl::bernoulli(inputs[0].clone(), inputs[1].clone()).flatten(0, 1),
    );
}

#[test]
fn categorical_gradients() {
    let classes = [0usize, 4, 2, 1, 3, 4];
    let logits = matrix("logits", 2.0);
    check(
        "categorical log_prob",
        std::slice::from_ref(&logits),
        |inputs| rows(&inputs[0]).zip(classes).map(|(row, class)| softmax(row)[class].ln()).collect(),
        |inputs| {
            let classes = Tensor::<1, Int>::from_data(classes.map(|class| class as i32), &inputs[0].device());
            Categorical::from_logits(inputs[0].clone()).log_prob(classes)
        },
    );
    check(
        "categorical entropy",
        std::slice::from_ref(&logits),
        |inputs| rows(&inputs[0]).map(|row| -softmax(row).iter().map(|p| p * p.ln()).sum::<f64>()).collect(),
        |inputs| Categorical::from_logits(inputs[0].clone()).entropy(),
    );
    check(
        "categorical mean",
        std::slice::from_ref(&logits),
        |inputs| {
            let mean = |row: &[f64]| softmax(row).iter().enumerate().map(|(k, p)| k as f64 * p).sum::<f64>();
            rows(&inputs[0]).map(mean).collect()
        },
        |inputs| Categorical::from_logits(inputs[0].clone()).mean(),
    );
    let divergence = |inputs: &[Matrix]| {
        let pair =
            |(a, b): (&[f64], &[f64])| softmax(a).iter().zip(softmax(b)).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
        rows(&inputs[0]).zip(rows(&inputs[1])).map(pair).collect()
    };
    let close: Matrix = logits.iter().zip(matrix("step", 0.1)).map(|(l, step)| f64::from((l + step) as f32)).collect();
    for (name, others) in [("categorical KL", matrix("others", 2.0)), ("categorical KL, close", close)] {
        check(name, &[logits.clone(), others], divergence, |inputs| {
            kl::categorical(inputs[0].clone(), inputs[1].clone())
        });
    }
    check(
        "log_mean_exp",
        &[logits],
        |inputs| rows(&inputs[0]).map(|row| (row.iter().map(|a| a.exp()).sum::<f64>() / COLUMNS as f64).ln()).collect(),
        |inputs| log_mean_exp(inputs[0].clone()),
    );
}

#[test]
fn normal_gradients() {
    let (mean, log_var, x) = (matrix("mean", 2.0), matrix("log_var", 1.5), matrix("x", 3.0));
    check(
        "normal log_prob",
        &[mean.clone(), log_var.clone(), x],
        |inputs| elements(inputs, |v| normal_log_density(v[0], v[1], v[2])),
        |inputs| Normal::new(inputs[0].clone(), inputs[1].clone()).log_prob(inputs[2].clone()).flatten(0, 1),
    );
    check(
        "normal KL to the standard",
        &[mean.clone(), log_var.clone()],
        |inputs| elements(inputs, |v| normal_kl(v[0], v[1], 0.0, 0.0)),
        |inputs| kl::normal_standard(&Normal::new(inputs[0].clone(), inputs[1].clone())).flatten(0, 1),
    );
    check(
        "normal KL",
        &[mean, log_var, matrix("mean_p", 1.0), matrix("log_var_p", 1.0)],
        |inputs| elements(inputs, |v| normal_kl(v[0], v[1], v[2], v[3])),
        |inputs| {
            let [q, p] = [0, 2].map(|i| Normal::new(inputs[i].clone(), inputs[i + 1].clone()));
            kl::normal_normal(&q, &p).flatten(0, 1)
        },
    );
}

#[test]
fn beta_binomial_gradients() {
    for levels in [2, 9] {
        let x: Vec<f64> = (0..ROWS).map(|row| (row * (levels - 1) / (ROWS - 1)) as f64).collect();
        check(
            "beta-binomial log_prob",
            &[matrix("weights", 1.0), matrix("log_alpha", 1.5), matrix("log_beta", 1.5)],
            |inputs| {
                let row = |w: &[f64], a: &[f64], b: &[f64], i: usize| {
                    let of = |(a, b): (&f64, &f64)| beta_binomial(a.exp(), b.exp(), levels - 1)[x[i] as usize];
                    let components = a.iter().zip(b).map(of);
                    softmax(w).into_iter().zip(components).map(|(w, p)| w * p).sum::<f64>().ln()
                };
                let inputs = rows(&inputs[0]).zip(rows(&inputs[1])).zip(rows(&inputs[2])).enumerate();
                inputs.map(|(i, ((w, a), b))| row(w, a, b, i)).collect()
            },
            |inputs| {
                let [w, a, b] = [0, 1, 2].map(|i| inputs[i].clone());
                let x = to_tensor(&x, [ROWS], &w.device());
                BetaBinomialMixture::new(w, a, b, levels).log_prob(x)
            },
        );
    }
}

#[test]
fn elbo_gradients() {
    // The path from the posterior's parameters through the sample to the likelihood, and through the KL.
    let (epsilon, x) = (matrix("epsilon", 1.0), matrix("x", 1.0));
    let beta = 0.75;
    check(
        "elbo",
        &[matrix("mean", 1.0), matrix("log_var", 1.0)],
        |inputs| {
            let element = |i: usize| {
                let (mean, log_var) = (inputs[0][i], inputs[1][i]);
                let z = mean + (0.5 * log_var).exp() * epsilon[i];
                -normal_log_density(z, -1.0, x[i]) + beta * normal_kl(mean, log_var, 0.0, 0.0)
            };
            (0..ROWS).map(|row| (row * COLUMNS..(row + 1) * COLUMNS).map(element).sum()).collect()
        },
        |inputs| {
            let device = inputs[0].device();
            let [epsilon, x] = [&epsilon, &x].map(|values| to_tensor(values, [ROWS, COLUMNS], &device));
            let q = Normal::new(inputs[0].clone(), inputs[1].clone());
            let z = q.transform(epsilon);
            let log_var = z.zeros_like().sub_scalar(1.0);
            let log_likelihood = Normal::new(z, log_var).log_prob(x).sum_dim(1).squeeze_dim(1);
            Elbo { beta, free_bits: None }.objective(log_likelihood, kl::normal_standard(&q)).loss
        },
    );
}

// ---- one operation against the composed form -------------------------------------------

/// Values and gradients (to every input) of Σ w·f(u), with u = 2·tanh(input) so that checkpointing has something to redo.
fn run(inputs: &[Matrix], device: &Device, function: impl Fn(&[Tensor<2>]) -> Tensor<1>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let leaves: Vec<Tensor<2>> =
        inputs.iter().map(|values| to_tensor(values, [ROWS, COLUMNS], device).require_grad()).collect();
    let inner: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().tanh().mul_scalar(2.0)).collect();
    let value = function(&inner);
    let n = value.dims()[0];
    let gradients = (value.clone() * to_tensor(&weights(n), [n], device)).sum().backward();
    (to_host(value), leaves.iter().map(|leaf| to_host(leaf.grad(&gradients).expect("a gradient"))).collect())
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 2e-6 * (1.0 + expected.abs()), "{what}, number {i}: {found} {expected}");
    }
}

#[test]
fn one_operation_is_the_composed_form() {
    let mut logits = matrix("logits", 3.0);
    // At a logit of 0, where a network starts, max(l, 0) and |l| have no gradient of their own.
    logits[3] = 0.0;
    let x = matrix("x", 1.0);
    for place in places() {
        let plain = place.device.clone().autodiff();
        let checkpointed = place.device.clone().autodiff().gradient_checkpointing();
        assert!(ops::is_listed(&plain), "{} goes through the one operation", place.name);
        for device in [plain, checkpointed] {
            let inputs = [logits.clone(), x.clone()];
            let fused = run(&inputs, &device, |v| ops::bernoulli_log_prob(v[0].clone(), v[1].clone()).flatten(0, 1));
            let composed =
                run(&inputs, &device, |v| ops::composed_bernoulli_log_prob(v[0].clone(), v[1].clone()).flatten(0, 1));
            assert_close(&format!("bernoulli on {}", place.name), &fused.0, &composed.0);
            for (fused, composed) in fused.1.iter().zip(&composed.1) {
                assert_close(&format!("bernoulli's gradient on {}", place.name), fused, composed);
            }
            let classes = || Tensor::<1, Int>::from_data([4, 0, 2, 2, 1, 3], &device);
            let inputs = [logits.clone()];
            let fused = run(&inputs, &device, |v| ops::categorical_log_prob(v[0].clone(), classes()));
            let composed = run(&inputs, &device, |v| ops::composed_categorical_log_prob(v[0].clone(), classes()));
            assert_close(&format!("categorical on {}", place.name), &fused.0, &composed.0);
            assert_close(&format!("categorical's gradient on {}", place.name), &fused.1[0], &composed.1[0]);
        }
    }
}

#[test]
fn one_operation_takes_views() {
    // Transposed and sliced tensors: same numbers, other strides.
    for place in places() {
        let device = place.device.clone().autodiff();
        let logits = matrix("logits", 3.0);
        let x = to_tensor(&matrix("x", 1.0), [ROWS, COLUMNS], &device);
        let leaf = to_tensor(&logits, [ROWS, COLUMNS], &device).require_grad();
        let view = |t: Tensor<2>| t.swap_dims(0, 1).slice([1..4, 0..ROWS]);
        let value = ops::bernoulli_log_prob(view(leaf.clone()), view(x.clone()));
        let direct = view(ops::bernoulli_log_prob(leaf.clone(), x));
        assert_close(place.name, &to_host(value.clone()), &to_host(direct.clone()));
        let [a, b] = [value, direct].map(|value| to_host(leaf.grad(&value.square().sum().backward()).unwrap()));
        assert_close(place.name, &a, &b);
        let classes = Tensor::<1, Int>::from_data([5, 0, 3], &device);
        let value = ops::categorical_log_prob(view(leaf.clone()), classes.clone());
        let composed = ops::composed_categorical_log_prob(view(leaf.clone()), classes);
        assert_close(place.name, &to_host(value.clone()), &to_host(composed.clone()));
        let [a, b] = [value, composed].map(|value| to_host(leaf.grad(&value.square().sum().backward()).unwrap()));
        assert_close(place.name, &a, &b);
    }
}

// ---- samples -----------------------------------------------------------------------------

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

// ---- laws ----------------------------------------------------------------------------------

#[cfg(feature = "flex")]
mod laws {
    use super::*;
    use proptest::prelude::*;

    fn logit() -> impl Strategy<Value = f64> {
        let value = prop_oneof![-5.0..5.0f64, -100.0..100.0f64, Just(0.0)];
        value.prop_map(|value| f64::from(value as f32))
    }

    fn logits() -> impl Strategy<Value = Matrix> {
        proptest::collection::vec(logit(), ROWS * COLUMNS)
    }

    fn tensor(values: &[f64]) -> Tensor<2> {
        to_tensor(values, [ROWS, COLUMNS], &Device::flex())
    }

    /// Rows in the order of `order`.
    fn permuted(values: &[f64], order: &[usize]) -> Matrix {
        let width = values.len() / ROWS;
        order.iter().flat_map(|&row| values[row * width..(row + 1) * width].to_vec()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn divergences_are_never_negative_and_zero_at_equality(a in logits(), b in logits(), c in logits(), d in logits()) {
            let log_var = |values: &[f64]| tensor(values).clamp(-30.0, 30.0);
            let (q, p) = (Normal::new(tensor(&a), log_var(&c)), Normal::new(tensor(&b), log_var(&d)));
            let apart = [
                to_host(kl::bernoulli(tensor(&a), tensor(&b))),
                to_host(kl::categorical(tensor(&a), tensor(&b))),
                to_host(kl::normal_normal(&q, &p)),
                to_host(kl::normal_standard(&q)),
            ];
            for value in apart.iter().flatten() {
                prop_assert!(*value >= 0.0 && value.is_finite(), "{value}");
            }
            let equal = [
                to_host(kl::bernoulli(tensor(&a), tensor(&a))),
                to_host(kl::categorical(tensor(&a), tensor(&a))),
                to_host(kl::normal_normal(&q, &q)),
            ];
            for value in equal.iter().flatten() {
                prop_assert_eq!(*value, 0.0);
            }
        }

        #[test]
        fn a_divergence_is_still_right_next_to_equality(a in logits(), step in 1e-4..1e-2f64, column in 0..COLUMNS) {
            // To second order, KL = ½ Var_p[d], whatever the size of the logits.
            let mut b = a.clone();
            (0..ROWS).for_each(|row| b[row * COLUMNS + column] = f64::from((b[row * COLUMNS + column] + step) as f32));
            let found = to_host(kl::categorical(tensor(&a), tensor(&b)));
            for (row, found) in found.into_iter().enumerate() {
                let range = row * COLUMNS..(row + 1) * COLUMNS;
                let top = a[range.clone()].iter().fold(f64::MIN, |top, &a| top.max(a));
                let p = softmax(&a[range.clone()].iter().map(|a| a - top).collect::<Vec<_>>())[column];
                let d = b[range.start + column] - a[range.start + column];
                let expected = 0.5 * p * (1.0 - p) * d * d;
                // The third cumulant is at most the second: the next term is within d/3 of this one. 1 − p, taken in f32
                // as a difference, is good to a few 2⁻²⁴ absolutely; what f32 cannot hold is 0.
                let allowed = expected * d.abs() + 1e-4 * expected + 1e-6 * p * d * d + f64::from(f32::MIN_POSITIVE);
                prop_assert!((found - expected).abs() <= allowed, "{found:e} {expected:e}");
            }
        }

        #[test]
        fn permuting_a_batch_permutes_its_losses(a in logits(), b in logits(), seed in any::<u64>()) {
            let order = Seed(seed).stream("order", 0).permutation(ROWS);
            let losses = |a: &[f64], b: &[f64]| {
                let q = Normal::new(tensor(a), tensor(b).clamp(-30.0, 30.0));
                let on = tensor(b).greater_elem(0.0).float();
                let log_prob = Bernoulli::from_logits(tensor(a)).log_prob(on);
                let log_likelihood = log_prob.clone().sum_dim(1).squeeze_dim(1);
                let elbo = Elbo::default().objective(log_likelihood, kl::normal_standard(&q));
                let mask = tensor(a).greater_elem(0.0).float();
                [
                    elbo.loss,
                    Nll.objective(log_prob.clone()).loss,
                    ArmNll.objective(log_prob, Some(mask)).loss,
                    kl::categorical(tensor(a), tensor(b)),
                    log_mean_exp(tensor(a)),
                ]
                .map(to_host)
            };
            let (straight, mixed) = (losses(&a, &b), losses(&permuted(&a, &order), &permuted(&b, &order)));
            for (straight, mixed) in straight.iter().zip(&mixed) {
                prop_assert_eq!(&permuted(straight, &order), mixed);
            }
        }

        #[test]
        fn padding_changes_nothing(a in logits(), lengths in proptest::collection::vec(0..=COLUMNS, ROWS)) {
            let device = Device::flex().autodiff();
            let mut mask = vec![0.0; ROWS * COLUMNS];
            for (row, &length) in lengths.iter().enumerate() {
                mask[row * COLUMNS..row * COLUMNS + length].fill(1.0);
            }
            let padding = |garbage: f64| -> Matrix {
                a.iter().zip(&mask).map(|(&a, &kept)| if kept == 1.0 { a } else { garbage }).collect()
            };
            let run = |values: &[f64]| {
                let leaf = to_tensor(values, [ROWS, COLUMNS], &device).require_grad();
                let mask = to_tensor(&mask, [ROWS, COLUMNS], &device);
                // A network between the data and the log-density, so that a NaN could travel.
                let objective = ArmNll.objective(leaf.clone().mul_scalar(0.5), Some(mask));
                let gradients = objective.mean_batch().backward();
                (to_host(objective.loss), to_host(leaf.grad(&gradients).unwrap()))
            };
            let (loss, gradient) = run(&padding(0.0));
            for (row, loss) in loss.iter().enumerate() {
                let expected: f64 = a[row * COLUMNS..row * COLUMNS + lengths[row]].iter().map(|a| -0.5 * a).sum();
                prop_assert!((loss - expected).abs() < 1e-4, "{loss} {expected}");
            }
            for (gradient, &kept) in gradient.iter().zip(&mask) {
                let expected = if kept == 1.0 { -0.5 / ROWS as f64 } else { 0.0 };
                prop_assert!((gradient - expected).abs() < 1e-7, "{gradient} {expected}");
            }
            for garbage in [1e30, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let (other_loss, other_gradient) = run(&padding(garbage));
                prop_assert_eq!(&loss, &other_loss);
                prop_assert_eq!(&gradient, &other_gradient);
            }
        }
    }
}
