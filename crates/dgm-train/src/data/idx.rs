//! `source = "idx"`: images and labels in the container of MNIST, plain or gzip.
//!
//! An IDX file is `00 00 type ndim`, then ndim sizes as big-endian 32-bit numbers, then the data.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::Dataset;
use super::file::{Fingerprint, Source};
use super::images::{self, Binarize, Condition, ImageSet, Images, Target};
use crate::config::{Invalid, require};
use crate::error::{Error, Result};

/// The keys of `source = "idx"`. Paths are relative to the current folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxConfig {
    /// Images to learn from.
    pub train_images: PathBuf,
    /// Their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_labels: Option<PathBuf>,
    /// Images for the test.
    pub test_images: PathBuf,
    /// Their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// What is modelled. Default: the image.
    #[serde(default)]
    pub target: Target,
    /// What it is conditioned on. Default: nothing.
    #[serde(default)]
    pub condition: Condition,
    /// Number of values of a pixel. Default: 256.
    #[serde(default = "all_levels")]
    pub levels: usize,
    /// Number of classes. Default: 10.
    #[serde(default = "ten_classes")]
    pub classes: usize,
    /// How grey values become black and white. Default: they stay grey.
    #[serde(default)]
    pub binarize: Binarize,
    /// Examples for validation, from the end of the training file. Default: a sixth of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// At most so many training examples, from the start of the file. Default: all that validation leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most so many test examples, from the start of the file. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
}

fn all_levels() -> usize {
    256
}

fn ten_classes() -> usize {
    10
}

impl IdxConfig {
    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        images::validate(self.target, self.condition)?;
        require((2..=256).contains(&self.levels), "levels", "a whole number from 2 to 256")?;
        require((2..=256).contains(&self.classes), "classes", "a whole number from 2 to 256")?;
        let at_least_1 = |value: Option<usize>, key| {
            require(value.is_none_or(|value| value >= 1), key, "a whole number of at least 1")
        };
        at_least_1(self.validation, "validation")?;
        at_least_1(self.train_limit, "train_limit")?;
        at_least_1(self.test_limit, "test_limit")?;
        let drawn_target = self.binarize != Binarize::Dynamic || self.target == Target::Image;
        require(
            drawn_target,
            "binarize",
            "none or threshold: only a target is drawn anew, and data.target is the label",
        )?;
        if self.target == Target::Label || self.condition == Condition::Label {
            let what = "the path of the labels, because data.target or data.condition is the label";
            require(self.train_labels.is_some(), "train_labels", what)?;
            require(self.test_labels.is_some(), "test_labels", what)?;
        }
        Ok(())
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let mut fingerprint = Fingerprint::default();
        let mut read =
            |images: &Path, labels: Option<&Path>, part: &str| self.read_part(images, labels, part, &mut fingerprint);
        let (size, train) = read(&self.train_images, self.train_labels.as_deref(), "train")?;
        let (test_size, mut test) = read(&self.test_images, self.test_labels.as_deref(), "test")?;
        if size != test_size {
            return Err(Error::input(format!(
                "{}: found images of {} × {} pixels; expected {} × {} as in {}; give files of one data set",
                self.test_images.display(),
                test_size[0],
                test_size[1],
                size[0],
                size[1],
                self.train_images.display()
            )));
        }
        let [height, width] = size;
        let event = height * width;
        let n = train.pixels.len() / event;
        let kept = self.validation.map_or(n - n / 6, |validation| n.saturating_sub(validation));
        if kept == 0 || kept == n {
            let validation = self.validation.unwrap_or(n / 6);
            return Err(Error::input(format!(
                "{}: found {n} images, of which {validation} are for validation; expected at least one there and one \
                 left for training; set data.validation to a number from 1 to {}",
                self.train_images.display(),
                n.saturating_sub(1).max(1)
            )));
        }
        let (mut train, validation) = train.split_at(kept, event);
        train.truncate(self.train_limit, event);
        test.truncate(self.test_limit, event);
        let folder = self.train_images.parent().and_then(Path::file_name);
        let set = ImageSet {
            name: folder.map_or_else(|| "idx".into(), |name| name.to_string_lossy().into_owned()),
            height,
            width,
            levels: self.levels,
            classes: self.classes,
            train,
            validation,
            test,
            fingerprint: fingerprint.finish(),
        };
        set.dataset(self.target, self.condition, self.binarize, seed)
    }

    /// Images of one size with their labels, every value in range.
    fn read_part(
        &self,
        images: &Path,
        labels: Option<&Path>,
        part: &str,
        fingerprint: &mut Fingerprint,
    ) -> Result<([usize; 2], Images)> {
        let what =
            format!("the IDX file with the {part} images (MNIST's {}-images-idx3-ubyte.gz, say)", file_part(part));
        let ([n, height, width], pixels) = read_idx::<3>(images, &format!("{part}_images"), &what)?;
        fingerprint.update(&pixels);
        if let Some(place) = pixels.iter().position(|&value| usize::from(value) >= self.levels) {
            return Err(Error::input(format!(
                "{}: found the value {} in image {}; expected values below data.levels = {}; raise data.levels",
                images.display(),
                pixels[place],
                place / (height * width),
                self.levels
            )));
        }
        let Some(path) = labels else {
            return Ok(([height, width], Images { pixels, labels: None }));
        };
        let what =
            format!("the IDX file with the {part} labels (MNIST's {}-labels-idx1-ubyte.gz, say)", file_part(part));
        let ([count], labels) = read_idx::<1>(path, &format!("{part}_labels"), &what)?;
        fingerprint.update(&labels);
        if count != n {
            return Err(Error::input(format!(
                "{}: found {count} labels; expected {n}, one for each image of {}; give files that belong together",
                path.display(),
                images.display()
            )));
        }
        if let Some(place) = labels.iter().position(|&label| usize::from(label) >= self.classes) {
            return Err(Error::input(format!(
                "{}: found the label {} of example {place}; expected labels below data.classes = {}; raise data.classes",
                path.display(),
                labels[place],
                self.classes
            )));
        }
        Ok(([height, width], Images { pixels, labels: Some(labels) }))
    }
}

