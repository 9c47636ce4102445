//! `source = "text"`: a text file as windows or lines of bytes or characters.

mod newlines;
mod passages;
mod vocabulary;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use dgm_core::random::Seed;
use dgm_models::{DataSpec, Values};
use serde::{Deserialize, Serialize};

use self::newlines::{Changed, text_to_lf, to_lf};
use self::passages::{Cut, Lines, Masks, Passages, Symbols, Targets};
use super::encoding::{Choice, TextEncoding};
use super::file::{FileReader, Fingerprint};
use super::fraction::{part, tenth};
use super::store::View;
use super::{Dataset, Field, Split, Tokens, VisitPath};
use crate::check::{Invalid, require};
use crate::error::{Error, Result};

pub use self::newlines::Newlines;
pub use self::vocabulary::Vocabulary;

/// The keys of `source = "text"`. A relative path is relative to the configuration's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// The text, plain or gzip.
    pub path: PathBuf,
    /// What one symbol is. Default: a character.
    #[serde(default)]
    pub unit: Unit,
    /// Encoding of the text, such as `"windows-1252"`. Default: UTF-8, or UTF-16 where the file shows that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// What becomes of CRLF and CR. Default: they become LF; windows of bytes are the file as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newlines: Option<Newlines>,
    /// What one example is. Default: a window.
    #[serde(default)]
    pub examples: Examples,
    /// Symbols of one example, at most: of a window those that are scored; of a line all, its prefix among them. Default: 64.
    #[serde(default = "sixty_four")]
    pub length: usize,
    /// Symbols before each window that are given, where there are so many: see [`Examples::Windows`]. Default: 0.
    #[serde(default)]
    pub context: usize,
    /// Training windows begin at another place each epoch: all of them moved by one number of symbols, drawn anew.
    /// Default: false.
    #[serde(default)]
    pub shift_windows: bool,
    /// The symbols of a line up to and including the first of these are given, not scored; a line without it is scored
    /// whole. Default: all lines are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_until: Option<char>,
    /// The part of the text (of its lines, where they are the examples) for validation: its beginning, so that the
    /// training part reaches up to the test. Default: 0.1.
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

impl Unit {
    /// The name of one: "byte" or "character".
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "byte",
            Self::Characters => "character",
        }
    }
}

/// What one example of a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Examples {
    /// Windows, which follow each other.
    ///
    /// In validation and test each symbol is scored exactly once: `length` of them per window, given up to `context` symbols
    /// before them: those of the test's first window are the end of training; validation begins the text, and before its
    /// first window there is nothing. The last window of a part is padded. Training is cut into windows of context + length symbols, all of which are scored, given those before them
    /// in the window: each symbol once per epoch.
    #[default]
    Windows,
    /// Lines, each ended by its newline, which is scored as its end: so the probabilities of all texts of a line add up to
    /// one. Then padding up to `length` symbols; longer lines are cut there, empty ones left out. The parts are lines in the
    /// order of the file.
    Lines,
}

fn sixty_four() -> usize {
    64
}

/// A text that was read.
struct Text {
    symbols: Symbols,
    vocabulary: Vocabulary,
    /// How many symbols are none of the training part.
    unknown: usize,
    layout: Layout,
    newlines: Changed,
    fingerprint: String,
}

/// How a text becomes examples.
enum Layout {
    Windows(Parts),
    Lines(Lines, Parts),
}

/// Where training, validation and test lie: places of symbols, or numbers of lines.
///
/// The beginning of the text is for validation, what follows it for training, its end for the test. A text drifts (scenes,
/// names, subjects): what stands right before the test resembles it most, and belongs to training.
struct Parts {
    train: Range<usize>,
    validation: Range<usize>,
    test: Range<usize>,
}

impl Parts {
    /// Of `n` symbols or lines.
    fn of(n: usize, validation: f64, test: f64) -> Self {
        let test = n - part(n, test);
        let validation = part(n, validation).min(test);
        Self { train: validation..test, validation: 0..validation, test: test..n }
    }
}

/// Nothing is given by this prefix.
fn no_prefix(name: &str, prefix: char) -> Error {
    Error::input(format!(
        "{name}: no line for training has a {prefix:?}; set data.prefix_until to a character that ends the beginning of \
         lines, or leave it out"
    ))
}

impl Layout {
    /// Where the symbols of the training part of a text of `n` symbols are.
    fn train(&self, n: usize) -> Range<usize> {
        match self {
            Self::Windows(parts) => parts.train.clone(),
            Self::Lines(lines, Parts { train, .. }) => {
                let start = |line: usize| lines.starts.get(line).map_or(n, |&start| start as usize);
                start(train.start)..start(train.end)
            }
        }
    }
}

