//! Bytes → UTF-8: a byte order mark, UTF-16, any encoding that is named, and the kinds of file that are no text at all.

use std::fmt;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::FileReader;
use crate::error::{Error, Result};

/// Encoding of a text, by any name that browsers know it by, such as `"windows-1252"`, `"latin1"` or `"shift_jis"`.
///
/// A byte order mark in the file has the last word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8, the usual one.
    pub const UTF_8: Self = Self(UTF_8);

    /// The encoding of this name, in upper or lower case.
    pub fn named(label: &str) -> Option<Self> {
        Encoding::for_label_no_replacement(label.as_bytes()).map(Self)
    }

    /// Its usual name, such as `"UTF-8"` or `"windows-1252"`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl fmt::Debug for TextEncoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for TextEncoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TextEncoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Self::named(&label).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "found the encoding {label:?}; expected \"utf-8\", \"utf-16le\", \"windows-1252\", \"latin1\" or another \
                 name that browsers know"
            ))
        })
    }
}

/// Where the encoding of a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It is recognised, and no key names it.
    Recognised,
    /// It is what the key `data.encoding` says, or recognised where the key does not say.
    Key(Option<TextEncoding>),
}

/// Decodes a text in parts of any length.
pub(super) struct Decoder {
    decoder: encoding_rs::Decoder,
    choice: Choice,
    name: String,
    newlines: usize,
    returns: usize,
}

impl Decoder {
    /// A decoder for the text that starts with these bytes, from the file `name`.
    ///
    /// # Errors
    ///
    /// Bytes that are the start of another kind of file.
    pub(super) fn new(name: &str, start: &[u8], choice: Choice) -> Result<Self> {
        if let Some(what) = other_kind(start) {
            return Err(Error::input(format!("{name}: {what}")));
        }
        let encoding = match choice {
            Choice::Key(Some(encoding)) => encoding.0,
            _ => recognise(start),
        };
        // It looks for a byte order mark of UTF-8 and UTF-16 first, and leaves it out.
        let decoder = encoding.new_decoder();
        Ok(Self { decoder, choice, name: name.to_owned(), newlines: 0, returns: 0 })
    }

    /// Appends the text of the next bytes; `last`: none follow.
    ///
    /// # Errors
    ///
    /// Bytes that the encoding does not have.
    pub(super) fn push(&mut self, mut bytes: &[u8], last: bool, text: &mut String) -> Result<()> {
        let start = text.len();
        loop {
            text.reserve(self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len()));
            let (result, read) = self.decoder.decode_to_string_without_replacement(bytes, text, last);
            let (passed, rest) = bytes.split_at_checked(read).unwrap_or((bytes, &[]));
            bytes = rest;
            match result {
                DecoderResult::OutputFull => {}
                DecoderResult::InputEmpty => {
                    self.count(text.get(start..).unwrap_or_default());
                    return Ok(());
                }
                DecoderResult::Malformed(bad, after) => {
                    self.count(text.get(start..).unwrap_or_default());
                    // The first bad byte may have come with the bytes before these.
                    let bad = passed.len().checked_sub(usize::from(bad) + usize::from(after));
                    return Err(self.malformed(bad.and_then(|at| passed.get(at)).copied()));
                }
            }
        }
    }

    /// Counts line ends for messages: LF, or CR where there is no LF at all.
    fn count(&mut self, text: &str) {
        self.newlines += text.bytes().filter(|&byte| byte == b'\n').count();
        self.returns += text.bytes().filter(|&byte| byte == b'\r').count();
    }

    fn malformed(&self, byte: Option<u8>) -> Error {
        let line = 1 + if self.newlines == 0 { self.returns } else { self.newlines };
        let (name, encoding) = (&self.name, self.encoding());
        let found = byte.map_or_else(|| "bytes".to_owned(), |byte| format!("the byte {byte:#04x}"));
        if encoding != UTF_8.name() {
            let key = if self.choice == Choice::Recognised { "" } else { ", or set data.encoding" };
            return Error::input(format!(
                "{name}:{line}: found {found} that {encoding} does not have; expected a text; save it as UTF-8{key}"
            ));
        }
        let letter = byte.map(|byte| WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned());
        let letter = letter.filter(|letter| !letter.contains(char::is_control));
        let likely = letter.map_or_else(
            || "windows-1252 is likely".to_owned(),
            |letter| format!("likely windows-1252, where it is {letter:?}"),
        );
        let key = if self.choice == Choice::Recognised { "" } else { "set data.encoding = \"windows-1252\", or " };
        Error::input(format!(
            "{name}:{line}: found {found}, which is not UTF-8 ({likely}); expected a text file; {key}save it as UTF-8, as \
             iconv -f windows-1252 -t utf-8 does"
        ))
    }

    /// The encoding that was recognised or named.
    pub(super) fn encoding(&self) -> &'static str {
        self.decoder.encoding().name()
    }
}

/// A source as a text, part by part.
pub(super) struct Text<'s, 'a> {
    source: &'s mut FileReader<'a>,
    decoder: Decoder,
    /// Bytes that were read to recognise the encoding.
    start: Vec<u8>,
    /// Bytes that were decoded.
    passed: u64,
}

/// Bytes that are read and decoded at once.
const PART: u64 = 1 << 18;

impl<'s, 'a> Text<'s, 'a> {
    /// # Errors
    ///
    /// A file that cannot be read or is no text.
    pub(super) fn new(source: &'s mut FileReader<'a>, choice: Choice) -> Result<Self> {
        let start = source.read_part(PART)?;
        let decoder = Decoder::new(source.name(), &start, choice)?;
        Ok(Self { source, decoder, start, passed: 0 })
    }

