//! `source = "npy"`: arrays of NumPy, each in a file of its own or in an archive.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::file::{FileReader, Fingerprint, stays_on_disk};
use super::fraction::{part as part_of, tenth};
use super::images::{self, ImageSet, Images};
use super::npy::{self, Expected, Header, Numbers};
use super::npz;
use super::store::{FileRows, View};
use super::transform::{Binarize, Dequantize};
use super::{Dataset, VisitPath};
use crate::check::{Invalid, require};
use crate::error::{Error, Result};

images::source! {
    /// The keys of `source = "npy"`.
    ///
    /// An array is named by its file, `"x.npy"`, or inside an archive, `"data.npz:x"`; relative paths are relative to
    /// the configuration's folder. The first index is the example: `[n]`, `[n, numbers]`, `[n, height, width]`, or
    /// `[n, height, width, channels]` with 1 or 3 channels.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct NpyConfig {
        /// Examples to learn from.
        pub train: String,
        /// Examples for validation. Default: those at the end of `train`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation: Option<String>,
        /// Examples for the test. Default: a tenth of `train`, drawn by the seed, and so are then those for validation.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test: Option<String>,
        /// Labels of `train`, whole numbers.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub train_labels: Option<String>,
        /// Labels of `validation`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation_labels: Option<String>,
        /// Labels of `test`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_labels: Option<String>,
        /// How many examples from the end of `train` are for validation, where no array is. Default: a sixth.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation_size: Option<usize>,
        /// Maximum number of training examples, from the start. Default: all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub train_limit: Option<usize>,
        /// Maximum number of test examples, from the start. Default: all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_limit: Option<usize>,
        /// Where the channels of `[n, ·, ·, ·]` are. Default: last.
        #[serde(default)]
        pub layout: Layout,
        /// Height and width of images that are rows of `[n, numbers]`. Default: they are tables.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub shape: Option<[usize; 2]>,
        /// Each byte holds eight numbers of two levels, the first in its highest bit, as `numpy.packbits(x, axis=1)` makes
        /// them. Default: false.
        #[serde(default)]
        pub packed: bool,
        /// Numbers are whole, from 0 to one less than this. Default: 256 for unsigned bytes and 2 for truth values; other
        /// numbers are real.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub levels: Option<usize>,
        /// Numbers times this are the levels: 255 for pixels from 0 to 1 with `levels = 256`. Default: 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scale: Option<f64>,
        /// Number of classes. Default: 10.
        #[serde(default = "ten")]
        pub classes: usize,
        /// Whether examples stay on disk and are read row by row, as those of files above 2 GiB always do. Default: false.
        #[serde(default)]
        pub stream: bool,
    }
}

fn ten() -> usize {
    10
}

/// The order of the dimensions of images with channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `[n, height, width, channels]`
    #[default]
    ChannelsLast,
    /// `[n, channels, height, width]`
    ChannelsFirst,
}

/// All but the last examples, and so many at the end.
fn cut(images: &Images, last: usize) -> (Images, Images) {
    let kept = images.len().saturating_sub(last);
    (images.range(0, kept), images.range(kept, usize::MAX))
}

/// One array of examples.
struct Part {
    /// Channels, rows and columns.
    shape: [usize; 3],
    /// `None`: real numbers.
    levels: Option<usize>,
    images: Images,
}

