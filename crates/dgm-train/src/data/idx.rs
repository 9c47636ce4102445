//! `source = "idx"`: images and labels in the container of MNIST, plain or gzip.
//!
//! An IDX file is `00 00 type ndim`, then ndim sizes as big-endian 32-bit numbers, then the data, big-endian too.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::file::{FileReader, Fingerprint, stays_on_disk};
use super::images::{self, ImageSet, Images};
use super::store::{Element, FileRows, NumberKind, STREAM_ABOVE, View};
use super::{Dataset, VisitPath};
use crate::check::{Invalid, require};
use crate::error::{Error, Result};

images::source! {
    /// The keys of `source = "idx"`. Relative paths are relative to the configuration's folder.
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
        /// Number of values of a pixel. Default: 256.
        #[serde(default = "all_levels")]
        pub levels: usize,
        /// Number of classes. Default: 10.
        #[serde(default = "ten_classes")]
        pub classes: usize,
        /// Examples for validation, from the end of the training file. Default: a sixth of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation: Option<usize>,
        /// Whether images stay on disk and are read row by row, as those of files above 2 GiB always do. Default: false.
        #[serde(default)]
        pub stream: bool,
        /// Maximum number of training examples, from the start of the file. Default: all that validation leaves.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub train_limit: Option<usize>,
        /// Maximum number of test examples, from the start of the file. Default: all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_limit: Option<usize>,
    }
}

fn all_levels() -> usize {
    256
}

fn ten_classes() -> usize {
    10
}

impl IdxConfig {
    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        visit("train_images", Some(&mut self.train_images))?;
        visit("train_labels", self.train_labels.as_mut())?;
        visit("test_images", Some(&mut self.test_images))?;
        visit("test_labels", self.test_labels.as_mut())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        self.declared().validate()?;
        require((2..=256).contains(&self.levels), "levels", "a whole number from 2 to 256")?;
        require((2..=256).contains(&self.classes), "classes", "a whole number from 2 to 256")?;
        let at_least_1 = |value: Option<usize>, key| {
            require(value.is_none_or(|value| value >= 1), key, "a whole number of at least 1")
        };
        at_least_1(self.validation, "validation")?;
        at_least_1(self.train_limit, "train_limit")?;
        at_least_1(self.test_limit, "test_limit")?;
        if self.declared().needs_labels() {
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
        let (test_size, test) = read(&self.test_images, self.test_labels.as_deref(), "test")?;
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
        let n = train.len();
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
        let folder = self.train_images.parent().and_then(Path::file_name);
        let set = ImageSet {
            name: folder.map_or_else(|| "idx".into(), |name| name.to_string_lossy().into_owned()),
            shape: [1, height, width],
            levels: self.levels,
            classes: self.classes,
            class_names: Vec::new(),
            interleaved: false,
            train: train.range(0, self.train_limit.map_or(kept, |limit| limit.min(kept))),
            validation: train.range(kept, usize::MAX),
            test: test.range(0, self.test_limit.unwrap_or(usize::MAX)),
            fingerprint: fingerprint.finish(),
        };
        set.dataset(&self.declared(), seed)
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
        let mut source = FileReader::open(images, &format!("{part}_images"), &what)?;
        let Header { sizes: [n, height, width], element, total } = read_header::<3>(&mut source, &what)?;
        let event = height * width;
        let streamed = stays_on_disk(&source, self.stream, total)?;
        // Opened before it is looked through: what is changed from then on is noticed.
        let rows = streamed.then(|| FileRows::open(images, header_length::<3>() as u64, event, element)).transpose()?;
        let levels = Bound { values: self.levels, what: "value", of: "in image", key: "levels" };
        let pixels = read_data(&mut source, [n, height, width], element, total, !streamed, |first, bytes, values| {
            fingerprint.update(bytes);
            levels.check(images, element, first, event as u64, bytes, values)
        })?;
        let pixels = rows.map_or_else(|| View::of(event, pixels), |rows| View::new(n, event, rows).rounded_to(element));
        let Some(path) = labels else {
            return Ok(([height, width], Images { pixels, labels: None }));
        };
        let what =
            format!("the IDX file with the {part} labels (MNIST's {}-labels-idx1-ubyte.gz, say)", file_part(part));
        let mut source = FileReader::open(path, &format!("{part}_labels"), &what)?;
        let Header { sizes: [count], element, total } = read_header::<1>(&mut source, &what)?;
        let classes = Bound { values: self.classes, what: "label", of: "of example", key: "classes" };
        let labels = read_data(&mut source, [count], element, total, true, |first, bytes, values| {
            fingerprint.update(bytes);
            classes.check(path, element, first, 1, bytes, values)
        })?;
        if count != n {
            return Err(Error::input(format!(
                "{}: found {count} labels; expected {n}, one for each image of {}; give files that belong together",
                path.display(),
                images.display()
            )));
        }
        Ok(([height, width], Images { pixels, labels: Some(View::of(1, labels)) }))
    }
}

/// MNIST's name for the test part is older.
fn file_part(part: &str) -> &str {
    if part == "test" { "t10k" } else { part }
}

/// What the numbers of a file have to be.
struct Bound {
    /// They are below this.
    values: usize,
    /// What they are called, and where they are.
    what: &'static str,
    of: &'static str,
    /// The key of `[data]` that sets the bound.
    key: &'static str,
}

