//! Downloads the files of a data set: each whole, of the known size and SHA-256, or absent.
//!
//! A file arrives as `<name>.part`, which stays when the transfer breaks off and is resumed the next time. Only content
//! of the right checksum gets the file's name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, QuotaExceeded, StorageFull, UnexpectedEof};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::header;
use ureq::{Agent, Timeout};

use crate::data::Fingerprint;
use crate::data::catalogue::{DataSet, FOLDER_VARIABLE, RemoteFile, absolute};
use crate::error::{Error, Result, one_line};
use crate::files::rename_synced;
use crate::report::{progress, tell};

/// How long to wait for a connection, an answer and more data.
const TIMEOUT: Option<Duration> = Some(Duration::from_secs(30));

/// What is wrong with a file; `None`: its size and checksum are right.
pub fn problem(path: &Path, file: &RemoteFile) -> Option<String> {
    let Ok(bytes) = fs::read(path) else { return Some("absent, or cannot be read".into()) };
    if bytes.len() as u64 != file.bytes {
        return Some(format!("found {} bytes; expected {}", bytes.len(), file.bytes));
    }
    let mut sum = Fingerprint::default();
    sum.update(&bytes);
    let sum = sum.finish();
    (sum != file.sha256).then(|| format!("found sha256 {sum}; expected {}", file.sha256))
}

/// Downloads what is missing of a data set into `<folder>/<name>`, with progress on standard error; the number of files
/// downloaded. `retries`: per address, after a transient error. What is there is verified, and downloaded again where it
/// is damaged. Of two processes that fetch the same set, the second waits for the first.
///
/// # Errors
/// [`Error::Input`] for a folder that cannot be written. [`Error::Run`] where the disk is full, or a file cannot be had
/// from any of its addresses: several lines, which name every file that is missing, its size and checksum, where it
/// is on the network and the path to put it at.
pub fn fetch(name: &str, set: &DataSet, folder: &Path, retries: u32) -> Result<usize> {
    let folder = absolute(&folder.join(name));
    let missing = |file: &&RemoteFile| problem(&folder.join(&file.name), file).is_some();
    if !set.files.iter().any(|file| missing(&file)) {
        return Ok(0);
    }
    fs::create_dir_all(&folder).map_err(|error| disk(&folder, &error))?;
    let _lock = lock(name, &folder.join(".lock"))?;
    // No limit for a whole file: on a slow line it takes its time, as long as something arrives.
    let agent = Agent::config_builder().http_status_as_error(false).timeout_connect(TIMEOUT);
    let agent = agent.timeout_recv_response(TIMEOUT).timeout_per_read(TIMEOUT).build().into();
    // Looked at again: another process may have been at work until now.
    let wanted: Vec<&RemoteFile> = set.files.iter().filter(missing).collect();
    for file in &wanted {
        let (target, part) = (folder.join(&file.name), folder.join(format!("{}.part", file.name)));
        let transfer = Transfer { file, target, part, agent: &agent };
        let (urls, mut reasons) = (set.urls(file), Vec::new());
        for url in &urls {
            match transfer.run(url, retries) {
                Ok(()) => break,
                Err(Failure::Disk(error)) => return Err(error),
                Err(Failure::Passing(why) | Failure::Final(why)) => reasons.push(format!("{url}: {why}")),
            }
        }
        if reasons.len() == urls.len() {
            // Whatever is wrong, waiting for it again for every other file would help nobody.
            let missing = set.files.iter().filter(missing).map(|file| {
                let (path, RemoteFile { name, bytes, sha256, .. }) = (folder.display(), file);
                format!("\n{path}/{name}\n    {bytes} bytes, sha256 {sha256}\n    {}", set.urls(file).join("\n    or "))
            });
            // Several lines, as they are: nothing in them comes from outside unchecked.
            return Err(Error::Run(format!(
                "{name}: {}; get each of these files, put it at its path and run this command again, which checks and \
                 keeps what is there:{}",
                reasons.join("; "),
                missing.collect::<String>()
            )));
        }
    }
    Ok(wanted.len())
}

/// Takes the folder of a data set for this process until the result is dropped.
fn lock(name: &str, path: &Path) -> Result<File> {
    let file = File::create(path).map_err(|error| disk(path, &error))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        tell(format_args!("another process is fetching {name}; waiting for it"));
        file.lock().map_err(|error| disk(path, &error))?;
    }
    // On a file system without locks, what two processes mix up has the wrong checksum and gets no name.
    Ok(file)
}

/// An error of this machine's disk: an input that the user can mend, but where it is full.
fn disk(path: &Path, error: &io::Error) -> Error {
    let advice = format!("fix that, or name another folder with --dir or {FOLDER_VARIABLE}");
    let text = format!("{}: cannot be written: {error}; {advice}", path.display());
    if matches!(error.kind(), StorageFull | QuotaExceeded) { Error::run(text) } else { Error::input(text) }
}

