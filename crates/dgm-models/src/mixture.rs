//! A density without the label from one given the label: p(x) = Σ_y p(y) p(x | y), and the classifier that comes with it.

use crate::data::Batch;
use crate::traits::Density;
use burn::tensor::{Int, Tensor};
use dgm_core::estimate::log_sum_exp;
use dgm_core::random::Stream;

/// log p(y) from how often each label occurs: log ((n_y + 1) / (n + K)), in nats.
///
/// One is added to each count (Laplace's rule of succession; Bishop 2006, "Pattern recognition and machine learning",
/// section 2.2), so that no label is impossible and every x keeps a finite log-probability.
pub fn log_prior(counts: &[usize]) -> Vec<f64> {
    let total = counts.iter().map(|&count| count as f64 + 1.0).sum::<f64>();
    counts.iter().map(|&count| ((count as f64 + 1.0) / total).ln()).collect()
}

/// log p(x, y | c) = log p(y) + log p(x | y, c) of every label, `[batch, labels]`, in nats.
///
/// The model's condition is the label in one-hot form followed by what else there is; `batch.condition` is that rest alone,
/// `[batch, rest]`, or `None`. One label after the other is scored, so memory is that of one batch whatever the number of
/// labels. For a density that is not exact these are one-sample estimates of bounds, as its
/// [`log_prob`](Density::log_prob) is.
///
/// # Panics
/// When there is no label: `log_prior` is empty.
pub fn log_joint(density: &dyn Density, log_prior: &[f64], batch: &Batch, rng: &mut Stream) -> Tensor<2> {
    let (rows, labels) = (batch.len(), log_prior.len());
    assert!(labels > 0, "log_joint: `log_prior` has shape [0], expected [labels] with one label at least");
    let columns = log_prior.iter().enumerate().map(|(label, &log_p)| {
        let label = Tensor::<1, Int>::full([rows], label as i64, &batch.target.device());
        let one_hot = label.one_hot::<2>(labels).float();
        let condition = match &batch.condition {
            Some(rest) => Tensor::cat(vec![one_hot, rest.clone()], 1),
            None => one_hot,
        };
        let given = Batch { condition: Some(condition), ..batch.clone() };
        density.log_prob(&given, rng).add_scalar(log_p).unsqueeze_dim(1)
    });
    Tensor::cat(columns.collect(), 1)
}

