//! `source = "csv"`: a table as it comes, some columns of which are modelled given others.

mod features;
mod odd;
mod select;
mod split;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dgm_core::random::Seed;
use dgm_models::{ColumnValues, ConditionSpec, DataSpec, Scale, Values};
use serde::{Deserialize, Serialize};

use self::features::{Feature, TableRows, kept_rows, name_of};
use self::select::Parts;
pub use self::select::{ColumnRef, Conditions};
use super::file::Fingerprint;
use super::fraction::tenth;
use super::names::Names;
use super::store::View;
#[cfg(feature = "cli")]
use super::table::rows::{Cell, CellReader, refusal};
use super::table::{Auto, CellKind, Column, Comment, Decimal, Delimiter, Dialect, Options, Table, Thousands};
use super::{DataConfig, Dataset, Field, Split, VisitPath};
use crate::check::{Invalid, require};
use crate::data::encoding::TextEncoding;
use crate::error::{Error, Result};

/// The keys of `source = "csv"`. How the table is written is recognised where `"auto"` stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvConfig {
    /// The table, plain or gzip.
    pub path: PathBuf,
    /// What stands between two cells: `","`, `";"`, `"tab"`, `"|"` or `"whitespace"`. Default: `"auto"`.
    #[serde(default)]
    pub delimiter: Auto<Delimiter>,
    /// Whether the first row holds the names of the columns. Default: `"auto"`.
    #[serde(default)]
    pub header: Auto<bool>,
    /// What stands before the fraction of a number: `"."` or `","`. Default: `"auto"`.
    #[serde(default)]
    pub decimal: Auto<Decimal>,
    /// What stands between groups of three digits: `"none"`, `","`, `"."`, `" "` or `"'"`. Default: `"auto"`.
    #[serde(default)]
    pub thousands: Auto<Thousands>,
    /// What a comment line starts with, such as `"#"`, or `"none"`. Default: `"auto"`.
    #[serde(default)]
    pub comment: Auto<Comment>,
    /// The encoding of the text, such as `"windows-1252"`. Default: `"auto"`.
    #[serde(default)]
    pub encoding: Auto<TextEncoding>,
    /// Cells that stand for missing values, beside the usual ones (nothing, `NA`, `?`, …).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_values: Vec<String>,
    /// What to do about rows with missing cells in columns that are used. Default: `"error"`.
    #[serde(default)]
    pub missing: Missing,
    /// The columns that are modelled.
    #[serde(deserialize_with = "select::one_or_more")]
    pub target: Vec<ColumnRef>,
    /// The columns that they are conditioned on; `"none"`: nothing. Default: `"others"`.
    #[serde(default)]
    pub condition: Conditions,
    /// Columns that are not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<ColumnRef>,
    /// Columns that are read as words, whatever they hold: `0102` keeps its zero.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<ColumnRef>,
    /// The target is a label, a whole number below this. Default: it is a real number, or a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_classes: Option<usize>,
    /// The classes of a label in this order, as ["fair", "good", "ideal"] for `likelihood = "ordinal"`. Default: alphabetical, numbers by size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// A file with the indices of the rows to learn from (the first is 0; a header does not count).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_rows: Option<PathBuf>,
    /// A file with the indices of the rows for the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rows: Option<PathBuf>,
    /// A column whose cells are `train`, `validation` or `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_column: Option<ColumnRef>,
    /// Rows with the same cell in this column, such as those of one customer, are in one split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<ColumnRef>,
    /// The part of the rows for the test, drawn by the seed, where nothing names them. Default: 0.1.
    #[serde(default = "tenth")]
    pub test_fraction: f64,
    /// The part of the training rows for validation, drawn by the seed, where nothing names them. Default: 0.1.
    #[serde(default = "tenth")]
    pub validation_fraction: f64,
}

/// What to do about rows with missing cells in columns that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// The table is refused.
    #[default]
    Error,
    /// The rows are left out.
    Drop,
    /// Cells of the condition become the mean of the training rows, or their most frequent word, and one more number of the
    /// condition says which were missing. Rows without a target are left out.
    Impute,
    /// Cells of several targets stay missing: the model is one of those that are there. The condition is as with `impute`.
    Keep,
}

