//! Continuous ranked probability score: how far is a predicted distribution from the outcome, in the outcome's units?
//!
//! CRPS(F, x) = ∫ (F(t) − 1[t ≥ x])² dt = E|X − x| − ½ E|X − X′| with X, X′ ~ F independent (Gneiting and Raftery 2007,
//! eqs. 20 and 21). Never negative, proper (the true distribution has the smallest expectation), and |μ − x| for a point.

use super::error::{EstimateError, check_length, check_number, check_some, check_values};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// CRPS of N(μ, σ²), σ·(z (2Φ(z) − 1) + 2φ(z) − 1/√π) with z = (x − μ)/σ, in the units of x (Gneiting and Raftery 2007,
/// section 4.2).
///
/// `std` = 0 is the point μ: |x − μ|. NaN where `std` is negative or an argument NaN.
///
/// ```
/// use dgm_core::estimate::crps_normal;
///
/// // At its mean: (√2 − 1) / √π standard deviations.
/// let expected = 3.0 * (2f64.sqrt() - 1.0) / std::f64::consts::PI.sqrt();
/// assert!((crps_normal(5.0, 3.0, 5.0) - expected).abs() < 1e-12);
/// ```
pub fn crps_normal(mean: f64, std: f64, x: f64) -> f64 {
    if std >= 0.0 { mean_absolute(x - mean, std) - std / PI.sqrt() } else { f64::NAN }
}

/// CRPS of the mixture Σ wᵢ N(μᵢ, σᵢ²), Σᵢ wᵢ A(x − μᵢ, σᵢ) − ½ Σᵢⱼ wᵢ wⱼ A(μᵢ − μⱼ, √(σᵢ² + σⱼ²)) with
/// A(μ, σ) = E|N(μ, σ²)|, in the units of x (Grimit et al. 2006).
///
/// `weights` are probabilities; what rounding leaves of their sum beside 1 is divided out. σᵢ = 0 is a point.
///
/// # Errors
/// If there are no components, the lengths differ, a mean is not finite, a standard deviation or weight is negative or
/// not finite, or the weights do not sum to 1 (within 1e-4).
pub fn crps_normal_mixture(weights: &[f64], means: &[f64], stds: &[f64], x: f64) -> Result<f64, EstimateError> {
    let components = weights.len();
    check_some("weights.len()", components)?;
    check_length("means", means.len(), components)?;
    check_length("stds", stds.len(), components)?;
    let (size, expected) = (|value: f64| value >= 0.0 && value.is_finite(), "a finite number, at least 0");
    check_values("weights", weights, size, expected)?;
    check_values("stds", stds, size, expected)?;
    check_values("means", means, f64::is_finite, "a finite number")?;
    let total: f64 = weights.iter().sum();
    check_number("weights.sum()", total, (total - 1.0).abs() <= 1e-4, "1")?;
    let (mut to_outcome, mut spread) = (0.0, 0.0);
    for i in 0..components {
        to_outcome += weights[i] / total * mean_absolute(x - means[i], stds[i]);
        // Each pair once: A is symmetric, so the pairs i > j stand for ½ of all with i ≠ j.
        let pair = |j: usize| weights[j] / total * mean_absolute(means[i] - means[j], stds[i].hypot(stds[j]));
        spread += weights[i] / total * ((0..i).map(pair).sum::<f64>() + 0.5 * pair(i));
    }
    Ok(to_outcome - spread)
}

/// CRPS of the empirical distribution of m samples, 1/m Σᵢ |Xᵢ − x| − 1/(2m²) Σᵢⱼ |Xᵢ − Xⱼ|, in the units of x
/// (Grimit et al. 2006), in O(m log m).
///
/// Of the distribution that was sampled from it is an estimate that is too large by E|X − X′| / (2m) on average; without
/// that bias is [`crps_ensemble_fair`].
///
/// # Errors
/// If there are no samples or one is not finite.
pub fn crps_ensemble(samples: &[f64], x: f64) -> Result<f64, EstimateError> {
    check_some("samples.len()", samples.len())?;
    let m = samples.len() as f64;
    let (to_outcome, pairs) = distances(samples, x)?;
    Ok(to_outcome / m - pairs / (m * m))
}

