//! Principal components of rows of numbers.

use super::error::{EstimateError, check_some};
use super::rotations::{dot, orthogonal};
use crate::host;
use burn::tensor::{Tensor, TensorData};

/// The first principal components of rows of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalComponents {
    /// Of each row its coordinates along the components.
    pub scores: Vec<Vec<f64>>,
    /// The share of the total variance along each.
    pub explained: Vec<f64>,
}

/// The `count` orthogonal directions of greatest variance, by power iteration on the covariance with deflation (Hotelling 1933) or, of many, by
/// Jacobi's rotations; of each the largest weight is positive, so that the same rows give the same picture. Where the rows vary in fewer
/// directions, the coordinates along the others are 0.
pub fn principal_components(rows: &[Vec<f64>], count: usize) -> PrincipalComponents {
    let (n, width) = (rows.len().max(1) as f64, rows.first().map_or(0, Vec::len));
    let mean: Vec<f64> = (0..width).map(|d| rows.iter().filter_map(|row| row.get(d)).sum::<f64>() / n).collect();
    let centred: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().zip(&mean).map(|(x, mean)| x - mean).collect()).collect();
    let mut covariance = vec![vec![0.0; width]; width];
    for row in &centred {
        for (line, x) in covariance.iter_mut().zip(row) {
            line.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * y / n);
        }
    }
    let (axes, explained) = leading(&covariance, count);
    let scores = centred.iter().map(|row| axes.iter().map(|axis| dot(row, axis)).collect()).collect();
    PrincipalComponents { scores, explained }
}

/// Where new rows lie along the principal components of others.
#[derive(Clone, Debug)]
pub struct PrincipalAxes {
    /// `[1, width]`
    mean: Tensor<2>,
    /// `[width, count]`
    axes: Tensor<2>,
    /// The share of the total variance along each.
    pub explained: Vec<f64>,
}

impl PrincipalAxes {
    /// The first `count` of the rows of x `[n, width]`, or as many as it has columns; the covariance by products of matrices on the device.
    ///
    /// # Errors
    /// No rows, no columns or no `count`.
    pub fn of(x: &Tensor<2>, count: usize) -> Result<Self, EstimateError> {
        let ([n, width], device) = (x.dims(), x.device());
        check_some("x", n.min(width))?;
        check_some("count", count)?;
        let mean = x.clone().mean_dim(0);
        let centred = x.clone() - mean.clone();
        let covariance = host(centred.clone().transpose().matmul(centred).div_scalar(n as f64));
        let covariance: Vec<Vec<f64>> = covariance.chunks(width).map(<[f64]>::to_vec).collect();
        let (axes, explained) = leading(&covariance, count);
        let values: Vec<f32> = axes.iter().flatten().map(|&weight| weight as f32).collect();
        let axes = Tensor::<2>::from_data(TensorData::new(values, [axes.len(), width]), &device).transpose();
        Ok(Self { mean, axes, explained })
    }

    /// The coordinates of rows `[n, width]` along the components, `[n, count]`.
    pub fn project(&self, x: &Tensor<2>) -> Tensor<2> {
        (x.clone() - self.mean.clone()).matmul(self.axes.clone())
    }
}

/// The share of the total variance up to which a direction has none: what is left is rounding, also of a covariance in 32 bits.
const NOTHING: f64 = 1e-7;

/// The eigenvectors of the largest eigenvalues of a covariance, and the share of its trace that each has; zeros where nothing is left.
fn leading(covariance: &[Vec<f64>], count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let total: f64 = covariance.iter().enumerate().filter_map(|(d, row)| row.get(d)).sum();
    // What rotations cost does not depend on how many are wanted.
    let few = count.saturating_mul(8) < covariance.len();
    let mut along = if few { one_by_one(covariance, count, NOTHING * total) } else { all_at_once(covariance, count) };
    along.resize(count.min(covariance.len()), vec![0.0; covariance.len()]);
    let mut explained = Vec::with_capacity(along.len());
    for axis in &mut along {
        let variance = dot(axis, axis).sqrt();
        if variance <= NOTHING * total {
            axis.fill(0.0);
            explained.push(0.0);
            continue;
        }
        let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
        axis.iter_mut().for_each(|weight| *weight /= variance.copysign(largest));
        explained.push(variance / total);
    }
    (along, explained)
}

/// The longest `count` of the eigenvectors, each as long as its eigenvalue.
fn all_at_once(covariance: &[Vec<f64>], count: usize) -> Vec<Vec<f64>> {
    let mut axes = orthogonal(covariance.to_vec());
    axes.sort_by(|a, b| dot(b, b).total_cmp(&dot(a, a)));
    axes.truncate(count);
    axes
}

