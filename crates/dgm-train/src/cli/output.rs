//! Standard output: what a command was asked for.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Prints a line, or several, with a newline at the end.
///
/// # Errors
/// Standard output cannot be written, as on a full disk. Whoever reads it may have had enough, which is none.
pub(super) fn say(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    heard(writeln!(out, "{text}").and_then(|()| out.flush())).map(|_| ())
}

/// The path that stands for standard output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Writes bytes as they are.
///
/// # Errors
/// As those of [`say`].
pub(super) fn say_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    heard(out.write_all(bytes).and_then(|()| out.flush())).map(|_| ())
}

/// Whether what was written was read; `false`: whoever reads it has had enough.
///
/// # Errors
/// It could not be written.
pub(super) fn heard(written: std::io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::run(format!("standard output cannot be written: {error}; see that there is room"))),
    }
}