impl CsvConfig {
    /// A table whose every key but these has its default.
    pub fn new(path: impl Into<PathBuf>, target: Vec<ColumnRef>) -> Self {
        Self {
            path: path.into(),
            delimiter: Auto::Auto,
            header: Auto::Auto,
            decimal: Auto::Auto,
            thousands: Auto::Auto,
            comment: Auto::Auto,
            encoding: Auto::Auto,
            missing_values: Vec::new(),
            missing: Missing::Error,
            target,
            condition: Conditions::Others,
            exclude: Vec::new(),
            categorical: Vec::new(),
            target_classes: None,
            classes: Vec::new(),
            train_rows: None,
            test_rows: None,
            split_column: None,
            group_column: None,
            test_fraction: tenth(),
            validation_fraction: tenth(),
        }
    }

    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        visit("path", Some(&mut self.path))?;
        visit("train_rows", self.train_rows.as_mut())?;
        visit("test_rows", self.test_rows.as_mut())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        require(!self.target.is_empty(), "target", "a list of one column at least, such as [8] or [\"strength\"]")?;
        if let Some(classes) = self.target_classes {
            // As many levels as any target may have.
            require((2..=65_536).contains(&classes), "target_classes", "a whole number from 2 to 65536")?;
            require(self.target.len() == 1, "target_classes", "one column in data.target: a label is one number")?;
        }
        let fraction = |value: f64, key| require(value > 0.0 && value < 1.0, key, "a number above 0 and below 1");
        fraction(self.test_fraction, "test_fraction")?;
        fraction(self.validation_fraction, "validation_fraction")?;
        let other = |mine: &Option<PathBuf>, other: &Option<PathBuf>| mine.is_some() || other.is_none();
        require(other(&self.train_rows, &self.test_rows), "train_rows", "a file of row indices beside data.test_rows")?;
        require(other(&self.test_rows, &self.train_rows), "test_rows", "a file of row indices beside data.train_rows")?;
        let either = self.split_column.is_none() || self.train_rows.is_none();
        require(
            either,
            "split_column",
            "left out beside data.train_rows: one of the two names the rows of each split",
        )?;
        let either = self.group_column.is_none() || self.train_rows.is_none() && self.split_column.is_none();
        require(either, "group_column", "left out where the rows of each split are named: groups are drawn")
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let mut fingerprint = Fingerprint::default();
        let table = Arc::new(self.read_table(&mut fingerprint)?);
        let parts = self.parts(&table)?;
        for column in parts.target.iter().chain(&parts.condition).filter_map(|&index| table.columns().get(index)) {
            if let Some(problem) = table.problem(column, parts.target.contains(&column.index)) {
                return Err(problem);
            }
        }
        let (kept, transforms) = kept_rows(&table, &parts, self.missing)?;
        let splits = self.split_rows(&table, &kept, seed, &mut fingerprint)?;
        let (targets, values) = self.target(&table, &parts, &kept)?;
        let impute = matches!(self.missing, Missing::Impute | Missing::Keep);
        let mut conditions = Vec::with_capacity(parts.condition.len());
        for column in parts.condition.iter().filter_map(|&index| table.columns().get(index)) {
            conditions.push(Feature::of_condition(&table, column, impute, &splits[0]));
        }

