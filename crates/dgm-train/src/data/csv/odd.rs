//! What is odd about a table, so that a figure may mislead.

use super::name_of;
use super::select::Parts;
use crate::data::table::{Column, Table};

/// Targets on a grid that have a sentence each; of more there is one for all.
const FEW: usize = 3;

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
    if real {
        let spiky: Vec<(&str, String)> = targets.iter().filter_map(|target| spikes(target, train)).collect();
        match spiky.len() {
            ..=FEW => warnings.extend(spiky.into_iter().map(|(_, sentence)| sentence)),
            n => {
                let names: Vec<String> = spiky.iter().take(FEW).map(|(name, _)| format!("`{name}`")).collect();
                warnings.push(format!(
                    "{n} targets ({}, …) are constant or take few values in equal steps: a density may put spikes on them, so its NLL does \
                     not compare with that of continuous targets",
                    names.join(", ")
                ));
            }
        }
    }
    warnings
}

/// A target whose density can be as high as one likes: its name and what is the matter.
fn spikes<'a>(target: &'a Column, train: &[usize]) -> Option<(&'a str, String)> {
    let title = name_of(target);
    let name = target.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("without a name");
    let mut values = train.iter().filter_map(|&row| target.number(row));
    let first = values.next()?;
    if values.all(|value| value == first) {
        return Some((
            name,
            format!(
                "the target `{title}` is {} in every training row: a constant has no density, and its NLL only says how narrow the \
                 likelihood became",
                target.write(first)
            ),
        ));
    }
    target.grid().map(|step| {
        let sentence = format!(
            "the target `{title}` takes {} values in steps of {step}: a density may put spikes on them, so its NLL does not compare with \
             that of a continuous target",
            target.levels().len()
        );
        (name, sentence)
    })
}
