//! Rows of a table as numbers: what is missing, what is a category, and how each cell enters an example.

use std::sync::Arc;

use super::Missing;
use super::select::Parts;
use crate::data::names::{ColumnKind, ColumnSpec};
use crate::data::store::Store;
use crate::data::table::{CellKind, Column, Table};
use crate::error::{Error, Result};

/// Digits behind the point that a column of decimals may have; of more, all are written.
const MOST_DECIMALS: u8 = 9;

/// A column as a part of every example.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    column: usize,
    pub(super) spec: ColumnSpec,
    /// Of a category or a label: the number that each of the column's levels has.
    places: Option<Vec<usize>>,
}

/// The rows of a table as numbers of these features.
#[derive(Debug)]
pub(super) struct TableRows {
    pub(super) table: Arc<Table>,
    pub(super) features: Vec<Feature>,
}

impl Store for TableRows {
    fn append(&self, row: usize, _: u64, numbers: &mut Vec<f64>) -> Result<()> {
        for feature in &self.features {
            feature.spec.append(feature.value(&self.table, row), numbers);
        }
        Ok(())
    }
}

impl Feature {
    /// A number, or the number of a level; `None` where the cell is missing.
    fn value(&self, table: &Table, row: usize) -> Option<f64> {
        let column = table.columns().get(self.column)?;
        match &self.places {
            Some(places) => places.get(column.level(row)?).map(|&place| place as f64),
            None => column.number(row),
        }
    }

    /// Whether the cell of a row is missing.
    pub(super) fn is_missing(&self, table: &Table, row: usize) -> bool {
        self.value(table, row).is_none()
    }

    /// Number of levels of a column of the target; 0 where it holds numbers.
    pub(super) fn levels(&self) -> usize {
        match &self.spec.kind {
            ColumnKind::Word { levels } => levels.len(),
            ColumnKind::Boolean { .. } => 2,
            _ => 0,
        }
    }

    /// Whether the column is one of numbers, which have units.
    pub(super) fn has_units(&self) -> bool {
        self.places.is_none()
    }

    /// The distance that the numbers of these rows are whole multiples of, from the first on, where they are a grid: whole numbers, and those that
    /// were rounded to a digit.
    pub(super) fn step(&self, table: &Table, rows: &[usize]) -> Option<f64> {
        let column = table.columns().get(self.column)?;
        if !matches!(self.spec.kind, ColumnKind::Integer | ColumnKind::Number { .. }) {
            return None;
        }
        let values = || rows.iter().filter_map(|&row| column.number(row));
        if let Some(step) = binary_step(values()) {
            return Some(step);
        }
        // Of decimals the multiples of their last digit are whole.
        let unit = 10f64.powi(i32::from(digits_of(values())?));
        binary_step(values().map(|value| (value * unit).round())).map(|step| step / unit)
    }

