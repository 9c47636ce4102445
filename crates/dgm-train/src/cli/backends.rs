//! `dgm-train backends`: what this build has and what this machine offers.

use super::output::say;
use crate::backend::offers;
use crate::error::Result;
use std::process::ExitCode;

pub(super) fn run() -> Result<ExitCode> {
    for offer in offers() {
        let state = match &offer.available {
            Ok(()) => "available".to_string(),
            Err(why) => format!("unavailable: {why}"),
        };
        say(format_args!("{:<10} {state:<40} {}", offer.name, offer.description))?;
    }
    Ok(ExitCode::SUCCESS)
}
