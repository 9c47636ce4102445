//! Whether a configuration fits the model that it builds: what can only be known once there is one.

use super::optimizer;
use crate::config::{Config, LearningRateSchedule, OptimizerConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::measure;
use burn::module::Module;
use burn::tensor::Device;
use dgm_core::random::Seed;
use dgm_models::{Model, ModelFactory, Player, Training};

/// Whether the model has a validation loss, as its first validation example tells.
///
/// # Errors
/// Data that cannot be read.
pub(crate) fn has_criterion<C>(
    config: &Config<C>,
    model: &impl Model,
    dataset: &Dataset,
    device: &Device,
) -> Result<bool> {
    if model.latent().is_some() && config.objective.kind.importance_samples() > 1 {
        return Ok(true);
    }
    let first = dataset.validation.unaugmented(&[0], device)?;
    Ok(model.criterion(&first, &mut Seed(config.seed).stream("validation", 0)).is_some())
}

/// Whether every batch has as many examples as the objective compares with each other, the last one of an epoch too. `place` is as in [`check`].
///
/// # Errors
/// A last batch, or a validation split, of fewer.
pub(crate) fn check_batches<C>(
    config: &Config<C>,
    model: &impl Model,
    dataset: &Dataset,
    place: impl Fn(&[&str; 2]) -> String,
) -> Result<()> {
    let (least, size) = (config.objective.kind.least_batch(model), config.training.batch_size);
    let last = dataset.train.len() % size.max(1);
    if (1..least).contains(&last) {
        return Err(Error::input(format!(
            "{}training.batch_size is {size}, which leaves {last} of the {} training examples for the last batch of an epoch, and the objective compares at \
             least {least} with each other; choose another batch_size",
            place(&["training", "batch_size"]),
            dataset.train.len()
        )));
    }
    if dataset.validation.len() < least {
        return Err(Error::input(format!(
            "there are {} validation examples, and the objective compares at least {least} with each other; use data with more",
            dataset.validation.len()
        )));
    }
    Ok(())
}

/// Whether nothing is asked for that goes by a validation loss, which the model has not.
///
/// # Errors
/// Early stopping, or a schedule that waits for a plateau.
pub(crate) fn check_without_criterion<C: ModelFactory>(config: &Config<C>, model: &impl Model) -> Result<()> {
    let players = model.training().players();
    let plateau = |player: &Player| {
        matches!(config.optimizer.of_player(player.name).schedule, LearningRateSchedule::Plateau { .. })
    };
    let asked = match config.training.early_stopping {
        Some(_) => "training.early_stopping is set",
        None if players.iter().any(plateau) => "the learning rate's schedule is \"plateau\"",
        None => return Ok(()),
    };
    Err(Error::input(format!(
        "{asked}, and the model {:?} has no validation loss to go by; leave it out",
        config.model.kind()
    )))
}

/// Whether the model can be trained as the configuration says. `place` gives the place of a table's key, as a message begins.
///
/// # Errors
/// An estimate that it has not, an objective that is not for it, a batch that may not be split, a group or a player that matches no parameter, and groups that
/// freeze all of them.
pub fn check<C: ModelFactory>(
    config: &Config<C>,
    model: &(impl Model + Module),
    place: impl Fn(&[&str; 2]) -> String,
) -> Result<()> {
    let objective = &config.objective;
    let training = &config.training;
    if config.members().is_some() && config.evaluation.annealed.is_some() {
        return Err(Error::input(format!(
            "{}evaluation.annealed is for a single model, and training.ensemble makes several; take one of them out",
            place(&["evaluation", "annealed"])
        )));
    }
    if let Some(device) = model.devices().first() {
        let name = |key: &'static str| format!("{}evaluation.{key}", place(&["evaluation", key]));
        measure::check(&config.evaluation, model, device, name)?;
    }
    objective.kind.check(model).map_err(|error| {
        let place = error.place().map_or(String::new(), |key| place(&key));
        Error::input(format!("{place}{error}"))
    })?;
    let least = objective.kind.least_batch(model);
    if training.batch_size < least {
        return Err(Error::input(format!(
            "{}training.batch_size is {}, and the objective \"{}\" compares the examples of a batch with each other; set it to {least} or more",
            place(&["training", "batch_size"]),
            training.batch_size,
            objective.kind.name()
        )));
    }
    let micro = training.micro_batch_size.filter(|&micro| micro < training.batch_size);
    if let Some(micro) = micro.filter(|_| !objective.kind.is_additive(model)) {
        return Err(Error::input(format!(
            "{}training.micro_batch_size is {micro}, below training.batch_size = {}: the objective \"{}\", as it is configured, compares the examples of a batch \
             with each other, and so differs on parts of it; leave micro_batch_size out, or lower batch_size",
            place(&["training", "micro_batch_size"]),
            training.batch_size,
            objective.kind.name()
        )));
    }
    let players = model.training().players();
    if players.is_empty() && matches!(model.training(), Training::Custom(_)) {
        return Err(Error::input(format!(
            "the model {:?} is trained by losses of its own, and has no player; give Train::players one",
            model.name()
        )));
    }
    for (index, player) in players.iter().enumerate() {
        if players.iter().take(index).any(|other| other.name == player.name) {
            return Err(Error::input(format!(
                "the model {:?} has two players of the name {:?}; give each its own",
                model.name(),
                player.name
            )));
        }
        for pattern in player.parameters {
            if optimizer::paths_that_match(model, pattern).is_empty() {
                return Err(Error::input(format!(
                    "the player {:?} of the model {:?} names parameters `{pattern}`, and the model has none such (there are: {}); name some \
                     that it has",
                    player.name,
                    model.name(),
                    optimizer::names(model).join(", ")
                )));
            }
        }
    }
    if let Some(other) = config.optimizer.players.keys().find(|name| !players.iter().any(|player| player.name == *name))
    {
        let known: Vec<&str> = players.iter().map(|player| player.name).collect();
        let known = if known.is_empty() { "nobody: it is fitted in closed form".into() } else { known.join(", ") };
        return Err(Error::input(format!(
            "{}optimizer.players.{other}: the model {:?} has no player of that name (there is {known}); rename the table, or leave it out",
            place(&["optimizer", "players"]),
            model.name()
        )));
    }
    let own = &config.optimizer.players;
    if players.len() == 1 && !own.is_empty() {
        return Err(Error::input(format!(
            "{}optimizer.players: the model {:?} has one player; write its keys in [optimizer]",
            place(&["optimizer", "players"]),
            model.name()
        )));
    }
    let shared = OptimizerConfig { players: own.clone(), ..OptimizerConfig::default() };
    if !own.is_empty() && players.iter().all(|player| own.contains_key(player.name)) && config.optimizer != shared {
        return Err(Error::input(format!(
            "{}[optimizer] is for players without a table of their own, and each has one; take out its keys, or a player's table",
            place(&["optimizer", "players"])
        )));
    }
    if let Some(penalty) = &objective.penalty
        && !players.is_empty()
        && optimizer::paths_that_match(model, &penalty.pattern).is_empty()
    {
        return Err(Error::input(format!(
            "{}objective.penalty.match: `{}` matches no parameter of the model (a `*` stands for any characters; there are: {}); name some",
            place(&["objective", "penalty"]),
            penalty.pattern,
            optimizer::names(model).join(", ")
        )));
    }
    let in_optimizer = |key: &str| place(&["optimizer", key]);
    match players.is_empty() {
        // There is nothing that an optimiser could do.
        true => Ok(()),
        false => optimizer::check(&config.optimizer, model, in_optimizer),
    }
}
