//! Laws of the objectives that hold for any input: permuted batches, padding, bounds.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::tolerance;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::density::Categorical;
use dgm_core::host;
use dgm_core::objective::{Focal, Hinge, InfoNce, LabelSmoothing, Nll, NonSaturating, NtXent, class_weights};
use dgm_core::random::Seed;
use proptest::prelude::*;

const ROWS: usize = 6;
const COLUMNS: usize = 5;

fn to_tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn classes(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(values.as_slice(), device)
}

fn logits() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![-5.0..5.0f64, -100.0..100.0f64, -1e4..1e4f64, Just(0.0)];
    proptest::collection::vec(value.prop_map(|value| f64::from(value as f32)), ROWS * COLUMNS)
}

fn labels() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..COLUMNS, ROWS)
}

fn permuted<T: Copy>(values: &[T], order: &[usize]) -> Vec<T> {
    let width = values.len() / order.len();
    order.iter().flat_map(|&row| values[row * width..(row + 1) * width].iter().copied()).collect()
}

proptest! {
    #[test]
    fn permuting_a_batch_permutes_its_losses(a in logits(), b in logits(), y in labels(), seed in any::<u64>()) {
        let device = Device::flex();
        let order: Vec<usize> = Seed(seed).stream("order", 0).permutation(ROWS);
        let losses = |a: &[f64], b: &[f64], y: &[usize]| {
            let matrix = |values: &[f64]| to_tensor(values, [ROWS, COLUMNS], &device);
            let column = |values: &[f64]| matrix(values).narrow(1, 0, 1).squeeze_dim::<1>(1);
            let class = || classes(y, &device);
            let weights = class_weights(to_tensor(&[0.5, 1.0, 1.5, 2.0, 4.0], [COLUMNS], &device), class());
            let mask = matrix(b).greater_elem(0.0).float();
            [
                LabelSmoothing { epsilon: 0.1 }.objective(matrix(a), class()).loss,
                Focal { gamma: 2.0 }.objective(matrix(a), class()).weight_examples(weights).loss,
                Nll.per_token(matrix(a), Some(mask)).loss,
                NonSaturating.discriminator(column(a), column(b)).loss,
                Hinge.discriminator(column(a), column(b)).loss,
            ]
            .map(host)
        };
        let straight = losses(&a, &b, &y);
        let mixed = losses(&permuted(&a, &order), &permuted(&b, &order), &permuted(&y, &order));
        for (straight, mixed) in straight.iter().zip(&mixed) {
            prop_assert_eq!(&permuted(straight, &order), mixed);
        }
        // These look at the other rows too, whose sums are then taken in another order.
        let contrastive = |a: &[f64], b: &[f64]| {
            let unit = |values: &[f64]| to_tensor(values, [ROWS, COLUMNS], &device).div_scalar(50.0);
            let scores = unit(a).matmul(unit(b).transpose());
            let nt_xent = NtXent { temperature: 0.5 }.objective(unit(a), unit(b)).loss;
            [InfoNce.objective(scores).loss, nt_xent].map(host)
        };
        let (straight, mixed) = (contrastive(&a, &b), contrastive(&permuted(&a, &order), &permuted(&b, &order)));
        // Scores are sums of products of this size at the most, and cosines over the temperature of 2. Losses are sums of their
        // exponentials over the rows (of both views), and a dozen operations more.
        let unit = |values: &[f64]| to_tensor(values, [ROWS, COLUMNS], &device).div_scalar(50.0).abs();
        let largest = host(unit(&a).matmul(unit(&b).transpose())).into_iter().fold(1.0, f64::max);
        for ((straight, mixed), size) in straight.iter().zip(&mixed).zip([largest, 2.0]) {
            for (straight, mixed) in permuted(straight, &order).iter().zip(mixed) {
                let allowed = tolerance(2 * COLUMNS + 2 * ROWS + 12, size + straight.abs());
                prop_assert!((straight - mixed).abs() <= allowed, "{straight} {mixed}, allowed {allowed:e}");
            }
        }
    }

    #[test]
    fn padding_changes_no_token_mean(
        values in proptest::collection::vec(-64..64i32, ROWS * COLUMNS),
        garbage in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e30), Just(0.0)],
        longer in 0..4usize,
    ) {
        // Eighths, so that no order of summation rounds.
        let values: Vec<f64> = values.into_iter().map(|value| f64::from(value) / 8.0).collect();
        let device = Device::flex().autodiff();
        let width = COLUMNS + longer;
        let run = |values: &[f64], mask: Option<&[f64]>, width: usize| {
            let leaf = to_tensor(values, [ROWS, width], &device).require_grad();
            let mask = mask.map(|mask| to_tensor(mask, [ROWS, width], &device));
            let objective = Nll.per_token(leaf.clone().mul_scalar(0.5), mask);
            let gradients = objective.mean_batch().backward();
            (host(objective.loss), host(leaf.grad(&gradients).unwrap()))
        };
        let pad = |row: &[f64], with: f64| -> Vec<f64> {
            row.iter().copied().chain(std::iter::repeat_n(with, longer)).collect()
        };
        let padded: Vec<f64> = values.chunks(COLUMNS).flat_map(|row| pad(row, garbage)).collect();
        let mask: Vec<f64> = (0..ROWS).flat_map(|_| pad(&[1.0; COLUMNS], 0.0)).collect();
        let (loss, gradient) = run(&padded, Some(&mask), width);
        let (bare_loss, bare_gradient) = run(&values, Some(&[1.0; ROWS * COLUMNS]), COLUMNS);
        prop_assert_eq!(loss, bare_loss);
        let expected: Vec<f64> = bare_gradient.chunks(COLUMNS).flat_map(|row| pad(row, 0.0)).collect();
        prop_assert_eq!(gradient, expected);
    }

    #[test]
    fn info_nce_is_not_negative_and_its_bound_at_most_log_n(a in logits()) {
        let scores = to_tensor(&a[..COLUMNS * COLUMNS], [COLUMNS, COLUMNS], &Device::flex());
        let loss = InfoNce.objective(scores).loss;
        let bound = host(InfoNce.mutual_information_bound(loss.clone()));
        prop_assert!(host(loss).into_iter().all(|loss| loss >= 0.0));
        prop_assert!(bound.into_iter().all(|bound| bound <= f64::from((COLUMNS as f32).ln())));
    }

    #[test]
    fn label_smoothing_and_focal_lie_where_they_must(a in logits(), y in labels(), epsilon in 0.0..1.0f64) {
        let device = Device::flex();
        let logits = || to_tensor(&a, [ROWS, COLUMNS], &device);
        let nll = host(Categorical::from_logits(logits()).log_prob(classes(&y, &device)).neg());
        let none = LabelSmoothing { epsilon: 0.0 }.objective(logits(), classes(&y, &device));
        prop_assert_eq!(&host(none.loss), &nll);
        // A cross-entropy is at least the entropy of its label.
        let mixed: Vec<f64> = (0..COLUMNS)
            .map(|k| epsilon / COLUMNS as f64 + if k == 0 { 1.0 - epsilon } else { 0.0 })
            .collect();
        let entropy: f64 = mixed.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
        for loss in host(LabelSmoothing { epsilon }.objective(logits(), classes(&y, &device)).loss) {
            prop_assert!(loss >= entropy - tolerance(2 * COLUMNS + 12, 1.0 + entropy), "{loss} {entropy}");
        }
        // 0 ≤ (1 − p)^γ ≤ 1.
        let focal = host(Focal { gamma: 2.0 }.objective(logits(), classes(&y, &device)).loss);
        for (focal, nll) in focal.iter().zip(&nll) {
            prop_assert!((0.0..=nll + tolerance(8, 1.0 + nll)).contains(focal), "{focal} {nll}");
        }
    }
}
