//! What the columns of a table hold: ranges, quartiles, frequent words, and what looks wrong.

use serde::Serialize;

use super::build::EXACT;
use super::column::{CellKind, Column};
use super::date::{MONTHS, Stamp};
use super::{Table, number};
use crate::data::spikes::step_of;

/// Most words of a column that are listed.
const TOP: usize = 5;

/// One column of a table, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Index of the column, from 0 on.
    pub index: usize,
    /// Its name in the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What one step of its numbers is, of dates and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// Number of cells without a value.
    pub missing: usize,
    /// Number of different values; nothing where the words are too many to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<usize>,
    /// Of numbers, dates and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// The most frequent words with the number of their rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(String, usize)>,
    /// What looks wrong, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looks_wrong: Vec<String>,
}

/// Statistics of numbers. Quartiles are interpolated between neighbours as NumPy does; the standard deviation is the
/// population's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// The smallest.
    pub min: f64,
    /// A quarter, half and three quarters of the values are at most this.
    pub quartiles: [f64; 3],
    /// The largest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
}

impl Numbers {
    /// Of numbers in ascending order, at least one.
    fn of(sorted: &[f64]) -> Option<Self> {
        let (&min, &max, n) = (sorted.first()?, sorted.last()?, sorted.len() as f64);
        let quantile = |part: f64| {
            let place = part * (n - 1.0);
            let (below, between) = (place.floor(), place.fract());
            let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(max);
            let (low, high) = (at(below), at((below + 1.0).min(n - 1.0)));
            low + (high - low) * between
        };
        // Of the distances from one of them: their sum loses no digits to a large offset.
        let offset = quantile(0.5);
        let mean = sorted.iter().map(|value| (value - offset) / n).sum::<f64>();
        let variance = sorted.iter().map(|value| (value - offset - mean).powi(2) / n).sum::<f64>();
        let quartiles = [0.25, 0.5, 0.75].map(quantile);
        Some(Self { min, quartiles, max, mean: offset + mean, std: variance.sqrt() })
    }
}

/// What each column holds.
pub fn profile(table: &Table) -> Vec<Profile> {
    table.columns().iter().map(|column| profile_column(table, column)).collect()
}

