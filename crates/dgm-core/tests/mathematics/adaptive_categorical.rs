//! The adaptive softmax against its own whole table; `objectives.rs` has its literals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{places, to_host, tolerance};
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::density::{AdaptiveCategorical, AdaptiveTail, Categorical, OutOfSupport, Support};
use dgm_core::random::Seed;

const HIDDEN: usize = 8;

/// The tensors of a density over `frequent` and then clusters of (dimensions, size): hidden, head, then pairs.
fn leaves(rows: usize, frequent: usize, clusters: &[(usize, usize)], scale: f32, device: &Device) -> Vec<Tensor<2>> {
    let mut shapes = vec![[rows, HIDDEN], [HIDDEN, frequent + clusters.len()]];
    shapes.extend(clusters.iter().flat_map(|&(inner, size)| [[HIDDEN, inner], [inner, size]]));
    let leaf = |(i, shape): (usize, [usize; 2])| {
        let values = Seed(9).stream("weights", i as u64).normals(shape[0] * shape[1]);
        let values: Vec<f32> = values.into_iter().map(|value| value * scale).collect();
        let leaf = Tensor::from_data(TensorData::new(values, shape), device);
        if device.is_autodiff() { leaf.require_grad() } else { leaf }
    };
    shapes.into_iter().enumerate().map(leaf).collect()
}

fn density(leaves: &[Tensor<2>]) -> AdaptiveCategorical {
    let tails = leaves[2..].chunks(2).map(|pair| AdaptiveTail { projection: pair[0].clone(), weight: pair[1].clone() });
    AdaptiveCategorical::new(leaves[0].clone(), leaves[1].clone(), tails.collect())
}

fn classes(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(values, device)
}

#[test]
fn probabilities_add_up_to_one_over_the_vocabulary() {
    for place in places() {
        // The second: no frequent class at all. The third: no cluster. The last two: flat, and nearly certain.
        for (frequent, clusters, scale) in [
            (20, &[(4, 80), (2, 400)][..], 1.0),
            (0, &[(3, 5), (1, 1)], 1.0),
            (7, &[], 1.0),
            (20, &[(4, 80), (2, 400)], 1e-3),
            (20, &[(4, 80), (2, 400)], 10.0),
        ] {
            let leaves = leaves(16, frequent, clusters, scale, &place.device);
            let density = density(&leaves);
            let all = frequent + clusters.iter().map(|(_, size)| size).sum::<usize>();
            assert_eq!(density.classes(), all);
            let log_probs = density.log_probs();
            assert_eq!(log_probs.dims(), [16, all]);
            for row in to_host(log_probs).chunks(all) {
                assert!(row.iter().all(|log_p| log_p.is_finite() && *log_p <= 0.0));
                let total: f64 = row.iter().map(|log_p| log_p.exp()).sum();
                // A sum of exponentials over each cluster, and a dozen operations.
                assert!((total - 1.0).abs() <= tolerance(all + 12, 1.0), "{total} on {}", place.name);
            }
        }
    }
}

