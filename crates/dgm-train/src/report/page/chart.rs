//! A chart of curves over steps: an SVG of lines that stretches with the page, and its numbers as text beside it, which does not.

use crate::report::series::{Series, heights, lowest, steps};
use maud::{Markup, html};
use serde::Serialize;
use std::fmt::Write;
use std::ops::Range;

/// Width and height of the SVG's own coordinates.
const SIDE: f64 = 1000.0;

/// Points of a curve at most: of more, each is the mean of its share.
const MOST: usize = 1000;

/// Curves with no more points than this have a dot at each.
const DOTTED: usize = 120;

/// One curve of a chart.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Series,
    /// Its colour, counted over all.
    pub(super) color: usize,
    /// Whether its lowest point counts: a validation.
    pub(super) validation: bool,
}

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) unit: String,
    pub(super) curves: Vec<Curve>,
}

/// What the script reads.
#[derive(Serialize)]
struct Data {
    name: String,
    end: f64,
    curves: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    color: String,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Chart {
    /// As HTML; nothing where there is no point.
    pub(super) fn draw(&self) -> Markup {
        let curves: Vec<&Curve> = self.curves.iter().filter(|curve| !curve.points.is_empty()).collect();
        let all: Vec<&Series> = curves.iter().map(|curve| &curve.points).collect();
        if all.is_empty() {
            return html! {};
        }
        // A little room for the last dot.
        let x = 0.0..1.015 * steps(&all).end;
        let y = heights(&all);
        let thinned: Vec<(&Curve, Series)> = curves.iter().map(|curve| (*curve, thinned(&curve.points))).collect();
        let is_thinned = all.iter().any(|points| points.len() > MOST);
        let data = Data { name: self.title.clone(), end: x.end, curves: thinned.iter().map(shown).collect() };
        let [x_ticks, y_ticks] = [ticks(&x, 5), ticks(&y, 5)];
        html! {
            figure {
                figcaption { (self.title) " " span.small { (self.unit) } }
                @if curves.len() > 1 || curves.iter().any(|curve| curve.validation) {
                    ul.legend {
                        @for curve in &curves {
                            li class=(color(curve)) { span.key {} (curve.name) (best(curve)) }
                        }
                    }
                }
                div.plot data-curves=(serde_json::to_string(&data).unwrap_or_default()) {
                    svg role="img" aria-label=(self.told(&curves)) viewBox={ "0 0 " (SIDE) " " (SIDE) } preserveAspectRatio="none" {
                        @for (place, _) in &y_ticks { path.grid d={ "M0 " (number(SIDE * (1.0 - place))) "H" (SIDE) } {} }
                        @for (curve, points) in &thinned { (line(curve, points, &x, &y)) }
                    }
                    @for (place, label) in &x_ticks { span.tick.x aria-hidden="true" style={ "left:" (number(100.0 * place)) "%" } { (label) } }
                    @for (place, label) in &y_ticks {
                        span.tick.y aria-hidden="true" style={ "top:" (number(100.0 * (1.0 - place))) "%" } { (label) }
                    }
                    span.axis aria-hidden="true" { "step" }
                }
                @if is_thinned { p.small { "Each point is the mean of its share of the lines in metrics.jsonl." } }
            }
        }
    }

    /// What the curves show, in words.
    fn told(&self, curves: &[&Curve]) -> String {
        let one = |curve: &&Curve| {
            let ends = curve.points.first().zip(curve.points.last());
            let ends = ends.map_or(String::new(), |(first, last)| {
                format!("from {} at step {} to {} at step {}", brief(first.1), first.0, brief(last.1), last.0)
            });
            let best = lowest(&curve.points).filter(|_| curve.validation);
            let best = best.map_or(String::new(), |(step, value)| format!(", lowest {} at step {step}", brief(value)));
            format!("{} {ends}{best}", curve.name)
        };
        format!("{}, {}: {}", self.title, self.unit, curves.iter().map(one).collect::<Vec<_>>().join("; "))
    }
}

fn color(curve: &Curve) -> String {
    format!("s{}", curve.color % 10)
}

/// What a legend says of the best validation.
fn best(curve: &Curve) -> String {
    let best = lowest(&curve.points).filter(|_| curve.validation);
    best.map_or(String::new(), |(step, value)| format!(", lowest {} at step {step}", brief(value)))
}

fn shown((curve, points): &(&Curve, Series)) -> Shown {
    let value = |value: f64| brief(value).parse().unwrap_or(value);
    let (x, y) = points.iter().map(|&(step, loss)| (step.round(), value(loss))).unzip();
    Shown { name: curve.name.clone(), color: color(curve), x, y }
}

/// A line, the dots of a validation and a larger one for the lowest.
fn line(curve: &Curve, points: &Series, x: &Range<f64>, y: &Range<f64>) -> Markup {
    let place = |&(step, loss): &(f64, f64)| {
        let [across, up] = [share(step, x), share(loss, y)].map(|share| SIDE * share);
        // What is cut off leaves the picture, but not by more than a path may hold.
        format!("{} {}", number(across), number((SIDE - up).clamp(-9.0 * SIDE, 9.0 * SIDE)))
    };
    let mut path = String::new();
    let mut dots = String::new();
    for (index, point) in points.iter().enumerate() {
        let _ = write!(path, "{}{}", if index == 0 { 'M' } else { 'L' }, place(point));
        let _ = write!(dots, "M{}h0", place(point));
    }
    let dotted = points.len() == 1 || curve.validation && points.len() <= DOTTED;
    let best = lowest(&curve.points).filter(|_| curve.validation);
    html! {
        g class=(color(curve)) {
            @if points.len() > 1 { path.strong[curve.validation] d=(path) {} }
            @if dotted { path.dots d=(dots) {} }
            @if let Some(best) = best { path.best d={ "M" (place(&best)) "h0" } {} }
        }
    }
}

/// As it is, or a thousand means.
fn thinned(points: &Series) -> Series {
    if points.len() <= MOST {
        return points.clone();
    }
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / n, sum.1 / n)
    };
    points.chunks(points.len().div_ceil(MOST)).map(mean).collect()
}

