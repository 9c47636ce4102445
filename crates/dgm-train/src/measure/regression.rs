//! Where the target is numbers that do not depend on each other given the condition: errors of the point predictions, and how good the
//! predictive distributions are, number by number.

use super::{Metric, NATS, PROPORTION, Subject, batches, host};
use crate::data::ColumnKind;
use crate::error::{Error, Result};
use crate::predict::Marginals;
use burn::tensor::Tensor;
use dgm_core::density::Distribution;
use dgm_core::estimate::{Mean, interval_coverage, kolmogorov_smirnov_uniform};
use dgm_models::Values;

/// Probabilities of the quantiles between which a CRPS is integrated: the middles of as many equal parts of (0, 1), and far out on both sides.
const QUANTILES: usize = 32;
const TAILS: [f64; 2] = [1e-4, 1e-3];

/// Parts of equal length between two of these quantiles.
const PARTS: usize = 8;

/// Levels of the intervals whose coverage is reported.
const LEVELS: [f64; 3] = [0.5, 0.9, 0.95];

/// A probability from which on a difference of two values of a distribution function in single precision has digits enough.
const DIGITS: f64 = 1e-2;

/// What the difference is wrong by at the most.
const ROUNDING: f64 = 1e-6;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let spec = subject.model.spec();
    let (Values::Real(scale), Some(_)) = (&spec.values, &spec.condition) else { return Ok(Vec::new()) };
    let Some(marginals) = Marginals::of(subject.model) else { return Ok(Vec::new()) };
    // Of images nobody reads a table of errors pixel by pixel.
    if spec.shape[0] * spec.shape[1] != 1 || subject.reported().1.target.is_dequantized() {
        return Ok(Vec::new());
    }
    let event = spec.event();
    let step = |dimension: usize| {
        let step = scale.step.get(dimension).filter(|&&step| step > 0.0)?;
        Some(step / scale.std.get(dimension)?)
    };
    let steps: Vec<Option<f64>> = (0..event).map(step).collect();
    let mut scores = vec![Scores::default(); event];
    for (_, batch) in batches(subject.reported().1, subject.on) {
        let batch = batch?;
        score(marginals, batch.target, batch.condition.as_ref(), &steps, &mut scores)?;
    }
    let mut metrics = Vec::new();
    for (dimension, scores) in scores.iter().enumerate() {
        let name = subject.dataset.names.target.get(dimension).map(|column| column.name.clone());
        let name = name.unwrap_or_else(|| if event == 1 { "target".into() } else { format!("dimension {dimension}") });
        let std = scale.std.get(dimension).copied().unwrap_or(1.0);
        let step = scale.step.get(dimension).copied().filter(|&step| step > 0.0);
        metrics.extend(scores.metrics(subject, dimension, &name, [std, step.unwrap_or(0.0)])?);
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
    marginals: Marginals<'_>,
    y: Tensor<2>,
    condition: Option<&Tensor<2>>,
    steps: &[Option<f64>],
    scores: &mut [Scores],
) -> Result<()> {
    let distribution = marginals.distribution(y.clone(), condition);
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
    let cdf = |x: &Tensor<2>| distribution.cdf(x.clone()).ok_or_else(lacks);
    add(crps(&targets, &quantile, &cdf)?, |scores| &mut scores.crps);
    if steps.iter().any(Option::is_some) {
        add(cells(distribution.as_ref(), &y, steps).ok_or_else(lacks)?, |scores| &mut scores.cells);
    }
    Ok(())
}

/// ∫ (F(t) − 1[t ≥ y])² dt of each number, F linear between points that are dense where F rises.
fn crps(
    targets: &[f64],
    quantile: &dyn Fn(f64) -> Result<Tensor<2>>,
    cdf: &dyn Fn(&Tensor<2>) -> Result<Tensor<2>>,
) -> Result<Vec<f64>> {
    let middles = (0..QUANTILES).map(|part| (part as f64 + 0.5) / QUANTILES as f64);
    let upper = TAILS.iter().rev().map(|p| 1.0 - p);
    let mut levels = TAILS.iter().copied().chain(middles).chain(upper);
    let mut last = quantile(levels.next().unwrap_or(0.5))?;
    let (mut x, mut p) = (host(last.clone()), host(cdf(&last)?));
    // Below the lowest point F is next to nothing: the distance of a target from there counts whole.
    let mut sums: Vec<f64> = targets.iter().zip(&x).map(|(y, x)| (x - y).max(0.0)).collect();
    for level in levels {
        let next = quantile(level)?;
        let step = (next.clone() - last.clone()).div_scalar(PARTS as f64);
        for part in 1..=PARTS {
            let at = if part == PARTS { next.clone() } else { last.clone() + step.clone().mul_scalar(part as f64) };
            let (to, q) = (host(at.clone()), host(cdf(&at)?));
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += segment([x[i], to[i]], [p[i], q[i]], targets[i]);
            }
            (x, p) = (to, q);
        }
        last = next;
    }
    sums.iter_mut().zip(targets).zip(&x).for_each(|((sum, y), x)| *sum += (y - x).max(0.0));
    Ok(sums)
}

