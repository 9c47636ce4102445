//! What a run has learnt: its best weights and its newest checkpoint, from its folder alone.

use super::extend::{EXTENDABLE, continued};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, is_within, listed};
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::train::{initial_model, restore};
use burn::module::Module;
use burn::tensor::Device;
use dgm_models::{DataSpec, Ensemble, ModelFactory};
use std::path::Path;

impl RunFolder {
    /// What the run has learnt, ready to evaluate, from the folder alone: its best model, or its members' best.
    ///
    /// # Errors
    /// As [`best_model`](Self::best_model), and an ensemble that is not complete.
    pub fn model<C: ModelFactory>(
        &self,
        config: &Config<C>,
        spec: &DataSpec,
        device: &Device,
    ) -> Result<Ensemble<C::Model>> {
        self.check_members(config)?;
        let Some(configs) = config.members() else { return self.best_model(config, spec, device).map(Ensemble::from) };
        let best = configs.iter().enumerate().map(|(index, config)| {
            let member = self.member(index);
            if !member.path().join("result.json").is_file() {
                return Err(Error::input(format!(
                    "{}: this member of the ensemble is not trained to its end; finish it with dgm-train --resume {}",
                    member.path().display(),
                    self.path().display()
                )));
            }
            let own: Config<C> = member.config()?;
            if (own.seed, &own.model) != (config.seed, &config.model) {
                return Err(Error::input(format!(
                    "{}: found a run of another seed or model than this member of the ensemble has; restore the member, or take \
                     the folder away and train it again with dgm-train --resume {}",
                    member.path().display(),
                    self.path().display()
                )));
            }
            member.best_model(config, spec, device)
        });
        let members: Vec<C::Model> = best.collect::<Result<_>>()?;
        Ok(Ensemble::new(members)?)
    }

    /// Whether the folder holds what the configuration says: one model, or an ensemble.
    ///
    /// # Errors
    /// It holds the other.
    pub fn check_members<C: ModelFactory>(&self, config: &Config<C>) -> Result<()> {
        let (one, several) = (self.path().join("checkpoint").is_dir(), self.member(0).path().is_dir());
        let found = match config.members() {
            Some(members) if one => format!("the run of one model, and training.ensemble is {}", members.len()),
            None if several => "an ensemble, and its config.toml has no training.ensemble above 1".into(),
            _ => return Ok(()),
        };
        Err(Error::input(format!(
            "{}: found {found}; restore config.toml, or begin a new run with --config and --out",
            self.path().display()
        )))
    }

    /// Whether the configuration is still that of the run's checkpoint in this file.
    ///
    /// # Errors
    /// Keys that may not differ do.
    pub fn check_unchanged<C: ModelFactory>(
        &self,
        config: &Config<C>,
        checkpoint: &Checkpoint,
        file: &Path,
    ) -> Result<()> {
        let changed = changed(config, &checkpoint.config(&file.display().to_string())?);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::input(format!(
            "{}: config.toml no longer matches the run's checkpoints, in {}; restore it, or begin a new run",
            self.path().display(),
            listed(&changed)
        )))
    }

    /// The newest checkpoint as this configuration takes it, whose end may be a later one than the checkpoint knows of, and what there is
    /// to say about that; `None` before the first. See [`continued`].
    ///
    /// # Errors
    /// A damaged checkpoint, keys that may not differ and do, an end before what is done already.
    pub(crate) fn continued<C: ModelFactory>(
        &self,
        config: &Config<C>,
        examples: usize,
    ) -> Result<Option<(Checkpoint, Vec<String>)>> {
        let Some(checkpoint) = self.checkpoints().newest()? else { return Ok(None) };
        let file = self.checkpoints().after(checkpoint.progress.step);
        self.check_unchanged(config, &checkpoint, &file)?;
        let before = checkpoint.config(&file.display().to_string())?;
        continued(checkpoint, config, &before, examples, &self.path().display().to_string()).map(Some)
    }

    /// The best model of the run, ready to evaluate, from the folder alone.
    ///
    /// # Errors
    /// No checkpoint yet, a damaged one, or a configuration that is not that of the run any more.
    pub fn best_model<C: ModelFactory>(
        &self,
        config: &Config<C>,
        spec: &DataSpec,
        device: &Device,
    ) -> Result<C::Model> {
        let path = self.checkpoints().best();
        let run = self.path().display();
        let again = format!("restore it, or take {run}/checkpoint away and train again with dgm-train --resume {run}");
        if !path.is_file() {
            return Err(Error::input(match self.path().join("result.json").is_file() {
                true => format!("{}: the best checkpoint of the run is gone; {again}", path.display()),
                false => format!("{run}: the run has no validated checkpoint yet; let it train for an epoch"),
            }));
        }
        let checkpoint = Checkpoint::read_or(&path, || again.clone())?;
        if checkpoint.sections.iter().any(|(name, _)| name.starts_with("optimizer")) {
            let what = "a checkpoint to resume from, not the best one: its weights are not those that were evaluated";
            return Err(Error::input(format!("{}: found {what}; {again}", path.display())));
        }
        // Another split of the same data, say, would be evaluated on what was trained on.
        self.check_unchanged(config, &checkpoint, &path)?;
        let model = initial_model(config, spec, device)?;
        Ok(restore::weights(model, checkpoint.section("model")?)?.valid())
    }
}

/// The keys that differ and may not: what a run may be given anew changes no weights that it has, only how long it trains or how it samples. Data may
/// move: their fingerprint says whether they are the same.
pub(crate) fn changed<C: ModelFactory>(config: &Config<C>, other: &Config<C>) -> Vec<String> {
    const MAY: [&str; 3] = ["training.checkpoint_every", "training.keep_checkpoints", "evaluation"];
    let free = [config.path_keys(), config.sampling_keys()].concat();
    let may = |key: &String| free.contains(key) || MAY.into_iter().chain(EXTENDABLE).any(|may| is_within(key, may));
    config.differences(other).into_iter().filter(|key| !may(key)).collect()
}
