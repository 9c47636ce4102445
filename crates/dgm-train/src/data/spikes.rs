//! Real targets whose density says little: constants, and values in equal steps.

use std::collections::BTreeSet;

use super::Field;
use crate::error::Result;

/// Most values of a grid.
const MOST: usize = 100;

/// Targets that have a sentence each; of more there is one for all.
const FEW: usize = 3;

/// Why the density of a target can be as high as one likes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spikes {
    /// It has one value, as it is written.
    Constant(String),
    /// It has so many values, so far apart.
    Grid(usize, f64),
}

/// The step between values in ascending order, of which there are few (2 to 100, each in ten rows on average) at equal
/// distances, a few of them left out: a grid rather than a continuous quantity.
pub(super) fn step_of(values: &[f64], rows: usize) -> Option<f64> {
    if !(2..=MOST).contains(&values.len()) || rows < 10 * values.len() {
        return None;
    }
    let steps = || values.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
    let step = steps().reduce(f64::min)?;
    let whole = |distance: f64| (distance / step - (distance / step).round()).abs() < 1e-6;
    let places = (values.last()? - values.first()?) / step;
    // 0.3 - 0.2 is not 0.1 to the last digit.
    let shown = format!("{step:.9e}").parse().ok()?;
    (steps().all(whole) && places < 2.0 * values.len() as f64).then_some(shown)
}

/// The spikes of each dimension of the targets, where there are such.
///
/// # Errors
///
/// A file that cannot be read any more.
pub(super) fn of_field(field: &Field) -> Result<Vec<Option<Spikes>>> {
    // The bits of the values, ascending as these are; nothing once there are too many.
    let mut known: Vec<Option<BTreeSet<i64>>> = vec![Some(BTreeSet::new()); field.width()];
    for part in field.chunks() {
        for row in part?.iter() {
            for (values, &value) in known.iter_mut().zip(row) {
                if let Some(set) = values {
                    set.insert(ascending(value + 0.0));
                    if set.len() > MOST {
                        *values = None;
                    }
                }
            }
        }
        if known.iter().all(Option::is_none) {
            break;
        }
    }
    let spikes = |values: Option<BTreeSet<i64>>| {
        let values: Vec<f64> = values?.into_iter().map(|bits| f64::from_bits(ascending_bits(bits) as u64)).collect();
        match values[..] {
            [value] => Some(Spikes::Constant(super::table::write_number(value))),
            _ => step_of(&values, field.len()).map(|step| Spikes::Grid(values.len(), step)),
        }
    };
    Ok(known.into_iter().map(spikes).collect())
}

/// The bits of a number as an integer, which ascends as the number does; as `f64::total_cmp` has it.
fn ascending(value: f64) -> i64 {
    ascending_bits(value.to_bits() as i64)
}

fn ascending_bits(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// A sentence for each of these targets, given by their names and as messages call them; one for all where they are many.
pub(super) fn sentences(found: &[(&str, String, Spikes)]) -> Vec<String> {
    if found.len() <= FEW {
        return found.iter().map(|(_, title, spikes)| spikes.sentence(title)).collect();
    }
    let names: Vec<String> = found.iter().take(FEW).map(|(name, ..)| format!("`{name}`")).collect();
    vec![format!(
        "{} targets ({}, …) are constant or take few values in equal steps: their NLL is that of numbers spread over a step, which does not \
         compare with that of continuous targets",
        found.len(),
        names.join(", ")
    )]
}

impl Spikes {
    /// The distance between neighbouring values; 0 of a constant.
    pub(super) fn step(&self) -> f64 {
        match self {
            Self::Constant(_) => 0.0,
            Self::Grid(_, step) => *step,
        }
    }

    fn sentence(&self, title: &str) -> String {
        match self {
            Self::Constant(value) => format!(
                "the target `{title}` is {value} in every training row: a constant has no density, and its NLL only says how narrow the \
                 likelihood became"
            ),
            Self::Grid(values, step) => format!(
                "the target `{title}` takes {values} values in steps of {step}: its NLL is that of a number spread over the step, which does not \
                 compare with that of a continuous target"
            ),
        }
    }
}
