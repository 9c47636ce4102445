//! Where a run comes from: what it was trained with, on what and from what.

use crate::backend::{Backend, cpu_kind};
use crate::config::Config;
use crate::data::{Dataset, Names, Vocabulary};
use dgm_models::DataSpec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a run comes from: `provenance.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// Version of Burn.
    pub burn: String,
    /// The backend, as given.
    pub backend: String,
    /// The adapter that the backend runs on.
    pub adapter: String,
    /// The kind of the CPU, as [`cpu_kind`] names it; runs of older versions did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The seed.
    pub seed: u64,
    /// The name of the data.
    pub data: String,
    /// SHA-256 over the data's sources.
    pub data_sha256: String,
    /// Examples for training, validation and test.
    pub examples: [usize; 3],
    /// The data as the model sees them.
    pub spec: DataSpec,
    /// What columns and classes are called.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
    /// What is odd about the data, so that a result may mislead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was done to the data that changes what their likelihood means.
    #[serde(default)]
    pub transforms: Vec<String>,
    /// Entropy of the distribution that the data were drawn from, in nats per example, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// What the levels stand for, where they are symbols of a text: to write texts, the text itself is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
    /// The run at whose best weights it began, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StartedFrom>,
    /// The file that its weights were read from, where they were trained elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportedFrom>,
    /// Seconds since 1970 when the run began.
    pub began: u64,
}

/// The run at whose best weights another begins: fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedFrom {
    /// Its folder, as an absolute path.
    pub run: PathBuf,
    /// SHA-256 of the weights, as in its `result.json`.
    pub weights_sha256: String,
}

/// A file with the weights of a run that was trained elsewhere: `dgm-train import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFrom {
    /// Its absolute path.
    pub file: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// Where the first weights of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Drawn by its seed.
    Drawn,
    /// The best of another run.
    Run(StartedFrom),
    /// A file.
    File(ImportedFrom),
}

impl Provenance {
    /// Of a run that begins now.
    pub fn of<C>(config: &Config<C>, dataset: &Dataset, backend: &Backend, origin: Origin) -> Self {
        let (from, imported) = match origin {
            Origin::Drawn => (None, None),
            Origin::Run(from) => (Some(from), None),
            Origin::File(file) => (None, Some(file)),
        };
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            burn: env!("DGM_BURN_VERSION").into(),
            backend: backend.name.clone(),
            adapter: backend.adapter(),
            cpu: Some(cpu_kind().into()),
            seed: config.seed,
            data: dataset.name.clone(),
            data_sha256: dataset.fingerprint.clone(),
            examples: dataset.examples(),
            spec: dataset.spec.clone(),
            names: dataset.names.clone(),
            warnings: dataset.warnings.clone(),
            transforms: dataset.transforms.clone(),
            entropy: dataset.entropy,
            vocabulary: dataset.vocabulary.clone(),
            from,
            imported,
            began: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        }
    }
}
