//! What each column of the condition is worth to the model: how much less probable the targets are where its cells are those of other rows
//! (permutation importance; Breiman 2001, "Random forests", section 10).

use super::{BLUE, axes, svg, with_room};
use crate::error::Result;
use crate::measure::{Subject, host};
use burn::tensor::Tensor;
use dgm_core::estimate::Mean;
use dgm_core::random::Seed;
use dgm_models::{Batch, Density};
use plotters::prelude::*;

/// Columns that are drawn, the most important ones.
const MOST: usize = 25;

/// Permutations of each column.
const REPEATS: u64 = 3;

/// Examples that a column is measured on, at the most.
const MOST_EXAMPLES: usize = 5000;

pub(super) fn draw(subject: &Subject<'_>) -> Result<Option<String>> {
    let columns = &subject.dataset.names.condition;
    let exact = subject.model.density().filter(|density| density.estimator().is_exact());
    let (Some(density), true) = (exact, columns.len() > 1) else { return Ok(None) };
    let mut found = Vec::with_capacity(columns.len());
    let base = nats(subject, density, None)?;
    let mut start = 0;
    for column in columns {
        let places = start..start + column.width();
        start = places.end;
        let mut more = vec![0.0; base.len()];
        for repeat in 0..REPEATS {
            let permuted = nats(subject, density, Some((places.clone(), repeat)))?;
            let each = permuted.iter().zip(&base).map(|(with, without)| (with - without) / REPEATS as f64);
            more.iter_mut().zip(each).for_each(|(sum, one)| *sum += one);
        }
        found.push((column.name.clone(), Mean::of(&more)));
    }
    found.sort_by(|(_, a), (_, b)| b.mean.total_cmp(&a.mean));
    found.truncate(MOST);
    let n = found.len();
    let ends = |(_, mean): &(String, Mean)| [0.0, mean.mean - mean.standard_error, mean.mean + mean.standard_error];
    let range = with_room(found.iter().flat_map(ends));
    let text = svg(|root| {
        let (left, right) = root.split_horizontally(150);
        let title = "Permutation importance of each column, test split";
        let names = ["nats that the NLL rises by when the cells are shuffled", ""];
        let mut chart = axes(&right, title, names, [range.clone(), 0.0..n as f64], 0)?;
        for (rank, (name, mean)) in found.iter().enumerate() {
            let middle = (n - rank) as f64 - 0.5;
            let bar = [(0.0, middle - 0.35), (mean.mean, middle + 0.35)];
            chart.draw_series([Rectangle::new(bar, BLUE.mix(0.7).filled())])?;
            let whisker = [-1.0, 1.0].map(|side| (mean.mean + side * mean.standard_error, middle));
            chart.draw_series([PathElement::new(whisker.to_vec(), BLACK.stroke_width(1))])?;
            let (_, y) = chart.backend_coord(&(0.0, middle));
            let short: String = name.chars().take(20).collect();
            let style = ("sans-serif", 13).into_text_style(&left).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Right,
                plotters::style::text_anchor::VPos::Center,
            ));
            left.draw_text(&short, &style, (190, y))?;
        }
        Ok(())
    })?;
    Ok(Some(text))
}

/// −log p of test examples, where these places of the condition, if any, are those of other examples.
fn nats(
    subject: &Subject<'_>,
    density: &dyn Density,
    permuted: Option<(std::ops::Range<usize>, u64)>,
) -> Result<Vec<f64>> {
    let (_, split) = subject.reported();
    let n = split.len().min(MOST_EXAMPLES);
    let others: Vec<usize> = match &permuted {
        Some((_, repeat)) => Seed(0).stream("permutation", *repeat).permutation(n),
        None => Vec::new(),
    };
    let mut all = Vec::with_capacity(n);
    let mut noise = Seed(0).stream("evaluation", 0);
    for first in (0..n).step_by(1024) {
        let rows: Vec<usize> = (first..n.min(first + 1024)).collect();
        let batch = split.unaugmented(&rows, subject.device())?;
        let batch = match (&permuted, &batch.condition) {
            (Some((places, _)), Some(condition)) => {
                let rows: Vec<usize> = rows.iter().filter_map(|&row| others.get(row).copied()).collect();
                let other = split.unaugmented(&rows, subject.device())?.condition;
                let [n, width] = condition.dims();
                let parts = [0..places.start, places.clone(), places.end..width];
                let part = |(index, places): (usize, std::ops::Range<usize>)| {
                    let of = if index == 1 { other.as_ref()? } else { condition };
                    (!places.is_empty()).then(|| of.clone().slice([0..n, places]))
                };
                let parts = parts.into_iter().enumerate().filter_map(part).collect();
                Batch { condition: Some(Tensor::cat(parts, 1)), ..batch }
            }
            _ => batch,
        };
        all.extend(host(density.log_prob(&batch, &mut noise)).iter().map(|log_prob| -log_prob));
    }
    Ok(all)
}
