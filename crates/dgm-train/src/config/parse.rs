//! TOML → [`Config`]: where a value stands is kept to the end, so that every message can point at it.

use std::ops::Range;

use serde::de::{DeserializeOwned, Error as _};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::tune::NotSearchable;
use super::value::{self, Fault, Reader};
use super::{Config, ObjectiveConfig, OptimizerConfig, OptimizerKind};
use crate::check::Invalid;
use crate::data::DataConfig;
use crate::error::{Error, Result, did_you_mean};
use dgm_models::{ModelFactory, ObjectiveKind};

/// Keys in a row that an assignment may have. No value lies that deep, and what is built from a path of tens of thousands
/// of keys is taken apart key within key, beyond the stack's end.
const MAX_KEYS: usize = 8;

const SEEDS: [&str; 2] = ["seed", "data_seed"];

const TABLES: [&str; 7] = ["data", "model", "objective", "optimizer", "training", "evaluation", "tune"];

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
    let source = Document::read(text, origin, overrides)?;
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
    let [run_seed, data_seed] = SEEDS.map(|key| source.value::<u64>(key));
    let (seed, data_seed) = (run_seed?.unwrap_or(0), data_seed?);
    let data = source.tagged("data", "source", &[], None, DataConfig::SOURCES, |source, reader| {
        DataConfig::deserialize_source(source, reader)
    });
    let data = data.map_err(|error| source.renamed("data.").unwrap_or(error))?;
    let model = source.tagged("model", "kind", &[], None, M::KINDS, |kind, reader| M::deserialize_kind(kind, reader));
    let model: M = model.map_err(|error| source.renamed("model.").unwrap_or(error))?;
    let config = Config {
        objective: source.objective(model.objective())?,
        seed,
        data_seed,
        data,
        model,
        optimizer: source.optimizer()?,
        training: source.table("training")?,
        evaluation: source.table("evaluation")?,
        tune: source.table("tune")?,
    };
    source.in_range("data", config.data.validate())?;
    source.in_range("objective", config.objective.validate())?;
    source.in_range("optimizer", config.optimizer.validate())?;
    for (name, player) in &config.optimizer.players {
        source.in_range(&format!("optimizer.players.{name}"), player.validate())?;
    }
    source.in_range("training", config.training.validate())?;
    source.in_range("evaluation", config.evaluation.validate())?;
    let searchable = config.tune.alternatives();
    searchable.map_err(|NotSearchable { key, expected }| source.out_of_range("tune", &key, expected))?;
    Ok(config)
}

/// Where the value of the key `path` stands, as the beginning of a message: `file.toml:LINE: `, `--set …: `, or nothing
/// where it is a default.
pub fn place_of(text: &str, origin: &str, overrides: &[String], path: &[&str; 2]) -> String {
    let [table, key] = *path;
    let Ok(source) = Document::read(text, origin, overrides) else { return String::new() };
    // Of a key that is a default the table that it stands in.
    let within = || source.find(&format!("{table}.{}", key.split('.').next().unwrap_or(key)));
    let value = source.find(&format!("{table}.{key}")).or_else(within);
    value.map_or_else(String::new, |value| source.origin.place(&value.span()) + ": ")
}

/// Writes the value of `key.path=value` into the table; `start`: the position of the assignment.
fn apply<'a>(root: &mut DeTable<'a>, assignment: &'a str, start: usize) -> Result<()> {
    let advice = "write key=value, such as training.epochs=5";
    let Some((path, value)) = assignment.split_once('=') else {
        return Err(Error::input(format!("--set {assignment}: no `=` in it; {advice}")));
    };
    // Each key with its position: from the beginning to the key's end, so that no two are the same.
    let mut end = start;
    let keys: Vec<(&str, Range<usize>)> = path
        .split('.')
        .map(|key| {
            end += key.len() + usize::from(end > start);
            (key.trim(), start..end)
        })
        .collect();
    let plain = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let (true, Some(((last, at), tables))) = (keys.iter().all(|(key, _)| plain(key)), keys.split_last()) else {
        return Err(Error::input(format!("--set {assignment}: `{path}` is not a key; {advice}")));
    };
    if keys.len() > MAX_KEYS {
        let message = format!("--set {assignment}: found a key of {} parts, more than any has; {advice}", keys.len());
        return Err(Error::input(message));
    }
    let begins = at.end + 1 + value.len() - value.trim_start().len();
    let value = value.trim();
    // What is not TOML is a string, so that a path or a name needs no quotes within the shell's own.
    let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    let value = match DeValue::parse(value) {
        Ok(value) => value,
        // Who writes quotes or brackets means them as TOML does.
        Err(error) if quoted || value.starts_with(['{', '[']) => {
            let otherwise = if quoted {
                "leave out the quotes"
            } else {
                "close every bracket, and quote text, as in { kind = \"mlp\" }"
            };
            let advice = hint(value, &error).unwrap_or(otherwise);
            let message = error.message().replace('\n', " ");
            return Err(Error::input(format!("--set {assignment}: not valid TOML: {message}; {advice}")));
        }
        Err(_) => Spanned::new(0..value.len(), DeValue::String(value.into())),
    };

    let mut table = root;
    for (key, at) in tables {
        if !table.contains_key(*key) {
            let empty = Spanned::new(at.clone(), DeValue::Table(DeTable::new()));
            table.insert(Spanned::new(at.clone(), (*key).into()), empty);
        }
        // A name is the short form of a table with its kind.
        if let Some(name) = table.get(*key).filter(|value| value.get_ref().is_str()).cloned() {
            let mut long = DeTable::new();
            long.insert(Spanned::new(name.span(), "kind".into()), name);
            table.remove(*key);
            table.insert(Spanned::new(at.clone(), (*key).into()), Spanned::new(at.clone(), DeValue::Table(long)));
        }
        table = match table.get_mut(*key).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => inner,
            _ => {
                let whole = &path[..at.end - start];
                let message = format!(
                    "--set {assignment}: {whole} is neither a table nor a name there; set it as a whole, --set {whole}=…"
                );
                return Err(Error::input(message));
            }
        };
    }
    // Removed first: an insert would keep the old key and with it the old position.
    table.remove(*last);
    table.insert(Spanned::new(at.clone(), (*last).into()), moved(value, begins));
    Ok(())
}

