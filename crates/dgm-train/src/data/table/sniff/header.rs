//! Whether the first row of a table holds the names of the columns, and what these are.

use std::collections::HashSet;

use super::{Sample, Stamp};
use crate::data::table::dialect::Comment;
use crate::data::table::missing::Missing;
use crate::data::table::number::Style;

/// What the first row is.
pub(super) struct FirstRow {
    pub(super) is_header: bool,
    /// Why it could be the other, where the rows below do not settle it.
    pub(super) doubt: Option<&'static str>,
}

impl FirstRow {
    fn sure(is_header: bool) -> Self {
        Self { is_header, doubt: None }
    }
}

/// Whether the first row is a header.
pub(super) fn recognise_header(sample: &Sample, style: Style, missing: &Missing<'_>) -> FirstRow {
    let typed = |cell: &str| style.parse(cell).is_some() || Stamp::parse(cell).is_some();
    // What a configuration calls a missing value may be a name that the file repeats among its rows.
    let nameless = Missing::new(&[]);
    let Some(first) = sample.rows.first().map(|row| &row.cells) else { return FirstRow::sure(false) };
    let width = sample.width;
    if first.len() != width && !(first.len() == width + 1 && first.last().is_some_and(String::is_empty)) {
        // One name less than cells, as R writes row names.
        let names = first.len() + 1 == width && first.iter().all(|cell| !typed(cell) && !nameless.contains(cell));
        return FirstRow::sure(names && sample.rows.len() > 1);
    }
    // pandas and R write the rows' numbers below an empty cell.
    let rows = || sample.column(0).enumerate();
    let numbered = first.first().is_some_and(String::is_empty)
        && rows().all(|(row, cell)| cell.parse().is_ok_and(|n: usize| n == row || n == row + 1));
    let (mut yes, mut no, mut typed_columns) = (0, 0, 0);
    // Files that were put together have their header again and again.
    let again = sample.may_repeat_header(style);
    for (index, name) in first.iter().take(width).enumerate().skip(usize::from(numbered)) {
        let (mut all, mut good) = (0, 0);
        let mut numbers = 0;
        for cell in sample.column(index).filter(|cell| !missing.contains(cell) && (!again || *cell != name)) {
            all += 1;
            good += usize::from(typed(cell));
            numbers += usize::from(style.parse(cell).is_some());
        }
        if all == 0 || 20 * good < 19 * all {
            continue;
        }
        typed_columns += 1;
        // Dates above numbers are names, as a table has them that is wide.
        let date_above = style.parse(name).is_none() && typed(name) && 20 * numbers >= 19 * all;
        if typed(name) && !date_above {
            no += 1;
        } else if !nameless.contains(name) {
            yes += 1;
        }
    }
    if counts(first) && !sample.rows.get(1).is_some_and(|row| counts(&row.cells)) {
        return FirstRow::sure(true);
    }
    if years_above_others(first, sample) {
        return FirstRow::sure(true);
    }
    if let Some(header) = whole_numbers_above_decimals(first, sample, missing) {
        return header;
    }
    if yes > 0 {
        const BOTH: &str = "the first line has words above some columns of numbers or dates, and none above others";
        return FirstRow { is_header: yes > no, doubt: (no > 0).then_some(BOTH) };
    }
    // Delimiters at the ends of all rows make empty columns.
    let empty = |index: usize, name: &str| name.is_empty() && sample.column(index).all(str::is_empty);
    let names: Vec<(usize, &str)> = first.iter().map(String::as_str).take(width).enumerate().collect();
    let names: Vec<_> = names.into_iter().skip(usize::from(numbered)).filter(|&(i, name)| !empty(i, name)).collect();
    if typed_columns > 0 || names.is_empty() {
        return FirstRow::sure(false);
    }
    let distinct = names.iter().map(|(_, name)| name).collect::<HashSet<_>>().len() == names.len();
    let words = names.iter().all(|(_, name)| !nameless.contains(name) && !typed(name));
    if sample.rows.len() < 2 {
        // A table without rows has its names.
        return FirstRow::sure(distinct && words && names.len() > 1);
    }
    let apart = names.iter().all(|&(index, name)| sample.column(index).all(|cell| cell != name));
    // A name is in no row below; a word that rows share is in many.
    let shared = |&(index, _): &(usize, &str)| {
        let different = sample.column(index).collect::<HashSet<_>>().len();
        4 * different <= sample.column(index).count()
    };
    let is_header = distinct && words && apart;
    let settled = if is_header { numbered || names.iter().any(shared) } else { !apart };
    const WORDS: &str = "no column has numbers or dates, which would tell a header from a row";
    FirstRow { is_header, doubt: (!settled).then_some(WORDS) }
}

