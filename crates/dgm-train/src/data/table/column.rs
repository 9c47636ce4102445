//! One column of a table: its type, its cells, and values written back as it has them.

use super::date::DateFormat;
use super::number;
use crate::data::spikes::step_of;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Whole numbers, of which 64-bit floats keep every digit (up to 2^53).
    Integer,
    /// Real numbers.
    Number,
    /// Two words that say yes and no: true and false, yes and no, t and f, y and n. As numbers: 1 and 0.
    Boolean,
    /// Words, of which many rows share one.
    Category,
    /// Dates. As numbers: days since 1970-01-01.
    Date(DateFormat),
    /// Dates with times. As numbers: seconds since 1970-01-01 00:00:00 (UTC where there is a zone).
    DateTime(DateFormat),
    /// Times of day. As numbers: seconds since midnight.
    Time(DateFormat),
    /// Words, most of which stand in one row only.
    Text,
    /// No cell has a value.
    Empty,
}

impl CellKind {
    /// In messages and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Category => "category",
            Self::Date(_) => "date",
            Self::DateTime(_) => "date-time",
            Self::Time(_) => "time",
            Self::Text => "text",
            Self::Empty => "empty",
        }
    }

    /// What one step of the column's numbers is, where it is a time.
    pub fn unit(self) -> Option<&'static str> {
        match self {
            Self::Date(_) => Some("days since 1970-01-01"),
            Self::DateTime(_) => Some("seconds since 1970-01-01"),
            Self::Time(_) => Some("seconds since midnight"),
            _ => None,
        }
    }

    /// Whether its cells are numbers, dates or times.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number | Self::Date(_) | Self::DateTime(_) | Self::Time(_))
    }
}

/// Cells of a column of numbers or dates that hold something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The line of the first.
    pub line: usize,
    /// What it holds.
    pub text: String,
    /// How many there are.
    pub count: usize,
    /// Some that differ, the first among them.
    pub texts: Vec<String>,
}

/// Most texts that [`Odd`] keeps.
const MOST_ODD: usize = 8;

impl Odd {
    /// Counts one more.
    pub(super) fn note(odd: &mut Option<Box<Self>>, line: usize, text: &str) {
        let odd = odd.get_or_insert_with(|| {
            Box::new(Self { line, text: text.to_owned(), count: 0, texts: Vec::with_capacity(1) })
        });
        odd.count += 1;
        if line < odd.line {
            (odd.line, odd.text) = (line, text.to_owned());
        }
        if odd.texts.len() < MOST_ODD && !odd.texts.iter().any(|known| known == text) {
            odd.texts.push(text.to_owned());
        }
    }
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name in the header; empty where the header has none for it, as pandas writes an index.
    pub name: Option<String>,
    /// Its index, from 0 on.
    pub index: usize,
    /// The type of its cells.
    pub kind: CellKind,
    /// Number of cells without a value.
    pub missing: usize,
    /// Cells that are neither missing nor of its type, where there are such.
    pub odd: Option<Box<Odd>>,
    /// All its values are the same one.
    pub constant: bool,
    /// It numbers the rows: whole numbers in ascending order, most of which follow each other, or under the name of an index.
    pub identifier: bool,
    /// One of its cells that starts with a zero which says nothing, such as `00012`, where all are whole numbers of as many digits: codes
    /// are written so.
    pub padded: Option<Box<str>>,
    /// It was to be read as words.
    pub(super) as_words: bool,
    pub(super) cells: Cells,
}

/// The cells of a column.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// A number each; NaN: none.
    Values(Vec<f64>),
    /// One of few each.
    Levels(Box<Levels>),
    /// They are not kept.
    None,
}

/// Few different values.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// The index in `names`; [`NONE`]: no value.
    pub(super) codes: Vec<u32>,
    pub(super) names: Vec<String>,
    /// The number that each stands for; nothing for words.
    pub(super) values: Vec<f64>,
}

/// The code of a cell without a value.
pub(super) const NONE: u32 = u32::MAX;

impl Column {
    /// The number in a row: of a number itself, of a date or time in its unit, of a boolean 0 or 1. `None`: it is missing,
    /// odd, or a word.
    pub fn number(&self, row: usize) -> Option<f64> {
        match &self.cells {
            Cells::Values(values) => values.get(row).copied().filter(|value| !value.is_nan()),
            Cells::Levels(levels) => levels.values.get(self.level(row)?).copied(),
            Cells::None => None,
        }
    }