    /// A column of the condition. What is known of its cells is what the training rows hold.
    pub(super) fn of_condition(table: &Table, column: &Column, impute: bool, train: &[usize]) -> Self {
        let has_missing = impute && column.missing > 0;
        if column.kind != CellKind::Category {
            let name = name_of(column);
            let values = || train.iter().filter_map(|&row| column.number(row));
            // From the first, so that a mean of large numbers keeps its digits.
            let mean = || {
                let origin = values().next().unwrap_or(0.0);
                origin + values().map(|value| value - origin).sum::<f64>() / values().count().max(1) as f64
            };
            let kind = kind_of(table, column);
            return Self {
                column: column.index,
                spec: ColumnSpec { name, kind, imputed: has_missing.then(mean) },
                places: None,
            };
        }
        let mut counts = vec![0usize; column.levels().len()];
        for level in train.iter().filter_map(|&row| column.level(row)) {
            if let Some(count) = counts.get_mut(level) {
                *count += 1;
            }
        }
        let known = counts.iter().filter(|&&count| count > 0).count();
        let mut next = 0;
        let place = |&count: &usize| {
            next += usize::from(count > 0);
            if count > 0 { next - 1 } else { known }
        };
        let places: Vec<usize> = counts.iter().map(place).collect();
        let levels =
            column.levels().iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(level, _)| level.clone());
        // The first of those that are as frequent.
        let most = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count).map_or(0, |(level, _)| level);
        let mode = places.get(most).map_or(0.0, |&place| place as f64);
        Self {
            column: column.index,
            spec: ColumnSpec {
                name: name_of(column),
                kind: ColumnKind::Category { levels: levels.collect() },
                imputed: has_missing.then_some(mode),
            },
            places: Some(places),
        }
    }

    /// A column of the target, alone or among others: numbers, or words as the numbers of their levels.
    pub(super) fn of_target(table: &Table, column: &Column) -> Self {
        let is_word = column.kind == CellKind::Category;
        let kind = match is_word {
            true => ColumnKind::Word { levels: column.levels().to_vec() },
            false => kind_of(table, column),
        };
        let spec = ColumnSpec { name: name_of(column), kind, imputed: None };
        Self { column: column.index, spec, places: is_word.then(|| (0..column.levels().len()).collect()) }
    }

    /// The column of a label whose cells are names, with the class of each: all of them are classes.
    pub(super) fn of_words(column: &Column, places: Vec<usize>) -> Self {
        let spec = ColumnSpec { name: name_of(column), kind: ColumnKind::Label, imputed: None };
        Self { column: column.index, spec, places: Some(places) }
    }

    /// The column of a label whose cells are the numbers of classes.
    pub(super) fn of_labels(column: &Column) -> Self {
        let spec = ColumnSpec { name: name_of(column), kind: ColumnKind::Label, imputed: None };
        Self { column: column.index, spec, places: None }
    }
}

/// The column's name, also where it has none.
pub(super) fn name_of(column: &Column) -> String {
    column.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| format!("column {}", column.index))
}

fn kind_of(table: &Table, column: &Column) -> ColumnKind {
    match column.kind {
        CellKind::Date(format) | CellKind::DateTime(format) | CellKind::Time(format) => ColumnKind::Time { format },
        CellKind::Integer => ColumnKind::Integer,
        CellKind::Boolean => {
            let word = |value: f64| {
                let level = (0..table.rows()).find(|&row| column.number(row) == Some(value));
                level.and_then(|row| column.word(row)).unwrap_or_default().to_owned()
            };
            ColumnKind::Boolean { words: [word(0.0), word(1.0)] }
        }
        _ => ColumnKind::Number { decimals: decimals(table, column) },
    }
}

/// Cells of a grid at the most: of more the step is that of the numbers' last bits.
const MOST_CELLS: f64 = (1u64 << 30) as f64;

/// The greatest number that all differences are whole multiples of, bit for bit: neither a unit that is a power of two nor an offset changes it. Of
/// decimals, which are no such multiples, `None`.
fn binary_step(mut values: impl Iterator<Item = f64>) -> Option<f64> {
    let first = values.next()?;
    let (mut step, mut range) = (0.0f64, 0.0f64);
    for value in values {
        // A remainder of two floats is exact.
        let (mut a, mut b) = (step, (value - first).abs());
        range = range.max(b);
        while b > 0.0 {
            (a, b) = (b, a % b);
        }
        step = a;
    }
    (step > 0.0 && range / step <= MOST_CELLS).then_some(step)
}

/// Digits behind the point, where all cells have few of them.
fn decimals(table: &Table, column: &Column) -> Option<u8> {
    digits_of((0..table.rows()).filter_map(|row| column.number(row)))
}

/// Digits behind the point, where all of these have few of them.
fn digits_of(values: impl Iterator<Item = f64>) -> Option<u8> {
    let whole = |value: f64, digits: u8| {
        let scaled = value * 10f64.powi(i32::from(digits));
        (scaled - scaled.round()).abs() <= 4.0 * f64::EPSILON * scaled.abs()
    };
    let mut digits = 0;
    for value in values {
        while !whole(value, digits) {
            digits += 1;
            if digits > MOST_DECIMALS {
                return None;
            }
        }
    }
    Some(digits)
}

