//! `source = "csv"`: a table of numbers, some columns of which are modelled given others.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use dgm_models::{ConditionSpec, DataSpec, Values};
use serde::{Deserialize, Deserializer, Serialize};

use super::file::{Fingerprint, Source};
use super::fraction::{part, tenth};
use super::store::{Store, View};
use super::{Dataset, Field, Split, VisitPath};
use crate::config::{Invalid, require};
use crate::error::{Error, Result, did_you_mean};

/// The keys of `source = "csv"`. Relative paths are relative to the configuration's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvConfig {
    /// The table, plain or gzip.
    pub path: PathBuf,
    /// What stands between two cells. Default: a comma.
    #[serde(default)]
    pub delimiter: Delimiter,
    /// Whether the first line holds the names of the columns. Default: false.
    #[serde(default)]
    pub header: bool,
    /// The columns that are modelled.
    pub target: Vec<Column>,
    /// The columns that they are conditioned on. Default: all the others.
    #[serde(default)]
    pub condition: Vec<Column>,
    /// The target is a label, one of so many. Default: it is a real number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_classes: Option<usize>,
    /// A file with the indices of the rows to learn from (the first is 0; a header does not count).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_rows: Option<PathBuf>,
    /// A file with the indices of the rows for the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rows: Option<PathBuf>,
    /// The part of the rows for the test, drawn by the seed, where no file names them. Default: 0.1.
    #[serde(default = "tenth")]
    pub test_fraction: f64,
    /// The part of the training rows for validation, drawn by the seed. Default: 0.1.
    #[serde(default = "tenth")]
    pub validation_fraction: f64,
}

/// What stands between two cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// `","`
    #[default]
    #[serde(rename = ",")]
    Comma,
    /// `";"`
    #[serde(rename = ";")]
    Semicolon,
    /// `"tab"`
    #[serde(rename = "tab")]
    Tab,
    /// `"whitespace"`: spaces and tabs, any number of them.
    #[serde(rename = "whitespace")]
    Whitespace,
}

