//! Data: a source → a [`Dataset`] of examples, its splits and its fingerprint.
//!
//! A source is one file here and one line in the registry: a configuration with its own keys, `validate` (ranges) and
//! `load`.

pub mod catalogue;
mod csv;
mod digits;
pub mod fetch;
mod file;
mod idx;
mod images;
mod named;
mod transfer;

use std::borrow::Cow;

use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::{Seed, Stream};
use dgm_models::{Batch, DataSpec};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::Invalid;
use crate::error::{Error, Result};

pub use csv::{Column, CsvConfig, Delimiter};
pub use digits::DigitsConfig;
pub use idx::IdxConfig;
pub use images::{Binarize, Condition, Target};
pub use named::{FashionMnistConfig, MnistConfig, NamedConfig};

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
            /// The names that `source` may have.
            pub const SOURCES: &[&str] = &[$($source),+];

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
            let dataset = match config { $(DataConfig::$variant(config) => config.load(seed),)+ }?;
            dataset.check()?;
            Ok(dataset)
        }
    };
}

registry! {
    "digits" => Digits(DigitsConfig),
    "idx" => Idx(IdxConfig),
    "csv" => Csv(CsvConfig),
    "mnist" => Mnist(MnistConfig),
    "fashion-mnist" => FashionMnist(FashionMnistConfig),
}

/// Numbers on the host, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    rows: usize,
    width: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// A matrix from its numbers, row by row.
    ///
    /// # Panics
    ///
    /// When there are not rows × width numbers.
    pub fn new(rows: usize, width: usize, values: Vec<f32>) -> Self {
        assert_eq!(rows * width, values.len(), "a matrix of {rows} × {width}");
        Self { rows, width, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Every number, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Row `i`.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// These rows, in this order.
    ///
    /// # Panics
    ///
    /// When one of them does not exist.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.width);
        for &row in rows {
            values.extend_from_slice(self.row(row));
        }
        Self { rows: rows.len(), width: self.width, values }
    }

    /// These rows as a tensor `[rows, width]`, in one upload.
    fn upload(&self, rows: &[usize], device: &Device) -> Tensor<2> {
        let part = self.select(rows);
        Tensor::from_data(TensorData::new(part.values, [part.rows, part.width]), device)
    }
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
}

impl Dataset {
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

/// Examples that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// What is modelled, one example a row.
    pub target: Matrix,
    /// What it is conditioned on.
    pub condition: Option<Matrix>,
    /// Grey values of a target that is drawn anew every epoch.
    intensities: Option<Intensities>,
}

/// Grey values in `0 ..= scale`; a binary pixel is 1 with probability value / scale.
#[derive(Clone, Debug, PartialEq)]
struct Intensities {
    values: Vec<u8>,
    scale: f32,
}

impl Intensities {
    fn draw(&self, mut stream: Stream) -> Vec<f32> {
        // One number a pixel, black ones too, so that a pixel's draw does not depend on the others.
        self.values.iter().map(|&v| f32::from(u8::from(stream.uniform() * self.scale < f32::from(v)))).collect()
    }
}

impl Split {
    /// A split of fixed examples.
    pub fn new(target: Matrix, condition: Option<Matrix>) -> Self {
        Self { target, condition, intensities: None }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.target.rows
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples as they are in this epoch: drawn anew under dynamic binarisation, otherwise the split itself.
    pub fn epoch(&self, epoch: u64, seed: Seed) -> Cow<'_, Self> {
        match &self.intensities {
            None => Cow::Borrowed(self),
            Some(intensities) => {
                let values = intensities.draw(seed.stream("binarize", epoch));
                let target = Matrix { values, ..self.target };
                Cow::Owned(Self::new(target, self.condition.clone()))
            }
        }
    }

    /// The batch of these rows.
    ///
    /// # Panics
    ///
    /// When a row does not exist.
    pub fn batch(&self, rows: &[usize], device: &Device) -> Batch {
        Batch {
            target: self.target.upload(rows, device),
            condition: self.condition.as_ref().map(|condition| condition.upload(rows, device)),
            mask: None,
        }
    }
}

/// Mean and standard deviation; the latter is 1 where all numbers are the same, so that nothing is divided by zero.
fn mean_and_std(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let Some(first) = values.clone().next() else { return (0.0, 1.0) };
    if values.clone().all(|value| value == first) {
        return (first, 1.0);
    }
    let (n, sum) = values.clone().fold((0.0f64, 0.0f64), |(n, sum), value| (n + 1.0, sum + f64::from(value)));
    let mean = sum / n;
    let variance = values.map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n;
    (mean as f32, variance.sqrt().max(f64::from(f32::MIN_POSITIVE)) as f32)
}

#[cfg(test)]
mod tests;
