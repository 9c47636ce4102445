//! Columns by index, name or pattern, and the part that each has.

use serde::de::value::SeqAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::CsvConfig;
use crate::data::table::{CellKind, Column, Table};
use crate::error::{Error, Result, did_you_mean};

/// Different words beyond which a column is not a part of the condition by itself: as many numbers of an example.
const MOST_LEVELS: usize = 1000;

/// A column: its index, from 0 on, its name in the header, or a pattern such as `"sensor_*"` for all that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ColumnRef {
    /// Index, from 0 on.
    Index(usize),
    /// Name in the header, or a pattern with `*`, `?` and `[…]`.
    Name(String),
}

impl<'de> Deserialize<'de> for ColumnRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ColumnRef;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("the index of a column (0, 1, …) or its name in quotes")
            }

            fn visit_i64<E: serde::de::Error>(self, index: i64) -> std::result::Result<ColumnRef, E> {
                let index = usize::try_from(index);
                index.map(ColumnRef::Index).map_err(|_| E::custom("the index of a column is at least 0"))
            }

            fn visit_str<E>(self, name: &str) -> std::result::Result<ColumnRef, E> {
                Ok(ColumnRef::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Reads a list of columns, or one column by itself.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<ColumnRef>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<ColumnRef>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list of columns by name or index, such as [\"strength\"] or [8]")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
            Ok(vec![ColumnRef::Name(name.to_owned())])
        }

        fn visit_i64<E: serde::de::Error>(self, index: i64) -> std::result::Result<Self::Value, E> {
            ColumnRef::deserialize(serde::de::value::I64Deserializer::new(index)).map(|column| vec![column])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> std::result::Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// The columns of the condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// `"others"`: all that are neither targets nor excluded, nor number the rows, nor hold free text.
    #[default]
    Others,
    /// `"none"` or `[]`: there is no condition.
    None,
    /// These.
    Columns(Vec<ColumnRef>),
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Others => serializer.serialize_str("others"),
            Self::None => serializer.serialize_str("none"),
            Self::Columns(columns) => columns.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Conditions;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a list of columns, \"others\" or \"none\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Conditions, E> {
                match text {
                    "others" => Ok(Conditions::Others),
                    "none" => Ok(Conditions::None),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> std::result::Result<Conditions, A::Error> {
                let columns = Vec::<ColumnRef>::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(if columns.is_empty() { Conditions::None } else { Conditions::Columns(columns) })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The parts that the columns of a table have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) target: Vec<usize>,
    pub(super) condition: Vec<usize>,
    /// Columns that were read as words because the configuration says so.
    pub(super) categorical: Vec<usize>,
    /// What was left out by itself, in words.
    pub(super) left_out: Vec<String>,
}

impl CsvConfig {
    /// The part of each column.
    ///
    /// # Errors
    /// Columns that are not there, that two have the name of, or that have two parts.
    pub(super) fn parts(&self, table: &Table) -> Result<Parts> {
        let target = pick(table, &self.target, "target", &[])?;
        let named = pick(table, &without_patterns(&self.target, table), "target", &[])?;
        let excluded = pick(table, &self.exclude, "exclude", &named)?;
        let categorical = pick(table, &self.categorical, "categorical", &[])?;
        let mut parts = Parts { target, categorical, ..Parts::default() };
        let mut of_splits = Vec::new();
        for (column, key) in [(&self.split_column, "split_column"), (&self.group_column, "group_column")] {
            if let Some(column) = column {
                of_splits.push(one(table, column, key)?.index);
            }
        }
        // What a pattern takes may be excluded again, and is no column that says nothing.
        let nothing = |column: &Column| {
            column.constant || !parts.categorical.contains(&column.index) && why_not(column).is_some()
        };
        let says_nothing = |index: &usize| table.columns().get(*index).is_none_or(nothing);
        let other = |index: &usize| excluded.contains(index) || of_splits.contains(index) || says_nothing(index);
        let (target, not_taken): (Vec<usize>, Vec<usize>) =
            parts.target.iter().partition(|index| named.contains(index) || !other(index));
        parts.target = target;
        if parts.target.is_empty() {
            return Err(Error::input(format!(
                "data.target: every column of {} that it matches is excluded, constant, free text or numbers the rows; expected one to \
                 model at least; name it, or change data.exclude",
                table.name()
            )));
        }
        if let Some(&both) = excluded.iter().find(|index| parts.target.contains(index)) {
            return Err(twice(table, both, "exclude", "a target"));
        }
        match &self.condition {
            Conditions::None => {}
            Conditions::Columns(columns) => {
                parts.condition = pick(table, columns, "condition", &[&parts.target[..], &of_splits].concat())?;
                if let Some(&both) = parts.condition.iter().find(|index| parts.target.contains(index)) {
                    return Err(twice(table, both, "condition", "a target"));
                }
                let named = pick(table, &without_patterns(columns, table), "condition", &[])?;
                let excluded_by_name = pick(table, &without_patterns(&self.exclude, table), "exclude", &[])?;
                if let Some(&both) = named.iter().find(|index| excluded_by_name.contains(index)) {
                    return Err(twice(table, both, "exclude", "part of the condition"));
                }
                // What a pattern takes may be excluded again.
                parts.condition.retain(|index| !excluded.contains(index));
            }
            Conditions::Others => {
                let other = [&excluded[..], &of_splits, &not_taken].concat();
                for column in table.columns() {
                    let taken = other.contains(&column.index) || parts.target.contains(&column.index);
                    match why_not(column).filter(|_| !parts.categorical.contains(&column.index)) {
                        _ if taken => {}
                        Some(why) => parts.left_out.push(format!(
                            "{} is not part of the condition: {why}; name it in data.condition to use it, or in data.exclude",
                            column.title()
                        )),
                        None => parts.condition.push(column.index),
                    }
                }
                // Where nothing else is there to condition on, such as in a series of time and value, the numbers of the rows are it.
                if parts.condition.is_empty() {
                    let numbers = table.columns().iter().filter(|column| {
                        column.identifier && !other.contains(&column.index) && !parts.target.contains(&column.index)
                    });
                    parts.condition = numbers.map(|column| column.index).collect();
                    if !parts.condition.is_empty() {
                        parts.left_out.clear();
                    }
                }
            }
        }
        Ok(parts)
    }
}

/// Why a column is not a part of the condition unless it is asked for.
fn why_not(column: &Column) -> Option<String> {
    match column.kind {
        _ if column.identifier => Some("it numbers the rows".into()),
        CellKind::Text => Some("it holds free text, with another in almost every row".into()),
        CellKind::Empty => Some("it has no value in any row".into()),
        CellKind::Category if column.levels().len() > MOST_LEVELS => {
            Some(format!("it has {} different words", column.levels().len()))
        }
        _ => None,
    }
}

/// Whether one of these means the column of this index and name.
pub(super) fn mean(columns: &[ColumnRef], index: usize, name: Option<&str>) -> bool {
    columns.iter().any(|column| match column {
        ColumnRef::Index(at) => *at == index,
        ColumnRef::Name(text) => {
            name == Some(text) || pattern(text).is_some_and(|pattern| pattern.matches(&title(index, name)))
        }
    })
}

/// What a pattern is compared with: the name, or the index where there is none.
fn title(index: usize, name: Option<&str>) -> String {
    name.map_or_else(|| index.to_string(), str::to_owned)
}

fn pattern(text: &str) -> Option<glob::Pattern> {
    text.contains(['*', '?', '[']).then(|| glob::Pattern::new(text).ok()).flatten()
}

/// The columns of a list that are meant by index or by their whole name.
fn without_patterns(columns: &[ColumnRef], table: &Table) -> Vec<ColumnRef> {
    let is_name = |name: &String| table.columns().iter().any(|column| column.name.as_ref() == Some(name));
    let exact = |column: &&ColumnRef| match column {
        ColumnRef::Index(_) => true,
        ColumnRef::Name(name) => is_name(name),
    };
    columns.iter().filter(exact).cloned().collect()
}

impl Conditions {
    /// Whether the cells of a column say which split its rows belong to.
    pub(crate) fn says_splits(column: &Column) -> bool {
        says_splits(column)
    }

    /// Why a column is left out of a condition of all the others, if it is.
    pub(crate) fn leave_out(column: &Column) -> Option<String> {
        why_not(column)
    }
}

impl ColumnRef {
    /// The indices of these columns of a table; `key` names them in messages.
    ///
    /// # Errors
    /// Columns that are not there, that two have the name of, or that are named twice.
    pub(crate) fn indices(table: &Table, columns: &[Self], key: &str) -> Result<Vec<usize>> {
        pick(table, columns, key, &[])
    }

    /// Whether one of these means the column of this index and name.
    pub(crate) fn any(columns: &[Self], index: usize, name: Option<&str>) -> bool {
        mean(columns, index, name)
    }
}

fn twice(table: &Table, index: usize, key: &str, other: &str) -> Error {
    let title = table.columns().get(index).map_or(index.to_string(), Column::title);
    Error::input(format!(
        "data.{key}: found {title}, which is {other} too; expected other columns; take it out of one list"
    ))
}

/// The one column that this means.
///
/// # Errors
/// None, or several.
pub(super) fn one<'a>(table: &'a Table, column: &ColumnRef, key: &str) -> Result<&'a Column> {
    let found = pick(table, std::slice::from_ref(column), key, &[])?;
    match found[..] {
        [index] => table.columns().get(index).ok_or_else(|| no_column(table, index, key)),
        _ => Err(Error::input(format!(
            "data.{key}: found a pattern of {} columns; expected one column; name the one that is meant",
            found.len()
        ))),
    }
}

