//! The folder of a run: all that is needed to resume, to repeat or to explain.

use crate::backend::Backend;
use crate::checkpoint::{Checkpoints, TrainingProgress};
use crate::config::{Config, ConfigFile, Missing};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::metrics::Line;
use crate::provenance::{Origin, Provenance};
use crate::report::tell;
use dgm_models::ModelFactory;
use serde::Serialize;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where a run's files are.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// The picture that training leaves in a run's folder.
pub(crate) const SAMPLES: &str = "samples.png";

/// A run folder taken by this process; see [`RunFolder::lock`].
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl RunFolder {
    /// A folder, whatever is in it.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

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

    /// The lines of `metrics.jsonl`; one that is being written is left out, and so is the file where there is none yet.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn metrics(&self) -> Result<Vec<Line>> {
        let path = self.path.join("metrics.jsonl");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Error::input(format!("{}: cannot be read: {error}; make it readable", path.display())));
            }
        };
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Whether another process has taken the folder.
    pub fn is_locked(&self) -> bool {
        let file = OpenOptions::new().read(true).open(self.path.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Writes the resolved configuration and where the run comes from.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn describe<C: ModelFactory>(
        &self,
        config: &Config<C>,
        dataset: &Dataset,
        backend: &Backend,
        origin: Origin,
    ) -> Result<()> {
        let provenance = Provenance::of(config, dataset, backend, origin);
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
    pub(crate) fn write_config<C: ModelFactory>(&self, config: &Config<C>) -> Result<()> {
        write_atomic(&self.path.join("config.toml"), config.to_toml()?.as_bytes())
    }

    /// The run's configuration, as it was resolved.
    ///
    /// # Errors
    /// A file that was changed.
    pub fn config<C: ModelFactory>(&self) -> Result<Config<C>> {
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
    /// A file that was changed, an assignment to anything but a path of `[data]`, and a relative path that leads nowhere.
    pub fn config_with_moved_data<C: ModelFactory>(&self, overrides: &[String]) -> Result<Config<C>> {
        self.config_with(overrides, |_| Vec::new())
    }

    /// The same, and samples that are drawn in another way, by assignments to [`Config::sampling_keys`] such as `model.steps=50`.
    ///
    /// # Errors
    /// As above, and a value that the key cannot have.
    pub fn config_for_sampling<C: ModelFactory>(&self, overrides: &[String]) -> Result<Config<C>> {
        self.config_with(overrides, Config::sampling_keys)
    }

    fn config_with<C: ModelFactory>(
        &self,
        overrides: &[String],
        more: impl FnOnce(&Config<C>) -> Vec<String>,
    ) -> Result<Config<C>> {
        let file = self.config_file()?;
        let own = file.config(&[], Missing::Allowed)?;
        if overrides.is_empty() {
            return Ok(own);
        }
        let (paths, more) = (own.path_keys(), more(&own));
        let sets = |keys: &[String], assignment: &String| {
            let key = assignment.split_once('=').map_or("", |(key, _)| key.trim());
            keys.iter().any(|other| other == key)
        };
        let other = overrides.iter().find(|assignment| !sets(&paths, assignment) && !sets(&more, assignment));
        let Some(other) = other else {
            // Data that nobody moved may be absent where nothing reads them.
            let moved = overrides.iter().any(|assignment| sets(&paths, assignment));
            return file.config(overrides, if moved { Missing::Refused } else { Missing::Allowed });
        };
        let mut may = Vec::new();
        if !paths.is_empty() {
            may.push(format!("where the data are now ({} = path)", paths.join(", ")));
        }
        if !more.is_empty() {
            may.push(format!("how samples are drawn ({})", more.join(", ")));
        }
        Err(Error::input(match may.is_empty() {
            true => format!(
                "--set {other}: everything is as the run was trained, and its data are in no file that could have moved; leave it out"
            ),
            false => format!(
                "--set {other}: expected {}; everything else is as the run was trained: leave it out",
                may.join(" or ")
            ),
        }))
    }

    /// Where the run comes from.
    ///
    /// # Errors
    /// A file that was changed.
    pub fn provenance(&self) -> Result<Provenance> {
        let path = self.path.join("provenance.json");
        let text = fs::read_to_string(&path).map_err(|error| {
            Error::input(format!("{}: cannot be read: {error}; restore it as the run wrote it", path.display()))
        })?;
        serde_json::from_str(&text)
            .map_err(|error| Error::input(format!("{}: {error}; restore it as the run wrote it", path.display())))
    }

    /// The run's data, the same as when it began.
    ///
    /// # Errors
    /// Data that cannot be read, or others than those that the run began with.
    pub fn dataset<C: ModelFactory>(&self, config: &Config<C>) -> Result<Dataset> {
        self.same_data(config.load_data()?)
    }

    /// These data, where they are those that the run began with.
    ///
    /// # Errors
    /// They are others.
    pub(crate) fn same_data(&self, mut dataset: Dataset) -> Result<Dataset> {
        let Provenance { data_sha256: began_with, warnings, .. } = self.provenance()?;
        // What was a guess when the run began is written in its configuration, and is still one.
        dataset.warnings = warnings;
        if began_with != dataset.fingerprint {
            return Err(Error::input(format!(
                "{}: the data are not those that the run began with (sha256 {began_with}, now {}); restore the original data",
                self.path.display(),
                dataset.fingerprint
            )));
        }
        Ok(dataset)
    }

    /// The folder of an ensemble's member, whether it is there or not: that of an ordinary run.
    pub fn member(&self, index: usize) -> Self {
        Self { path: self.path.join(format!("member-{index}")) }
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
    pub fn append_metrics(&self, line: &Line) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let line = serde_json::to_string(line)
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", path.display())))?;
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .map_err(|error| Error::run(format!("{}: cannot be written: {error}", path.display())))
    }

    /// Takes out of `metrics.jsonl` what came after this checkpoint (everything where there is none): a run that resumes from
    /// there writes it again.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn cut_metrics(&self, from: Option<&TrainingProgress>) -> Result<()> {
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
            let line: Option<Line> = serde_json::from_str(line).ok().filter(|_| line.ends_with('\n'));
            line.is_some_and(|line| {
                // A run that is extended has no line that only the end asked for.
                let of_end = !complete && line.is_at_end();
                !of_end && line.step() <= step && line.restored().is_none_or(|times| times <= restored)
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

    /// Takes away what an earlier end of the run left: its results and samples are not those of the next.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn remove_results(&self) -> Result<()> {
        ["result.json", SAMPLES].into_iter().try_for_each(|file| self.remove(file))
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
