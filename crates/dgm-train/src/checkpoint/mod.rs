//! Checkpoints: one file, whole or absent; where a run keeps them, see [`Checkpoints`].
//!
//! Layout: a magic line, a version, the length of a JSON header, the header, the sections that it lists, and a SHA-256
//! over everything before it. A file is written beside its place, flushed to disk and renamed, so a crash leaves the
//! old one.

mod files;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use dgm_models::ModelFactory;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

pub use files::Checkpoints;

const MAGIC: &[u8] = b"dgm checkpoint\n";
const VERSION: u32 = 3;
const DIGEST: usize = 32;

/// Where training stands. Numbers that must come back bit for bit are kept as bits: JSON readers round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// Steps taken.
    pub step: u64,
    /// The best validation so far.
    pub best: Option<Best>,
    /// Evaluations in a row that were no better than the best.
    pub evaluations_since_best: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Whether training has ended, by its last epoch, by early stopping or by its time being up.
    pub complete: bool,
    /// Steps in a row that were skipped because a loss or a gradient was not finite.
    pub skipped: u64,
    /// How often training went back to a checkpoint because of that.
    pub restored: u64,
    /// What the learning rate is multiplied by since then.
    #[serde(with = "bits")]
    pub rate_factor: f64,
    /// The window of steps that is not reported yet, of each player.
    pub windows: Vec<WindowSums>,
    /// What each player's plateau schedule has seen; at its start for every other schedule.
    pub plateaus: Vec<PlateauState>,
    /// Of a complete run whose end asked for an evaluation or a window that was not due: what stood here before. A run that is
    /// extended resumes from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_end: Option<Box<TrainingProgress>>,
}

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// After this many steps.
    pub step: u64,
    /// The validation loss, in nats per example where it is one of a likelihood; `None` where the model has no criterion.
    #[serde(with = "bits::option")]
    pub loss: Option<f64>,
}

/// Sums over the steps since the last report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowSums {
    /// Examples seen.
    pub examples: usize,
    /// What was summed: the loss and its terms.
    pub names: Vec<String>,
    /// Their sums, as the bits of their `f32`.
    pub sums: Vec<u32>,
}

impl Default for TrainingProgress {
    fn default() -> Self {
        Self {
            step: 0,
            best: None,
            evaluations_since_best: 0,
            seconds: 0.0,
            complete: false,
            skipped: 0,
            restored: 0,
            rate_factor: 1.0,
            windows: Vec::new(),
            plateaus: Vec::new(),
            before_end: None,
        }
    }
}

/// What a plateau schedule has seen; the one schedule whose rate is not a function of the step alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The validation loss that counts as the lowest so far, in nats per example.
    #[serde(with = "bits::option")]
    pub best: Option<f64>,
    /// Evaluations since then, or since the factor last fell.
    pub waited: u64,
    /// What the learning rate is multiplied by.
    #[serde(with = "bits")]
    pub factor: f64,
}

impl Default for PlateauState {
    fn default() -> Self {
        Self { best: None, waited: 0, factor: 1.0 }
    }
}

/// An `f64` as its bits.
pub(crate) mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }

    /// An `f64` that may be absent.
    pub(crate) mod option {
        use super::{Deserialize, Deserializer, Serialize, Serializer};

        pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
            value.map(f64::to_bits).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
            Option::<u64>::deserialize(deserializer).map(|bits| bits.map(f64::from_bits))
        }
    }
}

/// What a checkpoint file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Where training stands.
    pub progress: TrainingProgress,
    /// Named blobs: `model`, `average`, `config`, and `optimizer`, or for several players `optimizer/NAME` of each.
    pub sections: Vec<(String, Vec<u8>)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    progress: TrainingProgress,
    sections: Vec<(String, u64)>,
}

/// Why bytes are no checkpoint.
struct Unread {
    what: String,
    /// Whether nobody can read them.
    damaged: bool,
}

impl Unread {
    fn of_version(version: u32, to_do: &str) -> Self {
        let what = format!("a checkpoint of version {version}; this program reads version {VERSION}: {to_do}");
        Self { what, damaged: false }
    }
}

impl From<String> for Unread {
    fn from(what: String) -> Self {
        Self { what, damaged: true }
    }
}

impl From<&str> for Unread {
    fn from(what: &str) -> Self {
        what.to_string().into()
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        Error::input(format!(
            "{}: the checkpoint cannot be read: {error}; make it readable, or restore it",
            path.display()
        ))
    })
}

