//! `dgm-train impute RUN --data TABLE --out TABLE`: missing cells filled in.

use super::destination::{Inputs, cannot_write};
use super::output::{is_standard, say};
use super::predict::{source_of, table_of};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::predict::{ImputeOptions, impute_table};
use crate::report::progress;
use crate::run_folder::RunFolder;
use clap::Args;
use dgm_core::random::Seed;
use dgm_models::{Capability, kinds_that_can};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ImputeArgs {
    /// Run folder
    run: PathBuf,
    /// Table with the columns that the run was trained on, by name and in any order; - is standard input
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    data: PathBuf,
    /// Output file, as CSV; - is standard output
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    out: PathBuf,
    /// Draw the missing cells of a row together from their distribution, instead of filling in the median or the most probable word of each:
    /// for several imputations give several seeds
    #[arg(long)]
    draw: bool,
    /// Seed of --draw, overriding the run's
    #[arg(long, requires = "draw", allow_negative_numbers = true, value_parser = super::whole::<u64>)]
    seed: Option<u64>,
    /// Take words that no training row has for unknown ones instead of refusing them, in the columns that the model is conditioned on
    #[arg(long)]
    allow_unknown: bool,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
}

pub(super) fn run(args: &ImputeArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let provenance = folder.provenance()?;
    let backend = super::backend_of_run(args.backend.as_deref(), &provenance.backend)?;
    let config: Config = folder.config()?;
    let table = table_of(&config, &args.run, &kinds_that_can(Capability::AnyOrder))?;
    let Some(dialect) = table.dialect() else {
        return Err(Error::input(
            "how the run's table is written is not known; expected the configuration of a run; name another run",
        ));
    };
    let model = folder.model(&config, &provenance.spec, &backend.device)?;
    let options = ImputeOptions {
        draw: args.draw.then(|| Seed(args.seed.unwrap_or(config.seed))),
        allow_unknown: args.allow_unknown,
        dialect,
        missing_values: table.missing_values.clone(),
    };
    let stdin = std::io::stdin();
    let mut source = source_of(&args.data, &stdin)?;
    if is_standard(&args.out) {
        let (model, names) = (&model, &provenance.names);
        impute_table(model, names, &backend.device, &mut source, &options, std::io::stdout().lock(), |_| {})?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out =
        Inputs::of_runs(&[&args.run]).with_data(&config.data).with_file(Some(&args.data)).create("--out", &args.out)?;
    let bar = progress::open_counter("rows");
    let told = |rows: usize| bar.inc(rows as u64);
    let done = impute_table(&model, &provenance.names, &backend.device, &mut source, &options, &mut out, told);
    bar.finish_and_clear();
    let [rows, cells] = done?;
    out.finish().map_err(|error| cannot_write(&args.out, &error))?;
    say(format_args!("{cells} missing cells of {rows} rows filled in: {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
