//! Predictions for the rows of a table, as rows of another: read, predicted and written part by part.

use super::{Conformal, Levels, Predicted, Prediction, Predictor};
use crate::data::file::FileReader;
use crate::data::names::class_name;
use crate::data::table::rows::{Cell, CellReader, Rows, refusal};
use crate::data::table::{Dialect, write_number};
use crate::data::{ColumnKind, ColumnSpec, Matrix, Names};
use crate::error::{Error, Result, did_you_mean};
use dgm_models::{DataSpec, ModelFactory, Scale, Values};
use std::io::Write;
use std::ops::ControlFlow;

/// Parts of the rows that are read together, and predicted side by side on a CPU.
const AT_ONCE: usize = 8;

/// What is written of each row.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Levels of central intervals, such as 0.9.
    pub intervals: Vec<f64>,
    /// Probabilities of further quantiles.
    pub quantiles: Vec<f64>,
    /// Columns of the input that are written in front, as they stand there.
    pub keep: Vec<String>,
    /// Words that no training row has are not refused: the model sees "another word".
    pub allow_unknown: bool,
    /// Makes the intervals conformal ones.
    pub conformal: Option<Conformal>,
    /// How the table that the run was trained on is written; the other's delimiter is recognised.
    pub dialect: Option<Dialect>,
    /// Cells that stand for missing values, beside the usual ones.
    pub missing_values: Vec<String>,
}

/// Where the columns of a model stand in a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    condition: Vec<usize>,
    /// Of the target, where all of it is there.
    pub(crate) target: Option<Vec<usize>>,
    pub(super) keep: Vec<usize>,
}

