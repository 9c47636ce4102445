//! Where commands write: never over what they read, nor over what a run needs.

use crate::data::DataConfig;
use crate::error::{Error, Result};
use crate::files::PartFile;
use std::path::{Path, PathBuf};

/// Endings of what people take out of a run, and may put into its folder.
const SPARE: [&str; 8] = ["csv", "npy", "png", "svg", "htm", "html", "md", "txt"];

/// The picture that training leaves in a run's folder.
const PICTURE: &str = "samples.png";

/// What a command reads, which its output does not replace.
pub(super) struct Inputs {
    runs: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Of images: a new one would belong to the data.
    folders: Vec<PathBuf>,
}

impl Inputs {
    /// The run's folder, its data, and a file that is read besides.
    pub(super) fn of(run: &Path, data: &DataConfig, read: Option<&Path>) -> Self {
        let mut inputs = Self { files: read.and_then(real).into_iter().collect(), ..Self::of_runs(&[run]) };
        let of_images = matches!(data, DataConfig::Images(_));
        // Nothing here fails.
        let _ = data.clone().visit_paths(&mut |_, path| {
            let path = path.and_then(|path| real(path));
            match path.as_ref().is_some_and(|path| path.is_dir()) {
                true if of_images => inputs.folders.extend(path),
                true => {}
                false => inputs.files.extend(path),
            }
            Ok(())
        });
        inputs
    }

    /// The folders of these runs alone.
    pub(super) fn of_runs(runs: &[impl AsRef<Path>]) -> Self {
        let runs = runs.iter().filter_map(|run| real(run.as_ref())).collect();
        Self { runs, files: Vec::new(), folders: Vec::new() }
    }

    /// Whether what an option names may be written: there is a folder for it, it is none itself, and nothing is lost by it.
    pub(super) fn spare(&self, option: &str, path: &Path) -> Result<()> {
        in_a_folder(option, path)?;
        let refuse =
            |what: &str| Err(Error::input(format!("{option} {}: this file is {what}; name another", path.display())));
        if path.is_dir() {
            return Err(Error::input(format!(
                "{option} {}: is a folder; expected a file; name another",
                path.display()
            )));
        }
        if real(path).is_some_and(|found| self.files.contains(&found)) {
            return refuse("read by this command or by the run");
        }
        let Some(parent) = real(folder_of(path)) else { return Ok(()) };
        if self.folders.iter().any(|folder| parent.starts_with(folder)) {
            return refuse("among the images that the run reads");
        }
        let within = self.runs.iter().any(|run| parent.starts_with(run));
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let is_spare = ending.is_some_and(|ending| SPARE.contains(&ending.as_str()));
        let is_picture = path.file_name().is_some_and(|name| name == PICTURE) && self.runs.contains(&parent);
        if within && (!is_spare || is_picture) {
            return refuse("within the run's folder, among what the run keeps there");
        }
        Ok(())
    }

    /// The same, and begins to write it.
    pub(super) fn create(&self, option: &str, path: &Path) -> Result<PartFile> {
        self.spare(option, path)?;
        PartFile::create(path).map_err(|error| cannot_write_to(option, path, &error))
    }
}

/// Where this file is, links followed; `None`: there is none.
fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether there is a folder for the file.
pub(super) fn in_a_folder(option: &str, path: &Path) -> Result<()> {
    let parent = folder_of(path);
    if parent.is_dir() {
        return Ok(());
    }
    Err(Error::input(format!(
        "{}: this folder does not exist; make it, or name another with {option}",
        parent.display()
    )))
}

/// What an option names cannot be written.
pub(super) fn cannot_write_to(option: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::input(format!("{}: cannot be written: {error}; name another file with {option}", path.display()))
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    cannot_write_to("--out", path, error)
}
