//! `--from RUN`: a new run that begins at the best weights of another.

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::config::{is_within, listed};
use crate::data::{ColumnSpec, Dataset, Names};
use crate::error::{Error, Result};
use crate::provenance::{Provenance, StartedFrom};
use crate::run_folder::RunFolder;
use crate::train::{initial_model, restore};
use crate::weights::weights_sha256;
use burn::tensor::Device;
use dgm_models::{ConditionSpec, DataSpec, ModelFactory, Values};
use std::path::{Path, absolute};

/// The model of the new run with the best weights of the other, and what its provenance says of that.
///
/// # Errors
/// No such run, an ensemble, another `[model]`, or data of another form.
pub(super) fn begin<C: ModelFactory>(
    run: &Path,
    config: &Config<C>,
    dataset: &Dataset,
    device: &Device,
) -> Result<(C::Model, StartedFrom)> {
    let refuse = |what: String| Error::input(format!("--from {}: {what}", run.display()));
    let folder = RunFolder::open(run)?;
    let (theirs, provenance): (Config<C>, _) = (folder.config()?, folder.provenance()?);
    if config.members().is_some() {
        return Err(refuse(
            "found training.ensemble above 1; expected one model to begin there; leave training.ensemble out".into(),
        ));
    }
    if theirs.members().is_some() {
        return Err(refuse(format!(
            "found an ensemble; expected the run of one model; name a member of it: --from {}",
            folder.member(0).path().display()
        )));
    }
    let differ: Vec<String> = config.differences(&theirs).into_iter().filter(|key| is_within(key, "model")).collect();
    if !differ.is_empty() {
        return Err(refuse(format!(
            "its [model] is another, in {}; set them as in {}, or leave out --from",
            listed(&differ),
            run.join("config.toml").display()
        )));
    }
    if let Some(what) = other_data(&provenance, dataset) {
        return Err(refuse(format!(
            "its data have another form: {what}; give data of the same form, or leave out --from"
        )));
    }
    let path = folder.checkpoints().best();
    // Looked at as `evaluate` looks at it.
    folder.best_model(&theirs, &provenance.spec, device)?;
    let own = initial_model(config, &dataset.spec, device)?;
    let checkpoint = Checkpoint::read(&path)?;
    let bytes = checkpoint.section("model")?;
    if let Some(what) = restore::other_shape(&own, bytes)? {
        return Err(refuse(format!("{what}; give data and a [model] of the same form, or leave out --from")));
    }
    let model = restore::weights(own, bytes)?;
    let run = absolute(run).unwrap_or_else(|_| run.into());
    let from = StartedFrom { run, weights_sha256: weights_sha256([&model]) };
    Ok((model, from))
}

/// How the data of a run differ from these in what weights mean; their means and standard deviations may be others.
fn other_data(theirs: &Provenance, ours: &Dataset) -> Option<String> {
    let (one, other) = (&theirs.spec, &ours.spec);
    let values = |spec: &DataSpec| match spec.values {
        Values::Levels(levels) => format!("{levels} levels"),
        Values::Real { .. } => "real numbers".into(),
        Values::Columns(_) => "columns of different kinds".into(),
    };
    let condition = |condition: &Option<ConditionSpec>| match condition {
        None => "no condition".into(),
        Some(ConditionSpec { classes: Some(classes), augmentation, .. }) if *augmentation > 0 => {
            format!("a label of {classes} classes and {augmentation} elements of augmentation as condition")
        }
        Some(ConditionSpec { classes: Some(classes), .. }) => format!("a label of {classes} classes as condition"),
        Some(condition) => format!("a condition of {} elements", condition.width()),
    };
    let form = |spec: &DataSpec| {
        let [channels, rows, columns] = spec.shape;
        format!("targets of {channels} × {rows} × {columns} elements, {}, {}", values(spec), condition(&spec.condition))
    };
    let (theirs_form, ours_form) = (form(one), form(other));
    if theirs_form != ours_form {
        return Some(format!("found {theirs_form}; here {ours_form}"));
    }
    let kinds = |names: &Names| {
        let of = |columns: &[ColumnSpec]| columns.iter().map(ColumnSpec::meaning).collect::<Vec<_>>();
        (of(&names.target), of(&names.condition), names.classes.clone())
    };
    if kinds(&theirs.names) != kinds(&ours.names) {
        let list = |names: &Names| {
            let classes = if names.classes.is_empty() {
                String::new()
            } else {
                format!(", classes {}", names.classes.join(", "))
            };
            format!("{}{classes}", Names::header(&[&names.condition, &names.target]).join(", "))
        };
        return Some(format!(
            "its columns, categories or classes are others, or in another order ({}; here {})",
            list(&theirs.names),
            list(&ours.names)
        ));
    }
    (theirs.vocabulary != ours.vocabulary)
        .then(|| "its text has other characters than this one, so that a level stands for another (data.unit = \"bytes\" has the \
                  same for every text)".into())
}
