//! Calibration of classifiers: is a class given with confidence c right in a part c of the cases?

use super::Mean;
use super::error::{EstimateError, check_length, check_some, check_unit, check_values};

/// How the confidences are cut into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// M intervals of width 1/M (Guo et al. 2017, section 2).
    EqualWidth,
    /// The edges are quantiles of the confidences, so that the counts are n/M: within one where no confidences are
    /// equal, else equal ones share a bin (Nixon et al. 2019, "adaptive calibration error").
    EqualMass,
}

/// One row of a reliability table: the predictions with a confidence in (lower, upper]; 0 is in the first bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Lower edge, not in the bin.
    pub lower: f64,
    /// Upper edge, in the bin.
    pub upper: f64,
    /// Mean confidence; NaN for an empty bin.
    pub confidence: f64,
    /// The part that is right with its standard error, √(a (1 − a) / (n − 1)), and the count n; NaN for an empty bin.
    pub accuracy: Mean,
}

/// A reliability table (Guo et al. 2017): confidence against accuracy, bin by bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// The bins from confidence 0 to 1; empty ones are there with a count of 0.
    pub bins: Vec<ReliabilityBin>,
}

impl Reliability {
    /// The table of n predictions: `confidence` in [0, 1] and whether each was `correct`.
    ///
    /// # Errors
    /// If there are no predictions or no bins, the lengths differ, or a confidence is NaN or outside [0, 1].
    ///
    /// ```
    /// use dgm_core::estimate::{Binning, Reliability};
    ///
    /// let table = Reliability::of(&[0.9, 0.9, 0.9, 0.9], &[true, true, true, false], 10, Binning::EqualWidth)?;
    /// assert!((table.expected_calibration_error() - 0.15).abs() < 1e-12);
    /// # Ok::<(), dgm_core::estimate::EstimateError>(())
    /// ```
    pub fn of(confidence: &[f64], correct: &[bool], bins: usize, binning: Binning) -> Result<Self, EstimateError> {
        check_some("confidence.len()", confidence.len())?;
        check_some("bins", bins)?;
        check_length("correct", correct.len(), confidence.len())?;
        check_unit("confidence", confidence)?;
        let upper = match binning {
            Binning::EqualWidth => (1..=bins).map(|bin| bin as f64 / bins as f64).collect(),
            Binning::EqualMass => quantiles(confidence, bins),
        };
        let mut members = vec![(0.0, Vec::new()); bins];
        for (&confidence, &correct) in confidence.iter().zip(correct) {
            let (sum, right) = &mut members[upper.partition_point(|&edge| edge < confidence)];
            *sum += confidence;
            right.push(f64::from(u8::from(correct)));
        }
        let lower = std::iter::once(0.0).chain(upper.iter().copied());
        let bins = lower.zip(&upper).zip(&members).map(|((lower, &upper), (sum, right))| ReliabilityBin {
            lower,
            upper,
            confidence: sum / right.len() as f64,
            accuracy: Mean::of(right),
        });
        Ok(Self { bins: bins.collect() })
    }

    /// Expected calibration error, Σ_b n_b/n · |accuracy_b − confidence_b|, in [0, 1] (Guo et al. 2017, section 2).
    ///
    /// Biased upwards, the more the fewer predictions a bin holds: a calibrated model has about
    /// Σ_b n_b/n · √(2 a_b (1 − a_b) / (π n_b)), not 0. Compare at equal n and bins.
    pub fn expected_calibration_error(&self) -> f64 {
        let n: usize = self.bins.iter().map(|bin| bin.accuracy.n).sum();
        self.gaps().map(|(count, gap)| count as f64 / n as f64 * gap).sum()
    }

    /// Maximum calibration error, max_b |accuracy_b − confidence_b| over the bins that hold anything, in [0, 1]
    /// (Guo et al. 2017, section 2).
    pub fn maximum_calibration_error(&self) -> f64 {
        self.gaps().map(|(_, gap)| gap).fold(0.0, f64::max)
    }

    /// Count and |accuracy − confidence| of the bins that are not empty.
    fn gaps(&self) -> impl Iterator<Item = (usize, f64)> {
        let bins = self.bins.iter().filter(|bin| bin.accuracy.n > 0);
        bins.map(|bin| (bin.accuracy.n, (bin.accuracy.mean - bin.confidence).abs()))
    }
}

