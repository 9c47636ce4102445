//! What is odd about a table, so that a result may mislead.

use super::name_of;
use super::select::Parts;
use crate::data::spikes::{self, Spikes};
use crate::data::table::{Column, Table};

/// A sentence for each thing; `train`: the training rows, `real`: whether the target is real numbers.
pub(super) fn warnings(table: &Table, parts: &Parts, train: &[usize], real: bool) -> Vec<String> {
    let column = |index: &usize| table.columns().get(*index);
    let mut warnings = parts.left_out.clone();
    let targets: Vec<&Column> = parts.target.iter().filter_map(column).collect();
    for target in &targets {
        let copy = |other: &&Column| {
            let mut rows = 0..table.rows();
            let same = |row| target.number(row) == other.number(row) && target.word(row) == other.word(row);
            target.kind == other.kind && !target.constant && rows.all(same)
        };
        warnings.extend(parts.condition.iter().filter_map(column).filter(copy).map(|other| {
            format!(
                "{} of the condition is a copy of the target `{}`, which the model can read off it; name it in data.exclude",
                other.title(),
                name_of(target)
            )
        }));
    }
    let used = parts.condition.iter().filter_map(column).chain(targets.iter().copied());
    warnings.extend(used.filter_map(|column| {
        let code = column.padded.as_ref()?;
        Some(format!(
            "{}: {code} is read as a number without its leading zeros; name the column in data.categorical if these are codes",
            column.title()
        ))
    }));
    if real {
        let found = targets.iter().filter_map(|target| Some((short(target), name_of(target), spikes(target, train)?)));
        let found: Vec<_> = found.collect();
        warnings.extend(spikes::sentences(&found));
    }
    warnings
}

/// A column's name in a list.
fn short(column: &Column) -> &str {
    column.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("without a name")
}

/// Why the density of a target can be as high as one likes, if so.
fn spikes(target: &Column, train: &[usize]) -> Option<Spikes> {
    let mut values = train.iter().filter_map(|&row| target.number(row));
    let first = values.next()?;
    match values.all(|value| value == first) {
        true => Some(Spikes::Constant(target.write(first))),
        false => target.grid().map(|step| Spikes::Grid(target.levels().len(), step)),
    }
}
