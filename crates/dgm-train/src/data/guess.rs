//! A bare file or folder → the table `[data]` that suits it.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{Fingerprint, Source};
use super::npy;
use super::table::{Column, Kind, Options, Table};
use crate::error::{Error, Result};

/// What is known, or wanted, of the data besides the file.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Columns to model; none: all numbers of a table.
    pub target: Vec<String>,
}

/// A `[data]` table that can be pasted, and what it is about.
#[derive(Debug)]
pub struct Proposal {
    /// `key = value` lines, comments among them.
    pub lines: Vec<String>,
    /// The table, where it is one.
    pub table: Option<Table>,
}

impl Proposal {
    /// The text of the table `[data]`.
    pub fn toml(&self) -> String {
        format!("[data]\n{}\n", self.lines.join("\n"))
    }
}

/// What a file holds, by its name and its first bytes.
enum Form {
    Pictures,
    Idx(PathBuf),
    Array,
    Archive,
    Table,
    Text,
}

/// A proposal for the data at `path`.
///
/// # Errors
/// Nothing there, or nothing that any source reads; columns that are not there.
pub fn proposal(path: &Path, wishes: &Wishes) -> Result<Proposal> {
    let form = form(path)?;
    let wanted = !wishes.target.is_empty();
    if wanted && !matches!(form, Form::Table) {
        return Err(Error::input(format!(
            "--target: {} is no table, so it has no columns; leave --target out",
            path.display()
        )));
    }
    match form {
        Form::Table => table(path, wishes),
        Form::Text => Ok(text(path)),
        Form::Pictures => pictures(path),
        Form::Idx(folder) => idx(&folder),
        Form::Array => array(path),
        Form::Archive => archive(path),
    }
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

fn path_line(key: &str, path: &Path) -> String {
    format!("{key} = {}", quoted(&path.display().to_string()))
}

/// The first bytes of a file, unpacked.
fn start_of(path: &Path) -> Result<Vec<u8>> {
    Source::open(path, "path", "data")?.read(1 << 16)
}

fn form(path: &Path) -> Result<Form> {
    if path.is_dir() {
        return Ok(if idx_files(path).is_some() { Form::Idx(path.into()) } else { Form::Pictures });
    }
    let bytes = start_of(path)?;
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok(Form::Idx(folder.into()));
    }
    if has(&[".csv", ".tsv", ".tab", ".data", ".dat"]) {
        return Ok(Form::Table);
    }
    // Lines of as many cells each, most of which are numbers, are a table; others are a text.
    let text = String::from_utf8_lossy(&bytes);
    let mut cells: Vec<usize> = Vec::new();
    let (mut numbers, mut words) = (0usize, 0usize);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(200) {
        let parts: Vec<&str> = line.split([',', ';', '\t', ' ', '|']).filter(|part| !part.trim().is_empty()).collect();
        cells.push(parts.len());
        let of_line = parts.iter().filter(|part| part.trim().parse::<f64>().is_ok()).count();
        numbers += of_line;
        words += parts.len() - of_line;
    }
    let even = cells.iter().skip(1).all(|n| Some(n) == cells.last()) && cells.last().is_some_and(|n| *n > 1);
    Ok(if even && numbers > words { Form::Table } else { Form::Text })
}

/// How a column is named in a configuration: by name, or by index where it has none or shares it.
fn reference(column: &Column, columns: &[Column]) -> String {
    let alone = |name: &str| columns.iter().filter(|other| other.name.as_deref() == Some(name)).count() == 1;
    match column.name.as_deref() {
        Some(name) if !name.is_empty() && alone(name) => quoted(name),
        _ => column.index.to_string(),
    }
}

