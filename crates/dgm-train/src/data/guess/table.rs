//! A bare table → its `[data]`: which columns are modelled, given which, and what missing cells there are.

use std::path::Path;

use super::given::Given;
use super::{Rename, Wishes, checked, path_line, quoted};
use crate::data::csv::{ColumnRef, Conditions};
use crate::data::table::{Column, Kind, Options, Table};
use crate::data::{DataConfig, Fingerprint};
use crate::error::{Error, Result};

/// Most different whole numbers of a target that may be classes.
const MOST_CLASSES: usize = 20;

/// Rows of each class on average, at least, where numbers may be classes.
const ROWS_EACH: usize = 5;

/// The least that `[data]` of a table says.
pub(super) fn least(path: &Path) -> Vec<String> {
    vec![
        "source = \"csv\"".to_owned(),
        path_line("path", &path.to_string_lossy(), &Path::to_path_buf),
        "target = [0]".into(),
    ]
}

/// What an argument means: a name, or an index where no column has that name.
fn meant(name: &str, columns: &[Column]) -> ColumnRef {
    let is_name = columns.iter().any(|column| column.name.as_deref() == Some(name));
    match name.parse() {
        Ok(index) if !is_name => ColumnRef::Index(index),
        _ => ColumnRef::Name(name.to_owned()),
    }
}

fn written(column: &ColumnRef) -> String {
    match column {
        ColumnRef::Index(index) => index.to_string(),
        ColumnRef::Name(name) => quoted(name),
    }
}

/// The words among numbers of these columns, each once.
fn odd_words<'a>(columns: impl Iterator<Item = &'a Column>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in columns.filter_map(|column| column.odd.as_ref()).flat_map(|odd| &odd.texts) {
        if !words.contains(word) {
            words.push(word.clone());
        }
    }
    words
}

