//! From the table `[model]` of a configuration to a model: what a training program is generic over.

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::registry::{AnyModel, ModelConfig};
use crate::traits::Model;
use burn::module::Module;
use burn::tensor::Device;
use dgm_core::random::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize};
use std::fmt::Debug;

/// The configuration of a model, the table `[model]`, that builds it.
///
/// [`ModelConfig`] is that of the kinds that this crate knows. For a model of your own implement it on a configuration of your own, which
/// writes the key `kind` like this:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(tag = "kind", rename = "my_model", default, deny_unknown_fields)]
/// struct MyModelConfig {
///     hidden: usize,
/// }
/// # impl Default for MyModelConfig { fn default() -> Self { Self { hidden: 8 } } }
/// # let written = serde_json::to_string(&MyModelConfig::default())?;
/// # assert_eq!(written, r#"{"kind":"my_model","hidden":8}"#);
/// # let read: MyModelConfig = serde_json::from_str(r#"{"hidden":9}"#)?;
/// # assert_eq!(read.hidden, 9);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait ModelFactory: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// What it builds.
    type Model: Model + Module;

    /// The names that `kind` may have.
    const KINDS: &'static [&'static str];

    /// The name of this model, one of [`KINDS`](Self::KINDS).
    fn kind(&self) -> &'static str {
        Self::KINDS.first().copied().unwrap_or_default()
    }

    /// Reads the keys of the model `kind` (the table without the key `kind` itself). `None`: there is no model of that name.
    fn deserialize_kind<'de, D: Deserializer<'de>>(kind: &str, table: D) -> Option<Result<Self, D::Error>> {
        Self::KINDS.contains(&kind).then(|| Self::deserialize(table))
    }

    /// The objective that the model is trained by where the configuration names none, one of
    /// [`ObjectiveKind::KINDS`](crate::ObjectiveKind::KINDS). Default: the model's own.
    fn objective(&self) -> &'static str {
        "model"
    }

    /// The keys of `[model]` that are worth searching where a configuration names none, as the table `[tune.model]` in TOML:
    /// `dropout = [0.0, 0.1]`, or `latent = { from = 4, to = 64, log = true }`. Default: none.
    fn search_space(&self) -> &'static str {
        ""
    }

    /// The keys of `[model]` that decide how samples are drawn and nothing that is learnt, so that a run's samples may be drawn with other values.
    /// Default: none.
    fn sampling_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Builds the model for data that [`DataSpec::check`] has found right, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Self::Model, ModelError>;
}

impl ModelFactory for ModelConfig {
    type Model = AnyModel;

    const KINDS: &'static [&'static str] = Self::KINDS;

    fn kind(&self) -> &'static str {
        self.kind()
    }

    fn deserialize_kind<'de, D: Deserializer<'de>>(kind: &str, table: D) -> Option<Result<Self, D::Error>> {
        Self::deserialize_kind(kind, table)
    }

    fn objective(&self) -> &'static str {
        self.objective()
    }

    fn search_space(&self) -> &'static str {
        self.search_space()
    }

    fn sampling_keys(&self) -> &'static [&'static str] {
        self.sampling_keys()
    }

    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<AnyModel, ModelError> {
        self.init(spec, rng, device)
    }
}
