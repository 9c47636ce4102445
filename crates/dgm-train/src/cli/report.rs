//! `dgm-train report RUN…`: one web page of a run, or of several beside each other.

use super::destination::{Inputs, cannot_write};
use super::output::say;
use crate::error::{Error, Result};
use crate::files::PartFile;
use crate::report::page;
use crate::run_folder::RunFolder;
use clap::Args;
use std::io::Write;
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
    is_a_page(&out, &args.runs)?;
    let text = page::report(&args.runs)?;
    let cannot = |error: std::io::Error| cannot_write(&out, &error);
    let mut file = PartFile::create(&out).map_err(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.finish()).map_err(cannot)?;
    say(format_args!("the report in {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a page can be written there, found before runs are evaluated.
fn is_a_page(out: &Path, runs: &[PathBuf]) -> Result<()> {
    let extension = out.extension().map(|extension| extension.to_ascii_lowercase());
    if !extension.is_some_and(|extension| extension == "html" || extension == "htm") {
        return Err(Error::input(format!("{}: expected a .html; name one with --out", out.display())));
    }
    Inputs::of_runs(runs).spare("--out", out)
}