        let specs = |features: &[Feature]| features.iter().map(|feature| feature.spec.clone()).collect::<Vec<_>>();
        let classes = match &values {
            Classes::Named(names) => names.clone(),
            _ => Vec::new(),
        };
        let names = Names {
            target: specs(&targets),
            condition: specs(&conditions),
            classes,
            columns: Some(table.columns().len()),
        };
        let mut warnings =
            odd::warnings(&table, &parts, &splits[0], matches!(values, Classes::Real | Classes::Mixed { .. }));
        warnings.extend(table.doubts().iter().cloned());
        let steps: Vec<f64> = targets.iter().map(|feature| feature.step(&table, &splits[0]).unwrap_or(0.0)).collect();
        let view = |features: Vec<Feature>| {
            let width = features.iter().map(|feature| feature.spec.width()).sum();
            View::new(table.rows(), width, TableRows { table: table.clone(), features })
        };
        let event = targets.len();
        let has_units: Vec<bool> = conditions
            .iter()
            .flat_map(|feature| (0..feature.spec.width()).map(|place| place == 0 && feature.has_units()))
            .collect();
        let quantities: Vec<bool> = targets.iter().map(|feature| feature.levels() == 0).collect();
        let levels: Vec<usize> = targets.iter().map(Feature::levels).collect();
        let has_missing = matches!(values, Classes::Mixed { has_missing: true });
        let (targets, conditions) = (view(targets), (!conditions.is_empty()).then(|| view(conditions)));
        let [train, validation, test] = splits.map(|rows| {
            let part = |view: &View| Field::new(view.select(&rows));
            let split = Split::new(part(&targets), conditions.as_ref().map(part));
            if has_missing { split.with_missing() } else { split }
        });
        let name = |columns: &[super::ColumnSpec], number: usize| {
            format!("{}: column `{}`", table.name(), super::names::column_of(columns, number))
        };
        let values = match values {
            Classes::Mixed { .. } => {
                let scale = train.target.scale_of(false, &|number| name(&names.target, number))?;
                let scale = with_units(Scale { step: steps, ..scale }, &quantities);
                Values::Columns(ColumnValues { levels, scale })
            }
            Classes::Real => {
                let scale = train.target.scale_of(false, &|number| name(&names.target, number))?;
                Values::Real(Scale { step: steps, ..scale })
            }
            Classes::Numbered(classes) => Values::Levels(classes),
            Classes::Named(names) => Values::Levels(names.len()),
        };
        let condition = match &train.condition {
            None => None,
            Some(field) => {
                let scale = field.scale_of(false, &|number| name(&names.condition, number))?;
                Some(ConditionSpec {
                    scale: with_units(scale, &has_units),
                    classes: None,
                    augmentation: 0,
                    shape: None,
                })
            }
        };
        let spec = DataSpec { shape: [1, 1, event], values, condition };
        let resolved = Some(DataConfig::Csv(self.recognised(table.dialect())));
        let dataset = Dataset::new(title(&self.path), spec, [train, validation, test], fingerprint.finish());
        Ok(Dataset { names, warnings, transforms, resolved, table: Some(table), ..dataset })
    }

    /// How the table is written, as far as it is given.
    pub fn options(&self) -> Options {
        Options {
            delimiter: self.delimiter,
            header: self.header,
            decimal: self.decimal,
            thousands: self.thousands,
            comment: self.comment.clone(),
            encoding: self.encoding,
            missing_values: self.missing_values.clone(),
        }
    }

    /// How the table is written, where every key says so, as in the configuration that a run writes down.
    pub fn dialect(&self) -> Option<Dialect> {
        Some(Dialect {
            delimiter: self.delimiter.set()?,
            header: self.header.set()?,
            decimal: self.decimal.set()?,
            thousands: self.thousands.set()?,
            comment: self.comment.clone().set()?,
            encoding: self.encoding.set()?,
        })
    }

    /// What is recognised is what was recognised there.
    pub(super) fn adopt(&mut self, other: &Self) {
        fn take<T: Clone>(mine: &mut Auto<T>, other: &Auto<T>) {
            if matches!(mine, Auto::Auto) {
                *mine = other.clone();
            }
        }
        take(&mut self.delimiter, &other.delimiter);
        take(&mut self.header, &other.header);
        take(&mut self.decimal, &other.decimal);
        take(&mut self.thousands, &other.thousands);
        take(&mut self.comment, &other.comment);
        take(&mut self.encoding, &other.encoding);
    }

    /// The same with what was recognised written out.
    fn recognised(&self, dialect: &Dialect) -> Self {
        let options = dialect.options(self.missing_values.clone());
        Self {
            delimiter: options.delimiter,
            header: options.header,
            decimal: options.decimal,
            thousands: options.thousands,
            comment: options.comment,
            encoding: options.encoding,
            ..self.clone()
        }
    }

    /// The number that stands for a cell of a column, written as the run's table is; `classes`: the names of labels.
    ///
    /// # Errors
    /// A cell that holds something else than the column, in words.
    #[cfg(feature = "cli")]
    pub(crate) fn read_cell(
        &self,
        column: &super::ColumnSpec,
        classes: &[String],
        text: &str,
    ) -> std::result::Result<f64, String> {
        let dialect = self.dialect().ok_or("how the run's table is written is not known; name another run")?;
        match CellReader::new(&dialect, &self.missing_values).read(column, classes, text) {
            Cell::Value(value) => Ok(value),
            Cell::Missing => Err(format!("column `{}`: found no value; expected one; give it", column.name)),
            cell => Err(refusal(column, cell, text, classes)),
        }
    }

    fn read_table(&self, fingerprint: &mut Fingerprint) -> Result<Table> {
        Table::open(
            &self.path,
            "path",
            &self.options(),
            &|index, name| select::mean(&self.categorical, index, name),
            fingerprint,
        )
    }

    /// The columns of the target, and the values that they take.
    fn target(&self, table: &Table, parts: &Parts, kept: &[usize]) -> Result<(Vec<Feature>, Classes)> {
        let columns: Vec<&Column> = parts.target.iter().filter_map(|&index| table.columns().get(index)).collect();
        if let (Some(classes), [column]) = (self.target_classes, &columns[..]) {
            if matches!(column.kind, CellKind::Category | CellKind::Boolean) {
                let found = column.levels().len();
                return Err(Error::input(format!(
                    "data.target_classes: {} of {} holds {found} different words; expected whole numbers from 0 to {}; leave \
                     data.target_classes out: words are classes by themselves",
                    column.title(),
                    table.name(),
                    classes - 1
                )));
            }
            check_labels(table, column, classes)?;
            return Ok((vec![Feature::of_labels(column)], Classes::Numbered(classes)));
        }
        let is_word = |column: &&&Column| matches!(column.kind, CellKind::Category | CellKind::Boolean);
        let label =
            columns.len() == 1 && columns.iter().any(|column| is_word(&column)) && self.target_classes.is_none();
        if !self.classes.is_empty() && !label {
            return Err(Error::input(
                "data.classes: expected a target of one column of words; leave it out, or name one column in data.target",
            ));
        }
        if let (true, [column]) = (columns.iter().any(|column| is_word(&column)), &columns[..]) {
            return self.label(table, column);
        }
        let has_word = columns.iter().any(|column| is_word(&column));
        let features: Vec<Feature> = columns.into_iter().map(|column| Feature::of_target(table, column)).collect();
        let has_missing = kept.iter().any(|&row| features.iter().any(|feature| feature.is_missing(table, row)));
        let is_mixed = has_word || has_missing;
        Ok((features, if is_mixed { Classes::Mixed { has_missing } } else { Classes::Real }))
    }

    /// A label whose words are its classes.
    fn label(&self, table: &Table, column: &Column) -> Result<(Vec<Feature>, Classes)> {
        let levels = column.levels();
        if !(2..=65_536).contains(&levels.len()) {
            return Err(Error::input(format!(
                "{}: {}: found {} different words; expected 2 to 65536, the classes of a label; name another column in data.target",
                table.name(),
                column.title(),
                levels.len()
            )));
        }
        let classes = if self.classes.is_empty() { levels } else { &self.classes };
        let place = |word: &String| classes.iter().position(|class| class == word);
        let places: Option<Vec<usize>> = levels.iter().map(place).collect();
        let Some(places) = places.filter(|_| classes.len() == levels.len()) else {
            return Err(Error::input(format!(
                "data.classes: found {classes:?}; expected the words of {}, each once ({}); give them in their order",
                column.title(),
                levels.join(", ")
            )));
        };
        Ok((vec![Feature::of_words(column, places)], Classes::Named(classes.to_vec())))
    }
}

