//! Losses over the steps of training, as curves: what figures and pages draw.

use crate::metrics::Line;
use std::collections::BTreeMap;
use std::ops::Range;

/// A curve over steps.
pub(crate) type Series = Vec<(f64, f64)>;

/// Training and validation losses, each in nats where it is a likelihood's.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Means over windows of steps.
    pub(crate) train: Series,
    /// Whether those are nats per example.
    pub(crate) train_nats: bool,
    /// Losses on the validation split.
    pub(crate) validation: Series,
    /// Whether those are nats per example.
    pub(crate) validation_nats: bool,
}

impl Losses {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let of_train = |line: &Line| match line {
            Line::Train(line) => Some((line.step as f64, line.nats_per_example, line.loss)),
            _ => None,
        };
        let of_validation = |line: &Line| match line {
            Line::Validation(line) => Some((line.step as f64, line.nats_per_example, line.loss)),
            _ => None,
        };
        let (train, train_nats) = series(lines.iter().filter_map(of_train));
        let (validation, validation_nats) = series(lines.iter().filter_map(of_validation));
        Self { train, train_nats, validation, validation_nats }
    }

    /// Whether both have one unit: others would share an axis that means nothing.
    pub(crate) fn share_a_unit(&self) -> bool {
        self.train_nats == self.validation_nats
    }
}

/// The terms of the training loss.
pub(crate) fn terms(lines: &[Line]) -> BTreeMap<&str, Series> {
    let mut terms: BTreeMap<&str, Series> = BTreeMap::new();
    for line in lines {
        let Line::Train(line) = line else { continue };
        for (name, &value) in line.terms.iter().filter(|(_, value)| value.is_finite()) {
            terms.entry(name).or_default().push((line.step as f64, value));
        }
    }
    terms
}

/// The lowest point.
pub(crate) fn lowest(series: &Series) -> Option<(f64, f64)> {
    series.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Values that are finite, and whether they are nats.
fn series(lines: impl Iterator<Item = (f64, Option<f64>, Option<f64>)>) -> (Series, bool) {
    let mut nats = false;
    let of = |(step, in_nats, loss): (f64, Option<f64>, Option<f64>)| {
        nats |= in_nats.is_some();
        in_nats.or(loss).filter(|value| value.is_finite()).map(|value| (step, value))
    };
    (lines.filter_map(of).collect(), nats)
}

/// From 0 to the last step.
pub(crate) fn steps(all: &[&Series]) -> Range<f64> {
    0.0..all.iter().copied().flatten().map(|point| point.0).fold(1.0, f64::max)
}

/// From the lowest value to the highest; what the first steps are far above all others is cut off.
pub(crate) fn heights(all: &[&Series]) -> Range<f64> {
    let late = |series: &&Series| series.get(series.len() / 2..).unwrap_or_default().to_vec();
    let late: Vec<f64> = all.iter().flat_map(late).map(|point| point.1).collect();
    let low = all.iter().copied().flatten().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let range =
        |values: &[f64]| values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let (late_low, late_high) = range(&late);
    let top = all.iter().copied().flatten().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    // Of few points, and where it would take most of them, nothing is cut.
    let few = all.iter().all(|series| series.len() < 10);
    let cut = (late_high + 3.0 * (late_high - late_low)).max(low + 0.2 * (top - low));
    let high = if few { top } else { top.min(cut) };
    with_room([low, high.max(low)].into_iter())
}

/// A range with a little room on both sides.
pub(crate) fn with_room(values: impl Iterator<Item = f64>) -> Range<f64> {
    let ends = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    let (low, high) = values.filter(|value| value.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), ends);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = if high > low { 0.04 * (high - low) } else { 0.5 };
    low - room..high + room
}
