//! Data: a source → a [`Dataset`] of examples, its splits and its fingerprint.
//!
//! A source is one file here and one line in the registry: a configuration with its own keys, `validate` (ranges) and
//! `load`.

pub(crate) mod arrays;
mod augment;
pub mod catalogue;
pub(crate) mod chunks;
pub mod csv;
mod digits;
pub mod encoding;
pub mod file;
mod folder;
mod fraction;
mod given;
mod gzip;
pub mod idx;
mod images;
pub(crate) mod listing;
pub(crate) mod named;
pub mod names;
pub mod npy;
pub mod npz;
pub(crate) mod picture;
mod spikes;
mod split;
pub mod store;
pub mod summary;
mod synthetic;
pub mod table;
mod text;
mod transform;

use std::path::PathBuf;
use std::sync::Arc;

use dgm_core::random::Seed;
use dgm_models::{DataSpec, ModelError, Values};
use serde::{Deserialize, Deserializer, Serialize};

use crate::check::Invalid;
use crate::error::{Error, Result};

pub use arrays::{Layout, NpyConfig};
pub use augment::{Augment, Orientation};
pub use csv::{ColumnRef, Conditions, CsvConfig, Missing};
pub use digits::DigitsConfig;
pub(crate) use file::Fingerprint;
pub use folder::{FolderConfig, Resize, picture_as};
pub use given::GivenConfig;
pub use idx::IdxConfig;
pub use images::{Condition, Target};
pub use named::{FashionMnistConfig, MnistConfig, NamedConfig};
pub use names::{ColumnKind, ColumnSpec, Names};
pub(crate) use split::VIEW_BITS;
pub use split::{Field, Label, Matrix, Split, Tokens};
use table::Table;

pub use synthetic::{SyntheticConfig, SyntheticKind};
pub use text::{Examples, Newlines, TextConfig, Unit, Vocabulary};
pub use transform::{Binarize, Dequantize};

/// Sees, and may change, the path that a key of `[data]` has.
pub(crate) type VisitPath<'a> = dyn FnMut(&'static str, Option<&mut PathBuf>) -> Result<()> + 'a;

macro_rules! registry {
    ($($source:literal => $variant:ident($config:ident)),+ $(,)?) => {
        /// The table `[data]`, whose key `source` picks the variant.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "source")]
        pub enum DataConfig {
            $(
                #[doc = concat!("`source = \"", $source, "\"`")]
                #[serde(rename = $source)]
                $variant($config),
            )+
        }

        impl DataConfig {
            const ALL: &[&str] = &[$($source),+];

            /// The name of this source.
            pub fn source(&self) -> &'static str {
                match self { $(Self::$variant(_) => $source,)+ }
            }

            /// Reads the keys of `source` (the table without the key `source` itself), keeping the positions that a
            /// TOML error points to. `None`: there is no source of that name.
            pub(crate) fn deserialize_source<'de, D: Deserializer<'de>>(
                source: &str,
                table: D,
            ) -> Option<std::result::Result<Self, D::Error>> {
                match source {
                    $($source => Some($config::deserialize(table).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// Shows `visit` each key that is a path, whether it has a value or not; a configuration's file resolves them so.
            ///
            /// # Errors
            ///
            /// The first error of `visit`.
            pub(crate) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
                match self { $(Self::$variant(config) => config.visit_paths(visit),)+ }
            }

            /// What else can be done about a model that does not fit the data of this source.
            pub(crate) fn advice(&self, spec: &DataSpec, error: &ModelError) -> &'static str {
                match (self, &spec.values, error) {
                    (Self::Npy(_), Values::Real(_), ModelError::Likelihood { likelihood: "bernoulli", .. }) => {
                        ", or make levels of pixels: set data.levels = 256 (and data.scale = 255, if they are from 0 to 1) and \
                         data.binarize = \"dynamic\""
                    }
                    (Self::Npy(_), Values::Real(_), ModelError::Likelihood { .. }) => {
                        ", or make levels of pixels: set data.levels = 256 (and data.scale = 255, if they are from 0 to 1)"
                    }
                    _ => "",
                }
            }

            /// Whether the values are in range.
            pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
                match self { $(Self::$variant(config) => config.validate(),)+ }
            }
        }

        /// Loads a source and splits it; the seed decides over random splits.
        ///
        /// # Errors
        ///
        /// Files that are missing or broken, values that are not what the source expects, and splits without examples.
        pub fn load(config: &DataConfig, seed: Seed) -> Result<Dataset> {
            let mut dataset = match config { $(DataConfig::$variant(config) => config.load(seed),)+ }?;
            dataset.check()?;
            dataset.standardize();
            Ok(dataset)
        }
    };
}

