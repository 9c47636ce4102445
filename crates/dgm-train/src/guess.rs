//! A bare file or folder → the table `[data]` that suits it.

mod given;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use self::given::Given;
use crate::config::{Config, ConfigFile, Missing};
use crate::data::DataConfig;
use crate::data::arrays::file_and_member;
use crate::data::file::FileReader;
use crate::data::listing::Listing;
use crate::data::store::{FileRows, Store};
use crate::data::table::{Options, Table};
use crate::data::{named, npy};
use crate::error::{Error, Result};

/// What is known, or wanted, of the data besides the file.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Columns to model; none: all numbers of a table.
    pub target: Vec<String>,
    /// Values of `[data]` that are given, `data.KEY=VALUE` each. Paths are relative to the current folder.
    pub set: Vec<String>,
}

/// A `[data]` table that can be pasted, and what it is about.
#[derive(Debug)]
pub struct Proposal {
    /// `key = value` lines, comments among them.
    pub lines: Vec<String>,
    /// The table, where it is one.
    pub table: Option<Table>,
    /// Why there are no lines: a table without a column of numbers to model.
    pub problem: Option<Error>,
}

impl Proposal {
    /// The same where it has lines.
    ///
    /// # Errors
    /// Why it has none.
    pub fn complete(mut self) -> Result<Self> {
        self.problem.take().map_or(Ok(self), Err)
    }

    /// The text of the table `[data]`.
    pub fn toml(&self) -> String {
        format!("[data]\n{}\n", self.lines.join("\n"))
    }

    /// Whether the data are all files of a folder, whatever they are called.
    pub fn all_of_a_folder(&self) -> bool {
        self.lines.iter().any(|line| line == "source = \"images\"")
    }

    /// A configuration of the data alone; `path` names it in messages, `folder` is what its paths are relative to (`None`: the
    /// current one).
    ///
    /// # Errors
    /// Values that are not valid, a path that leads nowhere.
    pub fn config(&self, path: &Path, folder: Option<&Path>, overrides: &[String]) -> Result<Config> {
        let name = path.display().to_string();
        let text = any_model(&self.lines);
        let file = match folder {
            Some(folder) => ConfigFile::to_be(text, name.clone(), folder),
            None => ConfigFile::of_text(text, name.clone()),
        };
        file.config(overrides, Missing::Refused).map_err(|error| without_line(error, &name))
    }
}

/// `[data]` with these lines, and a model that fits no data in particular: none is built.
fn any_model(lines: &[String]) -> String {
    format!("[data]\n{}\n[model]\nkind = \"vae\"\n", lines.join("\n"))
}

/// The message without the line of a text that is in no file.
fn without_line(error: Error, name: &str) -> Error {
    let message = error.to_string();
    let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    match rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit())) {
        Some(rest) if rest.starts_with(": ") => Error::input(format!("{name}{rest}")),
        _ => error,
    }
}

/// `[data]` with these lines and the values that are given, checked.
fn checked(lines: &[String], path: &Path, set: &[String]) -> Result<DataConfig> {
    let name = path.display().to_string();
    let config: Result<Config> = Config::from_toml(&any_model(lines), &name, set);
    config.map(|config| config.data).map_err(|error| without_line(error, &name))
}

/// Paths as they are to be written: from the path as it is seen from the current folder.
pub type Rename<'a> = dyn Fn(&Path) -> PathBuf + 'a;

/// What a file holds, by its name and its first bytes.
#[derive(Debug, PartialEq)]
enum Form {
    Pictures,
    Idx(PathBuf),
    Array,
    Archive,
    Table,
    Text,
}

impl Form {
    /// The source that reads it.
    fn source(&self) -> &'static str {
        match self {
            Self::Pictures => "images",
            Self::Idx(_) => "idx",
            Self::Array | Self::Archive => "npy",
            Self::Table => "csv",
            Self::Text => "text",
        }
    }
}

