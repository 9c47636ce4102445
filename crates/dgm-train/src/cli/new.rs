//! `dgm-train new --data FILE`: a complete, commented configuration for your own data.

use super::output::say;
use crate::backend::Backend;
use crate::config::{Config, ConfigFile, Missing, at_home};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::guess::{self, Wishes};
use crate::recipe;
use crate::train::initial_model;
use clap::Args;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// A table (CSV), an array (NPY, NPZ), a text, a folder of pictures, or a folder of IDX files
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of a table to predict, by name or index; separate several by commas [default: model all numeric columns jointly]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    target: Vec<String>,
    /// Set a key of [data], as in --set data.encoding=windows-1252; paths are relative to the current folder
    #[arg(long = "set", value_name = "data.KEY=VALUE")]
    overrides: Vec<String>,
    /// Output file [default: the name of the data with .toml]
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &NewArgs) -> Result<ExitCode> {
    let data_path = at_home(&args.data)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let stem = data_path.file_stem().map_or("data".into(), |stem| stem.to_string_lossy().into_owned());
            PathBuf::from(format!("{}.toml", stem.split('.').next().unwrap_or(&stem)))
        }
    };
    if out.exists() {
        return Err(Error::input(format!("{}: this file exists; name another with --out", out.display())));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::input(format!(
            "{}: this folder does not exist; make it, or name another with --out",
            folder.display()
        )));
    }
    let wishes = Wishes { target: args.target.clone(), set: args.overrides.clone() };
    let here = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let proposal = guess::proposal(&data_path, &wishes, &|path| seen_from(path, &here))?.complete()?;
    let dataset = proposal.config(&data_path, Some(folder), &[])?.load_data()?;
    if proposal.all_of_a_folder() && among_pictures(&data_path, &here) {
        return Err(Error::input(format!(
            "{}: it would be read as one of the pictures; name a file elsewhere with --out",
            out.display()
        )));
    }
    let table = proposal.toml();
    let text = format!("{}{table}\n{}", recipe::headline(&dataset), recipe::recipe(&dataset));
    // What is written can be trained as it is.
    let file = ConfigFile::to_be(text, out.display().to_string(), folder);
    let complete: Config = file.config(&[], Missing::Refused)?;
    // Any device will do: nothing is computed.
    if let Some(backend) = ["flex", "ndarray"].iter().find_map(|name| Backend::open(name).ok()) {
        initial_model(&complete, &dataset.spec, &backend.device)?;
    }
    write_atomic(&out, file.text.as_bytes())?;
    for warning in &dataset.warnings {
        say(format_args!("warning: {warning}"))?;
    }
    let [train, validation, test] = [&dataset.train, &dataset.validation, &dataset.test].map(|split| split.len());
    say(format_args!(
        "{}: {} training, {} validation and {} test examples\nto train: dgm-train --config {}",
        out.display(),
        train,
        validation,
        test,
        out.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The path of the data as a file in `folder` names it: relative where they are inside the folder.
fn seen_from(data: &Path, folder: &Path) -> PathBuf {
    let parent = data.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    // A link stays what it is called.
    let whole = match (parent, data.file_name()) {
        (Some(parent), Some(name)) => parent.canonicalize().map(|parent| parent.join(name)),
        _ => data.canonicalize(),
    };
    let whole = whole.or_else(|_| absolute(data)).unwrap_or_else(|_| data.to_path_buf());
    match whole.strip_prefix(folder) {
        Ok(inside) if inside.as_os_str().is_empty() => PathBuf::from("."),
        Ok(inside) => inside.to_path_buf(),
        Err(_) => whole,
    }
}

/// Whether this folder is inside `data` and holds pictures itself.
fn among_pictures(data: &Path, folder: &Path) -> bool {
    let inside = data.canonicalize().is_ok_and(|data| folder.starts_with(data));
    let is_picture = |entry: std::fs::DirEntry| image::ImageFormat::from_path(entry.path()).is_ok();
    inside && std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_picture))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_inside_the_folder_are_relative_and_others_whole() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("cfg/data")).unwrap();
        let cfg = root.join("cfg");
        assert_eq!(seen_from(&root.join("cfg/data/t.csv"), &cfg), Path::new("data/t.csv"));
        assert_eq!(seen_from(&root.join("cfg/../cfg/data"), &cfg), Path::new("data"));
        assert_eq!(seen_from(&root.join("t.csv"), &cfg), root.join("t.csv"));
        assert_eq!(seen_from(&cfg, &cfg), Path::new("."));
        assert_eq!(seen_from(&root.join("cfg/data/.."), &cfg), Path::new("."));
    }
}
