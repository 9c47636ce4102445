//! What `dgm-train data fetch` can get: names, sizes, checksums, where from, and where to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::error::{Error, Result, did_you_mean};

/// The variable of the environment that names the folder of the data sets.
pub const FOLDER_VARIABLE: &str = "DGM_DATA_DIR";

/// Data sets by name.
///
/// The form of the file is explained at the top of the program's own, `catalogue.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    sets: BTreeMap<String, DataSet>,
}

/// A data set: files that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// One line for people.
    #[serde(default)]
    pub about: String,
    /// The licence of the data, and whose they are.
    #[serde(default)]
    pub licence: String,
    /// Addresses of folders that hold every file under its name, in the order to try.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// The files.
    pub files: Vec<RemoteFile>,
}

/// A file whose content is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// The name in the folder of the data set.
    pub name: String,
    /// The size.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Addresses of this file alone, tried before the mirrors of the set.
    #[serde(default)]
    pub urls: Vec<String>,
}

impl Catalogue {
    /// The data sets that the program knows.
    ///
    /// # Errors
    ///
    /// None, as a test makes sure.
    pub fn shipped() -> Result<Self> {
        Self::from_toml(include_str!("catalogue.toml"), "catalogue.toml")
    }

    /// Reads a catalogue; `origin` names the file in messages.
    ///
    /// # Errors
    ///
    /// What is not TOML of this form, names that are not the name of one file, checksums that are none, and addresses
    /// that are not http or https.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let sets: BTreeMap<String, DataSet> = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
            Error::input(format!("{origin}:{line}: {}; fix the line", error.message().replace('\n', " ")))
        })?;
        for (name, set) in &sets {
            set.validate(name)
                .map_err(|problem| Error::input(format!("{origin}: [{name}]: {problem}; fix the catalogue")))?;
        }
        Ok(Self { sets })
    }

    /// These and those of `other`; of two with one name, that of `other`.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.sets.extend(other.sets);
        self
    }

    /// Name and data set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DataSet)> {
        self.sets.iter().map(|(name, set)| (name.as_str(), set))
    }

    /// The data set of this name.
    ///
    /// # Errors
    ///
    /// There is none; the message names those that there are.
    pub fn find(&self, name: &str) -> Result<(&str, &DataSet)> {
        self.sets.get_key_value(name).map(|(name, set)| (name.as_str(), set)).ok_or_else(|| {
            let near = did_you_mean(name, self.sets.keys().map(String::as_str));
            let known: Vec<String> = self.iter().map(|(name, set)| format!("{name} ({})", Size(set.bytes()))).collect();
            Error::input(format!("there is no data set `{name}`{near} (known: {}); name one of them", known.join(", ")))
        })
    }
}

impl DataSet {
    /// The size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Where a file is, in the order to try.
    pub fn urls(&self, file: &RemoteFile) -> Vec<String> {
        file.urls.iter().cloned().chain(self.mirrors.iter().map(|mirror| under(mirror, &file.name))).collect()
    }

    fn validate(&self, name: &str) -> std::result::Result<(), String> {
        let one_file = "letters, digits, `-`, `_` and `.`, none of them first but a letter, a digit or `_`";
        if !is_file_name(name) {
            return Err(format!("the name of a data set is one of {one_file}"));
        }
        if self.files.is_empty() {
            return Err("`files` is empty; expected one at least".into());
        }
        for (place, file) in self.files.iter().enumerate() {
            let at = format!("files[{place}]");
            if !is_file_name(&file.name) || file.name.ends_with(".part") {
                return Err(format!("{at}: name is \"{}\"; expected {one_file}", file.name));
            }
            if self.files.iter().take(place).any(|other| other.name == file.name) {
                return Err(format!("{at}: the name \"{}\" is there already", file.name));
            }
            if file.bytes == 0 {
                return Err(format!("{at}: bytes is 0; expected the size of the file"));
            }
            let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if file.sha256.len() != 64 || !file.sha256.chars().all(digit) {
                return Err(format!("{at}: sha256 is \"{}\"; expected 64 digits 0-9, a-f", file.sha256));
            }
            let urls = self.urls(file);
            if urls.is_empty() {
                return Err(format!("{at}: there is neither `urls` nor `mirrors`; expected an address"));
            }
            if let Some(url) = urls.iter().find(|url| !is_address(url)) {
                return Err(format!("{at}: the address is \"{url}\"; expected http://… or https://…"));
            }
        }
        Ok(())
    }
}

/// The address of a file in the folder `base`.
pub(super) fn under(base: &str, name: &str) -> String {
    format!("{}/{name}", base.trim_end_matches('/'))
}

/// Whether this is an address that can be fetched from.
pub(crate) fn is_address(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// A name that stays in its folder on every system.
fn is_file_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The folder of all data sets: `DGM_DATA_DIR`, or `dgm/datasets` in the cache of the user.
///
/// # Errors
///
/// A user without a home.
pub fn datasets_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Error::input(format!(
            "there is no cache folder ({error}); set {FOLDER_VARIABLE} to the folder of the data sets"
        ))
    })?;
    Ok(strategy.cache_dir().join("dgm").join("datasets"))
}

