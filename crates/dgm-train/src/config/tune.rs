//! `[tune]`: the keys that a search varies, and the values that each may have.

use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// The tables whose keys can be searched: the data and their splits are the same for all trials.
const TABLES: [&str; 4] = ["model", "objective", "optimizer", "training"];

/// Keys of `[training]` that are no hyper-parameters: how long a trial trains is the search's to decide.
const NOT: [&str; 3] = ["training.epochs", "training.ensemble", "training.max_minutes"];

/// Keys that change what the validation loss is: trials that differ in them do not compare.
const OTHER_LOSS: [&str; 2] = ["objective.kind", "objective.samples"];

/// The table `[tune]`: under each key, as it stands in a configuration, what it may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TuneConfig(pub toml::Table);

/// What a key may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Alternatives {
    /// One of these: `[0.0, 0.1, 0.2]`.
    OneOf(Vec<toml::Value>),
    /// A number between two: `{ from = 1e-4, to = 1e-2, log = true }`.
    Between {
        /// The lowest.
        from: f64,
        /// The highest.
        to: f64,
        /// Whether factors are equally probable, rather than differences.
        log: bool,
        /// Whether it is a whole number.
        whole: bool,
    },
}

/// A key of `[tune]` that cannot be searched so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSearchable {
    /// The key below `[tune]`, with dots.
    pub key: String,
    /// What is expected there.
    pub expected: &'static str,
}

fn require(valid: bool, key: &str, expected: &'static str) -> Result<(), NotSearchable> {
    if valid { Ok(()) } else { Err(NotSearchable { key: key.to_owned(), expected }) }
}

/// What a range of numbers is written as.
const RANGE: &str = "a list of values, or a range such as { from = 1e-4, to = 1e-2, log = true }";

impl TuneConfig {
    /// Whether nothing is varied.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys with dots, each with what it may be.
    ///
    /// # Errors
    /// A key that cannot be searched, or values that are neither a list nor a range.
    pub fn alternatives(&self) -> Result<Vec<(String, Alternatives)>, NotSearchable> {
        let mut found = Vec::new();
        for (table, keys) in &self.0 {
            require(
                TABLES.contains(&table.as_str()),
                table,
                "a key of [model], [objective], [optimizer] or [training]",
            )?;
            let keys = keys.as_table();
            require(keys.is_some(), table, "a table of keys, each with what it may be")?;
            collect(table, keys.into_iter().flatten(), &mut found)?;
        }
        for (keys, expected) in [
            (&NOT[..], "left out: the search decides how long a trial trains"),
            (
                &OTHER_LOSS,
                "left out: it changes the validation loss, by which trials are compared; search each on its own",
            ),
        ] {
            let not = found.iter().find(|(key, _)| keys.contains(&key.as_str()));
            require(not.is_none(), not.map_or("", |(key, _)| key.as_str()), expected)?;
        }
        Ok(found)
    }
}

fn collect<'a>(
    path: &str,
    keys: impl Iterator<Item = (&'a String, &'a toml::Value)>,
    found: &mut Vec<(String, Alternatives)>,
) -> Result<(), NotSearchable> {
    for (key, value) in keys {
        let path = format!("{path}.{key}");
        match value {
            toml::Value::Array(values) => {
                require(!values.is_empty(), &path, "a list of one value at least")?;
                found.push((path, Alternatives::OneOf(values.clone())));
            }
            toml::Value::Table(table) if table.contains_key("from") || table.contains_key("to") => {
                found.push((path.clone(), between(&path, table)?));
            }
            toml::Value::Table(table) => collect(&path, table.iter(), found)?,
            _ => require(false, &path, RANGE)?,
        }
    }
    Ok(())
}

