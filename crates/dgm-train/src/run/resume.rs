//! Resuming a run: what it may be given anew, and from which checkpoint it resumes.

use super::extend::{EXTENDABLE, where_it_stands};
use super::{Run, Watch, ensemble};
use crate::backend::{Backend, cpu_kind};
use crate::config::{Config, ConfigFile, Missing, is_within, listed};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use dgm_models::ModelFactory;
use std::path::Path;

/// What a run is resumed with in place of what it began with.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChangedAt<'a> {
    /// The backend. Default: the run's.
    pub backend: Option<&'a str>,
    /// Assignments such as `training.epochs=400`: how far it goes, and where the data are now.
    pub overrides: &'a [String],
    /// A configuration file in place of the run's own, which may differ in the same keys.
    pub config: Option<&'a Path>,
}

impl<C: ModelFactory> Run<C> {
    /// The run in this folder from its last checkpoint on, or, where it is complete and its end is now a later one, beyond its end.
    ///
    /// # Errors
    /// No run there, or one that another process trains; a damaged checkpoint; other data than it began with; a change of anything but its
    /// end and where the data are.
    pub fn resume(run: &Path, changed: ChangedAt<'_>, watch: &mut dyn Watch) -> Result<Self> {
        Self::resume_on(run, changed, None, watch)
    }

    /// The same of a run on data that the caller has.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_with(run: &Path, dataset: Dataset, changed: ChangedAt<'_>, watch: &mut dyn Watch) -> Result<Self> {
        Self::resume_on(run, changed, Some(dataset), watch)
    }

    fn resume_on(run: &Path, changed: ChangedAt<'_>, dataset: Option<Dataset>, watch: &mut dyn Watch) -> Result<Self> {
        resumed(run, changed, dataset, watch)
    }
}

fn resumed<C: ModelFactory>(
    run: &Path,
    changed: ChangedAt<'_>,
    given: Option<Dataset>,
    watch: &mut dyn Watch,
) -> Result<Run<C>> {
    let folder = RunFolder::open(run)?;
    let lock = folder.lock()?;
    let own = folder.config()?;
    folder.check_members(&own)?;
    let config = given_anew(changed, &folder, &own)?;
    let provenance = folder.provenance()?;
    if provenance.imported.is_some() && config.training != own.training {
        return Err(Error::input(format!(
            "{}: found other keys of [training], and the run's weights were imported, so there is no training to continue; leave them out, or begin a \
             run with --config and --from {0}",
            run.display()
        )));
    }
    let backend = Backend::open_or(changed.backend, &provenance.backend)?;
    if changed.backend.is_none() && backend.name != provenance.backend {
        watch.warn(&format!(
            "{}: the run was trained on {}, which is not in this build: it resumes on {}, equal to rounding",
            run.display(),
            provenance.backend,
            backend.name
        ));
    }
    let dataset = match given {
        Some(dataset) => folder.same_data(dataset)?,
        None => folder.dataset(&config)?,
    };
    let from = match config.members() {
        Some(members) => {
            // Each member writes its own configuration when its turn comes.
            if !ensemble::are_done(&folder, &members, dataset.train.len())? {
                folder.remove_results()?;
                if config != own {
                    folder.write_config(&config)?;
                }
            }
            None
        }
        None => where_it_stands(&folder, &config, dataset.train.len(), watch)?,
    };
    if let Some(cpu) = provenance.cpu.filter(|cpu| backend.is_eager() && cpu != cpu_kind()) {
        let text = format!(
            "{}: the run began on another kind of CPU ({cpu}; this one is {}): it resumes equal to rounding, not bit for bit",
            run.display(),
            cpu_kind()
        );
        watch.warn(&text);
    }
    Ok(Run { config, dataset, backend, folder, from, _lock: lock })
}

/// The configuration that a run resumes with: its own, with a later end or with data that have moved.
fn given_anew<C: ModelFactory>(args: ChangedAt<'_>, folder: &RunFolder, own: &Config<C>) -> Result<Config<C>> {
    let run = folder.path().display();
    let config = match &args.config {
        Some(path) => {
            let mut config: Config<C> = ConfigFile::open(path)?.config(args.overrides, Missing::Refused)?;
            config.data.adopt(&own.data);
            config
        }
        None if args.overrides.is_empty() => return Ok(own.clone()),
        None => folder.config_file()?.config(args.overrides, Missing::Refused)?,
    };
    let paths = own.path_keys();
    let may = |key: &String| paths.contains(key) || EXTENDABLE.into_iter().any(|may| is_within(key, may));
    let other: Vec<String> = config.differences(own).into_iter().filter(|key| !may(key)).collect();
    if !other.is_empty() {
        return Err(Error::input(match &args.config {
            Some(path) => format!(
                "{run}: the run began with another configuration than {}, in {}; leave out --config to resume it unchanged, or \
                 begin a new run with --out",
                path.display(),
                listed(&other)
            ),
            None => format!(
                "{run}: a run resumes with the configuration that it began with; --set may change {}; found {}; leave that out, or \
                 begin a new run with --config and --out (with --from {run} at this run's weights)",
                EXTENDABLE.into_iter().chain(paths.iter().map(String::as_str)).collect::<Vec<_>>().join(", "),
                listed(&other)
            ),
        }));
    }
    let [before, now] = [own, &config].map(|config| config.members().map_or(1, |members| members.len()));
    let problem = match (before, now) {
        (1, 2..) => "found the run of one model, which does not become an ensemble",
        (2.., _) if now < before => "found more members than that",
        _ => return Ok(config),
    };
    Err(Error::input(format!(
        "{run}: training.ensemble is {now}: {problem} ({before}); leave it at {before}, or begin a new run with --config and --out"
    )))
}
