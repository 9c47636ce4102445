//! How strange are these examples beside those that a model should know? Two histograms over one axis.

use super::{BLUE, GREY, ORANGE, axes, legend, svg};
use crate::error::{Error, Result};
use dgm_core::estimate::Auroc;
use plotters::prelude::*;
use std::ops::Range;

/// Bins over the whole axis at most; of few examples there are fewer.
const MOST_BINS: usize = 60;

/// The histogram of a statistic in nats over examples that were scored, beside that of validation examples, with the share of pairs of which the
/// scored example is the stranger one (AUROC), and a line where flags begin if that is on the axis. The axis goes a tenth further than from the
/// first to the last hundredth of each part; what lies beyond is in its outermost bins, and the axis says so.
///
/// # Errors
/// No example, or one whose statistic is not a number.
pub(crate) fn draw(name: &str, validation: &[f64], scored: &[f64], threshold: Option<f64>) -> Result<String> {
    let both: Vec<f64> = validation.iter().chain(scored).copied().collect();
    let is_scored: Vec<bool> = (0..both.len()).map(|at| at >= validation.len()).collect();
    let auroc = Auroc::of(&both, &is_scored)
        .map_err(|error| Error::run(format!("the scores cannot be drawn: {error}: score other rows")))?;
    let ends: Vec<Range<f64>> = [validation, scored].into_iter().filter_map(shown).collect();
    let low = ends.iter().map(|range| range.start).reduce(f64::min).unwrap_or_default();
    let high = ends.iter().map(|range| range.end).reduce(f64::max).unwrap_or_default();
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
    let few = validation.len().min(scored.len()) as f64;
    let bins = (2.0 * few.sqrt()).clamp(20.0, MOST_BINS as f64).round();
    let width = (high - low) / bins;
    let parts = [("validation", validation, BLUE), ("scored", scored, ORANGE)];
    let shares = parts.map(|(.., values, _)| histogram(values, low, width, bins as usize));
    let most = shares.iter().flatten().copied().fold(0.0, f64::max);
    svg(|root| {
        let title = format!(
            "AUROC {:.4} ± {:.4} of the scored against the validation examples",
            auroc.area, auroc.standard_error
        );
        let beyond = if both.iter().any(|value| !(low..=high).contains(value)) {
            "; the outermost bars are of all beyond"
        } else {
            ""
        };
        let names = [format!("{name} in nats; larger is stranger{beyond}"), "share of the examples, %".into()];
        let mut chart = axes(root, &title, names.each_ref().map(String::as_str), [low..high, 0.0..most * 1.35], 6)?;
        for ((what, values, color), shares) in parts.iter().zip(&shares) {
            let bar = |(bin, &share): (usize, &f64)| {
                let left = low + bin as f64 * width;
                Rectangle::new([(left, 0.0), (left + width, share)], color.mix(0.5).filled())
            };
            let color = *color;
            chart
                .draw_series(shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(bar))?
                .label(format!("{} {what} {}", values.len(), if values.len() == 1 { "example" } else { "examples" }))
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], color.mix(0.5).filled()));
        }
        if let Some(threshold) = threshold.filter(|threshold| (low..high).contains(threshold)) {
            let line = [(threshold, 0.0), (threshold, most * 1.35)];
            chart
                .draw_series(LineSeries::new(line, GREY.stroke_width(2)))?
                .label("flagged above")
                .legend(super::sample(GREY));
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// Where nearly all of them lie: from the first to the last hundredth, and a tenth more on either side; `None`: none is finite.
fn shown(values: &[f64]) -> Option<Range<f64>> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let at = |share: f64| finite.get((share * finite.len().saturating_sub(1) as f64).round() as usize).copied();
    let (least, low, high, most) = (at(0.0)?, at(0.01)?, at(0.99)?, at(1.0)?);
    let room = 0.1 * (high - low);
    Some((low - room).max(least)..(high + room).min(most))
}

/// The share of the values in each bin, in percent; what is outside is in the first or the last.
fn histogram(values: &[f64], low: f64, width: f64, bins: usize) -> Vec<f64> {
    let mut shares = vec![0.0; bins];
    for value in values {
        // Infinity is in the last bin too.
        let bin = ((value - low) / width).clamp(0.0, (bins - 1) as f64) as usize;
        if let Some(share) = shares.get_mut(bin) {
            *share += 100.0 / values.len() as f64;
        }
    }
    shares
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{draw, histogram, shown};

    #[test]
    fn every_value_is_in_a_bin() {
        let values = [-5.0, 0.0, 0.5, 0.99, 7.0, f64::INFINITY];
        let shares = histogram(&values, 0.0, 0.05, 20);
        assert!((shares.iter().sum::<f64>() - 100.0).abs() < 1e-9);
        assert!((shares[0] - 100.0 / 3.0).abs() < 1e-9 && (shares[19] - 50.0).abs() < 1e-9, "{shares:?}");
    }

    #[test]
    fn a_few_far_values_do_not_stretch_the_axis() {
        let values: Vec<f64> = (0..1000).map(f64::from).chain([1e9, f64::INFINITY]).collect();
        let range = shown(&values).unwrap();
        assert!(range.start == 0.0 && (990.0..1200.0).contains(&range.end), "{range:?}");
    }

    #[test]
    fn values_that_are_all_the_same_are_drawn() {
        let text = draw("surprisal", &[2.0; 5], &[2.0; 3], Some(2.0)).unwrap();
        assert!(text.contains("AUROC 0.5000") && text.contains("5 validation examples"), "{text}");
        assert!(draw("surprisal", &[1.0], &[], None).is_err());
        // What is infinite does not move the axis either.
        assert_eq!(shown(&[f64::INFINITY]), None);
    }
}
