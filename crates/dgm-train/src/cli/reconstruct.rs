//! `dgm-train reconstruct RUN`: examples, and what the model makes of their codes.

use super::of_split::OfSplit;
use crate::error::Result;
use crate::represent;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ReconstructArgs {
    #[command(flatten)]
    of: OfSplit,
    /// Number of examples, the first of the split
    #[arg(short, long, default_value_t = 16, allow_negative_numbers = true, value_parser = super::within(1..=1000))]
    n: u32,
    /// Output file: .png of images, each above its reconstruction; .csv of numbers, with columns that say which is which; .npy, all
    /// examples before all reconstructions; - is standard output, as CSV [default: reconstructions.png or .csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Examples side by side.
const COLUMNS: usize = 16;

pub(super) fn run(args: &ReconstructArgs) -> Result<ExitCode> {
    let opened = args.of.open()?;
    let output = opened.output(args.out.as_deref(), "reconstructions")?;
    let (split, device) = (opened.split(), &opened.backend.device);
    let rows = opened.first(args.n as usize);
    let codes = represent::codes(&opened.model, split, &rows, device)?;
    let originals = represent::originals(&opened.model, split, &rows, device)?;
    let decoded = represent::decode(&opened.model, &codes, split, &rows, device)?;
    // Each line of examples above that of its reconstructions; in an array all examples before all reconstructions.
    let width = if output.ends_in("npy") { rows.len().max(1) } else { COLUMNS };
    let (mut all, mut what) = (Vec::new(), Vec::new());
    for ((rows, originals), decoded) in rows.chunks(width).zip(originals.chunks(width)).zip(decoded.chunks(width)) {
        for (name, examples) in [("example", originals), ("reconstruction", decoded)] {
            all.extend_from_slice(examples);
            what.extend(rows.iter().map(|row| vec![row.to_string(), name.to_owned()]));
            // The last line may have room left.
            let empty = if rows.len() < width && args.n as usize > width { width - rows.len() } else { 0 };
            all.extend(std::iter::repeat_n(Vec::new(), empty));
            what.extend(std::iter::repeat_n(Vec::new(), empty));
        }
    }
    let what = (&["number", "what"][..], |i: usize| what.get(i).cloned().unwrap_or_default());
    let told = format!("{} examples and their reconstructions", rows.len());
    opened.write(output, rows.len().min(COLUMNS), &all, what, told)?;
    Ok(ExitCode::SUCCESS)
}
