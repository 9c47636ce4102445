//! Every refusal says what to do: a scan of the sources for the messages of bad input, each of which needs a remedy.
//!
//! A message has a remedy where one of its clauses begins with an imperative of `VERBS`, or where it shows one of `CARRIERS`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::{fs, path::Path};

/// What the literals of a message stand in. Closures that add a place to a message count too.
const REFUSALS: [&str; 4] = ["Error::input(", "ModelError::Data(", ".error(", "#[error("];

/// Functions that build a message, or its end, for a refusal elsewhere: their longer literals are messages.
const BUILDERS: [&str; 6] = ["expand_home", "explain", "of_version", "other_kind", "ragged", "too_large_to_unpack"];

const VERBS: &str = "add begin build change check choose close convert copy download fetch fill finish fix give install \
    leave let lower make move name put raise remove rename replace restore resume run save set sort start subtract take train \
    unpack use wait write";

/// Placeholders that hold a remedy.
const CARRIERS: [&str; 4] = ["{advice}", "{again}", "{instead}", "{to_do}"];

/// Refusals without a remedy of their own: file, message, reason.
const EXCEPTIONS: [(&str, &str, &str); 22] = [
    ("dgm-train/src/predict/impute.rs", "{file}:{line}: {problem}", WHOLE),
    ("dgm-train/src/cli/sample.rs", "--given {text}: {problem}", WHOLE),
    ("dgm-train/src/data/table/rows.rs", "{}:{line}: {what}", WHOLE),
    ("dgm-train/src/predict/table.rs", "{file}:{line}: {problem}", WHOLE),
    ("dgm-train/src/score/table.rs", "{file}:{line}: {problem}", WHOLE),
    ("dgm-train/src/predict/table.rs", "{file}: found no column `{name}`{near}; expected {why}", WHOLE),
    ("dgm-models/src/error.rs", "`model.{key}` is {found}, expected {expected}", RANGE),
    ("dgm-train/src/config/parse.rs", "{path} is {}; expected {expected}", RANGE),
    ("dgm-train/src/config/parse.rs", "{path}: expected {expected}", RANGE),
    ("dgm-train/src/config/value.rs", "{here}: found {found}; expected {expected}", RANGE),
    ("dgm-models/src/error.rs", "`objective.{key}` needs {needs}", "what to do is part of what is needed"),
    ("dgm-models/src/error.rs", "{0}", WHOLE),
    ("dgm-train/src/error.rs", "{0}", WHOLE),
    ("dgm-train/src/run/mod.rs", "{place}{error}{}", WHOLE),
    ("dgm-train/src/guess.rs", "{name}{rest}", WHOLE),
    ("dgm-train/src/train/mod.rs", "{}: {error}", WHOLE),
    ("dgm-train/src/checkpoint/mod.rs", "{name}: {error}", WHOLE),
    ("dgm-train/src/train/check.rs", "{place}{error}", WHOLE),
    ("dgm-train/src/train/state.rs", "error.to_string()", WHOLE),
    ("dgm-train/src/train/step.rs", "error.to_string()", "what matches nothing is refused before training"),
    ("dgm-train/src/config/file.rs", "map_err(fail)", "the message is that of `expand_home`"),
    ("dgm-train/src/data/encoding.rs", "{name}: {what}", "the remedy is in the text of `other_kind`"),
];
const RANGE: &str = "the values that the key takes are named: set it to one of them";
const WHOLE: &str = "a place is put before a refusal that is in this scan by itself";

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Word(String),
    Sign(char),
    Text(String),
}

/// The pieces of a source with their lines, without comments and test modules; of a literal, its lines joined.
struct Pieces(Vec<(usize, Piece)>);

impl Pieces {
    fn of(source: &str) -> Self {
        let mut pieces = Self::with_tests(source);
        let tests = pattern("#[cfg(test)] mod");
        while let Some(start) = (0..pieces.0.len()).find(|&i| pieces.fits(i, &tests)) {
            let end = pieces.body(start + tests.len());
            pieces.0.drain(start..=end);
        }
        pieces
    }

