//! The checkpoints of a run: the newest few to resume from, and the best by validation.

use super::{Best, Checkpoint};
use crate::error::{Error, Result};
use crate::files::{rename_synced, write_atomic};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder with them: `step-<steps>.dgm` and `best.dgm`.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The checkpoints in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The checkpoint with the lowest validation loss: the weights that are evaluated.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.dgm")
    }

    /// The best checkpoint before the evaluation that only the end of training asked for, where that one was better.
    fn best_before_end(&self) -> PathBuf {
        self.folder.join("best-before-end.dgm")
    }

    /// Keeps a copy of the best checkpoint, if it is this one, for a run that is extended.
    ///
    /// # Errors
    /// The folder cannot be read or written, or the best checkpoint is damaged.
    pub(crate) fn keep_best_before_end(&self, best: Option<Best>) -> Result<()> {
        let path = self.best();
        // After a crash the best may be that of the end already, and its predecessor is kept already.
        if best.is_none() || !path.exists() || Checkpoint::read(&path)?.progress.best != best {
            return Ok(());
        }
        let bytes = fs::read(&path).map_err(|error| self.unusable(&error))?;
        write_atomic(&self.best_before_end(), &bytes)
    }

    /// Makes the best checkpoint from before the end the best again, where there is one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn restore_best_before_end(&self) -> Result<()> {
        match rename_synced(&self.best_before_end(), &self.best()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unusable(&error)),
            _ => Ok(()),
        }
    }

    /// The checkpoint after this many steps: everything that is needed to resume from there.
    pub fn after(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step}.dgm"))
    }

    /// After how many steps there are checkpoints, the newest first.
    ///
    /// # Errors
    /// A folder that cannot be read. One that is not there has no checkpoint.
    pub fn steps(&self) -> Result<Vec<u64>> {
        let mut steps: Vec<u64> = self.names()?.iter().filter_map(|name| step_of(name)).collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        Ok(steps)
    }

    /// Writes a checkpoint; of the older ones those beyond the `keep` newest go.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full; what was there stays.
    pub fn write(&self, checkpoint: &Checkpoint, keep: usize) -> Result<()> {
        let step = checkpoint.progress.step;
        checkpoint.write(&self.after(step))?;
        for older in self.steps()?.into_iter().filter(|&older| older < step).skip(keep.saturating_sub(1)) {
            // A file too many harms nobody.
            let _ = fs::remove_file(self.after(older));
        }
        Ok(())
    }

    /// The checkpoint to resume from: the newest; `None` before the first.
    ///
    /// # Errors
    /// It is damaged, or cannot be read. Nothing older is taken instead without being asked: the message says how.
    pub fn newest(&self) -> Result<Option<Checkpoint>> {
        let steps = self.steps()?;
        let Some(&newest) = steps.first() else { return Ok(None) };
        let before = || {
            let whole = steps.iter().skip(1).find(|&&step| Checkpoint::read(&self.after(step)).is_ok());
            match whole {
                Some(step) => format!("delete the file to resume from step {step}, the checkpoint before it"),
                None => "there is no intact one before it; delete the file to start again from the first step".into(),
            }
        };
        Checkpoint::read_or(&self.after(newest), before).map(Some)
    }

    /// Makes the folder where it is missing and takes away what a crash left half-written. Only for whoever holds the
    /// run's lock.
    ///
    /// # Errors
    /// A folder that cannot be made or read.
    pub(crate) fn tidy(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| self.unusable(&error))?;
        for name in self.names()?.iter().filter(|name| name.ends_with(".part")) {
            // It would only take room.
            let _ = fs::remove_file(self.folder.join(name));
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.unusable(&error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.unusable(&error))?;
            names.extend(entry.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn unusable(&self, error: &std::io::Error) -> Error {
        Error::input(format!(
            "{}: the checkpoints cannot be reached: {error}; make the folder readable",
            self.folder.display()
        ))
    }
}

fn step_of(name: &str) -> Option<u64> {
    Path::new(name).file_name()?.to_str()?.strip_prefix("step-")?.strip_suffix(".dgm")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::TrainingProgress;

    fn after(step: u64) -> Checkpoint {
        Checkpoint {
            progress: TrainingProgress { step, ..TrainingProgress::default() },
            sections: vec![("model".into(), vec![7; 9])],
        }
    }

    #[test]
    fn newest_checkpoints_are_kept_and_damage_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().into());
        assert_eq!(checkpoints.newest().unwrap(), None);
        for step in [8, 9, 10, 200] {
            checkpoints.write(&after(step), 3).unwrap();
        }
        fs::write(folder.path().join("step-300.dgm.part"), "half").unwrap();
        fs::write(checkpoints.best(), "another").unwrap();
        assert_eq!(checkpoints.steps().unwrap(), [200, 10, 9]);
        assert_eq!(checkpoints.newest().unwrap(), Some(after(200)));

        for step in [200, 10] {
            let mut bytes = fs::read(checkpoints.after(step)).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(checkpoints.after(step), bytes).unwrap();
        }
        let text = checkpoints.newest().unwrap_err().to_string();
        assert!(text.contains("step-200.dgm: damaged") && text.contains("resume from step 9"), "{text}");
        fs::remove_file(checkpoints.after(200)).unwrap();
        fs::remove_file(checkpoints.after(9)).unwrap();
        let text = checkpoints.newest().unwrap_err().to_string();
        assert!(text.contains("step-10.dgm: damaged") && text.contains("start again"), "{text}");
        checkpoints.tidy().unwrap();
        assert!(!folder.path().join("step-300.dgm.part").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        fs::write(&path, "a file").unwrap();
        let checkpoints = Checkpoints::new(path.clone());
        let text = checkpoints.newest().unwrap_err().to_string();
        assert!(text.contains("cannot be reached"), "{text}");
        fs::remove_file(&path).unwrap();
        assert_eq!(checkpoints.newest().unwrap(), None);
        checkpoints.tidy().unwrap();
        checkpoints.write(&after(1), 1).unwrap();
    }

    #[test]
    fn a_checkpoint_of_a_newer_release_is_not_to_be_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().into());
        checkpoints.write(&after(1), 2).unwrap();
        checkpoints.write(&after(2), 2).unwrap();
        let mut bytes = fs::read(checkpoints.after(2)).unwrap();
        bytes["dgm checkpoint\n".len()] = 77;
        fs::write(checkpoints.after(2), bytes).unwrap();
        let text = checkpoints.newest().unwrap_err().to_string();
        assert!(text.contains("version 77") && !text.contains("delete"), "{text}");
    }
}
