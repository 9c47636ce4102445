//! q(z | x): a normal, and a flow after it that sees the example.

use super::normal::{normal, repeated, widened};
use super::{ApproximatePosterior, Posterior, repeat_rows};
use crate::error::ModelError;
use crate::flow::{self, Autoregressive, Coupling, Mapped};
use crate::layers::{apply, linear};
use crate::ops::Activation;
use crate::training::Samples;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// The layers of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transformation {
    /// Inverse autoregressive: the most flexible; its density of a z that it did not sample takes one pass for each latent variable.
    #[default]
    Autoregressive,
    /// Affine couplings: the same cost in both directions.
    Coupling,
}

/// `posterior = { kind = "flow", transformation = "autoregressive", layers = 2, hidden = [128] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowPosteriorConfig {
    /// The kind of the layers. Default: `"autoregressive"`.
    pub transformation: Transformation,
    /// Number of layers. Default: 2.
    pub layers: usize,
    /// Widths of the layers of each one's network. Default: `[128]`.
    pub hidden: Vec<usize>,
}

impl Default for FlowPosteriorConfig {
    fn default() -> Self {
        Self { transformation: Transformation::default(), layers: 2, hidden: vec![128] }
    }
}

/// q(z | x) = N(f⁻¹(z; x); μ(x), σ²(x)) · |det ∂f⁻¹/∂z| (Rezende and Mohamed 2015; Kingma et al. 2016). At first f is the identity.
#[derive(Module, Debug)]
pub struct FlowPosterior {
    layer: Linear,
    autoregressive: Vec<Autoregressive>,
    coupling: Vec<Coupling>,
}

impl FlowPosterior {
    pub(super) fn new(
        config: &FlowPosteriorConfig,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let FlowPosteriorConfig { transformation, layers, hidden } = config;
        ModelError::check((1..=64).contains(layers), "posterior.layers", layers, "1 to 64")?;
        ModelError::check_hidden("posterior.hidden", hidden)?;
        ModelError::check_weights("latent", latent, [[features, 2 * latent]])?;
        let layer = linear(features, 2 * latent, rng, device);
        let (autoregressive, coupling) = match transformation {
            Transformation::Autoregressive => {
                (Autoregressive::stack(*layers, latent, hidden, features, rng, device), Vec::new())
            }
            Transformation::Coupling => (Vec::new(), Coupling::stack(*layers, latent, hidden, features, rng, device)?),
        };
        Ok(Self { layer, autoregressive, coupling })
    }
}

impl Posterior for FlowPosterior {
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let base = normal(apply(&self.layer, features.clone(), Activation::Identity));
        Box::new(Transformed { base, features, flow: self.clone() })
    }
}

/// q(z | x) of a batch.
struct Transformed {
    base: Normal<2>,
    features: Tensor<2>,
    flow: FlowPosterior,
}

impl Transformed {
    fn forward(&self, x: Tensor<2>, features: &Tensor<2>) -> Mapped {
        let (x, one) = flow::forward(&self.flow.autoregressive, x, Some(features));
        let (y, other) = flow::forward(&self.flow.coupling, x, Some(features));
        (y, one + other)
    }

    fn inverse(&self, y: Tensor<2>, features: &Tensor<2>) -> Mapped {
        let (y, other) = flow::inverse(&self.flow.coupling, y, Some(features));
        let (x, one) = flow::inverse(&self.flow.autoregressive, y, Some(features));
        (x, one + other)
    }
}

impl ApproximatePosterior for Transformed {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, latent] = self.base.mean().dims();
        let base = repeated(&self.base, k);
        let x = base.sample(rng);
        let (z, log_det) = self.forward(x.clone(), &repeat_rows(self.features.clone(), k));
        let log_prob = sum_event(base.log_prob(x)) - log_det;
        Samples { z: z.reshape([n, k, latent]), log_posterior: Some(log_prob.reshape([n, k])) }
    }

    fn log_prob(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let (x, log_det) = self.inverse(z.reshape([n * k, latent]), &repeat_rows(self.features.clone(), k));
        (sum_event(repeated(&self.base, k).log_prob(x)) + log_det).reshape([n, k])
    }

    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        let fixed = Self {
            base: self.base.detach(),
            features: self.features.clone().detach(),
            flow: self.flow.clone().no_grad(),
        };
        fixed.log_prob(z)
    }

    /// f of the mean of the normal.
    fn mean(&self) -> Tensor<2> {
        self.forward(self.base.mean(), &self.features).0
    }

    fn widened(&self, factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
        let base = widened(&self.base, factor);
        Some(Box::new(Self { base, features: self.features.clone(), flow: self.flow.clone() }))
    }
}