impl TextConfig {
    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        visit("path", Some(&mut self.path))
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        require((1..=1 << 20).contains(&self.length), "length", "a whole number from 1 to 1048576")?;
        require(self.context <= 1 << 20, "context", "a whole number from 0 to 1048576")?;
        let named = self.encoding.is_none() || self.unit == Unit::Characters;
        require(named, "encoding", "left out beside data.unit = \"bytes\", which takes the file as it is")?;
        let lines = self.examples == Examples::Lines;
        let what = "0 beside data.examples = \"lines\": nothing before a line is given";
        require(!lines || self.context == 0, "context", what)?;
        let what = "false beside data.examples = \"lines\": a line begins where it begins";
        require(!lines || !self.shift_windows, "shift_windows", what)?;
        if let Some(prefix) = self.prefix_until {
            require(lines, "prefix_until", "left out, or data.examples = \"lines\" beside it")?;
            require(prefix != '\n', "prefix_until", "another character than the newline, which ends a line")?;
            let byte = self.unit == Unit::Characters || prefix.is_ascii();
            require(byte, "prefix_until", "an ASCII character beside data.unit = \"bytes\"")?;
        }
        let fraction = |value: f64, key| require(value > 0.0 && value < 1.0, key, "a number above 0 and below 1");
        fraction(self.validation_fraction, "validation_fraction")?;
        fraction(self.test_fraction, "test_fraction")?;
        let rest = self.validation_fraction + self.test_fraction < 1.0;
        require(rest, "test_fraction", "less than what data.validation_fraction leaves of 1: training needs some")
    }

    /// Symbols of an example, given and scored.
    fn width(&self) -> usize {
        self.context + self.length
    }

    /// Whether CRLF and CR become LF. Bytes in windows may be any file, also one in which they mean something else.
    fn takes_newlines(&self) -> bool {
        match self.newlines {
            Some(newlines) => newlines == Newlines::Lf,
            None => self.unit == Unit::Characters || self.examples == Examples::Lines,
        }
    }

    fn read(&self) -> Result<Text> {
        let mut source = FileReader::open(&self.path, "path", "a text")?;
        let mut fingerprint = Fingerprint::default();
        // The last line may end without a newline.
        let lines = self.examples == Examples::Lines;
        let mut newlines = Changed::default();
        let (symbols, vocabulary, unknown, layout) = match self.unit {
            Unit::Bytes => {
                let mut bytes = source.read_whole()?;
                if self.takes_newlines() {
                    newlines = to_lf(&mut bytes);
                }
                fingerprint.update(&bytes);
                if lines && bytes.last().is_some_and(|&last| last != b'\n') {
                    bytes.push(b'\n');
                }
                let layout = self.layout(source.name(), bytes.len(), bytes.iter().map(|&byte| char::from(byte)))?;
                (Symbols::Bytes(Arc::new(bytes)), Vocabulary::bytes(), 0, layout)
            }
            Unit::Characters => {
                let mut text = source.read_text_as(Choice::Key(self.encoding))?;
                if self.takes_newlines() {
                    (text, newlines) = text_to_lf(text);
                }
                fingerprint.update(text.as_bytes());
                if lines && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                let n = text.chars().count();
                let layout = self.layout(source.name(), n, text.chars())?;
                let train = layout.train(n);
                let vocabulary = Vocabulary::of(text.chars().skip(train.start).take(train.len()));
                let known = vocabulary.len();
                // One more may stand for all others. Numbers of symbols travel as levels.
                if !(2..65_536).contains(&known) {
                    return Err(Error::input(format!(
                        "{}: found {known} different characters in the training part; expected 2 to 65535; set \
                         data.unit = \"bytes\"",
                        source.name()
                    )));
                }
                if let Some(prefix) = self.prefix_until.filter(|&prefix| vocabulary.number(prefix) == known) {
                    return Err(no_prefix(source.name(), prefix));
                }
                let mut unknown = 0;
                let numbers = text.chars().map(|character| {
                    let number = vocabulary.number(character);
                    unknown += usize::from(number == known);
                    number
                });
                let symbols = match known {
                    ..=255 => Symbols::Bytes(Arc::new(numbers.map(|number| number as u8).collect())),
                    _ => Symbols::Words(Arc::new(numbers.map(|number| number as u16).collect())),
                };
                (symbols, vocabulary.with_unknown(unknown > 0), unknown, layout)
            }
        };
        let vocabulary = vocabulary.of_lines(lines);
        Ok(Text { symbols, vocabulary, unknown, layout, newlines, fingerprint: fingerprint.finish() })
    }

    /// Where the parts and the examples of a text of `n` symbols are.
    fn layout(&self, name: &str, n: usize, text: impl Iterator<Item = char>) -> Result<Layout> {
        let (validation, test) = (self.validation_fraction, self.test_fraction);
        if self.examples == Examples::Windows {
            let parts = Parts::of(n, validation, test);
            if parts.train.len() < self.width() {
                let window = if self.context > 0 { "data.context + data.length" } else { "data.length" };
                return Err(Error::input(format!(
                    "{name}: found {n} symbols, {} of them for the training part; expected one window of {window} = {} \
                     there at least; give a longer text, smaller windows or other fractions",
                    parts.train.len(),
                    self.width()
                )));
            }
            return Ok(Layout::Windows(parts));
        }
        let lines = Lines::of(text, self.prefix_until, self.length);
        let parts = Parts::of(lines.starts.len(), validation, test);
        if lines.starts.is_empty() && lines.all_given > 0 {
            return Err(Error::input(format!(
                "{name}: found {} lines, whose prefix alone fills data.length = {}; expected room for what follows it; raise \
                 data.length",
                lines.all_given, self.length
            )));
        }
        if parts.train.is_empty() {
            return Err(Error::input(format!(
                "{name}: found {} lines with something to score, {} of them for the training part; expected one there at \
                 least; give a longer text or other fractions",
                lines.starts.len(),
                parts.train.len()
            )));
        }
        if let Some(prefix) = self.prefix_until
            && lines.without_prefix == lines.starts.len()
        {
            return Err(no_prefix(name, prefix));
        }
        Ok(Layout::Lines(lines, parts))
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let text = self.read()?;
        let [train, validation, test] = self.passages(&text, seed).map(Arc::new);
        let transforms = self.sentences(&text, [&train, &validation, &test]);
        let name = self.path.file_stem().map_or_else(|| "text".into(), |stem| stem.to_string_lossy().into_owned());
        let shape = [1, 1, self.width()];
        let spec = DataSpec { shape, values: Values::Levels(text.vocabulary.len()), condition: None };
        let splits = [train, validation, test].map(|passages| self.split(passages));
        let dataset = Dataset::new(name, spec, splits, text.fingerprint);
        Ok(Dataset { transforms, vocabulary: Some(text.vocabulary), ..dataset })
    }

    /// The examples of training, validation and test.
    fn passages(&self, text: &Text, seed: Seed) -> [Passages; 3] {
        let of = |part, cut| Passages { symbols: text.symbols.clone(), part, width: self.width(), cut };
        match &text.layout {
            Layout::Windows(Parts { train, validation, test }) => {
                let shift = self.shift_windows.then_some(seed);
                let scored = Cut::Scored { context: self.context, length: self.length };
                [
                    of(train.clone(), Cut::Training { length: self.width(), shift }),
                    of(validation.clone(), scored.clone()),
                    of(test.clone(), scored),
                ]
            }
            Layout::Lines(Lines { starts, .. }, Parts { train, validation, test }) => {
                let prefix = self.prefix_until.map(|prefix| text.vocabulary.number(prefix));
                let end = text.vocabulary.number('\n');
                let n = text.symbols.len();
                [train, validation, test].map(|rows| {
                    let starts = starts.get(rows.clone()).unwrap_or_default().to_vec();
                    of(0..n, Cut::Lines { starts, end, prefix, most: self.length })
                })
            }
        }
    }

    fn split(&self, passages: Arc<Passages>) -> Split {
        let tokens = Tokens { unit: self.unit, scored: passages.scored(0) as u64 };
        let (rows, width) = (passages.rows(), passages.width);
        let mask = passages.is_masked().then(|| Field::new(View::new(rows, width, Masks(passages.clone()))));
        Split::new(Field::new(View::new(rows, width, Targets(passages))), None).with_tokens(tokens, mask)
    }

    /// What changes the meaning of a likelihood, in words.
    fn sentences(&self, text: &Text, parts: [&Passages; 3]) -> Vec<String> {
        let Self { length, context, .. } = self;
        let units = format!("{}s", self.unit.name());
        let mut sentences: Vec<String> = text.newlines.sentence().into_iter().collect();
        match &text.layout {
            Layout::Windows(_) if self.context == 0 => sentences.push(format!(
                "text cut into windows of {length} {units}, each of which begins anew: nothing before its first symbol is \
                 known"
            )),
            Layout::Windows(_) => sentences.push(format!(
                "text cut into windows: in validation and test {length} {units} are scored given up to {context} \
                 before them, in training all {} given those before them in the window",
                self.width()
            )),
            Layout::Lines(lines, _) => {
                let what = "each line is an example, scored up to and including the newline that ends it";
                sentences.push(format!("{what}; empty lines are left out"));
                let all = lines.starts.len();
                let cut = parts.map(Passages::cut_short);
                if cut.iter().sum::<usize>() > 0 {
                    sentences.push(format!(
                        "{} of {all} lines ({} of the test's {}) are cut at {length} {units}: what follows is in no result",
                        cut.iter().sum::<usize>(),
                        cut[2],
                        parts[2].rows()
                    ));
                }
                if let Some(prefix) = self.prefix_until {
                    let without = lines.without_prefix;
                    let mut text = format!("each line up to and including its first {prefix:?} is given, not scored");
                    if without > 0 {
                        text.push_str(&format!("; lines without one, scored whole: {without} of {all}"));
                    }
                    if lines.all_given > 0 {
                        text.push_str(&format!(
                            "; lines left out, whose prefix alone fills {length} {units}: {} beside those {all}",
                            lines.all_given
                        ));
                    }
                    sentences.push(text);
                }
            }
        }
        match text.unknown {
            0 => {}
            n => {
                let (what, are) = if n == 1 { ("character", "is") } else { ("characters", "are") };
                sentences.push(format!(
                    "{n} {what} of validation and test {are} not in the training part: the symbol <unknown> stands for any \
                     such"
                ));
            }
        }
        sentences
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