/// ∫ (F(t) − 1[t ≥ y])² dt from a to b, F going from p to q on a straight line.
fn segment([a, b]: [f64; 2], [p, q]: [f64; 2], y: f64) -> f64 {
    let square = |length: f64, p: f64, q: f64| length * (p * p + p * q + q * q) / 3.0;
    let length = b - a;
    if length <= 0.0 {
        return 0.0;
    }
    let share = ((y - a) / length).clamp(0.0, 1.0);
    let middle = p + share * (q - p);
    square(share * length, p, middle) + square((1.0 - share) * length, 1.0 - middle, 1.0 - q)
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
    /// As metrics in the units of the data: `std` of them are one standardised unit, and `step` is a cell of a grid, 0 where there is none.
    fn metrics(
        &self,
        subject: &Subject<'_>,
        dimension: usize,
        name: &str,
        [std, step]: [f64; 2],
    ) -> Result<Vec<Metric>> {
        let several = subject.model.spec().event() > 1;
        let (split, examples) = (subject.reported().0, self.pit.len());
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
            values: Vec::new(),
        };
        let unit = match subject.dataset.names.target.get(dimension).map(|column| &column.kind) {
            Some(ColumnKind::Time { format }) if format.has_time() => "seconds".to_owned(),
            Some(ColumnKind::Time { .. }) => "days".to_owned(),
            _ => format!("units of {name}"),
        };
        let of_mean = |quantity: &str, values: &[f64], estimator: &str| {
            let Mean { mean, standard_error, .. } = Mean::of(values);
            let values = values.iter().map(|value| std * value).collect();
            metric(quantity, &unit, std * mean, std * standard_error, estimator.into()).with_values(values)
        };
        let squares = Mean::of(&self.squares);
        let root = squares.mean.sqrt();
        let root_error = if root > 0.0 { squares.standard_error / (2.0 * root) } else { 0.0 };
        let mut metrics = vec![
            metric("RMSE", &unit, std * root, std * root_error, "root of the mean square error of the mean".into()),
            of_mean("MAE", &self.distances, "mean absolute error of the median"),
            of_mean("CRPS", &self.crps, "continuous ranked probability score, integrated numerically"),
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
        if step > 0.0 && !self.cells.is_empty() {
            let Mean { mean, standard_error, .. } = Mean::of(&self.cells);
            let estimator = format!("interval likelihood: probability of the target's own cell, {step} wide");
            metrics.push(Metric {
                measure: "interval_likelihood".into(),
                bits_per_dim: Some(mean / std::f64::consts::LN_2),
                ..metric("cell NLL", NATS, mean, standard_error, estimator).with_values(self.cells.clone())
            });
        }
        Ok(metrics)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::{Device, TensorData};
    use dgm_core::density::{MeanOf, Normal};
    use dgm_core::estimate::{crps_normal, crps_normal_mixture};

    fn column(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &Device::flex())
    }

    fn found(distribution: &dyn Distribution<2>, targets: &[f32]) -> Vec<f64> {
        let y = column(targets);
        let targets = host(y.clone());
        let quantile = |p: f64| Ok(distribution.quantile(y.full_like(p)).unwrap());
        let cdf = |x: &Tensor<2>| Ok(distribution.cdf(x.clone()).unwrap());
        crps(&targets, &quantile, &cdf).unwrap()
    }

    /// Against the closed forms, near the middle, in the tails and far out.
    #[test]
    fn the_score_is_that_of_the_closed_form() {
        let y = [0.0f32, 0.7, -1.5, 3.0, -30.0, 1e3];
        let normal = |mean: f32, std: f32| Box::new(Normal::new(column(&[mean; 6]), column(&[2.0 * std.ln(); 6])));
        for (found, &y) in found(normal(0.5, 2.0).as_ref(), &y).iter().zip(&y) {
            let expected = crps_normal(0.5, 2.0, f64::from(y));
            assert!((found / expected - 1.0).abs() < 2e-3, "{y}: {found} {expected}");
        }
        // A spike beside a wide one.
        let mean = MeanOf::new(vec![normal(0.0, 1.0), normal(0.7, 0.01)]);
        for (found, &y) in found(&mean, &y).iter().zip(&y) {
            let expected =
                crps_normal_mixture(&[0.5, 0.5], &[0.0, f64::from(0.7f32)], &[1.0, 0.01], f64::from(y)).unwrap();
            assert!((found / expected - 1.0).abs() < 5e-3, "{y}: {found} {expected}");
        }
    }

    /// Of a wide normal a cell has its density's share; of a spike in it all.
    #[test]
    fn a_cell_has_its_probability() {
        for (std, y) in [(1.0f32, 0.3f32), (0.02, 0.05), (1e-3, 0.0), (100.0, 20.0), (1.0, 6.0)] {
            let distribution = Normal::new(column(&[0.0]), column(&[2.0 * std.ln()]));
            let found = cells(&distribution, &column(&[y]), &[Some(0.1)]).unwrap()[0];
            // The same difference in 64 bits.
            let [s, y] = [std, y].map(f64::from);
            let upper = |x: f64| 0.5 * erfc(x / s / std::f64::consts::SQRT_2);
            let expected = -(upper(y - 0.05) - upper(y + 0.05)).ln();
            assert!((found - expected).abs() < 2e-3 * (1.0 + expected.abs()), "{std} {y}: {found} {expected}");
        }
    }

    /// erfc by Simpson's rule: what a test needs of it.
    fn erfc(x: f64) -> f64 {
        let (from, parts) = (x, 20_000);
        let width = (from.abs() + 12.0 - from) / f64::from(parts);
        let f = |t: f64| (-t * t).exp();
        let weight = |i: i32| if i == 0 || i == parts { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
        let sum: f64 = (0..=parts).map(|i| weight(i) * f(from + width * f64::from(i))).sum();
        sum * width / 3.0 * 2.0 / std::f64::consts::PI.sqrt()
    }
}
