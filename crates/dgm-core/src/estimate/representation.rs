//! How much a latent representation holds: units that are in use, and the mutual information of x and z under q.

use super::Mean;
use super::error::{EstimateError, check_number, check_rows, check_some, check_values};

/// Var_x(E_q\[z_u | x\]) above which a latent unit u is active (Burda, Grosse and Salakhutdinov 2016, section 5).
pub const ACTIVE_UNIT_VARIANCE: f64 = 0.01;

/// Var_x(E_q\[z_u | x\]) of each latent unit u, unbiased, in squared units of z: from the posterior means of n examples,
/// row by row, `[n, units]`.
///
/// # Errors
/// If `units` is 0, the length is no multiple of it, there are fewer than 2 examples, or a mean is not finite.
pub fn posterior_mean_variances(means: &[f64], units: usize) -> Result<Vec<f64>, EstimateError> {
    let n = check_rows("means", means, units)? as f64;
    let variance = |unit: usize| {
        let values = || means.iter().skip(unit).step_by(units);
        let mean = values().sum::<f64>() / n;
        values().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    Ok((0..units).map(variance).collect())
}

/// The number of latent units whose posterior mean moves with x: variance above [`ACTIVE_UNIT_VARIANCE`]
/// (Burda, Grosse and Salakhutdinov 2016, section 5). `variances` are those of [`posterior_mean_variances`].
///
/// The threshold is meant for z whose prior is N(0, 1).
pub fn active_units(variances: &[f64]) -> usize {
    variances.iter().filter(|&&variance| variance > ACTIVE_UNIT_VARIANCE).count()
}

/// I(x; z) under q, from below: mean_i \[log q(z_i | x_i) − log (1/n Σ_j q(z_i | x_j))\], in nats, with z_i ~ q(z | x_i).
///
/// `log_q` is `[n, n]`, row by row: log q(z_i | x_j) in row i and column j, in nats.
///
/// For x drawn from the data distribution a **lower bound in expectation, and never above log n** (InfoNCE with the
/// true conditional: van den Oord, Li and Vinyals 2018; Poole et al. 2019, section 2.3): near log n it says nothing but
/// "at least that". With the n examples taken as the whole data set it is unbiased for the information between z and
/// the index of the example (Hoffman and Johnson 2016). The terms share the x_j, so the standard error over them is
/// approximate.
///
/// # Errors
/// If n is 0, the length is not n², or a value is NaN or +∞, or −∞ on the diagonal (z_i was drawn there).
///
/// ```
/// use dgm_core::estimate::mutual_information_lower;
///
/// // Two posteriors that do not overlap tell the two examples apart: log 2.
/// let information = mutual_information_lower(&[0.0, -1e4, -1e4, 0.0], 2)?;
/// assert!((information.mean - std::f64::consts::LN_2).abs() < 1e-12);
/// # Ok::<(), dgm_core::estimate::EstimateError>(())
/// ```
pub fn mutual_information_lower(log_q: &[f64], n: usize) -> Result<Mean, EstimateError> {
    check_some("n", n)?;
    if log_q.len() != n * n {
        let (found, expected) = (vec![log_q.len()], vec![n, n]);
        return Err(EstimateError::Shape { argument: "log_q", found, expected });
    }
    check_values("log_q", log_q, |value| value < f64::INFINITY, "a log-density")?;
    let mut terms = Vec::with_capacity(n);
    for (i, row) in log_q.chunks_exact(n).enumerate() {
        if row[i] == f64::NEG_INFINITY {
            let (argument, expected) = ("log_q", "a finite log-density on the diagonal");
            return Err(EstimateError::Value { argument, index: i * n + i, found: row[i], expected });
        }
        let mut marginal = super::LogMeanExp::default();
        row.iter().for_each(|&value| marginal.push(value));
        terms.push(row[i] - marginal.value());
    }
    Ok(Mean::of(&terms))
}

/// I(x; z) under q, from above: E_x\[KL(q(z | x) ‖ p(z))\], in nats, from the KL of each example.
///
/// An upper bound for any prior p, by KL(q(z) ‖ p(z)) ≥ 0 (Hoffman and Johnson 2016, eq. 8; the "rate" of
/// Alemi et al. 2018).
///
/// # Errors
/// If there are no examples, or a KL is NaN or below 0 by more than rounding (1e-3).
pub fn mutual_information_upper(kl: &[f64]) -> Result<Mean, EstimateError> {
    check_number("kl.len()", kl.len() as f64, !kl.is_empty(), "at least 1")?;
    check_values("kl", kl, |value| value >= -1e-3, "a divergence, at least 0")?;
    Ok(Mean::of(kl))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::random::Seed;
    use proptest::prelude::*;

    #[test]
    fn units_are_active_above_the_threshold() {
        // Unit 0: −1, 0, 1 has variance 1. Unit 1 is constant. Unit 2: ± 0.1 and 0 has variance 0.01, not above it.
        // Unit 3: ± 0.125 and 0 has 0.015625.
        let means = [-1.0, 3.0, 0.1, 5.125, 0.0, 3.0, -0.1, 4.875, 1.0, 3.0, 0.0, 5.0];
        let variances = posterior_mean_variances(&means, 4).unwrap();
        for (found, expected) in variances.iter().zip([1.0, 0.0, 0.01, 0.015_625]) {
            assert!((found - expected).abs() < 1e-15, "{variances:?}");
        }
        assert_eq!(active_units(&[1.0, 0.0, ACTIVE_UNIT_VARIANCE, 0.015_625]), 2);
        assert_eq!(active_units(&[]), 0);
    }

    #[test]
    fn information_of_a_small_matrix() {
        // numpy: t = diag(a) − log(exp(a).mean(1)); t.mean(), t.std(ddof=1) / sqrt(3).
        let log_q = [-0.5, -2.0, -3.0, -4.0, -1.0, -2.5, -6.0, -2.0, -1.5];
        let information = mutual_information_lower(&log_q, 3).unwrap();
        assert!((information.mean - 0.769_063_195_023_340_6).abs() < 1e-14);
        assert!((information.standard_error - 0.076_054_238_162_108_52).abs() < 1e-14);
        assert_eq!(information.n, 3);
    }

    #[test]
    fn information_of_a_collapsed_and_of_a_perfect_posterior() {
        // q(z | x) = q(z): none.
        let collapsed: Vec<f64> = (0..16).map(|i| -f64::from(i / 4)).collect();
        assert!(mutual_information_lower(&collapsed, 4).unwrap().mean.abs() < 1e-15);
        // Densities that do not overlap: log n, its cap.
        let apart: Vec<f64> = (0..16).map(|i| if i % 5 == 0 { 1e4 } else { f64::NEG_INFINITY }).collect();
        assert!((mutual_information_lower(&apart, 4).unwrap().mean - 4f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn bounds_hold_the_information_of_a_linear_gaussian_channel() {
        // x ~ N(0, 1), z | x ~ N(x, v): I = ½ log(1 + 1/v). Against the prior N(0, 1): KL = ½ (v + x² − 1 − log v).
        let (n, v) = (1500, 2.0f64);
        let mut noise = Seed(4).stream("information", 0);
        let x: Vec<f64> = noise.normals(n).into_iter().map(f64::from).collect();
        let z: Vec<f64> = x.iter().zip(noise.normals(n)).map(|(x, e)| x + v.sqrt() * f64::from(e)).collect();
        let log_density = |z: &f64, x: &f64| -0.5 * ((2.0 * std::f64::consts::PI * v).ln() + (z - x).powi(2) / v);
        let log_q: Vec<f64> = z.iter().flat_map(|z| x.iter().map(move |x| log_density(z, x))).collect();
        let kl: Vec<f64> = x.iter().map(|x| 0.5 * (v + x * x - 1.0 - v.ln())).collect();
        let exact = 0.5 * (1.0 + 1.0 / v).ln();
        let lower = mutual_information_lower(&log_q, n).unwrap();
        let upper = mutual_information_upper(&kl).unwrap();
        // Far below log n the lower bound is tight.
        assert!((lower.mean - exact).abs() < 4.0 * lower.standard_error, "{lower:?} {exact}");
        // E[KL] = ½ (v − log v) = exact + KL(N(0, 1 + v) ‖ N(0, 1)).
        assert!((upper.mean - 0.5 * (v - v.ln())).abs() < 4.0 * upper.standard_error, "{upper:?}");
        assert!(upper.mean - 4.0 * upper.standard_error > exact);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |log_q: &[f64], n| mutual_information_lower(log_q, n).unwrap_err().to_string();
        assert_eq!(message(&[0.0; 5], 2), "`log_q` has shape [5], expected [2, 2]");
        assert_eq!(message(&[], 0), "`n` is 0, expected at least 1");
        assert_eq!(message(&[0.0, f64::NAN, 0.0, 0.0], 2), "`log_q` holds NaN at index 1, expected a log-density");
        assert_eq!(
            message(&[0.0, 0.0, 0.0, f64::NEG_INFINITY], 2),
            "`log_q` holds -inf at index 3, expected a finite log-density on the diagonal"
        );
        assert!(mutual_information_upper(&[]).is_err() && mutual_information_upper(&[0.5, -0.5]).is_err());
        assert!(posterior_mean_variances(&[0.0; 3], 2).is_err() && posterior_mean_variances(&[0.0; 2], 2).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn information_is_capped_by_log_n(log_q in proptest::collection::vec(-1e4..1e4f64, 25), shift in -50.0..50.0f64) {
            let information = mutual_information_lower(&log_q, 5).unwrap();
            prop_assert!(information.mean <= 5f64.ln() + 1e-12 && information.standard_error >= 0.0);
            // A change of the units of z adds one constant to every log-density.
            let shifted: Vec<f64> = log_q.iter().map(|value| value + shift).collect();
            let moved = mutual_information_lower(&shifted, 5).unwrap();
            prop_assert!((moved.mean - information.mean).abs() < 1e-9);
        }
    }
}
