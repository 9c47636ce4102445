//! A table row by row as it comes, written as another one was: nothing is recognised but what stands between the cells.

use super::date::Stamp;
use super::dialect::{Delimiter, Dialect};
use super::lexer::{Lexer, Step};
use super::missing::Missing;
use super::number::Style;
use crate::data::encoding::{Choice, Text, TextEncoding};
use crate::data::file::FileReader;
use crate::data::names::{ColumnKind, ColumnSpec};
use crate::error::{Error, Result, did_you_mean};

/// What a header may be split by, the likeliest first.
const DELIMITERS: [Delimiter; 5] =
    [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab, Delimiter::Pipe, Delimiter::Whitespace];

/// The longest row.
const LONGEST: usize = 16 << 20;

/// The rows of a table that is read part by part.
pub(crate) struct Rows<'s, 'a> {
    input: Input<'s, 'a>,
    lexer: Lexer,
    names: Option<Vec<String>>,
    /// Cells of each row, known after the first.
    width: Option<usize>,
    delimiter: Delimiter,
    comment: String,
}

/// A header as one delimiter splits it, with so many of the known names.
struct Header {
    found: usize,
    lexer: Lexer,
    end: usize,
    names: Vec<String>,
}

/// A text, and the part of it that is in memory.
struct Input<'s, 'a> {
    file: String,
    text: Text<'s, 'a>,
    buffer: String,
    /// Where the next row begins in the buffer.
    at: usize,
    /// Nothing follows the buffer.
    whole: bool,
}

/// What comes next in a table.
enum Next {
    /// A record, over after so many bytes.
    Row(usize),
    /// One that is not all there yet.
    Later,
    /// Nothing.
    End,
}

impl Input<'_, '_> {
    fn rest(&self) -> &str {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Finds the next record, reading more where it takes more and `waits`.
    fn next(&mut self, lexer: &mut Lexer, waits: bool) -> Result<Next> {
        loop {
            match lexer.next(self.rest(), self.whole) {
                Step::Row(end) => return Ok(Next::Row(end)),
                Step::End => return Ok(Next::End),
                Step::More(_) if !waits => return Ok(Next::Later),
                Step::More(done) => self.more(done, lexer.line())?,
                Step::Open(line) => {
                    return Err(self.refuse(
                        line,
                        "found a quote that opens a cell and is never closed; expected its end; close it, or double it (\"\") where it \
                         belongs to the text",
                    ));
                }
            }
        }
    }

    /// Reads on, after `done` bytes that nobody needs any more.
    fn more(&mut self, done: usize, line: usize) -> Result<()> {
        self.buffer.drain(..self.at + done);
        self.at = 0;
        if self.buffer.len() > LONGEST {
            return Err(self.refuse(
                line,
                "found a row of more than 16 MiB; expected rows of cells; close the quote that is open in it",
            ));
        }
        self.whole = !self.text.read(&mut self.buffer)?;
        Ok(())
    }

    fn refuse(&self, line: usize, what: &str) -> Error {
        Error::input(format!("{}:{line}: {what}", self.file))
    }
}

impl<'s, 'a> Rows<'s, 'a> {
    /// Begins to read, with the header where the dialect has one: split by what makes the most of the `known` names columns.
    ///
    /// # Errors
    /// A file that cannot be read or is empty.
    pub(crate) fn open(source: &'s mut FileReader<'a>, dialect: &Dialect, known: &[&str]) -> Result<Self> {
        let file = source.name().to_owned();
        // What is no UTF-8 cannot be told apart from other such encodings: it is that of the table before.
        let is_utf_8 = dialect.encoding == TextEncoding::UTF_8;
        let text = Text::new(source, if is_utf_8 { Choice::Recognised } else { Choice::Key(Some(dialect.encoding)) })?;
        let input = Input { file, text, buffer: String::new(), at: 0, whole: false };
        let (delimiter, comment) = (dialect.delimiter, dialect.comment.start().to_owned());
        let lexer = Lexer::new(delimiter, &comment);
        let mut rows = Self { input, lexer, names: None, width: None, delimiter, comment };
        if dialect.header {
            rows.read_header(dialect, known)?;
        }
        Ok(rows)
    }

    /// The file's name in messages.
    pub(crate) fn file(&self) -> &str {
        &self.input.file
    }

    /// The names of the columns, where the table has a header.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Splits the header by the dialect's delimiter, or, where that does not make all known names columns, by the one that makes the most.
    fn read_header(&mut self, dialect: &Dialect, known: &[&str]) -> Result<()> {
        let mut own = Lexer::new(dialect.delimiter, dialect.comment.start());
        let first = self.input.next(&mut own, true);
        let mut best: Option<Header> = None;
        for delimiter in std::iter::once(dialect.delimiter).chain(DELIMITERS) {
            if best.as_ref().is_some_and(|header| header.found == known.len()) {
                break;
            }
            let mut lexer = Lexer::new(delimiter, dialect.comment.start());
            // What is in memory is enough, as it holds the line; by a wrong delimiter a quote in it may never be closed.
            let Step::Row(end) = lexer.next(self.input.rest(), true) else { continue };
            let names: Vec<String> = lexer.record.cells(self.input.rest()).map(str::to_owned).collect();
            let found = known.iter().filter(|name| names.iter().any(|cell| cell == *name)).count();
            if best.as_ref().is_none_or(|best| found > best.found) {
                best = Some(Header { found, lexer, end, names });
            }
        }
        let Some(Header { lexer, end, names, .. }) = best else {
            first?;
            return Err(Error::input(format!(
                "{}: found nothing; expected a table with the names of its columns in the first line; name another file, or put rows \
                 there",
                self.file()
            )));
        };
        self.lexer = lexer;
        self.input.at += end;
        (self.width, self.names) = (Some(names.len()), Some(names));
        Ok(())
    }