/// A path as seen from the root, so that a message is of use from any folder.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// A number of bytes for people: three digits and a unit.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} bytes", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes / 1e6),
            _ => write!(f, "{:.2} GB", bytes / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::file::Fingerprint;
    use super::super::tests::shared;
    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// A set of one file with these keys.
    fn set(keys: &str) -> String {
        format!("[own]\nmirrors = ['http://a/b/']\nfiles = [{{ {keys} }}]\n")
    }

    fn message(text: &str) -> String {
        Catalogue::from_toml(text, "own.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_catalogue_is_valid() {
        let catalogue = Catalogue::shipped().unwrap();
        let names: Vec<&str> = catalogue.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["binarized-mnist", "fashion-mnist", "mnist", "tinyshakespeare"]);
        for (name, set) in catalogue.iter() {
            assert!(!set.about.is_empty() && !set.licence.is_empty(), "{name}");
        }
        let message = catalogue.find("minst").unwrap_err().to_string();
        assert!(
            message.starts_with("there is no data set `minst`; did you mean `mnist`? (known: binarized-"),
            "{message}"
        );
        assert!(message.contains("mnist (11.6 MB)"), "{message}");
    }

    #[test]
    fn sizes_and_checksums_are_those_of_the_files() {
        let catalogue = Catalogue::shipped().unwrap();
        for (name, folder) in [("mnist", "mnist"), ("fashion-mnist", "fashion-mnist"), ("tinyshakespeare", "text")] {
            let Some(folder) = shared(folder) else { return };
            for file in &catalogue.find(name).unwrap().1.files {
                let bytes = std::fs::read(folder.join(&file.name)).unwrap();
                let mut sum = Fingerprint::default();
                sum.update(&bytes);
                assert_eq!((bytes.len() as u64, sum.finish()), (file.bytes, file.sha256.clone()), "{}", file.name);
            }
        }
    }

    /// The bits at hand, 98 bytes an image and column by column, written out as Larochelle's text.
    #[test]
    fn the_binarised_text_is_known_to_the_byte() {
        let catalogue = Catalogue::shipped().unwrap();
        let Some(folder) = shared("binarized-mnist") else { return };
        for (part, file) in
            ["train", "valid", "test"].into_iter().zip(&catalogue.find("binarized-mnist").unwrap().1.files)
        {
            let array = std::fs::read(folder.join(format!("{part}.npy"))).unwrap();
            let (mut sum, mut bytes) = (Fingerprint::default(), 0);
            let columns: Vec<&[u8]> = array[128..].chunks_exact((array.len() - 128) / 98).collect();
            for image in 0..columns[0].len() {
                let row = columns.iter().map(|column| column[image]);
                let bits = row.flat_map(|byte| (0..8).rev().map(move |bit| b'0' + (byte >> bit & 1)));
                let mut line: Vec<u8> = bits.flat_map(|digit| [digit, b' ']).collect();
                *line.last_mut().unwrap() = b'\n';
                bytes += line.len() as u64;
                sum.update(&line);
            }
            assert_eq!((file.name.clone(), bytes), (format!("binarized_mnist_{part}.amat"), file.bytes));
            assert_eq!(sum.finish(), file.sha256);
        }
    }

    #[test]
    fn addresses_of_a_file_come_before_the_mirrors() {
        let text = set(&format!("name = 'f', bytes = 1, sha256 = '{ZEROS}', urls = ['https://c/d']"));
        let catalogue = Catalogue::from_toml(&text, "own.toml").unwrap();
        let (_, own) = catalogue.find("own").unwrap();
        assert_eq!(own.urls(&own.files[0]), ["https://c/d", "http://a/b/f"]);
        let both = Catalogue::shipped().unwrap().with(catalogue.clone());
        assert!(both.find("own").is_ok() && both.find("mnist").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (keys, expected) in [
            ("bytes = 1, sha256 = 'ZEROS'", "own.toml:3: missing field `name`"),
            ("name = 'f', bytes = -1, sha256 = 'ZEROS'", "own.toml:3: invalid value: integer `-1`"),
            ("name = 'f', bytes = 1, sha256 = 'ZEROS', url = 'x'", "own.toml:3: unknown field `url`"),
            ("name = 'f', bytes = 0, sha256 = 'ZEROS'", "own.toml: [own]: files[0]: bytes is 0; expected the size"),
            ("name = 'f', bytes = 1, sha256 = 'ab'", "own.toml: [own]: files[0]: sha256 is \"ab\"; expected 64 digits"),
            (
                "name = 'f', bytes = 1, sha256 = 'ZEROS', urls = ['ftp://x']",
                "own.toml: [own]: files[0]: the address is",
            ),
            // A catalogue of somebody else's writes nowhere but in its own folder.
            ("name = '../f', bytes = 1, sha256 = 'ZEROS'", "own.toml: [own]: files[0]: name is \"../f\"; expected"),
            ("name = '/f', bytes = 1, sha256 = 'ZEROS'", "own.toml: [own]: files[0]: name is \"/f\"; expected"),
            ("name = '.lock', bytes = 1, sha256 = 'ZEROS'", "own.toml: [own]: files[0]: name is \".lock\"; expected"),
            ("name = 'f.part', bytes = 1, sha256 = 'ZEROS'", "own.toml: [own]: files[0]: name is \"f.part\"; expected"),
        ] {
            let found = message(&set(&keys.replace("ZEROS", ZEROS)));
            assert!(found.starts_with(expected) && !found.contains('\n'), "\n   found: {found}\nexpected: {expected}");
        }
        assert!(message("['../a']\nfiles = []").contains("the name of a data set"));
        assert!(message("[a]\nfiles = []").contains("`files` is empty"));
        let twice = format!("{{ name = 'f', bytes = 1, sha256 = '{ZEROS}' }}");
        assert!(message(&format!("[a]\nmirrors = ['http://a']\nfiles = [{twice}, {twice}]")).contains("there already"));
    }

    #[test]
    fn sizes_for_people() {
        let text = [999, 1_000, 11_594_722, 2_500_000_000].map(|bytes| Size(bytes).to_string());
        assert_eq!(text, ["999 bytes", "1.0 kB", "11.6 MB", "2.50 GB"]);
    }
}
