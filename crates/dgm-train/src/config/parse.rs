//! TOML → [`Config`]: where a value stands is kept to the end, so that every message can point at it.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Config, ObjectiveConfig, OptimizerConfig, OptimizerKind, PenaltyConfig};
use crate::check::Invalid;
use crate::data::DataConfig;
use crate::error::{Error, Result, did_you_mean};
use dgm_models::{ModelFactory, ObjectiveKind};

/// Keys in a row that an assignment may have. No value lies that deep, and what is built from a path of tens of thousands
/// of keys is taken apart key within key, beyond the stack's end.
const MAX_KEYS: usize = 8;

const SEEDS: [&str; 2] = ["seed", "data_seed"];

const TABLES: [&str; 6] = ["data", "model", "objective", "optimizer", "training", "evaluation"];

/// Keys of earlier versions, the kind of model that they were of where it was one alone, and what is written instead of them.
const RENAMED: [(&str, Option<&str>, &str); 5] = [
    ("data.augment.told", None, "condition = … in data.augment"),
    (
        "model.components",
        None,
        "likelihood = { kind = \"beta_binomial\", components = … }, with the kind that you have",
    ),
    ("model.hidden", Some("vae"), "encoder = { kind = \"mlp\", hidden = … }, and decoder with them in reverse"),
    ("model.dropout", Some("vae"), "encoder = { kind = \"mlp\", dropout = … }"),
    ("model.decoder_dropout", Some("vae"), "decoder = { kind = \"mlp\", dropout = … }"),
];

/// See [`Config::from_toml`].
pub(super) fn parse<M: ModelFactory>(text: &str, origin: &str, overrides: &[String]) -> Result<Config<M>> {
    let origin = Origin { text, name: origin, overrides };
    let mut root = DeTable::parse(text).map_err(|error| origin.syntax_error(&error))?.into_inner();
    for (index, assignment) in overrides.iter().enumerate() {
        apply(&mut root, assignment, origin.mark(index))?;
    }
    let source = Source { origin, root };

    for (key, _) in &source.root {
        let name = key.get_ref();
        if !SEEDS.contains(&name.as_ref()) && !TABLES.contains(&name.as_ref()) {
            let near = did_you_mean(name, TABLES.into_iter().chain(SEEDS));
            let (seeds, tables) = (SEEDS.join(", "), TABLES.join("], ["));
            let message = format!(
                "unknown key `{name}`{near} (allowed at the top: {seeds}, [{tables}]); rename it or take it out"
            );
            return Err(source.error(key.span(), &message));
        }
    }
    let kind = source.find("model.kind").and_then(|kind| kind.get_ref().as_str());
    for (old, of_kind, new) in RENAMED {
        if let Some(value) = source.find(old).filter(|_| of_kind.is_none() || of_kind == kind) {
            let message = format!("{old}: its place has changed; write {}", new.replace('…', &show(value.get_ref())));
            return Err(source.error(value.span(), &message));
        }
    }
    let seed = |key: &str| match source.root.get(key) {
        Some(value) => {
            source.deserialize("the file", u64::deserialize(ValueDeserializer::from(value.clone()))).map(Some)
        }
        None => Ok(None),
    };
    let [run_seed, data_seed] = SEEDS.map(seed);
    let (seed, data_seed) = (run_seed?.unwrap_or(0), data_seed?);
    let data = source.tagged("data", "source", None, DataConfig::SOURCES, DataConfig::deserialize_source)?;
    let model: M = source.tagged("model", "kind", None, M::KINDS, M::deserialize_kind)?;
    let config = Config {
        objective: source.objective(model.objective())?,
        seed,
        data_seed,
        data,
        model,
        optimizer: source.optimizer()?,
        training: source.table("training")?,
        evaluation: source.table("evaluation")?,
    };
    source.in_range("data", config.data.validate())?;
    source.in_range("objective", config.objective.validate())?;
    source.in_range("optimizer", config.optimizer.validate())?;
    for (name, player) in &config.optimizer.players {
        source.in_range(&format!("optimizer.players.{name}"), player.validate())?;
    }
    source.in_range("training", config.training.validate())?;
    source.in_range("evaluation", config.evaluation.validate())?;
    Ok(config)
}

