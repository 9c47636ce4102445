//! `dgm-train data …`: what there is to do with data sets.

#[cfg(feature = "fetch")]
use super::data_fetch::{self, FetchArgs};
use super::data_inspect::{self, InspectArgs};
use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Describe a data set: shapes, values, splits, classes, transforms, fingerprint
    #[command(
        after_help = "Examples:\n  dgm-train data inspect houses.csv\n  dgm-train data inspect digits --out examples.png"
    )]
    Inspect(InspectArgs),
    /// Download a data set, or list the available ones
    #[cfg(feature = "fetch")]
    #[command(after_help = "Examples:\n  dgm-train data fetch\n  dgm-train data fetch mnist")]
    Fetch(FetchArgs),
}

pub(super) fn run(command: &DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::Inspect(args) => data_inspect::run(args),
        #[cfg(feature = "fetch")]
        DataCommand::Fetch(args) => data_fetch::run(args),
    }
}
