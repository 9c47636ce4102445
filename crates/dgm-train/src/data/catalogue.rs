//! What `dgm-train data fetch` can get: names, sizes, checksums, where from, and where to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use indicatif::DecimalBytes;
use serde::Deserialize;

use crate::error::{Error, Result, did_you_mean};

/// The variable of the environment that names the folder of the data sets.
pub const FOLDER_VARIABLE: &str = "DGM_DATA_DIR";

/// A data set: files that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DataSet {
    /// One line for people.
    pub about: String,
    /// The licence of the data, and whose they are.
    pub licence: String,
    /// Addresses of folders that hold every file under its name, in the order to try.
    pub mirrors: Vec<String>,
    /// The files.
    pub files: Vec<RemoteFile>,
}

/// A file whose content is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

/// The data sets that the program knows, by name; no error, as a test makes sure.
pub fn catalogue() -> Result<BTreeMap<String, DataSet>> {
    toml::from_str(include_str!("catalogue.toml")).map_err(|error| Error::run(format!("catalogue.toml: {error}")))
}

/// The data set of this name.
///
/// # Errors
/// There is none; the message names those that there are.
pub fn find(name: &str) -> Result<DataSet> {
    let mut sets = catalogue()?;
    sets.remove(name).ok_or_else(|| {
        let near = did_you_mean(name, sets.keys().map(String::as_str));
        let known: Vec<String> = sets.iter().map(|(name, set)| format!("{name} ({})", set.size())).collect();
        Error::input(format!("there is no data set `{name}`{near} (known: {}); name one of them", known.join(", ")))
    })
}

impl DataSet {
    /// The size of all files together.
    pub fn size(&self) -> DecimalBytes {
        DecimalBytes(self.files.iter().map(|file| file.bytes).sum())
    }

    /// Where a file is, in the order to try.
    pub fn urls(&self, file: &RemoteFile) -> Vec<String> {
        let mirrors = self.mirrors.iter().map(|mirror| format!("{}/{}", mirror.trim_end_matches('/'), file.name));
        file.urls.iter().cloned().chain(mirrors).collect()
    }
}

/// The folder of all data sets: `DGM_DATA_DIR`, or `dgm/datasets` in the cache of the user.
///
/// # Errors
/// A user without a home.
pub fn datasets_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Error::input(format!("there is no cache folder ({error}); set {FOLDER_VARIABLE} to a folder for data sets"))
    })?;
    Ok(strategy.cache_dir().join("dgm").join("datasets"))
}

/// A path as seen from the root, so that a message is of use from any folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::file::Fingerprint;
    use super::super::tests::shared;
    use super::*;

    #[test]
    fn the_shipped_catalogue_is_valid() {
        let sets = catalogue().unwrap();
        assert!(sets.keys().eq(["binarized-mnist", "fashion-mnist", "mnist", "tinyshakespeare"]));
        for (name, set) in &sets {
            assert!(!set.about.is_empty() && !set.licence.is_empty(), "{name}");
            for file in &set.files {
                let urls = set.urls(file);
                assert!(!urls.is_empty() && urls.iter().all(|url| url.starts_with("http")), "{name}: {urls:?}");
            }
        }
    }

    #[test]
    fn sizes_and_checksums_are_those_of_the_files() {
        for (name, folder) in [("mnist", "mnist"), ("fashion-mnist", "fashion-mnist"), ("tinyshakespeare", "text")] {
            let Some(folder) = shared(folder) else { return };
            for file in find(name).unwrap().files {
                let bytes = std::fs::read(folder.join(&file.name)).unwrap();
                let mut sum = Fingerprint::default();
                sum.update(&bytes);
                assert_eq!((bytes.len() as u64, sum.finish()), (file.bytes, file.sha256.clone()), "{}", file.name);
            }
        }
    }

    /// The bits at hand, 98 bytes per image and column by column, written out as Larochelle's text.
    #[test]
    fn the_binarised_text_is_known_to_the_byte() {
        let Some(folder) = shared("binarized-mnist") else { return };
        for (part, file) in ["train", "valid", "test"].into_iter().zip(find("binarized-mnist").unwrap().files) {
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
}
