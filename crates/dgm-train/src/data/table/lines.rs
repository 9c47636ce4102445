//! The lines of rows, in little memory: rows follow each other at the same distance nearly everywhere.

/// Runs of rows whose lines are the same distance apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    runs: Vec<Run>,
    rows: usize,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    row: usize,
    line: usize,
    step: usize,
}

impl Run {
    fn at(&self, row: usize) -> usize {
        self.line + (row - self.row) * self.step
    }
}

impl Lines {
    /// The next row starts in this line.
    pub(super) fn push(&mut self, line: usize) {
        let row = self.rows;
        self.rows += 1;
        if let Some(run) = self.runs.last_mut() {
            if row == run.row + 1 {
                run.step = line.saturating_sub(run.line);
            }
            if run.at(row) == line {
                return;
            }
        }
        self.runs.push(Run { row, line, step: 1 });
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The line in which a row starts.
    pub(super) fn line(&self, row: usize) -> usize {
        let after = self.runs.partition_point(|run| run.row <= row);
        after.checked_sub(1).and_then(|run| self.runs.get(run)).map_or(0, |run| run.at(row))
    }
}
