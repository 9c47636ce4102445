//! `dgm-train --config FILE`: checks everything, trains, evaluates the best checkpoint, samples.

use super::output::say;
use super::signals::Stop;
use crate::backend::Backend;
use crate::config::{Config, ConfigFile, Missing};
use crate::error::{Error, Result};
use crate::report::progress::{self, LogFormat, Report};
use crate::report::tell;
use crate::run::{ChangedAt, Run, Watch};
use crate::run_folder::RunFolder;
use chrono::Utc;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct TrainArgs {
    /// Configuration file, or the name of a shipped one (vae.toml, arm.toml, pixelcnn.toml, …)
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// flex, ndarray, wgpu, wgpu:cpu or cuda; see `dgm-train backends` [default: flex if built in; with --resume, the run's]
    #[arg(long)]
    backend: Option<String>,
    /// Set a configuration value, as in --set training.epochs=5; with --resume, only what extends the run (training.epochs,
    /// max_minutes, early_stopping, ensemble) and the paths of moved data
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Random seed, overriding the configuration's
    #[arg(long, requires = "config", allow_negative_numbers = true, value_parser = super::whole::<u64>)]
    seed: Option<u64>,
    /// Output folder [default: runs/<configuration>-<time>]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Resume the run in this folder from its last checkpoint; extend it with --set training.epochs=400
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// Fine-tune: start a new run from the best weights of the run in this folder, which must have the same [model]
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Print the results only, no progress
    #[arg(long)]
    quiet: bool,
    /// Format of progress and errors on standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
}

/// What the terminal, or a log, is told.
struct Terminal<'a> {
    args: &'a TrainArgs,
    stop: Stop,
    /// What the backend is called.
    backend: String,
}

impl Terminal<'_> {
    /// What a JSON log says of this is in its events: every line of it is one.
    fn is_json(&self) -> bool {
        self.args.log_format == LogFormat::Json
    }
}

impl Watch for Terminal<'_> {
    fn report(&mut self, folder: &RunFolder) -> Box<dyn Report> {
        let path = folder.path().display().to_string();
        progress::to_stderr(self.args.log_format, self.args.quiet, &path, &self.backend)
    }

    fn report_beside(&mut self, folder: &RunFolder, name: &str) -> Box<dyn Report> {
        let path = folder.path().display().to_string();
        progress::beside_to_stderr(self.args.log_format, self.args.quiet, &path, &self.backend, name)
    }

    fn training(&mut self, is: bool) {
        self.stop.set_training(is);
    }

    fn warn(&mut self, text: &str) {
        match self.is_json() {
            true => tell(progress::warning_line(text)),
            false => tell(format_args!("warning: {text}")),
        }
    }

    fn tell(&mut self, text: &str) {
        if !self.is_json() && !self.args.quiet {
            tell(text);
        }
    }
}

pub(super) fn run(args: &TrainArgs, stop: Stop) -> Result<ExitCode> {
    let mut terminal = Terminal { args, stop: stop.clone(), backend: String::new() };
    let overrides = args.assignments();
    let (backend, config) = (args.backend.as_deref(), args.config.as_deref());
    let mut run: Run = match (&args.resume, config) {
        (Some(run), _) => Run::resume(run, ChangedAt { backend, overrides: &overrides, config }, &mut terminal)?,
        (None, Some(config)) => new(args, &overrides, config)?,
        (None, None) => return Err(Error::input("give --config FILE or --resume RUN")),
    };
    terminal.backend = run.backend().title();
    let path = run.folder().path().display().to_string();
    if !terminal.is_json() {
        tell(format_args!("run folder {path}, backend {}", terminal.backend));
        if run.is_complete() {
            tell("the run is complete; evaluating its best checkpoint again");
        }
    }
    let Some(results) = run.train(&mut terminal, &stop.flag)? else {
        if !terminal.is_json() {
            tell(format_args!("interrupted; to resume: dgm-train --resume {path}"));
        }
        return Ok(ExitCode::from(stop.exit_code()));
    };
    if terminal.is_json() {
        say(results.json()?)?;
    } else {
        say(format_args!("{}results in {path}", results.table()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn new(args: &TrainArgs, overrides: &[String], path: &Path) -> Result<Run> {
    let backend = Backend::open(args.backend.as_deref().unwrap_or(Backend::default_name()))?;
    let file = ConfigFile::open(path)?;
    let config: Config = file.config(overrides, Missing::Refused)?;
    let dataset = config.load_data()?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(path));
    Run::begin(config, dataset, backend, &out, args.from.as_deref(), &|key| file.place_of(overrides, key))
}

/// `runs/<stem>-<year><month><day>-<hour><minute><second>` in UTC, so that runs sort by their time, for a configuration in this file.
pub(super) fn default_folder(config: &Path) -> PathBuf {
    let stem = config.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
    PathBuf::from("runs").join(format!("{stem}-{}", Utc::now().format("%Y%m%d-%H%M%S")))
}

impl TrainArgs {
    /// What `--set` and `--seed` change.
    fn assignments(&self) -> Vec<String> {
        self.overrides.iter().cloned().chain(self.seed.map(|seed| format!("seed={seed}"))).collect()
    }
}
