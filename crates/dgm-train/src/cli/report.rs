//! `dgm-train report RUN…`: one web page of a run, or of several beside each other.

use super::output::say;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::report::page;
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
    if args.out.is_some() {
        is_a_page(&out)?;
    }
    let text = page::report(&args.runs)?;
    write_atomic(&out, text.as_bytes())?;
    say(format_args!("the report in {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a page can be written there, found before runs are evaluated.
fn is_a_page(out: &Path) -> Result<()> {
    let extension = out.extension().map(|extension| extension.to_ascii_lowercase());
    if !extension.is_some_and(|extension| extension == "html" || extension == "htm") {
        return Err(Error::input(format!("{}: expected a .html; name one with --out", out.display())));
    }
    super::of_split::a_file(out)
}
