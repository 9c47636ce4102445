//! A normalizing flow of affine couplings over N(0, 1).

use super::{Encode, LatentSpec, Prior};
use crate::error::ModelError;
use crate::flow::{self, Coupling};
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
    /// Number of affine couplings. Default: 6.
    pub layers: usize,
    /// Widths of the layers of each coupling's network. Default: `[128, 128]`.
    pub hidden: Vec<usize>,
}

impl Default for FlowPriorConfig {
    fn default() -> Self {
        Self { layers: 6, hidden: vec![128, 128] }
    }
}

/// p(z) = N(f⁻¹(z); 0, 1) · |det ∂f⁻¹/∂z|, f of affine couplings (Dinh, Sohl-Dickstein and Bengio 2017), as a prior by Huang et al. 2017,
/// "Learnable explicit density for continuous latent space and variational inference". At first N(0, 1).
#[derive(Module, Debug)]
pub struct FlowPrior {
    layers: Vec<Coupling>,
    #[module(skip)]
    latent: usize,
}

impl FlowPrior {
    pub(super) fn new(
        FlowPriorConfig { layers, hidden }: &FlowPriorConfig,
        &LatentSpec { latent, .. }: &LatentSpec<'_>,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        ModelError::check((1..=64).contains(layers), "prior.layers", layers, "1 to 64")?;
        ModelError::check_hidden("prior.hidden", hidden)?;
        Ok(Self { layers: Coupling::stack(*layers, latent, hidden, 0, rng, device)?, latent })
    }
}

impl Prior for FlowPrior {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        let (base, log_det) = flow::inverse(&self.layers, z, None);
        let zeros = base.clone().detach().zeros_like();
        sum_event(Normal::new(zeros.clone(), zeros).log_prob(base)) + log_det
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        flow::forward(&self.layers, rng.normal_tensor([n, self.latent], device), None).0
    }
}
