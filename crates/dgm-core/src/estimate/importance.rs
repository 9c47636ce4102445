//! Marginal likelihoods by importance sampling: log (1/k Σᵢ wᵢ) from log-weights, and what is known of its error.

use super::EstimateError;
use super::error::check_some;
use crate::special::shifted_exp;
use burn::tensor::Tensor;

/// log (1/k Σᵢ exp aᵢ) along the columns, shifted by the maximum: `[n, k]` → `[n]`.
///
/// Of log-weights log p(x, zᵢ) − log q(zᵢ | x) it is the importance-weighted bound of log p(x)
/// (Burda, Grosse and Salakhutdinov 2016, eq. 8).
pub fn log_mean_exp(a: Tensor<2>) -> Tensor<1> {
    // The mean before the logarithm: of equal numbers it is that number itself.
    let (exp, max) = shifted_exp(a);
    (exp.mean_dim(1).log() + max).squeeze_dim(1)
}

/// log (1/k Σᵢ exp aᵢ), one value at a time: any k in constant memory.
///
/// With w = exp a, it keeps Σw and Σ(w − w̄)² (Welford 1962: nothing cancels), both shifted by the maximum so far.
#[derive(Clone, Copy, Debug)]
pub struct LogMeanExp {
    max: f64,
    /// Σ w / exp(max).
    sum: f64,
    /// Σ (w − w̄)² / exp(2 max).
    squares: f64,
    n: usize,
}

impl Default for LogMeanExp {
    fn default() -> Self {
        Self { max: f64::NEG_INFINITY, sum: 0.0, squares: 0.0, n: 0 }
    }
}

impl LogMeanExp {
    /// Adds one value. A NaN makes every result NaN.
    pub fn push(&mut self, a: f64) {
        if a > self.max {
            let scale = (self.max - a).exp();
            self.sum *= scale;
            self.squares *= scale * scale;
            self.max = a;
        }
        let weight = match a == self.max {
            // Apart because ∞ − ∞ is NaN: exp(−∞) is a weight of 0.
            true if a == f64::NEG_INFINITY => 0.0,
            true => 1.0,
            false => (a - self.max).exp(),
        };
        let before = if self.n == 0 { weight } else { weight - self.sum / self.n as f64 };
        self.n += 1;
        self.sum += weight;
        if self.n > 1 {
            self.squares += before * (weight - self.sum / self.n as f64);
        }
    }

    /// The value so far; −∞ for none.
    pub fn value(&self) -> f64 {
        if self.n == 0 { f64::NEG_INFINITY } else { self.max + (self.sum / self.n as f64).ln() }
    }

    /// The standard error of [`Self::value`] by the delta method, √(s² / k) / w̄ with the unbiased variance s² of the
    /// weights (Owen 2013, "Monte Carlo theory, methods and examples", chapter 2).
    ///
    /// NaN (unknown) for k < 2 and where every weight is 0. It trusts the weights that were seen: with heavy tails and
    /// a small [effective sample size](Self::effective_sample_size) the true error is larger.
    pub fn standard_error(&self) -> f64 {
        let k = self.n as f64;
        if self.n < 2 { f64::NAN } else { (self.squares * k / (k - 1.0)).sqrt() / self.sum }
    }

    /// (Σ w)² / Σ w², from 1 (one weight holds everything) to k (all are equal); 0 where every weight is 0
    /// (Kong 1992; Owen 2013, chapter 9).
    pub fn effective_sample_size(&self) -> f64 {
        if self.sum == 0.0 {
            return 0.0;
        }
        // Σw² = Σ(w − w̄)² + (Σw)² / k.
        let k = self.n as f64;
        k / (1.0 + k * (self.squares / self.sum) / self.sum)
    }

    /// The number of values so far.
    pub fn n(&self) -> usize {
        self.n
    }
}

/// The importance-weighted bound of one example's log p(x), and how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImportanceWeighted {
    /// log (1/k Σᵢ wᵢ), in nats: a lower bound of log p(x) in expectation.
    pub log_prob: f64,
    /// Its Monte-Carlo standard error given x, in nats, by the delta method ([`LogMeanExp::standard_error`]).
    pub standard_error: f64,
    /// (Σ w)² / Σ w², from 1 to k ([`LogMeanExp::effective_sample_size`]).
    pub effective_sample_size: f64,
    /// The number of samples k.
    pub samples: usize,
}

