//! Files that are whole or absent.

use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path`, flushes them to disk and renames: `path` is the old file or the new one, never half.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Error::run(format!("{}: cannot be written: {error}", path.display()));
    let mut aside = path.as_os_str().to_owned();
    aside.push(".part");
    let aside = Path::new(&aside);
    let written = File::create(aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| rename_synced(aside, path)).map_err(|error| {
        // Best effort: the error that matters is the one above. After the rename there is nothing to remove.
        let _ = fs::remove_file(aside);
        failed(error)
    })
}

/// A file that is written part by part beside its place, and stands there once it is whole. What is no regular file, such as a pipe, is written
/// itself.
#[derive(Debug)]
pub struct PartFile {
    file: BufWriter<File>,
    /// Where it is written, and its place.
    aside: Option<(PathBuf, PathBuf)>,
}

impl PartFile {
    /// Begins to write; the old file, where there is one, stays until the new one is whole.
    ///
    /// # Errors
    /// The folder is not there, or cannot be written.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Self { file: BufWriter::new(file), aside: None });
            }
            _ => {}
        }
        // A link stays one: its target is written.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let mut aside = path.clone().into_os_string();
        aside.push(format!(".{}.part", std::process::id()));
        let aside = PathBuf::from(aside);
        Ok(Self { file: BufWriter::new(File::create(&aside)?), aside: Some((aside, path)) })
    }

    /// Writes all of it, and puts it in its place.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn finish_with(mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write_all(bytes)?;
        self.finish()
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()?;
        if let Some((aside, path)) = &self.aside {
            self.file.get_ref().sync_all()?;
            rename_synced(aside, path)?;
            self.aside = None;
        }
        Ok(())
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartFile {
    /// What was not finished leaves nothing behind.
    fn drop(&mut self) {
        if let Some((aside, _)) = &self.aside {
            let _ = fs::remove_file(aside);
        }
    }
}

/// Renames a file that is on disk already, and waits until the new name is too.
///
/// # Errors
/// The folder cannot be written, or the disk fails.
pub fn rename_synced(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)?;
    // Not every system lets a folder be opened for that, and a relative name has an empty parent.
    let parent = to.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    match parent.and_then(|folder| File::open(folder).ok()).map(|folder| folder.sync_all()) {
        // A file system that has nothing to sync there says so in one of these ways.
        Some(Err(error)) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(error),
        _ => Ok(()),
    }
}