/// Where a value is within a range, from 0 to 1.
fn share(value: f64, range: &Range<f64>) -> f64 {
    (value - range.start) / (range.end - range.start)
}

/// Round numbers within a range, about so many: where each is, from 0 to 1, and its text.
fn ticks(range: &Range<f64>, about: usize) -> Vec<(f64, String)> {
    let rough = (range.end - range.start) / about as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|&step| step >= rough).unwrap_or(10.0 * power);
    let [first, last] = [(range.start / step).ceil(), (range.end / step).floor()];
    let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    if !(last - first).is_finite() || last - first > 100.0 {
        return Vec::new();
    }
    let tick = |index: usize| {
        // Not −0.
        let value = step * (first + index as f64) + 0.0;
        let text = if value.abs() >= 1e6 { format!("{value:e}") } else { format!("{value:.digits$}") };
        (share(value, range), text)
    };
    (0..=(last - first) as usize).map(tick).collect()
}

/// A coordinate.
fn number(value: f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

/// Five digits at least, for a person.
pub(super) fn brief(value: f64) -> String {
    crate::data::summary::short(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        let labels = |range: Range<f64>| ticks(&range, 5).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(0.0..18_270.0), ["0", "5000", "10000", "15000"]);
        assert_eq!(labels(-0.013..0.052), ["0.00", "0.02", "0.04"]);
        assert_eq!(labels(82.4..84.1), ["82.5", "83.0", "83.5", "84.0"]);
        assert!(labels(f64::NAN..1.0).is_empty());
    }

    #[test]
    fn long_curves_become_means_and_keep_their_lowest_point() {
        let points: Series = (0..2500i32).map(|i| (f64::from(i), f64::from((i - 1200).abs()))).collect();
        assert_eq!(thinned(&points)[0], (1.0, 1199.0));
        assert!(thinned(&points).len() <= MOST);
        let curve = Curve { name: "a\"<b".into(), points, color: 12, validation: true };
        let text = Chart { title: "Loss".into(), unit: "nats".into(), curves: vec![curve] }.draw().into_string();
        assert!(text.contains("lowest 0 at step 1200") && text.contains("class=\"s2\""), "{text}");
        assert!(text.contains("a&quot;&lt;b") && !text.contains("a\"<b"));
    }

    #[test]
    fn no_points_no_chart() {
        let curve = Curve { name: "none".into(), points: Vec::new(), color: 0, validation: false };
        assert_eq!(Chart { title: "Loss".into(), unit: String::new(), curves: vec![curve] }.draw().into_string(), "");
    }
}