/// The value with every position in it `by` further on.
fn moved<'a>(value: Spanned<DeValue<'a>>, by: usize) -> Spanned<DeValue<'a>> {
    let further = |span: Range<usize>| span.start + by..span.end + by;
    let span = further(value.span());
    let value = match value.into_inner() {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| moved(item, by)).collect()),
        DeValue::Table(table) => {
            let key = |key: Spanned<DeString<'a>>| Spanned::new(further(key.span()), key.into_inner());
            DeValue::Table(table.into_iter().map(|(name, item)| (key(name), moved(item, by))).collect())
        }
        other => other,
    };
    Spanned::new(span, value)
}

/// Where positions point: into the file's text, and past its end into the overrides, one after the other.
struct Origin<'a> {
    text: &'a str,
    name: &'a str,
    overrides: &'a [String],
}

impl<'a> Origin<'a> {
    /// The overrides, each with the position where it begins.
    fn overrides(&self) -> impl Iterator<Item = (usize, &'a String)> {
        self.overrides.iter().scan(self.text.len() + 1, |next, assignment| {
            let start = *next;
            *next += assignment.len() + 1;
            Some((start, assignment))
        })
    }

    /// The line of the file, or the override, that a position is in.
    fn place(&self, span: &Range<usize>) -> String {
        let mut overrides = self.overrides();
        match overrides.find(|(start, assignment)| (*start..=start + assignment.len()).contains(&span.start)) {
            Some((_, assignment)) => format!("--set {assignment}"),
            // The root of the document has no position of its own.
            None if *span == (0..0) => self.name.to_owned(),
            None => {
                let lines = self.text.bytes().take(span.start).filter(|&byte| byte == b'\n').count();
                format!("{}:{}", self.name, 1 + lines)
            }
        }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> Error {
        let start = error.span().map_or(0, |span| span.start);
        let place = self.place(&(start..start + 1));
        let message = error.message().replace('\n', " ");
        let advice = hint(self.text, error).unwrap_or("fix the line");
        Error::input(format!("{place}: not valid TOML: {message}; {advice}"))
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

/// The table with its overrides, and where it comes from.
struct Document<'a> {
    origin: Origin<'a>,
    root: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Parses the file and the overrides.
    fn read(text: &'a str, name: &'a str, overrides: &'a [String]) -> Result<Self> {
        let origin = Origin { text, name, overrides };
        let mut root = DeTable::parse(text).map_err(|error| origin.syntax_error(&error))?.into_inner();
        origin.overrides().try_for_each(|(start, assignment)| apply(&mut root, assignment, start))?;
        Ok(Self { origin, root })
    }

    /// An error at a position, which names the line of the file or the override.
    fn error(&self, span: Range<usize>, message: &str) -> Error {
        Error::input(format!("{}: {message}", self.origin.place(&span)))
    }

    /// The value found at a path such as `training.epochs`.
    fn find(&self, path: &str) -> Option<&Spanned<DeValue<'a>>> {
        let mut keys = path.split('.');
        let first = self.root.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get_ref().as_table()?.get(key))
    }

    /// What to write instead of a key of an earlier version, where one is in this table. A question for tables that could not be read: a
    /// model of one's own may have a key of that name.
    fn renamed(&self, table: &str) -> Option<Error> {
        let kind = self.find("model.kind").and_then(|kind| kind.get_ref().as_str());
        let here = RENAMED
            .iter()
            .filter(|(old, of_kind, _)| old.starts_with(table) && (of_kind.is_none() || *of_kind == kind));
        let (value, old, new) = here.filter_map(|(old, _, new)| Some((self.find(old)?, old, new))).next()?;
        // As it stands in the file; that of an override needs no repeating.
        let written = self.origin.text.get(value.span()).unwrap_or("…");
        let message = format!("{old}: its place has changed; write {}", new.replace('…', written));
        Some(self.error(value.span(), &message))
    }

