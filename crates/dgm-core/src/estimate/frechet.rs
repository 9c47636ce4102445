//! Fréchet distance between two sets of features.

use super::error::{EstimateError, check_number, check_rows};
use super::rotations::{add, dot, orthogonal};
use crate::random::Stream;

/// ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½): the squared Fréchet (2-Wasserstein) distance between the normal distributions
/// with the means and (unbiased) covariances of two sets of features, in squared units of the features
/// (Dowson and Landau 1982, eq. 4; of the features of a classifier, the FID of Heusel et al. 2017, eq. 6).
///
/// `a` and `b` are row-major matrices, `[n₁, width]` and `[n₂, width]`. Never negative, symmetric, and 0 for equal sets.
/// Singular covariances (fewer rows than `width`, constant features) are no obstacle. As an estimate of the distance
/// between the distributions that the sets were drawn from it is too large by an amount that falls with n: compare at
/// equal n (Chong and Forsyth 2020).
///
/// The square root is never formed: tr(Σ₁ Σ₂)^½ = tr(Σ₁^½ Σ₂ Σ₁^½)^½ is the sum of the singular values of R₁ᵀ R₂ for any
/// R with R Rᵀ = Σ, because two such R differ by a rotation. That keeps f64's precision near 0, where the root of an
/// eigenvalue keeps half of its digits. Time O((n₁ + n₂) width² + width³), about ten times over for the cubic part.
///
/// # Errors
/// If `width` is 0, a length is no multiple of it, a set has fewer than 2 rows, or a feature is not finite.
///
/// ```
/// use dgm_core::estimate::frechet_distance;
///
/// // One feature: (μ₁ − μ₂)² + (σ₁ − σ₂)², here with variances 2 and 8.
/// let distance = frechet_distance(&[0.0, 2.0], &[3.0, 7.0], 1)?;
/// assert!((distance - (16.0 + 2.0)).abs() < 1e-12);
/// # Ok::<(), dgm_core::estimate::EstimateError>(())
/// ```
pub fn frechet_distance(a: &[f64], b: &[f64], width: usize) -> Result<f64, EstimateError> {
    let (a_rows, b_rows) = (check_rows("a", a, width)?, check_rows("b", b, width)?);
    let ((a_mean, a_covariance), (b_mean, b_covariance)) = (moments(a, a_rows, width), moments(b, b_rows, width));
    Ok(of_normals([&a_mean, &b_mean], [&a_covariance, &b_covariance]))
}

/// The standard error of [`frechet_distance`] by the bootstrap (Efron 1979): the standard deviation over `resamples` draws of as many rows of each
/// set, with replacement.
///
/// Only the spread of those distances is of use: their mean is larger than the distance, as rows that recur are fewer rows.
///
/// # Errors
/// As [`frechet_distance`]; fewer than 2 `resamples`.
pub fn frechet_distance_error(
    a: &[f64],
    b: &[f64],
    width: usize,
    resamples: usize,
    rng: &mut Stream,
) -> Result<f64, EstimateError> {
    let rows = [check_rows("a", a, width)?, check_rows("b", b, width)?];
    check_number("resamples", resamples as f64, resamples >= 2, "at least 2")?;
    let mut distances = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let mut drawn = |set: &[f64], rows: usize| -> Vec<f64> {
            let mut all = Vec::with_capacity(rows * width);
            for _ in 0..rows {
                let row = rng.below(rows as u32) as usize;
                all.extend_from_slice(&set[row * width..(row + 1) * width]);
            }
            all
        };
        distances.push(frechet_distance(&drawn(a, rows[0]), &drawn(b, rows[1]), width)?);
    }
    let mean = distances.iter().sum::<f64>() / resamples as f64;
    let variance = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (resamples as f64 - 1.0);
    Ok(variance.sqrt())
}

/// Row-major square matrix.
type Square = Vec<f64>;

/// Mean and unbiased covariance of the rows.
fn moments(features: &[f64], rows: usize, width: usize) -> (Vec<f64>, Square) {
    let mut mean = vec![0.0; width];
    features.chunks_exact(width).for_each(|row| add(&mut mean, 1.0 / rows as f64, row));
    let mut covariance = vec![0.0; width * width];
    for row in features.chunks_exact(width) {
        let centred: Vec<f64> = row.iter().zip(&mean).map(|(x, mean)| x - mean).collect();
        // The lower triangle; the upper one is its mirror.
        for (i, x) in centred.iter().enumerate() {
            add(&mut covariance[i * width..=i * width + i], x / (rows as f64 - 1.0), &centred);
        }
    }
    for i in 0..width {
        for j in 0..i {
            covariance[j * width + i] = covariance[i * width + j];
        }
    }
    (mean, covariance)
}

