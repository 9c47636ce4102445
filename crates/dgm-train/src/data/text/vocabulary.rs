//! What the levels of a text stand for, and the way from text to levels and back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Unit;
use crate::error::{Error, Result};

/// What stands for a character that is not in the vocabulary, where it is written out.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The symbols of a text: level i of a target is symbol i.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    unit: Unit,
    /// In the order of their code points; none for bytes.
    #[serde(with = "in_one_string")]
    characters: Vec<char>,
    /// Whether the level behind the characters stands for all others.
    unknown: bool,
    /// Whether a newline ends an example.
    lines: bool,
}

/// Characters as the string of them.
mod in_one_string {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(characters: &[char], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&characters.iter().collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<char>, D::Error> {
        let characters: Vec<char> = String::deserialize(deserializer)?.chars().collect();
        if !characters.is_sorted_by(|a, b| a < b) {
            return Err(Error::custom(
                "the characters of a vocabulary: expected each once, in the order of their code points",
            ));
        }
        Ok(characters)
    }
}

/// A symbol for a person: as it is where it can be seen, escaped where it cannot.
fn visible(character: char) -> String {
    match character {
        ' ' => " ".into(),
        _ if character.is_whitespace() || character.is_control() => character.escape_default().to_string(),
        _ => character.to_string(),
    }
}

impl Vocabulary {
    /// The 256 bytes.
    pub(super) fn bytes() -> Self {
        Self { unit: Unit::Bytes, characters: Vec::new(), unknown: false, lines: false }
    }

    /// The characters that there are.
    pub(super) fn of(text: impl Iterator<Item = char>) -> Self {
        // In order, and without a copy of the text that is four times as long.
        let characters = text.collect::<BTreeSet<char>>().into_iter().collect();
        Self { unit: Unit::Characters, characters, ..Self::bytes() }
    }

    /// The level of a character; one behind the last where it is none of the vocabulary.
    pub(super) fn number(&self, character: char) -> usize {
        match self.unit {
            Unit::Bytes => character as usize,
            Unit::Characters => self.characters.binary_search(&character).unwrap_or(self.characters.len()),
        }
    }

    /// Whether the level behind the characters stands for all others.
    pub(super) fn with_unknown(mut self, unknown: bool) -> Self {
        self.unknown = unknown;
        self
    }

    /// Whether a newline ends an example.
    pub(super) fn of_lines(mut self, lines: bool) -> Self {
        self.lines = lines;
        self
    }

    /// Number of levels.
    #[allow(clippy::len_without_is_empty)] // two levels at least
    pub fn len(&self) -> usize {
        match self.unit {
            Unit::Bytes => 256,
            Unit::Characters => self.characters.len() + usize::from(self.unknown),
        }
    }

    /// The level that ends an example: the newline, where every line is an example.
    pub fn end(&self) -> Option<usize> {
        self.lines.then(|| self.number('\n'))
    }

    /// What each level stands for, as a person reads it: control characters are escaped.
    pub fn names(&self) -> Vec<String> {
        let byte = |byte: u8| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => byte.escape_ascii().to_string(),
        };
        match self.unit {
            Unit::Bytes => (0..=255u8).map(byte).collect(),
            Unit::Characters => {
                let unknown = self.unknown.then(|| "<unknown>".to_owned());
                self.characters.iter().copied().map(visible).chain(unknown).collect()
            }
        }
    }

    /// The levels of a text, one for each of its bytes or characters.
    ///
    /// # Errors
    ///
    /// A character that is not in the vocabulary, where none of its symbols is `<unknown>`.
    pub fn encode(&self, text: &str) -> Result<Vec<f32>> {
        let level = |character: char| match self.number(character) {
            level if level < self.len() => Ok(level as f32),
            _ => Err(Error::input(format!(
                "the character {character:?} does not occur in the training text, so it has no level; expected one of \
                 its {} characters; leave it out or replace it",
                self.len()
            ))),
        };
        match self.unit {
            Unit::Bytes => Ok(text.bytes().map(f32::from).collect()),
            Unit::Characters => text.chars().map(level).collect(),
        }
    }

    /// The first character of a text that `<unknown>` stands for.
    pub fn unknown_in(&self, text: &str) -> Option<char> {
        text.chars().find(|&character| self.unknown && self.number(character) == self.characters.len())
    }

    /// The text that levels stand for, as it is written to a file: a byte each, or the UTF-8 of a character each. What
    /// stands for no character (`<unknown>`) is written as U+FFFD.
    pub fn decode(&self, levels: &[f32]) -> Vec<u8> {
        match self.unit {
            Unit::Bytes => levels.iter().map(|&level| level as u8).collect(),
            Unit::Characters => {
                let character = |&level: &f32| self.characters.get(level as usize).copied().unwrap_or(REPLACEMENT);
                levels.iter().map(character).collect::<String>().into_bytes()
            }
        }
    }
}
