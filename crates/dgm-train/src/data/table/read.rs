//! Reads a table in one pass: a part of the text at a time, each cell straight into its column.

use std::collections::HashMap;

use super::build::{Builder, Reading};
use super::column::{CellKind, Column};
use super::dialect::{Auto, Comment, Decimal, Dialect, Options, Thousands};
use super::lexer::{Lexer, Step};
use super::lines::Lines;
use super::missing::Missing;
use super::number::Style;
use super::sniff::{Evidence, TableLayout, sniff};
use super::{DateOrder, IsWords, Table};
use crate::data::encoding::{Choice, Text, TextEncoding};
use crate::data::file::FileReader;
use crate::error::{Error, Result};

/// Bytes from which the dialect is recognised, if they hold some lines.
const SAMPLE: usize = 256 << 10;

/// Lines that a sample has at least.
const SAMPLE_LINES: usize = 8;

/// The longest row.
const LONGEST: usize = 16 << 20;

/// What an earlier pass found out too late.
#[derive(Default)]
struct Hints {
    passes: usize,
    evidence: Evidence,
    /// Columns in which the day comes first, and those in which it does not.
    day_first: HashMap<usize, bool>,
}

/// Reads a table from what `open` opens, perhaps more than once; all of its text is shown to `look` once.
pub(super) fn read<'a>(
    open: impl Fn() -> Result<FileReader<'a>>,
    options: &Options,
    words: &IsWords<'_>,
    look: &mut dyn FnMut(&str),
) -> Result<Table> {
    check(options)?;
    let mut hints = Hints::default();
    loop {
        let table = match hints.passes {
            0 => pass(&mut open()?, options, words, &mut hints, look)?,
            _ => pass(&mut open()?, options, words, &mut hints, &mut |_| ())?,
        };
        if let Some(table) = table {
            return Ok(table);
        }
    }
}

/// A sign cannot mean two things.
fn check(options: &Options) -> Result<()> {
    let clash = match (options.decimal, options.thousands) {
        (Auto::Set(Decimal::Comma), Auto::Set(Thousands::Comma)) => Some(','),
        (Auto::Set(Decimal::Point), Auto::Set(Thousands::Point)) => Some('.'),
        _ => None,
    };
    match clash {
        None => Ok(()),
        Some(sign) => Err(Error::input(format!(
            "data.thousands: found \"{sign}\", which is data.decimal too; expected two different signs; set one of them to \
             \"auto\""
        ))),
    }
}

/// A text that is read, and the part of it that is in memory.
struct Input<'s, 'a, 'l> {
    text: Text<'s, 'a>,
    buffer: String,
    /// Nothing follows the buffer.
    whole: bool,
    look: &'l mut dyn FnMut(&str),
}

impl Input<'_, '_, '_> {
    fn more(&mut self) -> Result<()> {
        let known = self.buffer.len();
        self.whole = !self.text.read(&mut self.buffer)?;
        (self.look)(self.buffer.get(known..).unwrap_or_default());
        Ok(())
    }
}

