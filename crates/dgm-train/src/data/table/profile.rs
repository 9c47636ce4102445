//! What the columns of a table hold: ranges, quartiles, frequent words, and what looks wrong.

use serde::Serialize;

use super::build::EXACT;
use super::column::{Column, Kind};
use super::{Table, number};

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
        (false, _) => Some(1 + sorted.windows(2).filter(|pair| pair.first() != pair.last()).count()),
        (true, 0) if column.kind == Kind::Text => None,
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
    if column.kind == Kind::Empty {
        wrong.push("no cell has a value".to_owned());
    }
    if let Some(odd) = &column.odd {
        let cells = if odd.count == 1 { "1 cell is".to_owned() } else { format!("{} cells are", odd.count) };
        wrong.push(format!("{cells} of another type, the first in line {}: {:?}", odd.line, odd.text));
    }
    if column.constant {
        wrong.push("all rows have the same value: it says nothing, and has no density".to_owned());
    } else if let Some((word, count)) = most.filter(|(_, count)| present >= 20 && 20 * count > 19 * present) {
        wrong.push(format!("{count} of {present} rows have the same value, {word}"));
    }
    if column.identifier {
        wrong.push("it numbers the rows, as an identifier does: it says nothing of new rows".to_owned());
    }
    if let (Some(numbers), false) = (numbers, column.constant) {
        if numbers.std < 1e-12 * numbers.mean.abs() {
            wrong.push("the values differ by less than their digits can tell: subtract an offset from them".to_owned());
        }
        if let Some(step) = column.grid().filter(|_| column.kind == Kind::Number) {
            wrong.push(format!(
                "{} different values, {} apart: a grid rather than a continuous quantity",
                distinct.unwrap_or(0),
                number::write(step)
            ));
        }
        let largest = numbers.max.max(-numbers.min);
        if column.kind == Kind::Number
            && (EXACT..1e20).contains(&largest)
            && sorted.iter().all(|value| value.fract() == 0.0)
        {
            wrong.push("whole numbers above 2^53 are rounded to 64-bit floats".to_owned());
        }
    }
    // What is declared to be words is not looked at for numbers and dates.
    let words = matches!(column.kind, Kind::Category | Kind::Text) && !column.as_words;
    if words && present > 0 && !column.levels().is_empty() {
        let part = |test: fn(&str) -> bool| column.levels().iter().filter(|word| test(word)).count();
        let levels = column.levels().len();
        if 2 * part(is_other_date) > levels {
            wrong.push("dates stored as text: write them as 2024-12-31, or 2024-12-31 15:45".to_owned());
        }
        let sign = column.levels().iter().find_map(|word| sign_of(word));
        if let Some(sign) = sign.filter(|_| 2 * part(|word| sign_of(word).is_some()) > levels) {
            wrong.push(format!("numbers with the sign {sign} are words: take {sign} out of the cells"));
        }
        let numbers = part(|word| word.parse::<f64>().is_ok());
        if 2 * numbers > levels {
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

/// The sign beside the number in a cell such as `12%` or `$1,200`.
fn sign_of(word: &str) -> Option<char> {
    let sign = word.chars().find(|c| "%$€£¥".contains(*c))?;
    let number = word.trim_matches(|c: char| c == sign || c == ' ');
    let number = number.chars().all(|c| c.is_ascii_digit() || "+-.,".contains(c)) && !number.is_empty();
    number.then_some(sign)
}

/// Whether a word is a date with the name of a month or a time of twelve hours, as `31-Dec-2024` and `3:45 PM` are.
fn is_other_date(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let word = word.to_ascii_lowercase();
    let half = word.contains(':') && (word.ends_with("am") || word.ends_with("pm"));
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits >= 2 && (half || MONTHS.iter().any(|month| word.contains(month)))
}
