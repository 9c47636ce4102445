//! Contrastive encoder (Chen et al. 2020, "A simple framework for contrastive learning of visual representations"): two views of an example are
//! to be told from all others.

use super::views::ViewsConfig;
use crate::data::{Batch, DataSpec};
use crate::encoder::{EncoderConfig, Projected};
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, apply, linear, network_target};
use crate::ops::Activation;
use crate::training::{Examples, Train, Training, nothing};
use crate::traits::{Model, Represent};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{InfoNce, NtXent, Objective, cosine_similarity};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Contrastive`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// Numbers in a code. Default: 64.
    pub latent: usize,
    /// From an example to features, of which the code is a linear function.
    pub encoder: EncoderConfig,
    /// Widths of the layers between the code and what the loss compares: what views lose, they lose there and not in the code. Default:
    /// `[128, 64]`.
    pub projection: Vec<usize>,
    /// τ > 0 of the loss. Default: 0.2.
    pub temperature: f64,
    /// How two views of an example may differ.
    pub views: ViewsConfig,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        Self {
            latent: 64,
            encoder: EncoderConfig::default(),
            projection: vec![128, 64],
            temperature: 0.2,
            views: ViewsConfig::default(),
        }
    }
}

impl ContrastiveConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        temperature = [0.1, 0.2, 0.5]
        views.erase = [0.2, 0.4, 0.6]
        views.noise = [0.0, 0.1, 0.3]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Contrastive, ModelError> {
        spec.checked()?;
        spec.without_columns("contrastive")?;
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        ModelError::check_hidden("projection", &self.projection)?;
        let warm = self.temperature.is_finite() && self.temperature >= 0.001;
        ModelError::check(warm, "temperature", self.temperature, "a finite number of at least 0.001")?;
        self.views.check(spec)?;
        let encoder = Projected::new(&self.encoder, self.latent, spec, rng, device)?;
        let (last, inner) = match self.projection.split_last() {
            Some((&last, inner)) => (last, inner),
            None => (self.latent, &[][..]),
        };
        let hidden = Mlp::new(self.latent, inner, 0.0, rng, device);
        let projection = linear(hidden.outputs(), last, rng, device);
        let loss = NtXent { temperature: self.temperature };
        Ok(Contrastive { encoder, hidden, projection, loss, views: self.views.clone(), spec: spec.clone() })
    }
}

/// Minimises NT-Xent of two views of each example of a batch, after a projection of their codes. The term `mutual_information` is the InfoNCE
/// lower bound of the mutual information of the two views, at most log n of a batch of n.
#[derive(Module, Debug)]
pub struct Contrastive {
    encoder: Projected,
    hidden: Mlp,
    projection: Linear,
    #[module(skip)]
    loss: NtXent,
    #[module(skip)]
    views: ViewsConfig,
    #[module(skip)]
    spec: DataSpec,
}

impl Contrastive {
    /// The loss of two views of each example, which this draws; `training`: with dropout.
    fn objective(&self, batches: [&Batch; 2], training: bool, rng: &mut Stream) -> Objective {
        let [first, second] = batches.map(|batch| {
            let x = self.views.of(&self.spec, network_target(&self.spec, batch.target.clone()), rng);
            let mut mode = if training { Mode::Train(rng) } else { Mode::Evaluate };
            let code = self.encoder.forward(&self.spec, x, batch.condition.as_ref(), &mut mode);
            apply(&self.projection, self.hidden.forward(code, &mut mode), Activation::Identity)
        });
        // Of each first view, which of the n second ones is its own: the bound of van den Oord et al. 2018, which the 2n − 1 others of NT-Xent,
        // pairs that depend on each other, would not be.
        let scores =
            cosine_similarity(first.clone().detach(), second.clone().detach()).div_scalar(self.loss.temperature);
        let information = InfoNce.mutual_information_bound(InfoNce.objective(scores).loss);
        let Objective { loss, .. } = self.loss.objective(first, second);
        Objective { loss, terms: vec![("mutual_information", information)] }
    }
}

impl Train for Contrastive {
    /// The data's own augmentation differs between views too.
    fn views(&self) -> usize {
        2
    }

    fn loss(&self, _: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        match views {
            [first, second, ..] => self.objective([first, second], true, rng),
            _ => nothing(),
        }
    }

    fn least_batch(&self) -> usize {
        2
    }

    /// The other examples of a batch are what an example is told from.
    fn is_additive(&self) -> bool {
        false
    }
}

impl Represent for Contrastive {
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        let x = network_target(&self.spec, batch.target.clone());
        self.encoder.forward(&self.spec, x, batch.condition.as_ref(), &mut Mode::Evaluate)
    }
}

impl Model for Contrastive {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    /// Refuses padding.
    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        examples.without_padding("contrastive")
    }

    /// The loss in batches of the size that evaluation has.
    fn criterion(&self, batch: &Batch, rng: &mut Stream) -> Option<Tensor<1>> {
        Some(self.objective([batch, batch], false, rng).loss)
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }
}
