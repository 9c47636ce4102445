//! The configuration of a run: TOML, read and checked once, with every default written out.
//!
//! Parse → validate → run: [`Config::from_toml`] is the only way in, so whoever holds a [`Config`] holds values that
//! are in range. A model's own keys are checked further when the model is built from them.

mod file;
mod objective;
pub mod optimizer;
mod parse;
mod short;
mod training;
mod tune;
mod value;

#[cfg(feature = "cli")]
pub(crate) use file::at_home;
pub(crate) use file::{ConfigFile, Missing};
pub use objective::{ObjectiveConfig, PenaltyConfig};
pub use optimizer::{GroupConfig, LearningRateSchedule, MuonAdjustment, OptimizerConfig, OptimizerKind};
pub use parse::place_of;
pub use training::{CheckpointEvery, EarlyStopping, EvaluateEvery, NonFinite, TrainingConfig};
pub use tune::{Alternatives, NotSearchable, TuneConfig};

use dgm_models::objective::ModelLoss;
use dgm_models::{ModelFactory, ObjectiveKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

use crate::check::{Invalid, require};
pub use crate::data::DataConfig;
use crate::data::{self, Dataset, GivenConfig};
use crate::error::{Error, Result};
use dgm_core::random::Seed;
pub use dgm_models::registry::ModelConfig;

/// Everything that a run depends on, besides the code and the data.
///
/// `M` builds the model: [`ModelConfig`] for the kinds that the program knows, or a [`ModelFactory`] of your own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config<M = ModelConfig> {
    /// The seed of every random stream.
    pub seed: u64,
    /// The seed of the data: of random splits, and of what is computed from training examples that are drawn at random. Default:
    /// the seed of the run. The members of an ensemble share it, as no member may learn from another's test examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// `[data]`: the data set.
    pub data: DataConfig,
    /// `[model]`: the architecture and likelihood.
    pub model: M,
    /// `[objective]`: the training objective.
    pub objective: ObjectiveConfig,
    /// `[optimizer]`: optimiser, learning rate and schedule.
    pub optimizer: OptimizerConfig,
    /// `[training]`: duration, evaluation and checkpoints.
    pub training: TrainingConfig,
    /// `[evaluation]`: evaluation after training.
    pub evaluation: EvaluationConfig,
    /// `[tune]`: what `dgm-train tune` varies.
    #[serde(skip_serializing_if = "TuneConfig::is_empty")]
    pub tune: TuneConfig,
}

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Samples per example for the importance-weighted estimate of log p(x) on the test split; 0: the bound only. Default: 0.
    pub importance_samples: usize,
    /// Of how many test examples, evenly over the split, that estimate is; 0: of all. Default: 0.
    pub importance_examples: usize,
    /// Factor of the standard deviations of q(z | x) as the proposal of that estimate: a little above 1 where q is too narrow, which is for
    /// the validation split to choose. Default: 1.
    pub proposal_scale: f64,
    /// A second estimate of log p(x), by annealed importance sampling. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annealed: Option<AnnealedConfig>,
    /// Whether an exact class-conditional model is also evaluated without the label, as the mixture over all labels; its cost grows with
    /// their number. Default: yes.
    pub label_mixture: bool,
    /// Images in the grid of samples. Default: 64.
    pub samples: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            importance_samples: 0,
            importance_examples: 0,
            proposal_scale: 1.0,
            annealed: None,
            label_mixture: true,
            samples: 64,
        }
    }
}

/// `[evaluation.annealed]`: see [`Annealed`](dgm_core::estimate::Annealed).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnnealedConfig {
    /// Intermediate densities. Default: 200.
    pub steps: usize,
    /// Leapfrog steps of each transition between them. Default: 10.
    pub leapfrog: usize,
    /// Chains of each example. Default: 16.
    pub chains: usize,
    /// Of how many test examples, evenly over the split, and of as many that the model itself samples, for the gap. Default: 50.
    pub examples: usize,
}

impl Default for AnnealedConfig {
    fn default() -> Self {
        Self { steps: 200, leapfrog: 10, chains: 16, examples: 50 }
    }
}

impl<M: ModelFactory> Config<M> {
    /// The configuration of a model with every default, for data that a program has: see [`Run::create_with`](crate::run::Run::create_with).
    pub fn new(model: M) -> Self {
        let kind = ObjectiveKind::of_kind(model.objective()).unwrap_or(ObjectiveKind::Model(ModelLoss::default()));
        Self {
            seed: 0,
            data_seed: None,
            data: DataConfig::Given(GivenConfig { name: String::new(), sha256: String::new() }),
            objective: ObjectiveConfig { kind, penalty: None },
            optimizer: OptimizerConfig::default(),
            training: TrainingConfig::default(),
            evaluation: EvaluationConfig::default(),
            tune: TuneConfig::default(),
            model,
        }
    }

