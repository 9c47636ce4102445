//! A configuration file: its text, its name in messages, and what the paths in it are relative to.
//!
//! This is the one place where paths of `[data]` are resolved: `~` is the home folder, and what is relative becomes absolute.
//! Which keys are paths each source says itself (`visit_paths`).

use super::{Config, place_of};
use crate::error::{Error, Result, did_you_mean};
use crate::shipped;
use dgm_models::ModelFactory;
use std::env;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf, absolute};

/// The most that a configuration may hold: one that lists ten thousands of columns has less.
const MAX_BYTES: u64 = 8_000_000;

/// The text of a configuration and where it comes from.
pub(crate) struct ConfigFile {
    pub(crate) text: String,
    /// In messages.
    pub(crate) name: String,
    /// The folder that its paths are relative to; `None`: the current one.
    folder: Option<PathBuf>,
}

/// Whether a path that leads nowhere is an error at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The message then says where a relative path was looked for.
    Refused,
    /// What does not need the data does not miss them.
    Allowed,
}

impl ConfigFile {
    /// A configuration that is in no file: its paths are relative to the current folder.
    pub(crate) fn of_text(text: String, name: String) -> Self {
        Self { text, name, folder: None }
    }

    /// The text of a file that is yet to be written to this folder.
    pub(crate) fn to_be(text: String, name: String, folder: &Path) -> Self {
        Self { text, name, folder: Some(absolute(folder).unwrap_or_else(|_| folder.into())) }
    }

    /// Reads a file; where there is none of this name, it is the shipped configuration of that name.
    ///
    /// # Errors
    /// Neither is there, or the file cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        match read_bytes(path) {
            Ok(bytes) if bytes.len() as u64 > MAX_BYTES => Err(Error::input(format!(
                "{name}: found more than {} MB, and a configuration is a few lines of TOML; name such a file",
                MAX_BYTES / 1_000_000
            ))),
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| {
                    Error::input(format!(
                        "{name}: cannot be read: it is no text in UTF-8; name a configuration, a TOML file"
                    ))
                })?;
                // What comes through a pipe has no folder of its own.
                let folder = path.is_file().then(|| folder_of(path));
                Ok(Self { text, name, folder })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => match shipped::find(&name) {
                Some(text) => Ok(Self::of_text(text.to_string(), format!("{name} (shipped)"))),
                None => {
                    let names = shipped::names();
                    let stem = path.file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into_owned());
                    let near = did_you_mean(&format!("{stem}.toml"), names.iter().copied());
                    Err(Error::input(format!(
                        "{name}: no such file, and no configuration of that name ships with the program; name a file that exists, or one of {}{near}",
                        names.join(", ")
                    )))
                }
            },
            Err(error) => {
                Err(Error::input(format!("{name}: cannot be read: {error}; name a configuration, a TOML file")))
            }
        }
    }

    /// The configuration with these assignments, every path of its `[data]` absolute.
    ///
    /// # Errors
    /// As [`Config::from_toml`]; a path that cannot be one, and, where they are refused, one that leads nowhere.
    pub(crate) fn config<M: ModelFactory>(&self, overrides: &[String], missing: Missing) -> Result<Config<M>> {
        let mut config = Config::<M>::from_toml(&self.text, &self.name, overrides)?;
        config.data.visit_paths(&mut |key, path| match path {
            Some(path) => self.resolve(key, path, overrides, missing),
            None => Ok(()),
        })?;
        Ok(config)
    }

    /// Where a key of a table stands, as the beginning of a message.
    pub(crate) fn place_of(&self, overrides: &[String], key: &[&str; 2]) -> String {
        place_of(&self.text, &self.name, overrides, key)
    }

    fn resolve(&self, key: &'static str, path: &mut PathBuf, overrides: &[String], missing: Missing) -> Result<()> {
        let fail = |problem: String| {
            Error::input(format!("{}data.{key}: {problem}", self.place_of(overrides, &["data", key])))
        };
        let written = path.display().to_string();
        if let Some(found) = written.chars().find(|c| c.is_control()) {
            let advice = super::BACKSLASHES;
            return Err(fail(format!("found the control character {found:?} in the path {written:?}; {advice}")));
        }
        let here = || {
            let failed =
                |error| fail(format!("{written}: the current folder is not known ({error}); write the full path"));
            env::current_dir().map_err(failed)
        };
        let (folder, rule) = match &self.folder {
            Some(_) if is_assigned(key, overrides) => {
                (here()?, "paths given with --set are relative to the current folder")
            }
            Some(folder) => (folder.clone(), "paths in a configuration are relative to its folder"),
            None => (here()?, "paths are relative to the current folder"),
        };
        let at_home = expand_home(path).map_err(fail)?;
        let whole = match &at_home {
            Some(whole) => whole.clone(),
            // An empty path stays one: its message says so.
            None if written.is_empty() => return Ok(()),
            None => absolute(folder.join(&*path))
                .map_err(|error| fail(format!("{written}: {error}; write another path")))?,
        };
        if missing == Missing::Refused && path.is_relative() && !whole.exists() {
            let place = match at_home {
                Some(whole) => format!("no such file or folder: {}", whole.display()),
                None => format!("no such file or folder in {} ({rule})", folder.display()),
            };
            return Err(fail(format!("{written}: {place}; put it there, or set data.{key} to where it is")));
        }
        if whole.to_str().is_none() {
            return Err(fail(format!("found the path {}; expected one in UTF-8; rename the folder", whole.display())));
        }
        *path = whole;
        Ok(())
    }
}

