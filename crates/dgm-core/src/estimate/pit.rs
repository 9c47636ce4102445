//! Calibration of predictive distributions by the probability integral transform (PIT): if x ~ F then F(x) is uniform.
//!
//! A PIT value is u = F(x) for the predicted cumulative distribution F and the outcome x (Dawid 1984). Over a data set
//! the values of a calibrated model are uniform on [0, 1]: a ∪ shape says that its distributions are too narrow, a ∩
//! shape too wide, a slope that they are shifted (Gneiting, Balabdaoui and Raftery 2007, section 3.1).

use super::Mean;
use super::error::{EstimateError, check_length, check_some, check_unit};
use crate::random::Stream;

/// The randomised PIT of discrete outcomes, u = F(x − 1) + v (F(x) − F(x − 1)) with v ~ U[0, 1): uniform if x ~ F
/// (Czado, Gneiting and Held 2009, section 2).
///
/// `below` holds P(X < x) = F(x − 1) and `at` P(X ≤ x) = F(x), each for one outcome.
///
/// # Errors
/// If the lengths differ, a value is NaN or outside [0, 1], or P(X < x) > P(X ≤ x).
pub fn randomised_pit(below: &[f64], at: &[f64], rng: &mut Stream) -> Result<Vec<f64>, EstimateError> {
    check_length("at", at.len(), below.len())?;
    check_unit("below", below)?;
    check_unit("at", at)?;
    if let Some(index) = below.iter().zip(at).position(|(below, at)| below > at) {
        let (argument, found, expected) = ("at", at[index], "at least the value of `below`");
        return Err(EstimateError::Value { argument, index, found, expected });
    }
    let draw = |(below, at): (&f64, &f64)| (below + f64::from(rng.uniform()) * (at - below)).min(*at);
    Ok(below.iter().zip(at).map(draw).collect())
}

/// How many PIT values are in each of `bins` intervals [b/B, (b+1)/B) of equal width; 1 is in the last.
///
/// For a calibrated model a count is n/B on average, with standard deviation √(n/B · (1 − 1/B)).
///
/// # Errors
/// If there are no values or no bins, or a value is NaN or outside [0, 1].
pub fn pit_histogram(pit: &[f64], bins: usize) -> Result<Vec<usize>, EstimateError> {
    check_some("bins", bins)?;
    check_pit(pit)?;
    let lower: Vec<f64> = (1..bins).map(|bin| bin as f64 / bins as f64).collect();
    let mut counts = vec![0; bins];
    pit.iter().for_each(|&u| counts[lower.partition_point(|&edge| edge <= u)] += 1);
    Ok(counts)
}

/// Kolmogorov–Smirnov distance of PIT values to the uniform distribution, sup_u |F̂(u) − u|, in (0, 1]
/// (Kolmogorov 1933).
///
/// For a calibrated model it is above 1.36 / √n in 5 % of the cases (n large), so that is what to compare with.
///
/// # Errors
/// If there are no values, or one is NaN or outside [0, 1].
pub fn kolmogorov_smirnov_uniform(pit: &[f64]) -> Result<f64, EstimateError> {
    check_pit(pit)?;
    let n = pit.len() as f64;
    let mut sorted = pit.to_vec();
    sorted.sort_by(f64::total_cmp);
    // F̂ jumps from i/n to (i + 1)/n at the i-th value: the supremum is at one side of a jump.
    let sides = |(i, u): (usize, &f64)| (u - i as f64 / n).max((i as f64 + 1.0) / n - u);
    Ok(sorted.iter().enumerate().map(sides).fold(0.0, f64::max))
}

