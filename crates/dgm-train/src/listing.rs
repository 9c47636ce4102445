//! The runs below a folder: what each is, how far it came and how good it is.

use crate::error::{Error, Result};
use crate::evaluate::Results;
use crate::measure::{Metric, NATS};
use crate::metrics::Line;
use crate::report::aligned::aligned;
use crate::report::progress::duration_text;
use crate::run_folder::RunFolder;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Whether a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has its results.
    Complete,
    /// A process is training in its folder.
    Running,
    /// It stopped on the way, and can be resumed.
    Interrupted,
    /// Its files cannot be read.
    Broken,
}

impl State {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Broken => "unreadable",
        }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its folder.
    pub run: PathBuf,
    /// Whether it came to its end.
    pub state: State,
    /// The kind of its model.
    pub model: String,
    /// The name of its data.
    pub data: String,
    /// The epoch that it is in; of an ensemble, the sum over its members.
    pub epoch: u64,
    /// How many it was to have, as well.
    pub epochs: u64,
    /// The lowest validation loss so far, in nats where `validation_nats` says so.
    pub validation: Option<f64>,
    /// Whether that is of a likelihood.
    pub validation_nats: bool,
    /// The first result on the test split: quantity, value and unit.
    pub test: Option<(String, f64, String)>,
    /// Seconds of training.
    pub seconds: f64,
    /// Seconds since 1970 when it began.
    pub began: u64,
}

/// The runs in this folder and in folders below it, down to three; the oldest first.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Listed>> {
    if !folder.is_dir() {
        let what = if folder.exists() { "is not a folder" } else { "does not exist" };
        return Err(Error::input(format!("{}: {what}; name a folder of runs", folder.display())));
    }
    let mut found = Vec::new();
    gather(folder, 3, &mut found)?;
    found.sort_by(|a: &Listed, b: &Listed| a.began.cmp(&b.began).then_with(|| a.run.cmp(&b.run)));
    Ok(found)
}

fn gather(folder: &Path, depth: usize, found: &mut Vec<Listed>) -> Result<()> {
    if let Ok(run) = RunFolder::open(folder) {
        found.push(of_folder(folder, &run));
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let cannot = |error: std::io::Error| {
        Error::input(format!("{}: cannot be read: {error}; make the folder readable", folder.display()))
    };
    let mut below = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_dir() && !path.is_symlink() {
            below.push(path);
        }
    }
    below.iter().try_for_each(|path| gather(path, depth - 1, found))
}

fn of_folder(path: &Path, folder: &RunFolder) -> Listed {
    listed(path, folder, &folder.metrics().unwrap_or_default())
}

/// What there is to say of one run, the lines of whose training are these.
pub(crate) fn listed(path: &Path, folder: &RunFolder, lines: &[Line]) -> Listed {
    let mut all = Listed {
        run: path.to_owned(),
        state: State::Broken,
        model: "?".into(),
        data: "?".into(),
        epoch: 0,
        epochs: 0,
        validation: None,
        validation_nats: false,
        test: None,
        seconds: 0.0,
        began: 0,
    };
    let (Ok(provenance), Ok(config)) = (folder.provenance(), folder.config::<crate::config::ModelConfig>()) else {
        return all;
    };
    all.model = config.model.kind().to_owned();
    (all.data, all.began) = (provenance.data, provenance.began);
    all.epochs = config.training.epochs as u64;
    for line in lines {
        match line {
            Line::Train(line) => (all.epoch, all.seconds) = (line.epoch, line.seconds),
            Line::Validation(line) => {
                (all.epoch, all.seconds) = (line.epoch, line.seconds);
                if line.best {
                    all.validation_nats = line.nats_per_example.is_some();
                    all.validation = line.nats_per_example.or(line.loss);
                }
            }
            Line::Nonfinite(_) => {}
        }
    }
    if let Some(members) = config.members() {
        // Each member trains by itself, one after the other or side by side.
        let of_member = |member: usize| RunFolder::open(folder.member(member).path()).ok();
        let members: Vec<Listed> =
            (0..members.len()).filter_map(of_member).map(|member| of_folder(member.path(), &member)).collect();
        all.seconds = members.iter().map(|member| member.seconds).sum();
        all.epoch = members.iter().map(|member| member.epoch).sum();
        all.epochs *= config.members().map_or(1, |members| members.len() as u64);
    }
    let file = path.join("result.json");
    let results = Results::read(&file).ok();
    all.state = match (&results, folder.is_locked()) {
        (_, true) => State::Running,
        (Some(_), false) => State::Complete,
        (None, false) if file.exists() => State::Broken,
        (None, false) => State::Interrupted,
    };
    // What is fitted in one go takes no step.
    if all.state == State::Complete && !lines.is_empty() && lines.iter().all(|line| line.step() == 0) {
        all.epochs = all.epoch;
    }
    let best = |results: Results| {
        let first = results.metrics.into_iter().find(|metric| metric.split == "test")?;
        let Metric { quantity, value, unit, .. } = first;
        Some((quantity, value, unit))
    };
    all.test = results.and_then(best);
    all
}

/// A table of runs for a terminal.
pub fn table(runs: &[Listed]) -> String {
    let header = ["run", "state", "model", "data", "epoch", "validation", "test", "training"].map(str::to_owned);
    let mut rows = vec![header];
    for run in runs {
        let nats = |value: f64, is_nats: bool| format!("{value:.3}{}", if is_nats { " nats" } else { "" });
        rows.push([
            run.run.display().to_string(),
            run.state.name().to_owned(),
            run.model.clone(),
            run.data.clone(),
            if run.epoch == 0 { "–".into() } else { format!("{}/{}", run.epoch, run.epochs) },
            run.validation.map_or_else(|| "–".into(), |value| nats(value, run.validation_nats)),
            run.test.as_ref().map_or_else(
                || "–".into(),
                |(quantity, value, unit)| format!("{quantity} {}", nats(*value, unit == NATS)),
            ),
            duration_text(run.seconds),
        ]);
    }
    aligned(&rows)
}
