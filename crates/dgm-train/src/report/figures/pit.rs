//! Where the targets fall in their predictive distributions: evenly, if these are right.

use super::{BLUE, GREY, axes, legend, svg};
use crate::error::{Error, Result};
use crate::measure::{Subject, predicted_numbers};
use dgm_core::estimate::pit_histogram;
use plotters::prelude::*;

/// Bins at the most; of few examples there are fewer, ten to each.
const MOST_BINS: usize = 20;

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let Some(pit) = predicted_numbers(subject)? else { return Ok(None) };
    let failed = |error| Error::run(format!("the PIT cannot be drawn: {error}: the model is not usable"));
    let bins = (pit.len() / 10).clamp(5, MOST_BINS);
    let counts = pit_histogram(&pit, bins).map_err(failed)?;
    let (n, width) = (pit.len() as f64, 1.0 / bins as f64);
    let density = |count: usize| count as f64 / n / width;
    // Of a calibrated model each bin is binomial.
    let error = 1.96 * (width * (1.0 - width) / n).sqrt() / width;
    let most = counts.iter().map(|&count| density(count)).fold(1.0 + error, f64::max);
    let text = svg(|root| {
        let names = ["P(Y ≤ y | x): where the target falls in its predicted distribution", "density"];
        let title =
            format!("PIT of {} test examples: high in the middle, too wide; at the ends, too narrow", pit.len());
        let mut chart = axes(root, &title, names, [0.0..1.0, 0.0..most * 1.2], 6)?;
        chart.draw_series(counts.iter().enumerate().map(|(bin, &count)| {
            let left = bin as f64 * width;
            Rectangle::new([(left + 0.002, 0.0), (left + width - 0.002, density(count))], BLUE.mix(0.7).filled())
        }))?;
        let band = [(0.0, (1.0 - error).max(0.0)), (1.0, 1.0 + error)];
        chart
            .draw_series([Rectangle::new(band, GREY.mix(0.25).filled())])?
            .label("95 % of bins, if the model is right")
            .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], GREY.mix(0.25).filled()));
        chart.draw_series(LineSeries::new([(0.0, 1.0), (1.0, 1.0)], GREY.stroke_width(1)))?;
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })?;
    Ok(Some(text))
}