/// Where the value of the key `path` stands, as the beginning of a message: `file.toml:LINE: `, `--set …: `, or nothing
/// where it is a default.
pub fn place_of(text: &str, origin: &str, overrides: &[String], path: &[&str; 2]) -> String {
    // Of a key that stands deeper the table that it stands in.
    let [table, key] = *path;
    let key = key.split('.').next().unwrap_or(key);
    let assigned = |assignment: &&String| {
        assignment.split_once('=').is_some_and(|(left, _)| left.trim() == format!("{table}.{key}"))
    };
    if let Some(assignment) = overrides.iter().rev().find(assigned) {
        return format!("--set {assignment}: ");
    }
    let root = DeTable::parse(text).ok().map(Spanned::into_inner);
    let inner = root.as_ref().and_then(|root| root.get(table)).and_then(|inner| inner.get_ref().as_table());
    let start = inner.and_then(|inner| inner.get_key_value(key)).map(|(key, _)| key.span().start);
    start.map_or(String::new(), |start| {
        let line = Origin { text, name: origin, overrides }.line(start);
        format!("{origin}:{line}: ")
    })
}

/// Writes the value of `key.path=value` into the table, everything of it at the position `mark`.
fn apply<'a>(root: &mut DeTable<'a>, assignment: &'a str, mark: Range<usize>) -> Result<()> {
    let advice = "write key=value, such as training.epochs=5";
    let Some((path, value)) = assignment.split_once('=') else {
        return Err(Error::input(format!("--set {assignment}: no `=` in it; {advice}")));
    };
    let keys: Vec<&str> = path.split('.').map(str::trim).collect();
    let plain = |key: &&str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let (true, Some((last, tables))) = (keys.iter().all(plain), keys.split_last()) else {
        return Err(Error::input(format!("--set {assignment}: `{path}` is not a key; {advice}")));
    };
    if keys.len() > MAX_KEYS {
        let message = format!("--set {assignment}: found a key of {} parts, more than any has; {advice}", keys.len());
        return Err(Error::input(message));
    }
    let value = value.trim();
    // What is not TOML is a string, so that a path or a name needs no quotes within the shell's own.
    let value = match DeValue::parse(value) {
        Ok(value) => value.into_inner(),
        // Who writes quotes means them as TOML does.
        Err(error) if value.len() > 1 && value.starts_with('"') && value.ends_with('"') => {
            let advice = hint(value, &error).unwrap_or("leave out the quotes");
            let message = error.message().replace('\n', " ");
            return Err(Error::input(format!("--set {assignment}: not valid TOML: {message}; {advice}")));
        }
        Err(_) => DeValue::String(value.into()),
    };

    let mut table = root;
    for key in tables {
        if !table.contains_key(*key) {
            let empty = DeValue::Table(DeTable::new());
            table.insert(Spanned::new(mark.clone(), (*key).into()), Spanned::new(mark.clone(), empty));
        }
        table = match table.get_mut(*key).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => inner,
            _ => {
                let message =
                    format!("--set {assignment}: `{key}` holds a value there, not a table; set it as a whole");
                return Err(Error::input(message));
            }
        };
    }
    // Removed first: an insert would keep the old key and with it the old position.
    table.remove(*last);
    table.insert(Spanned::new(mark.clone(), (*last).into()), marked(value, &mark));
    Ok(())
}

/// The value with the position `mark` on everything in it.
fn marked<'a>(value: DeValue<'a>, mark: &Range<usize>) -> Spanned<DeValue<'a>> {
    let value = match value {
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| marked(item.into_inner(), mark)).collect())
        }
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, item)| (Spanned::new(mark.clone(), key.into_inner()), marked(item.into_inner(), mark)))
                .collect(),
        ),
        other => other,
    };
    Spanned::new(mark.clone(), value)
}

