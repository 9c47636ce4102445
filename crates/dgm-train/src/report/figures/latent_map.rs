//! Where the codes of examples lie: two latent variables, or the first two principal components of more, coloured by label.

use super::{Drawn, GREY, axes, color_of, legend, svg, with_room};
use crate::error::Result;
use crate::measure::Subject;
use crate::represent;
use dgm_core::estimate::principal_components;
use plotters::prelude::*;
use std::collections::BTreeMap;

/// More classes have no room in a legend.
const LEGEND: usize = 20;

/// At most so many examples are drawn.
const EXAMPLES: usize = 2000;

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let (_, split) = subject.reported();
    // What is predicted from a condition has figures of its own.
    let predicts = subject.model.conditionals().is_some_and(|conditionals| conditionals.is_independent());
    if subject.model.encoder().is_none() || predicts || split.len() < 2 {
        return Ok(None);
    }
    let rows: Vec<usize> = (0..split.len().min(EXAMPLES)).collect();
    let codes = represent::codes(subject.model, split, &rows, subject.device())?;
    let width = codes.first().map_or(0, Vec::len);
    let (points, names): (Vec<[f64; 2]>, [String; 2]) = match width {
        0 | 1 => return Ok(None),
        2 => {
            let point = |code: &Vec<f64>| [0, 1].map(|i| code.get(i).copied().unwrap_or_default());
            (codes.iter().map(point).collect(), ["z1".into(), "z2".into()])
        }
        _ => {
            let found = principal_components(&codes, 2);
            let share = |i: usize| 100.0 * found.explained.get(i).copied().unwrap_or_default();
            let name = |i: usize, which: &str| {
                format!("{which} principal component of the codes ({:.0} % of their variance)", share(i))
            };
            let point = |row: &Vec<f64>| [0, 1].map(|i| row.get(i).copied().unwrap_or_default());
            (found.scores.iter().map(point).collect(), [name(0, "first"), name(1, "second")])
        }
    };
    let labels = split.labels(&rows, &subject.dataset.names)?;
    let mut groups: BTreeMap<(usize, String), Vec<[f64; 2]>> = BTreeMap::new();
    for (place, point) in points.iter().enumerate() {
        let label = labels.as_ref().and_then(|labels| labels.get(place));
        let key = label.map_or((0, String::new()), |label| (label.class, label.name.clone()));
        groups.entry(key).or_default().push(*point);
    }
    let text = svg(|root| {
        let title = format!("Codes of {} test examples", points.len());
        let [mut x, y] = [0, 1].map(|i: usize| with_room(points.iter().filter_map(|point| point.get(i).copied())));
        let named = groups.len() > 1;
        if named && groups.len() <= LEGEND {
            // Room for the legend beside the points.
            x.end += 0.22 * (x.end - x.start);
        }
        let ranges = [x, y];
        let mut chart = axes(root, &title, [&names[0], &names[1]], ranges, 7)?;
        for ((class, name), points) in &groups {
            let color = if named { color_of(*class) } else { GREY.to_rgba() };
            let dots = points.iter().map(|[x, y]| Circle::new((*x, *y), 2, color.mix(0.7).filled()));
            let series = chart.draw_series(dots)?;
            if named && groups.len() <= LEGEND {
                series.label(name).legend(move |(x, y)| Circle::new((x + 9, y), 4, color.filled()));
            }
        }
        if named && groups.len() <= LEGEND {
            legend(&mut chart, SeriesLabelPosition::UpperRight)?;
        }
        Drawn::Ok(())
    })?;
    Ok(Some(text))
}