/// Whole numbers above columns of decimals, as pandas names columns 0, 1, … and people name them by years; `None`: there are none.
fn whole_numbers_above_decimals(first: &[String], sample: &Sample, missing: &Missing<'_>) -> Option<FirstRow> {
    let numbers: Vec<u64> = first.iter().map(|cell| cell.parse().ok()).collect::<Option<_>>()?;
    let distinct = numbers.iter().collect::<HashSet<_>>().len() == numbers.len();
    let decimals = |index: usize| {
        let cells = || sample.column(index).filter(|cell| !missing.contains(cell));
        10 * cells().filter(|cell| cell.parse::<i64>().is_err()).count() >= 9 * cells().count().max(1)
    };
    let counted = numbers.iter().enumerate().all(|(index, &number)| number == index as u64);
    const COUNTED: &str = "the first line counts 0, 1, …, as pandas names columns";
    // By chance that is so in a few rows.
    let many = sample.rows.len() > 10;
    match (numbers.len() > 1 && many && distinct && (0..numbers.len()).all(decimals), counted) {
        (true, _) => Some(FirstRow::sure(true)),
        (false, true) => Some(FirstRow { is_header: false, doubt: Some(COUNTED) }),
        _ => None,
    }
}

/// Years in a row, above numbers none of which could be one.
fn years_above_others(first: &[String], sample: &Sample) -> bool {
    let year = |cell: &str| cell.parse().ok().filter(|year| (1500..2200).contains(year));
    let years: Vec<i64> = first.iter().map_while(|cell| year(cell)).collect();
    let in_a_row = years.windows(2).all(|pair| matches!(pair, [a, b] if b - a == 1));
    let others = || (0..sample.width).flat_map(|index| sample.column(index));
    years.len() == first.len()
        && years.len() > 1
        && in_a_row
        && sample.rows.len() > 2
        && others().all(|cell| year(cell).is_none())
}

/// Names that count: 0, 1, … after an empty cell, or years in a row after words.
fn counts(cells: &[String]) -> bool {
    let number = |cell: &String| cell.parse::<i64>().ok();
    let numbers: Vec<i64> = cells.iter().filter_map(number).collect();
    let steps = numbers.windows(2).all(|pair| matches!(pair, [a, b] if *b == a.saturating_add(1)));
    let Some(first) = cells.first().filter(|first| number(first).is_none()) else { return false };
    let years = numbers.iter().all(|year| (1500..2200).contains(year));
    let from_zero = first.is_empty() && numbers.len() + 1 == cells.len() && numbers.first() == Some(&0);
    numbers.len() >= 2 && steps && (from_zero || (years && !first.is_empty()))
}

/// The names of a header row, one for each cell of the rows below.
pub(super) fn names_of(cells: &[String], sample: &Sample) -> Option<Vec<String>> {
    let mut names = cells.to_vec();
    let width = sample.width;
    if names.len() + 1 == width {
        // Either every row ends with a delimiter, or the first column is R's row names.
        let ends = sample.column(width - 1).all(str::is_empty);
        names.insert(if ends { names.len() } else { 0 }, String::new());
    } else if names.len() == width + 1 && names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    (names.len() == width).then_some(names)
}

/// The names in a comment right above the first row.
pub(super) fn names_above(sample: &Sample, style: Style) -> Option<Vec<String>> {
    let (_, comment) = sample.comment.as_ref()?;
    let names = Sample::new(comment, true, sample.delimiter, &Comment::default());
    let names = names.rows.into_iter().next()?.cells;
    let words = names.iter().all(|name| !name.is_empty() && style.parse(name).is_none());
    (names.len() == sample.width && words).then_some(names)
}
