//! `dgm-train evaluate RUN`: the results again, from the run folder and the data that it names.

use super::output::say;
use crate::config::{AnnealedConfig, Config};
use crate::data::Part;
use crate::error::{Error, Result};
use crate::evaluate::{Against, Members, Results, evaluate_on, generation};
use crate::measure;
use crate::report::{figures, tell};
use crate::run_folder::RunFolder;
use clap::Args;
use dgm_models::{Capability, Model, require};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct EvaluateArgs {
    /// Run folder
    run: PathBuf,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    backend: Option<String>,
    /// Split to measure on [default: test, and validation for what chose the checkpoint]
    #[arg(long, value_enum)]
    split: Option<Part>,
    /// Importance samples per example, overriding the configuration's (latent-variable models)
    #[arg(long, visible_alias = "samples", value_name = "K", allow_negative_numbers = true, value_parser = super::whole::<usize>)]
    importance_samples: Option<usize>,
    /// A second estimate of log p(x), by annealed importance sampling with so many steps, overriding the configuration's (latent-variable models)
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true, value_parser = super::whole::<usize>)]
    annealed: Option<usize>,
    /// Run of a classifier of such images: compare samples with examples of the split by its features (FID and its kin)
    #[arg(long, value_name = "RUN")]
    features: Option<PathBuf>,
    /// Samples for that [default: as many as there are examples, at most 10000]
    #[arg(long, value_name = "N", requires = "features", allow_negative_numbers = true, value_parser = super::within(measure::generation::SAMPLES))]
    generated: Option<u32>,
    /// New path of data that have moved, as in --set data.path=table.csv; with --features also another way to draw samples, as in --set
    /// model.steps=50 (diffusion)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Draw figures into the folder figures of the run: learning curves; reliability of labels; PIT, and the prediction over one-dimensional x, of
    /// numbers; the importance of each column of a table; a map of the codes of a model that encodes; where in images an autoregressive model spends
    /// its bits
    #[arg(long, conflicts_with = "split")]
    figures: bool,
    /// Print JSON, as in result.json
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &EvaluateArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let backend = super::backend_of_run(args.backend.as_deref(), &folder.provenance()?.backend)?;
    let mut config: Config = match args.features {
        Some(_) => folder.config_for_sampling(&args.overrides)?,
        None => folder.config_with_moved_data(&args.overrides)?,
    };
    let valid = |config: &Config, option: &str, value: usize| {
        config.evaluation.validate().map_err(|invalid| {
            Error::input(format!("{option} is {value}; expected {}; give such a number", invalid.expected))
        })
    };
    if let Some(k) = args.importance_samples {
        config.evaluation.importance_samples = k;
        valid(&config, "--importance-samples", k)?;
    }
    if let Some(steps) = args.annealed {
        if config.members().is_some() {
            return Err(Error::input(
                "--annealed is for a single model, and this run is an ensemble; name the folder of a member",
            ));
        }
        let annealed = config.evaluation.annealed.unwrap_or_default();
        config.evaluation.annealed = Some(AnnealedConfig { steps, ..annealed });
        valid(&config, "--annealed", steps)?;
    }
    let dataset = folder.dataset(&config)?;
    let model = folder.model(&config, &dataset.spec, &backend.device)?;
    if args.features.is_some() {
        require(model.generator(), Capability::Generate, &model)?;
    }
    if args.importance_samples.is_some() && model.latent().is_none() {
        return Err(Error::input(
            "--importance-samples is for models with latent variables; this one has none: leave it out",
        ));
    }
    if args.annealed.is_some() {
        let name = |key: &'static str| match key {
            "annealed" => "--annealed".to_owned(),
            key => format!("evaluation.{key}"),
        };
        measure::check(&config.evaluation, &model, &backend.device, name)?;
    }
    // First: it may refuse the classifier, and a likelihood may take minutes.
    let of_samples = match &args.features {
        Some(classifier) => {
            let samples = args.generated.map(|n| n as usize);
            let against = Against { classifier, part: args.split.unwrap_or_default(), samples };
            generation(&model, &config, &dataset, &backend.device, against)?
        }
        None => Vec::new(),
    };
    let mut results = evaluate_on(args.split, &model, &config, &dataset, &backend.device)?;
    results.metrics.extend(of_samples);
    let mut members = config.members().map(|members| Members::read(&folder, members.len())).transpose()?;
    if let Some(members) = &mut members {
        members.metrics.retain(|member| results.metrics.iter().any(|metric| metric.split == member.mean.split));
    }
    let results = Results { members, ..results };
    say(if args.json { results.json()? } else { results.table().trim_end().to_owned() })?;
    if args.figures {
        let figures = figures::write_all(
            &args.run.join("figures"),
            &model,
            &config,
            &dataset,
            &folder.metrics()?,
            &backend.device,
        )?;
        match figures.is_empty() {
            true => tell(
                "note: there is nothing to draw of this run: curves need several validations or reports, and other figures a single model with \
                 labels or numbers given a condition, images with conditionals, or an encoder",
            ),
            false => figures.iter().for_each(|path| tell(path.display())),
        }
    }
    Ok(ExitCode::SUCCESS)
}
