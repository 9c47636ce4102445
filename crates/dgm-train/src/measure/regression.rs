//! Where the target is numbers that do not depend on each other given the condition: errors of the point predictions, and how good the
//! predictive distributions are, number by number.

use super::{Metric, NATS, PROPORTION, Subject, batches, host};
use crate::error::{Error, Result};
use burn::tensor::Tensor;
use dgm_core::density::Distribution;
use dgm_core::estimate::{Mean, interval_coverage, kolmogorov_smirnov_uniform};
use dgm_models::{Autoregressive, Values};

/// Quantiles that a CRPS is computed from, at the middles of as many equal parts of (0, 1).
const QUANTILES: usize = 200;

/// Levels of the intervals whose coverage is reported.
const LEVELS: [f64; 3] = [0.5, 0.9, 0.95];

/// A probability from which on a difference of two values of a distribution function in single precision has digits enough.
const DIGITS: f64 = 1e-2;

/// What the difference is wrong by at the most.
const ROUNDING: f64 = 1e-6;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let spec = subject.model.spec();
    let (Values::Real(scale), Some(_)) = (&spec.values, &spec.condition) else { return Ok(Vec::new()) };
    let Some(arm) = subject.model.conditionals().filter(|arm| arm.is_independent()) else { return Ok(Vec::new()) };
    // Of images nobody reads a table of errors pixel by pixel.
    if spec.shape[0] * spec.shape[1] != 1 || subject.test().1.target.is_dequantized() {
        return Ok(Vec::new());
    }
    let event = spec.event();
    let step = |dimension: usize| {
        let step = scale.step.get(dimension).filter(|&&step| step > 0.0)?;
        Some(step / scale.std.get(dimension)?)
    };
    let steps: Vec<Option<f64>> = (0..event).map(step).collect();
    let mut scores = vec![Scores::default(); event];
    for (_, batch) in batches(subject.test().1, subject.on) {
        let batch = batch?;
        score(arm, batch.target, batch.condition.as_ref(), &steps, &mut scores)?;
    }
    let mut metrics = Vec::new();
    for (dimension, scores) in scores.iter().enumerate() {
        let name = subject.dataset.names.target.get(dimension).map(|column| column.name.as_str());
        let std = scale.std.get(dimension).copied().unwrap_or(1.0);
        let step = scale.step.get(dimension).copied().filter(|&step| step > 0.0);
        metrics.extend(scores.metrics(subject, name.unwrap_or("target"), std, step, event > 1)?);
    }
    Ok(metrics)
}

/// One number of the target, example by example, standardised.
#[derive(Clone, Debug, Default)]
struct Scores {
    /// Of the mean.
    squares: Vec<f64>,
    /// Of the median.
    distances: Vec<f64>,
    crps: Vec<f64>,
    /// P(Y ≤ y).
    pit: Vec<f64>,
    /// −log P(the cell of y).
    cells: Vec<f64>,
}

/// Adds the scores of a batch.
fn score(
    arm: &dyn Autoregressive,
    y: Tensor<2>,
    condition: Option<&Tensor<2>>,
    steps: &[Option<f64>],
    scores: &mut [Scores],
) -> Result<()> {
    let distribution = arm.predict(y.clone(), condition);
    let lacks = || Error::run("the likelihood has neither quantiles nor a distribution function");
    let quantile = |p: f64| distribution.quantile(y.full_like(p)).ok_or_else(lacks);
    let targets = host(y.clone());
    let mut add = |values: Vec<f64>, of: fn(&mut Scores) -> &mut Vec<f64>| {
        let event = scores.len().max(1);
        values.into_iter().enumerate().for_each(|(place, value)| {
            scores.get_mut(place % event).into_iter().for_each(|scores| of(scores).push(value));
        });
    };
    add(host((distribution.mean() - y.clone()).square()), |scores| &mut scores.squares);
    add(host((quantile(0.5)? - y.clone()).abs()), |scores| &mut scores.distances);
    add(host(distribution.cdf(y.clone()).ok_or_else(lacks)?), |scores| &mut scores.pit);
    let mut crps = vec![0.0; targets.len()];
    for part in 0..QUANTILES {
        let p = (part as f64 + 0.5) / QUANTILES as f64;
        for ((crps, y), q) in crps.iter_mut().zip(&targets).zip(host(quantile(p)?)) {
            // Twice the pinball loss.
            *crps += 2.0 * (y - q) * (p - f64::from(u8::from(*y < q))) / QUANTILES as f64;
        }
    }
    add(crps, |scores| &mut scores.crps);
    if steps.iter().any(Option::is_some) {
        add(cells(distribution.as_ref(), &y, steps).ok_or_else(lacks)?, |scores| &mut scores.cells);
    }
    Ok(())
}