    fn with_tests(source: &str) -> Self {
        let chars: Vec<char> = source.chars().collect();
        let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
        let is_word = |i: usize| at(i).is_alphanumeric() || at(i) == '_';
        // The first place from `i` on where this holds.
        let until =
            |i: usize, holds: &dyn Fn(usize) -> bool| (i..chars.len()).find(|&i| holds(i)).unwrap_or(chars.len());
        let (mut found, mut i, mut line) = (Vec::new(), 0, 1);
        while i < chars.len() {
            let start = i;
            let piece = if at(i) == '/' && at(i + 1) == '/' {
                i = until(i, &|i| at(i) == '\n');
                None
            } else if at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
                i = 1 + until(i + 3 - usize::from(at(i + 1) != '\\'), &|i| at(i) == '\'');
                None
            } else if at(i) == 'r' && matches!((at(i + 1), at(i + 2)), ('"', _) | ('#', '"')) {
                let hashed = at(i + 1) == '#';
                let close = until(i + 3, &|i| at(i) == '"' && (!hashed || at(i + 1) == '#'));
                i = close + 1 + usize::from(hashed);
                Some(Piece::Text(chars[start + 2..close].iter().collect()))
            } else if at(i) == '"' {
                let mut text = String::new();
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    if at(i) == '\\' && at(i + 1) == '\n' {
                        i = until(i + 1, &|i| !at(i).is_whitespace());
                        continue;
                    }
                    i += usize::from(at(i) == '\\');
                    text.push(at(i));
                    i += 1;
                }
                i += 1;
                Some(Piece::Text(text))
            } else if is_word(i) {
                i = until(i, &|i| !is_word(i));
                Some(Piece::Word(chars[start..i].iter().collect()))
            } else {
                i += 1;
                (!at(start).is_whitespace()).then(|| Piece::Sign(at(start)))
            };
            found.extend(piece.map(|piece| (line, piece)));
            line += chars[start..i.min(chars.len())].iter().filter(|&&c| c == '\n').count();
        }
        Self(found)
    }

    fn fits(&self, i: usize, pattern: &[Piece]) -> bool {
        self.0.len() >= i + pattern.len() && pattern.iter().zip(&self.0[i..]).all(|(a, (_, b))| a == b)
    }

    fn word(&self, i: usize) -> &str {
        if let Some((_, Piece::Word(word))) = self.0.get(i) { word } else { "" }
    }

    fn sign(&self, i: usize) -> char {
        if let Some((_, Piece::Sign(sign))) = self.0.get(i) { *sign } else { '\0' }
    }

    /// The first `stop` from a place on that is in no brackets but those that begin there.
    fn end(&self, from: usize, stop: char) -> usize {
        let mut depth = 0;
        for i in from..self.0.len() {
            depth += self.depth(i);
            if depth <= 0 && self.sign(i) == stop {
                return i;
            }
        }
        self.0.len() - 1
    }

    /// The end of the function or module whose name is at a place.
    fn body(&self, from: usize) -> usize {
        let open = (from..self.0.len()).find(|&i| matches!(self.sign(i), '{' | ';')).unwrap_or(from);
        if self.sign(open) == ';' { open } else { self.end(open, '}') }
    }

    fn depth(&self, i: usize) -> i32 {
        match self.sign(i) {
            '(' | '[' | '{' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        }
    }

    /// The messages between two places: the literal of each `format!`, literals that are an argument or what an arm gives.
    fn messages(&self, from: usize, to: usize) -> Vec<(usize, String)> {
        let format = pattern("format!(");
        let (mut found, mut i, mut depth) = (Vec::new(), from, 0);
        while i < to {
            let (at, until) = match self.fits(i, &format) {
                true => (i + format.len(), self.end(i + format.len() - 1, ')')),
                false => (i, i),
            };
            match &self.0[at] {
                (line, Piece::Text(text)) if at > i || depth == 0 || matches!(self.sign(i - 1), '>' | '{') => {
                    found.push((*line, text.clone()));
                }
                _ => {}
            }
            depth += if until > i { 0 } else { self.depth(i) };
            i = until + 1;
        }
        found
    }

    /// Every message of a refusal with its line; of one that is built elsewhere, the code of its argument.
    fn refusals(&self) -> Vec<(usize, String)> {
        let patterns = REFUSALS.map(pattern);
        // Closures such as `let fail = |message: String| Error::input(format!("{name}: {message}"))`.
        let (mut closures, mut parameters) = (Vec::new(), vec!["{message}".to_owned()]);
        for i in (0..self.0.len()).filter(|&i| self.word(i) == "let" && self.sign(i + 3) == '|') {
            let end = self.end(i, ';');
            let close = self.end(i + 4, '|').min(end);
            let texts = (i..close).filter(|&j| self.sign(j + 1) == ':' && self.word(j + 2) == "String");
            let texts: Vec<String> = texts.map(|j| format!("{{{}}}", self.word(j))).collect();
            let messages = self.messages(close + 1, end);
            let passes = messages.iter().any(|(_, message)| texts.iter().any(|text| message.ends_with(text)));
            if passes && (i..end).any(|j| self.fits(j, &patterns[0])) {
                closures.push(self.word(i + 1));
                parameters.extend(texts);
            }
        }
        let mut found = Vec::new();
        for i in 0..self.0.len() {
            let open = match patterns.iter().find(|pattern| self.fits(i, pattern)) {
                Some(pattern) => i + pattern.len() - 1,
                None if self.word(i) == "map_err"
                    && closures.contains(&self.word(i + 2))
                    && self.sign(i + 3) == ')' =>
                {
                    found.push((self.0[i].0, format!("map_err({})", self.word(i + 2))));
                    continue;
                }
                None if closures.contains(&self.word(i)) && self.sign(i + 1) == '(' => i + 1,
                None => continue,
            };
            let close = self.end(open, ')');
            let mut messages = self.messages(open + 1, close);
            let code = |piece: &(usize, Piece)| match &piece.1 {
                Piece::Word(text) | Piece::Text(text) => text.clone(),
                Piece::Sign(sign) => sign.to_string(),
            };
            let code: String = self.0[open + 1..close].iter().map(code).collect();
            if messages.is_empty() {
                // A message that has a name.
                let named =
                    (0..open).rev().find(|&j| self.word(j) == "let" && self.word(j + 1) == self.word(close - 1));
                messages = named.map_or(Vec::new(), |start| self.messages(start + 3, self.end(start, ';')));
            }
            if BUILDERS.iter().any(|name| code.contains(&format!("{name}("))) {
                continue;
            }
            if messages.is_empty() {
                messages.push((self.0[open].0, code));
            }
            found.extend(messages);
        }
        for i in (0..self.0.len()).filter(|&i| self.word(i) == "fn" && BUILDERS.contains(&self.word(i + 1))) {
            let parts = self.0[i..=self.body(i)].iter().filter_map(|(line, piece)| match piece {
                Piece::Text(text) if text.split_whitespace().count() > 3 => Some((*line, text.clone())),
                _ => None,
            });
            found.extend(parts);
        }
        found.retain(|(_, text)| !parameters.iter().any(|parameter| text.ends_with(parameter)));
        found
    }
}

