//! `dgm-train export RUN --out FILE`: the weights of a run, for PyTorch or for other programs on Burn.

use super::destination::Inputs;
use crate::backend::Backend;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::exchange::{Format, export};
use crate::run_folder::RunFolder;
use clap::Args;
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
    let folder = RunFolder::open(&args.run)?;
    let output = Inputs::of_runs(&[&args.run]).open(&args.out)?;
    // Nothing is computed: any device will do.
    let exported = export::<ModelConfig>(&folder, args.format, &Backend::open(Backend::default_name())?)?;
    let (tensors, parameters) = (exported.tensors, exported.parameters);
    output.write(&exported.bytes, format_args!("{tensors} tensors, {parameters} parameters,"))?;
    Ok(ExitCode::SUCCESS)
}