fn no_column(table: &Table, index: usize, key: &str) -> Error {
    let last = table.columns().len().saturating_sub(1);
    Error::input(format!(
        "data.{key}: found column {index}; expected 0 to {last}, the columns of {}; name one of them (`dgm-train data inspect FILE` lists them)",
        table.name()
    ))
}

/// The indices of columns, each named once; patterns leave `taken` out.
fn pick(table: &Table, columns: &[ColumnRef], key: &str, taken: &[usize]) -> Result<Vec<usize>> {
    let names = || table.columns().iter().filter_map(|column| column.name.as_deref());
    let mut picked = Vec::with_capacity(columns.len());
    for column in columns {
        let name = match column {
            ColumnRef::Index(index) if *index < table.columns().len() => {
                push(&mut picked, *index, table, key)?;
                continue;
            }
            ColumnRef::Index(index) => return Err(no_column(table, *index, key)),
            ColumnRef::Name(name) => name,
        };
        let has_name = |column: &&Column| column.name.as_deref() == Some(name);
        let found: Vec<usize> = table.columns().iter().filter(has_name).map(|column| column.index).collect();
        match found[..] {
            [index] => push(&mut picked, index, table, key)?,
            [] => {
                let pattern = pattern(name);
                let fits = |column: &&Column| {
                    let title = title(column.index, column.name.as_deref());
                    pattern.as_ref().is_some_and(|pattern| pattern.matches(&title))
                };
                let before = picked.len();
                let matches = table.columns().iter().filter(fits).map(|column| column.index);
                let matches: Vec<usize> = matches.filter(|index| !taken.contains(index)).collect();
                let new: Vec<usize> = matches.iter().copied().filter(|index| !picked.contains(index)).collect();
                picked.extend(new);
                if matches.is_empty() && before == picked.len() {
                    return Err(unknown(table, name, key, names().collect()));
                }
            }
            _ => {
                let indices = found.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ");
                return Err(Error::input(format!(
                    "data.{key}: the columns {indices} of {} are both called `{name}`; expected one; give the index of the one that is meant, such as \
                     data.{key} = [{}]",
                    table.name(),
                    found.first().copied().unwrap_or(0)
                )));
            }
        }
    }
    Ok(picked)
}