/// A proposal for the data at `path`, in which every path is as `rename` has it.
///
/// # Errors
/// Nothing there, or nothing that any source reads; columns that are not there; values of keys that are not there.
pub fn proposal(path: &Path, wishes: &Wishes, rename: &Rename<'_>) -> Result<Proposal> {
    let mut given = Given::of(&wishes.set)?;
    // Another path is other data.
    let other = given.take("path").map(|value| PathBuf::from(given::plain(&value)));
    let path = other.as_deref().unwrap_or(path);
    let source = given.take("source").map(|value| given::plain(&value));
    let form = match source.as_deref() {
        Some("csv") => Form::Table,
        Some("text") => Form::Text,
        Some("images") => Form::Pictures,
        _ => form(path, &wishes.set)?,
    };
    if let Some(source) = source.filter(|source| source != form.source()) {
        return Err(Error::input(format!(
            "--set data.source={source}: {} is recognised as {}; expected that, or csv, text or images; leave data.source out",
            path.display(),
            form.source()
        )));
    }
    if !wishes.target.is_empty() && form != Form::Table {
        return Err(Error::input(format!(
            "--target: {} is no table, so it has no columns; leave --target out, or add --set data.source=csv if it is one",
            path.display()
        )));
    }
    let of = |lines| Proposal { lines, table: None, problem: None };
    let mut proposal = match form {
        Form::Table => table::table(path, wishes, &mut given, rename)?,
        Form::Text => of(text(path, rename)),
        Form::Pictures => of(pictures(path, rename)?),
        Form::Idx(path) => of(idx(&path, rename)?),
        Form::Array => of(array(path, rename)?),
        Form::Archive => of(archive(path, given.get("train").is_some(), rename)?),
    };
    if proposal.problem.is_none() {
        let paths = checked(&proposal.lines, path, &wishes.set)?.path_keys();
        given.write(&mut proposal.lines, &paths, rename);
    }
    Ok(proposal)
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

/// The line of a key that is a path, of an array in an archive too.
fn path_line(key: &str, path: &str, rename: &Rename<'_>) -> String {
    let (file, member) = file_and_member(path);
    let member = member.map_or(String::new(), |member| format!(":{member}"));
    format!("{key} = {}", quoted(&format!("{}{member}", rename(Path::new(file)).display())))
}

/// Bytes that are looked at to tell what a file holds.
const START: u64 = 1 << 16;

fn form(path: &Path, set: &[String]) -> Result<Form> {
    if path.is_dir() {
        return Ok(if idx_files(path).is_some() { Form::Idx(path.into()) } else { Form::Pictures });
    }
    // Unpacked, where it is packed.
    let bytes = FileReader::open(path, "path", "data")?.read(START)?;
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().to_lowercase());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let has = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if bytes.starts_with(b"\x93NUMPY") {
        return Ok(Form::Array);
    }
    if has(&[".npz"]) {
        return Ok(Form::Archive);
    }
    if let [0, 0, 8 | 9 | 11..=14, 1..=4, ..] = bytes[..] {
        return Ok(Form::Idx(path.into()));
    }
    // Words may begin as a picture does: "BM".
    if image::ImageFormat::from_path(path).is_ok() && image::guess_format(&bytes).is_ok() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Err(Error::input(format!(
            "{}: found a picture; expected many; name the folder that holds them, such as {}",
            path.display(),
            folder.display()
        )));
    }
    if has(&[".csv", ".tsv", ".tab", ".data", ".dat"]) {
        return Ok(Form::Table);
    }
    // Keys that no table has are those of a text.
    let options = match checked(&table::least(path), path, set) {
        Ok(DataConfig::Csv(config)) => config.options(),
        _ => Options::default(),
    };
    Ok(if is_table(&bytes, &options) { Form::Table } else { Form::Text })
}

/// Whether the start of a file is rows of several cells each, most columns of which are numbers.
fn is_table(start: &[u8], options: &Options) -> bool {
    let cut = start.len() as u64 == START;
    let last = start.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).filter(|_| cut);
    // In UTF-16 whose low byte comes first another one belongs to the line's end.
    let end = last.map_or(start.len(), |last| last + 1 + usize::from(start.starts_with(b"\xff\xfe")));
    let read = start.get(..end).map(|lines| Table::from_bytes("data", lines, options));
    read.and_then(std::result::Result::ok).is_some_and(|table| {
        let columns = table.columns();
        let numbers = columns.iter().filter(|column| column.kind.is_numeric()).count();
        columns.len() > 1 && table.rows() > 1 && 2 * numbers > columns.len()
    })
}

