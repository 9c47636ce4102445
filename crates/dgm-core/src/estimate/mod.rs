//! Estimators: what is reported. On the host, in f64, so that a sum over a test set loses nothing.

use burn::tensor::Tensor;

/// Nats over `dimensions` numbers → bits per dimension: nats / (D · ln 2).
///
/// For a mean over examples of equal size this is the mean of their bits per dimension. Never average over batches.
pub fn bits_per_dim(nats: f64, dimensions: usize) -> f64 {
    nats / (dimensions as f64 * std::f64::consts::LN_2)
}

/// exp(nats per token): the perplexity.
pub fn perplexity(nats_per_token: f64) -> f64 {
    nats_per_token.exp()
}

/// A sample mean and what is known of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The sample mean.
    pub mean: f64,
    /// Its standard error, s / √n with the unbiased s²; NaN (unknown) for n < 2.
    pub standard_error: f64,
    /// The number of values.
    pub n: usize,
}

impl Mean {
    /// The mean of `values` (two passes); NaN for none.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = if n < 2 { f64::NAN } else { (squares / (n as f64 - 1.0) / n as f64).sqrt() };
        Self { mean, standard_error, n }
    }
}

/// log (1/k Σᵢ exp aᵢ) along the columns, shifted by the maximum: `[n, k]` → `[n]`.
///
/// Of log-weights log p(x, zᵢ) − log q(zᵢ | x) it is the importance-weighted bound of log p(x)
/// (Burda, Grosse and Salakhutdinov 2016, eq. 8).
pub fn log_mean_exp(a: Tensor<2>) -> Tensor<1> {
    let [_, k] = a.dims();
    let max = a.clone().detach().max_dim(1);
    let sum = (a - max.clone()).exp().sum_dim(1);
    (sum.log() + max).squeeze_dim::<1>(1).sub_scalar((k as f64).ln())
}

/// log (1/k Σᵢ exp aᵢ), one value at a time: any k in constant memory.
#[derive(Clone, Copy, Debug)]
pub struct LogMeanExp {
    max: f64,
    sum: f64,
    n: usize,
}

impl Default for LogMeanExp {
    fn default() -> Self {
        Self { max: f64::NEG_INFINITY, sum: 0.0, n: 0 }
    }
}

impl LogMeanExp {
    /// Adds one value.
    pub fn push(&mut self, a: f64) {
        self.n += 1;
        if a > self.max {
            self.sum = self.sum * (self.max - a).exp() + 1.0;
            self.max = a;
        } else if a > f64::NEG_INFINITY || a.is_nan() {
            self.sum += (a - self.max).exp();
        }
    }

    /// The value so far; −∞ for none.
    pub fn value(&self) -> f64 {
        self.max + (self.sum / self.n as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_the_uniform_distribution_are_its_log2() {
        // 64 pixels of 16 levels: 4 bits each.
        let nats = 64.0 * 16f64.ln();
        assert!((bits_per_dim(nats, 64) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn the_mean_and_its_error() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean.mean, 2.5);
        // s² = 5/3, s²/n = 5/12.
        assert!((mean.standard_error - (5.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(Mean::of(&[7.0]).standard_error.is_nan());
    }

    #[test]
    fn log_mean_exp_does_not_overflow() {
        let mut running = LogMeanExp::default();
        for a in [-1000.0, 1000.0, 999.0] {
            running.push(a);
        }
        let expected = 1000.0 + ((1.0 + (-1.0f64).exp()) / 3.0).ln();
        assert!((running.value() - expected).abs() < 1e-9);
        let mut none = LogMeanExp::default();
        none.push(f64::NEG_INFINITY);
        assert_eq!(none.value(), f64::NEG_INFINITY);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn log_mean_exp_of_a_tensor_is_the_running_one() {
        let rows = [[0.5f32, -3.0, 80.0], [-80.0, -81.0, -79.5]];
        let value = log_mean_exp(Tensor::from_floats(rows, &burn::tensor::Device::flex()));
        for (value, row) in value.into_data().iter::<f64>().zip(rows) {
            let mut running = LogMeanExp::default();
            row.iter().for_each(|&a| running.push(f64::from(a)));
            assert!((value - running.value()).abs() < 1e-5, "{value} {}", running.value());
        }
    }
}
