//! `dgm-train export RUN --out FILE`: the weights of a run, for PyTorch or for other programs on Burn.

use super::destination::{Inputs, cannot_write};
use super::output::say;
use crate::backend::Backend;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::exchange::{Format, export};
use crate::run_folder::RunFolder;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Run folder
    run: PathBuf,
    /// File format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Output file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &ExportArgs) -> Result<ExitCode> {
    let inputs = Inputs::of_runs(&[&args.run]);
    inputs.spare("--out", &args.out)?;
    let folder = RunFolder::open(&args.run)?;
    // Nothing is computed: any device will do.
    let exported = export::<ModelConfig>(&folder, args.format, &Backend::open(Backend::default_name())?)?;
    let mut out = inputs.create("--out", &args.out)?;
    out.write_all(&exported.bytes).and_then(|()| out.finish()).map_err(|error| cannot_write(&args.out, &error))?;
    let (tensors, parameters) = (exported.tensors, exported.parameters);
    say(format_args!("{tensors} tensors, {parameters} parameters, in {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
