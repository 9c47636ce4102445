//! A ratio of two sums over examples with its standard error: nats per token and the like.

use super::error::{EstimateError, check_length, check_number, check_some, check_values};

/// A ratio of sums, R = Σᵢ yᵢ / Σᵢ xᵢ over n examples, and what is known of its error.
///
/// Of the nats yᵢ and the numbers of tokens xᵢ of examples of unequal length it is the nats per token: every token weighs the
/// same. The mean of the examples' own ratios yᵢ / xᵢ is another number.
///
/// ```
/// use dgm_core::estimate::Ratio;
///
/// // 2 nats over 1 token and 6 nats over 3: 2 nats per token, in both, so without an error.
/// let rate = Ratio::of(&[2.0, 6.0], &[1.0, 3.0])?;
/// assert_eq!((rate.ratio, rate.standard_error, rate.total), (2.0, 0.0, 4.0));
/// # Ok::<(), dgm_core::estimate::EstimateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// R, in units of y for one of x.
    pub ratio: f64,
    /// Its standard error by the delta method, √(Σ (yᵢ − R xᵢ)² / (n (n − 1))) / x̄; NaN (unknown) for n < 2.
    pub standard_error: f64,
    /// Σ xᵢ.
    pub total: f64,
    /// The number of examples.
    pub n: usize,
}

impl Ratio {
    /// The ratio of the sum of `numerators` to that of `denominators`, in the same order.
    ///
    /// The standard error is that of Cochran (1977), "Sampling techniques", sections 2.11 and 6.4 (of an infinite
    /// population): to first order R̂ − R = Σ (yᵢ − R xᵢ) / (n x̄), for examples that are independent of each other. Like the
    /// ratio's bias it is of the order 1 / n, which matters where n is small or the xᵢ differ much.
    ///
    /// # Errors
    /// If there is no example, the lengths differ, a denominator is negative or not finite, or all of them are 0.
    pub fn of(numerators: &[f64], denominators: &[f64]) -> Result<Self, EstimateError> {
        let n = numerators.len();
        check_some("numerators", n)?;
        check_length("denominators", denominators.len(), n)?;
        let expected = "a finite number of at least 0";
        check_values("denominators", denominators, |x| x.is_finite() && x >= 0.0, expected)?;
        let total: f64 = denominators.iter().sum();
        check_number("the sum of the denominators", total, total > 0.0, "above 0")?;
        let ratio = numerators.iter().sum::<f64>() / total;
        let squares: f64 = numerators.iter().zip(denominators).map(|(y, x)| (y - ratio * x).powi(2)).sum();
        let count = n as f64;
        let standard_error = if n < 2 { f64::NAN } else { (squares * count / (count - 1.0)).sqrt() / total };
        Ok(Self { ratio, standard_error, total, n })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::estimate::Mean;
    use crate::random::Seed;

    #[test]
    fn equal_denominators_make_it_a_mean() {
        let nats = [1.0, 2.0, 3.0, 4.0];
        let (ratio, mean) = (Ratio::of(&nats, &[5.0; 4]).unwrap(), Mean::of(&nats));
        assert!((ratio.ratio - mean.mean / 5.0).abs() < 1e-15);
        assert!((ratio.standard_error - mean.standard_error / 5.0).abs() < 1e-15);
        assert_eq!((ratio.total, ratio.n), (20.0, 4));
    }

    #[test]
    fn a_small_table_by_hand() {
        // R = 15 / 6; residuals 3 − 2.5, 4 − 5, 8 − 7.5: Σ d² = 1.5; x̄ = 2; √(1.5 / (3 · 2)) / 2.
        let ratio = Ratio::of(&[3.0, 4.0, 8.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((ratio.ratio, ratio.standard_error), (2.5, 0.25));
        assert!(Ratio::of(&[3.0], &[2.0]).unwrap().standard_error.is_nan());
    }

    /// Over repeated samples the estimates scatter by what each says its error is, and not by what it would be if lengths did
    /// not vary.
    #[test]
    fn the_error_is_the_scatter_of_repeated_samples() {
        let (samples, n) = (4000, 100);
        let mut noise = Seed(7).stream("ratio", 0);
        let (mut ratios, mut errors, mut naive) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..samples {
            // Between 1 and 20 tokens, of 1.5 nats each with noise, and half a nat that every example costs.
            let tokens: Vec<f64> = (0..n).map(|_| f64::from(1 + noise.below(20))).collect();
            let normals = noise.normals(n);
            let nats: Vec<f64> =
                tokens.iter().zip(normals).map(|(x, e)| 0.5 + 1.5 * x + x.sqrt() * f64::from(e)).collect();
            let ratio = Ratio::of(&nats, &tokens).unwrap();
            ratios.push(ratio.ratio);
            errors.push(ratio.standard_error);
            naive.push(Mean::of(&nats).standard_error / (ratio.total / n as f64));
        }
        let scatter = Mean::of(&ratios).standard_error * (samples as f64).sqrt();
        let said = Mean::of(&errors).mean;
        // 4000 samples know a standard deviation to 1.1 %.
        assert!((said / scatter - 1.0).abs() < 0.05, "said {said}, found {scatter}");
        assert!(Mean::of(&naive).mean > 2.0 * scatter);
        // E R̂ = 1.5 + 0.5 / 10.5 up to a bias of the order 1 / n.
        assert!((Mean::of(&ratios).mean - (1.5 + 0.5 / 10.5)).abs() < 0.002);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |y: &[f64], x: &[f64]| Ratio::of(y, x).unwrap_err().to_string();
        assert_eq!(message(&[], &[]), "`numerators` is 0, expected at least 1");
        assert_eq!(message(&[1.0, 2.0], &[1.0]), "`denominators` has shape [1], expected [2]");
        assert_eq!(message(&[1.0], &[0.0]), "`the sum of the denominators` is 0, expected above 0");
        let expected = "`denominators` holds -1 at index 1, expected a finite number of at least 0";
        assert_eq!(message(&[1.0, 1.0], &[1.0, -1.0]), expected);
    }
}
