//! Files: plain or gzip, told apart by their first bytes; and the fingerprint of what was read.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::gzip::{GZIP, Gzip};
use super::store::STREAM_ABOVE;
use crate::error::{Error, Result};

/// A file that is being read, decompressed on the way.
pub struct FileReader<'a> {
    reader: Box<dyn Read + 'a>,
    name: String,
    /// The length of the content, where it is known: not for a compressed file.
    length: Option<u64>,
    container: Container,
    /// Whether it is written while it is read: what is there is taken, and nothing waited for.
    live: bool,
}

/// What the content is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Plain,
    Gzip,
    Npz,
}

impl Container {
    /// The kind of file, in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gzip file",
            Self::Npz => "NPZ file",
        }
    }

    /// What unpacks it.
    fn unpacked_by(self) -> &'static str {
        if self == Self::Npz { "unzip" } else { "gunzip" }
    }
}

impl<'a> FileReader<'a> {
    /// The content of a file from memory, named `name` in messages.
    pub fn from_bytes(name: &str, bytes: &'a [u8]) -> Self {
        let name = name.to_owned();
        if bytes.starts_with(&GZIP) {
            return Self {
                reader: Box::new(Gzip::new(bytes)),
                name,
                length: None,
                container: Container::Gzip,
                live: false,
            };
        }
        Self {
            reader: Box::new(bytes),
            name,
            length: Some(bytes.len() as u64),
            container: Container::Plain,
            live: false,
        }
    }

    /// A stream that may be written while it is read, such as standard input; gzip is recognised.
    pub fn from_stream(name: &str, stream: impl Read + 'a) -> Self {
        let (mut buffered, name) = (BufReader::with_capacity(1 << 16, stream), name.to_owned());
        // An error comes again when it is read.
        let is_gzip = buffered.fill_buf().is_ok_and(|start| start.starts_with(&GZIP));
        match is_gzip {
            true => {
                let reader = Box::new(Gzip::new(buffered));
                Self { reader, name, length: None, container: Container::Gzip, live: false }
            }
            false => Self { reader: Box::new(buffered), name, length: None, container: Container::Plain, live: true },
        }
    }

    /// A file inside an NPZ archive.
    pub(super) fn from_archive(reader: Box<dyn Read + 'a>, name: String) -> Self {
        Self { reader, name, length: None, container: Container::Npz, live: false }
    }

    /// What to do about a packed file that would not fit into memory.
    pub(super) fn too_large_to_unpack(&self) -> String {
        format!(
            "holds more than 2 GiB inside a {}; unpack it ({}) and name the unpacked file, which is then read row by row",
            self.container.name(),
            self.container.unpacked_by()
        )
    }

    /// Opens a file. `what` says what should be there, `key` which key of `[data]` names it.
    pub(crate) fn open(path: &Path, key: &str, what: &str) -> Result<Self> {
        let advice = format!("put {what} there, or set data.{key} to where it is, as with --set data.{key}=PATH");
        Self::open_as(path, &format!("data.{key}"), &advice)
    }