/// MNIST's name for the test part is older.
fn file_part(part: &str) -> &str {
    if part == "test" { "t10k" } else { part }
}

impl Images {
    /// The first `n` images, and the rest.
    fn split_at(mut self, n: usize, event: usize) -> (Self, Self) {
        let rest = Self {
            pixels: self.pixels.split_off(n * event),
            labels: self.labels.as_mut().map(|labels| labels.split_off(n)),
        };
        (self, rest)
    }

    /// No more than `limit` images.
    fn truncate(&mut self, limit: Option<usize>, event: usize) {
        if let Some(limit) = limit {
            self.pixels.truncate(limit.saturating_mul(event));
            if let Some(labels) = &mut self.labels {
                labels.truncate(limit);
            }
        }
    }
}

/// Reads an IDX file of unsigned bytes with `N` dimensions, none of them 0.
///
/// Sizes that a header only claims cost nothing: memory grows with what the file holds.
fn read_idx<const N: usize>(path: &Path, key: &str, what: &str) -> Result<([usize; N], Vec<u8>)> {
    let mut source = Source::open(path, key, what)?;
    let name = source.name().to_owned();
    let fail = |message: String| Error::input(format!("{name}: {message}"));

    let header = 4 + 4 * N;
    let magic = source.read(4)?;
    let [zero_0, zero_1, kind, dimensions] = magic[..] else {
        let found = magic.len();
        return Err(fail(format!("found {found} bytes; expected an IDX header of {header}; give {what}")));
    };
    if [zero_0, zero_1] != [0, 0] {
        let found = format!("{zero_0:02x} {zero_1:02x} {kind:02x} {dimensions:02x}");
        return Err(fail(format!("starts with {found}; expected 00 00 08 {N:02x}, an IDX file; give {what}")));
    }
    if kind != 8 {
        return Err(fail(format!("found IDX data of type {kind:02x}; expected 08, unsigned bytes; convert the file")));
    }
    if usize::from(dimensions) != N {
        return Err(fail(format!("found IDX data with {dimensions} dimensions; expected {N}; give {what}")));
    }
    let bytes = source.read(4 * N as u64)?;
    if bytes.len() < 4 * N {
        let found = 4 + bytes.len();
        return Err(fail(format!(
            "found {found} bytes; expected an IDX header of {header}: cut short; fetch it again"
        )));
    }
    let mut sizes = [0usize; N];
    for (size, bytes) in sizes.iter_mut().zip(bytes.chunks_exact(4)) {
        *size = bytes.iter().fold(0, |size, &byte| size << 8 | usize::from(byte));
    }
    let shape = sizes.map(|size| size.to_string()).join(" × ");
    if sizes.contains(&0) {
        return Err(fail(format!("the header says {shape}; expected sizes of at least 1; give {what}")));
    }
    let total = sizes.iter().try_fold(1u64, |total, &size| total.checked_mul(size as u64));
    let Some(total) = total.filter(|&total| total < u64::MAX) else {
        return Err(fail(format!("the header says {shape}, more than memory can hold: damaged; fetch it again")));
    };
    let short = |found: u64| {
        fail(format!("found {found} bytes of data; expected {total} for {shape}: cut short; fetch it again"))
    };
    let long = || fail(format!("found more than the {total} bytes of data that {shape} needs; fetch it again"));
    if let Some(length) = source.length() {
        let found = length.saturating_sub(header as u64);
        if found < total {
            return Err(short(found));
        }
        if found > total {
            return Err(long());
        }
    }
    let data = source.read(total + 1)?;
    match (data.len() as u64).cmp(&total) {
        std::cmp::Ordering::Less => Err(short(data.len() as u64)),
        std::cmp::Ordering::Greater => Err(long()),
        std::cmp::Ordering::Equal => Ok((sizes, data)),
    }
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
