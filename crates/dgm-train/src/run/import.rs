//! A run that begins at its end: its weights were trained by another program.

use super::{Place, Run, prepare};
use crate::backend::Backend;
use crate::config::Config;
use crate::data::{Dataset, Fingerprint};
use crate::error::{Error, Result};
use crate::exchange::with_weights;
use crate::measure::validation_loss;
use crate::provenance::{ImportedFrom, Origin};
use crate::run_folder::RunFolder;
use crate::train::{Trainer, fitted};
use dgm_models::{Model, ModelFactory, Training};
use std::fs;
use std::path::{Path, absolute};
use std::sync::atomic::AtomicBool;

impl<C: ModelFactory> Run<C> {
    /// A run that is complete, with the weights of a safetensors file as its best: [`train`](Self::train) evaluates them. `weights` and `name`: the
    /// file, and the configuration's name in messages; `place` is for messages too.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); an ensemble, and weights that are not those of the configuration's model, as
    /// [`with_weights`] says. Bad input leaves no folder behind.
    pub fn import(
        mut config: Config<C>,
        mut dataset: Dataset,
        backend: Backend,
        out: &Path,
        (weights, name): (&Path, &str),
        place: Place<'_>,
    ) -> Result<Self> {
        let model = prepare(&mut config, &mut dataset, &backend, place)?;
        if config.members().is_some() {
            return Err(Error::input(format!(
                "{name}: found training.ensemble above 1; expected one model, that of the weights; leave training.ensemble out"
            )));
        }
        let device = &backend.device;
        // Of what is fitted in closed form the shapes depend on the examples.
        let is_fitted = matches!(model.training(), Training::Fit);
        let model = if is_fitted { fitted(model, &config, &dataset, device)? } else { model };
        let file = weights.display();
        let cannot = |what: String| Error::input(format!("{file}: cannot be read: {what}; name a safetensors file"));
        // A pipe or a device may have no end.
        if weights.exists() && !weights.is_file() {
            return Err(cannot("it is not a regular file".into()));
        }
        let bytes = fs::read(weights).map_err(|error| cannot(error.to_string()))?;
        let mut digest = Fingerprint::default();
        digest.update(&bytes);
        let path = absolute(weights).unwrap_or_else(|_| weights.into());
        let origin = Origin::File(ImportedFrom { file: path, sha256: digest.finish() });
        let model = with_weights(model, bytes, &file.to_string(), name)?;
        let loss = validation_loss(&model, &config, &dataset.validation, device)?;
        if let Some(loss) = loss.filter(|loss| !loss.is_finite()) {
            return Err(Error::input(format!(
                "{file}: the validation loss of these weights is {loss}; expected a finite number; give weights of a model that was trained on \
                 data of these units"
            )));
        }

        let folder = RunFolder::create(out)?;
        let lock = folder.lock()?;
        let (eager, stop) = (backend.is_eager(), &AtomicBool::new(false));
        let trainer = Trainer {
            config: &config,
            dataset: &dataset,
            device: device.clone(),
            eager,
            folder: &folder,
            events: None,
            stop,
        };
        trainer.end_at(model)?;
        let from = folder.checkpoints().newest()?;
        // Last: from here on the folder is a run.
        folder.describe(&config, &dataset, &backend, origin)?;
        Ok(Self { config, dataset, backend, folder, from, _lock: lock })
    }
}