/// −log P(y − h/2 < Y ≤ y + h/2), with h the step of each number.
fn cells(distribution: &dyn Distribution<2>, y: &Tensor<2>, steps: &[Option<f64>]) -> Option<Vec<f64>> {
    let widths: Vec<f32> = steps.iter().map(|step| step.unwrap_or(1.0) as f32).collect();
    let width = Tensor::<1>::from_floats(widths.as_slice(), &y.device()).unsqueeze::<2>();
    let half = width.clone().mul_scalar(0.5);
    let mass = distribution.cdf(y.clone() + half.clone())? - distribution.cdf(y.clone() - half)?;
    let flat = distribution.log_prob(y.clone()) + width.log();
    // Of a small mass the digits are lost; there the density is as good as flat over the cell, unless a spike stands in it.
    let of_cell = |(mass, flat): (f64, f64)| {
        if mass > DIGITS { -mass.min(1.0).ln() } else { -flat.min((mass.max(0.0) + ROUNDING).ln()) }
    };
    Some(host(mass).into_iter().zip(host(flat)).map(of_cell).collect())
}

impl Scores {
    /// As metrics in the units of the data: `std` of them are one standardised unit.
    fn metrics(
        &self,
        subject: &Subject<'_>,
        name: &str,
        std: f64,
        step: Option<f64>,
        several: bool,
    ) -> Result<Vec<Metric>> {
        let (split, examples) = (subject.test().0, self.pit.len());
        let called = |quantity: &str| if several { format!("{quantity} of {name}") } else { quantity.to_owned() };
        let metric = |quantity: &str, unit: &str, value: f64, error: f64, estimator: String| Metric {
            measure: "prediction".into(),
            split: split.into(),
            quantity: called(quantity),
            value,
            unit: unit.into(),
            standard_error: error,
            examples,
            estimator,
            bits_per_dim: None,
            per_token: None,
        };
        let unit = format!("units of {name}");
        let of_mean = |quantity: &str, values: &[f64], estimator: &str| {
            let Mean { mean, standard_error, .. } = Mean::of(values);
            metric(quantity, &unit, std * mean, std * standard_error, estimator.into())
        };
        let squares = Mean::of(&self.squares);
        let root = squares.mean.sqrt();
        let root_error = if root > 0.0 { squares.standard_error / (2.0 * root) } else { 0.0 };
        let mut metrics = vec![
            metric("RMSE", &unit, std * root, std * root_error, "root of the mean square error of the mean".into()),
            of_mean("MAE", &self.distances, "mean absolute error of the median"),
            of_mean("CRPS", &self.crps, &format!("continuous ranked probability score, from {QUANTILES} quantiles")),
        ];
        let failed = |error: dgm_core::estimate::EstimateError| {
            Error::run(format!("the calibration cannot be computed: {error}: the model is not usable"))
        };
        // Rounding may leave a sum of probabilities above 1.
        let pit: Vec<f64> = self.pit.iter().map(|u| u.clamp(0.0, 1.0)).collect();
        for (level, Mean { mean, standard_error, .. }) in
            LEVELS.iter().zip(interval_coverage(&pit, &LEVELS).map_err(failed)?)
        {
            let percent = 100.0 * level;
            let estimator = format!("share of targets in the central interval of {percent} %");
            metrics.push(metric(&format!("coverage {percent} %"), PROPORTION, mean, standard_error, estimator));
        }
        let distance = kolmogorov_smirnov_uniform(&pit).map_err(failed)?;
        // The distance of a calibrated model is above this once in twenty times.
        let critical = 1.358 / (examples as f64).sqrt();
        let estimator = format!(
            "Kolmogorov-Smirnov distance of P(Y ≤ y) from uniform; calibrated models are below {critical:.3} in 95 % of cases"
        );
        metrics.push(metric("PIT", "distance", distance, f64::NAN, estimator));
        if let Some(step) = step.filter(|_| !self.cells.is_empty()) {
            let Mean { mean, standard_error, .. } = Mean::of(&self.cells);
            let estimator = format!("interval likelihood: probability of the target's own cell, {step} wide");
            metrics.push(Metric {
                measure: "interval_likelihood".into(),
                bits_per_dim: Some(mean / std::f64::consts::LN_2),
                ..metric("cell NLL", NATS, mean, standard_error, estimator)
            });
        }
        Ok(metrics)
    }
}