/// `None`: the hints say more now, and another pass is needed.
fn pass(
    source: &mut FileReader<'_>,
    options: &Options,
    words: &IsWords<'_>,
    hints: &mut Hints,
    look: &mut dyn FnMut(&str),
) -> Result<Option<Table>> {
    hints.passes += 1;
    let (name, length) = (source.name().to_owned(), source.length());
    let fail = |line: usize, message: String| Error::input(format!("{name}:{line}: {message}"));
    let text = Text::new(source, Choice::Key(options.encoding.set()))?;
    let mut input = Input { text, buffer: String::new(), whole: false, look };
    let lines = |buffer: &str| buffer.matches(['\n', '\r']).take(SAMPLE_LINES).count();
    while !input.whole
        && input.buffer.len() <= LONGEST
        && (input.buffer.len() < SAMPLE || lines(&input.buffer) < SAMPLE_LINES)
    {
        input.more()?;
    }
    not_a_table(&name, &input.buffer)?;
    let sample = (input.buffer.clone(), input.whole);
    let layout = sniff(&sample.0, sample.1, options, &hints.evidence);

    let reading = Reading { style: layout.style, missing: Missing::new(&options.missing_values) };
    let name_of = |index: usize| layout.names.as_ref().and_then(|names| names.get(index)).map(String::as_str);
    let mut builders: Vec<Builder> = (0..layout.width)
        .map(|index| Builder::new(hints.day_first.get(&index).copied(), words(index, name_of(index))))
        .collect();
    let mut lexer = Lexer::new(layout.delimiter, layout.comment.start());
    if layout.skip > 0 {
        lexer.pass_line();
    }
    let (mut at, mut header) = (layout.skip, layout.first_row);
    let mut lines = Lines::default();
    // The first line that repeats the header, and how many do.
    let mut repeated: Option<(usize, usize)> = None;
    // Rows that there is room for, and rows that the file may hold.
    let (mut room, mut estimate) = (0, 0);
    loop {
        let rest = input.buffer.get(at..).unwrap_or_default();
        match lexer.next(rest, input.whole) {
            Step::Row(end) => {
                let record = &lexer.record;
                let first = std::mem::take(&mut header);
                // Files that were put together have their header again and again.
                let again = !first
                    && layout.repeats
                    && layout
                        .names
                        .as_ref()
                        .is_some_and(|names| record.cells(rest).eq(names.iter().map(String::as_str)));
                if again {
                    repeated.get_or_insert((record.line, 0)).1 += 1;
                } else if !first {
                    if record.len() != layout.width {
                        return Err(fail(record.line, ragged(record.len(), record.line, &layout)));
                    }
                    let rows = lines.rows();
                    if rows >= room {
                        room = if estimate > rows { estimate.min(4 * rows + 1) } else { rows + rows / 2 + 1 };
                    }
                    lines.push(record.line);
                    for (cell, builder) in record.cells(rest).zip(&mut builders) {
                        builder.push(cell, room, &reading, &lines);
                    }
                }
                at += end;
            }
            Step::More(done) => {
                input.buffer.drain(..at + done);
                at = 0;
                if input.buffer.len() > LONGEST {
                    return Err(fail(
                        lexer.line(),
                        "found a row of more than 16 MiB; expected rows of cells; close the quote that is open in it, \
                         or set data.delimiter to what stands between the cells"
                            .into(),
                    ));
                }
                if let (Some(length), passed @ 1..) = (length, input.text.passed()) {
                    estimate = (lines.rows() as f64 * 1.02 * length as f64 / passed as f64) as usize + 16;
                }
                input.more()?;
            }
            Step::End => break,
            Step::Open(line) => {
                return Err(fail(
                    line,
                    "found a quote that opens a cell and is never closed; close it, or double it (\"\") and quote the \
                     cell where it belongs to the text"
                        .into(),
                ));
            }
        }
    }
    let rows = lines.rows();
    if rows == 0 {
        let found = if layout.first_row { "a header and no row below it" } else { "no row" };
        return Err(Error::input(format!(
            "{name}: found {found}; expected a table, one row for each example; name another file, or put rows there"
        )));
    }

    let mut names = layout.names.clone();
    let mut notes = vec![format!("delimiter {}", layout.delimiter.name())];
    notes.extend(layout.notes.iter().cloned());
    let mut doubts = layout.doubts.clone();
    let named =
        |names: &Option<Vec<String>>| names.as_ref().and_then(|names| names.last()).is_some_and(|n| !n.is_empty());
    let mut left_out = 0;
    while builders.len() > 1 && builders.last().is_some_and(Builder::is_bare) && !named(&names) {
        builders.pop();
        names.iter_mut().for_each(|names| drop(names.pop()));
        left_out += 1;
    }
    let mut names = names.map(Vec::into_iter);
    let mut columns = Vec::with_capacity(builders.len());
    let (mut evidence, mut again) = (Evidence::new(), false);
    for (index, builder) in builders.into_iter().enumerate() {
        let built = builder.finish(names.as_mut().and_then(Iterator::next), index, &reading, &lines);
        let column = built.column;
        if let Some(day_first) = built.day_first.filter(|_| !hints.day_first.contains_key(&index)) {
            hints.day_first.insert(index, day_first);
            again = true;
        }
        if let (CellKind::Integer | CellKind::Number, Some(odd)) = (column.kind, &column.odd) {
            evidence.insert(index, odd.texts.clone());
        }
        if let Some(century) = two_digit_years(&column) {
            doubts.push(century);
        }
        if built.open {
            let how = if order(column.kind) == Some(DateOrder::MonthFirst) { "month" } else { "day" };
            doubts.push(format!(
                "{}: no date tells day from month: read with the {how} first; write dates as 2024-12-31 if not",
                column.title()
            ));
        }
        columns.push(column);
    }
    doubts.extend(total_row(&columns, &lines));
    // Later numbers may show what stands between thousands.
    if !evidence.is_empty()
        && hints.evidence.is_empty()
        && sniff(&sample.0, sample.1, options, &evidence).style != layout.style
    {
        hints.evidence = evidence;
        again = true;
    }
    if again && hints.passes < 3 {
        return Ok(None);
    }
    let encoding = input.text.encoding();
    if layout.style.decimal == Decimal::Comma {
        notes.push("decimal comma".into());
    }
    if layout.style.thousands != Thousands::None {
        notes.push(format!("{} between thousands", layout.style.thousands.name()));
    }
    if encoding != "UTF-8" {
        notes.push(encoding.into());
    }
    if lexer.comments > 0 {
        let lines = if lexer.comments == 1 { "line" } else { "lines" };
        notes.push(format!("{} comment {lines} (`{}`) skipped", lexer.comments, layout.comment.start()));
    }
    match repeated {
        None => {}
        Some((line, 1)) => notes.push(format!("line {line} repeats the header: left out")),
        Some((line, n)) => notes.push(format!("{n} lines repeat the header, the first line {line}: left out")),
    }
    match left_out {
        0 => {}
        1 => notes.push("an empty last column left out: every row ends with a delimiter".into()),
        n => notes.push(format!("{n} empty last columns left out: every row ends with delimiters")),
    }
    notes.extend(doubts.iter().cloned());
    let Style { decimal, thousands } = layout.style;
    let comment: Comment = layout.comment.clone();
    let encoding = TextEncoding::named(encoding).unwrap_or(TextEncoding::UTF_8);
    let dialect =
        Dialect { delimiter: layout.delimiter, header: layout.names.is_some(), decimal, thousands, comment, encoding };
    Ok(Some(Table { name, columns, lines, dialect, notes, doubts }))
}