fn text(path: &Path, rename: &Rename<'_>) -> Vec<String> {
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    // A tenth of the text has a window or two at least.
    let length = [128, 64, 32, 16, 8].into_iter().find(|length| size > 40 * length).unwrap_or(4);
    vec![
        "source = \"text\"".to_owned(),
        path_line("path", &path.to_string_lossy(), rename),
        format!("length = {length}       # symbols of a window that are scored"),
        format!("context = {length}      # symbols before them that are given"),
        "shift_windows = true".into(),
    ]
}

/// Sides that images of several sizes are brought to.
const SIDE: u32 = 32;

/// Files of a folder that are looked at.
const LOOKED_AT: usize = 500;

fn pictures(path: &Path, rename: &Rename<'_>) -> Result<Vec<String>> {
    let listing = Listing::of(path, None, false)?;
    let parts = [Some(&listing.train), listing.validation.as_ref(), listing.test.as_ref()];
    // Files of every class, not of the first alone.
    let step = listing.len().div_ceil(LOOKED_AT).max(1);
    let files = parts.into_iter().flatten().flat_map(|files| &files.paths).map(|(_, file)| file).step_by(step);
    let (mut sizes, mut colour, mut found) = (std::collections::BTreeSet::new(), false, 0);
    for file in files {
        let reader = image::ImageReader::open(file).ok().and_then(|reader| reader.with_guessed_format().ok());
        let Some(mut decoder) = reader.and_then(|reader| reader.into_decoder().ok()) else { continue };
        use image::ImageDecoder;
        let turned = decoder.orientation().is_ok_and(|orientation| {
            use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
            matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
        });
        let (width, height) = decoder.dimensions();
        sizes.insert(if turned { (width, height) } else { (height, width) });
        colour |= decoder.color_type().has_color();
        found += 1;
    }
    if found == 0 {
        return Err(Error::input(format!(
            "{}: found no picture in this folder; expected PNG, JPEG, WebP, BMP, GIF or TIFF files, or folders of them; name the folder that holds \
             them",
            path.display()
        )));
    }
    let mut lines = vec!["source = \"images\"".to_owned(), path_line("path", &path.to_string_lossy(), rename)];
    lines.push(format!(
        "channels = {}            # {}",
        if colour { 3 } else { 1 },
        if colour { "colour" } else { "grey" }
    ));
    let large = sizes.iter().any(|&(height, width)| height.max(width) > 2 * SIDE);
    if sizes.len() > 1 || large {
        lines.push(format!("size = [{SIDE}, {SIDE}]        # rows and columns that all are brought to"));
        lines.push("resize = \"cover\"         # the largest middle part of that ratio, scaled".into());
    }
    Ok(lines)
}

/// The four files of a set in the form of MNIST, in a folder or beside one of them, where there are images for training and for
/// the test.
fn idx_files(path: &Path) -> Option<[Option<PathBuf>; 4]> {
    let files = named::files_of(path);
    (files[0].is_some() && files[2].is_some()).then_some(files)
}

fn idx(path: &Path, rename: &Rename<'_>) -> Result<Vec<String>> {
    let Some(files) = idx_files(path) else {
        return Err(Error::input(format!(
            "{}: found no pair of training and test images in the form of MNIST; expected the names {} and {}; name the files in a \
             configuration with source = \"idx\"",
            path.display(),
            named::FILES[0],
            named::FILES[2]
        )));
    };
    let keys = ["train_images", "train_labels", "test_images", "test_labels"];
    let paths = keys.iter().zip(files).filter_map(|(key, file)| Some(path_line(key, &file?.to_string_lossy(), rename)));
    Ok(std::iter::once("source = \"idx\"".to_owned()).chain(paths).collect())
}

