//! A sample mean with its standard error: what every metric over a data set is reported as.

/// A sample mean and what is known of its error.
///
/// Of values log p(x₁) … log p(xₙ) it is the empirical log-likelihood, in nats per example.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_and_its_error() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean.mean, 2.5);
        // s² = 5/3, s²/n = 5/12.
        assert!((mean.standard_error - (5.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(Mean::of(&[7.0]).standard_error.is_nan());
    }
}