/// Where positions point: into the file's text, or past its end to an override.
struct Origin<'a> {
    text: &'a str,
    name: &'a str,
    overrides: &'a [String],
}

impl Origin<'_> {
    /// The position that stands for override `index`: past the end of the text.
    fn mark(&self, index: usize) -> Range<usize> {
        let start = self.text.len() + 1 + index;
        start..start
    }

    /// The override that a position stands for.
    fn override_at(&self, span: &Range<usize>) -> Option<&str> {
        let index = span.start.checked_sub(self.text.len() + 1)?;
        self.overrides.get(index).map(String::as_str)
    }

    fn line(&self, position: usize) -> usize {
        1 + self.text.bytes().take(position).filter(|&byte| byte == b'\n').count()
    }

    fn syntax_error(&self, error: &toml::de::Error) -> Error {
        let line = error.span().map_or(1, |span| self.line(span.start));
        let message = error.message().replace('\n', " ");
        let advice = hint(self.text, error).unwrap_or("fix the line");
        Error::input(format!("{}:{line}: not valid TOML: {message}; {advice}", self.name))
    }
}

/// What to do about a string that TOML does not take because of a backslash, as in a path of Windows.
fn hint(text: &str, error: &toml::de::Error) -> Option<&'static str> {
    let place = error.span()?.start;
    let line = text.get(..place)?.rsplit('\n').next()?.len();
    let line = text.get(place - line..)?.lines().next()?;
    let escape = ["escape", "unicode"].iter().any(|word| error.message().contains(word));
    (escape && line.contains('"') && line.contains('\\')).then_some(super::BACKSLASHES)
}

/// The table, and where it comes from.
struct Source<'a> {
    origin: Origin<'a>,
    root: DeTable<'a>,
}

impl<'a> Source<'a> {
    /// An error at a position, which names the line of the file or the override.
    fn error(&self, span: Range<usize>, message: &str) -> Error {
        match self.origin.override_at(&span) {
            Some(assignment) => Error::input(format!("--set {assignment}: {message}")),
            // The root of the document has no position of its own.
            None if span == (0..0) => Error::input(format!("{}: {message}", self.origin.name)),
            None => Error::input(format!("{}:{}: {message}", self.origin.name, self.origin.line(span.start))),
        }
    }

