//! Missing cells of a table filled in by a model of its rows.

use super::ROWS;
use super::table::{Columns, Part};
use crate::data::Names;
use crate::data::file::FileReader;
use crate::data::table::Dialect;
use crate::data::table::rows::{CellReader, Rows};
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_core::random::{Seed, Stream};
use dgm_models::autoregressive::sampling::{SamplingParams, fill_in};
use dgm_models::{AnyOrder, Capability, DataSpec, Model, require};
use std::io::Write;

/// How cells are filled in.
#[derive(Clone, Debug)]
pub struct ImputeOptions {
    /// All missing cells of a row are drawn together from p(missing | present), by this seed; `None`: each is the median, or the most
    /// probable word, given those that are present.
    pub draw: Option<Seed>,
    /// Words that no training row has are not refused: the model sees "another word".
    pub allow_unknown: bool,
    /// How the table that the run was trained on is written; the other's delimiter is recognised.
    pub dialect: Dialect,
    /// Cells that stand for missing values, beside the usual ones.
    pub missing_values: Vec<String>,
}

/// Writes the rows of `source` as CSV to `out` with the missing cells of the model's target filled in; every other cell stays as it is. Returns the
/// numbers of rows and of cells that were filled in; `told` hears of the rows of each part.
///
/// # Errors
/// A model that cannot fill in; columns that are not there, cells that hold something else than those of the training rows, an `out` that cannot
/// be written.
pub fn impute_table(
    model: &dyn Model,
    names: &Names,
    device: &Device,
    source: &mut FileReader<'_>,
    options: &ImputeOptions,
    out: impl Write,
    mut told: impl FnMut(usize),
) -> Result<[usize; 2]> {
    let any_order = require(model.any_order(), Capability::AnyOrder, model)?;
    let known: Vec<&str> = names.condition.iter().chain(&names.target).map(|column| column.name.as_str()).collect();
    let mut rows = Rows::open(source, &options.dialect, &known)?;
    let width = rows.width()?;
    let mut columns = Columns::find(rows.names(), rows.file(), names, width, &[])?;
    let places = columns.whole_target(names, &rows, ", with empty cells where nothing is known")?.to_vec();
    columns.keep = (0..width.unwrap_or(0)).collect();
    let reader = CellReader::new(&options.dialect, &options.missing_values);
    let mut writer = csv::Writer::from_writer(out);
    let cannot =
        |error: csv::Error| Error::run(format!("the filled table cannot be written: {error}; see that there is room"));
    let (mut all, mut filled, mut part) = (0, 0, Part::default());
    let mut noise = options.draw.map(|seed| seed.stream("imputation", 0));
    loop {
        part.clear();
        let file = rows.file().to_owned();
        // Of a stream so many rows as of a file, whenever they come: each part draws from the noise.
        while part.lines.len() < ROWS {
            let more = rows.read(ROWS - part.lines.len(), |line, cells| {
                part.lines.push(line);
                part.push(&columns, &reader, names, model.spec(), options.allow_unknown, cells)
                    .map_err(|problem| Error::input(format!("{file}:{line}: {problem}")))
            })?;
            if more == 0 {
                break;
            }
        }
        let count = part.lines.len();
        if count == 0 {
            break;
        }
        part.check_range(model.spec(), &file)?;
        if all == 0
            && let Some(names) = rows.names()
        {
            writer.write_record(names).map_err(cannot)?;
        }
        let values = fill(any_order, model.spec(), device, &part, noise.as_mut())?;
        for (row, cells) in part.kept.iter_mut().enumerate() {
            for (dimension, (column, &place)) in names.target.iter().zip(&places).enumerate() {
                let at = row * places.len() + dimension;
                let missing = part.target.get(at).is_some_and(|value| value.is_nan());
                if let (true, Some(cell), Some(&value)) = (missing, cells.get_mut(place), values.get(at)) {
                    *cell = column.cell(&[value], &names.classes);
                    filled += 1;
                }
            }
            writer.write_record(&*cells).map_err(cannot)?;
        }
        writer.flush().map_err(|error| cannot(error.into()))?;
        all += count;
        told(count);
    }
    match all {
        0 => Err(Error::input(format!("{}: found no row; expected one to fill in; put rows there", rows.file()))),
        _ => Ok([all, filled]),
    }
}

/// The target of each row in the units of the data, with its missing cells filled in.
fn fill(
    model: &dyn AnyOrder,
    spec: &DataSpec,
    device: &Device,
    part: &Part,
    noise: Option<&mut Stream>,
) -> Result<Vec<f64>> {
    let (event, n) = (spec.event(), part.kept.len());
    let visible: Vec<bool> = part.target.iter().map(|value| !value.is_nan()).collect();
    if !visible.contains(&false) {
        return Ok(part.target.clone());
    }
    let target: Vec<f64> = part.target.iter().map(|&value| if value.is_nan() { 0.0 } else { value }).collect();
    let x = match spec.scale() {
        Some(scale) => scale.standardize(&target),
        None => target.iter().map(|&value| value as f32).collect(),
    };
    let upload = |values: Vec<f32>, width: usize| Tensor::<2>::from_data(TensorData::new(values, [n, width]), device);
    let x = upload(x, event);
    let condition = spec
        .condition
        .as_ref()
        .map(|described| upload(described.scale.standardize(&part.condition), described.width()));
    let values = match noise {
        Some(noise) => fill_in(model, x, &visible, condition.as_ref(), &SamplingParams::default(), noise, &mut || {}),
        None => {
            let flags = upload(visible.iter().map(|&one| f32::from(u8::from(one))).collect(), event);
            let parameters = model.parameters_given(x, flags, condition.as_ref());
            Tensor::cat((0..event).map(|d| likeliest(model, parameters.clone(), d)).collect::<Result<Vec<_>>>()?, 1)
        }
    };
    Ok(match spec.scale() {
        Some(scale) => scale.restore(&values.into_data().iter::<f32>().collect::<Vec<_>>()),
        None => host(values),
    })
}

/// The median of a number, and the most probable of levels, `[n, 1]`.
fn likeliest(model: &dyn AnyOrder, parameters: Tensor<3>, dimension: usize) -> Result<Tensor<2>> {
    let [n, _, outputs] = parameters.dims();
    let here = parameters.slice([0..n, dimension..dimension + 1, 0..outputs]);
    if let Some(table) = model.likelihood().log_probs_at(here.clone(), dimension) {
        return Ok(table.argmax(1).float());
    }
    let half = Tensor::full([n, 1], 0.5, &here.device());
    model
        .likelihood()
        .distribution_at(here, dimension..dimension + 1)
        .quantile(half)
        .ok_or_else(|| super::no("quantiles"))
}
