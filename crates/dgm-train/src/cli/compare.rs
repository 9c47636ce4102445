//! `dgm-train compare RUN RUN…`: runs side by side, with the errors of their differences.

use super::destination::Inputs;
use crate::compare::{CompareOptions, Format, compare};
use crate::error::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// Run folders, two or more; differences are from the first
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Format of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Output file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Importance samples per example of every run with latent variables [default: each run's own]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = super::whole::<usize>)]
    importance_samples: Option<usize>,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
    /// Backend to compute on [default: each run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
}

pub(super) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let output = Inputs::of_runs(&args.runs).open(args.out.as_deref().unwrap_or(Path::new("-")))?;
    let options = CompareOptions {
        importance_samples: args.importance_samples,
        backend: args.backend.clone(),
        moved: args.overrides.clone(),
    };
    if args.importance_samples.is_some_and(|k| k > 1_000_000) {
        return Err(Error::input("--importance-samples: expected a number up to 1000000; give such a number"));
    }
    let text = compare(&args.runs, &options)?.write(args.format)?;
    let text = format!("{}\n", text.trim_end());
    output.write(text.as_bytes(), format_args!("the comparison of {} runs", args.runs.len()))?;
    Ok(ExitCode::SUCCESS)
}
