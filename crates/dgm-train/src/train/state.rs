//! Where training stands, as one value: the weights and their average, an optimiser for each player, and the windows that are not
//! reported yet.

use super::meter::Meter;
use super::{optimizer, restore};
use crate::checkpoint::{Checkpoint, PlateauState, TrainingProgress};
use crate::config::{Config, OptimizerConfig};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::weights::bytes_of;
use burn::module::{Module, ParamGroup, ParamId};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use dgm_core::random::Seed;
use dgm_models::{Batch, DataSpec, Examples, Model, ModelError, ModelFactory, Player};

/// What changes from step to step. A copy shares its tensors with the original until one of them changes.
#[derive(Clone)]
pub(super) struct State<M> {
    pub(super) model: M,
    /// The moving average of the weights, without autodiff.
    pub(super) average: Option<M>,
    pub(super) players: Vec<PlayerState>,
    pub(super) progress: TrainingProgress,
    /// The parameters of the configuration's penalty.
    pub(super) penalised: Option<ParamGroup>,
    /// Validations in a row that found latent variables that say nothing, in this process.
    pub(super) collapsed: u32,
}

/// Whoever learns, and where that stands.
#[derive(Clone)]
pub(super) struct PlayerState {
    pub(super) player: Player,
    /// The section of its optimiser in a checkpoint.
    pub(super) section: String,
    pub(super) optimizer: ModuleOptimizer,
    pub(super) meter: Meter,
    /// Its parameters, where the model has others.
    pub(super) parameters: Option<Vec<ParamId>>,
}

impl PlayerState {
    /// Its table of the configuration.
    pub(super) fn config<'a>(&self, config: &'a OptimizerConfig) -> &'a OptimizerConfig {
        config.of_player(self.player.name)
    }

    /// Whether it takes part in this step.
    pub(super) fn plays(&self, step: u64) -> bool {
        step.is_multiple_of(self.player.every.max(1))
    }
}

/// The model with its initial weights, on the plain device: the same on every backend.
///
/// # Errors
/// A configuration that does not fit the data.
pub fn initial_model<C: ModelFactory>(
    config: &Config<C>,
    spec: &DataSpec,
    device: &Device,
) -> std::result::Result<C::Model, ModelError> {
    spec.check().map_err(|what| ModelError::Data(format!("the data's description is wrong: {what}; fix it")))?;
    config.model.init(spec, &mut Seed(config.seed).stream("weights", 0), device)
}

/// The training split, as the first epoch has it.
pub(super) struct TrainingExamples<'a> {
    pub(super) split: &'a Split,
    pub(super) device: &'a Device,
}

impl Examples for TrainingExamples<'_> {
    fn count(&self) -> usize {
        self.split.len()
    }

    fn batch(&self, rows: &[usize]) -> std::result::Result<Batch, ModelError> {
        self.split.batch(rows, 0, self.device).map_err(|error| ModelError::Data(error.to_string()))
    }
}

impl<M: Module + Model> State<M> {
    /// The state of these weights before the first step.
    pub(super) fn new<C>(config: &Config<C>, plain: M) -> Self {
        let players = plain.training().players();
        let one = players.len() == 1;
        let of = |player: Player| PlayerState {
            section: if one { "optimizer".into() } else { format!("optimizer/{}", player.name) },
            optimizer: optimizer::build(config.optimizer.of_player(player.name), &plain),
            meter: Meter::default(),
            parameters: optimizer::parameters_of(&player, &plain),
            player,
        };
        let players: Vec<PlayerState> = players.into_iter().map(of).collect();
        let plateaus = vec![PlateauState::default(); players.len()];
        let penalised = config
            .objective
            .penalty
            .as_ref()
            .map(|penalty| ParamGroup::from_paths(optimizer::paths_that_match(&plain, &penalty.pattern)));
        Self {
            penalised,
            collapsed: 0,
            average: config.training.ema_decay.map(|_| plain.clone()),
            model: optimizer::freeze(&config.optimizer, plain).train(),
            players,
            progress: TrainingProgress { plateaus, ..TrainingProgress::default() },
        }
    }

    /// Takes everything from a checkpoint.
    ///
    /// # Errors
    /// A checkpoint that does not fit.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.model = restore::weights(self.model.clone(), checkpoint.section("model")?)?;
        if let Some(average) = &mut self.average {
            *average = restore::weights(average.clone(), checkpoint.section("average")?)?;
        }
        self.progress = checkpoint.progress.clone();
        let mut windows = std::mem::take(&mut self.progress.windows).into_iter();
        for player in &mut self.players {
            let bytes = checkpoint.section(&player.section)?;
            player.optimizer = restore::optimizer(player.optimizer.clone(), bytes, &self.model)?;
            player.meter = Meter::resumed(windows.next().unwrap_or_default());
            // The weights bring the ids with them that they had.
            player.parameters = optimizer::parameters_of(&player.player, &self.model);
        }
        self.progress.plateaus.resize(self.players.len(), PlateauState::default());
        Ok(())
    }

    /// Where training stands, with the windows that are not reported yet.
    pub(super) fn progress_now(&self) -> Result<TrainingProgress> {
        let windows = self.players.iter().map(|player| player.meter.window());
        let windows = windows.collect::<std::result::Result<_, _>>();
        let windows = windows.map_err(|(what, value)| Error::run(format!("{what} is {value}")))?;
        Ok(TrainingProgress { windows, ..self.progress.clone() })
    }

    /// The first sum of the windows that is not finite. Reads from the device.
    pub(super) fn nonfinite(&self) -> Option<(&'static str, f32)> {
        self.players.iter().find_map(|player| player.meter.window().err())
    }

    /// Everything that is needed to resume from here, but for the configuration.
    pub(super) fn sections(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut sections = vec![("model".to_owned(), bytes_of(&self.model)?)];
        if let Some(average) = &self.average {
            sections.push(("average".into(), bytes_of(average)?));
        }
        for player in &self.players {
            let optimizer = player.optimizer.into_bytes();
            let optimizer =
                optimizer.map_err(|error| Error::run(format!("the optimiser's state cannot be saved: {error}")))?;
            sections.push((player.section.clone(), optimizer.to_vec()));
        }
        Ok(sections)
    }

    /// What is evaluated: the average of the weights where there is one.
    pub(super) fn evaluated(&self) -> M {
        self.average.clone().unwrap_or_else(|| self.model.valid())
    }
}