impl Checkpoint {
    /// The section of this name.
    ///
    /// # Errors
    /// The checkpoint has none.
    pub fn section(&self, name: &str) -> Result<&[u8]> {
        let found = self.sections.iter().find(|(section, _)| section == name);
        found.map(|(_, bytes)| bytes.as_slice()).ok_or_else(|| {
            Error::input(format!(
                "the checkpoint has no section `{name}`: it is not one to resume from; restore it as the run wrote it"
            ))
        })
    }

    /// The configuration of the run that wrote it; `name` is that of its file in messages.
    ///
    /// # Errors
    /// The checkpoint has none, or one that this release does not read.
    pub fn config<M: ModelFactory>(&self, name: &str) -> Result<Config<M>> {
        let text = self.section("config").map_err(|error| Error::input(format!("{name}: {error}")))?;
        Config::from_toml(&String::from_utf8_lossy(text), name, &[])
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full; the file that was there stays.
    pub fn write(&self, path: &Path) -> Result<()> {
        let header = Header {
            progress: self.progress.clone(),
            sections: self.sections.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect(),
        };
        let header = serde_json::to_vec(&header)
            .map_err(|error| Error::run(format!("the checkpoint's header cannot be written: {error}")))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        for (_, section) in &self.sections {
            bytes.extend(section);
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        write_atomic(path, &bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// No such file, not a checkpoint, one of another version, or a damaged one.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_or(path, || "restore it as the run wrote it".into())
    }

    /// As [`read`](Self::read); where the file is damaged, or none of ours, the message ends with what `advice` says. What another
    /// release can read, or another user, is nothing to take away.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_or(path: &Path, advice: impl FnOnce() -> String) -> Result<Self> {
        Self::parse(&bytes(path)?).map_err(|Unread { what, damaged }| {
            let advice = if damaged { format!("; {}", advice()) } else { String::new() };
            Error::input(format!("{}: {what}{advice}", path.display()))
        })
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, Unread> {
        let body = bytes.strip_prefix(MAGIC).ok_or("not a dgm checkpoint (wrong first bytes)")?;
        let (version, body) = body.split_first_chunk::<4>().ok_or("damaged: it ends in its header")?;
        let version = u32::from_le_bytes(*version);
        if version > VERSION {
            return Err(Unread::of_version(version, "update it"));
        }
        if version < VERSION {
            return Err(Unread::of_version(version, "use the release that wrote it"));
        }
        let (content, digest) = bytes
            .split_last_chunk::<DIGEST>()
            .filter(|(content, _)| content.len() >= MAGIC.len() + 12)
            .ok_or("damaged: it ends in its header")?;
        if Sha256::digest(content).as_slice() != digest {
            return Err("damaged: its checksum does not match".into());
        }
        let body = &body[..body.len() - DIGEST];
        let damaged = || "damaged: its header does not match its length".to_string();
        let (length, body) = body.split_first_chunk::<8>().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let (header, mut body) = body.split_at_checked(length).ok_or_else(damaged)?;
        let header: Header = serde_json::from_slice(header).map_err(|error| format!("damaged: {error}"))?;
        let mut sections = Vec::with_capacity(header.sections.len());
        for (name, length) in header.sections {
            let length = usize::try_from(length).map_err(|_| damaged())?;
            let (section, rest) = body.split_at_checked(length).ok_or_else(damaged)?;
            sections.push((name, section.to_vec()));
            body = rest;
        }
        Ok(Self { progress: header.progress, sections })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn example() -> Checkpoint {
        Checkpoint {
            progress: TrainingProgress {
                step: 7,
                best: Some(Best { step: 6, loss: Some(88.1 + 1e-13) }),
                seconds: 1.5,
                rate_factor: 0.1f64.powi(3),
                plateaus: vec![PlateauState { best: Some(1.0 / 3.0), waited: 2, factor: 0.1f64.powi(3) }],
                windows: vec![WindowSums { examples: 3, names: vec!["loss".into()], sums: vec![0.1f32.to_bits()] }],
                ..TrainingProgress::default()
            },
            sections: vec![("model".into(), (0..=255).collect()), ("optimizer".into(), vec![])],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.dgm");
        example().write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), example());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn damage_anywhere_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.dgm");
        example().write(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            assert!(Checkpoint::parse(&bytes[..length]).is_err(), "cut to {length}");
        }
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 0x10;
            assert!(Checkpoint::parse(&damaged).is_err(), "bit flipped at {offset}");
        }
    }

    #[test]
    fn a_newer_version_says_so() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(9u32.to_le_bytes());
        let text = Checkpoint::parse(&bytes).map_err(|unread| unread.what).unwrap_err();
        assert!(text.contains("version 9") && text.contains("update it"), "{text}");
    }
}
