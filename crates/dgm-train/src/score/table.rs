//! Scores of the rows of a table, or of the examples of a split, as rows of a table: read, scored and written part by part.

use super::{Calibration, ROWS, Score, Scorer, Scores, Statistic};
use crate::data::chunks::chunks;
use crate::data::file::FileReader;
use crate::data::table::rows::{CellReader, Rows};
use crate::data::table::{Dialect, write_number};
use crate::data::{Names, Split};
use crate::error::{Error, Result};
use crate::predict::{Columns, Part};
use burn::tensor::{Tensor, TensorData};
use dgm_core::estimate::bits_per_dim;
use dgm_models::{Batch, ModelFactory, Values};
use std::io::Write;
use std::ops::ControlFlow;

/// What is written of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreOptions {
    /// Examples that nothing was learnt from, scored by the same statistic.
    pub calibration: Calibration,
    /// What p-values are of: where that is not the surprisal, it has a column of its own.
    pub statistic: Statistic,
    /// Dimensions of an example, where a column says the surprisal of each in bits.
    pub bits_of: Option<usize>,
    /// Rate of false alarms: a further column says whether the p-value is at most that.
    pub threshold: Option<f64>,
    /// The surprisal of each column given those before it, where the model has such factors.
    pub per_column: bool,
    /// Columns of the input that are written in front; `None`: all that the model does not see, such as ids and names.
    pub keep: Option<Vec<String>>,
    /// Words that no training row has are not refused: the model sees "another word".
    pub allow_unknown: bool,
    /// How the table that the run was trained on is written; the other's delimiter is recognised.
    pub dialect: Option<Dialect>,
    /// Cells that stand for missing values, beside the usual ones.
    pub missing_values: Vec<String>,
}

impl ScoreOptions {
    /// The names of what is written of each example, after what is kept of it: of so many factors, where the model has any.
    pub fn header(&self, factors: usize, names: &Names) -> Vec<String> {
        let mut header = vec![Statistic::Surprisal.name().to_owned()];
        header.extend(self.bits_of.map(|_| "bits_per_dim".to_owned()));
        if self.statistic != Statistic::Surprisal {
            header.push(self.statistic.name().to_owned());
        }
        header.push("p_value".to_owned());
        header.extend(self.threshold.map(|_| "flag".to_owned()));
        if factors > 1 {
            header.push("strangest".into());
        }
        if self.per_column {
            header.extend((0..factors).map(|dimension| format!("surprisal_{}", name_of(names, dimension))));
        }
        header
    }

    /// Whether there is what is asked for.
    fn check(&self, scores: &Scores) -> Result<()> {
        match self.per_column && scores.dimensions.is_none() {
            false => Ok(()),
            true => Err(Error::input(
                "--per-column is for models with a conditional of each column, and this run's has none; leave it out, or train one that has \
                 (of a table model.kind = \"any_order_mlp\", or \"histogram\" of numbers alone)",
            )),
        }
    }

    /// Whether an example is flagged.
    fn flags(&self, strangeness: f64) -> bool {
        // What rounding adds to a rate that is a share of the examples is none more.
        self.threshold.is_some_and(|rate| self.calibration.p_value(strangeness) <= rate + 1e-12)
    }

    /// What is written of one example.
    pub fn cells(&self, score: Score<'_>, names: &Names) -> Vec<String> {
        let Score { surprisal, strangeness, factors } = score;
        let mut cells = vec![write_number(surprisal)];
        cells.extend(self.bits_of.map(|dimensions| write_number(bits_per_dim(surprisal, dimensions as f64))));
        if self.statistic != Statistic::Surprisal {
            cells.push(write_number(strangeness));
        }
        cells.push(write_number(self.calibration.p_value(strangeness)));
        cells.extend(self.threshold.map(|_| u8::from(self.flags(strangeness)).to_string()));
        let Some(factors) = factors else { return cells };
        if factors.len() > 1 {
            let strangest = factors.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            cells.push(strangest.map_or(String::new(), |(dimension, _)| name_of(names, dimension)));
        }
        if self.per_column {
            cells.extend(factors.iter().map(|&factor| write_number(factor)));
        }
        cells
    }
}

/// The name of a dimension of the target, or its number where it has none.
fn name_of(names: &Names, dimension: usize) -> String {
    names.target.get(dimension).map_or_else(|| dimension.to_string(), |column| column.name.clone())
}

