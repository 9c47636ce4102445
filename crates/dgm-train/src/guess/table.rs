//! A bare table → its `[data]`: which columns are modelled, given which, and what missing cells there are.

use std::path::Path;

use super::given::Given;
use super::{Proposal, Rename, Wishes, checked, path_line, quoted};
use crate::data::csv::{ColumnRef, Conditions};
use crate::data::table::{CellKind, Column, Options, Table};
use crate::data::{DataConfig, Fingerprint};
use crate::error::{Error, Result};

/// Most different whole numbers of a target that may be classes.
const MOST_CLASSES: usize = 20;

/// Most different codes that are taken for words.
const MOST_CODES: usize = 1000;

/// Most columns that a message lists.
const MOST_LISTED: usize = 8;

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

/// Whether rows share the codes of a column, so that they say something of other rows.
fn is_shared(column: &Column, rows: usize) -> bool {
    let levels = column.levels().len();
    (2..=MOST_CODES).contains(&levels) && 2 * levels <= rows
}

/// A column by its name, or by its index where the name does not mean it alone.
fn by_name(table: &Table, column: &Column) -> ColumnRef {
    match column.name.as_deref() {
        Some(name) if table.reference(column).starts_with('"') => ColumnRef::Name(name.to_owned()),
        _ => ColumnRef::Index(column.index),
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

fn not_a_source(path: &Path) -> Error {
    Error::input(format!("--set data.source: {} is a table; leave data.source out", path.display()))
}

fn open(path: &Path, options: &Options, words: &[ColumnRef]) -> Result<Table> {
    let is_word = |index, name: Option<&str>| ColumnRef::any(words, index, name);
    Table::open(path, "path", options, &is_word, &mut Fingerprint::default())
}

/// The proposal for a table, which is in it as it is without the lines.
pub(super) fn table(path: &Path, wishes: &Wishes, given: &mut Given, rename: &Rename<'_>) -> Result<Proposal> {
    let DataConfig::Csv(mut config) = checked(&least(path), path, &wishes.set)? else {
        return Err(not_a_source(path));
    };
    let options = config.options();
    let mut found = open(path, &options, &config.categorical)?;
    let target = match given.take("target") {
        Some(_) => config.target.clone(),
        None => wishes.target.iter().map(|name| meant(name, found.columns())).collect(),
    };
    let picked = ColumnRef::indices(&found, &target, "target")?;
    // Who names categories decides.
    let is_code = |column: &&Column| {
        column.padded.is_some() && !picked.contains(&column.index) && given.get("categorical").is_none()
    };
    let (shared, rare): (Vec<&Column>, Vec<&Column>) =
        found.columns().iter().filter(is_code).partition(|column| is_shared(column, found.rows()));
    let codes: Vec<ColumnRef> = shared.iter().map(|column| by_name(&found, column)).collect();
    let rare: Vec<usize> = rare.iter().map(|column| column.index).collect();
    if !codes.is_empty() {
        config.categorical.extend(codes.iter().cloned());
        found = open(path, &options, &config.categorical)?;
    }
    let (all, columns) = (odd_words(found.columns().iter()), found.columns());
    // What such words stand for is not known, and most often that is nothing.
    let with_missing =
        |words: &[String]| Options { missing_values: [&options.missing_values[..], words].concat(), ..options.clone() };
    let without_words = if all.is_empty() { None } else { Some(open(path, &with_missing(&all), &config.categorical)?) };
    let read = without_words.as_ref().unwrap_or(&found);
    // A name in TOML's quotes, whose escapes are not Rust's.
    let reference = |column: &Column| match column.name.as_deref() {
        Some(name) if found.reference(column).starts_with('"') => quoted(name),
        _ => column.index.to_string(),
    };
    let list =
        |columns_of: &[&Column]| columns_of.iter().map(|column| reference(column)).collect::<Vec<_>>().join(", ");
    let indices = |refs: &[ColumnRef], key: &str| ColumnRef::indices(read, refs, key);

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
    for column in free.iter().copied().filter(|column| rare.contains(&column.index) && !named.contains(&column.index)) {
        excluded.push((column, "numbers with leading zeros, taken for codes, with another in almost every row".into()));
    }
    if !picked.is_empty() && given.get("condition").is_none() {
        let rest = free.iter().copied().filter(|column| {
            column.odd.is_none() && !categorical.contains(&column.index) && !rare.contains(&column.index)
        });
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
    let mut as_words: Vec<String> = config.categorical.iter().map(written).collect();
    let mut why_words: Vec<&str> = Vec::new();
    if !codes.is_empty() {
        why_words.push("numbers with leading zeros, taken for codes; take this out for quantities");
    }
    let holes = |columns: &[&Column]| columns.iter().any(|column| column.missing > 0);
    let missing = if picked.is_empty() {
        let is_number = |column: &&&Column| {
            column.kind.is_numeric() && !column.identifier && !column.constant && !named.contains(&column.index)
        };
        let numbers: Vec<&Column> = free.iter().filter(is_number).copied().collect();
        if numbers.is_empty() {
            let problem = nothing_to_model(&found);
            return Ok(Proposal { lines: Vec::new(), table: Some(found), problem: Some(problem) });
        }
        let is_other = |column: &&&Column| !column.kind.is_numeric() && Conditions::leave_out(column).is_none();
        let words: Vec<&Column> = free.iter().filter(is_other).copied().collect();
        let unused: Vec<&Column> =
            free.iter().copied().filter(|column| !is_number(&column) && !is_other(&column)).collect();
        lines.push(format!("target = [{}]   # every column of numbers", list(&numbers)));
        match words.is_empty() {
            true => lines.push("condition = \"none\"".into()),
            false => lines.push(format!("condition = [{}]   # words: the density is given them", list(&words))),
        }
        if !unused.is_empty() {
            lines.push(format!("# not used: {}   # free text, constants, numbers of rows", list(&unused)));
        }
        holes(&[numbers, words].concat()).then_some("\"drop\"   # rows with missing cells are left out")
    } else {
        lines.push(format!("target = [{}]", target.iter().map(written).collect::<Vec<_>>().join(", ")));
        let targets: Vec<&Column> = picked.iter().filter_map(|&index| read.columns().get(index)).collect();
        if let ([column], true, None) = (&targets[..], categorical.len() == codes.len(), config.target_classes)
            && let Some(classes) = classes(column, read.rows())
        {
            let with_target = [&as_words[..], &[reference(column)]].concat();
            if classes == 2 {
                as_words = with_target;
                why_words.push("two whole numbers as names of classes; take this out for a regression");
            } else {
                let comment =
                    format!("uncomment this for a classification: {classes} whole numbers as names of classes");
                lines.push(format!("# categorical = [{}]   # {comment}", with_target.join(", ")));
            }
        }
        let several = targets.len() > 1 && holes(&targets);
        if several {
            Some("\"keep\"   # missing cells are not modelled, and can be filled in")
        } else {
            holes(&[free, targets].concat())
                .then_some("\"impute\"   # the training mean or most frequent word, and an input that says so")
        }
    };

    if !why_words.is_empty() {
        given.take("categorical");
        lines.push(format!("categorical = [{}]   # {}", as_words.join(", "), why_words.join("; ")));
    }
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
    Ok(Proposal { lines, table: Some(found), problem: None })
}

/// What to say of a table none of whose columns is modelled by itself.
fn nothing_to_model(table: &Table) -> Error {
    let name = table.name();
    match table.columns() {
        [column] => Error::input(format!(
            "{name}: found one column, {}, whose values are no quantities; expected columns of numbers; `dgm-train data inspect` says what looks \
             wrong with it; set the delimiter if there are more, such as --set 'data.delimiter=\";\"', or read the file as text with --set \
             data.source=text",
            column.kind.name()
        )),
        columns => {
            let all: Vec<String> =
                columns.iter().map(|column| format!("{} {}", column.title(), column.kind.name())).collect();
            let more = if all.len() > MOST_LISTED { ", …" } else { "" };
            let listed = all.iter().take(MOST_LISTED).cloned().collect::<Vec<_>>().join(", ");
            Error::input(format!(
                "{name}: found no column to model by itself: each is constant, counts the rows or holds words ({listed}{more}); name the column to \
                 predict with --target NAME"
            ))
        }
    }
}

/// The number of classes that a target of few whole numbers may be names of.
fn classes(column: &Column, rows: usize) -> Option<usize> {
    let levels = column.levels().len();
    let whole = || (0..rows).filter_map(|row| column.number(row)).all(|value| value.fract() == 0.0);
    let may_be = matches!(column.kind, CellKind::Integer | CellKind::Number) && (2..=MOST_CLASSES).contains(&levels);
    (may_be && rows - column.missing.min(rows) >= ROWS_EACH * levels && whole()).then_some(levels)
}
