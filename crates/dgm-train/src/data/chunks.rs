//! All rows, a few hundred at a time, so that a file larger than memory can be gone through.

use super::{Field, Matrix};
use crate::error::Result;

/// Rows read at once where all are needed.
pub(super) const CHUNK: usize = 256;

/// The rows from 0 to `n`, at most `size` at a time.
pub(crate) fn chunks(n: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..n).step_by(size).map(move |start| (start..n.min(start + size)).collect())
}

impl Field {
    /// Every row as it is in epoch 0, a chunk at a time.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Result<Matrix>> {
        chunks(self.len(), CHUNK).map(move |rows| self.read(&rows, 0))
    }

    /// Calls `f` with the number of each row and the row as it is in epoch 0.
    pub(crate) fn each_row(&self, mut f: impl FnMut(usize, &[f64])) -> Result<()> {
        for (chunk, part) in self.chunks().enumerate() {
            part?.iter().enumerate().for_each(|(i, row)| f(chunk * CHUNK + i, row));
        }
        Ok(())
    }
}

impl Matrix {
    /// Row by row.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.rows()).map(move |row| self.row(row))
    }
}