/// Scores the rows of `source` and writes each as a line of CSV to `out`, which is flushed after those that were there at once. Returns how many
/// there were, and how many of them are flagged; `told` hears the statistic of each example of a part, and may end it there.
///
/// # Errors
/// Columns that are not there, cells that hold something else than those of the training rows or nothing, an `out` that cannot be written.
pub fn score_table<C: ModelFactory>(
    scorer: &Scorer<C>,
    names: &Names,
    source: &mut FileReader<'_>,
    options: &ScoreOptions,
    out: impl Write,
    mut told: impl FnMut(&[f64]) -> ControlFlow<()>,
) -> Result<[usize; 2]> {
    let Some(dialect) = &options.dialect else {
        return Err(Error::input(
            "how the run's table is written is not known; expected the configuration of a table; name another run",
        ));
    };
    let known: Vec<&str> = names.condition.iter().chain(&names.target).map(|column| column.name.as_str()).collect();
    let mut rows = Rows::open(source, dialect, &known)?;
    let width = rows.width()?;
    let others = || {
        let named = rows.names().unwrap_or_default().iter();
        named.filter(|name| !name.is_empty() && !known.contains(&name.as_str())).cloned().collect()
    };
    let keep: Vec<String> = options.keep.clone().unwrap_or_else(others);
    let columns = Columns::find(rows.names(), rows.file(), names, width, &keep)?;
    columns.whole_target(names, &rows, "")?;
    let reader = CellReader::new(dialect, &options.missing_values);
    let mut writer = csv::Writer::from_writer(out);
    let (mut all, mut flagged, mut part, mut index) = (0, 0, Part::default(), 0);
    loop {
        part.clear();
        let file = rows.file().to_owned();
        // Of an estimate so many rows as of a file, whenever they come: its noise is that of the place of a row.
        while part.lines.len() < ROWS {
            let more = rows.read(ROWS - part.lines.len(), |line, cells| {
                part.lines.push(line);
                part.push(&columns, &reader, names, scorer.spec(), options.allow_unknown, cells)
                    .map_err(|problem| Error::input(format!("{file}:{line}: {problem}")))
            })?;
            if more == 0 || !scorer.is_estimate() {
                break;
            }
        }
        let count = part.lines.len();
        if count == 0 {
            break;
        }
        let scores = scorer.score(&batch_of(scorer, names, &part, &file)?, index)?;
        index += 1;
        options.check(&scores)?;
        if all == 0 {
            let header = keep.iter().cloned().chain(options.header(scores.width(), names));
            writer.write_record(header).map_err(cannot)?;
        }
        for (row, kept) in part.kept.iter().enumerate() {
            let score = scores.of(row);
            flagged += usize::from(options.flags(score.strangeness));
            let cells = kept.iter().cloned().chain(options.cells(score, names));
            writer.write_record(cells).map_err(cannot)?;
        }
        writer.flush().map_err(|error| cannot(error.into()))?;
        all += count;
        if told(&scores.strangeness).is_break() {
            break;
        }
    }
    match all {
        0 => Err(Error::input(format!("{}: found no row; expected one to score; put rows there", rows.file()))),
        _ => Ok([all, flagged]),
    }
}

/// Scores the examples of a split and writes each as a line of CSV to `out`, with its place in the split and its label where it has one. Returns
/// how many there were, and how many of them are flagged; `told` hears the statistic of each example of a part, and may end it there.
///
/// # Errors
/// Data that cannot be read any more, an `out` that cannot be written.
pub fn score_split<C: ModelFactory>(
    scorer: &Scorer<C>,
    names: &Names,
    split: &Split,
    options: &ScoreOptions,
    out: impl Write,
    mut told: impl FnMut(&[f64]) -> ControlFlow<()>,
) -> Result<[usize; 2]> {
    let mut writer = csv::Writer::from_writer(out);
    let (mut all, mut flagged) = (0, 0);
    for (index, rows) in chunks(split.len(), ROWS).enumerate() {
        let scores = scorer.score(&split.unaugmented(&rows, &scorer.device)?, index as u64)?;
        options.check(&scores)?;
        let labels = split.labels(&rows, names)?;
        if index == 0 {
            let mut header = vec!["example".to_owned()];
            header.extend(labels.as_ref().map(|_| "label".to_owned()));
            header.extend(options.header(scores.width(), names));
            writer.write_record(header).map_err(cannot)?;
        }
        for (place, row) in rows.iter().enumerate() {
            let score = scores.of(place);
            flagged += usize::from(options.flags(score.strangeness));
            let mut cells = vec![row.to_string()];
            cells.extend(labels.as_ref().map(|all| all.get(place).map_or(String::new(), |label| label.name.clone())));
            cells.extend(options.cells(score, names));
            writer.write_record(cells).map_err(cannot)?;
        }
        all += rows.len();
        if told(&scores.strangeness).is_break() {
            break;
        }
    }
    writer.flush().map_err(|error| cannot(error.into()))?;
    Ok([all, flagged])
}

fn cannot(error: csv::Error) -> Error {
    Error::run(format!("the scores cannot be written: {error}; see that there is room"))
}

/// The rows as the model sees them: what is missing is masked where the model was trained on such, and refused otherwise.
fn batch_of<C: ModelFactory>(scorer: &Scorer<C>, names: &Names, part: &Part, file: &str) -> Result<Batch> {
    let (spec, n) = (scorer.spec(), part.lines.len());
    let event = spec.event();
    let missing = part.target.iter().position(|value| value.is_nan());
    if let (Some(at), false) = (missing, matches!(spec.values, Values::Columns(_))) {
        return Err(Error::input(format!(
            "{file}:{}: column `{}`: found a missing cell; expected a value, as the run's model knows no missing ones; fill it in, or train with \
             data.missing = \"keep\" and model.kind = \"any_order_mlp\"",
            part.lines.get(at / event.max(1)).copied().unwrap_or_default(),
            names.target.get(at % event.max(1)).map_or("", |column| column.name.as_str())
        )));
    }
    part.check_range(spec, file)?;
    let upload =
        |values: Vec<f32>, width: usize| Tensor::<2>::from_data(TensorData::new(values, [n, width]), &scorer.device);
    let known: Vec<f64> = part.target.iter().map(|&value| if value.is_nan() { 0.0 } else { value }).collect();
    let target = match spec.scale() {
        Some(scale) => scale.standardize(&known),
        None => known.iter().map(|&value| value as f32).collect(),
    };
    let condition = spec.condition.as_ref();
    Ok(Batch {
        target: upload(target, event),
        condition: condition.map(|described| upload(described.scale.standardize(&part.condition), described.width())),
        mask: missing.map(|_| upload(part.target.iter().map(|x| f32::from(u8::from(!x.is_nan()))).collect(), event)),
    })
}
