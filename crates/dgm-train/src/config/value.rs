//! TOML values for serde. An error knows the key that it is about, where that stands and what is wrong, so that its message can be
//! written from the parts.

use std::fmt::Display;
use std::ops::Range;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::did_you_mean;

/// The keys that pick a variant. serde holds the other keys of their table back until it has seen this one, and forgets where they stand.
const TAGS: [&str; 5] = ["kind", "source", "schedule", "policy", "type"];

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Problem {
    UnknownKey { key: String, allowed: &'static [&'static str] },
    UnknownName { name: String, known: &'static [&'static str] },
    MissingKey(&'static str),
    Type { found: String, expected: String },
    Other(String),
}

/// A value that could not be read.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    problem: Problem,
    /// From the value that was read down to what the problem is about; of an unknown or missing key the table.
    keys: Vec<String>,
    span: Option<Range<usize>>,
}

impl Fault {
    fn new(problem: Problem) -> Self {
        Self { problem, keys: Vec::new(), span: None }
    }

    /// With this position, where it has none yet.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// As a problem of the value of this key.
    fn within(mut self, key: &str) -> Self {
        self.keys.insert(0, key.to_owned());
        self
    }

    /// Where it stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone().unwrap_or_default()
    }

    /// One line; `path` leads to the value that was read, which as a table is called `label` and has the keys `more` besides those that
    /// serde knows.
    pub(super) fn explain(&self, path: &str, label: &str, more: &[&str]) -> String {
        let here = [&[path.to_owned()], &*self.keys].concat().join(".");
        let table = if self.keys.is_empty() { label } else { &here };
        match &self.problem {
            Problem::UnknownKey { key, allowed } => {
                let more = if self.keys.is_empty() { more } else { &[] };
                let allowed = [more, *allowed].concat();
                let near = did_you_mean(key, allowed.iter().copied());
                let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
                format!("unknown key `{key}` in {table}{near} (allowed: {allowed}); rename it or take it out")
            }
            Problem::UnknownName { name, known } => {
                let near = did_you_mean(name, known.iter().copied());
                format!("{here}: there is no `{name}`{near} (known: {}); name one of them", known.join(", "))
            }
            Problem::MissingKey(key) => format!("{table} needs the key `{key}`; set it"),
            Problem::Type { found, expected } => format!("{here}: found {found}; expected {expected}"),
            Problem::Other(message) => format!("{here}: {}", message.replace('\n', " ")),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.explain("value", "the table", &[]))
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Float(value) => format!("{value:?}"),
            Unexpected::Str(text) => format!("{text:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        Self::new(Problem::Type { found, expected: in_words(&expected.to_string()).to_owned() })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownName { name: name.to_owned(), known })
    }

    fn unknown_field(key: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey { key: key.to_owned(), allowed })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::MissingKey(key))
    }
}

/// What Rust calls a type, as a person would say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "variant identifier" => "the name of a kind",
        "path string" => "a path (a string)",
        name if name.starts_with("struct ") => "a table, { key = value, … }",
        name if name.starts_with("enum ") => "a name, in quotes",
        other => other,
    }
}

/// A value, as serde reads it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de>(pub(super) &'de Spanned<DeValue<'de>>);