/// A file, which may be endless: one byte more than a configuration may have.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The folder that a file is in, as an absolute path.
fn folder_of(path: &Path) -> PathBuf {
    let whole = absolute(path).unwrap_or_else(|_| path.into());
    whole.parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Whether an assignment sets this key of `[data]`, or the whole table.
fn is_assigned(key: &str, overrides: &[String]) -> bool {
    let keys = overrides.iter().filter_map(|assignment| assignment.split_once('=')).map(|(key, _)| key);
    keys.into_iter().any(|assigned| {
        let mut parts = assigned.split('.').map(str::trim);
        parts.next() == Some("data") && parts.next().is_none_or(|part| part == key)
    })
}

/// A path as an argument gives it, where no shell has seen to the `~`.
///
/// # Errors
/// A home folder that is not known.
#[cfg(feature = "cli")]
pub(crate) fn at_home(path: &Path) -> Result<PathBuf> {
    expand_home(path).map(|whole| whole.unwrap_or_else(|| path.into())).map_err(Error::input)
}

/// The path with the home folder in place of a `~` at its beginning; `None`: it has none.
fn expand_home(path: &Path) -> std::result::Result<Option<PathBuf>, String> {
    let Ok(rest) = path.strip_prefix("~") else { return Ok(None) };
    let home = env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| format!("{}: the home folder is not known; write the full path", path.display()))?;
    Ok(Some(if rest.as_os_str().is_empty() { home } else { home.join(rest) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::config::ModelConfig;
    use crate::data::DataConfig;

    fn file(folder: Option<&str>, data: &str) -> ConfigFile {
        let text = format!("[data]\n{data}\n[model]\nkind = 'vae'\n");
        ConfigFile { text, name: "c.toml".into(), folder: folder.map(PathBuf::from) }
    }

    fn paths(file: &ConfigFile, overrides: &[&str]) -> Vec<String> {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let mut found = Vec::new();
        let mut config: Config = file.config(&overrides, Missing::Allowed).unwrap();
        let visited = config.data.visit_paths(&mut |_, path| {
            found.extend(path.map(|path| path.display().to_string()));
            Ok(())
        });
        visited.unwrap();
        found
    }

    #[cfg(unix)]
    #[test]
    fn every_path_of_every_source_is_relative_to_the_file() {
        for (data, expected) in [
            (
                "source = 'csv'\npath = 't.csv'\ntarget = [0]\ntrain_rows = '/r'\ntest_rows = 'x/../s'",
                &["/a/b/t.csv", "/r", "/a/b/x/../s"][..],
            ),
            ("source = 'text'\npath = './t.txt'", &["/a/b/t.txt"]),
            ("source = 'images'\npath = 'p'\nchannels = 1\ntest_path = '../q'", &["/a/b/p", "/a/b/../q"]),
            ("source = 'mnist'\nfolder = 'm'", &["/a/b/m"]),
            ("source = 'fashion-mnist'", &[]),
            ("source = 'digits'", &[]),
            (
                "source = 'idx'\ntrain_images = 'a'\ntrain_labels = 'b'\ntest_images = 'c'\ntest_labels = 'd'",
                &["/a/b/a", "/a/b/b", "/a/b/c", "/a/b/d"],
            ),
            (
                "source = 'npy'\ntrain = 'x.npy'\nvalidation = 'd.npz:v'\ntest = 'd.npz'\ntrain_labels = 'l'\n\
                 validation_labels = 'm'\ntest_labels = '/n.npz:a/b'",
                &["/a/b/x.npy", "/a/b/d.npz", "/a/b/d.npz", "/a/b/l", "/a/b/m", "/n.npz"],
            ),
        ] {
            assert_eq!(paths(&file(Some("/a/b"), data), &[]), expected, "{data}");
        }
        // The member of an archive stays.
        let npy = file(Some("/a/b"), "source = 'npy'\ntrain = 'd.npz:x.npz:y'\ntest = 'e'");
        let DataConfig::Npy(config) = npy.config::<ModelConfig>(&[], Missing::Allowed).unwrap().data else { panic!() };
        assert_eq!((&*config.train, config.test.as_deref()), ("/a/b/d.npz:x.npz:y", Some("/a/b/e")));
    }

    #[cfg(unix)]
    #[test]
    fn paths_of_set_are_relative_to_the_current_folder() {
        let here = env::current_dir().unwrap().display().to_string();
        let in_a_file =
            file(Some("/a/b"), "source = 'csv'\npath = 't.csv'\ntarget = [0]\ntrain_rows = 'r'\ntest_rows = 's'");
        let expected = [format!("{here}/u.csv"), "/a/b/r".into(), "/a/b/s".into()];
        assert_eq!(paths(&in_a_file, &["data.path=u.csv"]), expected);
        assert_eq!(paths(&in_a_file, &["data={source='text',path='u'}"]), [format!("{here}/u")]);
        assert_eq!(paths(&file(None, "source = 'text'\npath = 'u'"), &[]), [format!("{here}/u")]);
        let home = env::home_dir().unwrap();
        for (written, expected) in
            [("~/u", home.join("u")), ("~", home), ("/~/u", "/~/u".into()), ("~u", "/a/b/~u".into())]
        {
            let text = file(Some("/a/b"), &format!("source = 'text'\npath = '{written}'"));
            assert_eq!(paths(&text, &[]), [expected.display().to_string()], "{written}");
        }
    }

    #[test]
    fn a_path_that_swallowed_its_backslashes_is_named_with_its_line() {
        let data = "source = 'csv'\ntarget = [0]\npath = \"C:\\temp\\new\\t.csv\"";
        let message = file(None, data).config::<ModelConfig>(&[], Missing::Allowed).unwrap_err().to_string();
        let expected = "c.toml:4: data.path: found the control character '\\t' in the path \"C:\\temp\\new\\t.csv\"; in \"…\" a \
                        backslash begins an escape such as \\t: write the path in single quotes, '…', or with /";
        assert_eq!(message, expected);
        let set = ["data.path=\"D:\\back\"".to_owned()];
        let message = file(None, data).config::<ModelConfig>(&set, Missing::Allowed).unwrap_err().to_string();
        assert!(
            message.starts_with("--set data.path=\"D:\\back\": data.path: found the control character '\\u{8}'"),
            "{message}"
        );
    }
}
