//! `dgm-train interpolate RUN`: from one example to another by way of their codes.

use super::of_split::OfSplit;
use crate::error::{Error, Result};
use crate::represent;
use clap::Args;
use dgm_models::latent::Path;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct InterpolateArgs {
    #[command(flatten)]
    of: OfSplit,
    /// Two examples of the split by their numbers, from 0 on, as in --between 3,17; may be given several times
    /// [default: neighbours among the first 16]
    #[arg(long, value_name = "A,B", allow_hyphen_values = true, value_parser = pair)]
    between: Vec<[usize; 2]>,
    /// Steps from one to the other, both included
    #[arg(long, default_value_t = 10, allow_negative_numbers = true, value_parser = super::within(2..=1000))]
    steps: u32,
    /// Go along the arc that keeps the distance from the origin, instead of a straight line
    #[arg(long)]
    spherical: bool,
    /// Output file: .png of images, a row for each pair; .csv or .npy of numbers; - is standard output, as CSV [default: interpolations.png or .csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn pair(text: &str) -> std::result::Result<[usize; 2], String> {
    let read = |text: &str| text.trim().parse().ok();
    let found = text.split_once(',').and_then(|(a, b)| Some([read(a)?, read(b)?]));
    found.ok_or_else(|| "expected two whole numbers with a comma, as in 3,17".into())
}

pub(super) fn run(args: &InterpolateArgs) -> Result<ExitCode> {
    let opened = args.of.open()?;
    let output = opened.output(args.out.as_deref(), "interpolations")?;
    let pairs: Vec<[usize; 2]> = match args.between.is_empty() {
        true => opened.first(16).chunks_exact(2).filter_map(|two| two.try_into().ok()).collect(),
        false => args.between.clone(),
    };
    for example in pairs.iter().flatten() {
        opened.example("--between", *example)?;
    }
    if pairs.is_empty() {
        return Err(Error::input("the split has one example; expected two to go between; choose another with --split"));
    }
    let (steps, way) = (args.steps as usize, if args.spherical { Path::Spherical } else { Path::Linear });
    let decoded = represent::interpolate(&opened.model, opened.split(), &pairs, steps, way, &opened.backend.device)?;
    let what = |i: usize| {
        let [from, to] = pairs.get(i / steps).copied().unwrap_or_default();
        vec![from.to_string(), to.to_string(), (i % steps).to_string()]
    };
    let ways = if pairs.len() == 1 { "interpolation" } else { "interpolations" };
    let told = format!("{} {ways} of {steps} steps", pairs.len());
    opened.write(output, steps, &decoded, (&["from", "to", "step"], what), told)?;
    Ok(ExitCode::SUCCESS)
}