/// A column: its index, from 0 on, or its name in the header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Column {
    /// Index, from 0 on.
    Index(usize),
    /// Name in the header.
    Name(String),
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Column;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("the index of a column (0, 1, …) or its name in quotes")
            }

            fn visit_i64<E: serde::de::Error>(self, index: i64) -> std::result::Result<Column, E> {
                let index = usize::try_from(index);
                index.map(Column::Index).map_err(|_| E::custom("the index of a column is at least 0"))
            }

            fn visit_str<E>(self, name: &str) -> std::result::Result<Column, E> {
                Ok(Column::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl CsvConfig {
    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        visit("path", Some(&mut self.path))?;
        visit("train_rows", self.train_rows.as_mut())?;
        visit("test_rows", self.test_rows.as_mut())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        require(!self.target.is_empty(), "target", "a list of one column at least, such as [8] or [\"strength\"]")?;
        if let Some(classes) = self.target_classes {
            // Class labels travel in f32, which holds whole numbers exactly up to here.
            require((2..=1 << 24).contains(&classes), "target_classes", "a whole number from 2 to 16777216")?;
            require(self.target.len() == 1, "target_classes", "one column in data.target: a label is one number")?;
        }
        let fraction = |value: f64, key| require(value > 0.0 && value < 1.0, key, "a number above 0 and below 1");
        fraction(self.test_fraction, "test_fraction")?;
        fraction(self.validation_fraction, "validation_fraction")?;
        let other = |mine: &Option<PathBuf>, other: &Option<PathBuf>| mine.is_some() || other.is_none();
        require(other(&self.train_rows, &self.test_rows), "train_rows", "a file of row indices beside data.test_rows")?;
        require(other(&self.test_rows, &self.train_rows), "test_rows", "a file of row indices beside data.train_rows")
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let mut fingerprint = Fingerprint::default();
        let table = self.read_table(&mut fingerprint)?;
        let columns = table.width();
        let target = table.columns(&self.target, "target")?;
        let condition = match self.condition.is_empty() {
            true => (0..columns).filter(|column| !target.contains(column)).collect(),
            false => table.columns(&self.condition, "condition")?,
        };
        if let Some(&both) = condition.iter().find(|column| target.contains(column)) {
            return Err(Error::input(format!(
                "data.condition: found column {}, which is a target too; expected other columns; take it out of one list",
                table.column_name(both)
            )));
        }

        let [train, validation, test] = self.split_rows(&table, seed, &mut fingerprint)?;
        let targets = table.numbers(&target, self.header)?;
        if let Some(classes) = self.target_classes {
            table.check_labels(&targets, classes)?;
        }
        let conditions = if condition.is_empty() { None } else { Some(table.numbers(&condition, self.header)?) };

        let targets = View::new(Store::doubles(target.len(), targets));
        let conditions = conditions.map(|numbers| View::new(Store::doubles(condition.len(), numbers)));
        let split = |rows: &[usize]| {
            let part = |view: &View| Field::new(view.select(rows));
            Split::new(part(&targets), conditions.as_ref().map(part))
        };
        let (train, validation, test) = (split(&train), split(&validation), split(&test));
        let values = match self.target_classes {
            Some(classes) => Values::Levels(classes),
            None => {
                Values::Real(train.target.scale_of(false)?)
            }
        };
        let condition = match &train.condition {
            None => None,
            Some(field) => {
                Some(ConditionSpec { scale: field.scale_of(false)?, classes: None, told: 0 })
            }
        };
        let spec = DataSpec { shape: [1, 1, target.len()], values, condition };
        Ok(Dataset::new(name_of(&self.path), spec, [train, validation, test], fingerprint.finish()))
    }

    fn read_table(&self, fingerprint: &mut Fingerprint) -> Result<Table> {
        let mut source = Source::open(&self.path, "path", "a table of numbers")?;
        let text = source.read_text()?;
        fingerprint.update(text.as_bytes());
        parse(&text, self.delimiter, self.header, source.name())
    }

    /// The rows of training, validation and test, each in ascending order.
    fn split_rows(&self, table: &Table, seed: Seed, fingerprint: &mut Fingerprint) -> Result<[Vec<usize>; 3]> {
        let n = table.rows.len();
        let (train, mut test) = match (&self.train_rows, &self.test_rows) {
            (Some(train), Some(test)) => {
                // 1: a row of training, 2: one of the test.
                let mut taken = vec![0u8; n];
                let train = read_rows(train, "train_rows", 1, &mut taken, fingerprint)?;
                (train, read_rows(test, "test_rows", 2, &mut taken, fingerprint)?)
            }
            _ => {
                let mut order = seed.stream("split.test", 0).permutation(n);
                let train = order.split_off(part(n, self.test_fraction));
                (train, order)
            }
        };
        let order = seed.stream("split.validation", 0).permutation(train.len());
        let (validation, rest) = order.split_at(part(train.len(), self.validation_fraction));
        let pick = |order: &[usize]| {
            let mut rows: Vec<usize> = order.iter().filter_map(|&place| train.get(place).copied()).collect();
            rows.sort_unstable();
            rows
        };
        test.sort_unstable();
        Ok([pick(rest), pick(validation), test])
    }
}

/// The cells of a table as text, every row with the same number of them; `name` stands for the file in messages.
///
/// # Errors
///
/// No row at all, and rows with different numbers of cells.
pub fn parse(text: &str, delimiter: Delimiter, header: bool, name: &str) -> Result<Table> {
    let mut rows = match delimiter {
        Delimiter::Whitespace => text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()))
            .filter(|(_, cells)| !cells.is_empty())
            .collect(),
        Delimiter::Comma => quoted_rows(text, b',', name)?,
        Delimiter::Semicolon => quoted_rows(text, b';', name)?,
        Delimiter::Tab => quoted_rows(text, b'\t', name)?,
    };
    let header = if header && !rows.is_empty() { Some(rows.remove(0).1) } else { None };
    let Some(width) = header.as_ref().or(rows.first().map(|(_, cells)| cells)).map(Vec::len) else {
        return Err(Error::input(format!("{name}: found no row; expected a table of numbers")));
    };
    if let Some((line, cells)) = rows.iter().find(|(_, cells)| cells.len() != width) {
        let found = cells.len();
        return Err(Error::input(format!(
            "{name}:{line}: found {found} cells; expected {width} as in the first line; mend the line, or set \
             data.delimiter to what stands between the cells"
        )));
    }
    Ok(Table { name: name.to_owned(), header, width, rows })
}

/// Rows whose cells may stand in quotes.
fn quoted_rows(text: &str, delimiter: u8, name: &str) -> Result<Vec<(usize, Vec<String>)>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for record in reader.records() {
        let record = record.map_err(|error| Error::input(format!("{name}: not a table: {error}")))?;
        let start = record.position().map_or(0, |position| position.byte() as usize);
        // The position is where the reader began to look: blank lines come first.
        let blank = text.get(start..).map_or(0, |rest| rest.len() - rest.trim_start_matches(['\r', '\n']).len());
        let passed = text.as_bytes().get(counted..start + blank).unwrap_or_default();
        line += passed.iter().filter(|&&byte| byte == b'\n').count();
        counted = start + blank;
        rows.push((line, record.iter().map(str::to_owned).collect()));
    }
    Ok(rows)
}

