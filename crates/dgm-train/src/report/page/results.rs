//! The results of a run as tables: rounded for people, with the digits of `result.json` beside them for programs.

use super::scrolling;
use crate::error::{Error, Result};
use crate::evaluate::{MemberMetric, Members, Results};
use crate::measure::{Metric, TokenMetrics};
use maud::{Markup, html};
use serde_json::Value;
use std::path::Path;

/// Results, and the file's own digits of their numbers.
pub(super) struct Written {
    pub(super) results: Results,
    /// The file with its numbers as text.
    digits: Value,
}

impl Written {
    /// Of the bytes of a run's `result.json`.
    pub(super) fn of(run: &Path, bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let refuse = |error: serde_json::Error| {
            Error::input(format!("{}: {error}; restore it as the run wrote it", run.join("result.json").display()))
        };
        Ok(Self {
            results: serde_json::from_str(&text).map_err(refuse)?,
            digits: serde_json::from_str(&numbers_as_text(&text)).map_err(refuse)?,
        })
    }

    /// The digits of the number at this place, where there is one.
    fn digits(&self, place: &str) -> Option<&str> {
        self.digits.pointer(place).and_then(Value::as_str)
    }

    /// The digits of a metric's value and of its standard error.
    pub(super) fn digits_of(&self, index: usize) -> [Option<&str>; 2] {
        ["value", "standard_error"].map(|key| self.digits(&format!("/metrics/{index}/{key}")))
    }
}

/// JSON with every number as a string: what reads it as a number may round the last digit.
fn numbers_as_text(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 4);
    let (mut in_string, mut escaped, mut in_number) = (false, false, false);
    for c in json.chars() {
        let is_number = !in_string && (c == '-' || c.is_ascii_digit() || in_number && "+.eE".contains(c));
        if is_number != in_number {
            text.push('"');
            in_number = is_number;
        }
        text.push(c);
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
    }
    if in_number {
        text.push('"');
    }
    text
}

/// A value ± its standard error, with the digits of both.
pub(super) fn cell(metric: &Metric, [value, error]: [Option<&str>; 2]) -> Markup {
    let rounded = metric.rounded();
    html! {
        td.number role="cell" data-value=[value] data-standard-error=[error] {
            (rounded.value)
            @if let Some(error) = rounded.error { span.error { " ± " (error) } }
        }
    }
}

/// All results of a run of this name.
pub(super) fn tables(name: &str, written: &Written) -> Markup {
    let results = &written.results;
    let indexed = || results.metrics.iter().enumerate();
    let has_bits = results.metrics.iter().any(|metric| metric.bits_per_dim.is_some());
    let mut splits: Vec<&str> = Vec::new();
    indexed().for_each(|(_, metric)| {
        if !splits.contains(&metric.split.as_str()) {
            splits.push(&metric.split);
        }
    });
    let row = |(index, metric): (usize, &Metric)| {
        html! {
            tr role="row" data-measure=(metric.measure) data-split=(metric.split) {
                th scope="row" role="rowheader" { (metric.quantity) }
                (cell(metric, written.digits_of(index)))
                td role="cell" { (metric.rounded().unit) }
                @if has_bits {
                    td.number role="cell" data-label="bits/dim" data-value=[written.digits(&format!("/metrics/{index}/bits_per_dim"))] {
                        @if let Some(bits) = metric.bits_per_dim { (format!("{bits:.4}")) }
                    }
                }
                td.number role="cell" data-label="examples" { (metric.examples) }
                td.words role="cell" { (metric.estimator) }
            }
        }
    };
    let columns = ["Quantity", "Value", "Unit", "Bits/dim", "Examples", "Estimator"];
    let columns: Vec<&str> = columns.into_iter().filter(|column| has_bits || *column != "Bits/dim").collect();
    // A narrow screen lays the cells out anew, and some readers then ask for the roles that a table has by itself.
    let table = html! {
        table.results role="table" {
            caption { "Value ± standard error over examples" }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in &columns { th scope="col" role="columnheader" { (column) } }
                }
            }
            @for split in &splits {
                tbody role="rowgroup" {
                    tr role="row" { th scope="rowgroup" role="rowheader" colspan=(columns.len()) { (split) " split" } }
                    @for indexed in indexed().filter(|(_, metric)| metric.split == *split) { (row(indexed)) }
                }
            }
        }
    };
    html! {
        @if results.metrics.is_empty() { p { "Nothing to measure: the model has no density." } }
        @else { (scrolling(&format!("Table of the results of {name}"), table)) }
        (tokens(name, written))
        @if let Some(members) = &results.members { (of_members(name, members)) }
        (remarks(results))
    }
}

