//! The columns of a table, one per line, for a terminal.

use std::fmt::Write;

use crate::data::summary::short;
use crate::data::table::{Profile, Table, profile};

/// The longest name and the longest list of words that are shown whole.
const WIDEST: [usize; 2] = [24, 60];

/// What was recognised in a table, a line for each column, and what looks wrong.
pub fn text(table: &Table) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (rows, columns) = (count(table.rows(), "row"), count(table.columns().len(), "column"));
    let mut text = format!("{}: {rows}, {columns}\n", table.name());
    for (index, note) in table.notes().iter().enumerate() {
        let _ = writeln!(text, "{:<12} {note}", if index == 0 { "recognised" } else { "" });
    }
    let write =
        |index: usize, value: f64| table.columns().get(index).map_or_else(String::new, |column| column.write(value));
    text + "\n" + &lines(&profile(table), &write)
}

/// A line for each column, and what looks wrong; `write`: a value of a column, given its index, as its cells are written.
pub fn lines(profiles: &[Profile], write: &dyn Fn(usize, f64) -> String) -> String {
    let mut text = String::new();
    let width = profiles.iter().map(|column| name(column).chars().count()).max().unwrap_or(0).clamp(6, WIDEST[0]);
    let _ = writeln!(
        text,
        "{:>3} {:<width$} {:<9} {:>8} {:>9} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "#", "column", "type", "missing", "distinct", "min", "25 %", "median", "75 %", "max", "mean", "std"
    );
    for profile in profiles {
        let distinct = profile.distinct.map_or_else(|| "many".to_owned(), |n| n.to_string());
        let start = format!(
            "{:>3} {:<width$} {:<9} {:>8} {distinct:>9}",
            profile.index,
            cut(&name(profile), WIDEST[0]),
            profile.kind,
            profile.missing
        );
        let _ = writeln!(text, "{start} {}", values(profile, write));
    }
    let wrong: Vec<String> = profiles
        .iter()
        .flat_map(|column| column.looks_wrong.iter().map(move |what| format!("  {}: {what}", title(column))))
        .collect();
    if !wrong.is_empty() {
        let _ = writeln!(text, "\nlooks wrong\n{}", wrong.join("\n"));
    }
    text
}

/// A column where no line shows its index.
fn title(profile: &Profile) -> String {
    match profile.name.as_deref() {
        None | Some("") => format!("column {}", profile.index),
        Some(name) => name.to_owned(),
    }
}

/// The numbers of a column, or its most frequent words.
fn values(profile: &Profile, write: &dyn Fn(usize, f64) -> String) -> String {
    let Some(numbers) = profile.numbers else {
        let words =
            profile.top.iter().map(|(word, count)| format!("{} ({count})", cut(word, WIDEST[0]))).collect::<Vec<_>>();
        return cut(&words.join(", "), WIDEST[1]);
    };
    let [low, middle, high] = numbers.quartiles;
    let places = [numbers.min, low, middle, high, numbers.max, numbers.mean];
    // A date is shown as one; a spread, in its unit.
    let shown = |value: f64| if profile.unit.is_some() { write(profile.index, value) } else { short(value) };
    let unit = profile.unit.map_or(String::new(), |unit| format!(" {}", unit.split(' ').next().unwrap_or_default()));
    let places = places.iter().map(|&value| format!("{:>11}", shown(value))).collect::<Vec<_>>().join(" ");
    format!("{places} {:>11}{unit}", short(numbers.std))
}

fn name(profile: &Profile) -> String {
    match profile.name.as_deref() {
        None | Some("") => "(no name)".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    // A line of the terminal stays one.
    let shown = text.chars().map(|c| if c.is_control() { '␣' } else { c });
    match text.chars().count() {
        n if n <= most => shown.collect(),
        _ => shown.take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}