fn between(path: &str, table: &toml::Table) -> Result<Alternatives, NotSearchable> {
    let number = |key: &str| match table.get(key)? {
        toml::Value::Integer(number) => Some(*number as f64),
        toml::Value::Float(number) => Some(*number),
        _ => None,
    };
    let is_whole = |key: &str| table.get(key).is_some_and(toml::Value::is_integer);
    let known = table.keys().all(|key| ["from", "to", "log"].contains(&key.as_str()));
    let log = table.get("log").map_or(Some(false), toml::Value::as_bool);
    let (Some(from), Some(to), Some(log), true) = (number("from"), number("to"), log, known) else {
        require(false, path, RANGE)?;
        return Ok(Alternatives::OneOf(Vec::new()));
    };
    require(from.is_finite() && to.is_finite() && from < to, path, "a range whose `from` is below its `to`")?;
    require(!log || from > 0.0, path, "a range above 0 where log = true")?;
    Ok(Alternatives::Between { from, to, log, whole: is_whole("from") && is_whole("to") })
}

impl Alternatives {
    /// All of the values, or both ends of a range.
    pub(crate) fn extremes(&self) -> Vec<toml::Value> {
        match self {
            Self::OneOf(values) => values.clone(),
            &Self::Between { from, to, whole, .. } => {
                let number = |x: f64| if whole { toml::Value::Integer(x as i64) } else { toml::Value::Float(x) };
                vec![number(from), number(to)]
            }
        }
    }

    /// One of the values: numbers of a range with three digits.
    pub fn draw(&self, rng: &mut Stream) -> toml::Value {
        match self {
            Self::OneOf(values) => {
                let index = rng.below(values.len().max(1) as u32) as usize;
                values.get(index).cloned().unwrap_or(toml::Value::Boolean(false))
            }
            &Self::Between { from, to, log, whole } => {
                let u = f64::from(rng.uniform());
                // Of whole numbers each end is as probable as those between.
                let (low, high) = if whole { (from - 0.5, to + 0.5) } else { (from, to) };
                let value = if log { low * (high / low).powf(u) } else { low + (high - low) * u };
                if whole {
                    return toml::Value::Integer(value.round().clamp(from, to) as i64);
                }
                let rounded = format!("{value:.2e}").parse().unwrap_or(value);
                toml::Value::Float(f64::clamp(rounded, from, to))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dgm_core::random::Seed;

    fn read(text: &str) -> Result<Vec<(String, Alternatives)>, NotSearchable> {
        TuneConfig(text.parse().unwrap()).alternatives()
    }

    #[test]
    fn lists_and_ranges_under_the_keys_of_a_configuration() {
        let found = read(
            "model.hidden = [[64], [128, 128]]\nmodel.features.frequencies = { from = 2, to = 5 }\n\
             [optimizer]\nlearning_rate = { from = 1e-4, to = 1e-2, log = true }",
        )
        .unwrap();
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["model.features.frequencies", "model.hidden", "optimizer.learning_rate"]);
        let rng = &mut Seed(0).stream("tune", 0);
        let mut small = 0;
        for _ in 0..200 {
            let drawn: Vec<toml::Value> = found.iter().map(|(_, one)| one.draw(rng)).collect();
            assert!((2..=5).contains(&drawn[0].as_integer().unwrap()));
            assert!(["[64]", "[128, 128]"].contains(&drawn[1].to_string().as_str()));
            let rate = drawn[2].as_float().unwrap();
            assert!((1e-4..=1e-2).contains(&rate));
            small += usize::from(rate < 1e-3);
        }
        // Half of the orders of magnitude, half of the draws.
        assert!((70..=130).contains(&small), "{small}");
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        for (text, key) in [
            ("data.path = ['a', 'b']", "data"),
            ("model = [1]", "model"),
            ("model.dropout = 0.1", "model.dropout"),
            ("model.dropout = []", "model.dropout"),
            ("model.dropout = { from = 0.2, to = 0.1 }", "model.dropout"),
            ("model.dropout = { from = 0.0, to = 0.1, log = true }", "model.dropout"),
            ("model.dropout = { from = 0.0, to = 0.1, step = 0.1 }", "model.dropout"),
            ("training.epochs = [1, 2]", "training.epochs"),
            ("objective.samples = [1, 8]", "objective.samples"),
            ("objective.kind = [\"elbo\", \"iwae\"]", "objective.kind"),
        ] {
            assert_eq!(read(text).unwrap_err().key, key, "{text}");
        }
    }
}