fn order(kind: CellKind) -> Option<DateOrder> {
    match kind {
        CellKind::Date(format) | CellKind::DateTime(format) => format.order(),
        _ => None,
    }
}

/// A sentence about years of two digits that are read as ones after 2040.
fn two_digit_years(column: &Column) -> Option<String> {
    let (CellKind::Date(format) | CellKind::DateTime(format)) = column.kind else { return None };
    // 2040-01-01.
    let future = if format.has_time() { 25_567.0 * 86_400.0 } else { 25_567.0 };
    let mut values = (0..column.rows()).filter_map(|row| column.number(row));
    (format.has_short_years() && values.any(|value| value > future)).then(|| {
        format!(
            "{}: years of two digits are read as 1969 to 2068, which gives dates after 2040: write years with four digits if these are \
             of the century before",
            column.title()
        )
    })
}

/// A sentence about a last row that holds sums, where a word of it says so that no other row has.
fn total_row(columns: &[Column], lines: &Lines) -> Option<String> {
    const WORDS: [&str; 15] = [
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "mean",
        "average",
        "count",
        "gesamt",
        "summe",
        "insgesamt",
        "totaal",
        "totale",
        "suma",
        "somme",
    ];
    let last = lines.rows().checked_sub(1).filter(|&last| last > 1)?;
    let word = columns.iter().find_map(|column| {
        let word = column.word(last).filter(|word| WORDS.contains(&word.to_lowercase().trim_end_matches(':')))?;
        (0..last).all(|row| column.level(row) != column.level(last)).then_some(word)
    })?;
    let line = lines.line(last);
    Some(format!("line {line}, the last, holds `{word}` and is read as a row: delete it if it sums up the others"))
}

/// What to say of a row with another number of cells.
fn ragged(found: usize, line: usize, layout: &TableLayout) -> String {
    let cells = if found == 1 { "cell" } else { "cells" };
    let (expected, delimiter) = (layout.width, layout.delimiter.name());
    let advice = match line < layout.width_line {
        true => "take the lines above the table out, or start each with # and set data.comment = \"#\"",
        false => "fix the line (a cell that holds the delimiter needs quotes)",
    };
    format!(
        "found {found} {cells}; expected {expected} as in line {}; {advice}, or set data.delimiter to what stands between the \
         cells, if not {delimiter}",
        layout.width_line
    )
}

/// Texts that are other things than tables.
fn not_a_table(name: &str, text: &str) -> Result<()> {
    let start = text.get(..2048).unwrap_or(text).trim_start();
    let has = |what: &str| start.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    let (what, advice) = match () {
        () if has("<!doctype html") || has("<html") => {
            ("an HTML page", "download the file itself, not the page that shows it")
        }
        () if has("<?xml") => {
            ("an XML document", "in Python: pandas.read_xml(FILE).to_csv(\"table.csv\", index=False)")
        }
        () if start.starts_with("{\"") || start.starts_with("[{") || start.starts_with("[[") => (
            "JSON",
            "in Python: pandas.read_json(FILE).to_csv(\"table.csv\", index=False), with lines=True where each line is a record",
        ),
        () if text.contains('\0') => {
            ("a file with zero bytes", "set data.encoding = \"utf-16le\" if it is UTF-16, else export the table as CSV")
        }
        () => return Ok(()),
    };
    Err(Error::input(format!("{name}: found {what}; expected a table as CSV or text; {advice}")))
}