    /// Opens a file that an argument such as `--data` names.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    pub fn open_argument(path: &Path, argument: &str) -> Result<Self> {
        Self::open_as(path, argument, "name a file that is there and readable")
    }

    fn open_as(path: &Path, named_by: &str, advice: &str) -> Result<Self> {
        let name = path.display().to_string();
        let fail = |problem: String| Error::input(format!("{named_by}: {problem}"));
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fail(format!("there is no file {name}; {advice}")),
            _ => fail(format!("{name} cannot be opened: {error}; {advice}")),
        })?;
        let metadata = file.metadata().map_err(|error| fail(format!("{name} cannot be read: {error}; {advice}")))?;
        if metadata.is_dir() {
            return Err(fail(format!("{name} is a folder, not a file; {advice}")));
        }
        let mut buffered = BufReader::new(file);
        let start = buffered.fill_buf().map_err(|error| fail(format!("{name} cannot be read: {error}; {advice}")))?;
        if start.starts_with(&GZIP) {
            let reader = Box::new(Gzip::new(buffered));
            return Ok(Self { reader, name, length: None, container: Container::Gzip, live: false });
        }
        let length = Some(metadata.len());
        Ok(Self { reader: Box::new(buffered), name, length, container: Container::Plain, live: false })
    }

    /// The file's name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length of the content, where it is known without reading it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Up to `limit` more bytes: fewer only where the file ends. Memory grows with what is read, not with the limit.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or a damaged gzip file.
    pub fn read(&mut self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(limit).read_to_end(&mut bytes);
        self.whole(read).map(|_| bytes)
    }

    /// The next bytes, `limit` at most: as [`read`](Self::read), but of a stream those that are there. None: it is over.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) fn read_part(&mut self, limit: u64) -> Result<Vec<u8>> {
        if !self.live {
            return self.read(limit);
        }
        let mut bytes = vec![0; usize::try_from(limit).unwrap_or(usize::MAX)];
        let read = loop {
            match self.reader.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break self.whole(read)?,
            }
        };
        bytes.truncate(read);
        Ok(bytes)
    }

    /// What was read, or why it was not.
    fn whole(&self, read: std::io::Result<usize>) -> Result<usize> {
        match read {
            Ok(read) => Ok(read),
            Err(error) => Err(Error::input(match error.kind() {
                ErrorKind::UnexpectedEof => {
                    format!("{}: the {} is cut short; fetch it again", self.name, self.container.name())
                }
                ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                    format!("{}: the {} is damaged ({error}); fetch it again", self.name, self.container.name())
                }
                _ => format!("{}: cannot be read: {error}; check its disk, or put the file on another", self.name),
            })),
        }
    }

    /// All of a file that is needed in memory as a whole.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and more than 2 GiB.
    pub fn read_whole(&mut self) -> Result<Vec<u8>> {
        self.read_within(STREAM_ABOVE)
    }

    fn read_within(&mut self, most: u64) -> Result<Vec<u8>> {
        // A plain file says its length before anything is read; a gzip file and a pipe do not.
        let longer = self.length.is_some_and(|length| length > most);
        let bytes = if longer { Vec::new() } else { self.read(most)? };
        if longer || (bytes.len() as u64 == most && !self.read(1)?.is_empty()) {
            let inside = if self.container == Container::Plain { "" } else { " when it is unpacked" };
            return Err(Error::input(format!(
                "{}: holds more than 2 GiB{inside}; expected at most 2 GiB, because it is read into memory as a whole; \
                 give a part of it",
                self.name
            )));
        }
        Ok(bytes)
    }
}

/// Bytes of a file that are looked at at once.
const CHUNK: u64 = 1 << 20;

impl FileReader<'_> {
    /// Up to `limit` more bytes, in memory or only passed through, each part of them shown to `look` with its place.
    /// Returns what is kept and how many bytes there were.
    pub(super) fn pass(
        &mut self,
        limit: u64,
        keep: bool,
        mut look: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<(Vec<u8>, u64)> {
        let (mut kept, mut passed) = (Vec::new(), 0);
        while passed < limit {
            let part = self.read(CHUNK.min(limit - passed))?;
            if part.is_empty() {
                break;
            }
            look(passed, &part)?;
            passed += part.len() as u64;
            if keep {
                kept.extend_from_slice(&part);
            }
        }
        Ok((kept, passed))
    }
}

/// Whether the `total` bytes of a source's data are left in the file: those of a file above 2 GiB always are.
///
/// # Errors
///
/// A compressed file that is wanted on disk: its rows cannot be found without unpacking all before them.
pub(super) fn stays_on_disk(source: &FileReader<'_>, wanted: bool, total: u64) -> Result<bool> {
    match source.length() {
        Some(_) => Ok(wanted || total > STREAM_ABOVE),
        None if wanted => Err(Error::input(format!(
            "{}: rows inside a {} cannot be read one by one; unpack it ({}) and name the unpacked file, or set \
             data.stream = false",
            source.name(),
            source.container.name(),
            source.container.unpacked_by()
        ))),
        None => Ok(false),
    }
}

/// SHA-256 over everything that a data set was read from.
#[derive(Default)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_is_needed_as_a_whole_has_a_bound() {
        let content = [b'a'; 1000];
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&content).unwrap();
        let packed = encoder.finish().unwrap();
        for (bytes, inside) in [(&content[..], "; expected"), (&packed, " when it is unpacked; expected")] {
            let read = |most| FileReader::from_bytes("a.txt", bytes).read_within(most);
            assert_eq!(read(1000).unwrap(), content);
            assert_eq!(read(5000).unwrap(), content);
            let message = read(999).unwrap_err().to_string();
            assert!(message.starts_with(&format!("a.txt: holds more than 2 GiB{inside} at most 2 GiB")), "{message}");
        }
    }

    #[test]
    fn a_longer_file_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.txt");
        // No byte of it is on the disk.
        File::create(&path).unwrap().set_len(STREAM_ABOVE + 1).unwrap();
        let mut source = FileReader::open(&path, "path", "a text").unwrap();
        assert!(source.read_text().unwrap_err().to_string().contains("long.txt: holds more than 2 GiB; expected"));
    }
}
