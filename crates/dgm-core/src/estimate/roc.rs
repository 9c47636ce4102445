//! Ranking: how well does a score tell two classes apart, whatever the threshold?

use super::error::{EstimateError, check_number, check_values};

/// Area under the ROC curve, P(s₊ > s₋) + ½ P(s₊ = s₋): the probability that a positive example scores higher than a negative one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auroc {
    /// From 0 to 1; ½ is a score that says nothing.
    pub area: f64,
    /// Standard error (Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve").
    pub standard_error: f64,
}

impl Auroc {
    /// Of `scores` and whether each is of a positive example, in O(n log n); equal scores count half.
    ///
    /// # Errors
    /// If the lengths differ, a score is NaN, or one of the classes has no example.
    ///
    /// ```
    /// use dgm_core::estimate::Auroc;
    ///
    /// // Three of the four pairs are in order.
    /// let found = Auroc::of(&[0.9, 0.4, 0.5, 0.1], &[true, true, false, false])?;
    /// assert_eq!(found.area, 0.75);
    /// # Ok::<(), dgm_core::estimate::EstimateError>(())
    /// ```
    pub fn of(scores: &[f64], positive: &[bool]) -> Result<Self, EstimateError> {
        super::error::check_length("positive", positive.len(), scores.len())?;
        check_values("scores", scores, |score| !score.is_nan(), "a number")?;
        let positives = positive.iter().filter(|&&positive| positive).count();
        let negatives = positive.len() - positives;
        check_number("positives", positives as f64, positives > 0, "at least 1")?;
        check_number("negatives", negatives as f64, negatives > 0, "at least 1")?;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        // The sum of the positives' ranks, equal scores sharing the mean of theirs (Mann and Whitney 1947).
        let (mut ranks, mut first) = (0.0, 0);
        for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let rank = first as f64 + (group.len() as f64 + 1.0) / 2.0;
            ranks += rank * group.iter().filter(|&&index| positive[index]).count() as f64;
            first += group.len();
        }
        let (p, n) = (positives as f64, negatives as f64);
        let area = (ranks - p * (p + 1.0) / 2.0) / (p * n);
        let square = area * area;
        let spread = area * (1.0 - area)
            + (p - 1.0) * (area / (2.0 - area) - square)
            + (n - 1.0) * (2.0 * square / (1.0 + area) - square);
        Ok(Self { area, standard_error: (spread.max(0.0) / (p * n)).sqrt() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_count_half_and_the_error_is_that_of_the_paper() {
        // All pairs by hand: 1 > 0.2 and 0.5; 0.5 > 0.2 and = 0.5 → 3.5 of 4.
        let found = Auroc::of(&[1.0, 0.5, 0.5, 0.2], &[true, true, false, false]).unwrap();
        assert_eq!(found.area, 0.875);
        // The ratings of 58 normal and 51 abnormal images in Hanley and McNeil 1982, table I: area 0.893, error 0.032 (0.0325 by their formula).
        let ratings = [(1, 33, 3), (2, 6, 2), (3, 6, 2), (4, 11, 11), (5, 2, 33)];
        let of = |positive: bool| {
            ratings.into_iter().flat_map(move |(rating, normal, abnormal)| {
                vec![(f64::from(rating), positive); if positive { abnormal } else { normal }]
            })
        };
        let (scores, positive): (Vec<f64>, Vec<bool>) = of(false).chain(of(true)).unzip();
        let found = Auroc::of(&scores, &positive).unwrap();
        assert!((found.area - 0.893).abs() < 5e-4 && (found.standard_error - 0.0325).abs() < 5e-5, "{found:?}");
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |scores: &[f64], positive: &[bool]| Auroc::of(scores, positive).unwrap_err().to_string();
        assert_eq!(message(&[1.0], &[true, false]), "`positive` has shape [2], expected [1]");
        assert_eq!(message(&[1.0], &[true]), "`negatives` is 0, expected at least 1");
        assert!(message(&[f64::NAN, 1.0], &[true, false]).contains("NaN at index 0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_the_share_of_pairs(examples in proptest::collection::vec((0..6i32, proptest::bool::ANY), 2..30)) {
            let (scores, positive): (Vec<f64>, Vec<bool>) =
                examples.iter().map(|&(score, positive)| (f64::from(score), positive)).unzip();
            let Ok(found) = Auroc::of(&scores, &positive) else { return Ok(()) };
            let (mut pairs, mut right) = (0.0, 0.0);
            for (a, _) in scores.iter().zip(&positive).filter(|(_, positive)| **positive) {
                for (b, _) in scores.iter().zip(&positive).filter(|(_, positive)| !**positive) {
                    pairs += 1.0;
                    right += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            prop_assert!((found.area - right / pairs).abs() < 1e-12);
            let mirrored: Vec<f64> = scores.iter().map(|score| -score).collect();
            prop_assert!((Auroc::of(&mirrored, &positive).unwrap().area + found.area - 1.0).abs() < 1e-12);
        }
    }
}