    /// Appends the next part of the text; false at its end.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and bytes that the encoding does not have.
    pub(super) fn read(&mut self, text: &mut String) -> Result<bool> {
        let bytes = match self.start.is_empty() {
            true => self.source.read_part(PART)?,
            false => std::mem::take(&mut self.start),
        };
        self.passed += bytes.len() as u64;
        self.decoder.push(&bytes, bytes.is_empty(), text)?;
        Ok(!bytes.is_empty())
    }

    /// Bytes of the file, unpacked, that were decoded so far.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// The encoding; known after the first part.
    pub(super) fn encoding(&self) -> &'static str {
        self.decoder.encoding()
    }
}

/// All of a text that is in memory; `name` stands for its file in messages.
///
/// # Errors
///
/// Bytes that the encoding does not have, and other kinds of files.
pub(super) fn decode(name: &str, bytes: Vec<u8>, choice: Choice) -> Result<String> {
    let mut decoder = Decoder::new(name, &bytes, choice)?;
    let plain = decoder.encoding() == UTF_8.name() && Encoding::for_bom(&bytes).is_none();
    // UTF-8 is taken as it is, without a copy.
    let bytes = match plain {
        true => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error.into_bytes(),
        },
        false => bytes,
    };
    let mut text = String::new();
    for part in bytes.chunks(PART as usize) {
        decoder.push(part, false, &mut text)?;
    }
    decoder.push(&[], true, &mut text)?;
    Ok(text)
}

/// UTF-16 without a byte order mark shows by its zeros: every second byte of Latin letters, digits and signs. All else is
/// UTF-8 until a byte says no.
fn recognise(start: &[u8]) -> &'static Encoding {
    let start = start.get(..1024).unwrap_or(start);
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), start.len() / 2);
    match () {
        () if odd > half / 2 && even == 0 => UTF_16LE,
        () if even > half / 2 && odd == 0 => UTF_16BE,
        () => UTF_8,
    }
}

/// What a file with this start is and how to get a text out of it, where it is a kind of file that is no text.
fn other_kind(start: &[u8]) -> Option<&'static str> {
    const SHEET: &str = "an Excel workbook, not a text; save the sheet as CSV (File, Save As, CSV UTF-8)";
    const PACKED: &str = "a packed file, not a text; unpack it and name the unpacked file";
    let kinds: [(&[u8], &str); 19] = [
        (b"\xd0\xcf\x11\xe0", SHEET),
        (
            b"PAR1",
            "a Parquet file, not a text; in Python: pandas.read_parquet(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (
            b"ARROW1",
            "a Feather file, not a text; in Python: pandas.read_feather(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (
            b"FEA1",
            "a Feather file, not a text; in Python: pandas.read_feather(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (
            b"SQLite format 3\0",
            "an SQLite database, not a text; run sqlite3 -csv -header FILE 'select * from TABLE' > table.csv",
        ),
        (
            b"\x89HDF\r\n",
            "an HDF5 file, not a text; in Python: pandas.read_hdf(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (b"\x93NUMPY", "a NumPy array, not a text; set data.source = \"npy\""),
        (b"%PDF-", "a PDF document, not a text; copy its table or text into a text file"),
        (b"{\\rtf", "an RTF document, not a text; save it as plain text"),
        (b"\x89PNG", "an image, not a text; set data.source = \"images\""),
        (b"\xff\xd8\xff", "an image, not a text; set data.source = \"images\""),
        (
            b"\x80\x04\x95",
            "a Python pickle, not a text; in Python: pandas.read_pickle(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (
            b"\x80\x05\x95",
            "a Python pickle, not a text; in Python: pandas.read_pickle(FILE).to_csv(\"table.csv\", index=False)",
        ),
        (b"BZh91AY&SY", PACKED),
        (b"\xfd7zXZ\0", PACKED),
        (b"\x28\xb5\x2f\xfd", PACKED),
        (b"7z\xbc\xaf\x27\x1c", PACKED),
        (b"\xff\xfe\0\0", "a text in UTF-32; save it as UTF-8, as iconv -f utf-32 -t utf-8 does"),
        (b"\0\0\xfe\xff", "a text in UTF-32; save it as UTF-8, as iconv -f utf-32 -t utf-8 does"),
    ];
    if !start.starts_with(b"PK\x03\x04") && !start.starts_with(b"PK\x05\x06") {
        return kinds.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what);
    }
    let holds = |name: &[u8]| start.get(..4096).unwrap_or(start).windows(name.len()).any(|part| part == name);
    Some(match () {
        () if holds(b"word/") => "a Word document, not a text; save it as plain text",
        () if holds(b"opendocument.spreadsheet") => "an OpenDocument spreadsheet, not a text; save the sheet as CSV",
        () if holds(b"[Content_Types].xml") || holds(b"_rels/") || holds(b"xl/") => SHEET,
        () if holds(b".npy") => "a NumPy archive (NPZ), not a text; set data.source = \"npy\"",
        () => "a ZIP archive, not a text; unpack it (unzip) and name the file that was in it",
    })
}

impl FileReader<'_> {
    /// The file as text in UTF-8, without a byte order mark; UTF-16 is recognised.
    ///
    /// # Errors
    ///
    /// As [`read_whole`](Self::read_whole), other kinds of files, and bytes that are not UTF-8.
    pub fn read_text(&mut self) -> Result<String> {
        self.read_text_as(Choice::Recognised)
    }

    /// As [`read_text`](Self::read_text), where a key may say the encoding.
    ///
    /// # Errors
    ///
    /// As [`read_text`](Self::read_text).
    pub fn read_text_as(&mut self, choice: Choice) -> Result<String> {
        let bytes = self.read_whole()?;
        decode(self.name(), bytes, choice)
    }
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
