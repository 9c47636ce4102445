//! Which cells stand for a value that is missing.

/// The usual ones, in order: of spreadsheets, R, pandas, databases and UCI's files.
const USUAL: [&str; 22] = [
    "", "#N/A", "#NA", "-", "-NaN", "-nan", ".", "<NA>", "?", "N/A", "NA", "NAN", "NULL", "NaN", "NaT", "None", "Null",
    "n/a", "nan", "nil", "null", "\\N",
];

/// The usual markers and those of the configuration.
pub(super) struct Missing<'a> {
    more: &'a [String],
}

impl<'a> Missing<'a> {
    pub(super) fn new(more: &'a [String]) -> Self {
        Self { more }
    }

    pub(super) fn contains(&self, cell: &str) -> bool {
        // None of the usual ones is longer.
        (cell.len() <= 4 && USUAL.contains(&cell)) || self.is_given(cell)
    }

    /// Whether the configuration names it; such a cell may look like a number.
    pub(super) fn is_given(&self, cell: &str) -> bool {
        self.more.iter().any(|marker| marker == cell)
    }
}