registry! {
    "digits" => Digits(DigitsConfig),
    "idx" => Idx(IdxConfig),
    "csv" => Csv(CsvConfig),
    "npy" => Npy(NpyConfig),
    "images" => Images(FolderConfig),
    "text" => Text(TextConfig),
    "synthetic" => Synthetic(SyntheticConfig),
    "mnist" => Mnist(MnistConfig),
    "fashion-mnist" => FashionMnist(FashionMnistConfig),
    "given" => Given(GivenConfig),
}

impl DataConfig {
    /// The names that `source` may have in a configuration that a person writes: all but `given`, the last.
    pub const SOURCES: &[&str] = match Self::ALL.split_last() {
        Some((_, named)) => named,
        None => &[],
    };

    /// What this leaves to be recognised is what was recognised for `other`.
    pub(crate) fn adopt(&mut self, other: &Self) {
        if let (Self::Csv(mine), Self::Csv(other)) = (self, other) {
            mine.adopt(other);
        }
    }

    /// The keys that are paths.
    pub(crate) fn path_keys(&self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        // No visit fails.
        let _ = self.clone().visit_paths(&mut |key, _| {
            keys.push(key);
            Ok(())
        });
        keys
    }
}

/// A split of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Part {
    /// What training learns from, not augmented
    Train,
    /// What chooses the checkpoint
    Validation,
    /// What results are of
    #[default]
    Test,
}

/// A set of examples with its splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// A short name for people.
    pub name: String,
    /// What a model has to know.
    pub spec: DataSpec,
    /// What is learnt from.
    pub train: Split,
    /// What decides when to stop and which checkpoint is best.
    pub validation: Split,
    /// What is reported.
    pub test: Split,
    /// SHA-256 over the uncompressed sources, in hexadecimal.
    pub fingerprint: String,
    /// What columns and classes are called.
    pub names: Names,
    /// The table behind the examples, where there is one.
    pub table: Option<Arc<Table>>,
    /// What is odd about the data, so that a result may mislead, a sentence each; named beside each result.
    pub warnings: Vec<String>,
    /// The configuration with everything that was recognised written out, where there is something to recognise.
    pub resolved: Option<DataConfig>,
    /// What was done to the examples that changes what their likelihood means, a sentence each; named beside each result.
    pub transforms: Vec<String>,
    /// Entropy of the distribution that the examples were drawn from, in nats per example, where it is known: no model's
    /// mean NLL is below it, short of chance. Given a condition, the conditional entropy.
    pub entropy: Option<f64>,
    /// What the levels stand for, where they are symbols of a text.
    pub vocabulary: Option<Vocabulary>,
}

impl Dataset {
    /// Training, validation and test of this description, with nothing else to say of them.
    pub fn new(name: impl Into<String>, spec: DataSpec, splits: [Split; 3], fingerprint: String) -> Self {
        let [train, validation, test] = splits;
        Self {
            name: name.into(),
            spec,
            train,
            validation,
            test,
            fingerprint,
            names: Names::default(),
            table: None,
            warnings: Vec::new(),
            resolved: None,
            transforms: Vec::new(),
            entropy: None,
            vocabulary: None,
        }
    }

    /// A split and its name.
    pub fn part(&self, part: Part) -> (&'static str, &Split) {
        match part {
            Part::Train => ("train", &self.train),
            Part::Validation => ("validation", &self.validation),
            Part::Test => ("test", &self.test),
        }
    }

    /// Examples for training, validation and test.
    pub fn examples(&self) -> [usize; 3] {
        [&self.train, &self.validation, &self.test].map(Split::len)
    }

    /// What one token is, where the targets are tokens of a text.
    pub fn tokens(&self) -> Option<Unit> {
        self.test.tokens.map(|tokens| tokens.unit)
    }

    /// From here on a batch holds real numbers without their units, which the description has.
    fn standardize(&mut self) {
        for split in [&mut self.train, &mut self.validation, &mut self.test] {
            split.standardize(&self.spec);
        }
    }

    /// Every split has examples.
    fn check(&self) -> Result<()> {
        for (name, split) in [("training", &self.train), ("validation", &self.validation), ("test", &self.test)] {
            if split.is_empty() {
                return Err(Error::input(format!(
                    "{}: the {name} split has no example (training {}, validation {}, test {}); each needs one at \
                     least: change the keys of [data] that size the splits, or give more data",
                    self.name,
                    self.train.len(),
                    self.validation.len(),
                    self.test.len()
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
