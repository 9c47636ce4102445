//! `dgm-train sample RUN`: draws, as a picture or as numbers.

use super::SampleArgs;
use crate::backend::Backend;
use crate::data::Split;
use crate::draw::{draw, needs_examples};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::report::grid;
use crate::run_folder::RunFolder;
use dgm_core::random::Seed;
use std::process::ExitCode;

pub(super) fn run(args: &SampleArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let backend = Backend::open(&args.backend)?;
    let config = folder.config()?;
    let spec = folder.provenance()?.spec;
    let as_csv = match args.out.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => true,
        Some("png") => false,
        _ => return Err(Error::input(format!("{}: expected a name that ends in .png or .csv", args.out.display()))),
    };
    let parent = args.out.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        return Err(Error::input(format!("{}: there is no such folder to write the samples to", parent.display())));
    }
    if !as_csv && !grid::is_image(&spec) {
        let text = "this run's targets are not images: write numbers with --out samples.csv";
        return Err(Error::input(text));
    }
    let model = folder.model(&config, &spec, &backend.device)?;
    let seed = Seed(args.seed.unwrap_or(config.seed));
    // Conditions that are not labels come from the test split; nothing else needs the data.
    let conditions = if needs_examples(&spec) { folder.dataset(&config)?.test } else { Split::default() };
    let drawn = draw(&model, &conditions, args.n as usize, args.label, &backend.device, seed)?;
    if as_csv {
        let lines: Vec<String> =
            drawn.iter().map(|x| x.iter().map(f32::to_string).collect::<Vec<_>>().join(",")).collect();
        write_atomic(&args.out, (lines.join("\n") + "\n").as_bytes())?;
    } else {
        grid::write_png(&args.out, &drawn, &spec)?;
    }
    println!("{} samples in {}", drawn.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}
