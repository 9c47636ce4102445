//! What people look at: progress while training, pictures after it.

pub mod aligned;
pub mod columns;
pub mod figures;
pub mod grid;
pub mod npy;
pub mod progress;
pub mod rows;
pub mod sparkline;
pub mod tensorboard;

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error, if anybody reads it: a run goes on without a terminal, and with a full disk under its log.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