/// What `read` makes of a value; where it cannot, the fault stands at the innermost key.
pub(super) fn read<T>(
    value: &Spanned<DeValue<'_>>,
    read: &impl Fn(Reader<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    read(Reader(value)).map_err(|mut fault| {
        while let Some((key, span)) = culprit(value, &fault, read) {
            fault.span = Some(span);
            match &fault.problem {
                Problem::UnknownKey { key: unknown, .. } if *unknown == key => break,
                _ => fault.keys.push(key),
            }
        }
        fault
    })
}

/// The key that the fault is about, of a table that was held back: the fault then stands at the table. serde reads the keys in their order,
/// so it is the last of the first few with which the fault is the same.
fn culprit<T>(
    value: &Spanned<DeValue<'_>>,
    fault: &Fault,
    read: &impl Fn(Reader<'_>) -> Result<T, Fault>,
) -> Option<(String, Range<usize>)> {
    let held_back = value_at(value, &fault.keys)?;
    let table = held_back.get_ref().as_table()?;
    if fault.span != Some(held_back.span()) || matches!(fault.problem, Problem::MissingKey(_)) {
        return None;
    }
    let others = |name: &&str| !TAGS.contains(name);
    let names: Vec<&str> = table.keys().map(|key| &**key.get_ref()).filter(others).collect();
    let is_same = |first: usize| {
        let mut value = value.clone();
        let rest = names.get(first..).unwrap_or_default();
        rest.iter().for_each(|name| drop(table_at(&mut value, &fault.keys).and_then(|table| table.remove(*name))));
        read(Reader(&value)).is_err_and(|other| other.problem == fault.problem)
    };
    let (mut low, mut high) = (0, names.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if is_same(middle) { high = middle } else { low = middle + 1 }
    }
    let name = *names.get(high.checked_sub(1)?)?;
    let (key, value) = table.get_key_value(name)?;
    let is_key = matches!(&fault.problem, Problem::UnknownKey { key, .. } if key == name);
    Some((name.to_owned(), if is_key { key.span() } else { value.span() }))
}

/// The value that the keys lead to.
fn value_at<'t, 'de>(value: &'t Spanned<DeValue<'de>>, keys: &[String]) -> Option<&'t Spanned<DeValue<'de>>> {
    keys.iter().try_fold(value, |value, key| value.get_ref().as_table()?.get(&**key))
}

/// The table that the keys lead to.
fn table_at<'t, 'de>(value: &'t mut Spanned<DeValue<'de>>, keys: &[String]) -> Option<&'t mut DeTable<'de>> {
    let DeValue::Table(table) = value.get_mut() else { return None };
    match keys.split_first() {
        Some((key, rest)) => table_at(table.get_mut(&**key)?, rest),
        None => Some(table),
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let too_long = |found: &dyn Display| {
            Err(Fault::new(Problem::Type { found: found.to_string(), expected: "a number of fewer digits".into() }))
        };
        let result = match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(number) => {
                let (digits, radix) = (number.as_str(), number.radix());
                match (i64::from_str_radix(digits, radix), u64::from_str_radix(digits, radix)) {
                    (Ok(value), _) => visitor.visit_i64(value),
                    (_, Ok(value)) => visitor.visit_u64(value),
                    _ => too_long(number),
                }
            }
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(value) if !value.is_infinite() || number.as_str().contains("inf") => visitor.visit_f64(value),
                _ => too_long(number),
            },
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Datetime(_) => Err(Fault::invalid_type(Unexpected::Other("a date"), &visitor)),
            DeValue::Array(items) => visitor.visit_seq(Items(items.iter())),
            DeValue::Table(table) => visitor.visit_map(Entries { rest: table.iter(), next: None }),
        };
        result.map_err(|fault: Fault| fault.at(self.0.span()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self).map_err(|fault: Fault| fault.at(self.0.span()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault: Fault| fault.at(self.0.span()))
    }

    /// A list of so many values: visitors read as many as they want, and look no further.
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        match self.0.get_ref() {
            DeValue::Array(items) if items.len() != len => {
                let list = |n: usize| format!("a list of {n} value{}", if n == 1 { "" } else { "s" });
                Err(Fault::new(Problem::Type { found: list(items.len()), expected: list(len) }).at(self.0.span()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.get_ref() {
            DeValue::String(name) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(name)).map_err(|fault: Fault| fault.at(self.0.span()))
            }
            DeValue::Table(table) if table.len() == 1 => {
                let entry = Entries { rest: table.iter(), next: None };
                visitor.visit_enum(MapAccessDeserializer::new(entry)).map_err(|fault: Fault| fault.at(self.0.span()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple_struct map
        struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Spanned<DeValue<'de>>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let item = |item| seed.deserialize(Reader(item)).map_err(|fault| fault.at(item.span()));
        self.0.next().map(item).transpose()
    }
}

struct Entries<'de> {
    rest: toml::map::Iter<'de, Spanned<DeString<'de>>, Spanned<DeValue<'de>>>,
    next: Option<(&'de str, Reader<'de>)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.next = Some((key.get_ref(), Reader(value)));
        let name = seed.deserialize(BorrowedStrDeserializer::new(key.get_ref()));
        name.map(Some).map_err(|fault: Fault| fault.at(key.span()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.next.take() else { return Err(Fault::custom("a value before its key")) };
        // A check of what was read knows no place.
        seed.deserialize(value).map_err(|fault| fault.at(value.0.span()).within(key))
    }
}
