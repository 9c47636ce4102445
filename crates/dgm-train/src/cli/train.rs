//! `dgm-train --config FILE`: checks everything, trains, evaluates the best checkpoint, draws samples.

use super::output::say;
use super::signals::Stop;
use super::{TrainArgs, ensemble};
use crate::backend::{Backend, cpu_kind};
use crate::config::{Config, ConfigFile, Missing};
use crate::data::{self, Dataset};
use crate::draw::{Wanted, draw};
use crate::error::{Error, Result};
use crate::evaluate::{self, Members, Results};
use crate::report::grid;
use crate::report::progress::{self, LogFormat};
use crate::report::tell;
use crate::run_folder::{Lock, RunFolder, listed, path_keys};
use crate::train::checkpoint::Checkpoint;
use crate::train::{Ending, Trainer, initial_model, optimizer};
use chrono::Utc;
use dgm_core::random::Seed;
use dgm_models::Model;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// What training starts from, checked.
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) dataset: Dataset,
    pub(super) backend: Backend,
    pub(super) folder: RunFolder,
    pub(super) from: Option<Checkpoint>,
    /// Held while the job is there.
    pub(super) _lock: Lock,
}

pub(super) fn run(args: &TrainArgs) -> Result<ExitCode> {
    let stop = Stop::on_signal(args.log_format)?;
    let job = match (&args.resume, &args.config) {
        (Some(run), _) => resumed(args, run)?,
        (None, Some(config)) => new(args, config)?,
        (None, None) => return Err(Error::input("give --config FILE or --resume RUN")),
    };
    // What a JSON log says of this is in its events: every line of it is one.
    let json = args.log_format == LogFormat::Json;
    let path = job.folder.path().display().to_string();
    if !json {
        tell(format_args!("run folder {path}, backend {}", job.backend.title()));
    }
    let results = match job.config.members() {
        Some(members) => ensemble::train(&job, &members, args, &stop)?,
        None => train(&job, args, &stop)?,
    };
    let Some(results) = results else {
        if !json {
            tell(format_args!("interrupted; to go on: dgm-train --resume {path}"));
        }
        return Ok(ExitCode::from(stop.exit_code()));
    };
    if json {
        say(results.json()?)?;
    } else {
        say(format_args!("{}results in {path}", results.table()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains one model and evaluates it; `None`: a signal came before its end.
pub(super) fn train(job: &Job, args: &TrainArgs, stop: &Stop) -> Result<Option<Results>> {
    let Job { config, dataset, backend, folder, from, _lock } = job;
    let path = folder.path().display().to_string();
    let (device, eager) = (backend.device.clone(), backend.is_eager());
    let trainer = Trainer { config, dataset, device, eager, folder, stop: &stop.flag };
    if args.log_format != LogFormat::Json && from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete) {
        tell("the run is complete; evaluating its best checkpoint again");
    }
    let mut report = progress::to_stderr(args.log_format, args.quiet, &path, &backend.title());
    stop.set_training(true);
    let ending = trainer.run(from.as_ref(), report.as_mut())?;
    stop.set_training(false);
    // A signal that came with the last step is heard too: what is left can be done by going on.
    if ending == Ending::Interrupted || stop.flag.load(Ordering::SeqCst) {
        return Ok(None);
    }
    evaluated(job, None).map(Some)
}

/// Evaluates what a run has learnt and writes down its figures, with draws where they are images.
pub(super) fn evaluated(job: &Job, members: Option<Members>) -> Result<Results> {
    let Job { config, dataset, backend, folder, .. } = job;
    let (device, seed) = (&backend.device, Seed(config.seed));
    let model = folder.model(config, &dataset.spec, device)?;
    let results = evaluate::evaluate(&model, config, dataset, device)?;
    let results = Results { members, ..results };
    folder.write_json("result.json", &results)?;
    if grid::is_image(&dataset.spec) && model.as_generate().is_some() {
        let path = folder.path().join("samples.png");
        let drawn = draw(&model, &dataset.test, &Wanted::plain(config.evaluation.samples, seed), device, &mut |_| {})?;
        grid::write_png(&path, &drawn, &dataset.spec)?;
    }
    Ok(results)
}

/// Everything is read and checked before the run folder is made: a bad input leaves nothing behind.
fn new(args: &TrainArgs, path: &Path) -> Result<Job> {
    let backend = Backend::open(args.backend.as_deref().unwrap_or("flex"))?;
    let file = ConfigFile::open(path)?;
    let mut config = file.config(&args.assignments(), Missing::Refused)?;
    let mut dataset = data::of_run(&config)?;
    if let Some(resolved) = dataset.resolved.take() {
        config.data = resolved;
    }
    let model = initial_model(&config, &dataset.spec, &backend.device).map_err(|error| {
        let place = error.key().map_or(String::new(), |key| file.place_of(&args.assignments(), &["model", key]));
        Error::input(format!("{place}{error}{}", config.data.advice(&dataset.spec, &error)))
    })?;
    optimizer::check(&config.optimizer, &model, |key| file.place_of(&args.assignments(), &["optimizer", key]))?;
    let stem = path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    let out = args.out.clone().unwrap_or_else(|| default_folder(&stem));
    let folder = match config.members() {
        Some(_) => RunFolder::create_ensemble(&out)?,
        None => RunFolder::create(&out)?,
    };
    let lock = folder.lock()?;
    folder.describe(&config, &dataset, &backend)?;
    Ok(Job { config, dataset, backend, folder, from: None, _lock: lock })
}

fn resumed(args: &TrainArgs, run: &Path) -> Result<Job> {
    let folder = RunFolder::open(run)?;
    let lock = folder.lock()?;
    let own = folder.config()?;
    let config = match &args.config {
        Some(path) => {
            let mut config = ConfigFile::open(path)?.config(&args.assignments(), Missing::Refused)?;
            config.data.adopt(&own.data);
            config
        }
        None => folder.config_with_moved_data(&args.overrides)?,
    };
    if let Some(path) = &args.config {
        let (name, paths) = (path.display(), path_keys(&own));
        let other: Vec<String> = config.differences(&own).into_iter().filter(|key| !paths.contains(key)).collect();
        if !other.is_empty() {
            return Err(Error::input(format!(
                "{}: the run began with another configuration than {name}, in {}; leave out --config to go on as it \
                 began, or begin a new run with --out",
                run.display(),
                listed(&other)
            )));
        }
    }
    folder.check_members(&config)?;
    let provenance = folder.provenance()?;
    let backend = Backend::open(args.backend.as_ref().unwrap_or(&provenance.backend))?;
    let dataset = folder.dataset(&config)?;
    let from = match config.members() {
        Some(members) => ensemble::check(&folder, &members).map(|()| None)?,
        None => where_it_stands(&folder, &config, args.log_format)?,
    };
    // Evaluated again, a run stays as it is; trained on, it finds its data where they are now.
    if config != own && !from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete) {
        folder.write_config(&config)?;
    }
    if let Some(cpu) = provenance.cpu.filter(|cpu| backend.is_eager() && cpu != cpu_kind()) {
        let text = format!(
            "{}: the run began on another kind of CPU ({cpu}; this one is {}): it goes on equal to rounding, not bit for bit",
            run.display(),
            cpu_kind()
        );
        warn(args.log_format, &text);
    }
    Ok(Job { config, dataset, backend, folder, from, _lock: lock })
}

/// The checkpoint from which a run of one model goes on, after a look at whether it may, and with everything after it taken away.
/// `None`: killed before its first checkpoint, a run starts again from its beginning.
pub(super) fn where_it_stands(
    folder: &RunFolder,
    config: &Config,
    log_format: LogFormat,
) -> Result<Option<Checkpoint>> {
    let run = folder.path().display();
    let from = folder.checkpoints().newest()?;
    if from.is_none() {
        warn(log_format, &format!("{run}: there is no checkpoint: the run begins again"));
    }
    if let Some(checkpoint) = &from {
        folder.check_unchanged(config, checkpoint, &folder.checkpoints().after(checkpoint.progress.step))?;
    }
    folder.checkpoints().tidy()?;
    folder.cut_metrics(from.as_ref().map(|checkpoint| &checkpoint.progress))?;
    Ok(from)
}

fn warn(log_format: LogFormat, text: &str) {
    match log_format {
        LogFormat::Json => tell(progress::warning_line(text)),
        LogFormat::Auto | LogFormat::Plain => tell(format_args!("warning: {text}")),
    }
}

/// `runs/<stem>-<year><month><day>-<hour><minute><second>` in UTC, so that runs sort by their time.
fn default_folder(stem: &str) -> PathBuf {
    PathBuf::from("runs").join(format!("{stem}-{}", Utc::now().format("%Y%m%d-%H%M%S")))
}

impl TrainArgs {
    /// What `--set` and `--seed` change.
    fn assignments(&self) -> Vec<String> {
        self.overrides.iter().cloned().chain(self.seed.map(|seed| format!("seed={seed}"))).collect()
    }
}
