//! `dgm-train data …`: what there is to do with data sets.

use super::data_fetch::{self, FetchArgs};
use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Download a data set, or list those that can be
    Fetch(FetchArgs),
}

pub(super) fn run(command: &DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::Fetch(args) => data_fetch::run(args),
    }
}
