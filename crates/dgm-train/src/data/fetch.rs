//! Fetches the files of a data set: each whole, of the known size and SHA-256, or absent.
//!
//! A file arrives as `<name>.part`, which stays when the transfer breaks off, however that happens, and is gone on with
//! the next time. Only content of the right checksum gets the file's name.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::catalogue::{DataSet, RemoteFile, absolute, under};
use super::transfer::{self, Reason, Transfer, checksum, local};
pub use super::transfer::{Options, Progress};
use crate::error::{Error, Result};

/// A file in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Size and checksum are right.
    Whole,
    /// There is no such file.
    Absent,
    /// Something else is there: what.
    Damaged(String),
}

/// Reads a file and compares it with what is known about it.
///
/// # Errors
///
/// A file that cannot be read.
pub fn state(path: &Path, file: &RemoteFile) -> Result<State> {
    let unreadable = |error: io::Error| {
        Error::input(format!("{}: cannot be read: {error}; make it readable, or move it away", path.display()))
    };
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(Error::input(format!("{}: is not a file; move it away", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => return Err(unreadable(error)),
    };
    if found != file.bytes {
        return Ok(State::Damaged(format!("found {found} bytes; expected {}", file.bytes)));
    }
    let sum = checksum(path).map_err(unreadable)?;
    if sum != file.sha256 {
        return Ok(State::Damaged(format!("found sha256 {sum}; expected {}", file.sha256)));
    }
    Ok(State::Whole)
}

/// Fetches what is missing of a data set into `<folder>/<name>`; the number of files fetched.
///
/// What is there is verified, and fetched again where it is damaged. Where nothing is missing, nothing is written.
/// Of two processes that fetch the same set, the second waits for the first.
///
/// # Errors
///
/// [`Error::Input`] for a folder that cannot be written. [`Error::Run`] where the disk is full, or a file cannot be had
/// from any of its addresses: several lines, which name every file that is missing, its size and checksum, where it
/// is on the network and the path to put it at.
pub fn fetch(name: &str, set: &DataSet, options: &Options, progress: &mut dyn Progress) -> Result<usize> {
    let folder = absolute(&options.folder.join(name));
    if set.files.iter().all(|file| state(&folder.join(&file.name), file) == Ok(State::Whole)) {
        return Ok(0);
    }
    fs::create_dir_all(&folder).map_err(|error| local(&folder, "the folder cannot be made", &error))?;
    let _lock = lock(name, &folder, progress)?;
    let agent = transfer::agent(options.timeout);
    let (mut fetched, mut missing, mut offline) = (0, Vec::new(), false);
    for file in &set.files {
        let target = folder.join(&file.name);
        // Asked again: another process may have been at work until now.
        match state(&target, file)? {
            State::Whole => continue,
            State::Absent => {}
            State::Damaged(what) => progress.note(&format!("{}: damaged: {what}; fetched again", target.display())),
        }
        let urls = match &options.mirror {
            Some(mirror) => vec![under(mirror, &file.name)],
            None => set.urls(file),
        };
        // Without a network, waiting for it again for every file would help nobody.
        let tried = if offline { &[][..] } else { &urls };
        match Transfer::new(file, &target, options, &agent, progress).run(tried)? {
            Ok(()) => fetched += 1,
            Err(reasons) => {
                offline |= !reasons.is_empty() && reasons.iter().all(|reason| reason.unreachable);
                missing.push(Missing { file, urls, reasons });
            }
        }
    }
    match missing.is_empty() {
        true => Ok(fetched),
        // A list with a line for each file, as it is: nothing in it comes from outside unchecked.
        false => Err(Error::Run(advice(name, &folder, &missing, offline))),
    }
}

/// A file that could not be fetched.
struct Missing<'a> {
    file: &'a RemoteFile,
    urls: Vec<String>,
    /// Why not, for each address that was tried.
    reasons: Vec<Reason>,
}

/// What to do without this program: each file, where it is and where it belongs.
fn advice(name: &str, folder: &Path, missing: &[Missing<'_>], offline: bool) -> String {
    let what = match (offline, missing.len()) {
        (true, _) => "no server can be reached".to_owned(),
        (false, 1) => "one file cannot be fetched".to_owned(),
        (false, n) => format!("{n} files cannot be fetched"),
    };
    let them = if missing.len() == 1 { "it, put it at this path" } else { "them, put each at its path" };
    let mut text =
        format!("{name}: {what}; get {them} and run this command again, which checks and keeps what is there:");
    for Missing { file, urls, reasons } in missing {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", folder.join(&file.name).display());
        let _ = write!(text, "\n    {} bytes, sha256 {}", file.bytes, file.sha256);
        for (place, url) in urls.iter().enumerate() {
            let _ = write!(text, "\n    {} {url}", if place == 0 { "from" } else { "or" });
            if let Some(reason) = reasons.get(place) {
                let _ = write!(text, " ({})", reason.why);
            }
        }
    }
    text
}

/// Takes the folder of a data set for this process until the result is dropped; see `RunFolder::lock`.
fn lock(name: &str, folder: &Path, progress: &mut dyn Progress) -> Result<File> {
    let path = folder.join(".lock");
    let cannot = |error: io::Error| local(&path, "cannot be written", &error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        progress.note(&format!("another process is fetching {name}; waiting for it"));
        file.lock().map_err(cannot)?;
    }
    // On a file system without locks, what two processes mix up has the wrong checksum and gets no name.
    Ok(file)
}