/// The fair CRPS of m samples, 1/m Σᵢ |Xᵢ − x| − 1/(2m(m − 1)) Σᵢⱼ |Xᵢ − Xⱼ|, in the units of x (Ferro 2014): an unbiased
/// estimate of the CRPS of the distribution that was sampled from, whatever m; a single one may be negative.
///
/// # Errors
/// If there are fewer than 2 samples or one is not finite.
pub fn crps_ensemble_fair(samples: &[f64], x: f64) -> Result<f64, EstimateError> {
    let m = samples.len() as f64;
    check_number("samples.len()", m, samples.len() >= 2, "at least 2")?;
    let (to_outcome, pairs) = distances(samples, x)?;
    Ok(to_outcome / m - pairs / (m * (m - 1.0)))
}

/// A(μ, σ) = E|N(μ, σ²)| = 2σ φ(μ/σ) + μ (2Φ(μ/σ) − 1), and |μ| for σ = 0.
fn mean_absolute(mean: f64, std: f64) -> f64 {
    if std == 0.0 {
        return mean.abs();
    }
    let z = mean / std * FRAC_1_SQRT_2;
    // 2φ(√2 z) = √2 · (2/√π) / 2 · exp(−z²) and 2Φ(√2 z) − 1 = erf z.
    std * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * (-z * z).exp() + mean * libm::erf(z)
}