    /// The word in a row, as written; of numbers and dates with few different values, the value as [`Column::write`] has it.
    /// `None`: it is missing, or the words are not kept.
    pub fn word(&self, row: usize) -> Option<&str> {
        self.levels().get(self.level(row)?).map(String::as_str)
    }

    /// The different values, in order: numbers and dates by value, words as text. Empty where they are too many to be kept:
    /// more than 4096 numbers, more than 65536 words.
    pub fn levels(&self) -> &[String] {
        match &self.cells {
            Cells::Levels(levels) => &levels.names,
            _ => &[],
        }
    }

    /// The index in [`Column::levels`] of the value in a row; `None`: it is missing, or levels are not kept.
    pub fn level(&self, row: usize) -> Option<usize> {
        match &self.cells {
            Cells::Levels(levels) => levels.codes.get(row).filter(|&&code| code != NONE).map(|&code| code as usize),
            _ => None,
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        match &self.cells {
            Cells::Values(values) => values.len(),
            Cells::Levels(levels) => levels.codes.len(),
            Cells::None => 0,
        }
    }

    /// A value back in the column's type: a whole number without a point, a date as the file writes dates, a boolean's
    /// word, the word of a level (a category's values are the indices of its levels). Decimals have a point, whatever the
    /// file has. Nothing for a value that is no number.
    pub fn write(&self, value: f64) -> String {
        if !value.is_finite() {
            return String::new();
        }
        match self.kind {
            CellKind::Integer => number::write(value.round() + 0.0),
            CellKind::Number => number::write(value),
            CellKind::Date(format) | CellKind::DateTime(format) | CellKind::Time(format) => format.write(value),
            // A cast of what is below 0 gives 0.
            CellKind::Boolean | CellKind::Category | CellKind::Text => {
                let levels = self.levels();
                let level = (value.round() as usize).min(levels.len().saturating_sub(1));
                levels.get(level).cloned().unwrap_or_default()
            }
            CellKind::Empty => String::new(),
        }
    }

    /// The column in messages: its index, and its name where it has one.
    pub fn title(&self) -> String {
        match self.name.as_deref() {
            None => format!("column {}", self.index),
            Some("") => format!("column {} (no name)", self.index),
            Some(name) => format!("column {} (`{name}`)", self.index),
        }
    }

    /// Finds out whether there is one value only, and whether the column numbers the rows.
    pub(super) fn mark(&mut self) {
        self.constant = match &self.cells {
            Cells::Levels(levels) => levels.names.len() == 1,
            Cells::Values(values) => {
                let mut values = values.iter().filter(|value| !value.is_nan());
                values.next().is_some_and(|first| values.all(|value| value == first))
            }
            Cells::None => false,
        };
        self.identifier =
            self.kind == CellKind::Integer && self.missing == 0 && self.odd.is_none() && self.numbers_rows();
    }

    fn numbers_rows(&self) -> bool {
        let rows = self.rows();
        let numbers = || (0..rows).filter_map(|row| self.number(row));
        let steps = || numbers().zip(numbers().skip(1)).map(|(a, b)| b - a);
        let name = self.name.as_deref().map(str::to_ascii_lowercase);
        let named = match name.as_deref() {
            // As pandas and R write an index.
            Some("" | "unnamed: 0" | "rownames") => self.index == 0,
            Some(name) => name == "id" || name == "index" || name.ends_with("_id"),
            None => false,
        };
        // Where rows were taken out, most numbers still follow each other. A few rows do so by chance.
        rows > if named { 1 } else { 4 }
            && steps().all(|step| step > 0.0)
            && (named || 2 * steps().filter(|&step| step == 1.0).count() > rows - 1)
    }

    /// The step between the values of a column of numbers that have few different values (2 to 100, each in ten rows on
    /// average) at equal distances, a few of them left out: a grid rather than a continuous quantity.
    pub fn grid(&self) -> Option<f64> {
        let Cells::Levels(levels) = &self.cells else { return None };
        let present = levels.codes.iter().filter(|&&code| code != NONE).count();
        matches!(self.kind, CellKind::Integer | CellKind::Number).then(|| step_of(&levels.values, present)).flatten()
    }
}