fn table(path: &Path, wishes: &Wishes) -> Result<Proposal> {
    let table = Table::open(path, "path", &Options::default(), &mut Fingerprint::default())?;
    let columns = table.columns();
    let list = |columns_of: &[&Column]| {
        columns_of.iter().map(|column| reference(column, columns)).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec!["source = \"csv\"".to_owned(), path_line("path", path)];
    let numeric = |column: &&Column| column.kind.is_numeric() && !column.identifier && !column.constant;
    let mut excluded: Vec<&Column> = Vec::new();
    let holes = |used: &[&Column]| used.iter().any(|column| column.missing > 0);
    let usable = |column: &&Column| {
        !matches!(column.kind, Kind::Text | Kind::Empty) && !column.identifier && column.levels().len() <= 1000
    };
    let missing = if wishes.target.is_empty() {
        let target: Vec<&Column> = columns.iter().filter(numeric).collect();
        if target.is_empty() {
            return Err(Error::input(format!(
                "{}: found no column of numbers to model; name the column to predict with --target NAME",
                table.name()
            )));
        }
        let words: Vec<&Column> = columns.iter().filter(usable).filter(|column| !column.kind.is_numeric()).collect();
        lines.push(format!("target = [{}]   # every column of numbers", list(&target)));
        match words.is_empty() {
            true => lines.push("condition = \"none\"".into()),
            false => lines.push(format!("condition = [{}]   # words: the density is given them", list(&words))),
        }
        holes(&[&target[..], &words].concat()).then_some("drop")
    } else {
        let picked: Vec<String> = wishes
            .target
            .iter()
            .map(|name| name.parse::<usize>().map_or_else(|_| quoted(name), |i| i.to_string()))
            .collect();
        lines.push(format!("target = [{}]", picked.join(", ")));
        let is_target = |column: &&&Column| {
            wishes.target.iter().any(|name| column.name.as_deref() == Some(name) || *name == column.index.to_string())
        };
        excluded = columns.iter().filter(|column| !usable(column)).collect();
        excluded.retain(|column| !is_target(&column));
        let used: Vec<&Column> =
            columns.iter().filter(|column| !excluded.iter().any(|other| other.index == column.index)).collect();
        holes(&used).then_some("impute")
    };
    if !excluded.is_empty() {
        lines.push(format!("exclude = [{}]   # they number the rows, or hold free text", list(&excluded)));
    }
    // Numbers with a word among them: what the word stands for is not known, and most often that is nothing.
    let odd: Vec<String> = columns
        .iter()
        .filter(|column| !excluded.iter().any(|other| other.index == column.index))
        .filter_map(|column| column.odd.as_ref())
        .flat_map(|odd| odd.texts.iter().map(|text| quoted(text)))
        .collect();
    if !odd.is_empty() {
        lines.push(format!("missing_values = [{}]   # among numbers: read as missing", odd.join(", ")));
    }
    match missing.or((!odd.is_empty()).then_some("impute")) {
        Some("drop") => lines.push("missing = \"drop\"   # rows with missing cells are left out".into()),
        Some(_) => lines
            .push("missing = \"impute\"   # the training mean or most frequent word, and an input that says so".into()),
        None => {}
    }
    Ok(Proposal { lines, table: Some(table) })
}

fn text(path: &Path) -> Proposal {
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    // A tenth of the text has a window or two at least.
    let length = [128, 64, 32, 16, 8].into_iter().find(|length| size > 40 * length).unwrap_or(4);
    let lines = vec![
        "source = \"text\"".to_owned(),
        path_line("path", path),
        format!("length = {length}       # symbols of a window that are scored"),
        format!("context = {length}      # symbols before them that are given"),
        "shift_windows = true".into(),
    ];
    Proposal { lines, table: None }
}

/// Sides that images of several sizes are brought to.
const SIDE: u32 = 32;

/// Files of a folder that are looked at.
const LOOKED_AT: usize = 500;

fn pictures(path: &Path) -> Result<Proposal> {
    let mut files = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            match entry.is_dir() {
                true => folders.push(entry),
                false => files.push(entry),
            }
        }
        if files.len() > LOOKED_AT {
            break;
        }
    }
    let (mut sizes, mut colour, mut found) = (std::collections::BTreeSet::new(), false, 0);
    for file in files.iter().take(LOOKED_AT) {
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
    let mut lines = vec!["source = \"images\"".to_owned(), path_line("path", path)];
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
    Ok(Proposal { lines, table: None })
}

/// The four files of a set in the form of MNIST: images and labels for training, images and labels for the test.
fn idx_files(folder: &Path) -> Option<[Option<PathBuf>; 4]> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let find = |words: [&[&str]; 2]| {
        files.iter().find(|file| {
            let name = file.file_name().map_or(String::new(), |name| name.to_string_lossy().to_lowercase());
            let idx = name.contains("idx") || name.contains("ubyte");
            idx && words.iter().all(|any| any.iter().any(|word| name.contains(word)))
        })
    };
    let (train, test) = (&["train"][..], &["t10k", "test"][..]);
    let (images, labels) = (&["image"][..], &["label"][..]);
    let all = [[train, images], [train, labels], [test, images], [test, labels]].map(find);
    (all[0].is_some() && all[2].is_some()).then(|| all.map(|file| file.cloned()))
}

fn idx(folder: &Path) -> Result<Proposal> {
    let Some(files) = idx_files(folder) else {
        return Err(Error::input(format!(
            "{}: found no pair of training and test images in the form of MNIST; expected names such as train-images-idx3-ubyte and \
             t10k-images-idx3-ubyte; name the files in a configuration with source = \"idx\"",
            folder.display()
        )));
    };
    let keys = ["train_images", "train_labels", "test_images", "test_labels"];
    let paths = keys.iter().zip(files).filter_map(|(key, file)| Some(path_line(key, &file?)));
    Ok(Proposal { lines: std::iter::once("source = \"idx\"".to_owned()).chain(paths).collect(), table: None })
}

fn array(path: &Path) -> Result<Proposal> {
    let mut source = Source::open(path, "train", "an array")?;
    let header = npy::read_header(&mut source)?;
    let mut lines = vec!["source = \"npy\"".to_owned(), path_line("train", path)];
    lines.push(format!(
        "# {} numbers; the last tenth of the examples is the test, or name another array in `test`",
        header.dimensions()
    ));
    Ok(Proposal { lines, table: None })
}

fn archive(path: &Path) -> Result<Proposal> {
    let names = super::npz::names(path)?;
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
    let mut lines = vec!["source = \"npy\"".to_owned(), format!("train = {}", quoted(&train))];
    lines.push(format!("# the archive holds {}", names.join(", ")));
    let others: [(&str, &[&str]); 3] = [
        ("test", &["x_test", "test_x", "test_images", "test"]),
        ("train_labels", &["y_train", "train_y", "train_labels", "y", "labels"]),
        ("test_labels", &["y_test", "test_y", "test_labels"]),
    ];
    lines.extend(others.iter().filter_map(|(key, words)| Some(format!("{key} = {}", quoted(&find(words)?)))));
    Ok(Proposal { lines, table: None })
}
