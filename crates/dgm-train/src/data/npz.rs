//! NPZ, NumPy's archive of arrays: a ZIP of NPY files, stored (`numpy.savez`) or deflated (`numpy.savez_compressed`).

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive};

use super::file::FileReader;
use crate::error::{Error, Result};

/// Names in a message.
const SHOWN: usize = 20;

/// Calls `f` with the array `member` of the archive in a file; `None`: its only one.
///
/// # Errors
///
/// A file that cannot be opened or is no such archive, an array that is not in it, and what `f` returns.
pub(super) fn with_member<T>(
    path: &Path,
    member: Option<&str>,
    key: &str,
    f: impl FnOnce(&mut FileReader<'_>) -> Result<T>,
) -> Result<T> {
    let name = path.display().to_string();
    let what = "an NPZ file (of numpy.savez)";
    // The same checks and messages as for any file.
    FileReader::open(path, key, what)?;
    let (file, mut buffer) = (open(path)?, vec![0; RECOMMENDED_BUFFER_SIZE]);
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| no_archive(&name, &error))?;
    with_archive_member(&archive, &name, member, f)
}

/// The names of the arrays in the archive of a file.
///
/// # Errors
///
/// A file that cannot be opened or is no such archive.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let name = path.display().to_string();
    let (file, mut buffer) = (open(path)?, vec![0; RECOMMENDED_BUFFER_SIZE]);
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| no_archive(&name, &error))?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut entries = archive.entries(&mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|error| no_archive(&name, &error))? {
        names.push(array_name(&String::from_utf8_lossy(entry.file_path().as_ref())).to_owned());
    }
    Ok(names)
}

/// An entry's name without the ending that NumPy gives it.
fn array_name(path: &str) -> &str {
    path.strip_suffix(".npy").unwrap_or(path)
}

/// As for a file, with the archive's bytes; `name` names it in messages.
///
/// # Errors
///
/// Bytes that are no such archive, an array that is not in it, and what `f` returns.
pub fn with_member_of_bytes<T>(
    bytes: &[u8],
    name: &str,
    member: Option<&str>,
    f: impl FnOnce(&mut FileReader<'_>) -> Result<T>,
) -> Result<T> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive =
        ZipArchive::from_seekable(Cursor::new(bytes), &mut buffer).map_err(|error| no_archive(name, &error))?;
    with_archive_member(&archive, name, member, f)
}

fn open(path: &Path) -> Result<File> {
    File::open(path)
        .map_err(|error| Error::input(format!("{}: cannot be opened: {error}; make it readable", path.display())))
}

fn no_archive(name: &str, error: &rawzip::Error) -> Error {
    let error = error.to_string().replace('\n', " ");
    Error::input(format!("{name}: not a whole NPZ file ({error}); write it again with numpy.savez"))
}

fn with_archive_member<R: ReaderAt, T>(
    archive: &ZipArchive<R>,
    name: &str,
    member: Option<&str>,
    f: impl FnOnce(&mut FileReader<'_>) -> Result<T>,
) -> Result<T> {
    let fail = |message: String| Error::input(format!("{name}: {message}"));
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut entries = archive.entries(&mut buffer);
    let (mut found, mut names) = (None, Vec::new());
    while let Some(entry) = entries.next_entry().map_err(|error| no_archive(name, &error))? {
        let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        let array = array_name(&path);
        if member.is_none_or(|member| member == array || member == path) && found.is_none() {
            found = Some((entry.wayfinder(), entry.compression_method(), entry.flags().is_encrypted()));
        }
        if names.len() <= SHOWN {
            names.push(array.to_owned());
        }
    }
    let several = names.len() > 1;
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("…".into());
    }
    let names = names.join(", ");
    let (wayfinder, method, encrypted) = match (found, member) {
        (Some(_), None) if several => {
            return Err(fail(format!("holds several arrays ({names}); add which, as in \"{name}:NAME\"")));
        }
        (Some(found), _) => found,
        (None, Some(member)) => {
            return Err(fail(format!("there is no array `{member}` in it (arrays: {names}); name one of them")));
        }
        (None, None) => return Err(fail("there is no array in it; save one with numpy.savez".into())),
    };
    if encrypted {
        return Err(fail("the array is encrypted; write it again with numpy.savez".into()));
    }
    let entry = archive.get_entry(wayfinder).map_err(|error| no_archive(name, &error))?;
    let reader: Box<dyn Read + '_> = match method {
        CompressionMethod::STORE => Box::new(entry.verifying_reader(entry.reader())),
        CompressionMethod::DEFLATE => Box::new(entry.verifying_reader(DeflateDecoder::new(entry.reader()))),
        _ => {
            return Err(fail(
                "the array is compressed in a way that NumPy does not use; write it again with numpy.savez".into(),
            ));
        }
    };
    let title = member.map_or_else(|| name.to_owned(), |member| format!("{name}:{member}"));
    f(&mut FileReader::from_archive(reader, title))
}