    /// The value found at a path such as `training.epochs`.
    fn find(&self, path: &str) -> Option<&Spanned<DeValue<'a>>> {
        let mut keys = path.split('.');
        let first = self.root.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get_ref().as_table()?.get(key))
    }

    /// `[name]`; empty where the file has none.
    fn section(&self, name: &str) -> Result<Spanned<DeValue<'a>>> {
        match self.find(name) {
            None => Ok(Spanned::new(0..0, DeValue::Table(DeTable::new()))),
            Some(value) if value.get_ref().is_table() => Ok(value.clone()),
            Some(value) => {
                let found = value.get_ref().type_str();
                Err(self.error(
                    value.span(),
                    &format!("`{name}` is a table, [{name}]; found: {found}; write [{name}] and below it its keys"),
                ))
            }
        }
    }

    /// `[name]` as a `T`.
    fn table<T: Deserialize<'a>>(&self, name: &'static str) -> Result<T> {
        self.deserialize(&format!("[{name}]"), T::deserialize(ValueDeserializer::from(self.section(name)?)))
    }

    /// `[objective]`, which without a `kind` is `default`.
    fn objective(&self, default: &'static str) -> Result<ObjectiveConfig> {
        let known = ObjectiveKind::KINDS;
        Ok(ObjectiveConfig {
            kind: self.tagged_without(
                "penalty",
                "objective",
                "kind",
                Some(default),
                known,
                ObjectiveKind::deserialize_kind,
            )?,
            penalty: match self.find("objective.penalty") {
                Some(value) => {
                    let table = ValueDeserializer::from(value.clone());
                    Some(self.deserialize("[objective.penalty]", PenaltyConfig::deserialize(table))?)
                }
                None => None,
            },
        })
    }

    /// `[optimizer]`, with a table for each player that has one.
    fn optimizer(&self) -> Result<OptimizerConfig> {
        let mut optimizer = self.optimizer_at("optimizer")?;
        let Some(players) = self.find("optimizer.players") else { return Ok(optimizer) };
        let Some(tables) = players.get_ref().as_table() else {
            let message = "optimizer.players: expected a table for each player, [optimizer.players.NAME]; write it so";
            return Err(self.error(players.span(), message));
        };
        for (name, table) in tables {
            let name = name.get_ref();
            if table.get_ref().as_table().is_some_and(|table| table.contains_key("players")) {
                let message =
                    format!("optimizer.players.{name}.players: a player has no players of its own; take it out");
                return Err(self.error(table.span(), &message));
            }
            let own = self.optimizer_at(&format!("optimizer.players.{name}"))?;
            optimizer.players.insert(name.to_string(), own);
        }
        Ok(optimizer)
    }

    /// The optimiser in the table of this path.
    fn optimizer_at(&self, path: &str) -> Result<OptimizerConfig> {
        if let Some(value) = self.find(&format!("{path}.final_fraction")) {
            let message = format!(
                "{path}.final_fraction: it is a key of the schedule; write schedule = {{ kind = \"cosine\", \
                 final_fraction = {} }}",
                show(value.get_ref())
            );
            return Err(self.error(value.span(), &message));
        }
        let default = OptimizerKind::default().name();
        let known = OptimizerKind::KINDS;
        self.tagged_without("players", path, "kind", Some(default), known, OptimizerConfig::deserialize_kind)
    }

    /// `[name]` as the variant that its key `tag` picks out of `known`; without the key it is `default`.
    fn tagged<T>(
        &self,
        name: &str,
        tag: &'static str,
        default: Option<&'static str>,
        known: &[&str],
        read: impl FnOnce(&str, ValueDeserializer<'a>) -> Option<std::result::Result<T, toml::de::Error>>,
    ) -> Result<T> {
        self.tagged_without("", name, tag, default, known, read)
    }

    /// The same of a table whose key `apart` is read by itself.
    fn tagged_without<T>(
        &self,
        apart: &str,
        name: &str,
        tag: &'static str,
        default: Option<&'static str>,
        known: &[&str],
        read: impl FnOnce(&str, ValueDeserializer<'a>) -> Option<std::result::Result<T, toml::de::Error>>,
    ) -> Result<T> {
        let section = self.section(name)?;
        let span = section.span();
        let DeValue::Table(mut table) = section.into_inner() else {
            return Err(self.error(span, &format!("`{name}` is a table; write [{name}] and below it its keys")));
        };
        table.remove(apart);
        let choices = known.join(", ");
        let default = default.map(|default| Spanned::new(span.clone(), DeValue::String(default.into())));
        let Some(choice) = table.remove(tag).or(default) else {
            let message = format!("[{name}] needs the key `{tag}`; set it to one of: {choices}");
            return Err(self.error(span, &message));
        };
        let Some(variant) = choice.get_ref().as_str() else {
            let found = choice.get_ref().type_str();
            let message = format!("{name}.{tag}: expected a string, found: {found}; set it to one of: {choices}");
            return Err(self.error(choice.span(), &message));
        };
        match read(variant, ValueDeserializer::from(Spanned::new(span, DeValue::Table(table)))) {
            Some(result) => self.deserialize(&format!("[{name}] with {tag} = \"{variant}\""), result),
            None => {
                let near = did_you_mean(variant, known.iter().copied());
                let message =
                    format!("{name}.{tag}: there is no `{variant}`{near} (known: {choices}); name one of them");
                Err(self.error(choice.span(), &message))
            }
        }
    }

    /// Turns the error of a deserialised value into one line; `label` names the table that was read.
    fn deserialize<T>(&self, label: &str, result: std::result::Result<T, toml::de::Error>) -> Result<T> {
        result.map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let path = self.path_of(&span);
            self.error(span, &explain(error.message(), path.as_deref(), label))
        })
    }

    /// The range check's error at the place of the value.
    fn in_range(&self, table: &str, result: std::result::Result<(), Invalid>) -> Result<()> {
        result.map_err(|Invalid { key, expected }| {
            let path = format!("{table}.{key}");
            match self.find(&path) {
                Some(value) => {
                    let message = format!("{path} is {}; expected {expected}", show(value.get_ref()));
                    self.error(value.span(), &message)
                }
                // The value is not written (a default, or a key that is missing): the table is the nearest place.
                None => {
                    let span = self.find(table).map_or(0..0, Spanned::span);
                    self.error(span, &format!("{path}: expected {expected}"))
                }
            }
        })
    }

    /// The dotted path of the key or the value at a position.
    fn path_of(&self, span: &Range<usize>) -> Option<String> {
        fn search(table: &DeTable<'_>, span: &Range<usize>, path: &str) -> Option<String> {
            table.iter().find_map(|(key, value)| {
                let name = key.get_ref();
                let here = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                let deeper = match value.get_ref() {
                    DeValue::Table(inner) => search(inner, span, &here),
                    // The tables of `[[a.b]]` do not lie within the position of their list.
                    DeValue::Array(items) => items.iter().find_map(|item| {
                        let inner = item.get_ref().as_table()?;
                        search(inner, span, &here).or_else(|| (item.span() == *span).then(|| here.clone()))
                    }),
                    _ => None,
                };
                // An item of a list has a position of its own inside that of the list.
                let within = value.span().start <= span.start && span.end <= value.span().end;
                let exact = value.span() == *span || key.span() == *span;
                deeper.or_else(|| (exact || within && !value.get_ref().is_table()).then_some(here))
            })
        }
        search(&self.root, span, "")
    }
}