/// The rows that may be used, and what was done about those that may not, in words.
///
/// # Errors
/// Cells that are missing, where nothing says what to do about them.
pub(super) fn kept_rows(table: &Table, parts: &Parts, missing: Missing) -> Result<(Vec<usize>, Vec<String>)> {
    let is_missing = |index: &usize, row: usize| {
        table.columns().get(*index).is_some_and(|column| column.number(row).is_none() && column.level(row).is_none())
    };
    let used: Vec<&Column> =
        parts.target.iter().chain(&parts.condition).filter_map(|&index| table.columns().get(index)).collect();
    let all = 0..table.rows();
    let count = |index: &usize| all.clone().filter(|&row| is_missing(index, row)).count();
    let counts: Vec<(usize, usize)> = used.iter().map(|column| (column.index, count(&column.index))).collect();
    let holes = |columns: &[usize]| {
        let of_these = counts.iter().filter(|(index, n)| *n > 0 && columns.contains(index));
        let named = of_these.filter_map(|(index, n)| Some(format!("{} {n}", name_of(table.columns().get(*index)?))));
        named.collect::<Vec<_>>().join(", ")
    };
    if counts.iter().all(|(_, n)| *n == 0) {
        return Ok((all.collect(), Vec::new()));
    }
    let without = |columns: &[usize]| -> Vec<usize> {
        all.clone().filter(|&row| !columns.iter().any(|index| is_missing(index, row))).collect()
    };
    let everything = [&parts.target[..], &parts.condition].concat();
    let dropped = |kept: &[usize], columns: &[usize], what: &str| match table.rows() - kept.len() {
        0 => None,
        n => Some(format!(
            "{n} of {} rows left out: {what} cell is missing (missing cells: {})",
            table.rows(),
            holes(columns)
        )),
    };
    match missing {
        Missing::Error => {
            let first = all.clone().find_map(|row| {
                let column = used.iter().find(|column| is_missing(&column.index, row))?;
                Some((row, *column))
            });
            let Some((row, column)) = first else { return Ok((all.collect(), Vec::new())) };
            Err(Error::input(format!(
                "{}:{}: {}: the cell is missing (missing cells: {}); expected a value in every cell that is used; set data.missing = \
                 \"drop\" to leave such rows out, data.missing = \"impute\" to fill in the mean or the most frequent word, \"keep\" to model \
                 several targets of which some are missing, or name the column in data.exclude",
                table.name(),
                table.line(row),
                column.title(),
                holes(&everything)
            )))
        }
        Missing::Drop => {
            let kept = without(&everything);
            let sentence = dropped(&kept, &everything, "a");
            Ok((kept, sentence.into_iter().collect()))
        }
        Missing::Impute | Missing::Keep => {
            // A row without any value of the target says nothing of it.
            let says_something = |row: &usize| parts.target.iter().any(|index| !is_missing(index, *row));
            let (kept, mut sentences) = match missing {
                Missing::Keep => {
                    let kept: Vec<usize> = all.clone().filter(says_something).collect();
                    let sentence = dropped(&kept, &parts.target, "every target's");
                    let holes = holes(&parts.target);
                    let modelled = (!holes.is_empty()).then(|| {
                        format!("missing cells of the target stay missing: the density is that of the others ({holes})")
                    });
                    (kept, sentence.into_iter().chain(modelled).collect::<Vec<String>>())
                }
                _ => {
                    let kept = without(&parts.target);
                    let sentence = dropped(&kept, &parts.target, "the target's");
                    (kept, sentence.into_iter().collect())
                }
            };
            let filled = holes(&parts.condition);
            if !filled.is_empty() {
                sentences.push(format!(
                    "missing cells of the condition filled in with the mean, or the most frequent word, of the training rows, and one \
                     more input says which ({filled})"
                ));
            }
            Ok((kept, sentences))
        }
    }
}
