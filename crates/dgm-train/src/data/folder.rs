//! `source = "images"`: a folder of images, with a folder for each class or without classes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dgm_core::random::Seed;
use dgm_models::{DataSpec, Values};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::Fingerprint;
use super::fraction::{part, tenth};
use super::images::{self, ImageSet, Images};
use super::listing::{Files, Listing};
pub use super::picture::Resize;
use super::picture::{self, Changes, Picture};
use super::store::{FileState, STREAM_ABOVE, Store, View};
use super::{Dataset, VisitPath};
use crate::check::{Invalid, require};
use crate::error::{Error, Result};

images::source! {
    /// The keys of `source = "images"`. Relative paths are relative to the configuration's folder.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct FolderConfig {
        /// A folder of images, or of folders of images, one for each class: the labels are 0, 1, … in the order of their names,
        /// of numbers where all names are whole numbers. Folders `train`, `val` and `test` inside it are the splits.
        pub path: PathBuf,
        /// The same for the test, with classes of training. Default: `test` inside `path`, else a part of `path`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_path: Option<PathBuf>,
        /// 1: grey, 3: colour.
        pub channels: usize,
        /// Rows and columns. Default: those that all images have.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size: Option<[usize; 2]>,
        /// How images of other sizes come to `size`. Default: they are refused.
        #[serde(default)]
        pub resize: Resize,
        /// Number of values of a pixel: v of 0 ..= 255 becomes ⌊v · levels / 256⌋. Default: 256.
        #[serde(default = "all_levels")]
        pub levels: usize,
        /// The part of the images for the test, drawn by the seed, where there is no `test_path`. Default: 0.1.
        #[serde(default = "tenth")]
        pub test_fraction: f64,
        /// The part of the training images for validation, drawn by the seed. Default: 0.1.
        #[serde(default = "tenth")]
        pub validation_fraction: f64,
        /// Whether images stay on disk and are decoded when they are asked for, as those whose pixels take more than 2 GiB
        /// always do. Default: false.
        #[serde(default)]
        pub stream: bool,
    }
}

fn all_levels() -> usize {
    256
}

/// Files that are named in one message at most.
const MOST_NAMED: usize = 5;

/// Bytes of one file: 256 MiB, those of the largest picture without any compression.
const MOST_FILE_BYTES: u64 = 256 << 20;

