//! `dgm-train traverse RUN`: what each latent variable changes.

use super::of_split::OfSplit;
use crate::error::{Error, Result};
use crate::represent;
use clap::Args;
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
    #[arg(long, default_value_t = represent::VARIABLES as u32, allow_negative_numbers = true, value_parser = super::within(1..=1000))]
    variables: u32,
    /// Steps from the lowest value to the highest [default: 9]
    #[arg(long, allow_negative_numbers = true, value_parser = super::within(2..=1000))]
    steps: Option<u32>,
    /// How far to go to both sides of the mean, in standard deviations of the codes [default: 2.5]
    #[arg(long, allow_negative_numbers = true)]
    span: Option<f64>,
    /// Output file: .png of images, a row for each variable; .csv or .npy of numbers; - is standard output, as CSV [default: traversals.png or .csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &TraverseArgs) -> Result<ExitCode> {
    let span = args.span.unwrap_or(represent::SPAN);
    if !(span > 0.0 && span <= 100.0) {
        return Err(Error::input(format!("--span {span}: expected a number above 0 and at most 100; give one")));
    }
    let opened = args.of.open()?;
    if !represent::has_steps(&opened.model) && (args.steps.is_some() || args.span.is_some()) {
        return Err(Error::input(
            "--steps and --span are for latent variables that are numbers, and those of this model are categorical, and every class is \
             shown; leave them out",
        ));
    }
    let output = opened.output(args.out.as_deref(), "traversals")?;
    let example = opened.example("--example", args.example)?;
    let sizes = [args.variables as usize, args.steps.map_or(represent::STEPS, |steps| steps as usize)];
    let found = represent::traverse(&opened.model, opened.split(), example, sizes, span, &opened.backend.device)?;
    let name = |i: usize| found.variables.get(i).cloned().unwrap_or_default();
    let what = |i: usize| vec![name(i / found.steps.max(1)), (i % found.steps.max(1)).to_string()];
    let told = format!("rows from top to bottom: {};", found.variables.join(", "));
    opened.write(output, found.steps, &found.decoded, (&["variable", "step"], what), told)?;
    Ok(ExitCode::SUCCESS)
}