/// Upper edges of `bins` bins of equal mass: the ⌊m n / M⌋-th smallest value for m = 1 … M − 1, then 1.
fn quantiles(values: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let edge = |bin: usize| match bin * sorted.len() / bins {
        0 => 0.0,
        rank => sorted[rank - 1],
    };
    (1..bins).map(edge).chain(std::iter::once(1.0)).collect()
}

/// How far above 0 rounding in f32 may put a log-probability.
const ROUNDING: f64 = 1e-3;

/// From log-probabilities `[n, classes]`, row by row in nats, and n labels: the probability max_c p(c) of the most
/// probable class, and whether it is the label. Of equally probable classes the first counts.
///
/// # Errors
/// If `classes` is 0, the shape is not `[labels.len(), classes]`, a log-probability is NaN or above 0 by more than
/// rounding (1e-3), or a label is no class.
pub fn top_label(log_probs: &[f64], classes: usize, labels: &[usize]) -> Result<(Vec<f64>, Vec<bool>), EstimateError> {
    check_some("classes", classes)?;
    if log_probs.len() != labels.len() * classes {
        let (found, expected) = (vec![log_probs.len()], vec![labels.len(), classes]);
        return Err(EstimateError::Shape { argument: "log_probs", found, expected });
    }
    check_values("log_probs", log_probs, |value| value <= ROUNDING, "a log-probability, at most 0")?;
    if let Some(index) = labels.iter().position(|&label| label >= classes) {
        let (argument, expected, found) = ("labels", "a class below `classes`", labels[index] as f64);
        return Err(EstimateError::Value { argument, index, found, expected });
    }
    let top = |(row, &label): (&[f64], &usize)| {
        let first = (0, f64::NEG_INFINITY);
        let (class, log_prob) = row
            .iter()
            .enumerate()
            .fold(first, |best, (class, &value)| if value > best.1 { (class, value) } else { best });
        (log_prob.exp().min(1.0), class == label)
    };
    Ok(log_probs.chunks_exact(classes).zip(labels).map(top).unzip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const CONFIDENCE: [f64; 10] = [0.95, 0.9, 0.85, 0.6, 0.55, 0.62, 0.3, 0.2, 0.99, 1.0];
    const CORRECT: [bool; 10] = [true, true, false, true, false, false, false, true, true, true];

    #[test]
    fn equal_width_bins() {
        let table = Reliability::of(&CONFIDENCE, &CORRECT, 5, Binning::EqualWidth).unwrap();
        // numpy: digitize(c, arange(1, 6) / 5, right=True), then the sums bin by bin.
        assert!((table.expected_calibration_error() - 0.256).abs() < 1e-12);
        assert!((table.maximum_calibration_error() - 0.8).abs() < 1e-12);
        let counts: Vec<usize> = table.bins.iter().map(|bin| bin.accuracy.n).collect();
        // 0.2 and 0.6 are the upper edges of their bins.
        assert_eq!(counts, [1, 1, 2, 1, 5]);
        let last = table.bins[4];
        assert_eq!((last.lower, last.upper), (0.8, 1.0));
        assert!((last.confidence - 0.938).abs() < 1e-12);
        assert_eq!(last.accuracy.mean, 0.8);
        // √(a (1 − a) / (n − 1)) = √(0.16 / 4).
        assert!((last.accuracy.standard_error - 0.2).abs() < 1e-12);
    }

    #[test]
    fn equal_mass_bins() {
        let table = Reliability::of(&CONFIDENCE, &CORRECT, 5, Binning::EqualMass).unwrap();
        // numpy: the same with the edges sort(c)[[1, 3, 5, 7]] and 1.
        assert!((table.expected_calibration_error() - 0.228).abs() < 1e-12);
        assert!((table.maximum_calibration_error() - 0.735).abs() < 1e-12);
        assert!(table.bins.iter().all(|bin| bin.accuracy.n == 2));
        let edges: Vec<f64> = table.bins.iter().map(|bin| bin.upper).collect();
        assert_eq!(edges, [0.3, 0.6, 0.85, 0.95, 1.0]);
    }

    #[test]
    fn empty_bins_stand_in_the_table_and_count_nothing() {
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            let table = Reliability::of(&[0.0, 1.0, 1.0], &[false, true, true], 4, binning).unwrap();
            assert_eq!(table.bins.len(), 4);
            assert_eq!(table.bins.iter().map(|bin| bin.accuracy.n).sum::<usize>(), 3);
            assert_eq!((table.expected_calibration_error(), table.maximum_calibration_error()), (0.0, 0.0));
            assert!(table.bins.iter().any(|bin| bin.accuracy.n == 0 && bin.confidence.is_nan()));
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let message = |confidence: &[f64], correct: &[bool], bins| {
            Reliability::of(confidence, correct, bins, Binning::EqualWidth).unwrap_err().to_string()
        };
        assert_eq!(message(&[0.5, 1.0], &[true], 10), "`correct` has shape [1], expected [2]");
        assert_eq!(
            message(&[0.5, 1.5], &[true; 2], 10),
            "`confidence` holds 1.5 at index 1, expected a value in [0, 1]"
        );
        assert!(message(&[f64::NAN], &[true], 10).contains("NaN at index 0"));
        assert!(message(&[-0.1], &[true], 10).contains("-0.1"));
        assert_eq!(message(&[0.5], &[true], 0), "`bins` is 0, expected at least 1");
        assert_eq!(message(&[], &[], 10), "`confidence.len()` is 0, expected at least 1");
    }

    #[test]
    fn the_top_label_of_log_probabilities() {
        let p = [[0.2f64, 0.5, 0.3], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]];
        let log_probs: Vec<f64> = p.iter().flatten().map(|p| p.ln()).collect();
        let (confidence, correct) = top_label(&log_probs, 3, &[1, 1, 2]).unwrap();
        // A tie is the first class's.
        assert_eq!(correct, [true, false, true]);
        assert!(confidence.iter().zip([0.5, 0.4, 1.0]).all(|(found, expected)| (found - expected).abs() < 1e-12));
        // A rounding above 0 is probability 1.
        assert_eq!(top_label(&[1e-7, -17.0], 2, &[0]).unwrap().0, [1.0]);

        let message = |log_probs: &[f64], classes, labels: &[usize]| {
            top_label(log_probs, classes, labels).unwrap_err().to_string()
        };
        assert_eq!(message(&log_probs, 3, &[0, 1]), "`log_probs` has shape [9], expected [2, 3]");
        assert_eq!(message(&log_probs, 3, &[0, 1, 3]), "`labels` holds 3 at index 2, expected a class below `classes`");
        assert!(message(&[0.7], 1, &[0]).contains("0.7 at index 0"));
        assert!(message(&[f64::NAN], 1, &[0]).contains("NaN"));
        assert!(message(&[], 0, &[]).contains("`classes` is 0"));
    }

    fn predictions() -> impl Strategy<Value = Vec<(f64, bool)>> {
        let confidence = prop_oneof![0.0..=1.0f64, Just(0.0), Just(0.5), Just(1.0)];
        proptest::collection::vec((confidence, proptest::bool::ANY), 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn errors_are_in_the_unit_interval_and_ignore_the_order(predictions in predictions(), bins in 1..20usize) {
            for binning in [Binning::EqualWidth, Binning::EqualMass] {
                let of = |predictions: &[(f64, bool)]| {
                    let (confidence, correct): (Vec<f64>, Vec<bool>) = predictions.iter().copied().unzip();
                    Reliability::of(&confidence, &correct, bins, binning).unwrap()
                };
                let table = of(&predictions);
                let (expected, maximum) = (table.expected_calibration_error(), table.maximum_calibration_error());
                prop_assert!(0.0 <= expected && expected <= maximum + 1e-12 && maximum <= 1.0);
                prop_assert_eq!(table.bins.iter().map(|bin| bin.accuracy.n).sum::<usize>(), predictions.len());
                // One bin is the least that any binning can show: |mean accuracy − mean confidence|.
                let right = predictions.iter().map(|&(c, correct)| f64::from(u8::from(correct)) - c).sum::<f64>();
                prop_assert!(expected >= (right / predictions.len() as f64).abs() - 1e-12);
                let reversed = of(&predictions.iter().rev().copied().collect::<Vec<_>>());
                prop_assert!((reversed.expected_calibration_error() - expected).abs() < 1e-12);
                for bin in table.bins.iter().filter(|bin| bin.accuracy.n > 0) {
                    prop_assert!(bin.confidence >= bin.lower - 1e-12 && bin.confidence <= bin.upper + 1e-12);
                }
            }
        }

        #[test]
        fn masses_are_equal_where_no_confidences_are(n in 1..60usize, bins in 1..20usize) {
            let confidence: Vec<f64> = (0..n).map(|i| ((i * 37) % 61) as f64 / 61.0).collect();
            let table = Reliability::of(&confidence, &vec![true; n], bins, Binning::EqualMass).unwrap();
            for bin in &table.bins {
                prop_assert!(bin.accuracy.n.abs_diff(n / bins) <= 1 || n < bins, "{} of {}", bin.accuracy.n, n);
            }
        }
    }
}
