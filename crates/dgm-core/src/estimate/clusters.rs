//! k-means, and how well clusters agree with labels.

use super::error::{EstimateError, check_length, check_number, check_some};
use crate::host;
use crate::random::Stream;
use burn::tensor::{Tensor, TensorData};

/// Rounds of a start, at most.
const ROUNDS: usize = 100;

/// The cluster of each row of `x` `[n, width]`: k-means with `starts` starts by k-means++ (Arthur and Vassilvitskii 2007), of which that with the
/// smallest sum of squared distances is kept (Lloyd 1982).
///
/// # Errors
/// Fewer than `k` rows, or no `k` or start.
pub fn k_means(x: &Tensor<2>, k: usize, starts: usize, rng: &mut Stream) -> Result<Vec<usize>, EstimateError> {
    let [n, _] = x.dims();
    check_some("k", k)?;
    check_some("starts", starts)?;
    check_number("x", n as f64, n >= k, "as many rows as clusters")?;
    let x = x.clone() - x.clone().mean_dim(0);
    let runs = (0..starts).map(|_| lloyd(&x, k, rng));
    let best = runs.min_by(|a, b| a.0.total_cmp(&b.0));
    Ok(best.map(|(_, clusters)| clusters).unwrap_or_default())
}

/// The sum of squared distances and the clusters from one start.
fn lloyd(x: &Tensor<2>, k: usize, rng: &mut Stream) -> (f64, Vec<usize>) {
    let ([n, width], device) = (x.dims(), x.device());
    let row = |place: usize| x.clone().narrow(0, place, 1);
    let mut centres = row(rng.below(n as u32) as usize);
    let mut apart = host(squared(x, &centres));
    while centres.dims()[0] < k {
        let total: f64 = apart.iter().sum();
        let mut left = f64::from(rng.uniform()) * total;
        let next = apart.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        let centre = row(next.unwrap_or(n - 1));
        let to_next = host(squared(x, &centre));
        apart.iter_mut().zip(to_next).for_each(|(d, new)| *d = d.min(new));
        centres = Tensor::cat(vec![centres, centre], 0);
    }
    let (mut clusters, mut sum) = (Vec::new(), f64::INFINITY);
    for _ in 0..ROUNDS {
        let distances = host(squared(x, &centres));
        let nearest = |row: &[f64]| (0..k).min_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        let found: Vec<usize> = distances.chunks(k).map(nearest).collect();
        sum = distances.chunks(k).zip(&found).map(|(row, &cluster)| row[cluster]).sum();
        if found == clusters {
            break;
        }
        let mut member = vec![0.0f32; n * k];
        found.iter().enumerate().for_each(|(row, cluster)| member[row * k + cluster] = 1.0);
        let member = Tensor::<2>::from_data(TensorData::new(member, [n, k]), &device).transpose();
        let counts = member.clone().sum_dim(1);
        // A cluster that lost its rows stays where it was.
        let empty = counts.clone().lower_elem(0.5).expand([k, width]);
        let means = member.matmul(x.clone()) / counts.clamp_min(1.0);
        centres = means.mask_where(empty, centres);
        clusters = found;
    }
    (sum, clusters)
}

/// ‖xᵢ − cⱼ‖², `[n, k]`.
fn squared(x: &Tensor<2>, centres: &Tensor<2>) -> Tensor<2> {
    let lengths = |x: &Tensor<2>| x.clone().square().sum_dim(1);
    let cross = x.clone().matmul(centres.clone().transpose()).mul_scalar(2.0);
    (lengths(x) + lengths(centres).transpose() - cross).clamp_min(0.0)
}

/// How well clusters agree with labels: each is 1 where they are the same up to names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The share of examples whose label is the most frequent one of their cluster.
    pub purity: f64,
    /// The share whose label is that of their cluster, where each cluster has a label of its own: the best matching (Kuhn 1955).
    pub matched: f64,
    /// Mutual information over the mean of the two entropies.
    pub normalised_mutual_information: f64,
    /// Pairs that both put together or apart, less what chance gives, over the most that there can be (Hubert and Arabie 1985).
    pub adjusted_rand_index: f64,
}

impl Agreement {
    /// Of the clusters of examples and their labels, numbers from 0 on each.
    ///
    /// # Errors
    /// No examples, or not as many of both.
    pub fn of(clusters: &[usize], labels: &[usize]) -> Result<Self, EstimateError> {
        check_some("clusters", clusters.len())?;
        check_length("labels", labels.len(), clusters.len())?;
        let count = |of: &[usize]| of.iter().max().map_or(0, |most| most + 1);
        let (rows, columns) = (count(clusters), count(labels));
        let mut table = vec![vec![0.0f64; columns]; rows];
        clusters.iter().zip(labels).for_each(|(&cluster, &label)| table[cluster][label] += 1.0);
        let n = clusters.len() as f64;
        let of_rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
        let of_columns: Vec<f64> = (0..columns).map(|j| table.iter().map(|row| row[j]).sum()).collect();
        let most = |row: &Vec<f64>| row.iter().copied().fold(0.0, f64::max);
        let entropy = |counts: &[f64]| -> f64 {
            counts.iter().filter(|&&count| count > 0.0).map(|count| -(count / n) * (count / n).ln()).sum()
        };
        let cells: Vec<f64> = table.iter().flatten().copied().collect();
        let entropies = [entropy(&of_rows), entropy(&of_columns)];
        let information = entropies[0] + entropies[1] - entropy(&cells);
        let mean = 0.5 * (entropies[0] + entropies[1]);
        let pairs = |counts: &[f64]| -> f64 { counts.iter().map(|count| count * (count - 1.0) / 2.0).sum() };
        let (both, first, second) = (pairs(&cells), pairs(&of_rows), pairs(&of_columns));
        let by_chance = first * second / pairs(&[n]).max(1.0);
        let (over, most_over) = (both - by_chance, 0.5 * (first + second) - by_chance);
        Ok(Self {
            purity: table.iter().map(most).sum::<f64>() / n,
            matched: best_matching(&table) / n,
            // Both in one cluster: the same.
            normalised_mutual_information: if mean > 0.0 { (information / mean).clamp(0.0, 1.0) } else { 1.0 },
            adjusted_rand_index: if most_over.abs() > 1e-12 { over / most_over } else { 1.0 },
        })
    }
}

