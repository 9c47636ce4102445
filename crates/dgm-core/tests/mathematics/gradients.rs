//! Gradients against finite differences in f64.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::formulas::*;
use crate::common::*;
use burn::tensor::{Int, Tensor};
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, Normal};
use dgm_core::divergence::kl;
use dgm_core::estimate::log_mean_exp;
use dgm_core::objective::Elbo;

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
