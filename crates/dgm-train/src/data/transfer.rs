//! One file from one address after the other: gone on with where it broke off, bounded in size, verified, then named.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::{Agent, Body, Timeout};

use super::catalogue::{FOLDER_VARIABLE, RemoteFile};
use super::file::Fingerprint;
use crate::error::{Error, Result};
use crate::files::rename_synced;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of all data sets; each has its own in it.
    pub folder: PathBuf,
    /// The address of a folder that holds the files under their names, in place of the addresses known.
    pub mirror: Option<String>,
    /// How long to wait for a name, a connection, an answer and for more data.
    pub timeout: Duration,
    /// How often an address is tried again after a failure that may pass.
    pub retries: u32,
}

/// What fetching tells about itself.
pub trait Progress {
    /// A transfer begins: the file, and how much of it is here already.
    fn begin(&mut self, file: &RemoteFile, here: u64);
    /// So many bytes are here now.
    fn at(&mut self, here: u64);
    /// The transfer ended, in one way or the other.
    fn end(&mut self);
    /// Something that is worth a line.
    fn note(&mut self, text: &str);
}

/// SHA-256 of a file in hexadecimal.
pub(super) fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Fingerprint::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(sum.finish()),
            Ok(n) => sum.update(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// An error of this machine's disk: for the user to mend where another folder helps.
pub(super) fn local(path: &Path, what: &str, error: &io::Error) -> Error {
    let advice = format!("name another folder with --dir or {FOLDER_VARIABLE}");
    let text = format!("{}: {what}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::run(format!(
            "{text}; free some space and run this command again, which goes on from here, or {advice}"
        )),
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
        | ErrorKind::AlreadyExists => Error::input(format!("{text}; {advice}")),
        _ => Error::run(text),
    }
}

/// The longest pause before an address is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Why a file cannot be had from an address.
pub(super) struct Reason {
    pub(super) why: String,
    /// No server answered: the cause may be this machine's network.
    pub(super) unreachable: bool,
}

/// How one attempt failed.
enum Failure {
    /// No server was reached.
    Unreachable(String),
    /// Another attempt may do better.
    Passing(String),
    /// This address does not have the file.
    Final(String),
    /// Nothing that another address would change.
    Here(Error),
}

type Attempt<T> = std::result::Result<T, Failure>;

/// What talks to servers, the proxy of the environment included (`HTTPS_PROXY` and the like).
pub(super) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(5)
        .user_agent(concat!("dgm-train/", env!("CARGO_PKG_VERSION")))
        // The checksum is that of the file as it is, not of a form that a server packs it into.
        .accept_encoding("identity")
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_send_request(Some(timeout))
        .timeout_recv_response(Some(timeout))
        // Not for the whole body: a large file on a slow line takes its time, as long as something arrives.
        .timeout_per_read(Some(timeout))
        .build()
        .into()
}