/// Predicts the rows of `source` and writes each as a line of CSV to `out`, which is flushed after those that were there at once. Returns how
/// many there were; `told` hears of each part, and may end it there.
///
/// # Errors
/// Columns that are not there, cells that hold something else than those of the training rows, an `out` that cannot be written.
pub fn predict_table<C: ModelFactory>(
    predictor: &Predictor<C>,
    source: &mut FileReader<'_>,
    options: &TableOptions,
    out: impl Write,
    mut told: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<usize> {
    let names = predictor.names();
    if names.condition.is_empty() {
        return Err(Error::input(
            "this run's model is not conditioned on columns of a table; expected one that is, as of data.source = \"csv\"; name another run",
        ));
    }
    let Some(dialect) = &options.dialect else {
        return Err(Error::input(
            "how the run's table is written is not known; expected the configuration of a table; name another run",
        ));
    };
    let known: Vec<&str> = names.condition.iter().chain(&names.target).map(|column| column.name.as_str()).collect();
    let mut rows = Rows::open(source, dialect, &known)?;
    let width = rows.width()?;
    let columns = Columns::find(rows.names(), rows.file(), names, width, &options.keep)?;
    let reader = CellReader::new(dialect, &options.missing_values);
    let levels = levels(predictor, options);
    let mut writer = csv::Writer::from_writer(out);
    let cannot =
        |error: csv::Error| Error::run(format!("the predictions cannot be written: {error}; see that there is room"));
    let kept = columns.keep.iter().map(|&place| match rows.names() {
        Some(names) => names.get(place).cloned().unwrap_or_default(),
        None => format!("column {place}"),
    });
    let header: Vec<String> = kept.chain(header(predictor, options, columns.target.is_some())).collect();
    let (mut all, mut batch) = (0, Part::default());
    loop {
        batch.clear();
        let file = rows.file().to_owned();
        let count = rows.read(AT_ONCE * super::ROWS, |line, cells| {
            batch.lines.push(line);
            batch
                .push(&columns, &reader, names, predictor.spec(), options.allow_unknown, cells)
                .map_err(|problem| Error::input(format!("{file}:{line}: {problem}")))
        })?;
        if count == 0 {
            break;
        }
        let matrix = |values: &Vec<f64>| Matrix::new(count, values.len() / count, values.clone());
        let target = columns.target.is_some().then(|| matrix(&batch.target));
        batch.check_range(predictor.spec(), rows.file())?;
        let prediction = predictor.predict(&matrix(&batch.condition), target.as_ref(), &levels)?;
        // Of a table that cannot be read there is no header either.
        if all == 0 {
            writer.write_record(&header).map_err(cannot)?;
        }
        for (row, kept) in batch.kept.iter().enumerate() {
            writer.write_record(kept.iter().cloned().chain(cells(predictor, &prediction, row))).map_err(cannot)?;
        }
        writer.flush().map_err(|error| cannot(error.into()))?;
        all += count;
        if told(count).is_break() {
            break;
        }
    }
    if all == 0 {
        return Err(Error::input(format!(
            "{}: found no row; expected one for each prediction; put rows there",
            rows.file()
        )));
    }
    Ok(all)
}

/// The quantiles that are written: both ends of each interval, then the others.
fn levels<C: ModelFactory>(predictor: &Predictor<C>, options: &TableOptions) -> Levels {
    let ends = options.intervals.iter().map(|&level| match &options.conformal {
        Some(conformal) => conformal.interval(level),
        None => Levels::of(&[0.5 - level / 2.0, 0.5 + level / 2.0], predictor),
    });
    ends.fold(Levels(Vec::new()), Levels::chain).chain(Levels::of(&options.quantiles, predictor))
}

/// The names of what is written.
fn header<C: ModelFactory>(predictor: &Predictor<C>, options: &TableOptions, scored: bool) -> Vec<String> {
    let names = predictor.names();
    let mut header = Vec::new();
    for column in &names.target {
        let name = &column.name;
        if let Some(classes) = predictor.classes() {
            header.push(format!("{name}_predicted"));
            header.extend((0..classes).map(|class| format!("{name}_p_{}", class_name(&names.classes, class))));
            continue;
        }
        header.extend(["mean", "median", "std"].map(|what| format!("{name}_{what}")));
        for level in &options.intervals {
            header.extend(["lower", "upper"].map(|end| format!("{name}_{end}_{level}")));
        }
        header.extend(options.quantiles.iter().map(|p| format!("{name}_q{p}")));
    }
    if scored {
        header.push("log_prob".into());
    }
    header
}

/// What is predicted of a row, as cells.
fn cells<C: ModelFactory>(predictor: &Predictor<C>, prediction: &Prediction, row: usize) -> Vec<String> {
    let names = predictor.names();
    let mut cells = Vec::new();
    match &prediction.predicted {
        Predicted::Classes(probabilities) => {
            let probabilities = probabilities.row(row);
            let best = (0..probabilities.len()).rev().max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
            cells.push(best.map_or(String::new(), |class| class_name(&names.classes, class)));
            cells.extend(probabilities.iter().map(|&p| write_number(p)));
        }
        Predicted::Numbers { mean, median, std, quantiles } => {
            for (dimension, column) in names.target.iter().enumerate() {
                let value = |matrix: &Matrix| matrix.row(row).get(dimension).copied().unwrap_or(f64::NAN);
                cells.extend([mean, median].map(|matrix| written(column, value(matrix))));
                cells.push(std.as_ref().map_or(String::new(), |std| write_number(value(std))));
                cells.extend(quantiles.iter().map(|quantile| written(column, value(quantile))));
            }
        }
    }
    if let Some(log_prob) = &prediction.log_prob {
        let value = log_prob.get(row).copied().unwrap_or(f64::NAN);
        cells.push(if value.is_nan() { String::new() } else { write_number(value) });
    }
    cells
}

/// A number in the units of a column: a date as the table writes dates.
fn written(column: &ColumnSpec, value: f64) -> String {
    match column.kind {
        ColumnKind::Time { format } if value.is_finite() => format.write(value),
        _ => write_number(value),
    }
}

impl Columns {
    /// Columns by name, or by their index in a table without names.
    ///
    /// # Errors
    /// One that is needed is not there, or two have its name.
    pub(crate) fn find(
        names: Option<&[String]>,
        file: &str,
        Names { condition, target, columns, .. }: &Names,
        width: Option<usize>,
        keep: &[String],
    ) -> Result<Self> {
        if let (None, Some(found), Some(trained)) = (names, width, columns) {
            return Self::by_index(file, [condition, target], found, *trained, keep);
        }
        let place = |name: &str| match names {
            None => Ok(name.strip_prefix("column ").unwrap_or(name).parse::<usize>().ok()),
            Some(names) => {
                let mut places = names.iter().enumerate().filter(|(_, other)| *other == name).map(|(place, _)| place);
                let first = places.next();
                match places.next() {
                    Some(second) => Err(Error::input(format!(
                        "{file}: found two columns called `{name}`, {} and {second}; expected one; rename the other",
                        first.unwrap_or_default()
                    ))),
                    // A column without a name is called by its index.
                    None => Ok(first.or_else(|| {
                        let index = name.strip_prefix("column ")?.parse().ok()?;
                        names.get(index).is_some_and(String::is_empty).then_some(index)
                    })),
                }
            }
        };
        let missing = |name: &str, why: &str| {
            let near = did_you_mean(name, names.unwrap_or_default().iter().map(String::as_str));
            Error::input(format!("{file}: found no column `{name}`{near}; expected {why}"))
        };
        let all: Vec<&str> = condition.iter().map(|column| column.name.as_str()).collect();
        let why = || {
            format!("the columns that the run was trained on, in any order ({}); add it, or rename one", all.join(", "))
        };
        let needed = |name: &&str| place(name)?.ok_or_else(|| missing(name, &why()));
        let condition = all.iter().map(needed).collect::<Result<Vec<usize>>>()?;
        let target: Option<Vec<usize>> =
            target.iter().map(|column| place(&column.name).transpose()).collect::<Option<Result<_>>>().transpose()?;
        let kept = |name: &String| match name.parse::<usize>().ok().filter(|_| names.is_none()) {
            Some(index) => Ok(index),
            None => place(name)?.ok_or_else(|| missing(name, "the columns of the table; name another with --keep")),
        };
        let keep = keep.iter().map(kept).collect::<Result<Vec<usize>>>()?;
        Ok(Self { condition, target, keep })
    }

    /// Where the columns of the target stand.
    ///
    /// # Errors
    /// One of them is not there; `advice` ends the message.
    pub(crate) fn whole_target(&self, names: &Names, rows: &Rows<'_, '_>, advice: &str) -> Result<&[usize]> {
        self.target.as_deref().ok_or_else(|| {
            let found = rows.names().unwrap_or_default();
            let missing = names.target.iter().find(|column| !found.contains(&column.name));
            Error::input(format!(
                "{}: found no column `{}`; expected all that the run's model is of; add it{advice}",
                rows.file(),
                missing.map_or("", |column| column.name.as_str())
            ))
        })
    }

    /// Columns of a table without names: all that the run's table has, or all but the targets.
    ///
    /// # Errors
    /// More or fewer of them: nothing would say which is which.
    fn by_index(
        file: &str,
        parts: [&Vec<ColumnSpec>; 2],
        found: usize,
        trained: usize,
        keep: &[String],
    ) -> Result<Self> {
        let index = |column: &ColumnSpec| column.name.strip_prefix("column ").and_then(|index| index.parse().ok());
        let [condition, target] = parts.map(|columns| columns.iter().filter_map(index).collect::<Vec<usize>>());
        let without = trained.saturating_sub(target.len());
        let (condition, target) = match found {
            _ if found == trained => (condition, Some(target)),
            _ if found == without => {
                let before = |place: usize| target.iter().filter(|&&target| target < place).count();
                (condition.into_iter().map(|place| place - before(place)).collect(), None)
            }
            _ => {
                return Err(Error::input(format!(
                    "{file}: found {found} columns, without names; expected {trained}, as the run's table has, or the {without} that are no \
                     target, in the same order; add or take out what differs"
                )));
            }
        };
        let kept = |name: &String| {
            let place =
                name.strip_prefix("column ").unwrap_or(name).parse().ok().filter(|&place: &usize| place < found);
            place.ok_or_else(|| {
                Error::input(format!(
                    "--keep {name}: found no such column in {file}; expected one of 0 to {}; name another",
                    found.saturating_sub(1)
                ))
            })
        };
        Ok(Self { condition, target, keep: keep.iter().map(kept).collect::<Result<_>>()? })
    }
}

/// Rows that were read and not predicted yet.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) condition: Vec<f64>,
    pub(crate) target: Vec<f64>,
    pub(crate) kept: Vec<Vec<String>>,
    pub(crate) lines: Vec<usize>,
    /// The cells of one row.
    row: Vec<String>,
}

