//! Which files of a folder are the images of which class and split.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use super::picture::FORMATS;
use crate::error::{Error, Result};

/// Names of the folders of training, validation and test inside one folder.
const SPLITS: [&[&str]; 3] = [&["train", "training"], &["val", "valid", "validation"], &["test", "testing"]];

/// What systems leave in folders, beside all whose names begin with a dot.
const OF_SYSTEMS: [&str; 5] = ["Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX", "$RECYCLE.BIN"];

/// Names in one message at most.
const MOST_NAMED: usize = 5;

/// The images of a folder in the order of their names, class by class.
pub(crate) struct Files {
    pub(super) root: PathBuf,
    /// Names of the classes; empty: there are none.
    pub(super) classes: Vec<String>,
    /// Class and path.
    pub(crate) paths: Vec<(u16, PathBuf)>,
}

/// The images of each split that has a folder of its own.
pub(crate) struct Listing {
    pub(crate) train: Files,
    pub(crate) validation: Option<Files>,
    pub(crate) test: Option<Files>,
    /// What was found, where it is not only images or their classes.
    pub(crate) notes: Vec<String>,
}

impl Listing {
    /// The images at `path`, where a folder for each split may be, and those at `test_path`. `labelled`: the class is the
    /// target or the condition.
    ///
    /// # Errors
    /// Folders that are not there, that hold something else, or whose classes do not fit together.
    pub(crate) fn of(path: &Path, test_path: Option<&Path>, labelled: bool) -> Result<Self> {
        let mut notes = Vec::new();
        let [train, validation, test] = split_folders(path, &mut notes)?;
        let inside = train.is_some();
        let train = Files::list(train.as_deref().unwrap_or(path), "path", false, &mut notes)?;
        if labelled {
            train.check_labels()?;
        }
        let mut list = |root: Option<&Path>, key: &str, part: &str| {
            root.map(|root| {
                let files = Files::list(root, key, true, &mut notes)?;
                files.numbered_as(&train, labelled, key, part, &mut notes)
            })
            .transpose()
        };
        let validation = list(validation.as_deref(), "path", "validation")?;
        let unused = test.as_ref().filter(|test| test_path.is_some_and(|path| !same(path, test)));
        let test = match test_path {
            Some(path) => list(Some(path), "test_path", "test")?,
            None => list(test.as_deref(), "path", "test")?,
        };
        if let Some(unused) = unused {
            notes.push(format!("images in {} left out, because data.test_path is set", name_of(unused)));
        }
        if inside {
            let parts = [("training", Some(&train)), ("validation", validation.as_ref()), ("test", test.as_ref())];
            let said = parts.iter().filter_map(|(part, files)| Some(format!("{part} images of {}", (*files)?.name())));
            notes.insert(0, said.collect::<Vec<_>>().join(", "));
        }
        Ok(Self { train, validation, test, notes })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        let length = |files: &Option<Files>| files.as_ref().map_or(0, |files| files.paths.len());
        self.train.paths.len() + length(&self.validation) + length(&self.test)
    }
}

/// The folders of training, validation and test, where `path` holds no others and one for training.
fn split_folders(path: &Path, notes: &mut Vec<String>) -> Result<[Option<PathBuf>; 3]> {
    let mut found = [None, None, None];
    // What is wrong with the folder is said when its images are listed.
    let Ok((folders, files)) = entries(path) else { return Ok(found) };
    for folder in folders {
        let name = name_of(&folder);
        let split = SPLITS.iter().position(|names| names.iter().any(|known| known.eq_ignore_ascii_case(&name)));
        let Some(place) = split.and_then(|split| found.get_mut(split)) else { return Ok([None, None, None]) };
        if let Some(other) = place.replace(folder) {
            return Err(Error::input(format!(
                "data.path: {} has the folders {} and {name}; expected one of them; rename or move the other",
                path.display(),
                name_of(&other)
            )));
        }
    }
    if found[0].is_none() {
        return Ok([None, None, None]);
    }
    leave_out(path, &files, "the folders of the splits", notes)?;
    Ok(found)
}

impl Files {
    /// The images in a folder, or in its folders, one for each class. Classes may be `empty` in other splits than training.
    fn list(root: &Path, key: &str, empty: bool, notes: &mut Vec<String>) -> Result<Self> {
        let shown = root.display();
        let advice = format!("put a folder of images ({FORMATS}) there, or set data.{key} to where it is");
        if !root.is_dir() {
            let found = if root.exists() { "is a file, not a folder" } else { "is not there" };
            return Err(Error::input(format!("data.{key}: {shown} {found}; {advice}")));
        }
        let (mut folders, files) = entries(root)?;
        // Labels travel in 16 bits.
        if folders.len() > 65_536 {
            return Err(Error::input(format!(
                "data.{key}: {shown} has {} folders; expected at most 65536 classes; give a part of them",
                folders.len()
            )));
        }
        let mut paths = Vec::new();
        if folders.is_empty() {
            paths.extend(files.into_iter().map(|path| (0, path)));
        } else {
            leave_out(root, &files, "the folders of the classes", notes)?;
        }
        if folders.iter().all(|folder| is_number(&name_of(folder))) {
            folders.sort_by(|a, b| by_number(&name_of(a), &name_of(b)));
        }
        for (class, folder) in folders.iter().enumerate() {
            let (deeper, images) = entries(folder)?;
            if let Some(deeper) = deeper.first() {
                return Err(too_deep(root, key, folder, deeper, &folders));
            }
            if images.is_empty() && !empty {
                let folder = folder.display();
                return Err(Error::input(format!(
                    "{folder}: found no file; expected images of the class; put some there or take the folder out"
                )));
            }
            paths.extend(images.into_iter().map(|path| (class as u16, path)));
        }
        if paths.is_empty() {
            return Err(Error::input(format!("data.{key}: {shown} is empty; {advice}")));
        }
        Ok(Self { root: root.to_owned(), classes: folders.iter().map(|folder| name_of(folder)).collect(), paths })
    }

