//! `dgm-train data fetch [NAME]`: downloads a data set into the user's cache, or lists what there is.

use super::output::say;
use crate::data::DataConfig;
use crate::data::catalogue::{self, DataSet, RemoteFile, datasets_folder};
use crate::error::{Error, Result};
use crate::fetch::{fetch, problem};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct FetchArgs {
    /// Name of the data set [default: list all]
    name: Option<String>,
    /// Folder for data sets, one subfolder each [default: $DGM_DATA_DIR, or dgm/datasets in your cache]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// URL of a folder with the files, instead of the known URLs: http://host/mnist
    #[arg(long, value_name = "URL", requires = "name")]
    mirror: Option<String>,
    /// Retries per URL after a transient error
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 4, value_parser = super::within(0..=100))]
    retries: u32,
    /// Verify the files without downloading
    #[arg(long, requires = "name", conflicts_with = "mirror")]
    check: bool,
}

pub(super) fn run(args: &FetchArgs) -> Result<ExitCode> {
    let folder = args.dir.clone().map_or_else(datasets_folder, Ok)?;
    let Some(name) = &args.name else { return list(&folder) };
    let (mut set, here) = (catalogue::find(name)?, folder.join(name));
    if let Some(mirror) = &args.mirror {
        if !["http://", "https://"].iter().any(|scheme| mirror.starts_with(scheme)) {
            return Err(Error::input(format!("--mirror {mirror}: expected http://… or https://…; write it whole")));
        }
        set.files.iter_mut().for_each(|file| file.urls.clear());
        set.mirrors = vec![mirror.clone()];
    }
    let what = format!("{name}: {} in {}", set.size(), here.display());
    if args.check {
        let wrong = |file: &RemoteFile| Some(format!("{}: {}", file.name, problem(&here.join(&file.name), file)?));
        let wrong: Vec<String> = set.files.iter().filter_map(wrong).collect();
        if !wrong.is_empty() {
            let wrong = wrong.join("; ");
            return Err(Error::input(format!("{}: {wrong}; run `dgm-train data fetch {name}`", here.display())));
        }
        say(format_args!("{what}, as expected"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let new = fetch(name, &set, &folder, args.retries)?;
    say(format_args!("{what}, {new} of {} files downloaded now", set.files.len()))?;
    if DataConfig::SOURCES.contains(&name.as_str()) {
        let elsewhere = if args.dir.is_some() { format!(", folder = \"{}\"", here.display()) } else { String::new() };
        say(format_args!("to train on it: [data] source = \"{name}\"{elsewhere}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Every data set, a line each, and below it whose it is. Looks at sizes alone, so that it takes no time.
fn list(folder: &Path) -> Result<ExitCode> {
    for (name, set @ DataSet { about, licence, files, .. }) in &catalogue::catalogue()? {
        let path = |file: &RemoteFile| folder.join(name).join(&file.name);
        let whole = |file: &&RemoteFile| std::fs::metadata(path(file)).is_ok_and(|found| found.len() == file.bytes);
        let (here, all, size) = (files.iter().filter(whole).count(), files.len(), set.size().to_string());
        say(format_args!("{name:15}  {size:>9}  {here} of {all} files here  {about}\n{:46}{licence}", ""))?;
    }
    say(format_args!("in {}; to download one: dgm-train data fetch NAME", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
