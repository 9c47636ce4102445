//! What commands on the examples of a run have in common: the run, its model, and a split.

use super::destination::{Inputs, Output, ending};
use super::output::is_standard;
use crate::backend::Backend;
use crate::config::Config;
use crate::data::{DataConfig, Dataset, Part, Split};
use crate::error::{Error, Result};
use crate::report::grid::{Band, is_image, png};
use crate::report::{npy, rows};
use crate::run_folder::RunFolder;
use clap::Args;
use dgm_models::{AnyModel, Capability, Ensemble, Model, require};
use std::fmt::Display;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct OfSplit {
    /// Run folder
    pub(super) run: PathBuf,
    /// Split of the run's data
    #[arg(long, value_enum, default_value_t)]
    pub(super) split: Part,
    /// New path of data that have moved, as in --set data.path=table.csv
    #[arg(long = "set", value_name = "KEY=PATH")]
    pub(super) overrides: Vec<String>,
    /// Backend to compute on [default: the run's, where this build has it]
    #[arg(long)]
    pub(super) backend: Option<String>,
}

/// A trained model and its data.
pub(super) struct Opened {
    pub(super) backend: Backend,
    pub(super) model: Ensemble<AnyModel>,
    pub(super) dataset: Dataset,
    pub(super) inputs: Inputs,
    part: Part,
}

impl OfSplit {
    pub(super) fn open(&self) -> Result<Opened> {
        let (backend, model, dataset, data) = open_single(&self.run, self.backend.as_deref(), &self.overrides)?;
        Ok(Opened { backend, model, dataset, inputs: Inputs::of_runs(&[&self.run]).with_data(&data), part: self.split })
    }
}

/// The trained model of a run, which is to be one and not an ensemble, its data, and where those are from.
pub(super) fn open_single(
    run: &Path,
    backend: Option<&str>,
    overrides: &[String],
) -> Result<(Backend, Ensemble<AnyModel>, Dataset, DataConfig)> {
    let folder = RunFolder::open(run)?;
    let backend = super::backend_of_run(backend, &folder.provenance()?.backend)?;
    let config: Config = folder.config_with_moved_data(overrides)?;
    let dataset = folder.dataset(&config)?;
    let model = folder.model(&config, &dataset.spec, &backend.device)?;
    if model.count() > 1 {
        return Err(Error::input(format!(
            "{}: an ensemble of {} has no one code of an example; name the folder of a member, {}",
            run.display(),
            model.count(),
            folder.member(0).path().display()
        )));
    }
    Ok((backend, model, dataset, config.data))
}

impl Opened {
    pub(super) fn split(&self) -> &Split {
        self.dataset.part(self.part).1
    }

    /// The first examples of the split, so many.
    pub(super) fn first(&self, n: usize) -> Vec<usize> {
        (0..n.min(self.split().len())).collect()
    }

    /// This example of the split.
    pub(super) fn example(&self, option: &str, example: usize) -> Result<usize> {
        let n = self.split().len();
        if example < n {
            return Ok(example);
        }
        Err(Error::input(format!("{option} {example}: the split has examples 0 to {}; give one of them", n - 1)))
    }

    /// Where a picture of what is decoded goes, or its numbers; `-` is for numbers as CSV.
    pub(super) fn output(&self, out: Option<&Path>, name: &str) -> Result<Output> {
        require(self.model.decoder(), Capability::Decode, &self.model)?;
        let spec = &self.dataset.spec;
        let extension = if is_image(spec) { "png" } else { "csv" };
        let path = out.map_or_else(|| PathBuf::from(format!("{name}.{extension}")), Path::to_path_buf);
        match ending(&path).as_str() {
            _ if is_standard(&path) => {}
            "csv" | "npy" => {}
            "png" if is_image(spec) => {}
            "png" => {
                return Err(Error::input(format!(
                    "{}: the targets are not images; name a .csv or a .npy",
                    path.display()
                )));
            }
            _ => return Err(Error::input(format!("{}: expected a .png, a .csv or a .npy; name one", path.display()))),
        }
        self.inputs.open(&path)
    }

    /// Examples as a picture, so many in a row and an empty one for an empty place, or as rows of numbers: `of` names the columns that say
    /// what each of them is, and `what` says it. `told` is what they are.
    pub(super) fn write(
        &self,
        output: Output,
        columns: usize,
        examples: &[Vec<f64>],
        (of, what): (&[&str], impl Fn(usize) -> Vec<String>),
        told: impl Display,
    ) -> Result<()> {
        let spec = &self.dataset.spec;
        if output.ends_in("png") {
            let cells = examples.iter().cloned().map(|x| (!x.is_empty()).then_some(x)).collect();
            return output.write(&png(&[Band { columns, cells }], spec)?, told);
        }
        let given = (0..examples.len()).filter(|&i| examples.get(i).is_some_and(|x| !x.is_empty()));
        let (leads, some): (Vec<_>, Vec<_>) =
            given.map(|i| (what(i), examples.get(i).cloned().unwrap_or_default())).unzip();
        let bytes = match output.ends_in("npy") {
            true => npy::of_rows(&some, spec.event()),
            false => rows::described(of, &leads, &some, &self.dataset.names)?,
        };
        output.write(&bytes, told)
    }
}