    fn name(&self) -> String {
        name_of(&self.root)
    }

    /// Whether there are two classes at least. One class has probability 1: there would be nothing to learn.
    fn check_labels(&self) -> Result<()> {
        let path = self.root.display();
        let because = "because data.target or data.condition is the label";
        Err(Error::input(match &self.classes[..] {
            [] => format!(
                "data.path: {path} has images beside no folder; expected a folder for each class, {because}; sort the \
                 images into folders"
            ),
            [class] => format!(
                "data.path: {path} has one folder, {class}; expected two classes at least, {because}; add a class, or do \
                 without labels"
            ),
            _ => return Ok(()),
        }))
    }

    /// The same files with the numbers that the training images give to the classes. Where labels are not needed and do
    /// not fit, there are none.
    fn numbered_as(
        mut self,
        train: &Self,
        labelled: bool,
        key: &str,
        part: &str,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let root = self.root.display();
        if labelled && self.classes.is_empty() {
            let way_out = match key {
                "path" => {
                    format!("set data.path = \"{}\", of which a part is then for the {part}", train.root.display())
                }
                _ => "take data.test_path out, so that a part of data.path is for the test".to_owned(),
            };
            return Err(Error::input(format!(
                "data.{key}: {root} has images beside no folder; expected a folder for each class as in {}, because \
                 data.target or data.condition is the label; sort the images into folders, or {way_out}",
                train.root.display()
            )));
        }
        let number = |class: &String| train.classes.iter().position(|other| other == class);
        let numbers: Vec<Option<usize>> = self.classes.iter().map(number).collect();
        let mut fits = true;
        for (class, path) in &mut self.paths {
            let name = self.classes.get(usize::from(*class));
            match numbers.get(usize::from(*class)).copied().flatten() {
                Some(number) => *class = number as u16,
                None if labelled => {
                    return Err(Error::input(format!(
                        "data.{key}: {root} has the class {}, of which {} has no images; expected the classes of training; \
                         put training images of it there, or take the folder {} out",
                        name.map_or("", String::as_str),
                        train.root.display(),
                        path.parent().unwrap_or(path).display()
                    )));
                }
                None => fits = false,
            }
        }
        if !fits {
            self.classes.clear();
            self.paths.iter_mut().for_each(|(class, _)| *class = 0);
            return Ok(self);
        }
        let mut counts = vec![0; train.classes.len()];
        self.paths.iter().for_each(|(class, _)| counts[usize::from(*class)] += 1);
        // The images of a class stay together, in the order of training.
        self.paths.sort_by_key(|(class, _)| *class);
        let lacking: Vec<_> = train.classes.iter().zip(counts).filter(|(_, n)| *n == 0).map(|(name, _)| name).collect();
        if !lacking.is_empty() {
            let classes = if lacking.len() == 1 { "class" } else { "classes" };
            notes.push(format!("no {part} image of the {classes} {}", some_of(&lacking)));
        }
        self.classes.clone_from(&train.classes);
        Ok(self)
    }
}

/// The message for a folder of folders where images of one class are expected.
fn too_deep(root: &Path, key: &str, folder: &Path, deeper: &Path, folders: &[PathBuf]) -> Error {
    let (class, shown) = (name_of(folder), folder.display());
    let called = |what: &str| folders.iter().find(|folder| name_of(folder).to_lowercase().contains(what));
    let advice = match (folders, called("train"), called("test")) {
        // A folder around all classes, as archives have it.
        ([_], _, _) => format!("if its folders are the classes, set data.{key} = \"{shown}\""),
        (_, Some(train), Some(test)) if key == "path" => {
            format!("set data.path = \"{}\" and data.test_path = \"{}\"", train.display(), test.display())
        }
        _ => format!(
            "move its images up into {class}, or set data.{key} to the folder whose folders are the classes (\"{shown}\", \
             say)"
        ),
    };
    Error::input(format!(
        "data.{key}: {} has the folder {class} and in it the folder {}; expected images alone in the folder of a class; \
         {advice}",
        root.display(),
        name_of(deeper)
    ))
}

/// Notes the files beside folders, none of which may be an image.
fn leave_out(root: &Path, files: &[PathBuf], beside: &str, notes: &mut Vec<String>) -> Result<()> {
    if let Some(image) = files.iter().find(|file| ImageFormat::from_path(file).is_ok()) {
        let name = name_of(image);
        return Err(Error::input(format!(
            "data.path: {} has the image {name} beside {beside}; expected images in them alone, or no folders; move {name} \
             into one of them or take it out",
            root.display()
        )));
    }
    if !files.is_empty() {
        let names: Vec<String> = files.iter().map(|file| name_of(file)).collect();
        notes.push(format!("left out beside {beside}: {}", some_of(&names)));
    }
    Ok(())
}

/// The first of these names, and how many more there are.
fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    let first: Vec<&str> = names.iter().take(MOST_NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Whether two paths lead to one folder.
fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// 1, 2, 10 and not 1, 10, 2; however many digits there are.
fn by_number(a: &str, b: &str) -> Ordering {
    let key = |name: &str| name.trim_start_matches('0').len();
    let digits = |name: &str| name.trim_start_matches('0').to_owned();
    (key(a), digits(a), a).cmp(&(key(b), digits(b), b))
}

/// Folders and files in the order of their names, without those that systems leave there.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |error: std::io::Error| {
        Error::input(format!("{}: cannot be read: {error}; make it readable, or name another folder", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path);
        if !name.starts_with('.') && !OF_SYSTEMS.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.is_dir()))
}