    /// Reads a configuration from the text of a TOML file; `origin` names that file in messages.
    ///
    /// `overrides` are assignments such as `training.epochs=5`, applied on top of the file, also for keys that it does
    /// not have. Their values are TOML; what is not TOML is taken as a string.
    ///
    /// # Errors
    ///
    /// One line with the file and the line, or the override, the key, what was found and what was expected.
    pub fn from_toml(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        parse::parse(text, origin, overrides)
    }

    /// Reads a configuration from a file, every path of its `[data]` absolute: relative ones are relative to the file, those of
    /// `overrides` to the current folder. Where there is no such file, it is the shipped configuration of that name.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml); a file that cannot be read, and paths that lead nowhere.
    pub fn open(path: &Path, overrides: &[String]) -> Result<Self> {
        ConfigFile::open(path)?.config(overrides, Missing::Refused)
    }

    /// Loads the data: those of its `data_seed`, the random steps of training (augmentation and the like) drawn by its own seed.
    ///
    /// # Errors
    /// As [`data::load`].
    pub fn load_data(&self) -> Result<Dataset> {
        let mut dataset = data::load(&self.data, Seed(self.data_seed.unwrap_or(self.seed)))?;
        if self.data_seed.is_some() {
            dataset.train.redraw(Seed(self.seed));
        }
        Ok(dataset)
    }

    /// The configurations of an ensemble's members; `None` for a run of one model.
    ///
    /// Each is the run's own without `training.ensemble`. The first has its seed s and so is the run that would be without the
    /// ensemble; member i has the seed s + 1000003 i (modulo 2⁶⁴), so that runs whose seeds are neighbours share no member. The data are
    /// those of the seed s.
    pub fn members(&self) -> Option<Vec<Self>> {
        let count = self.training.ensemble.filter(|&count| count > 1)?;
        let member = |index: u64| {
            let mut member = self.clone();
            member.training.ensemble = None;
            if index > 0 {
                member.seed = self.seed.wrapping_add(1_000_003 * index);
                member.data_seed = Some(self.data_seed.unwrap_or(self.seed));
            }
            member
        };
        Some((0..count as u64).map(member).collect())
    }

    /// The keys that are paths of the data, with dots.
    pub fn path_keys(&self) -> Vec<String> {
        self.data.path_keys().iter().map(|key| format!("data.{key}")).collect()
    }

    /// The keys that decide how samples are drawn and nothing that is learnt, such as `model.steps`.
    pub fn sampling_keys(&self) -> Vec<String> {
        self.model.sampling_keys().iter().map(|key| format!("model.{key}")).collect()
    }

    /// The keys whose values are others than in `other`, with dots.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        fn walk(key: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
            let (Some(a), Some(b)) = (one.as_object(), other.as_object()) else {
                if one != other {
                    found.push(key.into());
                }
                return;
            };
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let deeper = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let value = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                walk(&deeper, &value(a), &value(b), found);
            }
        }
        let mut found = Vec::new();
        // What can be written as TOML can be written as JSON.
        let json = |config: &Self| serde_json::to_value(config).unwrap_or_default();
        walk("", &json(self), &json(other), &mut found);
        found
    }

    /// The whole configuration as TOML, every default included; [`Config::from_toml`] reads it back as it was.
    ///
    /// # Errors
    ///
    /// A value that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::run(format!("the configuration cannot be written: {error}")))
    }
}

/// Whether a key is this one, or one of the table that this one is.
pub(crate) fn is_within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first keys, and how many there are.
pub(crate) fn listed(keys: &[String]) -> String {
    const SHOWN: usize = 6;
    match keys.get(..SHOWN) {
        Some(first) if keys.len() > SHOWN => format!("{}, … {} keys in all", first.join(", "), keys.len()),
        _ => keys.join(", "),
    }
}

/// What to do about a path whose backslashes TOML took for escapes.
const BACKSLASHES: &str =
    "in \"…\" a backslash begins an escape such as \\t: write the path in single quotes, '…', or with /";

const AT_LEAST_1: &str = "a whole number of at least 1";

impl EvaluationConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> std::result::Result<(), Invalid> {
        let most = 1_000_000;
        require(self.importance_samples <= most, "importance_samples", "a whole number from 0 to 1000000")?;
        require((1..=100_000).contains(&self.samples), "samples", "a whole number from 1 to 100000")?;
        let scale = self.proposal_scale;
        require((0.1..=10.0).contains(&scale), "proposal_scale", "a number from 0.1 to 10")?;
        let Some(AnnealedConfig { steps, leapfrog, chains, examples }) = self.annealed else { return Ok(()) };
        require((1..=most).contains(&steps), "annealed.steps", "a whole number from 1 to 1000000")?;
        require((1..=1000).contains(&leapfrog), "annealed.leapfrog", "a whole number from 1 to 1000")?;
        require((1..=10_000).contains(&chains), "annealed.chains", "a whole number from 1 to 10000")?;
        require((1..=most).contains(&examples), "annealed.examples", "a whole number from 1 to 1000000")
    }
}

#[cfg(test)]
mod tests;