/// The lines of `[data]` and the table, as it is without them.
pub(super) fn table(
    path: &Path,
    wishes: &Wishes,
    given: &mut Given,
    rename: &Rename<'_>,
) -> Result<(Vec<String>, Table)> {
    let DataConfig::Csv(config) = checked(&least(path), path, &wishes.set)? else {
        return Err(Error::input(format!("--set data.source: {} is a table; leave data.source out", path.display())));
    };
    let is_word = |index, name: Option<&str>| ColumnRef::any(&config.categorical, index, name);
    let open = |options: &Options| match config.categorical[..] {
        [] => Table::open(path, "path", options, &mut Fingerprint::default()),
        _ => Table::open_with(path, "path", options, &is_word, &mut Fingerprint::default()),
    };
    let options = config.options();
    let found = open(&options)?;
    let (all, columns) = (odd_words(found.columns().iter()), found.columns());
    // What such words stand for is not known, and most often that is nothing.
    let with_missing =
        |words: &[String]| Options { missing_values: [&options.missing_values[..], words].concat(), ..options.clone() };
    let without_words = if all.is_empty() { None } else { Some(open(&with_missing(&all))?) };
    let read = without_words.as_ref().unwrap_or(&found);
    // A name in TOML's quotes, whose escapes are not Rust's.
    let reference = |column: &Column| match column.name.as_deref() {
        Some(name) if found.reference(column).starts_with('"') => quoted(name),
        _ => column.index.to_string(),
    };
    let list =
        |columns_of: &[&Column]| columns_of.iter().map(|column| reference(column)).collect::<Vec<_>>().join(", ");
    let indices = |refs: &[ColumnRef], key: &str| ColumnRef::indices(read, refs, key);

    let target = match given.take("target") {
        Some(_) => config.target.clone(),
        None => wishes.target.iter().map(|name| meant(name, columns)).collect(),
    };
    let picked = indices(&target, "target")?;
    let categorical = indices(&config.categorical, "categorical")?;
    let named = match &config.condition {
        Conditions::Columns(columns) => indices(columns, "condition")?,
        _ => Vec::new(),
    };
    let mut unused = indices(&config.exclude, "exclude")?;
    for (column, key) in [(&config.split_column, "split_column"), (&config.group_column, "group_column")] {
        unused.extend(indices(column.as_slice(), key)?);
    }
    let drawn = config.split_column.is_none() && config.group_column.is_none() && config.train_rows.is_none();
    let says = |column: &&Column| drawn && !picked.contains(&column.index) && Conditions::says_splits(column);
    let splits = read.columns().iter().find(says);
    unused.extend(splits.map(|column| column.index));
    let free: Vec<&Column> = read
        .columns()
        .iter()
        .filter(|column| !unused.contains(&column.index) && !picked.contains(&column.index))
        .collect();

    // Why each of these is left out.
    let mut excluded: Vec<(&Column, String)> = Vec::new();
    for column in free.iter().copied().filter(|column| column.odd.is_some() && !named.contains(&column.index)) {
        excluded.push((column, "more different words among numbers than missing_values would list".into()));
    }
    if !picked.is_empty() && given.get("condition").is_none() {
        let rest = free.iter().copied().filter(|column| column.odd.is_none() && !categorical.contains(&column.index));
        let why: Vec<_> = rest.map(|column| (column, Conditions::leave_out(column))).collect();
        // Where nothing else is there to condition on, the numbers of the rows are it.
        let nothing = why.iter().all(|(_, why)| why.is_some());
        let out = why.into_iter().filter_map(|(column, why)| Some((column, why?)));
        excluded.extend(out.filter(|(column, _)| !(nothing && column.identifier)));
        excluded.sort_by_key(|(column, _)| column.index);
    }
    let used = |column: &Column| !excluded.iter().any(|(other, _)| other.index == column.index);
    let free: Vec<&Column> = free.into_iter().filter(|column| used(column)).collect();

    let mut lines = vec!["source = \"csv\"".to_owned(), path_line("path", &path.to_string_lossy(), rename)];
    if let Some(column) = splits {
        lines.push(format!("split_column = {}   # its cells say which split a row belongs to", reference(column)));
    }
    let holes = |columns: &[&Column]| columns.iter().any(|column| column.missing > 0);
    let missing = if picked.is_empty() {
        let is_number = |column: &&&Column| {
            column.kind.is_numeric() && !column.identifier && !column.constant && !named.contains(&column.index)
        };
        let numbers: Vec<&Column> = free.iter().filter(is_number).copied().collect();
        if numbers.is_empty() {
            return Err(Error::input(format!(
                "{}: found no column of numbers to model; name the column to predict with --target NAME",
                found.name()
            )));
        }
        let is_other = |column: &&&Column| !column.kind.is_numeric() && Conditions::leave_out(column).is_none();
        let words: Vec<&Column> = free.iter().filter(is_other).copied().collect();
        lines.push(format!("target = [{}]   # every column of numbers", list(&numbers)));
        match words.is_empty() {
            true => lines.push("condition = \"none\"".into()),
            false => lines.push(format!("condition = [{}]   # words: the density is given them", list(&words))),
        }
        holes(&[numbers, words].concat()).then_some("\"drop\"   # rows with missing cells are left out")
    } else {
        lines.push(format!("target = [{}]", target.iter().map(written).collect::<Vec<_>>().join(", ")));
        let targets: Vec<&Column> = picked.iter().filter_map(|&index| read.columns().get(index)).collect();
        if let ([column], true, None) = (&targets[..], categorical.is_empty(), config.target_classes) {
            lines.extend(classes(column, read.rows(), &list(&[column])));
        }
        holes(&[free, targets].concat())
            .then_some("\"impute\"   # the training mean or most frequent word, and an input that says so")
    };

    let auto: Vec<&Column> = excluded.iter().map(|(column, _)| *column).collect();
    let own = config.exclude.iter().map(written);
    let names: Vec<String> = own.chain(auto.iter().map(|column| reference(column))).collect();
    given.take("exclude");
    if !names.is_empty() {
        let mut reasons: Vec<&str> = excluded.iter().map(|(_, why)| why.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let comment = if reasons.is_empty() { String::new() } else { format!("   # {}", reasons.join("; ")) };
        lines.push(format!("exclude = [{}]{comment}", names.join(", ")));
    }
    let in_use = columns.iter().filter(|column| used(column) && !unused.contains(&column.index));
    let words: Vec<String> = odd_words(in_use).iter().map(|word| quoted(word)).collect();
    if !words.is_empty() {
        given.take("missing_values");
        let own = options.missing_values.iter().map(|word| quoted(word));
        let words = own.chain(words).collect::<Vec<_>>().join(", ");
        lines.push(format!("missing_values = [{words}]   # among numbers: read as missing"));
    }
    lines.extend(missing.map(|missing| format!("missing = {missing}")));
    Ok((lines, found))
}

/// A line about a target of few whole numbers, which may be classes: two are.
fn classes(column: &Column, rows: usize, reference: &str) -> Option<String> {
    let levels = column.levels().len();
    let whole = || (0..rows).filter_map(|row| column.number(row)).all(|value| value.fract() == 0.0);
    let may_be = matches!(column.kind, Kind::Integer | Kind::Number) && (2..=MOST_CLASSES).contains(&levels);
    if !may_be || rows - column.missing.min(rows) < ROWS_EACH * levels || !whole() {
        return None;
    }
    let key = format!("categorical = [{reference}]");
    Some(match levels {
        2 => format!("{key}   # two whole numbers as names of classes; take this out for a regression"),
        _ => format!("# {key}   # uncomment this for a classification: {levels} whole numbers as names of classes"),
    })
}