impl Bound {
    /// Whether all numbers that lie in `bytes` are whole and in range; they are appended to `values`. `first` is the place of
    /// the first one, `event` how many belong to one example.
    fn check(
        &self,
        path: &Path,
        element: Element,
        first: u64,
        event: u64,
        bytes: &[u8],
        values: &mut Vec<u8>,
    ) -> Result<()> {
        if element == Element::BYTE && bytes.iter().all(|&value| usize::from(value) < self.values) {
            values.extend_from_slice(bytes);
            return Ok(());
        }
        let (mut wrong, mut place) = (None, first);
        element.decode(bytes, |number| {
            let fits = number >= 0.0 && number < self.values as f64 && number.fract() == 0.0;
            if !fits && wrong.is_none() {
                wrong = Some((place, number));
            }
            place += 1;
            values.push(number as u8);
        });
        let Some((place, number)) = wrong else { return Ok(()) };
        let Self { values, what, of, key } = self;
        let advice = if number.fract() == 0.0 && (0.0..256.0).contains(&number) {
            format!("expected {what}s below data.{key} = {values}; raise data.{key}")
        } else {
            format!(
                "expected whole numbers from 0 to {} (data.{key} = {values}); save the array with numpy.save and take \
                 data.source = \"npy\", which reads any numbers",
                values - 1
            )
        };
        let example = place / event;
        Err(Error::input(format!("{}: found the {what} {number} {of} {example}; {advice}", path.display())))
    }
}

/// What the header says.
struct Header<const N: usize> {
    sizes: [usize; N],
    element: Element,
    /// Bytes of data.
    total: u64,
}

/// Bytes of a header with `N` dimensions.
const fn header_length<const N: usize>() -> usize {
    4 + 4 * N
}

/// How the numbers of a file lie there, by the third byte of its header.
fn element(kind: u8) -> Option<Element> {
    let (kind, size) = match kind {
        0x08 => (NumberKind::Unsigned, 1),
        0x09 => (NumberKind::Signed, 1),
        0x0b => (NumberKind::Signed, 2),
        0x0c => (NumberKind::Signed, 4),
        0x0d => (NumberKind::Float, 4),
        0x0e => (NumberKind::Float, 8),
        _ => return None,
    };
    Some(Element { kind, size, big_endian: size > 1 })
}

/// The sizes, none of them 0, the type, and the number of bytes of data that they stand for. `what` says in messages what
/// should be there.
fn read_header<const N: usize>(source: &mut FileReader<'_>, what: &str) -> Result<Header<N>> {
    let name = source.name().to_owned();
    let fail = |message: String| Error::input(format!("{name}: {message}"));

    let header = header_length::<N>();
    let magic = source.read(4)?;
    let [zero_0, zero_1, kind, dimensions] = magic[..] else {
        let found = magic.len();
        return Err(fail(format!("found {found} bytes; expected an IDX header of {header}; give {what}")));
    };
    if [zero_0, zero_1] != [0, 0] {
        let found = format!("{zero_0:02x} {zero_1:02x} {kind:02x} {dimensions:02x}");
        let advice = match &magic[..] {
            b"\x93NUM" => "it is an array of NumPy: set data.source = \"npy\"".to_owned(),
            [b'P', b'K', ..] | [b'B', b'Z', b'h', _] | b"\xfd7zX" => "unpack it and name the unpacked file".to_owned(),
            _ => format!("give {what}"),
        };
        return Err(fail(format!("starts with {found}; expected 00 00 08 {N:02x}, say, an IDX file; {advice}")));
    }
    let Some(element) = element(kind) else {
        return Err(fail(format!(
            "found IDX data of type {kind:02x}; expected 08, 09, 0b, 0c, 0d or 0e, whole numbers or floats: damaged; fetch it \
             again"
        )));
    };
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
    let total = sizes.iter().try_fold(element.size as u64, |total, &size| total.checked_mul(size as u64));
    let Some(total) = total.filter(|&total| total < u64::MAX) else {
        return Err(fail(format!("the header says {shape}, more than memory can hold: damaged; fetch it again")));
    };
    Ok(Header { sizes, element, total })
}

/// The data: all of it, no more and no less. Each part is shown to `look` with the place of its first number; what that
/// appends to the list is kept in memory where `keep`.
///
/// Sizes that a header only claims cost nothing: memory grows with what the file holds.
fn read_data<const N: usize>(
    source: &mut FileReader<'_>,
    sizes: [usize; N],
    element: Element,
    total: u64,
    keep: bool,
    mut look: impl FnMut(u64, &[u8], &mut Vec<u8>) -> Result<()>,
) -> Result<Vec<u8>> {
    let shape = sizes.map(|size| size.to_string()).join(" × ");
    let name = source.name().to_owned();
    let fail = |message: String| Error::input(format!("{name}: {message}"));
    let short = |found: u64| {
        fail(format!("found {found} bytes of data; expected {total} for {shape}: cut short; fetch it again"))
    };
    let long = || fail(format!("found more than the {total} bytes of data that {shape} needs; fetch it again"));
    if let Some(length) = source.length() {
        let found = length.saturating_sub(header_length::<N>() as u64);
        if found < total {
            return Err(short(found));
        }
        if found > total {
            return Err(long());
        }
    }
    // A compressed file does not say how much it holds.
    let limit = if keep { total.min(STREAM_ABOVE) } else { total };
    let mut data = Vec::new();
    let (_, found) = source.pass(limit, false, |place, bytes| {
        look(place / element.size as u64, bytes, &mut data)?;
        if !keep {
            data.clear();
        }
        Ok(())
    })?;
    if found < limit {
        return Err(short(found));
    }
    let more = !source.read(1)?.is_empty();
    match (limit < total, more) {
        (false, false) => Ok(data),
        (false, true) => Err(long()),
        (true, false) => Err(short(found)),
        (true, true) => Err(fail(source.too_large_to_unpack())),
    }
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
