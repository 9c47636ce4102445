//! What is odd about a table, so that a figure may mislead.

use super::name_of;
use super::select::Parts;
use crate::data::table::{Column, Table};

/// A sentence for each thing; `train`: the training rows, `real`: whether the target is real numbers.
pub(super) fn warnings(table: &Table, parts: &Parts, train: &[usize], real: bool) -> Vec<String> {
    let column = |index: &usize| table.columns().get(*index);
    let mut warnings = parts.left_out.clone();
    for target in parts.target.iter().filter_map(column) {
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
        if real {
            warnings.extend(spikes(target, train));
        }
    }
    warnings
}

/// A target whose density can be as high as one likes.
fn spikes(target: &Column, train: &[usize]) -> Option<String> {
    let name = name_of(target);
    let mut values = train.iter().filter_map(|&row| target.number(row));
    let first = values.next()?;
    if values.all(|value| value == first) {
        return Some(format!(
            "the target `{name}` is {} in every training row: a constant has no density, and its NLL only says how narrow the likelihood \
             became",
            target.write(first)
        ));
    }
    target.grid().map(|step| {
        format!(
            "the target `{name}` takes {} values in steps of {step}: a density may put spikes on them, so its NLL does not compare with \
             that of a continuous target",
            target.levels().len()
        )
    })
}