/// How often the central interval of each nominal level, from the (1 − level)/2 to the (1 + level)/2 quantile, holds
/// the outcome: the part of the PIT values with |u − ½| ≤ level/2, for each of `levels`, with its standard error.
///
/// For a calibrated model coverage = level, up to √(level (1 − level) / n). Coverage below the level: overconfident
/// (Gneiting, Balabdaoui and Raftery 2007, section 3.2).
///
/// # Errors
/// If there are no values, or a value or level is NaN or outside [0, 1].
///
/// ```
/// use dgm_core::estimate::interval_coverage;
///
/// let coverage = interval_coverage(&[0.1, 0.3, 0.5, 0.8], &[0.5, 0.9])?;
/// assert_eq!((coverage[0].mean, coverage[1].mean), (0.5, 1.0));
/// # Ok::<(), dgm_core::estimate::EstimateError>(())
/// ```
pub fn interval_coverage(pit: &[f64], levels: &[f64]) -> Result<Vec<Mean>, EstimateError> {
    check_pit(pit)?;
    check_unit("levels", levels)?;
    let coverage = |level: &f64| {
        let inside = pit.iter().map(|u| f64::from(u8::from((u - 0.5).abs() <= level / 2.0)));
        Mean::of(&inside.collect::<Vec<f64>>())
    };
    Ok(levels.iter().map(coverage).collect())
}

