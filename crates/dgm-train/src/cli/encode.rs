//! `dgm-train encode RUN`: the code of each example, as CSV or NPY.

use super::destination::ending;
use super::of_split::OfSplit;
use super::output::is_standard;
use crate::error::{Error, Result};
use crate::report::{npy, rows};
use crate::represent;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct EncodeArgs {
    #[command(flatten)]
    of: OfSplit,
    /// Number of examples, the first of the split [default: all]
    #[arg(short, long, allow_negative_numbers = true, value_parser = super::within(1..=u32::MAX))]
    n: Option<u32>,
    /// Output file: .csv with names and labels, .npy for an array of [examples, code]; - is standard output, as CSV
    #[arg(long, value_name = "FILE", default_value = "codes.csv")]
    out: PathBuf,
}

pub(super) fn run(args: &EncodeArgs) -> Result<ExitCode> {
    if !["csv", "npy"].contains(&ending(&args.out).as_str()) && !is_standard(&args.out) {
        return Err(Error::input(format!("{}: expected a .csv or a .npy; name one", args.out.display())));
    }
    let opened = args.of.open()?;
    let output = opened.inputs.open(&args.out)?;
    let examples = opened.first(args.n.map_or(usize::MAX, |n| n as usize));
    let codes = represent::codes(&opened.model, opened.split(), &examples, &opened.backend.device)?;
    let width = codes.first().map_or(0, Vec::len);
    let bytes = if output.ends_in("npy") {
        npy::of_rows(&codes, width)
    } else {
        let labels = opened.split().labels(&examples, &opened.dataset.names)?;
        rows::codes(&codes, &represent::names(&opened.model, width), labels.as_deref())?
    };
    output.write(&bytes, format_args!("codes of {} examples, {width} numbers each,", codes.len()))?;
    Ok(ExitCode::SUCCESS)
}
