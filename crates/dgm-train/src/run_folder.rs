//! The folder of a run: all that is needed to go on, to repeat or to explain.

use crate::backend::Backend;
use crate::config::{Config, ConfigFile, Missing};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::provenance::{Provenance, StartedFrom};
use crate::report::tell;
use crate::train::checkpoint::{Checkpoint, Progress};
use crate::train::checkpoints::Checkpoints;
use crate::train::go_on::{GOES_ON, continued};
use crate::train::{AT_END, initial_model, restore};
use burn::module::Module;
use burn::tensor::Device;
use dgm_models::{AnyModel, DataSpec, Ensemble};
use serde::Serialize;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where a run's files are.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run folder taken by this process; see [`RunFolder::lock`].
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl RunFolder {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// A folder that holds something already, or that cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, Some("checkpoint"))
    }

    /// Makes the folder of a new ensemble, which has checkpoints in its members' folders only.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_ensemble(path: &Path) -> Result<Self> {
        Self::create_with(path, None)
    }

    fn create_with(path: &Path, inner: Option<&str>) -> Result<Self> {
        let refuse = |what: String| Error::input(format!("{}: {what}", path.display()));
        match fs::read_dir(path) {
            Ok(entries) => {
                // A run that ended before it had its config.toml leaves some of these.
                let left = ["checkpoint", "lock", "provenance.json", "provenance.json.part", "config.toml.part"];
                if entries.flatten().any(|entry| !left.iter().any(|name| entry.file_name() == *name)) {
                    let what = if path.join("config.toml").exists() { "holds a run" } else { "is not empty" };
                    return Err(refuse(format!("the output folder {what}; name another with --out")));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(refuse(format!("cannot be used as output folder: {error}; name another with --out")));
            }
        }
        fs::create_dir_all(inner.map_or(path.to_path_buf(), |inner| path.join(inner)))
            .map_err(|error| refuse(format!("the output folder cannot be made: {error}; name another with --out")))?;
        Ok(Self { path: path.into() })
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    /// No run there.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join("config.toml").is_file() {
            return Ok(Self { path: path.into() });
        }
        let what = if path.exists() { "is not the folder of a run (it has no config.toml)" } else { "does not exist" };
        Err(Error::input(format!("{}: {what}; give the folder that training made", path.display())))
    }

    /// Takes the folder for this process until the result is dropped: two runs in one folder would write over each other.
    ///
    /// The lock is the operating system's, on the open file: it ends with the process, however that ends, so none is
    /// ever left behind.
    ///
    /// # Errors
    /// Another process has it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.path.join("lock");
        let cannot = |error: std::io::Error| {
            Error::input(format!("{}: cannot be written: {error}; make the folder writable", path.display()))
        };
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let by =
                    if holder.is_empty() { "another process".into() } else { format!("process {}", holder.trim()) };
                return Err(Error::input(format!(
                    "{}: {by} is training in this folder; wait for it or name another with --out",
                    self.path.display()
                )));
            }
            // A file system without locks: the run goes on as it would without them.
            Err(TryLockError::Error(error)) => {
                tell(format_args!(
                    "warning: {}: no lock can be taken ({error}); let no other run use the folder",
                    path.display()
                ));
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(cannot)?;
        Ok(Lock { _file: file })
    }

    /// Writes the resolved configuration and where the run comes from.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn describe(
        &self,
        config: &Config,
        dataset: &Dataset,
        backend: &Backend,
        from: Option<StartedFrom>,
    ) -> Result<()> {
        let provenance = Provenance::of(config, dataset, backend, from);
        if self.path.join("config.toml").exists() {
            // Made by another process between the look into the folder and the lock.
            return Err(Error::input(format!(
                "{}: the output folder holds a run; name another with --out",
                self.path.display()
            )));
        }
        self.write_json("provenance.json", &provenance)?;
        // Last, as its presence is what makes the folder a run.
        self.write_config(config)
    }

    /// Writes `config.toml`: the old one stays, or the new one is whole.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn write_config(&self, config: &Config) -> Result<()> {
        write_atomic(&self.path.join("config.toml"), config.to_toml()?.as_bytes())
    }

    /// The run's configuration, as it was resolved.
    ///
    /// # Errors
    /// A file that somebody changed.
    pub fn config(&self) -> Result<Config> {
        self.config_file()?.config(&[], Missing::Allowed)
    }

    /// The file `config.toml`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn config_file(&self) -> Result<ConfigFile> {
        ConfigFile::open(&self.path.join("config.toml"))
    }

    /// The run's configuration with data that have moved: assignments such as `data.path=t.csv`.
    ///
    /// # Errors
    /// A file that somebody changed, an assignment to anything but a path of `[data]`, and a relative path that leads nowhere.
    pub fn config_with_moved_data(&self, overrides: &[String]) -> Result<Config> {
        let file = self.config_file()?;
        let own = file.config(&[], Missing::Allowed)?;
        if overrides.is_empty() {
            return Ok(own);
        }
        let keys = path_keys(&own);
        let other = overrides.iter().find(|assignment| {
            let key = assignment.split_once('=').map_or("", |(key, _)| key.trim());
            !keys.iter().any(|path| path == key)
        });
        match other {
            None => file.config(overrides, Missing::Refused),
            Some(other) if keys.is_empty() => Err(Error::input(format!(
                "--set {other}: this run's data are in no file, so they cannot have moved; leave it out"
            ))),
            Some(other) => Err(Error::input(format!(
                "--set {other}: expected where the data are now ({} = path); everything else is as the run was trained: leave it \
                 out",
                keys.join(", ")
            ))),
        }
    }

    /// Where the run comes from.
    ///
    /// # Errors
    /// A file that somebody changed.
    pub fn provenance(&self) -> Result<Provenance> {
        let path = self.path.join("provenance.json");
        let text = fs::read_to_string(&path).map_err(|error| {
            Error::input(format!("{}: cannot be read: {error}; put it back as the run wrote it", path.display()))
        })?;
        serde_json::from_str(&text)
            .map_err(|error| Error::input(format!("{}: {error}; put it back as the run wrote it", path.display())))
    }

    /// The run's data, the same as when it began.
    ///
    /// # Errors
    /// Data that cannot be read, or others than those that the run began with.
    pub fn dataset(&self, config: &Config) -> Result<Dataset> {
        let mut dataset = data::of_run(config)?;
        let Provenance { data_sha256: began_with, warnings, .. } = self.provenance()?;
        // What was a guess when the run began is written in its configuration, and is still one.
        dataset.warnings = warnings;
        if began_with != dataset.fingerprint {
            return Err(Error::input(format!(
                "{}: the data are not those that the run began with (sha256 {began_with}, now {}); put the old data back",
                self.path.display(),
                dataset.fingerprint
            )));
        }
        Ok(dataset)
    }

    /// What the run has learnt, ready to evaluate, from the folder alone: its best model, or its members' best.
    ///
    /// # Errors
    /// As [`best_model`](Self::best_model), and an ensemble that is not complete.
    pub fn model(&self, config: &Config, spec: &DataSpec, device: &Device) -> Result<Ensemble> {
        self.check_members(config)?;
        let Some(configs) = config.members() else { return self.best_model(config, spec, device).map(Ensemble::from) };
        let best = configs.iter().enumerate().map(|(index, config)| {
            let member = self.member(index);
            if !member.path.join("result.json").is_file() {
                return Err(Error::input(format!(
                    "{}: this member of the ensemble is not trained to its end; finish it with dgm-train --resume {}",
                    member.path.display(),
                    self.path.display()
                )));
            }
            let own = member.config()?;
            if (own.seed, &own.model) != (config.seed, &config.model) {
                return Err(Error::input(format!(
                    "{}: found a run of another seed or model than this member of the ensemble has; put the member back, or take \
                     the folder away and train it again with dgm-train --resume {}",
                    member.path.display(),
                    self.path.display()
                )));
            }
            member.best_model(config, spec, device)
        });
        let members: Vec<AnyModel> = best.collect::<Result<_>>()?;
        Ok(Ensemble::new(members)?)
    }

    /// Whether the folder holds what the configuration says: one model, or an ensemble.
    ///
    /// # Errors
    /// It holds the other.
    pub fn check_members(&self, config: &Config) -> Result<()> {
        let (one, several) = (self.path.join("checkpoint").is_dir(), self.member(0).path().is_dir());
        let found = match config.members() {
            Some(members) if one => format!("the run of one model, and training.ensemble is {}", members.len()),
            None if several => "an ensemble, and its config.toml has no training.ensemble above 1".into(),
            _ => return Ok(()),
        };
        Err(Error::input(format!(
            "{}: found {found}; put config.toml back, or begin a new run with --config and --out",
            self.path.display()
        )))
    }

    /// The folder of an ensemble's member, whether it is there or not: that of an ordinary run.
    pub fn member(&self, index: usize) -> Self {
        Self { path: self.path.join(format!("member-{index}")) }
    }

    /// Whether the configuration is still that of the run's checkpoint in this file.
    ///
    /// # Errors
    /// Keys that may not differ do.
    pub fn check_unchanged(&self, config: &Config, checkpoint: &Checkpoint, file: &Path) -> Result<()> {
        let changed = changed(config, &checkpoint.config(&file.display().to_string())?);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::input(format!(
            "{}: config.toml is not that of the run's checkpoints any more, in {}; put it back, or begin a new run",
            self.path.display(),
            listed(&changed)
        )))
    }

    /// The newest checkpoint as this configuration takes it, whose end may be a later one than the checkpoint knows of, and what there is
    /// to say about that; `None` before the first. See [`continued`].
    ///
    /// # Errors
    /// A damaged checkpoint, keys that may not differ and do, an end before what is done already.
    pub(crate) fn continued(&self, config: &Config, examples: usize) -> Result<Option<(Checkpoint, Vec<String>)>> {
        let Some(checkpoint) = self.checkpoints().newest()? else { return Ok(None) };
        let file = self.checkpoints().after(checkpoint.progress.step);
        self.check_unchanged(config, &checkpoint, &file)?;
        let before = checkpoint.config(&file.display().to_string())?;
        continued(checkpoint, config, &before, examples, &self.path.display().to_string()).map(Some)
    }

    /// The best model of the run, ready to evaluate, from the folder alone.
    ///
    /// # Errors
    /// No checkpoint yet, a damaged one, or a configuration that is not that of the run any more.
    pub fn best_model(&self, config: &Config, spec: &DataSpec, device: &Device) -> Result<AnyModel> {
        let path = self.checkpoints().best();
        let run = self.path.display();
        let again = format!("put it back, or take {run}/checkpoint away and train again with dgm-train --resume {run}");
        if !path.is_file() {
            return Err(Error::input(match self.path.join("result.json").is_file() {
                true => format!("{}: the best checkpoint of the run is gone; {again}", path.display()),
                false => format!("{run}: the run has no validated checkpoint yet; let it train for an epoch"),
            }));
        }
        let checkpoint = Checkpoint::read_or(&path, || again.clone())?;
        if checkpoint.section("optimizer").is_ok() {
            let what = "a checkpoint to go on from, not the best one: its weights are not those that were evaluated";
            return Err(Error::input(format!("{}: found {what}; {again}", path.display())));
        }
        // Another split of the same data, say, would be evaluated on what was trained on.
        self.check_unchanged(config, &checkpoint, &path)?;
        let model = initial_model(config, spec, device)?;
        Ok(restore::weights(model, checkpoint.section("model")?)?.valid())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path.join("checkpoint"))
    }

    /// Appends a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn append_metrics(&self, line: &serde_json::Value) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", path.display())))
    }

    /// Takes out of `metrics.jsonl` what came after this checkpoint (everything where there is none): a run that goes on from
    /// there writes it again.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn cut_metrics(&self, from: Option<&Progress>) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            bytes => bytes.map_err(|error| Error::run(format!("{}: cannot be read: {error}", path.display())))?,
        };
        let (step, restored) = from.map_or((0, 0), |progress| (progress.step, progress.restored));
        let complete = from.is_some_and(|progress| progress.complete);
        // Bytes that are no text, and a line that a crash cut short, are no lines.
        let text = String::from_utf8_lossy(&bytes);
        let keep = |line: &&str| {
            let value: Option<serde_json::Value> = serde_json::from_str(line).ok().filter(|_| line.ends_with('\n'));
            value.is_some_and(|value| {
                // A run that goes on beyond its end has no such line.
                if !complete && value[AT_END] == true {
                    return false;
                }
                let later = value["restored"].as_u64().is_some_and(|times| times > restored);
                value["step"].as_u64().is_some_and(|at| at <= step) && !later
            })
        };
        let kept: String = text.split_inclusive('\n').filter(keep).collect();
        if kept.as_bytes() == bytes { Ok(()) } else { write_atomic(&path, kept.as_bytes()) }
    }

    /// Waits until the metrics are on disk.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn sync_metrics(&self) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let synced = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            file => file.and_then(|file| file.sync_data()),
        };
        synced.map_err(|error| Error::run(format!("{}: cannot be written: {error}", path.display())))
    }

    /// Takes away what an earlier end of the run left: its figures and samples are not those of the next.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn remove_results(&self) -> Result<()> {
        ["result.json", "samples.png"].into_iter().try_for_each(|file| self.remove(file))
    }

    /// Takes a file away, where it is there.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::run(format!("{}: cannot be removed: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path.join(name);
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", path.display())))?;
        text.push('\n');
        write_atomic(&path, text.as_bytes())
    }
}

/// The keys that differ and may not: what a run may be given anew changes no weights that it has, only how far it goes on. Data may
/// move: their fingerprint says whether they are the same.
pub(crate) fn changed(config: &Config, other: &Config) -> Vec<String> {
    const MAY: [&str; 3] = ["training.checkpoint_every", "training.keep_checkpoints", "evaluation"];
    let paths = path_keys(config);
    let may = |key: &String| paths.contains(key) || MAY.into_iter().chain(GOES_ON).any(|may| is_within(key, may));
    config.differences(other).into_iter().filter(|key| !may(key)).collect()
}

/// Whether a key is this one, or one of the table that this one is.
pub(crate) fn is_within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The keys that are paths of the data, with dots.
pub(crate) fn path_keys(config: &Config) -> Vec<String> {
    config.data.path_keys().iter().map(|key| format!("data.{key}")).collect()
}

/// The first keys, and how many there are.
pub(crate) fn listed(keys: &[String]) -> String {
    const SHOWN: usize = 6;
    match keys.get(..SHOWN) {
        Some(first) if keys.len() > SHOWN => format!("{}, … {} keys in all", first.join(", "), keys.len()),
        _ => keys.join(", "),
    }
}
