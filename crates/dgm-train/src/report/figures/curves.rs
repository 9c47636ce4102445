//! Losses over the steps of training: of training and validation, and the terms of the loss apart.

use super::{Axes, BLUE, Drawn, GREY, ORANGE, axes, color_of, legend, sample, svg};
use crate::error::Result;
use crate::measure::Subject;
use crate::report::series::{Losses, PER_EXAMPLE, Series, heights, lowest, steps, terms as terms_of, within};
use plotters::prelude::*;
use std::ops::Range;

/// Training and validation losses, in nats where both are of a likelihood.
pub(super) fn losses(subject: &Subject<'_>) -> Result<Option<String>> {
    let losses = Losses::of(subject.lines);
    let train = if losses.share_a_unit() { losses.train } else { Series::new() };
    let (validation, unit) = (losses.validation, losses.validation_unit);
    if train.len() + validation.len() < 3 {
        return Ok(None);
    }
    let (_, split) = subject.reported();
    let title = match unit {
        Some(PER_EXAMPLE) => {
            format!("Learning curves; 1 nat per example is {:.4} bits per dimension", split.bits_per_dim(1.0))
        }
        _ => "Learning curves".to_owned(),
    };
    let best = lowest(&validation);
    let all: Vec<&Series> = [&train, &validation].into_iter().filter(|series| !series.is_empty()).collect();
    let range = heights(&all);
    let text = svg(|root| {
        let mut chart = axes(root, &title, ["step", unit.unwrap_or("loss")], [steps(&all), range.clone()], 7)?;
        if !train.is_empty() {
            let style = BLUE.mix(0.8).stroke_width(1);
            line(&mut chart, &train, &range, style, "training, as it is trained", sample(BLUE))?;
        }
        line(&mut chart, &validation, &range, ORANGE.stroke_width(2), "validation", sample(ORANGE))?;
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
    let terms = terms_of(subject.lines);
    if terms.len() < 2 || terms.values().all(|series| series.len() < 2) {
        return Ok(None);
    }
    let all: Vec<&Series> = terms.values().collect();
    let range = heights(&all);
    // Those of a text are of windows, not of symbols.
    let unit = Losses::of(subject.lines).train_unit.map(|_| PER_EXAMPLE);
    let text = svg(|root| {
        let names = ["step", unit.unwrap_or("mean over a window of steps")];
        let mut chart = axes(root, "Terms of the training loss", names, [steps(&all), range.clone()], 7)?;
        for (place, (name, series)) in terms.iter().enumerate() {
            let color = color_of(place);
            let sample = move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3));
            line(&mut chart, series, &range, color.stroke_width(2), name, sample)?;
        }
        if range.contains(&0.0) {
            let line = [(steps(&all).start, 0.0), (steps(&all).end, 0.0)];
            chart.draw_series(LineSeries::new(line, GREY.stroke_width(1)))?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })?;
    Ok(Some(text))
}

/// A curve, as far as it is within the axes.
fn line<'b>(
    chart: &mut Axes<'_, 'b>,
    series: &Series,
    range: &Range<f64>,
    style: ShapeStyle,
    name: &str,
    sample: impl Fn((i32, i32)) -> PathElement<(i32, i32)> + 'static,
) -> Drawn {
    let parts = within(series, range).into_iter().map(|part| PathElement::new(part, style));
    chart.draw_series(parts)?.label(name).legend(sample);
    Ok(())
}
