//! Laws that hold for any input.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::formulas::softmax;
use crate::common::*;
use burn::tensor::{Device, Tensor};
use dgm_core::density::{Bernoulli, Laplace, Normal};
use dgm_core::divergence::{jensen_shannon, kl};
use dgm_core::estimate::log_mean_exp;
use dgm_core::objective::{Elbo, FreeBits, Iwae, Nll};
use dgm_core::random::Seed;
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
    fn jensen_shannon_is_symmetric_between_0_and_log_2(a in logits(), b in logits()) {
        let both = |a: &[f64], b: &[f64]| {
            let (a, b) = (tensor(a), tensor(b));
            let coins = to_host(jensen_shannon::bernoulli(a.clone(), b.clone()));
            [coins, to_host(jensen_shannon::categorical(a, b))].concat()
        };
        for (one, other) in both(&a, &b).into_iter().zip(both(&b, &a)) {
            prop_assert!((0.0..=std::f64::consts::LN_2 + tolerance(COLUMNS + 4, 1.0)).contains(&one), "{one}");
            prop_assert!((one - other).abs() <= 1e-6 * (1e-3 + one), "{one} {other}");
        }
        for value in both(&a, &a) {
            prop_assert_eq!(value, 0.0);
        }
    }

    #[test]
    fn laplace_divergence_is_never_negative(a in logits(), b in logits(), c in logits(), d in logits()) {
        let log_scale = |values: &[f64]| tensor(values).clamp(-15.0, 15.0);
        let (q, p) = (Laplace::new(tensor(&a), log_scale(&c)), Laplace::new(tensor(&b), log_scale(&d)));
        for value in to_host(kl::laplace_laplace(&q, &p)) {
            prop_assert!(value >= 0.0 && value.is_finite(), "{value}");
        }
        for value in to_host(kl::laplace_laplace(&q, &q)) {
            prop_assert_eq!(value, 0.0);
        }
    }

    #[test]
    fn the_bound_never_falls_with_more_samples(values in proptest::collection::vec(-60.0..60.0f64, 2 * 64)) {
        // Jensen: the mean over blocks of the bound from each block, for blocks of 1 (the ELBO), 8 and 64 log-weights.
        let device = Device::flex();
        let bound = |k: usize| {
            let blocks = to_tensor(&values, [2 * 64 / k, k], &device);
            let losses = to_host(Iwae.objective(blocks).loss);
            losses.chunks_exact(64 / k).map(|losses| -losses.iter().sum::<f64>() / losses.len() as f64).collect::<Vec<_>>()
        };
        let (one, eight, all) = (bound(1), bound(8), bound(64));
        let allowed = tolerance(64 + 8, 60.0);
        for i in 0..2 {
            prop_assert!(one[i] <= eight[i] + allowed && eight[i] <= all[i] + allowed, "{} {} {}", one[i], eight[i], all[i]);
        }
    }

    #[test]
    fn free_bits_are_a_floor(a in logits(), nats in 0.0..5.0f64) {
        let kl = tensor(&a).abs();
        let floored: f64 = to_host(FreeBits { nats, group: 1 }.floor(kl.clone())).iter().sum::<f64>() / ROWS as f64;
        let means = to_host(kl.mean_dim(0));
        let expected: f64 = means.iter().map(|mean| mean.max(nats)).sum();
        prop_assert!((floored - expected).abs() <= tolerance(ROWS + COLUMNS + 4, 1.0 + expected), "{floored} {expected}");
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
                Nll.objective(log_prob.clone(), None).loss,
                Nll.objective(log_prob, Some(mask)).loss,
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
            let objective = Nll.objective(leaf.clone().mul_scalar(0.5), Some(mask));
            let gradients = objective.mean_batch().backward();
            (to_host(objective.loss), to_host(leaf.grad(&gradients).unwrap()))
        };
        let (loss, gradient) = run(&padding(0.0));
        for (row, loss) in loss.iter().enumerate() {
            let scored = &a[row * COLUMNS..row * COLUMNS + lengths[row]];
            let expected: f64 = scored.iter().map(|a| -0.5 * a).sum();
            let allowed = tolerance(COLUMNS, scored.iter().map(|a| a.abs()).sum());
            prop_assert!((loss - expected).abs() <= allowed, "{loss} {expected}");
        }
        for (gradient, &kept) in gradient.iter().zip(&mask) {
            let expected = if kept == 1.0 { -0.5 / ROWS as f64 } else { 0.0 };
            prop_assert!((gradient - expected).abs() <= tolerance(4, 1.0 / ROWS as f64), "{gradient} {expected}");
        }
        for garbage in [1e30, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (other_loss, other_gradient) = run(&padding(garbage));
            prop_assert_eq!(&loss, &other_loss);
            prop_assert_eq!(&gradient, &other_gradient);
        }
    }
}
