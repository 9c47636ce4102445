//! Losses over the steps of training, as curves: what figures and pages draw.

use crate::metrics::Line;
use std::collections::BTreeMap;
use std::ops::Range;

/// A curve over steps.
pub(crate) type Series = Vec<(f64, f64)>;

/// Of each example.
pub(crate) const PER_EXAMPLE: &str = "nats per example";

/// Of each symbol of a text: windows of training are longer than those of validation, which score each symbol once.
pub(crate) const PER_TOKEN: &str = "nats per token";

/// Training and validation losses, each with its unit where it is a likelihood's.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Means over windows of steps.
    pub(crate) train: Series,
    pub(crate) train_unit: Option<&'static str>,
    /// Losses on the validation split.
    pub(crate) validation: Series,
    pub(crate) validation_unit: Option<&'static str>,
}

/// What a line says of a loss: its step, and the loss per token, per example, or in a unit of its own.
type Said = (u64, [Option<f64>; 3]);

impl Losses {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let of_train = |line: &Line| match line {
            Line::Train(line) => Some((line.step, [line.nats_per_token, line.nats_per_example, line.loss])),
            _ => None,
        };
        let of_validation = |line: &Line| match line {
            Line::Validation(line) => Some((line.step, [line.nats_per_token, line.nats_per_example, line.loss])),
            _ => None,
        };
        let (train, train_unit) = series(lines.iter().filter_map(of_train));
        let (validation, validation_unit) = series(lines.iter().filter_map(of_validation));
        Self { train, train_unit, validation, validation_unit }
    }

    /// Whether both have one unit: others would share an axis that means nothing.
    pub(crate) fn share_a_unit(&self) -> bool {
        self.train_unit == self.validation_unit
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

/// Values that are finite, and their unit.
fn series(lines: impl Iterator<Item = Said>) -> (Series, Option<&'static str>) {
    let mut unit = None;
    let of = |(step, losses): Said| {
        let in_units = losses.into_iter().zip([Some(PER_TOKEN), Some(PER_EXAMPLE), None]);
        let (value, of_value) = in_units.into_iter().find_map(|(loss, unit)| Some((loss?, unit)))?;
        unit = unit.or(of_value);
        value.is_finite().then_some((step as f64, value))
    };
    (lines.filter_map(of).collect(), unit)
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

/// The parts of a curve within a range of heights, each up to where it leaves the range.
pub(crate) fn within(series: &Series, range: &Range<f64>) -> Vec<Series> {
    let mut parts: Vec<Series> = vec![Series::new()];
    let mut add = |new: bool, point: (f64, f64)| match parts.last_mut() {
        Some(part) if !new || part.is_empty() => part.push(point),
        _ => parts.push(vec![point]),
    };
    let inside = |y: f64| range.start <= y && y <= range.end;
    // Where the line between two points has this height.
    let at = |a: (f64, f64), b: (f64, f64), y: f64| (a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1), y);
    let edge = |y: f64| if y > range.end { range.end } else { range.start };
    let mut before: Option<(f64, f64)> = None;
    for &point in series {
        match before {
            None if inside(point.1) => add(true, point),
            Some(last) if inside(last.1) && inside(point.1) => add(false, point),
            Some(last) if inside(last.1) => add(false, at(last, point, edge(point.1))),
            Some(last) if inside(point.1) => {
                add(true, at(last, point, edge(last.1)));
                add(false, point);
            }
            Some(last) if edge(last.1) != edge(point.1) => {
                add(true, at(last, point, edge(last.1)));
                add(false, at(last, point, edge(point.1)));
            }
            _ => {}
        }
        before = Some(point);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// A range with a little room on both sides.
pub(crate) fn with_room(values: impl Iterator<Item = f64>) -> Range<f64> {
    let ends = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    let (low, high) = values.filter(|value| value.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), ends);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = if high > low { 0.04 * (high - low) } else { 0.5 };
    low - room..high + room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_cut_where_it_leaves_the_range() {
        let curve = vec![(0.0, 30.0), (1.0, 10.0), (2.0, 6.0), (3.0, 14.0), (4.0, -10.0), (5.0, -12.0)];
        let expected =
            vec![vec![(1.0, 10.0), (2.0, 6.0), (2.5, 10.0)], vec![(3.0 + 4.0 / 24.0, 10.0), (3.0 + 14.0 / 24.0, 0.0)]];
        assert_eq!(within(&curve[1..].to_vec(), &(0.0..10.0)), expected);
        assert_eq!(within(&curve, &(0.0..20.0))[0][0], (0.5, 20.0));
        assert_eq!(within(&curve, &(50.0..60.0)), Vec::<Series>::new());
        assert_eq!(within(&curve, &(-20.0..40.0)), [curve]);
    }
}
