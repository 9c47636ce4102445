//! Tables as people bring them: delimiters, headers, decimal commas and types are recognised or given; columns come out.
//!
//! `Table::open` reads a file in one pass: decode → split into records → [`Column`]s, 8 bytes per number and 4 bytes per
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
pub(crate) mod rows;
mod sniff;
mod words;

use std::path::Path;

use super::file::{FileReader, Fingerprint};
use crate::error::{Error, Result};
use lines::Lines;

pub use column::{CellKind, Column, Odd};
pub use date::{DateFormat, DateOrder};
pub use dialect::{Auto, Comment, Decimal, Delimiter, Dialect, Options, Thousands};
pub(crate) use number::write as write_number;
pub use profile::{Profile, profile, profile_numbers};

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    lines: Lines,
    dialect: Dialect,
    notes: Vec<String>,
    doubts: Vec<String>,
}

/// Which columns are words, whatever their cells look like; given the index and the name, where there is a header.
pub type IsWords<'a> = dyn Fn(usize, Option<&str>) -> bool + 'a;

impl Table {
    /// Reads a file, plain or gzip, that the key `key` of `[data]` names; the text that it is read from is added to the
    /// fingerprint. In columns that are `words` neither numbers nor dates are recognised: their levels are the texts as they
    /// stand, so `0102` keeps its zero.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no text, rows with different numbers of cells, and a table without rows.
    pub(crate) fn open(
        path: &Path,
        key: &str,
        options: &Options,
        words: &IsWords<'_>,
        fingerprint: &mut Fingerprint,
    ) -> Result<Self> {
        let open = || FileReader::open(path, key, "a table");
        read::read(open, options, words, &mut |text| fingerprint.update(text.as_bytes()))
    }

    /// Reads a table from memory, plain or gzip; `name` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As for a file.
    pub fn from_bytes(name: &str, bytes: &[u8], options: &Options) -> Result<Self> {
        Self::from_bytes_with(name, bytes, options, &|_, _| false)
    }

    /// Reads a table from memory; in columns that are `words` neither numbers nor dates are recognised.
    ///
    /// # Errors
    ///
    /// As for a file.
    pub fn from_bytes_with(name: &str, bytes: &[u8], options: &Options, words: &IsWords<'_>) -> Result<Self> {
        read::read(|| Ok(FileReader::from_bytes(name, bytes)), options, words, &mut |_| ())
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

    /// The notes that are guesses: nothing in the file settles them.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// Why a column cannot be modelled or conditioned on, if so: cells that are not of its type, free text, no values.
    pub fn problem(&self, column: &Column, is_target: bool) -> Option<Error> {
        let advice = match is_target {
            true => "name another column in data.target".to_owned(),
            false => format!("leave the column out: data.exclude = [{}]", self.reference(column)),
        };
        let (name, title) = (&self.name, column.title());
        if let Some(odd) = &column.odd {
            let Odd { line, text, count, texts } = &**odd;
            let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            let more = if *count > 1 { format!(" ({count} such cells)") } else { String::new() };
            return Some(Error::input(format!(
                "{name}:{line}: {title}: found {text:?}{more}; expected {}, as in nearly all rows; fix the cell, set \
                 data.missing_values = [{}] if it stands for a missing value, or {advice}",
                match column.kind {
                    CellKind::Integer | CellKind::Number => "a finite number",
                    _ => "a date or time written as the others are",
                },
                texts.join(", ")
            )));
        }
        let first = self.line(0);
        match column.kind {
            CellKind::Empty => Some(Error::input(format!(
                "{name}:{first}: {title}: found no value in any row; expected values; {advice}"
            ))),
            CellKind::Text => {
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

    /// How a configuration names a column: by its name in quotes, or by its index where it has none or shares it.
    pub fn reference(&self, column: &Column) -> String {
        match column.name.as_deref() {
            Some(name) if !name.is_empty() && self.with_name_of(column) == 1 => toml::Value::from(name).to_string(),
            _ => column.index.to_string(),
        }
    }

    /// Number of columns with the name of this one, itself among them.
    fn with_name_of(&self, column: &Column) -> usize {
        self.columns.iter().filter(|other| other.name.is_some() && other.name == column.name).count()
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod types_tests;
