//! `dgm-train --config FILE`: checks everything, trains, evaluates the best checkpoint, draws samples.

use super::output::say;
use super::signals::Stop;
use super::{TrainArgs, ensemble, fine_tune};
use crate::backend::{Backend, cpu_kind};
use crate::config::{Config, ConfigFile, Missing};
use crate::data::{self, Dataset};
use crate::draw::{Wanted, draw};
use crate::error::{Error, Result};
use crate::evaluate::{self, Members, Results};
use crate::report::grid;
use crate::report::progress::{self, LogFormat};
use crate::report::tell;
use crate::run_folder::{Lock, RunFolder, is_within, listed, path_keys};
use crate::train::checkpoint::Checkpoint;
use crate::train::go_on::GOES_ON;
use crate::train::{Ending, Trainer, initial_model, optimizer};
use chrono::Utc;
use dgm_core::random::Seed;
use dgm_models::Model;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

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
    if grid::is_image(&dataset.spec) && model.generator().is_some() {
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
    let start = match &args.from {
        Some(run) => Some(fine_tune::begin(run, &config, &dataset, &backend.device)?),
        None => None,
    };
    let stem = path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    let out = args.out.clone().unwrap_or_else(|| default_folder(&stem));
    let folder = match config.members() {
        Some(_) => RunFolder::create_ensemble(&out)?,
        None => RunFolder::create(&out)?,
    };
    let lock = folder.lock()?;
    let (weights, started_from) = start.unzip();
    let from = match weights {
        // On disk before the folder is a run: it never begins anywhere else.
        Some(weights) => {
            let (device, eager, stop) = (backend.device.clone(), backend.is_eager(), &AtomicBool::new(false));
            let trainer = Trainer { config: &config, dataset: &dataset, device, eager, folder: &folder, stop };
            trainer.begin_at(weights)?;
            folder.checkpoints().newest()?
        }
        None => {
            // Of a run with --from that was killed before it was one.
            folder.remove("checkpoint/step-0.dgm")?;
            None
        }
    };
    folder.describe(&config, &dataset, &backend, started_from)?;
    Ok(Job { config, dataset, backend, folder, from, _lock: lock })
}

fn resumed(args: &TrainArgs, run: &Path) -> Result<Job> {
    let folder = RunFolder::open(run)?;
    let lock = folder.lock()?;
    let own = folder.config()?;
    folder.check_members(&own)?;
    let config = given_anew(args, &folder, &own)?;
    let provenance = folder.provenance()?;
    let backend = Backend::open(args.backend.as_ref().unwrap_or(&provenance.backend))?;
    let dataset = folder.dataset(&config)?;
    let from = match config.members() {
        Some(members) => {
            // Each member writes its own configuration when its turn comes.
            if !ensemble::are_done(&folder, &members, dataset.train.len())? {
                folder.remove_results()?;
                if config != own {
                    folder.write_config(&config)?;
                }
            }
            None
        }
        None => where_it_stands(&folder, &config, dataset.train.len(), args.log_format)?,
    };
    if let Some(cpu) = provenance.cpu.filter(|cpu| backend.is_eager() && cpu != cpu_kind()) {
        let text = format!(
            "{}: the run began on another kind of CPU ({cpu}; this one is {}): it resumes equal to rounding, not bit for bit",
            run.display(),
            cpu_kind()
        );
        warn(args.log_format, &text);
    }
    Ok(Job { config, dataset, backend, folder, from, _lock: lock })
}

/// The configuration that a run goes on with: its own, with a later end or with data that have moved.
fn given_anew(args: &TrainArgs, folder: &RunFolder, own: &Config) -> Result<Config> {
    let run = folder.path().display();
    let config = match &args.config {
        Some(path) => {
            let mut config = ConfigFile::open(path)?.config(&args.assignments(), Missing::Refused)?;
            config.data.adopt(&own.data);
            config
        }
        None if args.overrides.is_empty() => return Ok(own.clone()),
        None => folder.config_file()?.config(&args.overrides, Missing::Refused)?,
    };
    let paths = path_keys(own);
    let may = |key: &String| paths.contains(key) || GOES_ON.into_iter().any(|may| is_within(key, may));
    let other: Vec<String> = config.differences(own).into_iter().filter(|key| !may(key)).collect();
    if !other.is_empty() {
        return Err(Error::input(match &args.config {
            Some(path) => format!(
                "{run}: the run began with another configuration than {}, in {}; leave out --config to go on as it began, or \
                 begin a new run with --out",
                path.display(),
                listed(&other)
            ),
            None => format!(
                "{run}: a run goes on with the configuration that it began with; --set may change {}; found {}; leave that out, or \
                 begin a new run with --config and --out (with --from {run} at this run's weights)",
                GOES_ON.into_iter().chain(paths.iter().map(String::as_str)).collect::<Vec<_>>().join(", "),
                listed(&other)
            ),
        }));
    }
    let [before, now] = [own, &config].map(|config| config.members().map_or(1, |members| members.len()));
    let problem = match (before, now) {
        (1, 2..) => "found the run of one model, which does not become an ensemble",
        (2.., _) if now < before => "found more members than that",
        _ => return Ok(config),
    };
    Err(Error::input(format!(
        "{run}: training.ensemble is {now}: {problem} ({before}); leave it at {before}, or begin a new run with --config and --out"
    )))
}

/// The checkpoint from which a run of one model goes on, after a look at whether it may, and with everything after it taken away.
/// `None`: killed before its first checkpoint, a run starts again from its beginning.
pub(super) fn where_it_stands(
    folder: &RunFolder,
    config: &Config,
    examples: usize,
    log_format: LogFormat,
) -> Result<Option<Checkpoint>> {
    let run = folder.path().display().to_string();
    let found = folder.continued(config, examples)?;
    if found.is_none() {
        if let Some(from) = folder.provenance()?.from {
            return Err(Error::input(format!(
                "{run}: the run began at the weights of {}, and its checkpoints are gone; begin a new run with --config, --from and \
                 --out",
                from.run.display()
            )));
        }
        warn(log_format, &format!("{run}: there is no checkpoint: the run begins again"));
    }
    let (from, notes) = found.unzip();
    notes.iter().flatten().for_each(|note| warn(log_format, note));
    // Evaluated again, a run stays as it is. What goes on is first told how far: killed from here on, it is found so.
    if !from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete) {
        folder.remove_results()?;
        if *config != folder.config()? {
            folder.write_config(config)?;
        }
        folder.checkpoints().restore_best_before_end()?;
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
