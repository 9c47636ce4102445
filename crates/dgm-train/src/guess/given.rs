//! Values of `[data]` that are given beside a bare file, and the lines that they are written to.

use std::path::{Path, PathBuf};

use super::{Rename, path_line};
use crate::error::{Error, Result};

/// Keys of `[data]` and their values, each key once.
pub(super) struct Given(Vec<(String, toml::Value)>);

/// A value as text, a string without its quotes.
pub(super) fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Given {
    /// Of assignments `data.KEY=VALUE`.
    ///
    /// # Errors
    /// Another key, or no assignment.
    pub(super) fn of(set: &[String]) -> Result<Self> {
        let mut given = Self(Vec::new());
        for assignment in set {
            let key_of = |left: &str| {
                let key = left.trim().strip_prefix("data.")?.to_owned();
                key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(key)
            };
            let parts = assignment.split_once('=').and_then(|(left, value)| Some((key_of(left)?, value.trim())));
            let Some((key, value)) = parts else {
                return Err(Error::input(format!(
                    "--set {assignment}: the data have no configuration yet; expected a key of [data], such as data.encoding=windows-1252; \
                     write a configuration with dgm-train new to change other keys"
                )));
            };
            // What is not TOML is a string, as in every assignment.
            let value = value.parse().unwrap_or_else(|_| toml::Value::String(value.to_owned()));
            given.0.retain(|(other, _)| *other != key);
            given.0.push((key, value));
        }
        Ok(given)
    }

    pub(super) fn get(&self, key: &str) -> Option<&toml::Value> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// The value, which is then written no more.
    pub(super) fn take(&mut self, key: &str) -> Option<toml::Value> {
        let place = self.0.iter().position(|(other, _)| other == key)?;
        Some(self.0.remove(place).1)
    }

    /// Writes each value in place of the line of its key, or below all lines. `paths`: the keys that are paths.
    pub(super) fn write(&self, lines: &mut Vec<String>, paths: &[&str], rename: &Rename<'_>) {
        for (key, value) in &self.0 {
            let line = match paths.contains(&key.as_str()) {
                true => path_line(key, &plain(value), &|path: &Path| renamed(path, rename)),
                false => format!("{key} = {value}"),
            };
            match lines.iter_mut().find(|line| line.starts_with(&format!("{key} = "))) {
                Some(known) => *known = line,
                None => lines.push(line),
            }
        }
    }
}

/// What starts at the home folder does so from everywhere.
fn renamed(path: &Path, rename: &Rename<'_>) -> PathBuf {
    if path.starts_with("~") { path.to_owned() } else { rename(path) }
}