/// The same by power iteration, for few of many; those alone whose eigenvalue is more than `nothing`.
fn one_by_one(covariance: &[Vec<f64>], count: usize, nothing: f64) -> Vec<Vec<f64>> {
    let width = covariance.len();
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut along = Vec::new();
    for place in 0..count.min(width) {
        let mut axis: Vec<f64> = (0..width).map(|d| 1.0 + ((d * 7 + place * 3) % 5) as f64).collect();
        let mut variance = 0.0;
        for _ in 0..500 {
            let mut next: Vec<f64> = covariance.iter().map(|row| dot(row, &axis)).collect();
            // Twice, as the first time leaves what rounding adds.
            for other in found.iter().chain(&found) {
                let share = dot(&next, other);
                next.iter_mut().zip(other).for_each(|(next, other)| *next -= share * other);
            }
            variance = dot(&next, &next).sqrt();
            if variance <= nothing {
                return along;
            }
            next.iter_mut().for_each(|next| *next /= variance);
            let turned = 1.0 - dot(&next, &axis).abs() / dot(&axis, &axis).sqrt();
            axis = next;
            if turned < 1e-13 {
                break;
            }
        }
        along.push(axis.iter().map(|weight| weight * variance).collect());
        found.push(axis);
    }
    along
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_those_of_numpy() {
        let rows: Vec<Vec<f64>> =
            [[2.0, 0.5, 1.0], [0.0, 1.5, -1.0], [4.0, -0.5, 2.5], [1.0, 0.0, 3.0], [3.0, 2.0, 0.0]]
                .map(|row| row.to_vec())
                .to_vec();
        // numpy: x = rows - rows.mean(0); u, s, vt = numpy.linalg.svd(x); s**2 / (s**2).sum(); x @ vt[:2].T up to signs.
        let found = principal_components(&rows, 2);
        for (found, expected) in found.explained.iter().zip(EXPLAINED) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        for (found, expected) in found.scores.iter().zip(SCORES) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
        let constant = principal_components(&vec![vec![1.0, 2.0]; 4], 2);
        assert_eq!((constant.explained, constant.scores), (vec![0.0, 0.0], vec![vec![0.0, 0.0]; 4]));
    }

    /// Rows in a plane of four dimensions: along what is orthogonal to it nothing varies.
    #[test]
    fn what_does_not_vary_has_no_component() {
        let row = |i: usize| {
            let (a, b) = ((i as f64).sin(), (1.7 * i as f64).cos());
            vec![a + b, a - b, 2.0 * a, 0.5]
        };
        let rows: Vec<Vec<f64>> = (0..50).map(row).collect();
        let found = principal_components(&rows, 4);
        assert!(found.explained[1] > 0.05 && found.explained[2..] == [0.0, 0.0], "{:?}", found.explained);
        assert!(found.scores.iter().all(|row| row[2..] == [0.0, 0.0]));
        // Orthogonal: scores are uncorrelated.
        let product: f64 = found.scores.iter().map(|row| row[0] * row[1]).sum();
        assert!(product.abs() < 1e-3, "{product}");
    }

    #[test]
    fn rotations_and_power_iteration_find_the_same() {
        let row = |i: usize| (0..20).map(|d| ((i * (d + 3)) as f64 * 0.37).sin() / (d + 1) as f64).collect();
        let rows: Vec<Vec<f64>> = (0..200).map(row).collect();
        // Two of twenty one by one, twenty of twenty all at once.
        let [few, all] = [2, 20].map(|count| principal_components(&rows, count));
        assert!((all.explained.iter().sum::<f64>() - 1.0).abs() < 1e-9 && all.explained.is_sorted_by(|a, b| a >= b));
        for place in 0..2 {
            assert!((few.explained[place] - all.explained[place]).abs() < 1e-9);
            let apart = few.scores.iter().zip(&all.scores).map(|(few, all)| (few[place] - all[place]).abs());
            assert!(apart.fold(0.0, f64::max) < 1e-5);
        }
    }

    const EXPLAINED: [f64; 2] = [0.683_831_025_786, 0.287_485_898_335];
    const SCORES: [[f64; 2]; 5] = [
        [0.010_355_079, -0.015_752_993],
        [-2.933_417_063, -0.585_745_105],
        [2.581_627_618, 0.767_110_724],
        [1.197_741_621, -1.869_615_241],
        [-0.856_307_255, 1.704_002_615],
    ];
}