fn profile_column(table: &Table, column: &Column) -> Profile {
    let rows = table.rows();
    let present = rows - column.missing.min(rows);
    let mut sorted = Vec::new();
    if column.kind.is_numeric() {
        sorted.extend((0..rows).filter_map(|row| column.number(row)));
        sorted.sort_unstable_by(f64::total_cmp);
    }
    let numbers = Numbers::of(&sorted);
    let mut counts = vec![0usize; column.levels().len()];
    for level in (0..rows).filter_map(|row| column.level(row)) {
        if let Some(count) = counts.get_mut(level) {
            *count += 1;
        }
    }
    let distinct = match (sorted.is_empty(), counts.len()) {
        (false, _) => Some(different(&sorted)),
        (true, 0) if column.kind == CellKind::Text => None,
        (true, levels) => Some(levels),
    };
    let mut top: Vec<_> = column.levels().iter().cloned().zip(counts.iter().copied()).collect();
    top.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let most = top.first().cloned();
    top.truncate(if column.kind.is_numeric() { 0 } else { TOP });

    let mut wrong = Vec::new();
    let same = table.with_name_of(column);
    if let Some(name) = column.name.as_ref().filter(|name| same > 1 && !name.is_empty()) {
        wrong.push(format!("{same} columns have the name `{name}`: give their indices instead"));
    }
    if column.kind == CellKind::Empty {
        wrong.push("no cell has a value".to_owned());
    }
    if let Some(odd) = &column.odd {
        let cells = if odd.count == 1 { "1 cell is".to_owned() } else { format!("{} cells are", odd.count) };
        wrong.push(format!("{cells} of another type, the first in line {}: {:?}", odd.line, odd.text));
    }
    if column.constant {
        wrong.push(CONSTANT.to_owned());
    } else if let Some((word, count)) = most.filter(|(_, count)| present >= 20 && 20 * count > 19 * present) {
        wrong.push(format!("{count} of {present} rows have the same value, {word}"));
    }
    if column.identifier {
        wrong.push("it numbers the rows, as an identifier does: it says nothing of new rows".to_owned());
    }
    if let Some(code) = &column.padded {
        wrong.push(format!("{code} is read as a number without its leading zeros: name the column in data.categorical if these are codes"));
    }
    if let (Some(numbers), false) = (&numbers, column.constant) {
        wrong.extend(sentinel(&sorted).map(|(text, found)| {
            format!("{found}: data.missing_values = [\"{text}\"] if it stands for a missing value")
        }));
        wrong.extend(wrong_numbers(&sorted, numbers, column.kind, column.grid()));
    }
    // What is declared to be words is not looked at for numbers and dates.
    let words = matches!(column.kind, CellKind::Category | CellKind::Text) && !column.as_words;
    if words && present > 0 && !column.levels().is_empty() {
        let part = |test: &dyn Fn(&str) -> bool| column.levels().iter().filter(|word| test(word)).count();
        let levels = column.levels().len();
        let stamps = part(&|word| Stamp::parse(word).is_some());
        if 2 * stamps > levels {
            wrong.push(
                "dates written in several ways are words: write all as 2024-12-31, or 2024-12-31 15:45".to_owned(),
            );
        } else if 2 * part(&is_other_date) > levels {
            wrong.push("dates stored as text: write them as 2024-12-31, or 2024-12-31 15:45".to_owned());
        }
        let beside = column.levels().iter().find_map(|word| beside_number(word));
        if let Some(sign) = beside.filter(|sign| 2 * part(&|word: &str| beside_number(word) == Some(sign)) > levels) {
            wrong.push(format!("numbers with `{sign}` beside them are words: take `{sign}` out of the cells"));
        }
        let numbers = part(&|word| word.parse::<f64>().is_ok_and(f64::is_finite));
        let bracketed = part(&is_bracketed);
        if bracketed > 0 && 2 * (numbers + bracketed) > levels {
            wrong.push("numbers in brackets are words: write (12) as -12".to_owned());
        } else if 2 * numbers > levels {
            wrong.push(format!("{numbers} of {levels} different words are numbers: are the others missing values?"));
        }
    }
    Profile {
        index: column.index,
        name: column.name.clone(),
        kind: column.kind.name(),
        unit: column.kind.unit(),
        missing: column.missing,
        distinct,
        numbers,
        top,
        looks_wrong: wrong,
    }
}

const CONSTANT: &str = "all rows have the same value: it says nothing, and has no density";

/// The number of different values, of numbers in ascending order.
fn different(sorted: &[f64]) -> usize {
    usize::from(!sorted.is_empty()) + sorted.windows(2).filter(|pair| pair.first() != pair.last()).count()
}

/// What looks wrong with numbers in ascending order that are not all the same.
fn wrong_numbers(sorted: &[f64], numbers: &Numbers, kind: CellKind, grid: Option<f64>) -> Vec<String> {
    let mut wrong = Vec::new();
    if numbers.std < 1e-12 * numbers.mean.abs() {
        wrong.push("the values differ by less than their digits can tell: subtract an offset from them".to_owned());
    }
    if let Some(step) = grid.filter(|_| kind == CellKind::Number) {
        let values = different(sorted);
        let step = number::write(step);
        wrong.push(format!("{values} different values, {step} apart: a grid rather than a continuous quantity"));
    }
    if kind == CellKind::Integer && sorted.iter().all(|&value| is_compact_date(value)) {
        wrong.push("dates as whole numbers, whose distances are no days: write them as 2024-12-31".to_owned());
    }
    let largest = numbers.max.max(-numbers.min);
    let whole = || sorted.iter().all(|value| value.fract() == 0.0);
    if kind == CellKind::Number && (EXACT..1e20).contains(&largest) && whole() {
        wrong.push("whole numbers above 2^53 are rounded to 64-bit floats".to_owned());
    }
    wrong
}

