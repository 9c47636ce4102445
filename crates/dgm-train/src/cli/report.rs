//! `dgm-train report RUN…`: one web page of a run, or of several beside each other.

use super::destination::{Inputs, Output, ending};
use super::output::is_standard;
use crate::error::{Error, Result};
use crate::report::page;
use crate::run_folder::RunFolder;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// Run folders; several are compared on their test data, differences are from the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Output file, .html [default: report.html, of one run in its folder, of several in the current one]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let out = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.join("report.html"),
        (None, _) => PathBuf::from("report.html"),
    };
    args.runs.iter().try_for_each(|run| RunFolder::open(run).map(drop))?;
    let output = page_at(&out, &args.runs)?;
    output.write(page::report(&args.runs)?.as_bytes(), "the report")?;
    Ok(ExitCode::SUCCESS)
}

/// Where the page goes, found before runs are evaluated.
fn page_at(out: &Path, runs: &[PathBuf]) -> Result<Output> {
    if !["html", "htm"].contains(&ending(out).as_str()) && !is_standard(out) {
        return Err(Error::input(format!("{}: expected a .html; name one with --out", out.display())));
    }
    Inputs::of_runs(runs).open(out)
}
