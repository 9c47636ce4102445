//! `dgm-train evaluate RUN`: the figures again, from the run folder and the data that it names.

use super::EvaluateArgs;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::run_folder::RunFolder;
use dgm_core::random::Seed;
use std::process::ExitCode;

pub(super) fn run(args: &EvaluateArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let backend = Backend::open(&args.backend)?;
    let mut config = folder.config()?;
    if let Some(k) = args.importance_samples {
        config.evaluation.importance_samples = k;
    }
    let seed = Seed(config.seed);
    let dataset = folder.dataset(&config)?;
    let model = folder.best_model(&config, &dataset.spec, &backend.device)?;
    let results = evaluate(&model, &config.evaluation, &dataset, &backend.device, seed)?;
    if args.json {
        let text = serde_json::to_string_pretty(&results)
            .map_err(|error| Error::run(format!("the results cannot be written as JSON: {error}")))?;
        println!("{text}");
    } else {
        print!("{}", results.table());
    }
    Ok(ExitCode::SUCCESS)
}