/// A file on its way to `target`.
pub(super) struct Transfer<'a> {
    file: &'a RemoteFile,
    target: &'a Path,
    part: PathBuf,
    options: &'a Options,
    agent: &'a Agent,
    progress: &'a mut dyn Progress,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        file: &'a RemoteFile,
        target: &'a Path,
        options: &'a Options,
        agent: &'a Agent,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        Self { file, target, part: part.into(), options, agent, progress }
    }

    /// Tries one address after the other. The inner error has a reason for each.
    pub(super) fn run(mut self, urls: &[String]) -> Result<std::result::Result<(), Vec<Reason>>> {
        let mut reasons = Vec::new();
        for (place, url) in urls.iter().enumerate() {
            match self.fetch_from(url)? {
                None => return Ok(Ok(())),
                Some(reason) => {
                    if place + 1 < urls.len() {
                        self.progress.note(&format!("{url}: {}; trying the next address", reason.why));
                    }
                    reasons.push(reason);
                }
            }
        }
        Ok(Err(reasons))
    }

    /// Tries one address, again after failures that may pass. `None`: the file is here.
    fn fetch_from(&mut self, url: &str) -> Result<Option<Reason>> {
        let mut retries = 0;
        loop {
            let (why, unreachable, again) = match self.attempt(url) {
                Ok(()) => return Ok(None),
                Err(Failure::Here(error)) => return Err(error),
                // A server that answered before is away for a moment; one that never did is not waited for.
                Err(Failure::Unreachable(why)) => (why, retries == 0, retries > 0),
                Err(Failure::Passing(why)) => (why, false, true),
                Err(Failure::Final(why)) => (why, false, false),
            };
            if !again || retries >= self.options.retries {
                return Ok(Some(Reason { why, unreachable }));
            }
            let pause = Duration::from_millis(500).saturating_mul(1 << retries.min(10));
            let pause = pause.min(LONGEST_PAUSE).min(self.options.timeout);
            retries += 1;
            let text = format!("retry {retries} of {} in {:.1} s", self.options.retries, pause.as_secs_f64());
            self.progress.note(&format!("{url}: {why}; {text}"));
            std::thread::sleep(pause);
        }
    }

    fn attempt(&mut self, url: &str) -> Attempt<()> {
        let found = fs::metadata(&self.part).map_or(0, |metadata| metadata.len());
        let here = if found > self.file.bytes { 0 } else { found };
        if here < self.file.bytes {
            self.receive(url, here)?;
        }
        self.finish(here > 0)
    }

    /// Receives what follows the first `here` bytes.
    fn receive(&mut self, url: &str, here: u64) -> Attempt<()> {
        let mut request = self.agent.get(url);
        if here > 0 {
            request = request.header(header::RANGE, format!("bytes={here}-"));
        }
        let response = request.call().map_err(|error| self.no_answer(error))?;
        let start = self.start_of(&response, here)?;
        if let Some(length) = response.body().content_length()
            && start.saturating_add(length) != self.file.bytes
        {
            return Err(self.other_size(start.saturating_add(length)));
        }
        let part = if start > 0 { OpenOptions::new().append(true).open(&self.part) } else { File::create(&self.part) };
        let part = part.map_err(|error| self.disk(&error))?;
        self.progress.begin(self.file, start);
        let copied = self.copy(response.into_body().into_reader(), part, start);
        self.progress.end();
        copied
    }

    /// Where in the file the answer begins, 0 or `here`.
    fn start_of(&self, response: &Response<Body>, here: u64) -> Attempt<u64> {
        let field = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let encoding = field(header::CONTENT_ENCODING);
        if !["", "identity"].contains(&encoding) {
            return Err(Failure::Final(format!("the server packs the file into {encoding}")));
        }
        let status = response.status();
        match status.as_u16() {
            200 => Ok(0),
            206 if here > 0 => match content_range(field(header::CONTENT_RANGE)) {
                Some((_, Some(total))) if total != self.file.bytes => Err(self.other_size(total)),
                Some((start, _)) if start == here => Ok(here),
                _ => {
                    self.discard()?;
                    Err(Failure::Passing(format!("the server sent another part than that from byte {here} on")))
                }
            },
            416 if here > 0 => {
                self.discard()?;
                Err(Failure::Passing(format!("the server has nothing from byte {here} on; starting over")))
            }
            // Took too long, too early, too many requests, and troubles of the server's own.
            408 | 425 | 429 | 500..=599 => Err(Failure::Passing(format!("the server answered {status}"))),
            _ => Err(Failure::Final(format!("the server answered {status}"))),
        }
    }

    /// Writes the body behind the first `start` bytes.
    fn copy(&mut self, mut body: impl Read, mut part: File, start: u64) -> Attempt<()> {
        let bytes = self.file.bytes;
        let (mut here, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) if here < bytes => {
                    return Err(Failure::Passing(format!("the connection ended after {here} of {bytes} bytes")));
                }
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(error, here)),
            };
            here += n as u64;
            if here > bytes {
                self.discard()?;
                return Err(Failure::Final(format!("the server sends more than the {bytes} bytes that the file has")));
            }
            part.write_all(buffer.get(..n).unwrap_or_default()).map_err(|error| self.disk(&error))?;
            self.progress.at(here);
        }
    }

    /// Verifies what arrived and gives it its name. What was `resumed` may be of two minds: it is worth a fresh start.
    fn finish(&self, resumed: bool) -> Attempt<()> {
        let sum = checksum(&self.part).map_err(|error| self.disk(&error))?;
        if sum != self.file.sha256 {
            self.discard()?;
            let why = format!("found sha256 {sum}; expected {}", self.file.sha256);
            return Err(if resumed { Failure::Passing(why) } else { Failure::Final(why) });
        }
        let synced = OpenOptions::new().write(true).open(&self.part).and_then(|part| part.sync_all());
        synced.and_then(|()| rename_synced(&self.part, self.target)).map_err(|error| self.disk(&error))
    }

    /// Removes what arrived.
    fn discard(&self) -> Attempt<()> {
        match fs::remove_file(&self.part) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.disk(&error)),
            _ => Ok(()),
        }
    }

    fn disk(&self, error: &io::Error) -> Failure {
        Failure::Here(local(&self.part, "cannot be written", error))
    }

    fn other_size(&self, found: u64) -> Failure {
        Failure::Final(format!("the server has a file of {found} bytes; expected {}", self.file.bytes))
    }

    fn waited(&self) -> String {
        format!("within {} s", self.options.timeout.as_secs_f64())
    }

    /// An error before the answer was there.
    fn no_answer(&self, error: ureq::Error) -> Failure {
        match error {
            ureq::Error::HostNotFound => Failure::Unreachable("the server's name is not found".into()),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Failure::Unreachable(format!("no connection {}", self.waited()))
            }
            ureq::Error::Timeout(_) => Failure::Passing(format!("no answer {}", self.waited())),
            ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
                Failure::Unreachable(one_line(&error.to_string()))
            }
            ureq::Error::TooManyRedirects => Failure::Final("more than 5 redirections".into()),
            ureq::Error::Protocol(_) => Failure::Passing(one_line(&error.to_string())),
            ureq::Error::Io(error) => {
                let why = one_line(&error.to_string());
                match error.kind() {
                    ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::TimedOut
                    | ErrorKind::WouldBlock => Failure::Passing(why),
                    // What TLS says of a server that is not who it claims to be.
                    ErrorKind::InvalidData => Failure::Final(why),
                    _ => Failure::Unreachable(why),
                }
            }
            error => Failure::Final(one_line(&error.to_string())),
        }
    }

    /// An error in the middle of the body.
    fn broken(&self, error: io::Error, here: u64) -> Failure {
        let at = format!("after {here} of {} bytes", self.file.bytes);
        Failure::Passing(match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => format!("no data {} {at}", self.waited()),
            ureq::Error::Io(error) => format!("the connection broke {at}: {}", one_line(&error.to_string())),
            error => format!("the connection broke {at}: {}", one_line(&error.to_string())),
        })
    }
}

/// Start and total of `bytes 3-9/10`, the total absent where it is `*`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.parse().ok()?, total))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 3-9/10"), Some((3, Some(10))));
        assert_eq!(content_range("bytes 3-9/*"), Some((3, None)));
        for text in ["", "bytes */10", "bytes 3-9", "3-9/10", "bytes x-9/10", "bytes 3-9/y", "bytes -3-9/10"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
