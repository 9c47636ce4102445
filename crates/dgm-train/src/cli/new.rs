//! `dgm-train new --data FILE`: a configuration for somebody's own data, complete and with comments.

use super::NewArgs;
use super::output::say;
use crate::config::{Config, ConfigFile, Missing};
use crate::data::guess::{self, Wishes};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::recipe;
use crate::train::initial_model;
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(args: &NewArgs) -> Result<ExitCode> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let stem = args.data.file_stem().map_or("data".into(), |stem| stem.to_string_lossy().into_owned());
            PathBuf::from(format!("{}.toml", stem.split('.').next().unwrap_or(&stem)))
        }
    };
    if out.exists() {
        return Err(Error::input(format!("{}: there is such a file already; name another with --out", out.display())));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::input(format!(
            "{}: there is no such folder to write the configuration to; make it, or name another with --out",
            folder.display()
        )));
    }
    let data = seen_from(&args.data, folder)?;
    let wishes = Wishes { target: args.target.clone() };
    let proposal = guess::proposal(&args.data, &wishes)?;
    // The proposal names the data as they are seen from here; the file, as they are seen from the file.
    let [here, there] = [&args.data, &data].map(|path| toml::Value::String(path.display().to_string()).to_string());
    let inner = |text: &str| text.trim_matches(['"', '\'']).to_owned();
    let table = proposal.toml().replace(&here, &there).replace(&inner(&here), &inner(&there));
    let dataset = understood(&table, folder)?;
    let text = format!("{}{table}\n{}", recipe::headline(&dataset), recipe::recipe(&dataset));
    // What is written can be trained as it is.
    let file = ConfigFile::to_be(text, out.display().to_string(), folder);
    let complete = file.config(&[], Missing::Refused)?;
    initial_model(&complete, &dataset.spec, &Device::flex())?;
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

/// The data of a table `[data]` by itself.
fn understood(table: &str, folder: &Path) -> Result<Dataset> {
    let text = format!("{table}[model]\nkind = \"vae\"\n");
    let config: Config = ConfigFile::to_be(text, "the proposal".into(), folder).config(&[], Missing::Refused)?;
    data::of_run(&config)
}

/// The path of the data as a file in `folder` names it: relative where they are inside the folder.
fn seen_from(data: &Path, folder: &Path) -> Result<PathBuf> {
    let absolute = |path: &Path| {
        path.canonicalize().map_err(|error| {
            Error::input(format!("{}: cannot be opened: {error}; give a file or a folder", path.display()))
        })
    };
    let (data, folder) = (absolute(data)?, absolute(folder)?);
    Ok(data.strip_prefix(&folder).map_or(data.clone(), Path::to_path_buf))
}
