//! How a table is written: what the keys of `[data]` say, and what was recognised.

use serde::de::value::{BoolDeserializer, StrDeserializer};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::number::Style;
use crate::data::encoding::TextEncoding;

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// `","`
    #[serde(rename = ",")]
    Comma,
    /// `";"`
    #[serde(rename = ";")]
    Semicolon,
    /// `"tab"`
    #[serde(rename = "tab")]
    Tab,
    /// `"|"`
    #[serde(rename = "|")]
    Pipe,
    /// `"whitespace"`: any number of spaces and tabs.
    #[serde(rename = "whitespace")]
    Whitespace,
}

impl Delimiter {
    /// In messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comma => "`,`",
            Self::Semicolon => "`;`",
            Self::Tab => "tab",
            Self::Pipe => "`|`",
            Self::Whitespace => "whitespace",
        }
    }
}

/// What stands before the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decimal {
    /// `"."`
    #[serde(rename = ".")]
    Point,
    /// `","`
    #[serde(rename = ",")]
    Comma,
}

/// What stands between the groups of three digits of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thousands {
    /// `"none"`
    #[serde(rename = "none")]
    None,
    /// `","`
    #[serde(rename = ",")]
    Comma,
    /// `"."`
    #[serde(rename = ".")]
    Point,
    /// `" "`: a space of any width, breaking or not.
    #[serde(rename = " ")]
    Space,
    /// `"'"`
    #[serde(rename = "'")]
    Apostrophe,
}

impl Thousands {
    /// In messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Comma => "`,`",
            Self::Point => "`.`",
            Self::Space => "a space",
            Self::Apostrophe => "`'`",
        }
    }
}

/// What a comment line starts with, such as `"#"` or `"//"`; empty (`"none"`): there are no comments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Comment(String);

impl Comment {
    /// The start of a comment line; empty where there are no comments.
    pub fn start(&self) -> &str {
        &self.0
    }
}

impl From<String> for Comment {
    fn from(start: String) -> Self {
        Self(if start == "none" { String::new() } else { start.trim().to_owned() })
    }
}

impl From<Comment> for String {
    fn from(comment: Comment) -> Self {
        if comment.0.is_empty() { "none".into() } else { comment.0 }
    }
}

/// `"auto"`, or a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// It is recognised.
    #[default]
    Auto,
    /// It is given.
    Set(T),
}

impl<T> Auto<T> {
    /// The value, where it is given.
    pub fn set(self) -> Option<T> {
        match self {
            Self::Auto => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<T: Copy + PartialEq> Auto<T> {
    /// Whether this value is allowed: nothing is given, or this.
    pub(super) fn allows(self, value: T) -> bool {
        self.set().is_none_or(|given| given == value)
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Auto<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("\"auto\" or a value")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Auto<T>, E> {
                if text == "auto" {
                    return Ok(Auto::Auto);
                }
                let value = T::deserialize(StrDeserializer::<E>::new(text));
                value.map(Auto::Set).map_err(|error| E::custom(format!("{error}, or \"auto\"")))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Auto<T>, E> {
                T::deserialize(BoolDeserializer::<E>::new(value)).map(Auto::Set)
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData)).map_err(D::Error::custom)
    }
}

/// How a table is written, as far as it is given; the rest is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What stands between two cells: `","`, `";"`, `"tab"`, `"|"` or `"whitespace"`.
    pub delimiter: Auto<Delimiter>,
    /// Whether the first row holds the names of the columns.
    pub header: Auto<bool>,
    /// What stands before the fraction of a number: `"."` or `","`.
    pub decimal: Auto<Decimal>,
    /// What stands between groups of three digits: `"none"`, `","`, `"."`, `" "` or `"'"`.
    pub thousands: Auto<Thousands>,
    /// What a comment line starts with, such as `"#"`; `"none"`: there are no comments.
    pub comment: Auto<Comment>,
    /// The encoding of the text.
    pub encoding: Auto<TextEncoding>,
    /// Cells that are missing values, beside the usual ones.
    pub missing_values: Vec<String>,
}

/// How a table is written, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands between two cells.
    pub delimiter: Delimiter,
    /// Whether the columns have names.
    pub header: bool,
    /// What stands before the fraction of a number.
    pub decimal: Decimal,
    /// What stands between groups of three digits.
    pub thousands: Thousands,
    /// What a comment line starts with.
    pub comment: Comment,
    /// The encoding of the text.
    pub encoding: TextEncoding,
}

impl Dialect {
    pub(super) fn style(&self) -> Style {
        Style { decimal: self.decimal, thousands: self.thousands }
    }

    /// The options that say all this: with them the same table is read again without recognising anything.
    pub fn options(&self, missing_values: Vec<String>) -> Options {
        Options {
            delimiter: Auto::Set(self.delimiter),
            header: Auto::Set(self.header),
            decimal: Auto::Set(self.decimal),
            thousands: Auto::Set(self.thousands),
            comment: Auto::Set(self.comment.clone()),
            encoding: Auto::Set(self.encoding),
            missing_values,
        }
    }
}