impl FolderConfig {
    pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
        visit("path", Some(&mut self.path))?;
        visit("test_path", self.test_path.as_mut())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        require(matches!(self.channels, 1 | 3), "channels", "1 (grey) or 3 (colour)")?;
        let sides = self.size.is_none_or(|size| size.iter().all(|side| (1..=4096).contains(side)));
        require(sides, "size", "[rows, columns], each from 1 to 4096")?;
        let sized = self.resize == Resize::None || self.size.is_some();
        require(sized, "resize", "none, unless data.size = [rows, columns] says to which size")?;
        require((2..=256).contains(&self.levels), "levels", "a whole number from 2 to 256")?;
        let fraction = |value: f64, key| require(value > 0.0 && value < 1.0, key, "a number above 0 and below 1");
        fraction(self.test_fraction, "test_fraction")?;
        fraction(self.validation_fraction, "validation_fraction")?;
        self.declared().validate()
    }

    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let listing = Listing::of(&self.path, self.test_path.as_deref(), self.declared().needs_labels())?;
        let mut fingerprint = Fingerprint::default();
        let mut notes = Notes::default();
        // Where no file can be decoded any size will do: each of them is refused.
        let size = self.size.or_else(|| self.first_size(&listing.train)).unwrap_or([1, 1]);
        let streamed = self.streams(listing.len(), size);
        let mut read = |files: &Files| self.read(files, size, streamed, &mut fingerprint, &mut notes);
        let all = read(&listing.train)?;
        let validation = listing.validation.as_ref().map(&mut read).transpose()?;
        let test = listing.test.as_ref().map(&mut read).transpose()?;
        let [train, validation, test] = self.split(all, validation, test, seed);
        let [height, width] = size;
        let set = ImageSet {
            name: self.path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned()),
            shape: [self.channels, height, width],
            levels: self.levels,
            classes: listing.train.classes.len().max(1),
            class_names: listing.train.classes,
            interleaved: true,
            train,
            validation,
            test,
            fingerprint: fingerprint.finish(),
        };
        let mut dataset = set.dataset(&self.declared(), seed)?;
        let read = listing.notes.into_iter().chain(notes.sentences(self, size));
        dataset.transforms.splice(0..0, read);
        Ok(dataset)
    }

    /// Training, validation and test; what has no folder of its own is drawn from `all`.
    fn split(&self, all: Images, validation: Option<Images>, test: Option<Images>, seed: Seed) -> [Images; 3] {
        let order = seed.stream("images.split", 0).permutation(all.len());
        let select = |rows: &[usize]| all.select(rows);
        let (rest, test) = match test {
            Some(test) => (&order[..], test),
            None => {
                let (test, rest) = order.split_at(part(order.len(), self.test_fraction));
                (rest, select(test))
            }
        };
        let (train, validation) = match validation {
            Some(validation) => (rest, validation),
            None => {
                let (validation, train) = rest.split_at(part(rest.len(), self.validation_fraction));
                (train, select(validation))
            }
        };
        [select(train), validation, test]
    }

    /// Rows and columns of the first file that can be decoded.
    fn first_size(&self, files: &Files) -> Option<[usize; 2]> {
        let picture = files.paths.iter().find_map(|(_, path)| self.picture(path).ok());
        picture.map(|(_, picture, _)| [picture.height, picture.width])
    }

    /// Whether `n` images of this size stay on disk.
    fn streams(&self, n: usize, [height, width]: [usize; 2]) -> bool {
        self.stream || n.saturating_mul(height * width * self.channels) as u64 > STREAM_ABOVE
    }

    /// Decodes all files, whose pixels stay on disk where they are `streamed`.
    fn read(
        &self,
        files: &Files,
        size: [usize; 2],
        streamed: bool,
        fingerprint: &mut Fingerprint,
        notes: &mut Notes,
    ) -> Result<Images> {
        // An image that moves from one folder to the other is another split.
        fingerprint.update(&(files.paths.len() as u64).to_le_bytes());
        let decoded = in_parallel(files.paths.len(), |index| self.decode(&files.paths[index].1, size, !streamed));
        let (mut wrong, mut misfits) = (Vec::new(), 0);
        let event = size[0] * size[1] * self.channels;
        let kept = if streamed { 0 } else { decoded.iter().filter(|one| one.is_ok()).count() };
        let mut pixels = Vec::with_capacity(event * kept);
        let mut states = Vec::new();
        for (one, (_, path)) in decoded.into_iter().zip(&files.paths) {
            match one {
                Ok(one) => {
                    fingerprint.update(&one.digest);
                    notes.add(one.changes, one.resized);
                    match one.pixels {
                        Some(new) => pixels.extend(new),
                        None => states.push((path.clone(), one.state)),
                    }
                }
                Err(what) => {
                    misfits += usize::from(matches!(what, Wrong::Size(_)));
                    wrong.push(format!(
                        "{}: {}",
                        path.strip_prefix(&files.root).unwrap_or(path).display(),
                        what.text()
                    ));
                }
            }
        }
        if !wrong.is_empty() {
            let more = match wrong.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let [height, width] = size;
            let mut advice = Vec::new();
            if misfits > 0 {
                advice.push(match self.size {
                    Some(_) => "set data.resize = \"cover\" to bring all to data.size".to_owned(),
                    None => format!("set data.size = [{height}, {width}], say, and data.resize = \"cover\""),
                });
            }
            if misfits < wrong.len() {
                let which = if misfits > 0 { "the others" } else { "them" };
                advice.push(format!("fix or convert {which}, or take them out"));
            }
            let advice = advice.join("; ");
            return Err(Error::input(format!(
                "{}: {} of {} files cannot be used: {}{more}; {advice}",
                files.root.display(),
                wrong.len(),
                files.paths.len(),
                wrong[..wrong.len().min(MOST_NAMED)].join("; "),
            )));
        }
        let labels = (!files.classes.is_empty()).then(|| {
            let labels = files.paths.iter().map(|(class, _)| *class);
            match files.classes.len() {
                ..=256 => View::of(1, labels.map(|class| class as u8).collect()),
                _ => View::of(1, labels.collect()),
            }
        });
        if let Some(labels) = &labels {
            (0..labels.len()).for_each(|row| fingerprint.update(&files.paths[row].0.to_le_bytes()));
        }
        let pixels = match streamed {
            true => View::new(states.len(), event, ImageRows { config: self.clone(), size, files: states }),
            false => View::of(event, pixels),
        };
        Ok(Images { pixels, labels })
    }

    /// A file's bytes and what they show, in the size that it has.
    fn picture(&self, path: &Path) -> std::result::Result<(Vec<u8>, Picture, Changes), String> {
        let bytes = read_file(path)?;
        let (picture, changes) = picture::decode(&bytes, self.channels)?;
        Ok((bytes, picture, changes))
    }

    /// The pixels of a picture in this size, and whether it had another.
    fn fit(&self, picture: Picture, size: [usize; 2]) -> std::result::Result<(Vec<u8>, bool), Wrong> {
        let resized = [picture.height, picture.width] != size;
        let mut picture = picture.resized(self.resize, size).map_err(|what| match self.size {
            Some(_) => Wrong::Size(what),
            None => Wrong::Size(format!("{what} as in the first file")),
        })?;
        if self.levels < 256 {
            picture.pixels.iter_mut().for_each(|v| *v = (usize::from(*v) * self.levels / 256) as u8);
        }
        Ok((picture.pixels, resized))
    }

    /// One file in this size. What cannot be brought to it is an error at once, so that no pixels are kept in vain.
    fn decode(&self, path: &Path, size: [usize; 2], keep: bool) -> std::result::Result<Decoded, Wrong> {
        // Asked before it is read: what is changed from then on is noticed.
        let state = FileState::of(path).map_err(|error| Wrong::File(format!("cannot be read: {error}")))?;
        let (bytes, picture, changes) = self.picture(path).map_err(Wrong::File)?;
        let (pixels, resized) = self.fit(picture, size)?;
        Ok(Decoded { pixels: keep.then_some(pixels), state, digest: Sha256::digest(&bytes).into(), changes, resized })
    }
}

