//! One run as sections of a page, from the files of its folder alone.

use super::results::Written;
use super::{Section, curves, origin, page, results};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::listing::{Listed, State, listed};
use crate::metrics::Line;
use crate::provenance::Provenance;
use crate::report::figures;
use crate::report::progress::duration_text;
use crate::report::shell_quoted;
use crate::run_folder::{RunFolder, SAMPLES};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a page says of a run.
pub(super) struct RunPage {
    /// The name of its folder, or its path where another run has the same name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) listed: Listed,
    pub(super) config_text: String,
    pub(super) provenance: Provenance,
    pub(super) results: Option<Written>,
    pub(super) lines: Vec<Line>,
    /// What the members of an ensemble wrote.
    pub(super) members: Vec<Vec<Line>>,
    pub(super) pictures: Vec<Picture>,
}

/// A picture, as a part of the page.
pub(super) struct Picture {
    shows: String,
    uri: String,
}

impl RunPage {
    /// Runs with names that tell them apart.
    pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let mut pages: Vec<Self> = paths.iter().map(|path| Self::read(path)).collect::<Result<_>>()?;
        let names: Vec<String> = pages.iter().map(|page| page.name.clone()).collect();
        for page in pages.iter_mut().filter(|page| names.iter().filter(|name| **name == page.name).count() > 1) {
            page.name = page.path.display().to_string();
        }
        // A run that is named twice.
        let paths: Vec<PathBuf> = pages.iter().map(|page| page.path.clone()).collect();
        for (index, page) in pages.iter_mut().enumerate() {
            let before = paths.iter().take(index).filter(|path| **path == page.path).count();
            if before > 0 {
                page.name = format!("{} ({})", page.name, before + 1);
            }
        }
        Ok(pages)
    }

    fn read(path: &Path) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let config: Config = folder.config()?;
        let provenance = folder.provenance()?;
        let lines = folder.metrics()?;
        let members = 0..config.members().map_or(0, |members| members.len());
        let members = members.map(|index| folder.member(index).metrics()).collect::<Result<_>>()?;
        let config_text = String::from_utf8_lossy(&file(&path.join("config.toml"))?.unwrap_or_default()).into_owned();
        // `.` has no name by itself, and `-a` would be an option.
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let is_argument = path.file_name().is_some() && !path.to_string_lossy().starts_with('-');
        Ok(Self {
            name,
            path: if is_argument { path.to_owned() } else { whole },
            listed: listed(path, &folder, &lines),
            config_text,
            provenance,
            results: file(&path.join("result.json"))?.map(|bytes| Written::of(path, &bytes)).transpose()?,
            lines,
            members,
            pictures: pictures(path)?,
        })
    }

    /// The page of this run alone.
    pub(super) fn page(&self) -> String {
        let mut sections = vec![
            Section::new("results", "Results", self.results()),
            Section::new("curves", "Learning curves", curves::of_run(self)),
        ];
        if !self.pictures.is_empty() {
            sections.push(Section::new("pictures", "Pictures", self.pictures()));
        }
        sections.push(Section::new("reproduce", "Reproduce", origin::commands(self)));
        sections.push(Section::new("configuration", "Configuration", origin::configuration(self)));
        sections.push(Section::new("provenance", "Provenance", origin::provenance(self)));
        page(&self.name, &self.lead(), &sections)
    }

    /// The same as one section of a page of several runs.
    pub(super) fn section(&self, index: usize) -> Section {
        let body = html! {
            p { (self.lead()) }
            (self.results())
            @if !self.pictures.is_empty() { h3 { "Pictures" } (self.pictures()) }
            details { summary { "Learning curves" } (curves::of_run(self)) }
            details { summary { "Reproduce" } (origin::commands(self)) }
            (origin::configuration(self))
            details { summary { "Provenance" } (origin::provenance(self)) }
        };
        Section::new(format!("run-{index}"), self.name.clone(), body)
    }

    /// What it is and how far it came, in a line.
    fn lead(&self) -> String {
        let Listed { model, data, epoch, epochs, seconds, state, .. } = &self.listed;
        let trained = if *epoch == 0 {
            String::new()
        } else {
            format!(", epoch {epoch} of {epochs}, {} of training", duration_text(*seconds))
        };
        format!("{model} on {data}; {}{trained}", state.name())
    }

    fn results(&self) -> Markup {
        let none = match self.listed.state {
            State::Running => "No result yet: the run is in training.".to_owned(),
            _ => format!("No result yet: the run stopped; resume it with dgm-train --resume {}", self.quoted()),
        };
        match &self.results {
            Some(written) => results::tables(&self.name, written),
            None => html! { div.note { p { (none) } } },
        }
    }

    fn pictures(&self) -> Markup {
        html! {
            div.pictures {
                @for Picture { shows, uri } in &self.pictures {
                    figure {
                        figcaption { (shows) }
                        img src=(uri) alt=(format!("{shows}, run {}", self.name));
                    }
                }
            }
        }
    }

    /// Its path as an argument.
    pub(super) fn quoted(&self) -> String {
        shell_quoted(&self.path.to_string_lossy())
    }
}

/// The bytes of a file, where it is there.
fn file(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::input(format!("{}: cannot be read: {error}; make it readable", path.display()))),
    }
}

/// What the folder has: samples, and the figures that `evaluate --figures` drew, without the curves that the page draws itself.
fn pictures(run: &Path) -> Result<Vec<Picture>> {
    let picture = |shows: &str, kind: &str, bytes: &[u8]| Picture {
        shows: shows.to_owned(),
        uri: format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)),
    };
    let mut all: Vec<Picture> =
        file(&run.join(SAMPLES))?.iter().map(|bytes| picture("Samples from the model", "png", bytes)).collect();
    let entries =
        std::fs::read_dir(run.join("figures")).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    let kind = |path: &Path| match path.extension()?.to_str()? {
        "svg" => Some("svg+xml"),
        "png" => Some("png"),
        _ => None,
    };
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [figures::CURVES, figures::TERMS].contains(&name.as_str()) {
            continue;
        }
        if let Some((kind, bytes)) = kind(&path).zip(file(&path)?) {
            all.push(picture(figures::described(&name).unwrap_or(&name), kind, &bytes));
        }
    }
    Ok(all)
}
