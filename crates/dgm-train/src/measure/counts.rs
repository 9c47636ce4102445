//! Where the target is one count given a condition: errors of the point predictions, and how good the distributions over the counts are.

use super::{Metric, PROPORTION, Subject, batches, host};
use crate::error::Result;
use crate::predict::Marginals;
use dgm_core::estimate::Mean;
use dgm_models::{DataSpec, Values};

/// The central interval whose coverage is told.
const LEVEL: f64 = 0.9;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let DataSpec { shape: [1, 1, 1], values: Values::Levels(levels), condition: Some(_) } = subject.model.spec() else {
        return Ok(Vec::new());
    };
    let Some(marginals) = Marginals::of(subject.model) else { return Ok(Vec::new()) };
    // Labels have measures of their own.
    if !subject.dataset.names.classes.is_empty() || marginals.likelihood().is_nominal() {
        return Ok(Vec::new());
    }
    let (mut squares, mut distances, mut crps, mut covered) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, batch) in batches(subject.reported().1, subject.on) {
        let batch = batch?;
        let parameters = marginals.parameters(batch.target.clone(), batch.condition.as_ref());
        let Some(table) = marginals.likelihood().log_probs(parameters) else { return Ok(Vec::new()) };
        for (row, y) in host(table).chunks(*levels).zip(host(batch.target)) {
            let scores = Scores::of(row, y);
            squares.push(scores.square);
            distances.push(scores.distance);
            crps.push(scores.crps);
            covered.push(f64::from(u8::from(scores.is_covered)));
        }
    }
    let column = subject.dataset.names.target.first().map_or("the target", |column| column.name.as_str());
    let unit = format!("units of {column}");
    let metric = |quantity: &str, unit: &str, mean: Mean, estimator: &str| {
        Metric::of_mean("prediction", subject.reported().0, quantity, unit, mean, estimator)
    };
    let mean_square = Mean::of(&squares);
    let root = mean_square.mean.sqrt();
    // Of a root, by the delta method.
    let rmse =
        Mean { mean: root, standard_error: mean_square.standard_error / (2.0 * root.max(1e-300)), ..mean_square };
    Ok(vec![
        metric("RMSE", &unit, rmse, "root of the mean square error of the mean"),
        metric("MAE", &unit, Mean::of(&distances), "mean absolute error of the median").with_values(distances),
        metric("CRPS", &unit, Mean::of(&crps), "continuous ranked probability score, summed over the counts")
            .with_values(crps),
        metric(
            "coverage 90 %",
            PROPORTION,
            Mean::of(&covered),
            "share of targets from the 5 % to the 95 % quantile; of counts more than the level",
        ),
    ])
}

/// What a distribution over counts is worth where y came out.
struct Scores {
    square: f64,
    distance: f64,
    crps: f64,
    is_covered: bool,
}

impl Scores {
    /// From the log-probabilities of 0, 1, 2, …: CRPS = Σ_k (F(k) − 1\[k ≥ y\])².
    fn of(log_probs: &[f64], y: f64) -> Self {
        let (mut total, mut mean, mut crps) = (0.0, 0.0, 0.0);
        let mut cumulative = Vec::with_capacity(log_probs.len());
        for (count, log_prob) in log_probs.iter().enumerate() {
            let (p, count) = (log_prob.exp(), count as f64);
            total += p;
            mean += p * count;
            crps += (total - f64::from(u8::from(count >= y))).powi(2);
            cumulative.push(total);
        }
        let quantile = |p: f64| cumulative.iter().position(|&below| below >= p).unwrap_or(log_probs.len()) as f64;
        let is_covered = (quantile(0.5 - LEVEL / 2.0)..=quantile(0.5 + LEVEL / 2.0)).contains(&y);
        Self { square: (mean - y).powi(2), distance: (quantile(0.5) - y).abs(), crps, is_covered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_three_counts_by_hand() {
        let log_probs = [0.2f64, 0.5, 0.3].map(f64::ln);
        let scores = Scores::of(&log_probs, 2.0);
        // The mean is 1.1, the median 1; F is 0.2, 0.7, 1.
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        close(scores.square, 0.81);
        close(scores.distance, 1.0);
        close(scores.crps, 0.04 + 0.49);
        assert!(scores.is_covered);
        // Certain, and right; certain, and wrong by two.
        let certain = [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY];
        close(Scores::of(&certain, 0.0).crps, 0.0);
        close(Scores::of(&certain, 2.0).crps, 2.0);
        assert!(!Scores::of(&certain, 2.0).is_covered);
    }
}
