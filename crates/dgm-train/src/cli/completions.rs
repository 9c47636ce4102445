//! `dgm-train completions SHELL`: a script with which a shell completes commands, options and files.

use super::Cli;
use super::output::say;
use crate::error::{Error, Result};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// Shell to complete in
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "dgm-train", &mut script);
    let text = String::from_utf8(script);
    say(text.map_err(|error| Error::run(format!("the script cannot be written: {error}")))?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