/// log p(x) ≈ log (1/k Σᵢ p(x, zᵢ) / q(zᵢ | x)) with zᵢ ~ q(z | x): for each example of a batch, from `samples` = k
/// log-weights log p(x, zᵢ) − log q(zᵢ | x), in nats.
///
/// A **lower bound of log p(x) in expectation**, that never loosens as k grows and, where the weights are
/// bounded, reaches log p(x) as k → ∞ (Burda, Grosse and Salakhutdinov 2016, theorem 1): the mean of the weights is unbiased for p(x) and the logarithm is
/// concave. To second order it lies standard_error² / 2 below log p(x). The plain importance-sampling estimator is used
/// for that: its bias has a known sign, so that models compare safely, where a bias-corrected logarithm would bound
/// nothing, and annealed importance sampling would need the model's gradients.
///
/// `log_weights(c)` draws and returns the next c log-weights of every example, `[batch, c]`, with c ≤ `chunk`: memory
/// grows with `chunk`, never with k.
///
/// # Errors
/// If `samples` or `chunk` is 0, or a returned shape is not `[batch, c]` with the batch of the first call.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dgm_core::{estimate::importance_weighted, random::Seed};
///
/// // z ~ N(0, 1), x | z ~ N(z, 1), so x ~ N(0, 2); the prior proposes, so a weight is p(x | z), here at x = 0.
/// let mut noise = Seed(0).stream("importance", 0);
/// let log_weights = |c| {
///     let z = noise.normal_tensor([1, c], &Device::flex());
///     z.square().add_scalar((2.0 * std::f64::consts::PI).ln()).mul_scalar(-0.5)
/// };
/// let estimates = importance_weighted(5000, 512, log_weights)?;
/// let exact = -0.5 * (4.0 * std::f64::consts::PI).ln();
/// assert!((estimates[0].log_prob - exact).abs() < 4.0 * estimates[0].standard_error);
/// # Ok::<(), dgm_core::estimate::EstimateError>(())
/// ```
pub fn importance_weighted(
    samples: usize,
    chunk: usize,
    mut log_weights: impl FnMut(usize) -> Tensor<2>,
) -> Result<Vec<ImportanceWeighted>, EstimateError> {
    check_some("samples", samples)?;
    check_some("chunk", chunk)?;
    let mut running: Option<Vec<LogMeanExp>> = None;
    let mut left = samples;
    while left > 0 {
        let c = left.min(chunk);
        let weights = log_weights(c);
        let found = weights.dims();
        let rows = running.get_or_insert_with(|| vec![LogMeanExp::default(); found[0]]);
        if found != [rows.len(), c] {
            let expected = vec![rows.len(), c];
            return Err(EstimateError::Shape { argument: "log_weights", found: found.to_vec(), expected });
        }
        for (index, weight) in weights.into_data().iter::<f64>().enumerate() {
            rows[index / c].push(weight);
        }
        left -= c;
    }
    let estimate = |row: LogMeanExp| ImportanceWeighted {
        log_prob: row.value(),
        standard_error: row.standard_error(),
        effective_sample_size: row.effective_sample_size(),
        samples: row.n(),
    };
    Ok(running.unwrap_or_default().into_iter().map(estimate).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn running(a: &[f64]) -> LogMeanExp {
        let mut running = LogMeanExp::default();
        a.iter().for_each(|&a| running.push(a));
        running
    }

    #[test]
    fn log_mean_exp_does_not_overflow() {
        let value = running(&[-1000.0, 1000.0, 999.0]).value();
        let expected = 1000.0 + ((1.0 + (-1.0f64).exp()) / 3.0).ln();
        assert!((value - expected).abs() < 1e-9);
        assert_eq!(LogMeanExp::default().value(), f64::NEG_INFINITY);
    }

    #[test]
    fn weights_of_zero_count_and_nan_is_never_hidden() {
        let zeros = running(&[f64::NEG_INFINITY; 3]);
        assert_eq!((zeros.value(), zeros.effective_sample_size()), (f64::NEG_INFINITY, 0.0));
        assert!(zeros.standard_error().is_nan());
        // One weight of 1 and three of 0: s² = 1/4, s²/k = 1/16, w̄ = 1/4.
        for a in [[f64::NEG_INFINITY, f64::NEG_INFINITY, 7.0, f64::NEG_INFINITY], [7.0, -900.0, -900.0, -900.0]] {
            let one = running(&a);
            assert!((one.value() - (7.0 - 4f64.ln())).abs() < 1e-12);
            assert!((one.standard_error() - 1.0).abs() < 1e-12, "{}", one.standard_error());
            assert!((one.effective_sample_size() - 1.0).abs() < 1e-12);
        }
        for nan in [running(&[f64::NAN, 0.0, 1.0]), running(&[0.0, 1.0, f64::NAN, 0.0])] {
            assert!(nan.value().is_nan() && nan.standard_error().is_nan() && nan.effective_sample_size().is_nan());
        }
        assert!(running(&[0.0]).standard_error().is_nan());
    }

    #[test]
    fn error_and_effective_sample_size_follow_the_weights() {
        // numpy: w = exp(a); log(w.mean()), w.std(ddof=1) / sqrt(5) / w.mean(), w.sum()**2 / (w**2).sum().
        let a = [-3.0, 0.5, 1.25, -0.75, 2.0];
        for shift in [0.0, 1000.0, -1e6] {
            let shifted = running(&a.map(|a| a + shift));
            assert!((shifted.value() - shift - 0.959_371_213_313_617_4).abs() < 1e-9);
            assert!((shifted.standard_error() / 0.511_613_396_689_138_2 - 1.0).abs() < 1e-9);
            assert!((shifted.effective_sample_size() / 2.442_607_193_741_727_7 - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn nearly_equal_weights_keep_their_small_error() {
        // log-weights ± 1e-9: the relative variance of the weights is 1e-18 · k / (k − 1), below what a difference of
        // sums of squares could show.
        let a: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1e-9 } else { -1e-9 }).collect();
        let expected = 1e-9 / 99f64.sqrt();
        assert!((running(&a).standard_error() / expected - 1.0).abs() < 1e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_effective_sample_size_is_between_one_and_k(a in proptest::collection::vec(-50.0..50.0f64, 1..40)) {
            let k = a.len() as f64;
            let all = running(&a);
            prop_assert!((1.0 - 1e-12..=k * (1.0 + 1e-12)).contains(&all.effective_sample_size()));
            prop_assert!(a.len() < 2 || all.standard_error() >= 0.0);
            // standard_error² = (k / ESS − 1) / (k − 1), for any weights.
            if a.len() > 1 {
                let expected = ((k / all.effective_sample_size() - 1.0).max(0.0) / (k - 1.0)).sqrt();
                prop_assert!((all.standard_error() - expected).abs() < 1e-7);
            }
            let top = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(all.value() <= top + 1e-12 && all.value() >= top - k.ln() - 1e-12);
        }
    }

    #[cfg(feature = "flex")]
    mod on_tensors {
        use super::*;
        use crate::density::Normal;
        use crate::estimate::Mean;
        use crate::random::Seed;
        use crate::testing::tolerance;
        use burn::tensor::Device;

        #[test]
        fn log_mean_exp_of_a_tensor_is_the_running_one() {
            let rows = [[0.5f32, -3.0, 80.0], [-80.0, -81.0, -79.5]];
            let value = log_mean_exp(Tensor::from_floats(rows, &Device::flex()));
            for (value, row) in value.into_data().iter::<f64>().zip(rows) {
                let expected = running(&row.map(f64::from)).value();
                // A shift, three exponentials, their sum, its logarithm and the shift again.
                assert!((value - expected).abs() <= tolerance(3 + 5, expected), "{value} {expected}");
            }
        }

        const X: [f32; 3] = [0.0, -1.0, 2.5];

        /// log N(x; 0, v).
        fn log_normal(x: f32, v: f64) -> f64 {
            -0.5 * ((2.0 * std::f64::consts::PI * v).ln() + f64::from(x).powi(2) / v)
        }

        /// z ~ N(0, 1), x | z ~ N(z, 1): log p(x, z) − log q(z | x) for the proposal q = N(a x, v), `[3, c]`.
        fn log_weights(a: f64, v: f64, seed: u64) -> impl FnMut(usize) -> Tensor<2> {
            let device = Device::flex();
            let mut noise = Seed(seed).stream("importance", 0);
            move |c| {
                let x = Tensor::<1>::from_floats(X, &device).unsqueeze_dim::<2>(1).expand([3, c]);
                let normal = |mean: Tensor<2>, v: f64| Normal::new(mean.clone(), mean.zeros_like().add_scalar(v.ln()));
                let q = normal(x.clone().mul_scalar(a), v);
                let z = q.sample(&mut noise);
                normal(z.zeros_like(), 1.0).log_prob(z.clone()) + normal(z.clone(), 1.0).log_prob(x) - q.log_prob(z)
            }
        }

        #[test]
        fn the_true_posterior_gives_log_p_with_one_sample() {
            // p(z | x) = N(x/2, 1/2): every weight is p(x).
            for k in [1, 200] {
                // Three log-densities of a few nats each, of four operations.
                let allowed = tolerance(12, 12.0);
                let estimates = importance_weighted(k, 64, log_weights(0.5, 0.5, 1)).unwrap();
                for (estimate, x) in estimates.iter().zip(X) {
                    assert!((estimate.log_prob - log_normal(x, 2.0)).abs() <= allowed, "{estimate:?}");
                    assert!((estimate.effective_sample_size - k as f64).abs() <= allowed * k as f64);
                    assert!(k == 1 || estimate.standard_error <= allowed);
                }
            }
        }

        #[test]
        fn the_prior_as_proposal_finds_log_p_with_the_error_it_states() {
            // E[w²] = ∫ N(z; 0, 1) N(x; z, 1)² dz = N(x; 0, 3/2) / (2 √π), as N(x; z, 1)² = N(x; z, 1/2) / (2 √π).
            let k = 40_000;
            let estimates = importance_weighted(k, 1000, log_weights(0.0, 1.0, 2)).unwrap();
            for (estimate, x) in estimates.iter().zip(X) {
                let log_p = log_normal(x, 2.0);
                let ratio = (log_normal(x, 1.5) - 2.0 * log_p).exp() / (2.0 * std::f64::consts::PI.sqrt());
                let standard_error = ((ratio - 1.0) / k as f64).sqrt();
                assert!((estimate.log_prob - log_p).abs() < 4.0 * standard_error, "{estimate:?} {log_p}");
                assert!((estimate.standard_error / standard_error - 1.0).abs() < 0.1, "{estimate:?} {standard_error}");
                assert!((estimate.effective_sample_size * ratio / k as f64 - 1.0).abs() < 0.1, "{estimate:?}");
                assert_eq!(estimate.samples, k);
            }
        }

        /// Mean of `value` over 400 estimates of k samples for the example `row`, with the prior as proposal.
        fn repeated(k: usize, row: usize, value: impl Fn(&ImportanceWeighted) -> f64) -> Mean {
            let once = |seed: u64| value(&importance_weighted(k, 64, log_weights(0.0, 1.0, 100 + seed)).unwrap()[row]);
            Mean::of(&(0..400u64).map(once).collect::<Vec<f64>>())
        }

        #[test]
        fn it_is_a_lower_bound_in_expectation_that_k_tightens() {
            // At x = 2.5, with one sample: E[log p(x | z)] = log N(x; 0, 1) − ½.
            let log_p = log_normal(X[2], 2.0);
            let [one, four, many] = [1, 4, 256].map(|k| repeated(k, 2, |estimate| estimate.log_prob - log_p));
            assert!((one.mean + log_p - (log_normal(X[2], 1.0) - 0.5)).abs() < 4.0 * one.standard_error, "{one:?}");
            let apart = |low: f64, high: f64, error: &Mean| low + 4.0 * error.standard_error < high;
            assert!(apart(one.mean, four.mean, &one) && apart(four.mean, many.mean, &four));
            assert!(apart(four.mean, 0.0, &four), "{four:?}");
        }

        #[test]
        fn estimates_spread_as_they_say() {
            let spread = repeated(200, 0, |estimate| estimate.log_prob).standard_error * 20.0;
            let stated = repeated(200, 0, |estimate| estimate.standard_error).mean;
            // A standard deviation of 400 values is known to about 1/√800 = 3.5 %.
            assert!((spread / stated - 1.0).abs() < 0.14, "{spread} {stated}");
        }

        #[test]
        fn memory_is_that_of_a_chunk_and_chunks_change_nothing() {
            let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 10.0;
            let run = |samples: usize, chunk: usize| {
                let (mut sizes, mut next) = (Vec::new(), 0);
                let estimates = importance_weighted(samples, chunk, |c| {
                    sizes.push(c);
                    let row: Vec<f32> = (next..next + c).map(value).collect();
                    next += c;
                    let rows = row.iter().copied().chain(row.iter().map(|w| -w)).collect::<Vec<f32>>();
                    Tensor::<1>::from_floats(rows.as_slice(), &Device::flex()).reshape([2, c])
                });
                (estimates.unwrap(), sizes)
            };
            let (estimates, sizes) = run(1003, 100);
            assert_eq!(sizes, [vec![100; 10], vec![3]].concat());
            assert_eq!(estimates, run(1003, 2000).0);
            assert_eq!(estimates, run(1003, 1).0);
            assert_eq!((estimates.len(), estimates[1].samples), (2, 1003));
        }

        #[test]
        fn wrong_shapes_and_counts_are_refused() {
            let tensor = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &Device::flex());
            let message = |result: Result<Vec<ImportanceWeighted>, EstimateError>| result.unwrap_err().to_string();
            assert_eq!(
                message(importance_weighted(5, 3, |c| tensor([c, 4]))),
                "`log_weights` has shape [3, 4], expected [3, 3]"
            );
            // The batch changes at the second chunk.
            assert_eq!(
                message(importance_weighted(5, 3, |c| tensor([c, c]))),
                "`log_weights` has shape [2, 2], expected [3, 2]"
            );
            assert_eq!(message(importance_weighted(0, 3, |c| tensor([1, c]))), "`samples` is 0, expected at least 1");
            assert_eq!(message(importance_weighted(5, 0, |c| tensor([1, c]))), "`chunk` is 0, expected at least 1");
            assert_eq!(importance_weighted(5, 3, |c| tensor([0, c])).unwrap(), []);
        }
    }
}