/// A value as it would be written; the content of a long one is left out.
fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", text.as_ref()),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(items) if items.is_empty() => "[]".into(),
        other => format!("of type {}", other.type_str()),
    }
}

/// serde's message in this program's words. `path` is the dotted path of what it is about, `label` names the table.
fn explain(message: &str, path: Option<&str>, label: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let at = path.map_or_else(String::new, |path| format!("{path}: "));
    // A table inside a table is named by its path.
    let inner = |path: &str| if path.contains('.') { path.to_owned() } else { label.to_owned() };
    match quoted.split_first() {
        Some((unknown, known)) if message.starts_with("unknown field") => {
            let table = match path.and_then(|path| path.rsplit_once('.')) {
                Some((parent, key)) if key == *unknown => inner(parent),
                Some((_, _)) => path.map_or_else(String::new, inner),
                None => label.to_owned(),
            };
            let near = did_you_mean(unknown, known.iter().copied());
            let allowed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("unknown key `{unknown}` in {table}{near} (allowed: {allowed}); rename it or take it out")
        }
        Some((unknown, known)) if message.starts_with("unknown variant") => {
            let near = did_you_mean(unknown, known.iter().copied());
            format!("{at}there is no `{unknown}`{near} (known: {}); name one of them", known.join(", "))
        }
        Some((missing, _)) if message.starts_with("missing field") => {
            format!("{} needs the key `{missing}`; set it", path.map_or_else(|| label.to_owned(), inner))
        }
        _ => match message.rsplit_once(", expected ") {
            Some((found, expected)) => {
                let found = found.split_once(": ").map_or(found, |(_, found)| found).replace('`', "");
                format!("{at}found {found}; expected {}", in_words(expected))
            }
            None => format!("{at}{}", message.replace('\n', " ")),
        },
    }
}

/// The name of a Rust type as a person would say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path (a string)",
        name if name.starts_with("struct ") => "a table, { key = value, … }",
        other => other,
    }
}
