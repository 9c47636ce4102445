//! A normalizing flow onto N(0, 1).

use super::{Encode, LatentSpec, Prior};
use crate::error::ModelError;
use crate::flow::{Flow, FlowSpec, Structure, TransformConfig};
use crate::layers::Mode;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `prior = { kind = "flow", layers = 6, hidden = [128, 128] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowPriorConfig {
    /// What the parameters of a layer may depend on: with `"autoregressive"` layers samples take a pass for each latent variable. Default:
    /// `"coupling"`.
    pub structure: Structure,
    /// What a layer does to each number. Default: `"affine"`.
    pub transform: TransformConfig,
    /// Number of layers. Default: 6.
    pub layers: usize,
    /// Widths of the layers of each one's network. Default: `[128, 128]`.
    pub hidden: Vec<usize>,
}

impl Default for FlowPriorConfig {
    fn default() -> Self {
        Self { structure: Structure::Coupling, transform: TransformConfig::AFFINE, layers: 6, hidden: vec![128, 128] }
    }
}

/// p(z) = N(f(z); 0, 1) · |det ∂f/∂z|, with affine couplings that of Dinh, Sohl-Dickstein and Bengio 2017, as a prior by Huang et al. 2017,
/// "Learnable explicit density for continuous latent space and variational inference". At first next to N(0, 1).
#[derive(Module, Debug)]
pub struct FlowPrior {
    flow: Flow,
    #[module(skip)]
    latent: usize,
}

impl FlowPrior {
    pub(super) fn new(
        FlowPriorConfig { structure, transform, layers, hidden }: &FlowPriorConfig,
        &LatentSpec { latent, .. }: &LatentSpec<'_>,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let keys = ["prior.layers", "prior.hidden", "prior.transform", "latent"];
        let spec = FlowSpec::alternating(*structure, transform, *layers, hidden, [latent, 0], keys);
        Ok(Self { flow: Flow::new(&spec, rng, device)?, latent })
    }
}

impl Prior for FlowPrior {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        let (base, log_det) = self.flow.forward(z, None, &mut Mode::Evaluate);
        let zeros = base.clone().detach().zeros_like();
        sum_event(Normal::new(zeros.clone(), zeros).log_prob(base)) + log_det
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        self.flow.inverse(rng.normal_tensor([n, self.latent], device), None).0
    }
}
