//! What people look at: progress while training, pictures after it.

pub mod aligned;
pub mod columns;
pub mod figures;
pub mod grid;
pub mod npy;
pub mod page;
pub mod progress;
pub mod rows;
pub(crate) mod series;
pub mod sparkline;
pub mod tensorboard;

use std::fmt::Display;
use std::io::Write;

/// An argument as a shell reads it.
pub(crate) fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-=/,:+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Writes a line to standard error, if anybody reads it: a run goes on without a terminal, and with a full disk under its log.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
