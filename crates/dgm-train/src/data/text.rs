//! `source = "text"`: a text file as windows of bytes or characters.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dgm_core::random::Seed;
use dgm_models::{DataSpec, Values};
use serde::{Deserialize, Serialize};

use super::file::{Fingerprint, Source};
use super::fraction::{part, tenth};
use super::store::{Store, View};
use super::{Dataset, Field, Split};
use crate::config::{Invalid, require};
use crate::error::{Error, Result};

/// The keys of `source = "text"`. The path is relative to the current folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// The text, plain or gzip.
    pub path: PathBuf,
    /// What one symbol is. Default: a character.
    #[serde(default)]
    pub unit: Unit,
    /// Symbols in one window, which is one example. Default: 64.
    #[serde(default = "sixty_four")]
    pub length: usize,
    /// The part of the text for validation, which stands before that for the test. Default: 0.1.
    #[serde(default = "tenth")]
    pub validation_fraction: f64,
    /// The part of the text for the test: its end. Default: 0.1.
    #[serde(default = "tenth")]
    pub test_fraction: f64,
}

/// What one symbol of a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A byte: 256 symbols, and any file will do.
    Bytes,
    /// A character (a Unicode scalar value) of UTF-8: the symbols are those of the training part, in the order of their
    /// code points, and one more for all others where validation or test have others.
    #[default]
    Characters,
}

fn sixty_four() -> usize {
    64
}

/// A symbol for a person: as it is where it can be seen, escaped where it cannot.
fn visible(character: char) -> String {
    match character {
        ' ' => " ".into(),
        _ if character.is_whitespace() || character.is_control() => character.escape_default().to_string(),
        _ => character.to_string(),
    }
}

/// Symbols as numbers, and what they stand for.
#[derive(Debug)]
pub(super) struct Tokens {
    symbols: Vec<u16>,
    /// In the order of the numbers.
    names: Vec<String>,
    /// How many symbols are none of the training part.
    unknown: usize,
}

impl Tokens {
    fn bytes(bytes: &[u8]) -> Self {
        let names = (0..=255u8).map(|byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => byte.escape_ascii().to_string(),
        });
        Self { symbols: bytes.iter().map(|&byte| u16::from(byte)).collect(), names: names.collect(), unknown: 0 }
    }

    /// Characters, where the first `train` of them make the vocabulary: more than 65535 of them are for the caller to
    /// refuse.
    fn characters(text: &str, train: usize) -> Self {
        // In order, and without a copy of the text that is four times as long.
        let vocabulary: Vec<char> = text.chars().take(train).collect::<BTreeSet<char>>().into_iter().collect();
        let mut unknown = 0;
        let symbol = |character: char| {
            let known = vocabulary.binary_search(&character);
            unknown += usize::from(known.is_err());
            known.unwrap_or(vocabulary.len()) as u16
        };
        let symbols = text.chars().map(symbol).collect();
        let mut names: Vec<String> = vocabulary.into_iter().map(visible).collect();
        if unknown > 0 {
            names.push("<unknown>".into());
        }
        Self { symbols, names, unknown }
    }
}

/// Where the training part ends and where the validation part does, of `n` symbols.
fn ends(n: usize, validation: f64, test: f64) -> [usize; 2] {
    let validation_end = n - part(n, test);
    [validation_end.saturating_sub(part(n, validation)), validation_end]
}

