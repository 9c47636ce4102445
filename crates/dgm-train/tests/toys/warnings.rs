//! Somebody who watches training for what goes wrong.

use dgm_train::report::progress::{Report, RunStart, WindowMeans};

/// What a trainer warns of.
#[derive(Default)]
pub(crate) struct Warnings(pub(crate) Vec<String>);

impl Report for Warnings {
    fn begin(&mut self, _: &RunStart<'_>) {}
    fn train(&mut self, _: &WindowMeans<'_>) {}
    fn validation(&mut self, _: u64, _: Option<f64>, _: bool) {}
    fn warn(&mut self, text: &str) {
        self.0.push(text.into());
    }
    fn end(&mut self, _: &str) {}
}