fn array(path: &Path, rename: &Rename<'_>) -> Result<Vec<String>> {
    let mut source = FileReader::open(path, "train", "an array")?;
    let header = npy::read_header(&mut source)?;
    let mut lines = vec!["source = \"npy\"".to_owned(), path_line("train", &path.to_string_lossy(), rename)];
    lines.push(format!(
        "# {} numbers; a tenth of the examples, drawn by the seed, is the test, or name another array in `test`",
        header.dimensions()
    ));
    lines.extend(pixels(path, &header));
    Ok(lines)
}

/// Examples of an array that are looked at.
const EXAMPLES: usize = 1000;

/// The levels of images whose pixels are no bytes, by their first examples.
fn pixels(path: &Path, header: &npy::Header) -> Vec<String> {
    let bytes = header.boolean || header.element.size == 1;
    let examples = header.shape.first().copied().unwrap_or(0).min(EXAMPLES);
    if bytes || header.shape.len() < 3 || header.fortran_order || examples == 0 {
        return Vec::new();
    }
    let width = header.count() / header.shape.first().copied().unwrap_or(1).max(1);
    let mut numbers = Vec::new();
    let read = FileRows::open(path, header.offset, width, header.element)
        .and_then(|rows| (0..examples).try_for_each(|row| rows.append(row, 0, &mut numbers)));
    // A packed array is not looked into.
    if read.is_err() || numbers.iter().any(|number| !(0.0..=255.0).contains(number)) {
        return Vec::new();
    }
    let largest = numbers.iter().copied().fold(0.0, f64::max);
    let whole = |factor: f64| {
        let off = |number: &f64| ((factor * number) - (factor * number).round()).abs();
        numbers.iter().all(|number| off(number) < 1e-4 * factor)
    };
    match (whole(1.0), largest <= 1.0) {
        (true, _) => {
            let levels = if largest < 32.0 { (largest as usize + 1).max(2) } else { 256 };
            vec![format!("levels = {levels}   # the pixels are whole numbers: likelihoods of levels")]
        }
        (_, true) if whole(255.0) => vec![
            "levels = 256   # the pixels are levels divided by 255: likelihoods of levels".into(),
            "scale = 255".into(),
        ],
        (_, true) => vec![
            "# the pixels are real numbers from 0 to 1; with the next two lines, levels where they are multiples of 1/255".into(),
            "# levels = 256".into(),
            "# scale = 255".into(),
        ],
        _ => Vec::new(),
    }
}

/// `chosen`: the array of examples is given, and others may not belong to it.
fn archive(path: &Path, chosen: bool, rename: &Rename<'_>) -> Result<Vec<String>> {
    let names = crate::data::npz::names(path)?;
    let find = |words: &[&str]| {
        names
            .iter()
            .find(|name| words.contains(&name.to_lowercase().as_str()))
            .map(|name| format!("{}:{name}", path.display()))
    };
    let train = find(&["x_train", "train_x", "train_images", "train", "x", "data", "images"]);
    let Some(train) = train.or(names.first().map(|name| format!("{}:{name}", path.display()))) else {
        return Err(Error::input(format!(
            "{}: found no array in the archive; expected one at least; save it with numpy.savez",
            path.display()
        )));
    };
    let mut lines = vec!["source = \"npy\"".to_owned(), path_line("train", &train, rename)];
    lines.push(format!("# the archive holds {}", names.join(", ")));
    let others: [(&str, &[&str]); 5] = [
        ("validation", &["x_val", "val_x", "val_images", "val", "x_valid", "valid", "x_validation", "validation"]),
        ("test", &["x_test", "test_x", "test_images", "test"]),
        ("train_labels", &["y_train", "train_y", "train_labels", "y", "labels"]),
        ("validation_labels", &["y_val", "val_y", "val_labels", "y_valid", "y_validation", "validation_labels"]),
        ("test_labels", &["y_test", "test_y", "test_labels"]),
    ];
    let others = others.iter().filter(|_| !chosen);
    lines.extend(others.filter_map(|(key, words)| Some(path_line(key, &find(words)?, rename))));
    Ok(lines)
}

#[cfg(test)]
mod tests;