fn push(picked: &mut Vec<usize>, index: usize, table: &Table, key: &str) -> Result<()> {
    if picked.contains(&index) {
        let title = table.columns().get(index).map_or(index.to_string(), Column::title);
        return Err(Error::input(format!("data.{key}: found {title} twice; expected it once; take one out")));
    }
    picked.push(index);
    Ok(())
}

fn unknown(table: &Table, name: &str, key: &str, names: Vec<&str>) -> Error {
    if names.is_empty() {
        return Error::input(format!(
            "data.{key}: found the name `{name}`, but {} has no header; set data.header = true if its first line holds names, or give \
             the column's index",
            table.name()
        ));
    }
    let near = did_you_mean(name, names.iter().copied());
    Error::input(format!(
        "data.{key}: {} has no column `{name}`{near} (columns: {}); name one of them",
        table.name(),
        names.join(", ")
    ))
}

/// What a word of a split column says: 0 for training, 1 for validation, 2 for the test.
pub(super) fn split_of(word: &str) -> Option<usize> {
    match word.to_lowercase().as_str() {
        "train" | "training" => Some(0),
        "validation" | "valid" | "val" | "dev" | "eval" => Some(1),
        "test" | "testing" => Some(2),
        _ => None,
    }
}

/// Whether the cells of a column say which split its rows belong to, training and test among them.
fn says_splits(column: &Column) -> bool {
    let said: Option<Vec<usize>> = column.levels().iter().map(|word| split_of(word)).collect();
    column.missing == 0 && said.is_some_and(|said| said.contains(&0) && said.contains(&2))
}
