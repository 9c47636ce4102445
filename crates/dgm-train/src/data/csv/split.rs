//! Which rows are for training, validation and test.

use std::path::Path;

use dgm_core::random::Seed;

use super::{CsvConfig, select};
use crate::data::file::{FileReader, Fingerprint};
use crate::data::fraction::part;
use crate::data::table::{CellKind, Column, Table};
use crate::error::{Error, Result};

impl CsvConfig {
    /// The rows of training, validation and test, each in ascending order; `kept`: those that may be used, in ascending order.
    pub(super) fn split_rows(
        &self,
        table: &Table,
        kept: &[usize],
        seed: Seed,
        fingerprint: &mut Fingerprint,
    ) -> Result<[Vec<usize>; 3]> {
        let only = |rows: Vec<usize>| -> Vec<usize> {
            rows.into_iter().filter(|row| kept.binary_search(row).is_ok()).collect()
        };
        let groups = self.groups(table)?;
        if let Some(column) = &self.split_column {
            let [train, validation, test] = by_column(table, select::one(table, column, "split_column")?)?.map(only);
            return match validation.is_empty() {
                true => Ok(self.with_validation(train, test, &groups, seed)),
                false => Ok([train, validation, test]),
            };
        }
        let (train, test) = match (&self.train_rows, &self.test_rows) {
            (Some(train), Some(test)) => {
                // 1: a row of training, 2: one of the test.
                let mut taken = vec![0u8; table.rows()];
                let train = read_rows(train, "train_rows", 1, &mut taken, fingerprint)?;
                let test = read_rows(test, "test_rows", 2, &mut taken, fingerprint)?;
                (only(train), only(test))
            }
            _ => {
                let (test, train) = draw(kept, self.test_fraction, &groups, seed, "split.test");
                (train, test)
            }
        };
        Ok(self.with_validation(train, test, &groups, seed))
    }

    /// A part of the training rows becomes those of validation.
    fn with_validation(
        &self,
        train: Vec<usize>,
        mut test: Vec<usize>,
        groups: &Option<Vec<u32>>,
        seed: Seed,
    ) -> [Vec<usize>; 3] {
        let (mut validation, mut rest) = draw(&train, self.validation_fraction, groups, seed, "split.validation");
        [&mut rest, &mut validation, &mut test].into_iter().for_each(|rows| rows.sort_unstable());
        [rest, validation, test]
    }

    /// The group of each row, where rows of one group stay together; rows without one are groups of their own.
    fn groups(&self, table: &Table) -> Result<Option<Vec<u32>>> {
        let Some(column) = &self.group_column else { return Ok(None) };
        let column = select::one(table, column, "group_column")?;
        let mut known = std::collections::HashMap::new();
        let mut next = 0u32;
        let mut groups = Vec::with_capacity(table.rows());
        for row in 0..table.rows() {
            let fresh = |next: &mut u32| {
                *next += 1;
                *next - 1
            };
            let key = column.level(row).map(|level| level as u64).or(column.number(row).map(f64::to_bits));
            groups.push(match key {
                Some(key) => *known.entry(key).or_insert_with(|| fresh(&mut next)),
                None => fresh(&mut next),
            });
        }
        let problem = match next {
            _ if column.kind == CellKind::Text && column.levels().is_empty() => {
                "more words, or longer ones, than are kept; expected at most 65536 different ones".to_owned()
            }
            0..=2 => format!("{next} groups; expected 3 at least, one per split"),
            _ => return Ok(Some(groups)),
        };
        Err(Error::input(format!(
            "data.group_column: {} of {} holds {problem}; name another column, or leave the key out",
            column.title(),
            table.name()
        )))
    }
}

/// A part of these rows in a random order, and the others; rows of one group are together in either.
fn draw(
    rows: &[usize],
    fraction: f64,
    groups: &Option<Vec<u32>>,
    seed: Seed,
    purpose: &str,
) -> (Vec<usize>, Vec<usize>) {
    let wanted = part(rows.len(), fraction);
    let mut stream = seed.stream(purpose, 0);
    let Some(groups) = groups else {
        let order = stream.permutation(rows.len());
        let pick = |order: &[usize]| order.iter().filter_map(|&place| rows.get(place).copied()).collect();
        let (drawn, rest) = order.split_at(wanted.min(order.len()));
        return (pick(drawn), pick(rest));
    };
    let group = |row: &usize| groups.get(*row).copied().unwrap_or(u32::MAX);
    let mut names: Vec<u32> = rows.iter().map(group).collect();
    names.sort_unstable();
    names.dedup();
    let mut sizes = std::collections::HashMap::new();
    rows.iter().for_each(|row| *sizes.entry(group(row)).or_insert(0usize) += 1);
    // Group after group, the first whatever its size, while there is less than what is wanted; never all of them.
    let mut chosen = std::collections::HashSet::new();
    let mut count = 0;
    for place in stream.permutation(names.len()).into_iter().take(names.len().saturating_sub(1)) {
        if count >= wanted {
            break;
        }
        let name = names.get(place).copied().unwrap_or(u32::MAX);
        count += sizes.get(&name).copied().unwrap_or(0);
        chosen.insert(name);
    }
    rows.iter().partition(|row| chosen.contains(&group(row)))
}

/// The rows whose cell in this column says training, validation or test.
fn by_column(table: &Table, column: &Column) -> Result<[Vec<usize>; 3]> {
    let mut splits = [Vec::new(), Vec::new(), Vec::new()];
    for row in 0..table.rows() {
        let word = column.word(row).unwrap_or_default();
        let Some(split) = select::split_of(word) else {
            let found = if word.is_empty() { "nothing".to_owned() } else { format!("{word:?}") };
            return Err(Error::input(format!(
                "{}:{}: {}: found {found}; expected train, validation or test (data.split_column); fix the cell, or leave the key out to \
                 draw the splits",
                table.name(),
                table.line(row),
                column.title()
            )));
        };
        splits[split].push(row);
    }
    Ok(splits)
}

/// A file's rows: indices, each new, marked as `mark` in `taken`.
fn read_rows(path: &Path, key: &str, mark: u8, taken: &mut [u8], fingerprint: &mut Fingerprint) -> Result<Vec<usize>> {
    let mut source = FileReader::open(path, key, "a file of row indices")?;
    let text = source.read_text()?;
    // With its length: a row that moves from one file to the other is another split.
    fingerprint.update(&(text.len() as u64).to_le_bytes());
    fingerprint.update(text.as_bytes());
    let rows = taken.len();
    let mut indices = Vec::new();
    for (line, word) in text.lines().enumerate().flat_map(|(i, line)| line.split_whitespace().map(move |w| (i + 1, w)))
    {
        let fail = |message: String| Error::input(format!("{}:{line}: {message}", source.name()));
        // Some programs write indices as floats, such as 1.0e+00.
        let whole = word.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && *value >= 0.0);
        let index = whole.map(|value| value as usize).filter(|&index| index < rows);
        let (Some(index), Some(place)) = (index, index.and_then(|index| taken.get_mut(index))) else {
            let last = rows.saturating_sub(1);
            return Err(fail(format!(
                "found {word:?}; expected the index of a row, a whole number from 0 to {last}; take it out, or check data.header"
            )));
        };
        match *place {
            0 => *place = mark,
            found if found == mark => return Err(fail(format!("row {index} is in the file twice; take one out"))),
            _ => {
                return Err(fail(format!(
                    "row {index} is in data.train_rows too; expected rows that are not learnt from; take it out of one file"
                )));
            }
        }
        indices.push(index);
    }
    Ok(indices)
}