/// A file's rows: indices, each new, marked as `mark` in `taken`.
fn read_rows(path: &Path, key: &str, mark: u8, taken: &mut [u8], fingerprint: &mut Fingerprint) -> Result<Vec<usize>> {
    let mut source = Source::open(path, key, "a file of row indices")?;
    let text = source.read_text()?;
    fingerprint.update(text.as_bytes());
    let rows = taken.len();
    let mut indices = Vec::new();
    for (line, word) in text.lines().enumerate().flat_map(|(i, line)| line.split_whitespace().map(move |w| (i + 1, w)))
    {
        let fail = |message: String| Error::input(format!("{}:{line}: {message}", source.name()));
        // Some programs write indices as floats, such as 1.0e+00.
        let whole = word.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && *value >= 0.0);
        let index = whole.map(|value| value as usize).filter(|&index| index < rows);
        let (Some(index), Some(place)) = (index, index.and_then(|index| taken.get_mut(index))) else {
            let last = rows.saturating_sub(1);
            return Err(fail(format!("found {word:?}; expected the index of a row, a whole number from 0 to {last}")));
        };
        match *place {
            0 => *place = mark,
            found if found == mark => return Err(fail(format!("row {index} is in the file twice; take one out"))),
            _ => {
                return Err(fail(format!(
                    "row {index} is in data.train_rows too; expected rows that are not learnt from"
                )));
            }
        }
        indices.push(index);
    }
    Ok(indices)
}

/// Cells as text, with the line of each row.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    header: Option<Vec<String>>,
    width: usize,
    rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A column in messages: its index, and its name where it has one.
    fn column_name(&self, index: usize) -> String {
        match self.header.as_ref().and_then(|names| names.get(index)) {
            Some(name) => format!("{index} (`{name}`)"),
            None => index.to_string(),
        }
    }

    /// The indices of columns, each named once.
    fn columns(&self, columns: &[Column], key: &str) -> Result<Vec<usize>> {
        let mut indices = Vec::with_capacity(columns.len());
        for column in columns {
            let fail = |message: String| Error::input(format!("data.{key}: {message}"));
            let index = match (column, &self.header) {
                (Column::Index(index), _) if *index < self.width => *index,
                (Column::Index(index), _) => {
                    let last = self.width.saturating_sub(1);
                    return Err(fail(format!(
                        "found column {index}; expected 0 to {last}, the columns of {}",
                        self.name
                    )));
                }
                (Column::Name(name), None) => {
                    return Err(fail(format!(
                        "found the name `{name}`, but {} has no header; set data.header = true, or give the column's \
                         index",
                        self.name
                    )));
                }
                (Column::Name(name), Some(names)) => names.iter().position(|known| known == name).ok_or_else(|| {
                    let near = did_you_mean(name, names.iter().map(String::as_str));
                    let all = names.join(", ");
                    fail(format!("{} has no column `{name}`{near} (columns: {all})", self.name))
                })?,
            };
            if indices.contains(&index) {
                return Err(fail(format!("found column {} twice; expected it once", self.column_name(index))));
            }
            indices.push(index);
        }
        Ok(indices)
    }

    /// The numbers of these columns, all of them finite, row by row; `header`: whether the table's first line held names.
    ///
    /// # Errors
    ///
    /// A cell that holds no finite number.
    pub fn numbers(&self, columns: &[usize], header: bool) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(self.rows.len() * columns.len());
        for (row, (line, cells)) in self.rows.iter().enumerate() {
            for &column in columns {
                let cell = cells.get(column).map_or("", String::as_str);
                match cell.parse::<f64>().ok().filter(|value| value.is_finite()) {
                    Some(value) => values.push(value),
                    None => {
                        let found = if cell.is_empty() { "nothing".into() } else { format!("{cell:?}") };
                        let first = row == 0 && !header && cell.parse::<f64>().is_err();
                        let advice = if first { "; if the line holds names, set data.header = true" } else { "" };
                        return Err(Error::input(format!(
                            "{}:{line}: column {}: found {found}; expected a finite number{advice}",
                            self.name,
                            self.column_name(column)
                        )));
                    }
                }
            }
        }
        Ok(values)
    }

    /// Every number is a label below `classes`.
    fn check_labels(&self, numbers: &[f64], classes: usize) -> Result<()> {
        for (value, (line, _)) in numbers.iter().zip(&self.rows) {
            if value.fract() != 0.0 || *value < 0.0 || *value as usize >= classes {
                let last = classes - 1;
                return Err(Error::input(format!(
                    "{}:{line}: found the label {value}; expected a whole number from 0 to {last} \
                     (data.target_classes = {classes})",
                    self.name
                )));
            }
        }
        Ok(())
    }
}

/// The file's name with its folder's: tables are often called `data`.
fn name_of(path: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_else(|| "csv".into());
    text(path.parent().and_then(Path::file_name)).map_or(stem.clone(), |folder| format!("{folder}/{stem}"))
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