/// log p(x | c) = log Σ_y p(x, y | c), shifted by the maximum: [`log_joint`] `[batch, labels]` → `[batch]`, in nats.
///
/// Exact where the density given the label is; of bounds it is a bound.
pub fn log_marginal(log_joint: Tensor<2>) -> Tensor<1> {
    log_sum_exp(log_joint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::{ConditionSpec, DataSpec, Scale, Values};
    use crate::registry::{AnyModel, ModelConfig};
    use crate::testing::rounding::{rounding, tolerance};
    use crate::traits::{Estimator, Model};
    use burn::tensor::{Device, TensorData};
    use dgm_core::host;
    use dgm_core::random::Seed;

    /// log p(x | y) that everybody can compute: −(y + 1) x₀, plus the augmentation.
    struct ByHand;

    impl Density for ByHand {
        fn estimator(&self) -> Estimator {
            Estimator::Exact
        }

        fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
            let condition = batch.condition.clone().unwrap();
            let [rows, width] = condition.dims();
            let factors = Tensor::<2>::from_floats([[-1.0, -2.0, -3.0, 10.0]], &condition.device());
            let factors = factors.slice([0..1, 0..width]);
            let [label, augmentation] = [0..3, 3..width].map(|columns| {
                let part = condition.clone().slice([0..rows, columns.clone()]);
                if columns.is_empty() {
                    return Tensor::zeros([rows], &condition.device());
                }
                (part * factors.clone().slice([0..1, columns])).sum_dim(1).squeeze_dim::<1>(1)
            });
            label * batch.target.clone().slice([0..rows, 0..1]).squeeze_dim::<1>(1) + augmentation
        }
    }

    #[test]
    fn the_mixture_of_three_labels_by_hand() {
        let x = Tensor::<2>::from_floats([[0.0], [0.5], [2000.0]], &Device::flex());
        let prior = [0.5f64, 0.3, 0.2];
        let log_prior = prior.map(f64::ln);
        let mut noise = Seed(0).stream("noise", 0);
        let joint = log_joint(&ByHand, &log_prior, &Batch::new(x.clone()), &mut noise);
        assert_eq!(joint.dims(), [3, 3]);
        let expected = [0.0, 0.5, 2000.0].map(|x: f64| [0, 1, 2].map(|y| log_prior[y] - (y as f64 + 1.0) * x));
        for (found, expected) in host(joint.clone()).into_iter().zip(expected.iter().flatten()) {
            // A logarithm, a product and a sum of numbers of one sign.
            assert!((found - expected).abs() <= tolerance(3, *expected), "{found} {expected}");
        }
        // Far below the smallest f32 nothing underflows: the sum is that of its largest term.
        let marginal = host(log_marginal(joint));
        let at_half: f64 = prior.iter().zip([1.0, 2.0, 3.0]).map(|(p, factor)| p * (-factor * 0.5f64).exp()).sum();
        for (found, expected) in marginal.iter().zip([0.0, at_half.ln(), 0.5f64.ln() - 2000.0]) {
            // Those three, and then a shift, three exponentials, their sum and its logarithm.
            assert!((found - expected).abs() <= tolerance(12, expected.abs().max(1.0)), "{found} {expected}");
        }
        // What follows the label stays where it is.
        let given = Some(Tensor::from_floats([[1.0], [0.0], [0.0]], &Device::flex()));
        let given = Batch { condition: given, ..Batch::new(x) };
        let given = host(log_marginal(log_joint(&ByHand, &log_prior, &given, &mut noise)));
        assert!(
            (given[0] - 10.0).abs() <= tolerance(12, 10.0) && given[1..] == marginal[1..],
            "{given:?} {marginal:?}"
        );
    }

    #[test]
    fn the_prior_counts_every_label_once_more() {
        let found = log_prior(&[0, 1, 6]);
        let expected = [0.1f64, 0.2, 0.7].map(f64::ln);
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15), "{found:?}");
    }

    #[test]
    #[should_panic(expected = "log_joint: `log_prior` has shape [0]")]
    fn no_label_is_no_mixture() {
        let batch = Batch::new(Tensor::zeros([1, 1], &Device::flex()));
        log_joint(&ByHand, &[], &batch, &mut Seed(0).stream("noise", 0));
    }

    #[test]
    fn the_mixture_over_labels_sums_to_one() {
        // Every image of four pixels of three levels, without and with an augmentation as input.
        for augmentation in [0, 2] {
            let condition =
                ConditionSpec { scale: Scale::identity(3 + augmentation), classes: Some(3), augmentation, shape: None };
            let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(3), condition: Some(condition) };
            let config = serde_json::json!({ "kind": "pixel_cnn", "channels": 8, "layers": 2 });
            let config: ModelConfig = serde_json::from_value(config).unwrap();
            let model = config.init(&spec, &mut Seed(6).stream("weights", 0), &Device::flex()).unwrap();
            let all: Vec<f32> = (0..81).flat_map(|i| [1, 3, 9, 27].map(|power| (i / power % 3) as f32)).collect();
            let batch = Batch {
                condition: (augmentation > 0).then(|| Tensor::zeros([81, augmentation], &Device::flex())),
                ..Batch::new(Tensor::from_data(TensorData::new(all, [81, 4]), &Device::flex()))
            };
            let prior = log_prior(&[5, 0, 2]);
            let joint =
                |model: &AnyModel| log_joint(model.density().unwrap(), &prior, &batch, &mut Seed(0).stream("noise", 0));
            let probabilities = |joint: Tensor<2>| host(joint).into_iter().map(f64::exp).collect::<Vec<_>>();
            // Conditionals of targets that begin alike are computed in sums of other groups, of 6 places of 8 channels and
            // more; each is normalised to its levels and a dozen operations.
            let allowed: f64 = rounding(64, |moves| probabilities(joint(&moves.weights(&model)))).into_iter().sum();
            let allowed = allowed + tolerance(4 * (3 + 12), 1.0);
            let joint = joint(&model);
            let total: f64 = host(log_marginal(joint.clone())).into_iter().map(f64::exp).sum();
            assert!((total - 1.0).abs() <= allowed, "Σ p = {total} ± {allowed:e}");
            // And Σ_x p(x, y) is p(y).
            let sums = host(joint).into_iter().enumerate().fold([0.0; 3], |mut sums, (i, log_p)| {
                sums[i % 3] += log_p.exp();
                sums
            });
            assert!(sums.iter().zip(&prior).all(|(sum, log_p)| (sum - log_p.exp()).abs() <= allowed), "{sums:?}");
        }
    }
}
