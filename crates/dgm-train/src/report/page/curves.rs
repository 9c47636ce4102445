//! Which curves a page draws: losses of one run, its terms apart, or the validation losses of several runs.

use super::chart::{Chart, Curve, brief};
use super::run::RunPage;
use crate::metrics::Line;
use crate::report::series::{Losses, Series, terms};
use maud::{Markup, html};

/// Where colours begin of training and of validation, and of terms.
const TRAIN: usize = 0;
const VALIDATION: usize = 1;
const TERM: usize = 0;

/// The curves of one run; of an ensemble those of its members.
pub(super) fn of_run(run: &RunPage) -> Markup {
    if !run.members.is_empty() {
        return validations(&[run]);
    }
    let losses = Losses::of(&run.lines);
    if losses.train.is_empty() && losses.validation.is_empty() && terms(&run.lines).is_empty() {
        return html! { p { "No metrics yet." } };
    }
    let curve = |name: &str, points: Series, color, validation| Curve { name: name.into(), points, color, validation };
    let shared = losses.share_a_unit();
    let (train, apart) = if shared { (losses.train, Series::new()) } else { (Series::new(), losses.train) };
    let values = values(&losses.validation);
    let both = Chart {
        title: if train.is_empty() { "Validation loss" } else { "Loss" }.into(),
        unit: losses.validation_unit.unwrap_or_default().into(),
        curves: vec![curve("training", train, TRAIN, false), curve("validation", losses.validation, VALIDATION, true)],
    };
    let own = Chart {
        title: "Training loss".into(),
        unit: losses.train_unit.unwrap_or_default().into(),
        curves: vec![curve("training", apart, TRAIN, false)],
    };
    let terms = terms(&run.lines);
    let term = |(name, points): (&str, Series)| Chart {
        title: name.into(),
        unit: String::new(),
        curves: vec![curve(name, points, TERM, false)],
    };
    let count = terms.len();
    let terms: Vec<Chart> = terms.into_iter().map(term).collect();
    html! {
        (both.draw())
        (own.draw())
        @if count > 1 {
            h3 { "Terms of the training loss" }
            p.small { "Means over windows of steps." }
            div.charts { @for chart in &terms { (chart.draw()) } }
        }
        (values)
        (nonfinite(&run.lines))
    }
}

/// The validation losses as a table, for who reads numbers.
fn values(points: &Series) -> Markup {
    if points.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            caption { "Validation losses" }
            thead { tr { th scope="col" { "Step" } th scope="col" { "Loss" } } }
            tbody { @for (step, loss) in points { tr { th scope="row" { (step) } td.number data-value=(loss) { (brief(*loss)) } } } }
        }
    };
    html! { details { summary { "Validation losses as a table" } (table) } }
}

/// Losses and gradients that were not finite.
fn nonfinite(lines: &[Line]) -> Markup {
    let found: Vec<_> =
        lines.iter().filter_map(|line| if let Line::Nonfinite(line) = line { Some(line) } else { None }).collect();
    let Some(first) = found.first() else { return html! {} };
    html! {
        div.note {
            p {
                (found.len()) " times a loss or a gradient was not finite, first " (first.term) " (" (first.value) ") at step "
                (first.at_step) "; what was done: " (first.action) "."
            }
        }
    }
}

/// The validation losses of several runs, laid over each other: one chart for each kind of data, target and unit, as others share no axis.
pub(super) fn validations(runs: &[&RunPage]) -> Markup {
    let mut charts: Vec<(_, Chart)> = Vec::new();
    let mut color = 0;
    for run in runs {
        let alone = runs.len() == 1;
        let own = std::iter::once((run.name.clone(), &run.lines));
        let members = run.members.iter().enumerate().map(|(index, lines)| {
            let name = if alone { format!("member {index}") } else { format!("{}, member {index}", run.name) };
            (name, lines)
        });
        for (name, lines) in own.chain(members) {
            let Losses { validation: points, validation_unit, .. } = Losses::of(lines);
            if points.is_empty() {
                continue;
            }
            let of = &run.provenance;
            let key = (validation_unit, &of.data_sha256, of.spec.shape, of.spec.levels());
            let curve = Curve { name, points, color, validation: true };
            color += 1;
            match charts.iter_mut().find(|(other, _)| *other == key) {
                Some((_, chart)) => chart.curves.push(curve),
                None => {
                    let unit = validation_unit.unwrap_or("in each model's own unit");
                    let unit = if alone { unit.to_owned() } else { format!("{unit}, {}", of.data) };
                    charts.push((key, Chart { title: "Validation loss".into(), unit, curves: vec![curve] }));
                }
            }
        }
    }
    html! {
        @if charts.is_empty() { p { "No validation loss: the models have none, or there are no metrics yet." } }
        @for (_, chart) in &charts { (chart.draw()) }
    }
}