fn pattern(text: &str) -> Vec<Piece> {
    Pieces::with_tests(text).0.into_iter().map(|(_, piece)| piece).collect()
}

fn has_remedy(message: &str) -> bool {
    let begins = |clause: &str| {
        let clause = clause.trim_start();
        let clause = clause.strip_prefix("or ").unwrap_or(clause);
        let clause = if clause.starts_with('{') { clause.split_once('}').map_or("", |(_, rest)| rest) } else { clause };
        let verb: String = clause.trim_start().chars().take_while(|c| c.is_alphabetic()).collect();
        VERBS.split_whitespace().any(|known| known == verb) || clause.starts_with("in Python")
    };
    CARRIERS.iter().any(|carrier| message.contains(carrier)) || message.split([';', ':', ',', '(']).any(begins)
}

/// The sources of a folder without those of tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    sources(&crates.join("dgm-train/src"), &mut found);
    sources(&crates.join("dgm-models/src"), &mut found);
    found.sort();
    let (mut all, mut bare) = (Vec::new(), Vec::new());
    for (file, source) in &found {
        let file = Path::new(file).strip_prefix(crates).unwrap().display().to_string().replace('\\', "/");
        all.extend(Pieces::of(source).refusals().into_iter().map(|(line, text)| (file.clone(), line, text)));
    }
    for (file, line, text) in &all {
        let excepted = EXCEPTIONS.iter().any(|(where_, message, _)| where_ == file && message == text);
        if !excepted && !has_remedy(text) {
            bare.push(format!("{file}:{line}: {text}"));
        }
    }
    assert!(all.len() > 250, "found {} refusals only: does the scan still know their form?", all.len());
    assert!(bare.is_empty(), "{} of {} refusals do not say what to do:\n{}", bare.len(), all.len(), bare.join("\n"));
    for (file, message, _) in EXCEPTIONS {
        let used = all.iter().any(|(where_, _, text)| where_ == file && text == message);
        assert!(used, "{file} has no refusal {message:?} any more: take it out of EXCEPTIONS");
    }
}