/// The largest sum of cells with one of each row and each column: the Hungarian method by shortest augmenting paths (Jonker and Volgenant 1987).
fn best_matching(table: &[Vec<f64>]) -> f64 {
    let columns = table.first().map_or(0, Vec::len);
    let size = table.len().max(columns);
    let gain = |i: usize, j: usize| table.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0);
    // One more of each: place 0 stands for none.
    let (mut of_row, mut of_column) = (vec![0.0; size + 1], vec![0.0; size + 1]);
    let mut row_of = vec![0usize; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let (mut column, mut least) = (0, vec![f64::INFINITY; size + 1]);
        let (mut before, mut seen) = (vec![0usize; size + 1], vec![false; size + 1]);
        while row_of[column] != 0 {
            seen[column] = true;
            let from = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for other in 1..=size {
                if seen[other] {
                    continue;
                }
                let cost = -gain(from - 1, other - 1) - of_row[from] - of_column[other];
                if cost < least[other] {
                    (least[other], before[other]) = (cost, column);
                }
                if least[other] < step {
                    (step, next) = (least[other], other);
                }
            }
            for other in 0..=size {
                if seen[other] {
                    of_row[row_of[other]] += step;
                    of_column[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    (1..=size).map(|column| gain(row_of[column].wrapping_sub(1), column - 1)).sum()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::random::Seed;
    use burn::tensor::Device;
    use proptest::prelude::*;

    /// scikit-learn 1.9.1: `normalized_mutual_info_score`, `adjusted_rand_score`; the matching by SciPy's `linear_sum_assignment`.
    #[test]
    fn agreement_is_scikit_learns() {
        let clusters = [0, 0, 1, 1, 2, 2, 2, 3, 3, 0];
        let labels = [1, 1, 0, 2, 2, 2, 0, 0, 0, 1];
        let found = Agreement::of(&clusters, &labels).unwrap();
        assert!((found.purity - 0.8).abs() < 1e-12);
        assert!((found.matched - 0.7).abs() < 1e-12);
        assert!((found.normalised_mutual_information - NMI).abs() < 1e-12, "{found:?}");
        assert!((found.adjusted_rand_index - ARI).abs() < 1e-12, "{found:?}");
        let same = Agreement::of(&[2, 2, 0, 1], &[0, 0, 1, 2]).unwrap();
        assert!(same.purity == 1.0 && same.matched == 1.0 && (same.adjusted_rand_index - 1.0).abs() < 1e-12);
        // One cluster of everything tells nothing.
        let one = Agreement::of(&[0, 0, 0, 0], &[0, 0, 1, 1]).unwrap();
        assert!(one.normalised_mutual_information.abs() < 1e-12 && one.adjusted_rand_index.abs() < 1e-12);
        assert!(Agreement::of(&[0], &[]).is_err() && Agreement::of(&[], &[]).is_err());
    }

    const NMI: f64 = 0.6185727866539659;
    const ARI: f64 = 0.3644067796610169;

    #[test]
    fn k_means_finds_what_is_apart() {
        let device = Device::flex();
        let mut rng = Seed(0).stream("clusters", 0);
        let noise: Tensor<2> = rng.normal_tensor([60, 2], &device);
        let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let centres: Vec<f32> =
            labels.iter().flat_map(|&l| [10.0 * l as f32, if l == 1 { 8.0 } else { -8.0 }]).collect();
        let x = noise + Tensor::from_data(TensorData::new(centres, [60, 2]), &device);
        let found = k_means(&x, 3, 5, &mut rng).unwrap();
        assert_eq!(Agreement::of(&found, &labels).unwrap().matched, 1.0);
        assert!(k_means(&x, 61, 1, &mut rng).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against every permutation of four columns.
        #[test]
        fn the_best_matching_is_the_best(cells in proptest::collection::vec(0..20u32, 16)) {
            let table: Vec<Vec<f64>> = cells.chunks(4).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect();
            let mut best = 0.0f64;
            for code in 0..256usize {
                let columns = [code % 4, code / 4 % 4, code / 16 % 4, code / 64];
                let distinct: std::collections::BTreeSet<usize> = columns.into_iter().collect();
                if distinct.len() == 4 {
                    best = best.max(columns.iter().enumerate().map(|(i, &j)| table[i][j]).sum());
                }
            }
            prop_assert_eq!(best_matching(&table), best);
        }
    }
}
