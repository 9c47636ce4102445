//! No progress, only warnings; or nothing at all.

use super::{Report, RunStart, WindowMeans};
use crate::report::tell;

/// Tells nothing but warnings.
pub(super) struct Quiet;

impl Report for Quiet {
    fn begin(&mut self, _: &RunStart<'_>) {}
    fn train(&mut self, _: &WindowMeans<'_>) {}
    fn validation(&mut self, _: u64, _: Option<f64>, _: bool) {}
    fn warn(&mut self, text: &str) {
        tell(format_args!("warning: {text}"));
    }
    fn end(&mut self, _: &str) {}
}

/// Silence.
impl Report for () {
    fn begin(&mut self, _: &RunStart<'_>) {}
    fn train(&mut self, _: &WindowMeans<'_>) {}
    fn validation(&mut self, _: u64, _: Option<f64>, _: bool) {}
    fn warn(&mut self, _: &str) {}
    fn end(&mut self, _: &str) {}
}