/// What is to be known beside the numbers.
fn remarks(results: &Results) -> Markup {
    let all = [("Warning", &results.warnings), ("Note", &results.notes), ("Transform", &results.transforms)];
    html! {
        @if let Some(entropy) = results.entropy {
            p { "Entropy of the data's distribution: " (format!("{entropy:.4}")) " nats per example; no NLL is lower on average." }
        }
        @for (kind, sentences) in all { @for sentence in sentences { p { strong { (kind) ": " } (sentence) "." } } }
    }
}

/// Likelihoods for each token of a text.
fn tokens(name: &str, written: &Written) -> Markup {
    let of_token = |(index, metric)| -> Option<(usize, &Metric, &TokenMetrics)> {
        let metric: &Metric = metric;
        Some((index, metric, metric.per_token.as_ref()?))
    };
    let rows: Vec<_> = written.results.metrics.iter().enumerate().filter_map(of_token).collect();
    let Some((_, _, TokenMetrics { token, estimator, .. })) = rows.first() else { return html! {} };
    let number = |index: usize, key: [&str; 2], value: f64, error: f64| {
        let [value_digits, error_digits] = key.map(|key| written.digits(&format!("/metrics/{index}/per_token/{key}")));
        html! {
            td.number data-value=[value_digits] data-standard-error=[error_digits] {
                (format!("{value:.4}")) @if !error.is_nan() { span.error { (format!(" ± {error:.4}")) } }
            }
        }
    };
    let table = html! {
        table {
            caption { "For each " (token) ": " (estimator) }
            thead {
                tr {
                    th scope="col" { "Quantity" }
                    th scope="col" { "Split" }
                    th scope="col" { "Nats/" (token) }
                    th scope="col" { "Bits/" (token) }
                    th scope="col" { "Perplexity" }
                    th scope="col" { "Scored" }
                }
            }
            tbody {
                @for (index, metric, of) in &rows {
                    tr {
                        th scope="row" { (metric.quantity) }
                        td { (metric.split) }
                        (number(*index, ["nats_per_token", "standard_error"], of.nats_per_token, of.standard_error))
                        (number(*index, ["bits_per_token", "bits_standard_error"], of.bits_per_token, of.bits_standard_error))
                        (number(*index, ["perplexity", "perplexity_standard_error"], of.perplexity, of.perplexity_standard_error))
                        td.number { (of.tokens) }
                    }
                }
            }
        }
    };
    scrolling(&format!("Results of {name} for each {token}"), table)
}

/// The members of an ensemble by themselves.
fn of_members(name: &str, members: &Members) -> Markup {
    let row = |MemberMetric { mean, lowest, highest }: &MemberMetric| {
        html! {
            tr {
                th scope="row" { (mean.quantity) }
                td { (mean.split) }
                (cell(mean, [None; 2]))
                td { (mean.unit) }
                td.number { (format!("{lowest:.4}")) }
                td.number { (format!("{highest:.4}")) }
                td.words { (mean.estimator) }
            }
        }
    };
    let table = html! {
        table {
            caption { "The " (members.count) " members by themselves: mean ± its standard error over seeds" }
            thead {
                tr {
                    @for column in ["Quantity", "Split", "Mean", "Unit", "Lowest", "Highest", "Estimator"] { th scope="col" { (column) } }
                }
            }
            tbody { @for metric in &members.metrics { (row(metric)) } }
        }
    };
    scrolling(&format!("Members of {name}"), table)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let json = r#"{"a":-1.0e-7,"b":[0.30000000000000004,2],"say \"3\" \\":true,"n":null,"c":"4"}"#;
        let text = numbers_as_text(json);
        assert_eq!(text, r#"{"a":"-1.0e-7","b":["0.30000000000000004","2"],"say \"3\" \\":true,"n":null,"c":"4"}"#);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
        assert_eq!(numbers_as_text("7"), "\"7\"");
    }
}
