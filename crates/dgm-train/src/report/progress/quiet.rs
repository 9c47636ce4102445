//! No progress, only warnings.

use super::{Report, Window};
use crate::config::Config;
use crate::data::Dataset;
use crate::report::tell;

/// Tells nothing but warnings.
pub(super) struct Quiet;

impl Report for Quiet {
    fn begin(&mut self, _: &Config, _: &Dataset, _: usize, _: u64, _: u64) {}
    fn train(&mut self, _: &Window<'_>) {}
    fn validation(&mut self, _: u64, _: f64, _: bool) {}
    fn warn(&mut self, text: &str) {
        tell(format_args!("warning: {text}"));
    }
    fn end(&mut self, _: &str) {}
}
