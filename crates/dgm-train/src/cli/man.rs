//! `dgm-train man FOLDER`: a manual page for the program and for each of its commands.

use super::Cli;
use super::output::say;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use clap::{Args, CommandFactory};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Folder for the pages, such as ~/.local/share/man/man1; made where it is not there
    folder: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<ExitCode> {
    std::fs::create_dir_all(&args.folder).map_err(|error| {
        Error::input(format!("{}: cannot be made: {error}; name another folder", args.folder.display()))
    })?;
    let mut program = Cli::command();
    program.build();
    let mut written = 0;
    for command in with_commands(&program) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(command).render(&mut page);
        made.map_err(|error| Error::run(format!("the manual page of {name} cannot be written: {error}")))?;
        write_atomic(&args.folder.join(format!("{name}.1")), &page)?;
        written += 1;
    }
    say(format_args!("{written} pages in {}", args.folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A command, its commands, and theirs.
fn with_commands(command: &clap::Command) -> Vec<clap::Command> {
    std::iter::once(command.clone()).chain(command.get_subcommands().flat_map(with_commands)).collect()
}