impl NpyConfig {
    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        let arrays = [
            ("train", Some(&mut self.train)),
            ("validation", self.validation.as_mut()),
            ("test", self.test.as_mut()),
            ("train_labels", self.train_labels.as_mut()),
            ("validation_labels", self.validation_labels.as_mut()),
            ("test_labels", self.test_labels.as_mut()),
        ];
        for (key, array) in arrays {
            let Some(array) = array else {
                visit(key, None)?;
                continue;
            };
            let (file, member) = file_and_member(array);
            let (mut file, member) = (PathBuf::from(file), member.map(|member| format!(":{member}")));
            visit(key, Some(&mut file))?;
            *array = format!("{}{}", file.display(), member.unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        self.declared().validate()?;
        require(
            self.levels.is_none_or(|levels| (2..=65_536).contains(&levels)),
            "levels",
            "a whole number from 2 to 65536",
        )?;
        let scaled = self.scale.is_none_or(|scale| scale > 0.0 && scale.is_finite());
        require(scaled, "scale", "a number above 0")?;
        let levels = self.scale.is_none() || (self.levels.is_some() && !self.packed);
        require(levels, "scale", "left out, unless data.levels says how many levels the numbers have")?;
        require((2..=65_536).contains(&self.classes), "classes", "a whole number from 2 to 65536")?;
        let at_least_1 = |value: Option<usize>, key| {
            require(value.is_none_or(|value| value >= 1), key, "a whole number of at least 1")
        };
        at_least_1(self.validation_size, "validation_size")?;
        at_least_1(self.train_limit, "train_limit")?;
        at_least_1(self.test_limit, "test_limit")?;
        let both = self.validation.is_some() && self.validation_size.is_some();
        require(!both, "validation_size", "left out beside data.validation, an array of its own")?;
        let sides = self.shape.is_none_or(|shape| shape.iter().all(|side| (1..=1 << 16).contains(side)));
        require(sides, "shape", "[height, width], each from 1 to 65536")?;
        require(
            !self.packed || self.levels.is_none_or(|levels| levels == 2),
            "levels",
            "2, or left out: a bit has two",
        )?;
        if self.declared().needs_labels() {
            let what = "the array of the labels, because data.target or data.condition is the label";
            require(self.train_labels.is_some(), "train_labels", what)?;
            require(self.validation_labels.is_some() || self.validation.is_none(), "validation_labels", what)?;
            require(self.test_labels.is_some() || self.test.is_none(), "test_labels", what)?;
        }
        Ok(())
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let mut fingerprint = Fingerprint::default();
        let mut part = |array: &str, labels: &Option<String>, keys: [&'static str; 2]| {
            self.read_part([array, labels.as_deref().unwrap_or_default()], keys, &mut fingerprint)
        };
        let train = part(&self.train, &self.train_labels, ["train", "train_labels"])?;
        let validation = match &self.validation {
            None => None,
            Some(array) => Some(part(array, &self.validation_labels, ["validation", "validation_labels"])?),
        };
        let test = match &self.test {
            None => None,
            Some(array) => Some(part(array, &self.test_labels, ["test", "test_labels"])?),
        };
        for (key, name, other) in [("test", &self.test, &test), ("validation", &self.validation, &validation)] {
            let (Some(name), Some(other)) = (name, other) else { continue };
            if (other.shape, other.levels) == (train.shape, train.levels) {
                continue;
            }
            return Err(Error::input(format!(
                "data.{key}: {name} holds {}; expected {} as in {}; give arrays of one data set",
                other.describe(),
                train.describe(),
                self.train
            )));
        }
        let Part { shape, levels, images: train } = train;
        let (train, test) = match test {
            Some(test) => (train, test.images),
            None => {
                // What lies in order, such as class by class, would give a test of the last class alone.
                let order = seed.stream("arrays.split", 0).permutation(train.len());
                cut(&train.select(&order), part_of(train.len(), tenth()))
            }
        };
        let (train, validation) = match validation {
            Some(validation) => (train, validation.images),
            None => cut(&train, self.validation_size.unwrap_or(train.len() / 6)),
        };
        let declared = self.declared();
        if levels.is_none() && (self.binarize != Binarize::None || self.dequantize != Dequantize::None) {
            let key = if self.binarize != Binarize::None { "binarize" } else { "dequantize" };
            return Err(Error::input(format!(
                "data.{key}: the numbers of {} are real; expected levels; set data.levels (with pixels from 0 to 1: \
                 data.levels = 256 and data.scale = 255), or leave data.{key} out",
                self.train
            )));
        }
        if !self.declared().transforms.augment.is_none() && (shape[1] == 1 || shape[2] == 1) {
            return Err(Error::input(format!(
                "data.augment: {} holds a table; expected images; set data.shape to their height and width",
                self.train
            )));
        }
        let name = self.train.rsplit(['/', '\\']).next().unwrap_or(&self.train);
        let set = ImageSet {
            name: name.replace(".npz:", "/").trim_end_matches(".npy").to_owned(),
            shape,
            levels: levels.unwrap_or(0),
            classes: self.classes,
            class_names: Vec::new(),
            interleaved: self.layout == Layout::ChannelsLast,
            train: train.range(0, self.train_limit.unwrap_or(usize::MAX)),
            validation,
            test: test.range(0, self.test_limit.unwrap_or(usize::MAX)),
            fingerprint: fingerprint.finish(),
        };
        let mut dataset =
            if levels.is_some() { set.dataset(&declared, seed) } else { set.real_dataset(&declared, seed) }?;
        if let Some(scale) = self.scale {
            dataset.transforms.insert(0, format!("numbers times {scale} are the levels"));
        }
        Ok(dataset)
    }

    /// What numbers are multiplied by.
    fn scale(&self) -> f64 {
        self.scale.unwrap_or(1.0)
    }

    /// Examples of one size with their labels, every value checked.
    fn read_part(
        &self,
        [array, labels]: [&str; 2],
        [key, labels_key]: [&'static str; 2],
        fingerprint: &mut Fingerprint,
    ) -> Result<Part> {
        let (pixels, shape, levels) = open(array, key, |source, path| {
            let header = npy::read_header(source)?;
            let levels = self.levels_of(&header, source.name())?;
            let shape = self.image_shape(&header, source.name())?;
            let expected = match levels {
                // Eight numbers per byte.
                Some(_) if self.packed => Expected::Below { bound: 256, key: "levels", scale: 1.0 },
                Some(bound) => Expected::Below { bound, key: "levels", scale: self.scale() },
                None => Expected::Finite,
            };
            let streamed = stays_on_disk(source, self.stream, header.bytes())?;
            if streamed && header.fortran_order {
                return Err(Error::input(format!(
                    "{}: the array is in Fortran order, in which no example lies in one piece, so it cannot be read row by \
                     row; write it again with numpy.save(file, numpy.ascontiguousarray(array))",
                    source.name()
                )));
            }
            let [rows, width] = [header.shape[0], header.count() / header.shape[0]];
            // Opened before it is looked through: what is changed from then on is noticed.
            let on_disk = streamed.then(|| FileRows::open(path, header.offset, width, header.element)).transpose()?;
            fingerprint.update(format!("{} {:?}", header.dimensions(), header.element).as_bytes());
            let numbers = npy::read_data(source, &header, expected, !streamed, |bytes| fingerprint.update(bytes))?;
            let pixels = match (on_disk, numbers) {
                (Some(on_disk), _) => View::new(rows, width, on_disk.times(self.scale())).rounded_to(header.element),
                (None, Numbers::Bytes(bytes)) if self.packed => View::of_bits(shape.iter().product(), width, bytes),
                (None, numbers) => numbers.into_view(width, header.element),
            };
            Ok((pixels, shape, levels))
        })?;
        let labels = if labels.is_empty() { None } else { Some(self.read_labels(labels, labels_key, fingerprint)?) };
        if let Some(found) = labels.as_ref().map(View::len).filter(|&found| found != pixels.len()) {
            return Err(Error::input(format!(
                "data.{labels_key}: found {found} labels; expected {}, one for each example of {array}; give arrays that \
                 belong together",
                pixels.len()
            )));
        }
        Ok(Part { shape, levels, images: Images { pixels, labels } })
    }

    /// Number of levels; `None` where the numbers are real.
    fn levels_of(&self, header: &Header, name: &str) -> Result<Option<usize>> {
        let byte = header.element.size == 1 && header.element.kind == super::store::NumberKind::Unsigned;
        if self.packed {
            if byte && header.shape.len() == 2 && !self.stream {
                return Ok(Some(2));
            }
            return Err(Error::input(format!(
                "{name}: found an array {}; expected [n, bytes] of unsigned bytes, in memory, with data.packed = true; save \
                 numpy.packbits(examples, axis=1) and leave data.stream out, or leave data.packed out",
                header.dimensions()
            )));
        }
        Ok(self.levels.or(match (header.boolean, byte) {
            (true, _) => Some(2),
            (false, true) => Some(256),
            _ => None,
        }))
    }

    /// Channels, rows and columns of one example.
    fn image_shape(&self, header: &Header, name: &str) -> Result<[usize; 3]> {
        let numbers = header.shape.get(1).map_or(1, |&width| if self.packed { width.saturating_mul(8) } else { width });
        let channels = |channels: usize| matches!(channels, 1 | 3);
        let fits = |[height, width]: [usize; 2]| match self.packed {
            // The last byte may be filled up.
            true => height.checked_mul(width).is_some_and(|n| n <= numbers && numbers - n < 8),
            false => height.checked_mul(width) == Some(numbers),
        };
        match (&header.shape[..], self.layout, self.shape) {
            ([_] | [_, _], _, None) => Ok([1, 1, numbers]),
            ([_, _], _, Some([height, width])) if fits([height, width]) => Ok([1, height, width]),
            ([_, _], _, Some([height, width])) => Err(Error::input(format!(
                "data.shape is [{height}, {width}], but an example of {name} has {numbers} numbers; expected a height and \
                 a width whose product that is; set data.shape so, or leave it out"
            ))),
            (&[_, height, width], _, _) => Ok([1, height, width]),
            (&[_, height, width, c], Layout::ChannelsLast, _) if channels(c) => Ok([c, height, width]),
            (&[_, c, height, width], Layout::ChannelsFirst, _) if channels(c) => Ok([c, height, width]),
            (shape, layout, _) => {
                let advice = match (shape, layout) {
                    (&[_, c, _, _], Layout::ChannelsLast) if channels(c) => "set data.layout = \"channels_first\"",
                    (&[_, _, _, c], Layout::ChannelsFirst) if channels(c) => "set data.layout = \"channels_last\"",
                    ([_, _, _, 4], _) => "save array[..., :3], without the alpha channel",
                    _ => "save a reshaped array",
                };
                Err(Error::input(format!(
                    "{name}: found an array {}; expected [n], [n, numbers], [n, height, width] or [n, height, width, \
                     channels] with 1 or 3 channels; {advice}",
                    header.dimensions()
                )))
            }
        }
    }

    fn read_labels(&self, array: &str, key: &str, fingerprint: &mut Fingerprint) -> Result<View> {
        open(array, key, |source, _| {
            let header = npy::read_header(source)?;
            if !matches!(header.shape[..], [_] | [_, 1]) {
                return Err(Error::input(format!(
                    "{}: found an array {}; expected [n], one label per example; save it so (of one-hot rows numpy.argmax(labels, \
                     axis=1))",
                    source.name(),
                    header.dimensions()
                )));
            }
            let expected = Expected::Below { bound: self.classes, key: "classes", scale: 1.0 };
            fingerprint.update(format!("{} {:?}", header.dimensions(), header.element).as_bytes());
            let numbers = npy::read_data(source, &header, expected, true, |bytes| fingerprint.update(bytes))?;
            Ok(numbers.into_view(1, header.element))
        })
    }
}

impl Part {
    fn describe(&self) -> String {
        let [channels, height, width] = self.shape;
        let numbers = self.levels.map_or_else(|| "real numbers".into(), |levels| format!("{levels} levels"));
        match [channels, height] {
            [1, 1] => format!("rows of {width} numbers, {numbers}"),
            [1, _] => format!("images of {height} × {width} pixels, {numbers}"),
            _ => format!("images of {height} × {width} pixels with {channels} channels, {numbers}"),
        }
    }
}

/// The file of an array, and its name inside an archive.
pub(crate) fn file_and_member(array: &str) -> (&str, Option<&str>) {
    const ARCHIVE: &str = ".npz";
    let colon = array.find(".npz:").map(|dot| dot + ARCHIVE.len());
    colon.and_then(|colon| array.split_at_checked(colon)).map_or((array, None), |(file, rest)| (file, rest.get(1..)))
}

/// Calls `f` with the content of an array and the file that it is in.
fn open<T>(array: &str, key: &str, f: impl FnOnce(&mut FileReader<'_>, &Path) -> Result<T>) -> Result<T> {
    let (file, member) = file_and_member(array);
    let path = Path::new(file);
    if path.extension().is_some_and(|extension| extension == "npz") {
        return npz::with_member(path, member, key, |source| f(source, path));
    }
    f(&mut FileReader::open(path, key, "an NPY file (of numpy.save)")?, path)
}

#[cfg(test)]
#[path = "arrays_tests.rs"]
mod tests;
