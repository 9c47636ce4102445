//! Multinomial logistic regression: what is linear in features.

use super::error::{EstimateError, check_length, check_number, check_some};
use crate::host;
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, LBFGSConfig, LineSearchFn};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

/// What features are divided by before a penalty weighs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Each by its own standard deviation: all count as much, those that hardly vary too.
    Each,
    /// All by the root of their mean variance: what varies more counts more, as in principal components.
    Together,
}

/// p(label | x) ∝ exp(W x̃ + b) of centred and scaled features x̃, fitted to 1/n Σ −log p(labelᵢ | xᵢ) + λ/2 ‖W‖²: with [`Scaling::Each`] scikit-learn's
/// `LogisticRegression(C = 1 / (n λ))` after its `StandardScaler`.
#[derive(Clone, Debug)]
pub struct SoftmaxRegression {
    /// `[1, width]` each: what features are standardised by.
    mean: Tensor<2>,
    std: Tensor<2>,
    /// `[width + 1, classes]`, the last row b.
    weights: Tensor<2>,
}

/// What is fitted, as Burn's optimisers take it.
#[derive(Module, Debug)]
struct Weights {
    all: Param<Tensor<2>>,
}

/// Steps of L-BFGS at the most.
const STEPS: usize = 500;

impl SoftmaxRegression {
    /// From features `[n, width]` and as many labels, numbers below `classes`; `penalty` is λ.
    ///
    /// # Errors
    /// No features, no classes, labels that are not as many or not below, a penalty below 0.
    pub fn fit(
        features: &Tensor<2>,
        labels: &[usize],
        classes: usize,
        penalty: f64,
        scaling: Scaling,
    ) -> Result<Self, EstimateError> {
        SoftmaxFits::new(features, labels, classes, scaling)?.fit(penalty)
    }

    /// log p(label | x) of all labels, `[n, classes]`, in nats.
    pub fn log_probs(&self, features: &Tensor<2>) -> Tensor<2> {
        let x = with_ones((features.clone() - self.mean.clone()) / self.std.clone());
        log_softmax(x.matmul(self.weights.clone()), 1)
    }

    /// The most probable label of each.
    pub fn predict(&self, features: &Tensor<2>) -> Vec<usize> {
        let classes = self.weights.dims()[1].max(1);
        let best = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        host(self.log_probs(features)).chunks(classes).map(best).collect()
    }
}

/// Fits of one [`SoftmaxRegression`] after another to the same examples. Each begins at the one before, from where it is
/// not far, from strong penalties to weak ones; where it converges, it converges to the same minimum.
#[derive(Debug)]
pub struct SoftmaxFits {
    mean: Tensor<2>,
    std: Tensor<2>,
    /// x̃ and a column of ones.
    x: Tensor<2>,
    /// 1 at the label of each example, `[n, classes]`.
    chosen: Tensor<2>,
    weights: Tensor<2>,
}

impl SoftmaxFits {
    /// Of features `[n, width]` and as many labels, numbers below `classes`.
    ///
    /// # Errors
    /// No features, no classes, labels that are not as many or not below.
    pub fn new(
        features: &Tensor<2>,
        labels: &[usize],
        classes: usize,
        scaling: Scaling,
    ) -> Result<Self, EstimateError> {
        let ([n, width], device) = (features.dims(), features.device());
        check_some("features", n)?;
        check_some("classes", classes)?;
        check_length("labels", labels.len(), n)?;
        if let Some((index, &label)) = labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            let (found, expected) = (label as f64, "a number below `classes`");
            return Err(EstimateError::Value { argument: "labels", index, found, expected });
        }
        // Around the first row, so that a constant is exactly one whatever it is.
        let first = features.clone().narrow(0, 0, 1);
        let apart = features.clone() - first.clone();
        let shift = apart.clone().mean_dim(0);
        let variance = (apart - shift.clone()).square().mean_dim(0);
        let mean = first + shift;
        let std = match scaling {
            Scaling::Each => variance.sqrt(),
            Scaling::Together => variance.mean_dim(1).sqrt().expand([1, width]),
        };
        let constant = std.clone().lower_equal_elem(0.0);
        let std = std.mask_fill(constant, 1.0);
        let x = with_ones((features.clone() - mean.clone()) / std.clone());
        let mut chosen = vec![0.0f32; n * classes];
        labels.iter().enumerate().for_each(|(row, label)| chosen[row * classes + label] = 1.0);
        let chosen = Tensor::from_data(TensorData::new(chosen, [n, classes]), &device);
        Ok(Self { mean, std, x, chosen, weights: Tensor::zeros([width + 1, classes], &device) })
    }

    /// With this penalty λ.
    ///
    /// # Errors
    /// A penalty below 0.
    pub fn fit(&mut self, penalty: f64) -> Result<SoftmaxRegression, EstimateError> {
        check_number("penalty", penalty, penalty >= 0.0, "at least 0")?;
        let Self { x, chosen, weights, .. } = &*self;
        let (n, [rows, _], device) = (x.dims()[0], weights.dims(), x.device());
        let transposed = x.clone().transpose();
        // λ for W, nothing for b.
        let penalties =
            Tensor::cat(vec![Tensor::full([rows - 1, 1], penalty, &device), Tensor::zeros([1, 1], &device)], 0);
        // Burn's L-BFGS asks for parameters that could be differentiated; the gradient in closed form takes one pass.
        let start = Weights { all: Param::from_data(weights.to_data(), &device.clone().autodiff()) };
        let mut optimizer = LBFGSConfig::new()
            .with_max_iter(STEPS)
            .with_history_size(10)
            .with_tolerance_grad(1e-6)
            .with_line_search_fn(LineSearchFn::StrongWolfe)
            .init();
        let (found, _) = optimizer.step(1.0, start, |module: Weights| {
            let weights = module.all.val().inner();
            let log_p = log_softmax(x.clone().matmul(weights.clone()), 1);
            let likelihood = host((log_p.clone() * chosen.clone()).sum_dim(1)).iter().sum::<f64>() / n as f64;
            let pull = weights.clone() * penalties.clone();
            let penalty = 0.5 * host(pull.clone() * weights).iter().sum::<f64>();
            let gradient = transposed.clone().matmul(log_p.exp() - chosen.clone()).div_scalar(n as f64) + pull;
            let mut gradients = GradientsParams::new();
            gradients.register(module.all.id, gradient);
            (penalty - likelihood, gradients)
        });
        self.weights = found.all.val().inner();
        Ok(SoftmaxRegression { mean: self.mean.clone(), std: self.std.clone(), weights: self.weights.clone() })
    }
}

