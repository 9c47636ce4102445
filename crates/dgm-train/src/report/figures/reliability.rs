//! How often a label is right, by the probability that it is given.

use super::{BLUE, Drawn, GREY, ORANGE, axes, legend, sample, svg};
use crate::error::Result;
use crate::measure::{Subject, predicted_labels};
use dgm_core::estimate::{Reliability, ReliabilityBin};
use plotters::prelude::*;

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let Some([before, after]) = predicted_labels(subject)? else { return Ok(None) };
    let text = svg(|root| {
        let (upper, lower) = root.split_vertically(310);
        let title = format!(
            "Reliability on the test split: ECE {:.1} %, after temperature scaling {:.1} %",
            100.0 * before.expected_calibration_error(),
            100.0 * after.expected_calibration_error()
        );
        let mut chart = axes(&upper, &title, ["", "share that is right"], [0.0..1.0, 0.0..1.0], 6)?;
        chart
            .draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], GREY.stroke_width(1)))?
            .label("perfect")
            .legend(sample(GREY));
        for (table, color, name) in [(&before, BLUE, "the model"), (&after, ORANGE, "after temperature scaling")] {
            bins(&mut chart, table, color, name)?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
        let total = before.bins.iter().map(|bin| bin.accuracy.n).sum::<usize>().max(1) as f64;
        let share = |bin: &ReliabilityBin| bin.accuracy.n as f64 / total;
        let most = before.bins.iter().map(share).fold(0.0, f64::max);
        let names = ["probability of the most probable label", "rows"];
        let mut below = axes(&lower, "", names, [0.0..1.0, 0.0..most * 1.1], 3)?;
        let bars = before.bins.iter().filter(|bin| bin.accuracy.n > 0);
        below.draw_series(
            bars.map(|bin| Rectangle::new([(bin.lower, 0.0), (bin.upper, share(bin))], BLUE.mix(0.6).filled())),
        )?;
        Ok(())
    })?;
    Ok(Some(text))
}

/// A point for each bin that holds rows, with a standard error to both sides.
fn bins(chart: &mut super::Axes<'_, '_>, table: &Reliability, color: RGBColor, name: &str) -> Drawn {
    let held: Vec<&ReliabilityBin> = table.bins.iter().filter(|bin| bin.accuracy.n > 0).collect();
    let place = |bin: &ReliabilityBin| (bin.confidence, bin.accuracy.mean);
    chart
        .draw_series(LineSeries::new(held.iter().map(|bin| place(bin)), color.stroke_width(2)))?
        .label(name)
        .legend(sample(color));
    chart.draw_series(held.iter().map(|bin| Circle::new(place(bin), 4, color.filled())))?;
    chart.draw_series(held.iter().filter(|bin| bin.accuracy.standard_error.is_finite()).map(|bin| {
        let (x, y, error) = (bin.confidence, bin.accuracy.mean, bin.accuracy.standard_error);
        PathElement::new(vec![(x, (y - error).max(0.0)), (x, (y + error).min(1.0))], color.mix(0.6).stroke_width(1))
    }))?;
    Ok(())
}
