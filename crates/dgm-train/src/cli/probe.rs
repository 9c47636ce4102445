//! `dgm-train probe RUN`: what the codes of a model say of the labels.

use super::of_split::open_single;
use super::output::say;
use crate::error::{Error, Result};
use crate::probe::{ProbeOptions, ProbeSplit, probe};
use clap::Args;
use dgm_core::random::Seed;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ProbeArgs {
    /// Run folder
    run: PathBuf,
    /// Split to measure on: test, or validation to choose between models by
    #[arg(long, value_enum, default_value_t)]
    split: ProbeSplit,
    /// Numbers of training labels that the probes are given, such as 100,1000,all
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100,1000,all", allow_negative_numbers = true, value_parser = labels)]
    labels: Vec<usize>,
    /// Draws of the examples with those labels, over which results are averaged
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = super::within(1..=1000))]
    draws: u32,
    /// Neighbours that vote
    #[arg(short = 'k', long, value_name = "K", default_value_t = 5, allow_negative_numbers = true, value_parser = super::within(1..=1000))]
    neighbours: u32,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = super::whole::<u64>)]
    seed: u64,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    overrides: Vec<String>,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A number of labels above 0, or `all`, which is 0.
fn labels(text: &str) -> std::result::Result<usize, String> {
    match text {
        "all" => Ok(0),
        number => number.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a number of labels, or all".into()),
    }
}

pub(super) fn run(args: &ProbeArgs) -> Result<ExitCode> {
    let (backend, model, dataset, _) = open_single(&args.run, args.backend.as_deref(), &args.overrides)?;
    let mut labels = args.labels.clone();
    // Asked for by default, but more than there are.
    let most = dataset.train.len();
    if args.labels == [100, 1000, 0] {
        labels.retain(|&count| count < most);
    }
    // All of them once, by whichever name.
    let mut seen = HashSet::new();
    labels.retain(|&count| seen.insert(if count == most { 0 } else { count }));
    let options = ProbeOptions {
        split: args.split,
        labels,
        draws: args.draws as usize,
        neighbours: args.neighbours as usize,
        seed: Seed(args.seed),
    };
    let found = probe(&model, &dataset, &options, &backend.device)?;
    let json = || {
        serde_json::to_string_pretty(&found)
            .map_err(|error| Error::run(format!("the results cannot be written as JSON: {error}")))
    };
    say(if args.json { json()? } else { found.table().trim_end().to_owned() })?;
    Ok(ExitCode::SUCCESS)
}