#[test]
fn log_prob_is_the_tables_entry_in_value_and_gradient() {
    let clusters = [(4, 10), (2, 5), (1, 30)];
    // All of the head and each cluster's first and last; then a batch without the middle cluster, then the head alone.
    let batches: [&[i32]; 3] = [&[0, 50, 6, 5, 15, 16, 20, 21, 3, 50, 0, 17], &[1, 30, 6, 2], &[0, 5, 4]];
    for place in places() {
        for device in [place.device.clone().autodiff(), place.device.clone().autodiff().gradient_checkpointing()] {
            for batch in batches {
                let run = |table: bool| {
                    let leaves = leaves(batch.len(), 6, &clusters, 0.7, &device);
                    let density = density(&leaves);
                    assert_eq!(density.cutoffs(), [6, 16, 21, 51]);
                    let class = classes(batch, &device);
                    let log_prob = if table {
                        density.log_probs().gather(1, class.unsqueeze_dim(1)).squeeze_dim(1)
                    } else {
                        density.log_prob(class).unwrap()
                    };
                    let weights = Tensor::<1, Int>::arange(1..batch.len() as i64 + 1, &device).float();
                    let gradients = (log_prob.clone() * weights).sum().backward();
                    // A cluster that no row needed has no gradient at all; through the table it has one of zeros.
                    let slopes = leaves.iter().map(|leaf| {
                        leaf.grad(&gradients).map(to_host).unwrap_or(vec![0.0; leaf.dims().iter().product()])
                    });
                    (to_host(log_prob), slopes.collect::<Vec<_>>())
                };
                let ((found, slopes), (expected, expected_slopes)) = (run(false), run(true));
                let close = |found: &[f64], expected: &[f64], what: &str| {
                    assert_eq!(found.len(), expected.len());
                    let largest = expected.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
                    for (found, expected) in found.iter().zip(expected) {
                        // Products over the hidden numbers and a cluster's, sums over its classes (the largest has 30) or
                        // the batch, and a dozen operations.
                        let allowed = tolerance(HIDDEN + 4 + 30 + 12, largest);
                        assert!((found - expected).abs() < allowed, "{what} on {}: {found} {expected}", place.name);
                    }
                };
                close(&found, &expected, "value");
                for (found, expected) in slopes.iter().zip(&expected_slopes) {
                    close(found, expected, "gradient");
                }
            }
        }
    }
}

#[test]
fn without_clusters_it_is_the_categorical() {
    for place in places() {
        let leaves = leaves(4, 9, &[], 1.0, &place.device);
        let class = || classes(&[8, 0, 3, 3], &place.device);
        let plain = Categorical::from_logits(leaves[0].clone().matmul(leaves[1].clone())).log_prob(class());
        assert_eq!(to_host(density(&leaves).log_prob(class()).unwrap()), to_host(plain));
    }
}

#[test]
fn a_class_out_of_range_is_an_error_that_names_it() {
    for place in places() {
        let density = density(&leaves(3, 4, &[(2, 6)], 1.0, &place.device));
        for (batch, row) in [([0, 10, 2], 1), ([9, 3, -1], 2)] {
            let error = density.log_prob(classes(&batch, &place.device)).unwrap_err();
            assert_eq!(error, OutOfSupport { index: row, value: batch[row].into(), support: Support::Levels(10) });
            let message = error.to_string();
            assert!(message.contains(&format!("number {row} is {}", batch[row])), "{message}");
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn wrong_shapes_are_named() {
    let message = |hidden: [usize; 2], head: [usize; 2], projection: [usize; 2], weight: [usize; 2], rows: usize| {
        let device = Device::flex();
        let zeros = |shape| Tensor::<2>::zeros(shape, &device);
        let run = || {
            let tails = vec![AdaptiveTail { projection: zeros(projection), weight: zeros(weight) }];
            let density = AdaptiveCategorical::new(zeros(hidden), zeros(head), tails);
            density.log_prob(classes(&vec![0; rows], &device))
        };
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("a panic");
        panicked.downcast_ref::<String>().expect("a formatted message").clone()
    };
    for (message, parts) in [
        (message([2, 8], [7, 4], [8, 2], [2, 5], 2), ["hidden", "[2, 8]", "head", "[7, 4]"]),
        (message([2, 8], [8, 4], [7, 2], [2, 5], 2), ["hidden", "[2, 8]", "projection", "[7, 2]"]),
        (message([2, 8], [8, 4], [8, 2], [3, 5], 2), ["projection", "[8, 2]", "weight", "[3, 5]"]),
        (message([2, 8], [8, 4], [8, 2], [2, 5], 3), ["hidden", "[2, 8]", "class", "[3]"]),
    ] {
        for part in parts.into_iter().chain(["AdaptiveCategorical"]) {
            assert!(message.contains(part), "{message:?} does not say {part}");
        }
    }
}