/// Why a file cannot be had from an address.
enum Failure {
    /// Another attempt may do better.
    Passing(String),
    /// This address does not have the file.
    Final(String),
    /// Nothing that another address would change.
    Disk(Error),
}

/// Of an error before the answer. A server that answered before is away for a moment; one that never did is not waited for.
fn no_answer(error: ureq::Error, answered: bool) -> Failure {
    let passing = match &error {
        _ if answered => true,
        ureq::Error::Timeout(at) => !matches!(at, Timeout::Resolve | Timeout::Connect),
        ureq::Error::Io(io) => [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&io.kind()),
        error => matches!(error, ureq::Error::Protocol(_)),
    };
    let why = one_line(error.to_string());
    if passing { Failure::Passing(why) } else { Failure::Final(why) }
}

/// A file on its way to `target`.
struct Transfer<'a> {
    file: &'a RemoteFile,
    target: PathBuf,
    part: PathBuf,
    agent: &'a Agent,
}

impl Transfer<'_> {
    /// Tries one address, again after failures that may pass.
    fn run(&self, url: &str, retries: u32) -> std::result::Result<(), Failure> {
        let mut retry = 0;
        loop {
            match self.attempt(url, retry > 0) {
                Err(Failure::Passing(why)) if retry < retries => {
                    let pause = Duration::from_millis(500 << retry.min(4));
                    retry += 1;
                    tell(format_args!("{url}: {why}; retry {retry} of {retries} in {pause:?}"));
                    std::thread::sleep(pause);
                }
                done => return done,
            }
        }
    }

    /// Receives what is missing, verifies all and gives it its name.
    fn attempt(&self, url: &str, answered: bool) -> std::result::Result<(), Failure> {
        let here = fs::metadata(&self.part).map_or(0, |found| found.len());
        let here = if here > self.file.bytes { 0 } else { here };
        if here < self.file.bytes {
            self.receive(url, here, answered)?;
        }
        if let Some(what) = problem(&self.part, self.file) {
            self.written(fs::remove_file(&self.part))?;
            // What was resumed may be of two minds: it is worth a fresh start.
            return Err(if here > 0 { Failure::Passing(what) } else { Failure::Final(what) });
        }
        let synced = OpenOptions::new().write(true).open(&self.part).and_then(|part| part.sync_all());
        self.written(synced.and_then(|()| rename_synced(&self.part, &self.target)))
    }

    /// Receives what follows the first `here` bytes.
    fn receive(&self, url: &str, here: u64, answered: bool) -> std::result::Result<(), Failure> {
        let (bytes, mut request) = (self.file.bytes, self.agent.get(url));
        if here > 0 {
            request = request.header(header::RANGE, format!("bytes={here}-"));
        }
        let response = request.call().map_err(|error| no_answer(error, answered))?;
        let (status, range) = (response.status(), response.headers().get(header::CONTENT_RANGE));
        let answer = format!("the server answered {status}");
        let start = match status.as_u16() {
            200 => 0,
            206 if range.is_some_and(|range| range.as_bytes().starts_with(format!("bytes {here}-").as_bytes())) => here,
            // The server does not have what follows: from the beginning again.
            206 | 416 if here > 0 => {
                self.written(fs::remove_file(&self.part))?;
                return Err(Failure::Passing(answer));
            }
            // Took too long, too early, too many requests, and troubles of the server's own.
            408 | 425 | 429 | 500..=599 => return Err(Failure::Passing(answer)),
            _ => return Err(Failure::Final(answer)),
        };
        let length = response.body().content_length().map(|length| start.saturating_add(length));
        if let Some(found) = length.filter(|&found| found != bytes) {
            return Err(Failure::Final(format!("the server has a file of {found} bytes; expected {bytes}")));
        }
        let part = if start > 0 { OpenOptions::new().append(true).open(&self.part) } else { File::create(&self.part) };
        let (mut part, mut body) = (self.written(part)?, response.into_body().into_reader().take(bytes - start));
        let (mut here, mut buffer) = (start, vec![0; 1 << 16]);
        let bar = progress::download(&self.file.name, bytes, start);
        while here < bytes {
            let read = body.read(&mut buffer).and_then(|n| if n > 0 { Ok(n) } else { Err(UnexpectedEof.into()) });
            let broken = |error: io::Error| one_line(format!("{error} after {here} of {bytes} bytes"));
            let n = read.map_err(|error| Failure::Passing(broken(error)))?;
            self.written(part.write_all(buffer.get(..n).unwrap_or_default()))?;
            here += n as u64;
            bar.set_position(here);
        }
        Ok(())
    }

    fn written<T>(&self, result: io::Result<T>) -> std::result::Result<T, Failure> {
        result.map_err(|error| Failure::Disk(disk(&self.part, &error)))
    }
}