/// The messages of a source, and whether each says what to do.
fn found(source: &str) -> Vec<(usize, String, bool)> {
    let refusals = Pieces::of(source).refusals();
    refusals.into_iter().map(|(line, text)| (line, text.clone(), has_remedy(&text))).collect()
}

#[test]
fn the_scan_finds_messages_and_remedies() {
    for (text, remedy) in [
        ("no such column; name another", true),
        ("damaged: fetch it again", true),
        ("fix the cell, or take it out", true),
        ("{name}: found {found};{save} subtract a constant", true),
        ("found {found}; {advice}", true),
        ("there is no `{name}` (known: {})", false),
        ("cannot be read: {error}", false),
        ("found {found}; expected a name or a number", false),
        ("the files cannot be used, as their names differ", false),
    ] {
        assert_eq!(has_remedy(text), remedy, "{text}");
    }
    let source = r#"
        fn f() -> Error {
            // Error::input("in a comment")
            let quote = ('"', '\'', 'a');
            Error::input(format!("the moon is {}; \
                it is {phase}", word("far; give")))
        }
        let fail = |line: usize, message: String| Error::input(format!("{name}:{line}: {message}"));
        fail(3, "never closed; close it".into());
        fail(4, format!("of {n} cells"));
        let message = if a { "one \"word\"" } else { b };
        Error::input(message);
        let wrong = |what: String| Error::input(format!("{what}; put it back"));
        wrong("is not judged by itself".into());
        Error::input(match x { true => "yes; wait".into(), false => format!("no") });
        Error::input(another());
        x.map_err(fail);
        #[cfg(test)]
        mod tests { fn g() { Error::input("in a test"); } }
    "#;
    let expected = [
        (5, "the moon is {}; it is {phase}", false),
        (9, "never closed; close it", true),
        (10, "of {n} cells", false),
        (11, "one \"word\"", false),
        (13, "{what}; put it back", true),
        (15, "yes; wait", true),
        (15, "no", false),
        (16, "another()", false),
        (17, "map_err(fail)", false),
    ];
    assert_eq!(found(source), expected.map(|(line, text, remedy)| (line, text.to_owned(), remedy)));
}