/// Σᵢ |Xᵢ − x| and Σ_{i<j} |Xᵢ − Xⱼ|.
fn distances(samples: &[f64], x: f64) -> Result<(f64, f64), EstimateError> {
    check_values("samples", samples, f64::is_finite, "a finite number")?;
    // From x on: what the samples have in common with x then cancels before it is multiplied.
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample - x).collect();
    sorted.sort_by(f64::total_cmp);
    // The i-th smallest of m is the larger one in i pairs and the smaller one in m − 1 − i.
    let last = samples.len() as f64 - 1.0;
    let pairs = sorted.iter().enumerate().map(|(i, sample)| (2.0 * i as f64 - last) * sample).sum();
    Ok((sorted.iter().map(|sample| sample.abs()).sum(), pairs))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::estimate::Mean;
    use crate::random::Seed;
    use proptest::prelude::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn of_a_normal() {
        // mpmath.quad of (F(t) − 1[t ≥ x])² with 30 digits.
        check(crps_normal(0.0, 1.0, 0.0), 0.233_694_977_255_109_08);
        check(crps_normal(0.0, 1.0, 1.5), 0.994_424_003_977_453);
        check(crps_normal(2.0, 0.5, -1.0), 2.717_905_208_382_479);
        check(crps_normal(-1.0, 3.0, 7.0), 6.314_521_076_418_08);
        check(crps_normal(0.0, 1.0, 30.0), 29.435_810_416_452_244);
        assert_eq!(crps_normal(1.0, 0.0, -2.5), 3.5);
        assert_eq!(crps_normal(1.0, 1e-300, -2.5), 3.5);
        assert!(crps_normal(0.0, -1.0, 0.0).is_nan() && crps_normal(0.0, 1.0, f64::NAN).is_nan());
    }

    #[test]
    fn of_a_mixture() {
        // The same integral.
        let mixture = crps_normal_mixture(&[0.25, 0.5, 0.25], &[-2.0, 0.5, 3.0], &[0.5, 1.0, 0.25], 1.25).unwrap();
        check(mixture, 0.649_291_761_811_833_6);
        // Rounding in f32 of the weights is divided out, so equal components are one.
        let same = crps_normal_mixture(&[0.3 + 1e-7, 0.7], &[2.0, 2.0], &[0.5, 0.5], -1.0).unwrap();
        check(same, crps_normal(2.0, 0.5, -1.0));
    }

    #[test]
    fn of_samples() {
        let samples = [0.3, -1.2, 2.5, 0.3, 4.0];
        // numpy: abs(s − x).mean() − abs(s[:, None] − s).sum() / (2 · 25), and / (2 · 20).
        check(crps_ensemble(&samples, 0.9).unwrap(), 0.592);
        check(crps_ensemble_fair(&samples, 0.9).unwrap(), 0.34);
        check(crps_ensemble(&[2.0], -1.5).unwrap(), 3.5);
    }

    #[test]
    fn fair_samples_of_a_normal_have_its_score_on_average() {
        let mut noise = Seed(5).stream("crps", 0);
        let x = 0.7;
        let (fair, plain): (Vec<f64>, Vec<f64>) = (0..20_000)
            .map(|_| {
                let samples: Vec<f64> = noise.normals(4).into_iter().map(f64::from).collect();
                (crps_ensemble_fair(&samples, x).unwrap(), crps_ensemble(&samples, x).unwrap())
            })
            .unzip();
        let (fair, plain) = (Mean::of(&fair), Mean::of(&plain));
        assert!((fair.mean - crps_normal(0.0, 1.0, x)).abs() < 4.0 * fair.standard_error, "{fair:?}");
        // The plain one is too large by E|X − X′| / (2m) = 2/√π / 8.
        let bias = 0.25 / PI.sqrt();
        assert!((plain.mean - crps_normal(0.0, 1.0, x) - bias).abs() < 4.0 * plain.standard_error, "{plain:?}");
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |weights: &[f64], means: &[f64], stds: &[f64]| {
            crps_normal_mixture(weights, means, stds, 0.0).unwrap_err().to_string()
        };
        assert_eq!(message(&[0.5, 0.5], &[0.0], &[1.0, 1.0]), "`means` has shape [1], expected [2]");
        assert_eq!(message(&[1.0], &[0.0], &[1.0, 1.0]), "`stds` has shape [2], expected [1]");
        assert_eq!(message(&[0.5, 0.25], &[0.0; 2], &[1.0; 2]), "`weights.sum()` is 0.75, expected 1");
        assert!(message(&[1.5, -0.5], &[0.0; 2], &[1.0; 2]).contains("-0.5 at index 1"));
        assert!(message(&[1.0], &[0.0], &[-1.0]).contains("`stds` holds -1"));
        assert!(message(&[1.0], &[f64::NAN], &[1.0]).contains("`means` holds NaN"));
        assert!(message(&[], &[], &[]).contains("`weights.len()` is 0"));
        assert!(crps_ensemble(&[], 0.0).is_err() && crps_ensemble(&[f64::INFINITY], 0.0).is_err());
        assert!(crps_ensemble_fair(&[1.0], 0.0).is_err());
    }

    fn number() -> impl Strategy<Value = f64> {
        -20.0..20.0f64
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_negative_and_in_units_of_x(mean in number(), std in 0.0..10.0f64, x in number(), unit in 0.01..100.0f64) {
            let score = crps_normal(mean, std, x);
            prop_assert!(score >= 0.0 && score <= (x - mean).abs() + std);
            prop_assert!((crps_normal(mean * unit, std * unit, x * unit) - score * unit).abs() <= 1e-12 * unit * 30.0);
            prop_assert!((crps_normal(-mean, std, -x) - score).abs() < 1e-12);
        }

        #[test]
        fn a_mixture_of_points_is_the_ensemble(samples in proptest::collection::vec(number(), 1..12), x in number()) {
            let m = samples.len();
            let points = crps_normal_mixture(&vec![1.0 / m as f64; m], &samples, &vec![0.0; m], x).unwrap();
            let ensemble = crps_ensemble(&samples, x).unwrap();
            prop_assert!((points - ensemble).abs() < 1e-11 && ensemble >= -1e-12);
        }

        #[test]
        fn a_mixture_is_never_negative_and_ignores_the_order(
            components in proptest::collection::vec((0.01..1.0f64, number(), 0.0..5.0f64), 1..6), x in number()
        ) {
            let total: f64 = components.iter().map(|component| component.0).sum();
            let score = |components: &[(f64, f64, f64)]| {
                let weights: Vec<f64> = components.iter().map(|component| component.0 / total).collect();
                let means: Vec<f64> = components.iter().map(|component| component.1).collect();
                let stds: Vec<f64> = components.iter().map(|component| component.2).collect();
                crps_normal_mixture(&weights, &means, &stds, x).unwrap()
            };
            let found = score(&components);
            prop_assert!(found >= -1e-12);
            let reversed: Vec<_> = components.iter().rev().copied().collect();
            prop_assert!((score(&reversed) - found).abs() < 1e-11);
        }
    }
}
