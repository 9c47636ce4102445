//! What is odd about a table, so that a figure may mislead.

use super::name_of;
use super::select::Parts;
use crate::data::table::{Column, Table};

/// Different values that a target on a grid has at most, and rows for each of them at least.
const GRID: (usize, usize) = (256, 5);

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
    let mut values: Vec<f64> = train.iter().filter_map(|&row| target.number(row)).collect();
    let rows = values.len();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let name = name_of(target);
    match values[..] {
        [] => None,
        [only] => Some(format!(
            "the target `{name}` is {} in every training row: a constant has no density, and its NLL only says how narrow the likelihood \
             became",
            target.write(only)
        )),
        [first, .., last] => {
            let steps = || values.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
            let step = steps().fold(f64::INFINITY, f64::min);
            let equal = steps().all(|gap| (gap / step - (gap / step).round()).abs() < 1e-6 * (gap / step).max(1.0));
            let few = values.len() <= GRID.0 && values.len() * GRID.1 <= rows && (last - first) / step < 1e5;
            (few && equal).then(|| {
                format!(
                    "the target `{name}` takes {} values in steps of {}: a density may put spikes on them, so its NLL does not compare \
                     with that of a continuous target",
                    values.len(),
                    rounded(step)
                )
            })
        }
    }
}

/// A step without the rounding of the difference that it is.
fn rounded(step: f64) -> f64 {
    format!("{step:.9e}").parse().unwrap_or(step)
}