/// Images that are decoded when they are asked for, from files that stay as they were.
#[derive(Debug)]
struct ImageRows {
    config: FolderConfig,
    size: [usize; 2],
    files: Vec<(PathBuf, FileState)>,
}

impl Store for ImageRows {
    fn append(&self, row: usize, _: u64, numbers: &mut Vec<f64>) -> Result<()> {
        let (path, state) = &self.files[row];
        let cannot = |what: String| Error::run(format!("{}: cannot be read any more: {what}", path.display()));
        state.check(&path.display().to_string(), FileState::of(path).map_err(|error| cannot(error.to_string()))?)?;
        let (_, picture, _) = self.config.picture(path).map_err(cannot)?;
        let (pixels, _) = self.config.fit(picture, self.size).map_err(|wrong| cannot(wrong.text()))?;
        numbers.extend(pixels.into_iter().map(f64::from));
        Ok(())
    }
}

/// One picture as a target of this description: brought to its channels, the largest middle part with its ratio of the sides
/// made its size, v of 0 ..= 255 as the level ⌊v · levels / 256⌋; `[event]`, channel by channel. Also the rows and columns that
/// it had, and what else was changed on the way.
///
/// # Errors
/// A file that is no picture, or a target that is none.
pub fn picture_as(path: &Path, spec: &DataSpec) -> Result<(Vec<f32>, [usize; 2], Vec<String>)> {
    let refuse = |what: String| Error::input(format!("{}: {what}; give a whole PNG or JPEG", path.display()));
    let ([channels @ (1 | 3), height, width], Values::Levels(levels)) = (spec.shape, &spec.values) else {
        return Err(Error::input(format!("targets of shape {:?} are not images; leave the image out", spec.shape)));
    };
    let bytes = read_file(path).map_err(refuse)?;
    let (picture, changes) = picture::decode(&bytes, channels).map_err(refuse)?;
    let mut notes = Notes::default();
    notes.add(changes, false);
    let notes = notes.counted(Resize::Cover, [height, width]).into_iter().map(|(_, what)| what).collect();
    let found = [picture.height, picture.width];
    let picture = picture.resized(Resize::Cover, [height, width]).map_err(refuse)?;
    let level = |v: &u8| (usize::from(*v) * levels / 256) as f32;
    let planes = (0..channels).flat_map(|channel| picture.pixels.iter().skip(channel).step_by(channels).map(level));
    Ok((planes.collect(), found, notes))
}