/// What numbers of an array hold that are no column of a file; `index`: their place in an example.
pub fn profile_numbers(index: usize, mut values: Vec<f64>) -> Profile {
    values.sort_unstable_by(f64::total_cmp);
    let (numbers, distinct) = (Numbers::of(&values), different(&values));
    let exact = values.iter().all(|value| value.fract() == 0.0 && value.abs() < EXACT);
    let kind = if exact { CellKind::Integer } else { CellKind::Number };
    let looks_wrong = match numbers {
        _ if distinct == 1 => vec![CONSTANT.to_owned()],
        Some(numbers) => {
            let mut steps = values.clone();
            steps.dedup();
            let sentinel = sentinel(&values)
                .map(|(_, found)| format!("{found}: take these rows out if it stands for a missing value"));
            let wrong = wrong_numbers(&values, &numbers, kind, step_of(&steps, values.len()));
            sentinel.into_iter().chain(wrong).collect()
        }
        None => Vec::new(),
    };
    let (name, unit, top) = (Some(format!("number {index}")), None, Vec::new());
    Profile { index, name, kind: kind.name(), unit, missing: 0, distinct: Some(distinct), numbers, top, looks_wrong }
}

/// Numbers that stand for a missing value in many files.
const SENTINELS: [f64; 9] = [-99_999.0, -9999.0, -9999.9, -999.0, -999.9, -99.0, 999.0, 9999.0, 99_999.0];

/// A number such as -999 in two rows or more, further from the others than they are from each other: as text, and what there is to
/// say of it.
fn sentinel(sorted: &[f64]) -> Option<(String, String)> {
    let (&low, &high) = (sorted.first()?, sorted.last()?);
    let found = [low, high].into_iter().find(|end| {
        let others = || sorted.iter().filter(|&value| value != end);
        let (Some(first), Some(last)) = (others().next(), others().next_back()) else { return false };
        SENTINELS.contains(end) && (end - first).abs().min((end - last).abs()) > last - first
    })?;
    let rows = sorted.iter().filter(|&&value| value == found).count();
    let text = number::write(found);
    let found = format!("{text} in {rows} rows, far from all others");
    (rows > 1).then_some((text, found))
}

/// Whether a number is a date such as 20241231.
fn is_compact_date(value: f64) -> bool {
    let digits = value as i64;
    let (year, month, day) = (digits / 10_000, digits / 100 % 100, digits % 100);
    (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Whether it is a digit or a sign that stands in a number.
fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || "+-.,\u{2212}".contains(c) || c.is_whitespace()
}

/// What stands before or behind the number in a cell such as `$1,200`, `12%` or `3.5 kg`.
fn beside_number(word: &str) -> Option<&str> {
    // Factors, exponents and what stands before a number to make a code are no units.
    const FACTORS: [&str; 9] = ["k", "K", "M", "B", "G", "T", "D", "E", "x"];
    let rest = word.trim_matches(is_numeric);
    let before = || word.strip_prefix(rest).filter(|_| !rest.starts_with(char::is_alphabetic));
    let number = word.strip_suffix(rest).or_else(before)?;
    let is_number = number.contains(|c: char| c.is_ascii_digit()) && number.chars().all(is_numeric);
    (is_number && (1..=8).contains(&rest.len()) && !FACTORS.contains(&rest)).then_some(rest)
}

/// Whether it is a number as accountants write one below 0: `(12)`.
fn is_bracketed(word: &str) -> bool {
    let inside = word.strip_prefix('(').and_then(|inside| inside.strip_suffix(')'));
    inside.is_some_and(|inside| inside.contains(|c: char| c.is_ascii_digit()) && inside.chars().all(is_numeric))
}

/// Whether a word looks like a date that is not read: with the name of a month, with a time of twelve hours, or with two digits
/// for all of day, month and year between hyphens.
fn is_other_date(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let half = word.contains(':') && (word.ends_with("am") || word.ends_with("pm"));
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let named =
        || MONTHS.iter().filter_map(|month| month.get(..3)).any(|month| word.contains(&month.to_ascii_lowercase()));
    let short = || word.len() == 8 && word.split('-').map(str::len).eq([2, 2, 2]) && digits == 6;
    let zoned = || digits >= 8 && word.contains(':') && (word.contains(['-', '/']) || word.contains('t'));
    digits >= 2 && (half || named() || short() || zoned())
}
