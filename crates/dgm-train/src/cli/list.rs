//! `dgm-train list FOLDER`: the runs below a folder.

use super::output::say;
use crate::error::{Error, Result};
use crate::listing;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Folder of runs
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let runs = listing::list(&args.folder)?;
    if args.json {
        let text = serde_json::to_string_pretty(&runs);
        say(text.map_err(|error| Error::run(format!("the list cannot be written as JSON: {error}")))?)?;
    } else if runs.is_empty() {
        say(format_args!("no run below {}", args.folder.display()))?;
    } else {
        say(listing::table(&runs).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
