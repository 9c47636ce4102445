//! `dgm-train data`: looks at data sets.

use super::{DataCommand, InspectArgs};
use crate::error::{Error, Result};
use std::process::ExitCode;

pub(super) fn run(command: &DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::Inspect(args) => inspect(args),
    }
}

fn inspect(args: &InspectArgs) -> Result<ExitCode> {
    let _ = (&args.config, &args.overrides, args.seed, &args.out, args.n, args.json);
    Err(Error::run("not there yet"))
}
