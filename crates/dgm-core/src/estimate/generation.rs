//! Generated examples against real ones, by their features: a distance with an error, and how much of each lies within the other.

use super::Mean;
use super::error::{EstimateError, check_number, check_some};
use super::neighbours::{nearest, squared_distances};
use crate::host;
use burn::tensor::Tensor;

/// The squared maximum mean discrepancy with the kernel (xᵀy / width + 1)³, unbiased, the mean over pairs of blocks of `block` rows of each set, and
/// its standard error (the KID of Bińkowski et al. 2018, "Demystifying MMD GANs", section 4). It may be negative; 0 is expected of one and the same
/// distribution, whatever n is.
///
/// # Errors
/// Other widths, a block of fewer than 2 rows, or sets smaller than it.
pub fn kernel_distance(a: &Tensor<2>, b: &Tensor<2>, block: usize) -> Result<Mean, EstimateError> {
    let ([n, width], [m, columns]) = (a.dims(), b.dims());
    if width != columns {
        return Err(EstimateError::Shape { argument: "b", found: vec![m, columns], expected: vec![m, width] });
    }
    check_some("a", width)?;
    check_number("block", block as f64, block >= 2, "at least 2")?;
    check_number("a", n as f64, n >= block, "at least as many rows as a block")?;
    check_number("b", m as f64, m >= block, "at least as many rows as a block")?;
    let kernel = |x: &Tensor<2>, y: &Tensor<2>| {
        let product = x.clone().matmul(y.clone().transpose()).div_scalar(width as f64).add_scalar(1.0);
        host(product.powi_scalar(3))
    };
    let size = block as f64;
    let of_block = |place: usize| {
        let [x, y] = [a, b].map(|set| set.clone().narrow(0, place * block, block));
        // Without the pairs of a row with itself.
        let within = |x: &Tensor<2>| {
            let all = kernel(x, x);
            let own: f64 = all.iter().step_by(block + 1).sum();
            (all.iter().sum::<f64>() - own) / (size * (size - 1.0))
        };
        within(&x) + within(&y) - 2.0 * kernel(&x, &y).iter().sum::<f64>() / (size * size)
    };
    Ok(Mean::of(&(0..(n / block).min(m / block)).map(of_block).collect::<Vec<_>>()))
}

/// How much of two sets lies within each other, where each set's ground is the union of balls around its rows that reach to the k-th neighbour of
/// each (Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models", section 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manifolds {
    /// The share of generated rows on the ground of real ones: low where samples are not realistic.
    pub precision: f64,
    /// The share of real rows on the ground of generated ones: low where kinds of examples are missing.
    pub recall: f64,
}

impl Manifolds {
    /// Of real rows `[n, width]` and generated ones `[m, width]`, k-th neighbours.
    ///
    /// # Errors
    /// Other widths, or not more than `k` rows in a set.
    pub fn of(real: &Tensor<2>, generated: &Tensor<2>, k: usize) -> Result<Self, EstimateError> {
        let ([_, width], [m, columns]) = (real.dims(), generated.dims());
        if width != columns {
            let (found, expected) = (vec![m, columns], vec![m, width]);
            return Err(EstimateError::Shape { argument: "generated", found, expected });
        }
        Ok(Self { precision: share_within(generated, real, k)?, recall: share_within(real, generated, k)? })
    }
}

/// The share of `queries` within a ball around a row of `ground`.
fn share_within(queries: &Tensor<2>, ground: &Tensor<2>, k: usize) -> Result<f64, EstimateError> {
    let neighbours = nearest(ground, ground, k, true)?;
    let radius = |all: &Vec<super::Neighbour>| all.last().map_or(0.0, |last| (last.distance * last.distance) as f32);
    let radii: Vec<f32> = neighbours.iter().map(radius).collect();
    let mut within = 0usize;
    squared_distances(queries, ground, |_, row| {
        within += usize::from(row.iter().zip(&radii).any(|(squared, radius)| squared <= radius));
    });
    Ok(within as f64 / queries.dims()[0].max(1) as f64)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::random::Seed;
    use burn::tensor::Device;

    #[test]
    fn the_kernel_distance_of_points() {
        // Two blocks of two rows of one feature. k(x, y) = (xy + 1)³: within a {0, 1}: k(0, 1) = 1; within b {1, 1}: 8; across: (1 + 1 + 8 + 8)/4.
        let device = Device::flex();
        let a = Tensor::<2>::from_floats([[0.0], [1.0], [0.0], [1.0]], &device);
        let b = Tensor::<2>::from_floats([[1.0], [1.0], [1.0], [1.0]], &device);
        let found = kernel_distance(&a, &b, 2).unwrap();
        assert!((found.mean - (1.0 + 8.0 - 2.0 * 4.5)).abs() < 1e-6 && found.standard_error.abs() < 1e-9, "{found:?}");
        // The same distribution: 0 within its error; another: not.
        let mut rng = Seed(0).stream("features", 0);
        let [a, b] = [0, 1].map(|_| rng.normal_tensor::<2>([2000, 4], &device));
        let same = kernel_distance(&a, &b, 100).unwrap();
        assert!(same.mean.abs() < 4.0 * same.standard_error, "{same:?}");
        let other = kernel_distance(&a, &b.add_scalar(0.5), 100).unwrap();
        assert!(other.mean > 10.0 * other.standard_error, "{other:?}");
        assert!(kernel_distance(&a, &a, 3000).is_err());
    }

    #[test]
    fn what_is_missing_lowers_recall_and_what_is_odd_precision() {
        let device = Device::flex();
        let mut rng = Seed(0).stream("features", 0);
        let mut near = |n: usize, x: f64| rng.normal_tensor::<2>([n, 2], &device).mul_scalar(0.1).add_scalar(x);
        // Real: at 0 and at 10. Generated: at 0 and at 20.
        let real = Tensor::cat(vec![near(100, 0.0), near(100, 10.0)], 0);
        let generated = Tensor::cat(vec![near(150, 0.0), near(50, 20.0)], 0);
        let found = Manifolds::of(&real, &generated, 3).unwrap();
        assert!((found.precision - 0.75).abs() < 0.06 && (found.recall - 0.5).abs() < 0.06, "{found:?}");
        let itself = Manifolds::of(&real, &real, 3).unwrap();
        assert_eq!((itself.precision, itself.recall), (1.0, 1.0));
        assert!(Manifolds::of(&real, &near(3, 0.0), 3).is_err());
    }
}