/// A file's bytes, unless they are more than those of any picture.
fn read_file(path: &Path) -> std::result::Result<Vec<u8>, String> {
    // Reading a pipe or a device may never end.
    if !path.is_file() {
        return Err("not a file".into());
    }
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let file = fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if length <= MOST_FILE_BYTES {
        // It may grow while it is read.
        file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if length.max(bytes.len() as u64) > MOST_FILE_BYTES {
        return Err(format!("more than {} MiB, the most that a picture may have", MOST_FILE_BYTES >> 20));
    }
    Ok(bytes)
}

/// What is wrong with a file.
#[derive(Debug)]
enum Wrong {
    /// It is damaged, or no image.
    File(String),
    /// It has another size.
    Size(String),
}

impl Wrong {
    fn text(self) -> String {
        let (Self::File(text) | Self::Size(text)) = self;
        text
    }
}

/// One file, decoded.
struct Decoded {
    /// `None`: they stay on disk.
    pixels: Option<Vec<u8>>,
    state: FileState,
    digest: [u8; 32],
    changes: Changes,
    resized: bool,
}

/// How many images were changed on the way in, and how.
#[derive(Default)]
struct Notes {
    turned: usize,
    inked: usize,
    narrowed: usize,
    composited: usize,
    greyed: usize,
    coloured: usize,
    resized: usize,
}

impl Notes {
    fn add(&mut self, changes: Changes, resized: bool) {
        self.turned += usize::from(changes.turned);
        self.inked += usize::from(changes.inked);
        self.narrowed += usize::from(changes.narrowed);
        self.composited += usize::from(changes.composited);
        self.greyed += usize::from(changes.greyed);
        self.coloured += usize::from(changes.coloured);
        self.resized += usize::from(resized);
    }

    /// What was done, and to how many.
    fn counted(&self, resize: Resize, [height, width]: [usize; 2]) -> Vec<(usize, String)> {
        let resized = match resize {
            Resize::None => String::new(),
            Resize::Crop => format!("cut to their middle {height} × {width}"),
            Resize::Area => format!("brought to {height} × {width} by means over areas, whatever their sides' ratio"),
            Resize::Cover => format!("cut to the sides' ratio of {height} × {width}, then means over areas"),
        };
        let mut counted = vec![
            (self.turned, "turned as their EXIF orientation says".to_owned()),
            (self.inked, "from CMYK to colour: (255 − C) (255 − K) / 255, without colour profiles".to_owned()),
            (self.narrowed, "of 16 bits per channel: the upper 8 are kept".to_owned()),
            (self.composited, "with alpha put on black".to_owned()),
            (self.greyed, "from colour to grey: Rec. 601 luma, rounded".to_owned()),
            (self.coloured, "from grey to three equal channels".to_owned()),
            (self.resized, resized),
        ];
        counted.retain(|(n, _)| *n > 0);
        counted
    }

    fn sentences(&self, config: &FolderConfig, size: [usize; 2]) -> Vec<String> {
        let images = |n: usize| if n == 1 { "1 image".to_owned() } else { format!("{n} images") };
        let counted = self.counted(config.resize, size).into_iter();
        let mut sentences: Vec<String> = counted.map(|(n, what)| format!("{} {what}", images(n))).collect();
        if config.levels < 256 {
            let levels = config.levels;
            sentences.push(format!("pixels of 256 levels brought to {levels}: ⌊v · {levels} / 256⌋"));
        }
        sentences
    }
}

/// `f` of 0 .. n, in that order, on all cores.
fn in_parallel<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(n.max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= n {
                return done;
            }
            done.push((index, f(index)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