    /// `[name]` and its position; empty where the file has none.
    fn section(&self, name: &str) -> Result<(Range<usize>, DeTable<'a>)> {
        let Some(value) = self.find(name) else { return Ok((0..0, DeTable::new())) };
        let DeValue::Table(table) = value.get_ref() else {
            let found = value.get_ref().type_str();
            let message =
                format!("`{name}` is a table, [{name}]; found: {found}; write [{name}] and below it its keys");
            return Err(self.error(value.span(), &message));
        };
        Ok((value.span(), table.clone()))
    }

    /// The value at a path as a `T`, where there is one.
    fn value<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let value = self.find(path);
        value.map(|value| self.typed(value, path, path, &[], &|reader| T::deserialize(reader))).transpose()
    }

    /// `[name]` as a `T`.
    fn table<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let (span, table) = self.section(name)?;
        let table = Spanned::new(span, DeValue::Table(table));
        self.typed(&table, name, &format!("[{name}]"), &[], &|reader| T::deserialize(reader))
    }

    /// `[objective]`, which without a `kind` is `default`.
    fn objective(&self, default: &'static str) -> Result<ObjectiveConfig> {
        Ok(ObjectiveConfig {
            kind: self.tagged(
                "objective",
                "kind",
                &["penalty"],
                Some(default),
                ObjectiveKind::KINDS,
                |kind, reader| ObjectiveKind::deserialize_kind(kind, reader),
            )?,
            penalty: self.value("objective.penalty")?,
        })
    }

    /// `[optimizer]`, with a table for each player that has one.
    fn optimizer(&self) -> Result<OptimizerConfig> {
        let mut optimizer = self.optimizer_at("optimizer", &["players"])?;
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
            let own = self.optimizer_at(&format!("optimizer.players.{name}"), &[])?;
            optimizer.players.insert(name.to_string(), own);
        }
        Ok(optimizer)
    }

    /// The optimiser in the table of this path, but for the keys `apart`.
    fn optimizer_at(&self, path: &str, apart: &[&str]) -> Result<OptimizerConfig> {
        if let Some(value) = self.find(&format!("{path}.final_fraction")) {
            let message = format!(
                "{path}.final_fraction: it is a key of the schedule; write schedule = {{ kind = \"cosine\", \
                 final_fraction = {} }}",
                show(value.get_ref())
            );
            return Err(self.error(value.span(), &message));
        }
        let default = OptimizerKind::default().name();
        self.tagged(path, "kind", apart, Some(default), OptimizerKind::KINDS, |kind, reader| {
            OptimizerConfig::deserialize_kind(kind, reader)
        })
    }

    /// `[name]` as the variant that its key `tag` picks out of `known`; without the key it is `default`. The keys `apart` are read by
    /// themselves.
    fn tagged<T>(
        &self,
        name: &str,
        tag: &'static str,
        apart: &[&str],
        default: Option<&'static str>,
        known: &[&str],
        read: impl Fn(&str, Reader<'_>) -> Option<std::result::Result<T, Fault>>,
    ) -> Result<T> {
        let (span, mut table) = self.section(name)?;
        apart.iter().for_each(|key| drop(table.remove(*key)));
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
        let table = Spanned::new(span, DeValue::Table(table));
        if read(variant, Reader(&table)).is_none() {
            let near = did_you_mean(variant, known.iter().copied());
            let message = format!("{name}.{tag}: there is no `{variant}`{near} (known: {choices}); name one of them");
            return Err(self.error(choice.span(), &message));
        }
        let label = format!("[{name}] with {tag} = \"{variant}\"");
        let read =
            |reader: Reader<'_>| read(variant, reader).unwrap_or_else(|| Err(Fault::unknown_variant(variant, &[])));
        self.typed(&table, name, &label, &[&[tag], apart].concat(), &read)
    }

    /// Reads the value at `path`, which as a table is called `label` and has the keys `more` besides.
    fn typed<T>(
        &self,
        value: &Spanned<DeValue<'_>>,
        path: &str,
        label: &str,
        more: &[&str],
        read: &impl Fn(Reader<'_>) -> std::result::Result<T, Fault>,
    ) -> Result<T> {
        value::read(value, read).map_err(|fault| self.error(fault.span(), &fault.explain(path, label, more)))
    }

    /// The range check's error at the place of the value.
    fn in_range(&self, table: &str, result: std::result::Result<(), Invalid>) -> Result<()> {
        result.map_err(|Invalid { key, expected }| self.out_of_range(table, key, &expected))
    }

    fn out_of_range(&self, table: &str, key: &str, expected: &str) -> Error {
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
