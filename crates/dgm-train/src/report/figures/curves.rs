//! Losses over the steps of training: of training and validation, and the terms of the loss apart.

use super::{BLUE, Drawn, GREY, ORANGE, axes, color_of, legend, sample, svg};
use crate::error::Result;
use crate::measure::Subject;
use crate::report::series::{Losses, Series, heights, lowest, steps, terms as terms_of};
use plotters::prelude::*;

/// Training and validation losses, in nats where both are of a likelihood.
pub(super) fn losses(subject: &Subject<'_>) -> Result<Option<String>> {
    let losses = Losses::of(subject.lines);
    let train = if losses.share_a_unit() { losses.train } else { Series::new() };
    let (validation, nats) = (losses.validation, losses.validation_nats);
    if train.len() + validation.len() < 3 {
        return Ok(None);
    }
    let (_, split) = subject.reported();
    let unit = if nats { "nats per example" } else { "loss" };
    let title = match nats {
        true => format!("Learning curves; 1 nat per example is {:.4} bits per dimension", split.bits_per_dim(1.0)),
        false => "Learning curves".to_owned(),
    };
    let best = lowest(&validation);
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
    let terms = terms_of(subject.lines);
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
