//! `dgm-train traverse RUN`: what each latent variable changes.

use super::of_split::OfSplit;
use super::output::say;
use crate::error::{Error, Result};
use crate::represent;
use clap::{Args, value_parser};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct TraverseArgs {
    #[command(flatten)]
    of: OfSplit,
    /// Example of the split to begin from, by its number from 0 on
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = super::whole::<usize>)]
    example: usize,
    /// Number of latent variables, those whose codes vary most
    #[arg(long, default_value_t = 10, allow_negative_numbers = true, value_parser = value_parser!(u32).range(1..=1000))]
    variables: u32,
    /// Steps from the lowest value to the highest
    #[arg(long, default_value_t = 9, allow_negative_numbers = true, value_parser = value_parser!(u32).range(2..=1000))]
    steps: u32,
    /// How far to go to both sides of the mean, in standard deviations of the codes
    #[arg(long, default_value_t = 2.5, allow_negative_numbers = true)]
    span: f64,
    /// Output file: .png of images, a row for each variable; .csv of numbers [default: traversals.png or .csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &TraverseArgs) -> Result<ExitCode> {
    if !(args.span > 0.0 && args.span <= 100.0) {
        return Err(Error::input(format!("--span {}: expected a number above 0 and at most 100; give one", args.span)));
    }
    let opened = args.of.open()?;
    let path = opened.path(args.out.as_deref(), "traversals")?;
    let example = opened.example("--example", args.example)?;
    let sizes = [args.variables as usize, args.steps as usize];
    let found = represent::traverse(&opened.model, opened.split(), example, sizes, args.span, &opened.backend.device)?;
    let names = represent::names(&opened.model, found.variables.iter().max().map_or(0, |most| most + 1));
    let names: Vec<&str> = found.variables.iter().filter_map(|&i| names.get(i)).map(String::as_str).collect();
    let name = |i: usize| names.get(i).copied().unwrap_or_default().to_owned();
    let what = |i: usize| vec![name(i / found.steps.max(1)), (i % found.steps.max(1)).to_string()];
    opened.write(&path, found.steps, &found.decoded, &["variable", "step"], what)?;
    say(format_args!("rows from top to bottom: {}; in {}", names.join(", "), path.display()))?;
    Ok(ExitCode::SUCCESS)
}