impl TextConfig {
    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        require((1..=1 << 20).contains(&self.length), "length", "a whole number from 1 to 1048576")?;
        let fraction = |value: f64, key| require(value > 0.0 && value < 1.0, key, "a number above 0 and below 1");
        fraction(self.validation_fraction, "validation_fraction")?;
        fraction(self.test_fraction, "test_fraction")?;
        let rest = self.validation_fraction + self.test_fraction < 1.0;
        require(rest, "test_fraction", "less than what data.validation_fraction leaves of 1: training needs some")
    }

    /// The symbols of the file, where each part ends, and the content's fingerprint.
    fn read(&self) -> Result<(Tokens, [usize; 2], String)> {
        let mut source = Source::open(&self.path, "path", "a text")?;
        let mut fingerprint = Fingerprint::default();
        let (tokens, ends) = match self.unit {
            Unit::Bytes => {
                let bytes = source.read_whole()?;
                fingerprint.update(&bytes);
                (Tokens::bytes(&bytes), ends(bytes.len(), self.validation_fraction, self.test_fraction))
            }
            Unit::Characters => {
                let text = source.read_text()?;
                fingerprint.update(text.as_bytes());
                let ends = ends(text.chars().count(), self.validation_fraction, self.test_fraction);
                (Tokens::characters(&text, ends[0]), ends)
            }
        };
        let parts =
            [("training", 0, ends[0]), ("validation", ends[0], ends[1]), ("test", ends[1], tokens.symbols.len())];
        if let Some((part, start, end)) = parts.into_iter().find(|(_, start, end)| end - start < self.length) {
            return Err(Error::input(format!(
                "{}: found {} symbols, {} of them for the {part} part; expected one window of data.length = {} there at \
                 least; give a longer text, a smaller data.length or other fractions",
                source.name(),
                tokens.symbols.len(),
                end - start,
                self.length
            )));
        }
        // Numbers of symbols travel as levels.
        if !(2..=65_536).contains(&tokens.names.len()) {
            return Err(Error::input(format!(
                "{}: found {} different characters; expected 2 to 65536; set data.unit = \"bytes\"",
                source.name(),
                tokens.names.len()
            )));
        }
        Ok((tokens, ends, fingerprint.finish()))
    }

    /// What each level stands for, as a person reads it: control characters are escaped.
    ///
    /// # Errors
    /// As for loading.
    pub fn symbols(&self) -> Result<Vec<String>> {
        Ok(self.read()?.0.names)
    }

    pub(super) fn load(&self, _: Seed) -> Result<Dataset> {
        let (tokens, [train, validation], fingerprint) = self.read()?;
        let parts = [0..train, train..validation, validation..tokens.symbols.len()];
        let [train, validation, test] = parts.map(|part| {
            let symbols = tokens.symbols.get(part).unwrap_or_default();
            let store = match tokens.names.len() {
                ..=256 => Store::bytes(1, symbols.iter().map(|&symbol| symbol as u8).collect()),
                _ => Store::words(1, symbols.to_vec()),
            };
            Split::new(Field::new(View::new(store.windows(self.length, self.length))), None)
        });
        let name = self.path.file_stem().map_or_else(|| "text".into(), |stem| stem.to_string_lossy().into_owned());
        let spec = DataSpec { shape: [1, 1, self.length], values: Values::Levels(tokens.names.len()), condition: None };
        let transforms = self.sentences(&tokens);
        Ok(Dataset { name, spec, train, validation, test, fingerprint, transforms, entropy: None })
    }

    /// What changes the meaning of a likelihood, in words.
    fn sentences(&self, tokens: &Tokens) -> Vec<String> {
        let unit = match self.unit {
            Unit::Bytes => "bytes",
            Unit::Characters => "characters",
        };
        let windows = format!(
            "text cut into windows of {} {unit}, each of which begins anew: nothing before its first symbol is known",
            self.length
        );
        // What fills no window is in no figure.
        let rest = match self.length - 1 {
            0 => String::new(),
            rest => format!("; the end of each part that fills no window is left out, at most {rest} {unit}"),
        };
        let windows = windows + &rest;
        let unknown = match tokens.unknown {
            0 => None,
            1 => Some("1 character of validation and test is not in the training part".to_owned()),
            n => Some(format!("{n} characters of validation and test are not in the training part")),
        };
        let unknown = unknown.map(|text| format!("{text}: the symbol <unknown> stands for any such"));
        [windows].into_iter().chain(unknown).collect()
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