/// The values of a target.
enum Classes {
    Real,
    /// Of each column numbers or words, of which some may be missing.
    Mixed {
        /// Whether some are.
        has_missing: bool,
    },
    /// Labels below this number.
    Numbered(usize),
    /// Labels with these names.
    Named(Vec<String>),
}

/// Numbers that are no quantities, such as those of a one-hot form, stay as they are.
fn with_units(scale: Scale, has_units: &[bool]) -> Scale {
    let Scale { mut mean, mut mean_rest, mut std, step, levels } = scale;
    for (place, _) in has_units.iter().enumerate().filter(|(_, has)| !**has) {
        for (numbers, value) in [(&mut mean, 0.0), (&mut mean_rest, 0.0), (&mut std, 1.0)] {
            if let Some(number) = numbers.get_mut(place) {
                *number = value;
            }
        }
    }
    Scale { mean, mean_rest, std, step, levels }
}

/// Every number is a label below `classes`.
fn check_labels(table: &Table, column: &Column, classes: usize) -> Result<()> {
    for row in 0..table.rows() {
        let Some(value) = column.number(row) else { continue };
        if value.fract() != 0.0 || value < 0.0 || value >= classes as f64 {
            let last = classes - 1;
            return Err(Error::input(format!(
                "{}:{}: {}: found the label {value}; expected a whole number from 0 to {last} (data.target_classes = {classes}); \
                 set data.target_classes to one more than the largest label, or leave it out and name the column in data.categorical to \
                 take its numbers as names",
                table.name(),
                table.line(row),
                column.title()
            )));
        }
    }
    Ok(())
}

/// The file's name with its folder's: tables are often called `data`.
fn title(path: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_else(|| "csv".into());
    text(path.parent().and_then(Path::file_name)).map_or(stem.clone(), |folder| format!("{folder}/{stem}"))
}

#[cfg(test)]
mod tests;
