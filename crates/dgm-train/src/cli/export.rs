//! `dgm-train export RUN --out FILE`: the weights of a run, for PyTorch or for other programs on Burn.

use super::of_split::in_a_folder;
use super::output::say;
use crate::backend::Backend;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::exchange::{self, export};
use crate::files::write_atomic;
use crate::run_folder::RunFolder;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Names and layouts of PyTorch, with the configuration in the metadata
    Safetensors,
    /// Burn's own, for other programs on Burn
    Burnpack,
}

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Run folder
    run: PathBuf,
    /// File format
    #[arg(long, value_enum, default_value = "safetensors")]
    format: Format,
    /// Output file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &ExportArgs) -> Result<ExitCode> {
    in_a_folder(&args.out)?;
    let format = match args.format {
        Format::Safetensors => exchange::Format::Safetensors,
        Format::Burnpack => exchange::Format::Burnpack,
    };
    let folder = RunFolder::open(&args.run)?;
    // Nothing is computed: any device will do.
    let exported = export::<ModelConfig>(&folder, format, &Backend::open(Backend::default_name())?)?;
    write_atomic(&args.out, &exported.bytes)?;
    let (tensors, parameters) = (exported.tensors, exported.parameters);
    say(format_args!("{tensors} tensors, {parameters} parameters, in {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
