//! Losses over the steps of training: of training and validation, and the terms of the loss apart.

use super::{BLUE, Drawn, GREY, ORANGE, axes, color_of, legend, sample, svg, with_room};
use crate::error::Result;
use crate::measure::Subject;
use crate::metrics::Line;
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// A series over steps.
type Series = Vec<(f64, f64)>;

/// Training and validation losses, in nats where both are of a likelihood.
pub(super) fn losses(subject: &Subject<'_>) -> Result<Option<String>> {
    let of_train = |line: &Line| match line {
        Line::Train(line) => Some((line.step as f64, line.nats_per_example, line.loss)),
        _ => None,
    };
    let of_validation = |line: &Line| match line {
        Line::Validation(line) => Some((line.step as f64, line.nats_per_example, line.loss)),
        _ => None,
    };
    let (train, train_nats) = series(subject.lines.iter().filter_map(of_train));
    let (validation, nats) = series(subject.lines.iter().filter_map(of_validation));
    // A training loss in other units than the validation's would share an axis with it that means nothing.
    let train = if train_nats == nats { train } else { Vec::new() };
    if train.len() + validation.len() < 3 {
        return Ok(None);
    }
    let (_, split) = subject.reported();
    let unit = if nats { "nats per example" } else { "loss" };
    let title = match nats {
        true => format!("Learning curves; 1 nat per example is {:.4} bits per dimension", split.bits_per_dim(1.0)),
        false => "Learning curves".to_owned(),
    };
    let best = validation.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
    let all: Vec<&Series> = [&train, &validation].into_iter().filter(|series| !series.is_empty()).collect();
    let text = svg(|root| {
        let mut chart = axes(root, &title, ["step", unit], [steps(&all), heights(&all)], 7)?;
        if !train.is_empty() {
            let line = LineSeries::new(train.iter().copied(), BLUE.mix(0.8).stroke_width(1));
            chart.draw_series(line)?.label("training, as it is trained").legend(sample(BLUE));
        }
        let line = LineSeries::new(validation.iter().copied(), ORANGE.stroke_width(2));
        chart.draw_series(line)?.label("validation").legend(sample(ORANGE));
        if let Some(best) = best {
            let name = format!("best: {:.3} at step {:.0}", best.1, best.0);
            chart
                .draw_series([Circle::new(best, 4, ORANGE.filled())])?
                .label(name)
                .legend(|(x, y)| Circle::new((x + 9, y), 4, ORANGE.filled()));
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })?;
    Ok(Some(text))
}

/// The terms of the training loss, where there are several.
pub(super) fn terms(subject: &Subject<'_>) -> Result<Option<String>> {
    let mut terms: BTreeMap<&str, Series> = BTreeMap::new();
    for line in subject.lines {
        let Line::Train(line) = line else { continue };
        for (name, &value) in line.terms.iter().filter(|(_, value)| value.is_finite()) {
            terms.entry(name).or_default().push((line.step as f64, value));
        }
    }
    if terms.len() < 2 || terms.values().all(|series| series.len() < 2) {
        return Ok(None);
    }
    let all: Vec<&Series> = terms.values().collect();
    let text = svg(|root| {
        let names = ["step", "mean over a window of steps"];
        let mut chart = axes(root, "Terms of the training loss", names, [steps(&all), heights(&all)], 7)?;
        for (place, (name, series)) in terms.iter().enumerate() {
            let color = color_of(place);
            let line = LineSeries::new(series.iter().copied(), color.stroke_width(2));
            chart
                .draw_series(line)?
                .label(*name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3)));
        }
        let zero: Drawn = match heights(&all) {
            range if range.contains(&0.0) => {
                let line = [(steps(&all).start, 0.0), (steps(&all).end, 0.0)];
                chart.draw_series(LineSeries::new(line, GREY.stroke_width(1)))?;
                Ok(())
            }
            _ => Ok(()),
        };
        zero?;
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })?;
    Ok(Some(text))
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

fn steps(all: &[&Series]) -> Range<f64> {
    0.0..all.iter().copied().flatten().map(|point| point.0).fold(1.0, f64::max)
}

/// From the lowest value to the highest; what the first steps are far above all others is cut off.
fn heights(all: &[&Series]) -> Range<f64> {
    let late = |series: &&Series| series.get(series.len() / 2..).unwrap_or_default().to_vec();
    let late: Vec<f64> = all.iter().flat_map(late).map(|point| point.1).collect();
    let low = all.iter().copied().flatten().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let range =
        |values: &[f64]| values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let (late_low, late_high) = range(&late);
    let top = all.iter().copied().flatten().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let high = top.min(late_high + 3.0 * (late_high - late_low).max(1e-9));
    with_room([low, high.max(low)].into_iter())
}
