//! Cells in columns, for a terminal.

/// A line for each row, every column as wide as its widest cell.
pub fn aligned<S: AsRef<str>, R: AsRef<[S]>>(rows: &[R]) -> String {
    let count = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells.map(|cell| cell.as_ref().chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", cell.as_ref()));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(aligned(&[vec!["run", "nats"], vec!["−ELBO", ""], vec!["a"]]), "run    nats\n−ELBO\na\n");
        assert_eq!(aligned::<&str, Vec<&str>>(&[]), "");
    }
}
