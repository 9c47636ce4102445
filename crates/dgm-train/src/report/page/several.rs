//! Several runs: compared on the same examples where they can be, otherwise beside each other.

use super::run::RunPage;
use super::{Section, curves, results, scrolling};
use crate::compare::{CompareOptions, Comparison, Shown, compare};
use crate::measure::Metric;
use crate::report::progress::duration_text;
use maud::{Markup, html};
use std::path::PathBuf;

/// The page of several runs.
pub(super) fn page(paths: &[PathBuf], runs: &[RunPage]) -> String {
    let comparison = match compare(paths, &CompareOptions::default()) {
        Ok(comparison) => paired(&comparison, Some(runs)),
        Err(error) => html! {
            div.note { p { "No paired comparison: " (error) "." } }
            (beside(runs))
        },
    };
    let all: Vec<&RunPage> = runs.iter().collect();
    let mut sections = vec![
        Section::new("runs", "Runs", listed(runs)),
        Section::new("comparison", "Comparison", comparison),
        Section::new("curves", "Learning curves", curves::validations(&all)),
    ];
    sections.extend(runs.iter().enumerate().map(|(index, run)| run.section(index)));
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    super::page(&format!("{} runs", runs.len()), &names.join(", "), &sections)
}

/// What and how far each is.
fn listed(runs: &[RunPage]) -> Markup {
    let row = |(index, run): (usize, &RunPage)| {
        let of = &run.listed;
        let validation =
            of.validation.map(|value| format!("{value:.3}{}", if of.validation_nats { " nats" } else { "" }));
        html! {
            tr {
                th scope="row" { a href=(format!("#run-{index}")) { (run.name) } }
                td { (of.state.name()) }
                td { (of.model) }
                td { (of.data) }
                td.number { @if of.epoch == 0 { "–" } @else { (of.epoch) "/" (of.epochs) } }
                td.number data-value=[of.validation] { (validation.unwrap_or_else(|| "–".into())) }
                td.number { (duration_text(of.seconds)) }
            }
        }
    };
    let columns = ["Run", "State", "Model", "Data", "Epoch", "Lowest validation loss", "Training"];
    let table = html! {
        table {
            caption { "State of each run" }
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody { @for run in runs.iter().enumerate() { (row(run)) } }
        }
    };
    scrolling("Table of the runs", table)
}

/// Every quantity, with the differences from the first run; under these runs' names, or those of the comparison.
pub(super) fn paired(comparison: &Comparison, runs: Option<&[RunPage]>) -> Markup {
    let lines = comparison.lines();
    let Some((header, rows)) = lines.split_first() else { return html! {} };
    let own = || header.iter().skip(1).map(|shown| shown.text.clone()).collect();
    let names: Vec<String> = runs.map_or_else(own, |runs| runs.iter().map(|run| run.name.clone()).collect());
    let value = |shown: &Shown| {
        let [value, error] =
            shown.exact.map_or([None, None], |exact| exact.map(|number| number.is_finite().then_some(number)));
        html! { td.number data-value=[value] data-standard-error=[error] { (shown.text) } }
    };
    let table = html! {
        table {
            caption { "Value ± standard error on the test split" }
            thead {
                tr {
                    th scope="col" { "Quantity" }
                    @for name in &names { th scope="col" { (name) } }
                }
            }
            tbody {
                @for row in rows {
                    @if let Some((name, cells)) = row.split_first() {
                        tr { th scope="row" { (name.text) } @for cell in cells { (value(cell)) } }
                    }
                }
            }
        }
    };
    html! {
        (scrolling("Table of the comparison", table))
        p.small { (comparison.remark().trim_end()) "." }
    }
}

/// The test results of each run as it wrote them, in one table: what stands in a line need not be of the same examples.
fn beside(runs: &[RunPage]) -> Markup {
    let key = |metric: &Metric| (metric.measure.clone(), metric.quantity.clone(), metric.unit.clone());
    let tests = |run: &RunPage| -> Vec<(usize, Metric)> {
        let all = run.results.iter().flat_map(|written| written.results.metrics.iter().cloned().enumerate());
        all.filter(|(_, metric)| metric.split == "test").collect()
    };
    let mut keys = Vec::new();
    for (_, metric) in runs.iter().flat_map(tests) {
        if !keys.contains(&key(&metric)) {
            keys.push(key(&metric));
        }
    }
    if keys.is_empty() {
        return html! { p { "None of the runs has results." } };
    }
    let cell = |run: &RunPage, wanted: &(String, String, String)| {
        let found = tests(run).into_iter().find(|(_, metric)| key(metric) == *wanted).zip(run.results.as_ref());
        match found {
            Some(((index, metric), written)) => results::cell(&metric, written.digits_of(index)),
            None => html! { td { "–" } },
        }
    };
    let unit = |unit: &str| crate::measure::shown_unit(unit).to_owned();
    let table = html! {
        table {
            caption { "Test results of each run as it wrote them, not compared: value ± standard error" }
            thead { tr { th scope="col" { "Quantity" } @for run in runs { th scope="col" { (run.name) } } } }
            tbody {
                @for wanted in &keys {
                    tr { th scope="row" { (wanted.1) ", " (unit(&wanted.2)) } @for run in runs { (cell(run, wanted)) } }
                }
            }
        }
    };
    scrolling("Results side by side", table)
}
