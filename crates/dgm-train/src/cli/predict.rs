//! `dgm-train predict RUN --data TABLE`: predictions for the rows of a table, as CSV.

use super::destination::{Inputs, cannot_write};
use super::output::{is_standard, say};
use crate::config::Config;
use crate::data::file::FileReader;
use crate::data::{CsvConfig, DataConfig, Split};
use crate::error::{Error, Result};
use crate::predict::{Conformal, KINDS, Predictor, TableOptions, predict_table};
use crate::report::{progress, tell};
use crate::run_folder::RunFolder;
use clap::Args;
use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct PredictArgs {
    /// Run folder
    run: PathBuf,
    /// Table with the columns that the run was trained on, by name and in any order; - is standard input
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    data: PathBuf,
    /// Output file, as CSV; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-", allow_hyphen_values = true)]
    out: PathBuf,
    /// Central interval with this probability; may be given several times [default: 0.9]
    #[arg(long = "interval", value_name = "P", allow_negative_numbers = true, value_parser = probability)]
    intervals: Vec<f64>,
    /// Further quantile; may be given several times
    #[arg(long = "quantile", value_name = "P", allow_negative_numbers = true, value_parser = probability)]
    quantiles: Vec<f64>,
    /// Column of the table to write in front of the predictions; may be given several times
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    keep: Vec<String>,
    /// Widen or narrow the intervals until they hold their share of the validation split (split conformal): then they hold as much of rows
    /// of the same kind, on average
    #[arg(long)]
    conformal: bool,
    /// Make all probabilities sharper or flatter, or all distributions wider or narrower, by the one factor that the validation split is
    /// most probable with (temperature scaling)
    #[arg(long)]
    calibrate: bool,
    /// Take words that no training row has for unknown ones instead of refusing them
    #[arg(long)]
    allow_unknown: bool,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// New path of data that have moved, as in --set data.path=table.csv (--conformal and --calibrate read them)
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
}

/// A number above 0 and below 1, as far as single precision tells its quantile from an end.
fn probability(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| (1e-6..=1.0 - 1e-6).contains(value));
    value.ok_or_else(|| "expected a number from 0.000001 to 0.999999".into())
}

pub(super) fn run(args: &PredictArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let backend = super::backend_of_run(args.backend.as_deref(), &folder.provenance()?.backend)?;
    let config: Config = folder.config_with_moved_data(&args.overrides)?;
    let table = table_of(&config, &args.run, KINDS)?;
    let predictor: Predictor = Predictor::open(&folder, &backend)?;
    if predictor.classes().is_some() && !(args.intervals.is_empty() && args.quantiles.is_empty()) {
        return Err(Error::input(
            "--interval and --quantile are for numbers, and this run's target is a label; leave them out",
        ));
    }
    let validation = match args.conformal || args.calibrate {
        true => folder.dataset(&config)?.validation,
        false => Split::default(),
    };
    let predictor = match args.calibrate {
        true => {
            let what = if predictor.classes().is_some() { "temperature" } else { "width of the distributions times" };
            let (calibrated, factor) = predictor.calibrate(&validation)?;
            tell(format_args!("calibrated on {} validation examples: {what} {factor:.3}", validation.len()));
            calibrated
        }
        false => predictor,
    };
    let conformal = match args.conformal {
        true => Some(Conformal::of(&predictor, &validation)?),
        false => None,
    };
    if let Some(conformal) = &conformal {
        tell(format_args!(
            "conformal intervals from {} validation examples: the share that they hold is guaranteed on average, for rows that are \
             exchangeable with those",
            conformal.examples()
        ));
    }
    let options = TableOptions {
        intervals: if args.intervals.is_empty() { vec![0.9] } else { args.intervals.clone() },
        quantiles: args.quantiles.clone(),
        keep: args.keep.clone(),
        allow_unknown: args.allow_unknown,
        conformal,
        dialect: table.dialect(),
        missing_values: table.missing_values.clone(),
    };
    let stdin = std::io::stdin();
    let mut source = source_of(&args.data, &stdin)?;
    if is_standard(&args.out) {
        let gone = Cell::new(false);
        let out = Heard { out: std::io::stdout().lock(), gone: &gone };
        let more = |_: usize| if gone.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        predict_table(&predictor, &mut source, &options, out, more)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out =
        Inputs::of_runs(&[&args.run]).with_data(&config.data).with_file(Some(&args.data)).create("--out", &args.out)?;
    let bar = progress::open_counter("rows predicted");
    let count = predict_table(&predictor, &mut source, &options, &mut out, |rows| {
        bar.inc(rows as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let count = count?;
    out.finish().map_err(|error| cannot_write(&args.out, &error))?;
    say(format_args!("{count} predictions in {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// How the table of a run is configured.
///
/// # Errors
/// Other data; `kinds` are the models that the command is for.
pub(super) fn table_of<'a>(config: &'a Config, run: &Path, kinds: &str) -> Result<&'a CsvConfig> {
    match &config.data {
        DataConfig::Csv(table) => Ok(table),
        other => Err(Error::input(format!(
            "{}: the run was trained on data.source = \"{}\"; expected a run on a table (\"csv\") of model.kind = {kinds}; name another run",
            run.display(),
            other.source()
        ))),
    }
}

/// The table that `--data` names; `-` is standard input.
pub(super) fn source_of<'a>(data: &Path, stdin: &'a std::io::Stdin) -> Result<FileReader<'a>> {
    match is_standard(data) {
        true => Ok(FileReader::from_stream("standard input", stdin.lock())),
        false => FileReader::open_argument(data, "--data"),
    }
}

/// Standard output, whose reader may have had enough: from then on nothing is written.
pub(super) struct Heard<'a, W> {
    pub(super) out: W,
    pub(super) gone: &'a Cell<bool>,
}

impl<W: Write> Heard<'_, W> {
    fn heard<T>(&self, written: std::io::Result<T>, otherwise: T) -> std::io::Result<T> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone.set(true);
                Ok(otherwise)
            }
            written => written,
        }
    }
}

impl<W: Write> Write for Heard<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.gone.get() {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.heard(written, bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.out.flush();
        self.heard(flushed, ())
    }
}
