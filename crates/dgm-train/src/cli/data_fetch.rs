//! `dgm-train data fetch [NAME]`: downloads a data set into the user's cache, or lists what there is.

use super::output::say;
use crate::data::DataConfig;
use crate::data::catalogue::{Catalogue, DataSet, RemoteFile, Size, datasets_folder, is_address};
use crate::data::fetch::{self, Options, Progress, State};
use crate::error::{Error, Result};
use crate::report::tell;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

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
    /// Timeout for connecting, for a response and for more data
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Retries per URL after a transient error
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=100))]
    retries: u32,
    /// Verify the files without downloading
    #[arg(long, requires = "name", conflicts_with = "mirror")]
    check: bool,
    /// TOML file with more data sets: [name], files = [{ name = "…", bytes = 1, sha256 = "…", urls = ["…"] }]
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err("expected a number of seconds from 0.001 to 86400".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(super) fn run(args: &FetchArgs) -> Result<ExitCode> {
    let mut catalogue = Catalogue::shipped()?;
    if let Some(path) = &args.catalogue {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::input(format!("--catalogue {origin}: cannot be read: {error}; name a catalogue, a TOML file"))
        })?;
        catalogue = catalogue.with(Catalogue::from_toml(&text, &origin)?);
    }
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => datasets_folder()?,
    };
    let Some(name) = &args.name else {
        list(&catalogue, &folder)?;
        return Ok(ExitCode::SUCCESS);
    };
    let (name, set) = catalogue.find(name)?;
    let here = folder.join(name);
    if args.check {
        return check(name, set, &here);
    }
    if let Some(mirror) = &args.mirror
        && !is_address(mirror)
    {
        return Err(Error::input(format!(
            "--mirror {mirror}: expected an address, http://… or https://…; write it whole"
        )));
    }
    let options = Options { folder, mirror: args.mirror.clone(), timeout: args.timeout, retries: args.retries };
    let fetched = fetch::fetch(name, set, &options, for_terminal().as_mut())?;
    let (files, size) = (count(set.files.len()), Size(set.bytes()));
    say(match fetched {
        0 => format!("{name}: {files} ({size}) already in {}, checked", here.display()),
        n => format!("{name}: {files} ({size}) in {}, {n} of them new", here.display()),
    })?;
    if DataConfig::SOURCES.contains(&name) {
        let elsewhere = if args.dir.is_some() { format!(", folder = \"{}\"", here.display()) } else { String::new() };
        say(format_args!("to train on it: [data] source = \"{name}\"{elsewhere}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".into() } else { format!("{files} files") }
}

/// Every data set, a line each, and below it whose it is. Looks at sizes alone, so that it takes no time.
fn list(catalogue: &Catalogue, folder: &Path) -> Result<()> {
    let width = catalogue.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, set) in catalogue.iter() {
        let whole = |file: &&RemoteFile| {
            std::fs::metadata(folder.join(name).join(&file.name)).is_ok_and(|found| found.len() == file.bytes)
        };
        let here = match (set.files.iter().filter(whole).count(), set.files.len()) {
            (0, _) => "not fetched".to_owned(),
            (n, all) if n == all => "fetched".to_owned(),
            (n, all) => format!("{n} of {all} files fetched"),
        };
        say(format_args!("{name:width$}  {:>9}  {here:<11}  {}", Size(set.bytes()).to_string(), set.about))?;
        if !set.licence.is_empty() {
            say(format_args!("{:width$}  {:>9}  {:<11}  {}", "", "", "", set.licence))?;
        }
    }
    say(format_args!("in {}; to download one: dgm-train data fetch NAME", folder.display()))
}

fn check(name: &str, set: &DataSet, here: &Path) -> Result<ExitCode> {
    let mut problems = Vec::new();
    for file in &set.files {
        match fetch::state(&here.join(&file.name), file)? {
            State::Whole => {}
            State::Absent => problems.push(format!("{} is absent", file.name)),
            State::Damaged(what) => problems.push(format!("{} is damaged ({what})", file.name)),
        }
    }
    if problems.is_empty() {
        say(format_args!("{name}: {} in {}, as expected", count(set.files.len()), here.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let problems = problems.join("; ");
    Err(Error::input(format!("{}: {problems}; run `dgm-train data fetch {name}`", here.display())))
}

/// The progress for standard error as it is: a bar on a terminal, otherwise lines.
fn for_terminal() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() { Box::new(Bar::default()) } else { Box::new(Lines::default()) }
}

/// One bar per file: bytes, rate, time left.
#[derive(Default)]
struct Bar {
    bar: Option<ProgressBar>,
}

impl Progress for Bar {
    fn begin(&mut self, file: &RemoteFile, here: u64) {
        let template =
            "{msg}  {bar:32.cyan/blue} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(file.bytes).with_style(style).with_message(file.name.clone()).with_position(here);
        // What is here already is not part of the rate.
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    fn at(&mut self, here: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(here);
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }

    fn note(&mut self, text: &str) {
        tell(text);
    }
}

/// A line where a file begins, every few seconds, and where it ends.
#[derive(Default)]
struct Lines {
    name: String,
    bytes: u64,
    from: u64,
    here: u64,
    began: Option<Instant>,
    last: Option<Instant>,
}

/// Seconds from one plain line to the next.
const QUIET_SECONDS: u64 = 5;

impl Lines {
    fn line(&self) -> String {
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let rate = self.here.saturating_sub(self.from) as f64 / seconds.max(1e-3);
        let here = format!("{}: {} of {}", self.name, Size(self.here), Size(self.bytes));
        let left = (self.bytes - self.here.min(self.bytes)) as f64 / rate.max(1.0);
        let left = if self.here < self.bytes { format!(", about {left:.0} s left") } else { String::new() };
        format!("{here}, {}/s{left}", Size(rate as u64))
    }
}

impl Progress for Lines {
    fn begin(&mut self, file: &RemoteFile, here: u64) {
        let now = Some(Instant::now());
        *self = Self { name: file.name.clone(), bytes: file.bytes, from: here, here, began: now, last: now };
        let rest = if here > 0 { format!(", resuming after {}", Size(here)) } else { String::new() };
        tell(format_args!("{}: {}{rest}", file.name, Size(file.bytes)));
    }

    fn at(&mut self, here: u64) {
        self.here = here;
        if self.last.is_some_and(|last| last.elapsed().as_secs() >= QUIET_SECONDS) {
            self.last = Some(Instant::now());
            tell(self.line());
        }
    }

    fn end(&mut self) {
        tell(self.line());
    }

    fn note(&mut self, text: &str) {
        tell(text);
    }
}