fn check_pit(pit: &[f64]) -> Result<(), EstimateError> {
    check_some("pit.len()", pit.len())?;
    check_unit("pit", pit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::random::Seed;
    use proptest::prelude::*;

    /// Φ((x − m) / s) for x ~ N(0, 1): PIT values of the prediction N(m, s²).
    fn predicted(m: f64, s: f64, n: usize) -> Vec<f64> {
        let x = Seed(3).stream("pit", 0).normals(n);
        x.into_iter().map(|x| 0.5 * libm::erfc(-(f64::from(x) - m) / s * std::f64::consts::FRAC_1_SQRT_2)).collect()
    }

    #[test]
    fn the_distance_to_uniform() {
        // scipy.stats.kstest(u, "uniform").statistic.
        let u = [0.02, 0.11, 0.4, 0.45, 0.93, 0.5, 0.31];
        assert!((kolmogorov_smirnov_uniform(&u).unwrap() - 0.357_142_857_142_857_1).abs() < 1e-15);
        // The middles of n equal intervals are as near as n values can be: 1/(2n).
        let middles: Vec<f64> = (0..8).map(|i| (f64::from(i) + 0.5) / 8.0).collect();
        assert_eq!(kolmogorov_smirnov_uniform(&middles).unwrap(), 1.0 / 16.0);
        assert_eq!(kolmogorov_smirnov_uniform(&[1.0, 1.0]).unwrap(), 1.0);
    }

    #[test]
    fn the_histogram_has_half_open_bins() {
        assert_eq!(pit_histogram(&[0.0, 0.1, 0.25, 0.5, 0.74, 0.75, 1.0, 1.0], 4).unwrap(), [2, 1, 2, 3]);
        // 0.3 · 10 rounds to 3 and 0.7 · 10 to 7, 3/10 and 7/10 are edges all the same.
        assert_eq!(pit_histogram(&[0.3, 0.7, 0.6], 10).unwrap(), [0, 0, 0, 1, 0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn the_true_normal_is_calibrated_and_misfits_are_measured() {
        let n = 20_000;
        let levels = [0.5, 0.9];
        let calibrated = predicted(0.0, 1.0, n);
        assert!(kolmogorov_smirnov_uniform(&calibrated).unwrap() < 1.63 / (n as f64).sqrt());
        for (coverage, level) in interval_coverage(&calibrated, &levels).unwrap().iter().zip(levels) {
            assert!((coverage.mean - level).abs() < 4.0 * coverage.standard_error, "{coverage:?}");
            let binomial = (level * (1.0 - level) / n as f64).sqrt();
            assert!((coverage.standard_error / binomial - 1.0).abs() < 0.05);
            assert_eq!(coverage.n, n);
        }
        // Too narrow: N(0, 1/4) covers P(|Z| ≤ z_0.95 / 2) = 2 Φ(0.822427) − 1 = 0.589166 (scipy.stats.norm) at 0.9.
        let narrow = predicted(0.0, 0.5, n);
        let coverage = interval_coverage(&narrow, &levels).unwrap()[1];
        assert!((coverage.mean - 0.589_166).abs() < 4.0 * coverage.standard_error, "{coverage:?}");
        let counts = pit_histogram(&narrow, 10).unwrap();
        assert!(counts[0] > 2 * counts[4] && counts[9] > 2 * counts[5], "{counts:?}");
        // Shifted by one: sup |Φ(x) − Φ(x − 1)| = 2 Φ(1/2) − 1 = 0.382925 (scipy.stats.norm).
        let distance = kolmogorov_smirnov_uniform(&predicted(1.0, 1.0, n)).unwrap();
        assert!((distance - 0.382_925).abs() < 0.015, "{distance}");
    }

    #[test]
    fn the_randomised_transform_of_the_true_distribution_is_uniform() {
        // P(X = 0, 1, 2) = 0.5, 0.2, 0.3, seen 5000, 2000 and 3000 times.
        let cdf = [0.0, 0.5, 0.7, 1.0];
        let counts = [5000, 2000, 3000];
        let x: Vec<usize> = counts.iter().enumerate().flat_map(|(x, &n)| vec![x; n]).collect();
        let below: Vec<f64> = x.iter().map(|&x| cdf[x]).collect();
        let at: Vec<f64> = x.iter().map(|&x| cdf[x + 1]).collect();
        let pit = randomised_pit(&below, &at, &mut Seed(0).stream("pit", 0)).unwrap();
        assert!(pit.iter().zip(below.iter().zip(&at)).all(|(u, (below, at))| below <= u && u <= at));
        assert!(kolmogorov_smirnov_uniform(&pit).unwrap() < 0.0136);
        assert!(pit_histogram(&pit, 10).unwrap().iter().all(|count| count.abs_diff(1000) < 120));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |result: Result<Vec<f64>, EstimateError>| result.unwrap_err().to_string();
        let mut noise = Seed(0).stream("pit", 0);
        assert_eq!(message(randomised_pit(&[0.1], &[0.2, 0.3], &mut noise)), "`at` has shape [2], expected [1]");
        assert_eq!(
            message(randomised_pit(&[0.1, 0.5], &[0.2, 0.3], &mut noise)),
            "`at` holds 0.3 at index 1, expected at least the value of `below`"
        );
        assert_eq!(kolmogorov_smirnov_uniform(&[]).unwrap_err().to_string(), "`pit.len()` is 0, expected at least 1");
        assert!(kolmogorov_smirnov_uniform(&[0.5, f64::NAN]).is_err());
        assert!(pit_histogram(&[0.5], 0).is_err() && pit_histogram(&[1.1], 3).is_err());
        assert!(interval_coverage(&[0.5], &[1.5]).is_err() && interval_coverage(&[], &[0.5]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn laws_of_pit_values(pit in proptest::collection::vec(0.0..=1.0f64, 1..50), bins in 1..20usize) {
            let n = pit.len() as f64;
            let distance = kolmogorov_smirnov_uniform(&pit).unwrap();
            prop_assert!(distance >= 0.5 / n - 1e-12 && distance <= 1.0);
            // Mirrored values are as far from uniform.
            let mirrored: Vec<f64> = pit.iter().map(|u| 1.0 - u).collect();
            prop_assert!((kolmogorov_smirnov_uniform(&mirrored).unwrap() - distance).abs() < 1e-12);
            prop_assert_eq!(pit_histogram(&pit, bins).unwrap().iter().sum::<usize>(), pit.len());
            // Wider intervals hold no less, and the widest all.
            let coverage = interval_coverage(&pit, &[0.0, 0.3, 0.6, 1.0]).unwrap();
            prop_assert!(coverage.windows(2).all(|pair| pair[0].mean <= pair[1].mean));
            prop_assert_eq!(coverage[3].mean, 1.0);
        }
    }
}