    /// How many cells a row has; `None`: there is no row.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn width(&mut self) -> Result<Option<usize>> {
        if self.width.is_none() {
            let mut lexer = Lexer::new(self.delimiter, &self.comment);
            if let Next::Row(_) = self.input.next(&mut lexer, true)? {
                self.width = Some(lexer.record.len());
            }
        }
        Ok(self.width)
    }

    /// Shows `each` the next rows, with their lines: one, which may have to be waited for, and those that are there already, `most`
    /// together. Returns how many there were; 0: the table is over.
    ///
    /// # Errors
    /// A table that cannot be read, a row with more or fewer cells than the first, and those of `each`.
    pub(crate) fn read(
        &mut self,
        most: usize,
        mut each: impl FnMut(usize, &mut dyn Iterator<Item = &str>) -> Result<()>,
    ) -> Result<usize> {
        let mut count = 0;
        while count < most {
            let Next::Row(end) = self.input.next(&mut self.lexer, count == 0)? else { break };
            let record = &self.lexer.record;
            let width = *self.width.get_or_insert(record.len());
            if record.len() != width {
                let found = record.len();
                let what = format!(
                    "found {found} cells; expected {width}, as in the first line; fix the line (a cell that holds the delimiter needs \
                     quotes)"
                );
                return Err(self.input.refuse(record.line, &what));
            }
            each(record.line, &mut record.cells(self.input.rest()))?;
            self.input.at += end;
            count += 1;
        }
        Ok(count)
    }
}

/// How the cells of a table become numbers, as they did in the one that a model was trained on.
#[derive(Clone, Debug)]
pub(crate) struct CellReader {
    style: Style,
    missing: Vec<String>,
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// A number, or the number of a level.
    Value(f64),
    /// No value.
    Missing,
    /// A word that is none of the levels.
    Unknown,
    /// Something else than the column holds.
    Odd,
}

impl CellReader {
    pub(crate) fn new(dialect: &Dialect, missing: &[String]) -> Self {
        let style = Style { decimal: dialect.decimal, thousands: dialect.thousands };
        Self { style, missing: missing.to_vec() }
    }

    /// What a cell of this column holds; `classes`: the names of labels.
    pub(crate) fn read(&self, column: &ColumnSpec, classes: &[String], text: &str) -> Cell {
        let level = |words: &[String]| words.iter().position(|word| word == text).map(|level| level as f64);
        let missing = Missing::new(&self.missing);
        // A word of the column may look like a marker, and a marker of the configuration like a number.
        let value = match &column.kind {
            ColumnKind::Category { levels } | ColumnKind::Word { levels } => level(levels),
            ColumnKind::Label if !classes.is_empty() => level(classes),
            ColumnKind::Boolean { words } => {
                words.iter().position(|word| word.eq_ignore_ascii_case(text)).map(|value| value as f64)
            }
            _ if missing.is_given(text) => None,
            ColumnKind::Time { format } => Stamp::parse(text).and_then(|stamp| format.value(&stamp)),
            ColumnKind::Number { .. } | ColumnKind::Integer | ColumnKind::Label => self.style.parse(text),
        };
        match value {
            Some(value) => Cell::Value(value),
            None if missing.contains(text) => Cell::Missing,
            None if matches!(
                column.kind,
                ColumnKind::Category { .. } | ColumnKind::Word { .. } | ColumnKind::Label
            ) =>
            {
                Cell::Unknown
            }
            None => Cell::Odd,
        }
    }
}

/// What is wrong with a cell, and what to do.
pub(crate) fn refusal(column: &ColumnSpec, cell: Cell, text: &str, classes: &[String]) -> String {
    let name = &column.name;
    if cell == Cell::Missing {
        return format!(
            "column `{name}`: the cell is missing, and no training row misses it; expected a value; fill it in, or train on rows that miss \
             it with data.missing = \"impute\""
        );
    }
    let words = match &column.kind {
        ColumnKind::Category { levels } | ColumnKind::Word { levels } => levels,
        ColumnKind::Boolean { words } => words.as_slice(),
        _ => classes,
    };
    let shown: Vec<&str> = words.iter().take(10).map(String::as_str).collect();
    let more = if words.len() > shown.len() { ", …" } else { "" };
    let near = did_you_mean(text, words.iter().map(String::as_str));
    // A cell may hold a whole text.
    let cut: String = text.chars().take(60).collect();
    let text = if cut.len() < text.len() { cut + "…" } else { cut };
    match &column.kind {
        ColumnKind::Category { .. } => format!(
            "column `{name}`: found {text:?}, a word that no training row has{near} (words: {}{more}); expected one of them; fix the \
             cell, or take such words for unknown ones with --allow-unknown",
            shown.join(", ")
        ),
        ColumnKind::Word { .. } => format!(
            "column `{name}`: found {text:?}, a word that the run's table does not have{near} (words: {}{more}); expected one of them; fix the \
             cell, or leave it empty",
            shown.join(", ")
        ),
        ColumnKind::Label if !classes.is_empty() => format!(
            "column `{name}`: found {text:?}, which is no class{near} (classes: {}{more}); expected one of them; fix the cell, or leave it \
             empty",
            shown.join(", ")
        ),
        ColumnKind::Boolean { .. } => {
            format!("column `{name}`: found {text:?}; expected {}; fix the cell", shown.join(" or "))
        }
        ColumnKind::Time { .. } => format!(
            "column `{name}`: found {text:?}; expected a date or time as the run's table writes them; fix the cell"
        ),
        _ => format!(
            "column `{name}`: found {text:?}; expected a number, written as in the run's table; fix the cell, or empty it where it may be \
             missing"
        ),
    }
}