impl Part {
    pub(crate) fn clear(&mut self) {
        self.condition.clear();
        self.target.clear();
        self.kept.clear();
        self.lines.clear();
    }

    /// Whether single precision holds every number, standardised.
    ///
    /// # Errors
    /// The line of the first row with one that it does not.
    pub(crate) fn check_range(&self, spec: &DataSpec, file: &str) -> Result<()> {
        match self.beyond(spec) {
            None => Ok(()),
            Some(line) => Err(Error::input(format!(
                "{file}:{line}: a number is more than 3e38 standard deviations from those of the training rows; expected one like theirs; fix \
                 the row"
            ))),
        }
    }

    fn beyond(&self, spec: &DataSpec) -> Option<usize> {
        let of = |scale: Option<&Scale>, numbers: &[f64]| {
            let scale = scale?;
            let place = scale.standardize(numbers).iter().position(|value| value.is_infinite())?;
            self.lines.get(place / scale.width().max(1)).copied()
        };
        let condition = of(spec.condition.as_ref().map(|condition| &condition.scale), &self.condition);
        condition.into_iter().chain(of(spec.scale(), &self.target)).min()
    }

    /// Takes a row; says what is wrong with it.
    pub(crate) fn push(
        &mut self,
        columns: &Columns,
        reader: &CellReader,
        names: &Names,
        spec: &DataSpec,
        allow_unknown: bool,
        cells: &mut dyn Iterator<Item = &str>,
    ) -> std::result::Result<(), String> {
        let mut count = 0;
        for (place, cell) in cells.enumerate() {
            match self.row.get_mut(place) {
                Some(own) => {
                    own.clear();
                    own.push_str(cell);
                }
                None => self.row.push(cell.to_owned()),
            }
            count = place + 1;
        }
        let text = |place: usize| {
            let cell = self.row.get(place).filter(|_| place < count);
            cell.ok_or_else(|| format!("found {count} cells; expected the columns of the table that the run was trained on, column {place} among them; add them"))
        };
        for (column, &place) in names.condition.iter().zip(&columns.condition) {
            let text = text(place)?;
            let value = match reader.read(column, &names.classes, text) {
                Cell::Value(value) => Some(value),
                Cell::Missing if column.imputed.is_some() => None,
                Cell::Unknown if allow_unknown && matches!(column.kind, ColumnKind::Category { .. }) => Some(f64::MAX),
                cell => return Err(refusal(column, cell, text, &names.classes)),
            };
            column.append(value, &mut self.condition);
        }
        for (column, &place) in names.target.iter().zip(columns.target.iter().flatten()) {
            let text = text(place)?;
            let value = match reader.read(column, &names.classes, text) {
                Cell::Value(value) => value,
                Cell::Missing => f64::NAN,
                cell => return Err(refusal(column, cell, text, &names.classes)),
            };
            if let (Values::Levels(levels), true) = (&spec.values, !value.is_nan())
                && (value.fract() != 0.0 || value < 0.0 || value >= *levels as f64)
            {
                return Err(format!(
                    "column `{}`: found the label {text:?}; expected a whole number from 0 to {}; fix the cell, or leave it empty",
                    column.name,
                    levels - 1
                ));
            }
            self.target.push(value);
        }
        let kept =
            columns.keep.iter().map(|&place| text(place).cloned()).collect::<std::result::Result<_, String>>()?;
        self.kept.push(kept);
        Ok(())
    }
}
