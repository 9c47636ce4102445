//! Tables as people bring them: delimiters, headers, decimal commas and types are recognised or given; columns come out.
//!
//! [`Table::open`] reads a file in one pass: decode → split into records → [`Column`]s, 8 bytes a number and 4 bytes a
//! word. [`Options`] say what is not to be recognised, [`Table::notes`] what was.

mod build;
mod column;
mod date;
mod dialect;
mod lexer;
mod lines;
mod missing;
mod number;
mod profile;
mod read;
mod sniff;
mod words;

use std::path::Path;

use super::file::{Fingerprint, Source};
use crate::error::{Error, Result};
use lines::Lines;

pub use column::{Column, Kind, Odd};
pub use date::{DateFormat, Order};
pub use dialect::{Auto, Comment, Decimal, Delimiter, Dialect, Options, Thousands};
pub use profile::{Profile, profile};

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    lines: Lines,
    dialect: Dialect,
    notes: Vec<String>,
}

impl Table {
    /// Reads a file, plain or gzip, that the key `key` of `[data]` names; the text that it is read from is added to the
    /// fingerprint.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no text, rows with different numbers of cells, and a table without rows.
    pub(crate) fn open(path: &Path, key: &str, options: &Options, fingerprint: &mut Fingerprint) -> Result<Self> {
        let open = || Source::open(path, key, "a table");
        read::read(open, options, &mut |text| fingerprint.update(text.as_bytes()))
    }

    /// Reads a table from memory, plain or gzip; `name` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As for a file.
    pub fn from_bytes(name: &str, bytes: &[u8], options: &Options) -> Result<Self> {
        read::read(|| Ok(Source::from_bytes(name, bytes)), options, &mut |_| ())
    }

    /// The file's name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows, the header not among them.
    pub fn rows(&self) -> usize {
        self.lines.rows()
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The line of the file in which a row starts, from 1 on.
    pub fn line(&self, row: usize) -> usize {
        self.lines.line(row)
    }

    /// How the table is written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// What was recognised, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Why a column cannot be modelled or conditioned on, if so: cells that are not of its type, free text, no values.
    pub fn problem(&self, column: &Column) -> Option<Error> {
        let (name, title, advice) = (&self.name, column.title(), self.exclude(column));
        if let Some(odd) = &column.odd {
            let Odd { line, text, count, texts } = &**odd;
            let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            let more = if *count > 1 { format!(" ({count} such cells)") } else { String::new() };
            return Some(Error::input(format!(
                "{name}:{line}: {title}: found {text:?}{more}; expected {}, as in nearly all rows; fix the cell, set \
                 data.missing_values = [{}] if it stands for a missing value, or {advice}",
                match column.kind {
                    Kind::Integer | Kind::Number => "a finite number",
                    _ => "a date or time written as the others are",
                },
                texts.join(", ")
            )));
        }
        let first = self.line(0);
        match column.kind {
            Kind::Empty => Some(Error::input(format!(
                "{name}:{first}: {title}: found no value in any row; expected values; {advice}"
            ))),
            Kind::Text => {
                let words = match column.levels().len() {
                    0 => "too many different words".to_owned(),
                    words => format!("{words} different words in {} rows", self.rows()),
                };
                Some(Error::input(format!(
                    "{name}:{first}: {title}: found {words}; expected numbers, dates or a few words that rows share; {advice}"
                )))
            }
            _ => None,
        }
    }

    /// How to leave a column out.
    fn exclude(&self, column: &Column) -> String {
        let name = column.name.as_ref().filter(|name| !name.is_empty());
        let alone =
            name.filter(|name| self.columns.iter().filter(|other| other.name.as_ref() == Some(name)).count() == 1);
        match alone {
            Some(name) => format!("leave the column out: data.exclude = [{name:?}]"),
            None => format!("leave the column out: data.exclude = [{}]", column.index),
        }
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod types_tests;
