//! Samples as a CSV file: names above, every number as the table has it.

use crate::data::{Label, Names, Split};
use crate::error::{Error, Result};

/// A CSV of samples `[n][event]`, each row led by the condition that it was sampled with, where there is one: example `i` of
/// `conditions` for sample `i`, again and again. Without names it is the numbers alone, with no header.
///
/// # Errors
/// Conditions that cannot be read any more.
pub fn csv(samples: &[Vec<f64>], names: &Names, conditions: &Split) -> Result<Vec<u8>> {
    let cannot = |error: ::csv::Error| Error::run(format!("the samples cannot be written as CSV: {error}"));
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let Names { target, condition, classes, .. } = names;
    if !target.is_empty() {
        writer.write_record(Names::header(&[condition, target])).map_err(cannot)?;
    }
    for (i, x) in samples.iter().enumerate() {
        let mut cells = match &conditions.condition {
            Some(field) if !condition.is_empty() => {
                let row = field.read(&[i % field.len().max(1)], 0)?;
                Names::cells(condition, row.row(0), classes)
            }
            _ => Vec::new(),
        };
        match target.is_empty() {
            true => cells.extend(x.iter().map(f64::to_string)),
            false => cells.extend(Names::cells(target, x, classes)),
        }
        writer.write_record(&cells).map_err(cannot)?;
    }
    writer.into_inner().map_err(|error| Error::run(format!("the samples cannot be written as CSV: {error}")))
}

/// A CSV of codes with the names of their numbers, led by the label of each example where it is known.
///
/// # Errors
/// Memory that is full.
pub fn codes(codes: &[Vec<f64>], names: &[String], labels: Option<&[Label]>) -> Result<Vec<u8>> {
    let cannot = |error: ::csv::Error| Error::run(format!("the codes cannot be written as CSV: {error}"));
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let label = labels.map(|_| "label".to_owned());
    writer.write_record(label.iter().chain(names)).map_err(cannot)?;
    for (row, code) in codes.iter().enumerate() {
        let label = labels.and_then(|labels| labels.get(row)).map(|label| label.name.clone());
        writer.write_record(label.into_iter().chain(code.iter().map(f64::to_string))).map_err(cannot)?;
    }
    writer.into_inner().map_err(|error| Error::run(format!("the codes cannot be written as CSV: {error}")))
}

/// A CSV of examples `[n][event]`, each led by what it is: `of` names these columns, `what` has a row for each example. Without names the numbers
/// are called `x1`, `x2`, ….
///
/// # Errors
/// Memory that is full.
pub fn described(of: &[&str], what: &[Vec<String>], examples: &[Vec<f64>], names: &Names) -> Result<Vec<u8>> {
    let cannot = |error: ::csv::Error| Error::run(format!("the examples cannot be written as CSV: {error}"));
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let header = match names.target.is_empty() {
        true => (1..=examples.first().map_or(0, Vec::len)).map(|i| format!("x{i}")).collect(),
        false => Names::header(&[&names.target]),
    };
    writer.write_record(of.iter().map(|&name| name.to_owned()).chain(header)).map_err(cannot)?;
    for (what, x) in what.iter().zip(examples) {
        let cells = match names.target.is_empty() {
            true => x.iter().map(f64::to_string).collect(),
            false => Names::cells(&names.target, x, &names.classes),
        };
        writer.write_record(what.iter().cloned().chain(cells)).map_err(cannot)?;
    }
    writer.into_inner().map_err(|error| Error::run(format!("the examples cannot be written as CSV: {error}")))
}
