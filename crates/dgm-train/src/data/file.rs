//! Files: plain or gzip, told apart by their first bytes; and the fingerprint of what was read.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A file that is being read, decompressed on the way.
pub(super) struct Source {
    reader: Box<dyn Read>,
    name: String,
    /// The length of the content, where it is known: not for a compressed file.
    length: Option<u64>,
}

impl Source {
    /// Opens a file. `what` says what should be there, `key` which key of `[data]` names it.
    pub(super) fn open(path: &Path, key: &str, what: &str) -> Result<Self> {
        let name = path.display().to_string();
        let fail = |problem: String| Error::input(format!("data.{key}: {problem}"));
        let advice = format!("put {what} there, or set data.{key} to where it is");
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => fail(format!("there is no file {name}; {advice}")),
            _ => fail(format!("{name} cannot be opened: {error}; {advice}")),
        })?;
        let metadata = file.metadata().map_err(|error| fail(format!("{name} cannot be read: {error}")))?;
        if metadata.is_dir() {
            return Err(fail(format!("{name} is a folder, not a file; {advice}")));
        }
        let mut buffered = BufReader::new(file);
        let start = buffered.fill_buf().map_err(|error| fail(format!("{name} cannot be read: {error}")))?;
        if start.starts_with(&[0x1f, 0x8b]) {
            return Ok(Self { reader: Box::new(MultiGzDecoder::new(buffered)), name, length: None });
        }
        Ok(Self { reader: Box::new(buffered), name, length: Some(metadata.len()) })
    }

    /// The file's name in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The length of the content, where it is known without reading it.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Up to `limit` more bytes: fewer only where the file ends. Memory grows with what is read, not with the limit.
    pub(super) fn read(&mut self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Error::input(match error.kind() {
                ErrorKind::UnexpectedEof => format!("{}: the gzip file is cut short; fetch it again", self.name),
                ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                    format!("{}: the gzip file is damaged ({error}); fetch it again", self.name)
                }
                _ => format!("{}: cannot be read: {error}", self.name),
            })),
        }
    }

    /// The rest of the file as text, without a byte order mark.
    pub(super) fn read_text(&mut self) -> Result<String> {
        let text = String::from_utf8(self.read(u64::MAX)?).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes().iter().take(valid).filter(|&&byte| byte == b'\n').count();
            Error::input(format!("{}:{line}: found bytes that are not UTF-8; expected a text file", self.name))
        })?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

/// SHA-256 over everything that a data set was read from.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal.
    pub(super) fn finish(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
