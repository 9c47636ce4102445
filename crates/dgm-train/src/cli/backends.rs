//! `dgm-train backends`: what this build has and what this machine offers.

use super::output::say;
use crate::backend::offers;
use crate::error::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct BackendsArgs {}

pub(super) fn run(_: &BackendsArgs) -> Result<ExitCode> {
    for offer in offers() {
        let state = match &offer.available {
            Ok(()) => "available".to_string(),
            Err(why) => format!("unavailable: {why}"),
        };
        say(format_args!("{:<10} {state:<40} {}", offer.name, offer.description))?;
    }
    Ok(ExitCode::SUCCESS)
}