fn with_ones(x: Tensor<2>) -> Tensor<2> {
    let [n, _] = x.dims();
    let ones = Tensor::ones([n, 1], &x.device());
    Tensor::cat(vec![x, ones], 1)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::Device;

    /// Rows of three features that do not separate three classes.
    fn example() -> (Tensor<2>, Vec<usize>) {
        let feature = |i: usize, j: usize| {
            let (i, j) = (i as f64, j as f64);
            ((1.7 * i + 0.9 * j).sin() + 0.3 * (i % 3.0) * (1.0 - j)) as f32
        };
        let rows: Vec<f32> = (0..30).flat_map(|i| (0..3).map(move |j| feature(i, j))).collect();
        (
            Tensor::from_data(TensorData::new(rows, [30, 3]), &Device::flex()),
            (0..30).map(|i| (i * i + i / 4) % 3).collect(),
        )
    }

    /// scikit-learn 1.9.1: `StandardScaler`, `LogisticRegression(C = 1 / (30 · 0.05), tol = 1e-12)`; log-probabilities of the first two rows.
    #[test]
    fn it_is_scikit_learns() {
        let (x, labels) = example();
        let model = SoftmaxRegression::fit(&x, &labels, 3, 0.05, Scaling::Each).unwrap();
        let found = host(model.log_probs(&x));
        for (found, expected) in found.iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 5e-4, "{found} {expected}");
        }
        assert_eq!(model.predict(&x).len(), 30);
    }

    /// After fits with other penalties, the same.
    #[test]
    fn where_a_fit_begins_does_not_matter() {
        let (x, labels) = example();
        let mut fits = SoftmaxFits::new(&x, &labels, 3, Scaling::Each).unwrap();
        for penalty in [1.0, 0.2, 0.001] {
            fits.fit(penalty).unwrap();
        }
        let found = host(fits.fit(0.05).unwrap().log_probs(&x));
        assert!(found.iter().zip(EXPECTED).all(|(found, expected)| (found - expected).abs() < 5e-4), "{found:?}");
    }

    const EXPECTED: [f64; 6] = [
        -0.532_118_444_435,
        -1.677_660_497_278,
        -1.487_972_206_122,
        -0.720_261_367_844,
        -1.818_553_944_072,
        -1.046_642_242_586,
    ];

    /// A column of the same number is none, whatever its mean is in 32 bits: a test row that differs there is predicted alike.
    #[test]
    fn constants_count_for_nothing() {
        let (x, labels) = example();
        let constant = Tensor::full([30, 1], -0.866_666_7, &Device::flex());
        let odd = Tensor::full([30, 1], 0.5, &Device::flex());
        let with = |column: Tensor<2>| Tensor::cat(vec![x.clone(), column], 1);
        let model = SoftmaxRegression::fit(&with(constant.clone()), &labels, 3, 0.05, Scaling::Each).unwrap();
        let [a, b] = [constant, odd].map(|column| host(model.log_probs(&with(column))));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.5), "{a:?} {b:?}");
    }

    /// Where all vary as much, both scalings are the same.
    #[test]
    fn scaled_together_a_feature_counts_as_it_varies() {
        let (x, labels) = example();
        let fitted =
            |x: &Tensor<2>, scaling| host(SoftmaxRegression::fit(x, &labels, 3, 0.05, scaling).unwrap().log_probs(x));
        let standard = {
            let centred = x.clone() - x.clone().mean_dim(0);
            centred.clone() / centred.square().mean_dim(0).sqrt()
        };
        let [each, together] = [Scaling::Each, Scaling::Together].map(|scaling| fitted(&standard, scaling));
        assert!(each.iter().zip(&together).all(|(a, b)| (a - b).abs() < 1e-4));
        let small = Tensor::<2>::from_floats([[0.1, 1.0, 1.0]], &Device::flex());
        let [each, together] =
            [Scaling::Each, Scaling::Together].map(|scaling| fitted(&(x.clone() * small.clone()), scaling));
        assert!(each.iter().zip(&together).any(|(a, b)| (a - b).abs() > 1e-2));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let (x, labels) = example();
        let message = |labels: &[usize], classes, penalty| {
            SoftmaxRegression::fit(&x, labels, classes, penalty, Scaling::Each).unwrap_err().to_string()
        };
        assert_eq!(message(&labels[1..], 3, 0.0), "`labels` has shape [29], expected [30]");
        assert_eq!(message(&labels, 2, 0.0), "`labels` holds 2 at index 4, expected a number below `classes`");
        assert_eq!(message(&labels, 3, -1.0), "`penalty` is -1, expected at least 0");
    }
}
