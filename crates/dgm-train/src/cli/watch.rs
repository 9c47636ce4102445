//! `dgm-train watch RUN`: follows a run that another process trains.

use super::output::say;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::evaluate::Results;
use crate::listing::{Listed, State, listed};
use crate::metrics::Line;
use crate::report::progress::duration_text;
use crate::report::sparkline::sparkline;
use crate::run_folder::RunFolder;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// Run folder
    run: PathBuf,
    /// Say where it stands, and end
    #[arg(long)]
    once: bool,
    /// Seconds from one look to the next
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    every: f64,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| (0.1..=3600.0).contains(value));
    value.ok_or_else(|| "expected seconds from 0.1 to 3600".into())
}

/// Cells of the curve.
const CELLS: usize = 40;

pub(super) fn run(args: &WatchArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let config: Config = folder.config()?;
    if config.members().is_some() {
        return Err(Error::input(format!(
            "{}: the members of an ensemble train by themselves; name the folder of one, such as {}",
            args.run.display(),
            folder.member(0).path().display()
        )));
    }
    let mut told = 0;
    loop {
        let lines = folder.metrics()?;
        let listed = listed(&args.run, &folder, &lines);
        if listed.state == State::Broken {
            return Err(Error::input(format!(
                "{}: its provenance.json or result.json cannot be read; restore it as the run wrote it",
                args.run.display()
            )));
        }
        // A run that goes back to a checkpoint takes lines back.
        told = told.min(lines.len());
        let newest = |of: fn(&Line) -> bool| lines.iter().rposition(of);
        let newest_train = newest(|line| matches!(line, Line::Train(_)));
        let newest_validation = newest(|line| matches!(line, Line::Validation(_)));
        for at in told..lines.len() {
            let is_newest = Some(at) == newest_train || Some(at) == newest_validation;
            let is_train = matches!(lines.get(at), Some(Line::Train(_)));
            if is_newest || !is_train && !args.once {
                tell_line(&listed, &lines, at)?;
            }
        }
        told = lines.len();
        match listed.state {
            State::Complete => {
                let results = Results::read(&args.run.join("result.json"))?;
                say(results.table().trim_end())?;
                return Ok(ExitCode::SUCCESS);
            }
            State::Interrupted => {
                say(format_args!("interrupted; resume with dgm-train --resume {}", args.run.display()))?;
                return Ok(ExitCode::SUCCESS);
            }
            State::Running | State::Broken if args.once => return Ok(ExitCode::SUCCESS),
            State::Running | State::Broken => std::thread::sleep(Duration::from_secs_f64(args.every)),
        }
    }
}

/// What a line of `metrics.jsonl` says, a validation with the curve up to it.
fn tell_line(run: &Listed, lines: &[Line], at: usize) -> Result<()> {
    let of_training = |seconds: f64| duration_text(seconds);
    match lines.get(at) {
        Some(Line::Validation(line)) => {
            let loss = |line: &crate::metrics::ValidationLine| line.nats_per_example.or(line.loss);
            let Some(value) = loss(line) else { return Ok(()) };
            let unit = if line.nats_per_example.is_some() { " nats" } else { "" };
            let before = lines.get(..=at).unwrap_or_default();
            let curve: Vec<f64> = before
                .iter()
                .filter_map(|line| if let Line::Validation(line) = line { loss(line) } else { None })
                .collect();
            let best = if line.best { ", the best" } else { "" };
            say(format_args!(
                "epoch {}/{}  validation {value:.3}{unit}{best}  {}  after {}",
                line.epoch,
                run.epochs,
                sparkline(&curve, CELLS),
                of_training(line.seconds)
            ))
        }
        Some(Line::Train(line)) => {
            let loss = line.nats_per_example.or(line.loss).map_or(String::new(), |loss| format!("  train {loss:.3}"));
            say(format_args!(
                "epoch {}/{}, step {}{loss}  {:.0} examples/s  after {}",
                line.epoch,
                run.epochs,
                line.step,
                line.examples_per_second,
                of_training(line.seconds)
            ))
        }
        Some(Line::Nonfinite(line)) => say(format_args!(
            "epoch {}, step {}: {} was {}; {}",
            line.epoch, line.at_step, line.term, line.value, line.action
        )),
        None => Ok(()),
    }
}
