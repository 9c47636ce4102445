//! `dgm-train --config FILE`: checks everything, trains, evaluates the best checkpoint, draws samples.

use super::TrainArgs;
use super::signals::Stop;
use crate::backend::Backend;
use crate::config::{Config, place_of};
use crate::data::{self, Dataset};
use crate::draw::draw;
use crate::error::{Error, Result, did_you_mean};
use crate::evaluate;
use crate::report::{grid, progress};
use crate::run_folder::{Lock, RunFolder};
use crate::shipped;
use crate::train::checkpoint::Checkpoint;
use crate::train::{Ending, Trainer, initial_model};
use chrono::Utc;
use dgm_core::random::Seed;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// What training starts from, checked.
struct Job {
    config: Config,
    dataset: Dataset,
    backend: Backend,
    folder: RunFolder,
    from: Option<Checkpoint>,
    /// Held while the job is there.
    _lock: Lock,
}

pub(super) fn run(args: &TrainArgs) -> Result<ExitCode> {
    let stop = Stop::on_signal()?;
    let job = match (&args.resume, &args.config) {
        (Some(run), _) => resumed(args, run)?,
        (None, Some(config)) => new(args, config)?,
        (None, None) => return Err(Error::input("give --config FILE or --resume RUN")),
    };
    let Job { config, dataset, backend, folder, from, _lock } = &job;
    eprintln!("run folder {}, backend {}", folder.path().display(), backend.title());

    let device = backend.device.clone();
    let trainer = Trainer { config, dataset, device: device.clone(), folder, stop: &stop.flag };
    if from.as_ref().is_some_and(|checkpoint| checkpoint.progress.complete) {
        eprintln!("the run is complete; evaluating its best checkpoint again");
    }
    let mut report = progress::for_terminal(args.quiet);
    if trainer.run(from.clone(), report.as_mut())? == Ending::Interrupted {
        eprintln!("interrupted; to go on: dgm-train --resume {}", folder.path().display());
        return Ok(ExitCode::from(stop.exit_code()));
    }

    // From here on nothing has to be saved: a signal ends the program at once.
    stop.flag.store(true, Ordering::Relaxed);
    let model = folder.best_model(config, &dataset.spec, &device)?;
    let results = evaluate::evaluate(&model, &config.evaluation, dataset, &device, Seed(config.seed))?;
    folder.write_json("result.json", &results)?;
    if grid::is_image(&dataset.spec) && model.as_model().as_generate().is_some() {
        let path = folder.path().join("samples.png");
        let n = config.evaluation.samples;
        let drawn = draw(&model, &dataset.test, n, None, &device, Seed(config.seed))?;
        grid::write_png(&path, &drawn, &dataset.spec)?;
    }
    print!("{}", results.table());
    println!("results in {}", folder.path().display());
    Ok(ExitCode::SUCCESS)
}

/// Everything is read and checked before the run folder is made: a bad input leaves nothing behind.
fn new(args: &TrainArgs, path: &Path) -> Result<Job> {
    let backend = Backend::open(args.backend.as_deref().unwrap_or("flex"))?;
    let (text, name) = read_config(path)?;
    let mut overrides = args.overrides.clone();
    overrides.extend(args.seed.map(|seed| format!("seed={seed}")));
    let config = Config::from_toml(&text, &name, &overrides)?;
    let dataset = data::load(&config.data, Seed(config.seed))?;
    if let Err(error) = initial_model(&config, &dataset.spec, &backend.device) {
        let place = error.key().map_or(String::new(), |key| place_of(&text, &name, &overrides, &["model", key]));
        return Err(Error::input(format!("{place}{error}")));
    }
    let stem = path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    let out = args.out.clone().unwrap_or_else(|| default_folder(&stem));
    let folder = RunFolder::create(&out)?;
    let lock = folder.lock()?;
    folder.describe(&config, &dataset, &backend)?;
    Ok(Job { config, dataset, backend, folder, from: None, _lock: lock })
}

fn resumed(args: &TrainArgs, run: &Path) -> Result<Job> {
    let folder = RunFolder::open(run)?;
    let lock = folder.lock()?;
    let config = folder.config()?;
    let backend = Backend::open(args.backend.as_ref().unwrap_or(&folder.provenance()?.backend))?;
    let dataset = folder.dataset(&config)?;
    // Killed before its first checkpoint, a run starts again from its beginning.
    let from = folder.checkpoint()?;
    folder.cut_metrics(from.as_ref().map_or(0, |checkpoint| checkpoint.progress.step))?;
    Ok(Job { config, dataset, backend, folder, from, _lock: lock })
}

/// The text of a configuration file, or of the shipped one of that name.
pub(super) fn read_config(path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((text, name)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match shipped::find(&name) {
            Some(text) => Ok((text.to_string(), format!("{name} (shipped)"))),
            None => {
                let names = shipped::CONFIGS.map(|(name, _)| name);
                let stem = path.file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into_owned());
                let near = did_you_mean(&format!("{stem}.toml"), names);
                Err(Error::input(format!(
                    "{name}: no such file, and no configuration of that name ships with the program, which has {}{near}",
                    names.join(", ")
                )))
            }
        },
        Err(error) => Err(Error::input(format!("{name}: cannot be read: {error}"))),
    }
}

/// `runs/<stem>-<year><month><day>-<hour><minute><second>` in UTC, so that runs sort by their time.
fn default_folder(stem: &str) -> PathBuf {
    PathBuf::from("runs").join(format!("{stem}-{}", Utc::now().format("%Y%m%d-%H%M%S")))
}
