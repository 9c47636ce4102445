//! Where commands write: never over what they read, nor over what a run needs.

use super::output::{is_standard, say, say_bytes};
use crate::config::ModelConfig;
use crate::data::DataConfig;
use crate::error::{Error, Result};
use crate::files::PartFile;
use crate::run_folder::{RunFolder, SAMPLES};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Endings of what people take out of a run, and may put into its folder.
const SPARE: [&str; 8] = ["csv", "npy", "png", "svg", "htm", "html", "md", "txt"];

/// What a command reads, which its output does not replace.
#[derive(Default)]
pub(super) struct Inputs {
    runs: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Of data.
    folders: Vec<PathBuf>,
    /// Of images: a new file would belong to the data.
    of_images: Vec<PathBuf>,
}

impl Inputs {
    /// The folders of these runs, those of the ensembles that they belong to, and their data.
    pub(super) fn of_runs(runs: &[impl AsRef<Path>]) -> Self {
        let mut inputs = Self::default();
        for run in runs.iter().filter_map(|run| real(run.as_ref())) {
            if let Ok(config) = RunFolder::open(&run).and_then(|folder| folder.config::<ModelConfig>()) {
                inputs = inputs.with_data(&config.data);
            }
            let is_run = |folder: &&Path| RunFolder::open(folder).and_then(|folder| folder.provenance()).is_ok();
            inputs.runs.extend(run.parent().filter(is_run).map(Path::to_path_buf));
            inputs.runs.push(run);
        }
        inputs
    }

    /// These data too, such as those of a run that have moved.
    pub(super) fn with_data(mut self, data: &DataConfig) -> Self {
        let of_images = matches!(data, DataConfig::Images(_));
        // Nothing here fails.
        let _ = data.clone().visit_paths(&mut |_, path| {
            let path = path.and_then(|path| real(path));
            match path.as_ref().is_some_and(|path| path.is_dir()) {
                true if of_images => self.of_images.extend(path),
                true => self.folders.extend(path),
                false => self.files.extend(path),
            }
            Ok(())
        });
        self
    }

    /// A file that is read besides.
    pub(super) fn with_file(mut self, file: Option<&Path>) -> Self {
        self.files.extend(file.and_then(real));
        self
    }

    /// Whether what an option names may be written: there is a folder for it, it is none itself, and nothing is lost by it.
    fn spare(&self, option: &str, path: &Path) -> Result<()> {
        let parent = folder_of(path);
        if !parent.is_dir() {
            return Err(Error::input(format!(
                "{}: this folder does not exist; make it, or name another with {option}",
                parent.display()
            )));
        }
        if path.is_dir() {
            return Err(Error::input(format!(
                "{option} {}: is a folder; expected a file; name another",
                path.display()
            )));
        }
        let exists = path.exists();
        let Some(place) = place_of(path) else { return Ok(()) };
        let refuse =
            |what: &str| Err(Error::input(format!("{option} {}: this file {what}; name another", path.display())));
        if self.files.contains(&place) {
            return refuse("is read by this command or by the run");
        }
        let within = |folders: &[PathBuf]| folders.iter().any(|folder| place.starts_with(folder));
        let is_spare = SPARE.contains(&ending(&place).as_str());
        if within(&self.of_images) || (within(&self.folders) && exists && !is_spare) {
            return refuse("is among the data that the run reads");
        }
        if within(&self.runs) && place.file_name().is_some_and(|name| name == SAMPLES) {
            return refuse("is what training left in the run's folder");
        }
        if within(&self.runs) && !is_spare {
            return Err(Error::input(format!(
                "{option} {}: only files that end in .{} may be written into a run's folder; give one of these endings, or name another folder",
                path.display(),
                SPARE.join(", .")
            )));
        }
        Ok(())
    }

    /// The file, which is begun: what is there stays until the new one is whole.
    pub(super) fn create(&self, option: &str, path: &Path) -> Result<PartFile> {
        self.spare(option, path)?;
        PartFile::create(path).map_err(|error| cannot_write_to(option, path, &error))
    }

    /// The same, or standard output where `-` is named.
    pub(super) fn open(&self, path: &Path) -> Result<Output> {
        let file = if is_standard(path) { None } else { Some(self.create("--out", path)?) };
        Ok(Output { path: path.into(), file })
    }
}

/// What `--out` names.
pub(super) struct Output {
    path: PathBuf,
    /// None: standard output.
    file: Option<PartFile>,
}

impl Output {
    /// Whether it is a file of this ending.
    pub(super) fn ends_in(&self, wanted: &str) -> bool {
        self.file.is_some() && ending(&self.path) == wanted
    }

    /// Whether it is standard output.
    pub(super) fn is_standard(&self) -> bool {
        self.file.is_none()
    }

    /// Writes all of it, and says what is where.
    pub(super) fn write(self, bytes: &[u8], what: impl Display) -> Result<()> {
        let Some(file) = self.file else { return say_bytes(bytes) };
        file.finish_with(bytes).map_err(|error| cannot_write(&self.path, &error))?;
        say(format_args!("{what} in {}", self.path.display()))
    }
}

/// The ending of a file's name, in small letters.
pub(super) fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Where this file is, links followed; `None`: there is none.
fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// The same of one that may not be there yet.
pub(super) fn place_of(path: &Path) -> Option<PathBuf> {
    real(path).or_else(|| Some(real(folder_of(path))?.join(path.file_name()?)))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What an option names cannot be written.
pub(super) fn cannot_write_to(option: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::input(format!("{}: cannot be written: {error}; name another file with {option}", path.display()))
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    cannot_write_to("--out", path, error)
}