fn of_normals(means: [&[f64]; 2], covariances: [&Square; 2]) -> f64 {
    let [a, b] = covariances.map(|covariance| root(covariance, means[0].len()));
    let apart: f64 = means[0].iter().zip(means[1]).map(|(a, b)| (a - b).powi(2)).sum();
    let trace = |columns: &[Vec<f64>]| columns.iter().map(|column| dot(column, column)).sum::<f64>();
    let traces = trace(&a) + trace(&b);
    // R₁ᵀ R₂ by rows, of which there are not more than columns.
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let product = short.iter().map(|left| long.iter().map(|right| dot(left, right)).collect()).collect();
    let singular_values: f64 = orthogonal(product).iter().map(|row| dot(row, row).sqrt()).sum();
    // Below 0 only by rounding.
    (apart + traces - 2.0 * singular_values).max(0.0)
}

/// The columns of R with R Rᵀ = Σ, as many as the rank: Cholesky with the largest remaining variance first, until what
/// remains is rounding (Higham 2002, section 10.3).
fn root(covariance: &Square, width: usize) -> Vec<Vec<f64>> {
    let mut left: Vec<f64> = (0..width).map(|i| covariance[i * width + i]).collect();
    let largest = |left: &[f64]| (0..width).max_by(|&i, &j| left[i].total_cmp(&left[j]));
    let negligible = largest(&left).map_or(0.0, |i| left[i] * f64::EPSILON * width as f64);
    let mut columns: Vec<Vec<f64>> = Vec::new();
    while columns.len() < width {
        let Some(pivot) = largest(&left).filter(|&i| left[i] > negligible) else { break };
        let mut column = covariance[pivot * width..(pivot + 1) * width].to_vec();
        columns.iter().for_each(|earlier| add(&mut column, -earlier[pivot], earlier));
        let scale = left[pivot].sqrt();
        column.iter_mut().for_each(|value| *value /= scale);
        left.iter_mut().zip(&column).for_each(|(left, value)| *left -= value * value);
        left[pivot] = 0.0;
        columns.push(column);
    }
    columns
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::random::Seed;
    use proptest::prelude::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    fn features(seed: f64, rows: usize) -> Vec<f64> {
        let feature = |i: usize, j: usize| {
            let (i, j) = (i as f64, j as f64);
            (1.3 * i + 2.1 * j + seed).sin() + 0.3 * j * (0.7 * i * (seed + 1.0)).cos()
        };
        (0..rows).flat_map(|i| (0..3).map(move |j| feature(i, j))).collect()
    }

    #[test]
    fn of_normals_that_commute_and_that_do_not() {
        // Diagonal: Σ (√a − √b)² = 1 + 0 + 4.
        let (a, b) =
            (vec![4.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 9.0], vec![9.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0]);
        check(of_normals([&[0.0; 3], &[0.0; 3]], [&a, &b]), 5.0);
        // mpmath: 5 + 7 − 2 Σ √λ(Σ₁ Σ₂) with 40 digits.
        let (a, b) = (vec![2.0, 0.5, 0.5, 1.0], vec![1.0, -0.3, -0.3, 3.0]);
        check(of_normals([&[1.0, 0.0], &[0.0, 2.0]], [&a, &b]), 5.929_311_854_967_774);
    }

    #[test]
    fn of_two_sets() {
        // mpmath: means, covariances and the eigenvalues of Σ₁ Σ₂ with 40 digits; SciPy's sqrtm says the same.
        let (a, b) = (features(0.0, 12), features(1.0, 9));
        check(frechet_distance(&a, &b, 3).unwrap(), 0.330_857_938_229_735_84);
        // The covariance is that of the data about their mean, wherever that is.
        let far: Vec<f64> = a.iter().map(|x| x + 1000.0).collect();
        let moved = frechet_distance(&far, &b.iter().map(|x| x + 1000.0).collect::<Vec<_>>(), 3).unwrap();
        assert!((moved - 0.330_857_938_229_735_84).abs() < 1e-9, "{moved}");
    }

    #[test]
    fn of_singular_covariances() {
        // 3 rows of 5 features: rank 2. mpmath with 40 digits, as above.
        let set = |s: f64| -> Vec<f64> { (0..15).map(|i| (f64::from(i) * (1.1 + s) + s).sin()).collect() };
        check(frechet_distance(&set(0.0), &set(0.5), 5).unwrap(), 4.544_425_755_805_101);
        // Constant features have no covariance at all.
        check(frechet_distance(&[1.0, 2.0, 1.0, 2.0], &[4.0, 6.0, 4.0, 6.0], 2).unwrap(), 25.0);
        // One set is a point: ‖μ₁ − μ₂‖² + tr Σ₂.
        check(frechet_distance(&[1.0, 2.0, 1.0, 2.0], &[0.0, 2.0, 2.0, 6.0], 2).unwrap(), 4.0 + 10.0);
    }

    #[test]
    fn many_features_against_a_closed_form() {
        // b = a D: Σ₂ = D Σ₁ D. With independent columns of unit variance that is Σ (1 − d)² = 96 · 1/4, up to
        // sampling; with a rotation of both sets nothing changes.
        let (rows, width) = (2000, 96);
        let a: Vec<f64> = Seed(1).stream("features", 0).normals(rows * width).into_iter().map(f64::from).collect();
        let b: Vec<f64> = a.iter().enumerate().map(|(i, x)| x * if i % 2 == 0 { 0.5 } else { 1.5 }).collect();
        let distance = frechet_distance(&a, &b, width).unwrap();
        assert!((distance - 24.0).abs() < 0.5, "{distance}");
        // Reflection in the plane orthogonal to (1, …, 1): x − 2 mean(x).
        let reflect = |set: &[f64]| -> Vec<f64> {
            let row = |row: &[f64]| {
                let mean = row.iter().sum::<f64>() / width as f64;
                row.iter().map(|x| x - 2.0 * mean).collect::<Vec<f64>>()
            };
            set.chunks_exact(width).flat_map(row).collect()
        };
        let reflected = frechet_distance(&reflect(&a), &reflect(&b), width).unwrap();
        assert!((reflected / distance - 1.0).abs() < 1e-11, "{reflected} {distance}");
        assert!(frechet_distance(&a, &a, width).unwrap() < 1e-11);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |a: &[f64], b: &[f64], width| frechet_distance(a, b, width).unwrap_err().to_string();
        assert_eq!(message(&[0.0; 4], &[0.0; 5], 2), "`b` has shape [5], expected [2, 2]");
        assert_eq!(message(&[0.0; 2], &[0.0; 4], 2), "`a` is 1, expected at least 2 rows");
        assert_eq!(message(&[0.0; 2], &[0.0; 4], 0), "`width` is 0, expected at least 1");
        assert_eq!(message(&[0.0, f64::NAN], &[0.0; 4], 1), "`a` holds NaN at index 1, expected a finite number");
    }

    /// One feature of variance 1 in each set and means 3 apart: the error of the squared difference of means is 2 · 3 · √(2/n), that of the
    /// rest is small beside it.
    #[test]
    fn the_bootstrap_error_is_that_of_repeated_samples() {
        let rows = 400;
        let draw = |seed: u64, shift: f64| -> Vec<f64> {
            Seed(seed).stream("features", 0).normals(rows).into_iter().map(|x| f64::from(x) + shift).collect()
        };
        let rng = &mut Seed(0).stream("bootstrap", 0);
        let found = frechet_distance_error(&draw(1, 0.0), &draw(2, 3.0), 1, 200, rng).unwrap();
        let expected = 6.0 * (2.0 / rows as f64).sqrt();
        assert!((found / expected - 1.0).abs() < 0.2, "{found} {expected}");
    }

    fn set(rows: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
        let row = proptest::collection::vec(prop_oneof![-10.0..10.0f64, Just(0.0), Just(1.0)], 4);
        proptest::collection::vec(row, rows).prop_map(|rows| rows.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn laws_of_a_squared_distance(a in set(2..12), b in set(2..12), shift in -5.0..5.0f64, unit in 0.1..10.0f64) {
            let distance = |a: &[f64], b: &[f64]| frechet_distance(a, b, 4).unwrap();
            let found = distance(&a, &b);
            prop_assert!(found >= 0.0);
            prop_assert!((distance(&b, &a) - found).abs() < 1e-9);
            prop_assert!(distance(&a, &a) < 1e-10, "{}", distance(&a, &a));
            let map = |set: &[f64], f: &dyn Fn(f64) -> f64| set.iter().map(|&x| f(x)).collect::<Vec<f64>>();
            prop_assert!((distance(&a, &map(&a, &|x| x + shift)) - 4.0 * shift * shift).abs() < 1e-9);
            let scaled = distance(&map(&a, &|x| x * unit), &map(&b, &|x| x * unit));
            prop_assert!((scaled - found * unit * unit).abs() < 1e-6 * unit * unit);
        }
    }
}
