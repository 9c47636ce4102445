//! `dgm-train reconstruct RUN`: examples, and what the model makes of their codes.

use super::of_split::OfSplit;
use super::output::say;
use crate::error::Result;
use crate::represent;
use clap::{Args, value_parser};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ReconstructArgs {
    #[command(flatten)]
    of: OfSplit,
    /// Number of examples, the first of the split
    #[arg(short, long, default_value_t = 16, allow_negative_numbers = true, value_parser = value_parser!(u32).range(1..=1000))]
    n: u32,
    /// Output file: .png of images, each above its reconstruction; .csv of numbers, the examples first [default: reconstructions.png or .csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Examples side by side.
const COLUMNS: usize = 16;

pub(super) fn run(args: &ReconstructArgs) -> Result<ExitCode> {
    let opened = args.of.open()?;
    let path = opened.path(args.out.as_deref(), "reconstructions")?;
    let (split, device) = (opened.split(), &opened.backend.device);
    let mut bands = Vec::new();
    let examples = opened.first(args.n as usize);
    for rows in examples.chunks(COLUMNS) {
        let codes = represent::codes(&opened.model, split, rows, device)?;
        let mut band = represent::originals(&opened.model, split, rows, device)?;
        // One line of the picture is full.
        let columns = examples.len().min(COLUMNS);
        let missing = columns - rows.len();
        if missing == 0 {
            band.extend(represent::decode(&opened.model, &codes, split, rows, device)?);
            bands.push(band);
        } else {
            bands.push(band);
            bands.push(represent::decode(&opened.model, &codes, split, rows, device)?);
        }
    }
    opened.write(&path, examples.len().min(COLUMNS), &bands)?;
    say(format_args!("{} examples and their reconstructions in {}", examples.len(), path.display()))?;
    Ok(ExitCode::SUCCESS)
}
