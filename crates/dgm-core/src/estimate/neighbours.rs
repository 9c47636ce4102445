//! Nearest neighbours by brute force: products of matrices on the device, the choice on the host.

use super::error::{EstimateError, check_length, check_number, check_some};
use burn::tensor::Tensor;

/// A neighbour: its row, and its distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Among the rows that were searched.
    pub row: usize,
    /// ‖x − y‖.
    pub distance: f64,
}

/// Numbers of a block of distances.
const AT_ONCE: usize = 1 << 24;

/// The `k` rows of `among` `[m, width]` that are nearest to each row of `queries` `[n, width]`, nearest first; of equal distances the earlier row.
/// `itself`: the queries are the rows of `among`, and none is its own neighbour.
///
/// Distances are from ‖x‖² + ‖y‖² − 2xᵀy of rows centred by the mean of `among`, in 32 bits: exact to about 10⁻³ of the rows' spread.
///
/// # Errors
/// Other widths, or fewer than `k` rows to search.
pub fn nearest(
    queries: &Tensor<2>,
    among: &Tensor<2>,
    k: usize,
    itself: bool,
) -> Result<Vec<Vec<Neighbour>>, EstimateError> {
    let ([n, width], [m, columns]) = (queries.dims(), among.dims());
    check_some("k", k)?;
    if width != columns {
        return Err(EstimateError::Shape { argument: "among", found: vec![m, columns], expected: vec![m, width] });
    }
    let others = if itself { m.saturating_sub(1) } else { m };
    check_number("among", others as f64, others >= k, "as many rows as neighbours")?;
    let mut all = Vec::with_capacity(n);
    squared_distances(queries, among, |query, row| all.push(smallest(row, k, itself.then_some(query))));
    Ok(all)
}

/// Calls `each` with every query and its squared distances to all rows of `among`, of as many columns.
pub(super) fn squared_distances(queries: &Tensor<2>, among: &Tensor<2>, mut each: impl FnMut(usize, &[f32])) {
    let ([n, _], [m, _]) = (queries.dims(), among.dims());
    let mean = among.clone().mean_dim(0);
    let (queries, among) = (queries.clone() - mean.clone(), among.clone() - mean);
    let lengths = |x: &Tensor<2>| x.clone().square().sum_dim(1);
    let (own, other) = (lengths(&queries), lengths(&among).transpose());
    let transposed = among.transpose();
    let block = (AT_ONCE / m.max(1)).clamp(1, n.max(1));
    for first in (0..n).step_by(block) {
        let count = block.min(n - first);
        let cross = queries.clone().narrow(0, first, count).matmul(transposed.clone()).mul_scalar(2.0);
        let squared = own.clone().narrow(0, first, count) + other.clone() - cross;
        let squared: Vec<f32> = squared.into_data().iter::<f32>().collect();
        squared.chunks(m.max(1)).enumerate().for_each(|(place, row)| each(first + place, row));
    }
}

/// The `k` smallest of a row of squared distances, without the place of a query itself.
fn smallest(row: &[f32], k: usize, own: Option<usize>) -> Vec<Neighbour> {
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(k + 1);
    for (place, &squared) in row.iter().enumerate() {
        if best.len() == k && best.last().is_some_and(|last| squared >= last.0) || own == Some(place) {
            continue;
        }
        let at = best.partition_point(|other| other.0 <= squared);
        best.insert(at, (squared, place));
        best.truncate(k);
    }
    let neighbour = |(squared, row): (f32, usize)| Neighbour { row, distance: f64::from(squared.max(0.0)).sqrt() };
    best.into_iter().map(neighbour).collect()
}

/// The label that most of the neighbours of each query have; of as many, that of the nearest of them.
///
/// # Errors
/// As [`nearest`]; labels that are not as many as the rows of `among`.
pub fn neighbours_vote(
    queries: &Tensor<2>,
    among: &Tensor<2>,
    labels: &[usize],
    k: usize,
) -> Result<Vec<usize>, EstimateError> {
    check_length("labels", labels.len(), among.dims()[0])?;
    let vote = |neighbours: Vec<Neighbour>| {
        let label = |one: &Neighbour| labels.get(one.row).copied().unwrap_or_default();
        let votes = |wanted: usize| neighbours.iter().filter(|one| label(one) == wanted).count();
        let mut best = (0, 0);
        for one in &neighbours {
            let count = votes(label(one));
            if count > best.0 {
                best = (count, label(one));
            }
        }
        best.1
    };
    Ok(nearest(queries, among, k, false)?.into_iter().map(vote).collect())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host;
    use crate::random::Seed;
    use burn::tensor::Device;

    #[test]
    fn they_are_those_of_all_distances() {
        let device = Device::flex();
        let mut rng = Seed(0).stream("rows", 0);
        // Far from 0, where squares alone would lose the differences.
        let among = rng.normal_tensor::<2>([200, 5], &device).add_scalar(100.0);
        let queries = rng.normal_tensor::<2>([30, 5], &device).add_scalar(100.0);
        let rows = |x: &Tensor<2>| host(x.clone()).chunks(5).map(<[f64]>::to_vec).collect::<Vec<_>>();
        for (itself, from) in [(false, &queries), (true, &among)] {
            let found = nearest(from, &among, 3, itself).unwrap();
            for (i, (query, found)) in rows(from).iter().zip(found).enumerate() {
                let distance = |row: &Vec<f64>| row.iter().zip(query).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                let mut all: Vec<(f64, usize)> = rows(&among).iter().map(distance).zip(0..).collect();
                all.retain(|&(_, row)| !itself || row != i);
                all.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (one, (distance, row)) in found.iter().zip(all) {
                    assert_eq!(one.row, row);
                    assert!((one.distance - distance).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn most_win_and_of_as_many_the_nearest() {
        let device = Device::flex();
        let among = Tensor::<2>::from_floats([[0.0], [1.0], [1.1], [3.0]], &device);
        let queries = Tensor::<2>::from_floats([[0.0], [2.9]], &device);
        let vote = |k| neighbours_vote(&queries, &among, &[7, 2, 2, 5], k).unwrap();
        assert_eq!(vote(1), [7, 5]);
        assert_eq!(vote(3), [2, 2]);
        assert_eq!(vote(2), [7, 5]);
        assert_eq!(
            nearest(&queries, &among, 5, false).unwrap_err().to_string(),
            "`among` is 4, expected as many rows as neighbours"
        );
    }
}
