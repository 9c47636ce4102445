//! q(z | x): a normal, and a flow after it that sees the example.

use super::normal::{normal, repeated, widened};
use super::{ApproximatePosterior, Posterior, repeat_rows};
use crate::error::ModelError;
use crate::flow::{Flow, FlowSpec, Mapped, Structure, TransformConfig};
use crate::layers::{Mode, apply, linear};
use crate::ops::Activation;
use crate::training::Samples;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `posterior = { kind = "flow", structure = "autoregressive", layers = 2, hidden = [128] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowPosteriorConfig {
    /// What the parameters of a layer may depend on: with `"autoregressive"` layers the density of a z that was not sampled takes a pass for
    /// each latent variable. Default: `"autoregressive"`.
    pub structure: Structure,
    /// What a layer does to each number. Default: `"affine"`.
    pub transform: TransformConfig,
    /// Number of layers. Default: 2.
    pub layers: usize,
    /// Widths of the layers of each one's network. Default: `[128]`.
    pub hidden: Vec<usize>,
}

impl Default for FlowPosteriorConfig {
    fn default() -> Self {
        Self { structure: Structure::Autoregressive, transform: TransformConfig::AFFINE, layers: 2, hidden: vec![128] }
    }
}

/// q(z | x) = N(f⁻¹(z; x); μ(x), σ²(x)) · |det ∂f⁻¹/∂z| (Rezende and Mohamed 2015; Kingma et al. 2016). At first f is next to the identity,
/// but for the order of the numbers.
#[derive(Module, Debug)]
pub struct FlowPosterior {
    layer: Linear,
    flow: Flow,
}

impl FlowPosterior {
    pub(super) fn new(
        config: &FlowPosteriorConfig,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let FlowPosteriorConfig { structure, transform, layers, hidden } = config;
        ModelError::check_weights("latent", latent, [[features, 2 * latent]])?;
        let layer = linear(features, 2 * latent, rng, device);
        let keys = ["posterior.layers", "posterior.hidden", "posterior.transform", "latent"];
        let spec = FlowSpec::alternating(*structure, transform, *layers, hidden, [latent, features], keys);
        Ok(Self { layer, flow: Flow::new(&spec, rng, device)? })
    }
}

impl Posterior for FlowPosterior {
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let base = normal(apply(&self.layer, features.clone(), Activation::Identity));
        Box::new(Transformed { base, features, flow: self.flow.clone() })
    }
}

/// q(z | x) of a batch.
struct Transformed {
    base: Normal<2>,
    features: Tensor<2>,
    flow: Flow,
}

impl Transformed {
    fn forward(&self, x: Tensor<2>, features: &Tensor<2>) -> Mapped {
        self.flow.forward(x, Some(features), &mut Mode::Evaluate)
    }

    fn inverse(&self, y: Tensor<2>, features: &Tensor<2>) -> Mapped {
        self.flow.inverse(y, Some(features))
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
