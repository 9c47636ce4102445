//! A mixture of normals whose weights, means and variances are learnt.

use super::{Encode, Prior, check_components, log_mixture, sample_mixture};
use crate::data::DataSpec;
use crate::error::ModelError;
use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::Normal;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `prior = { kind = "mixture", components = 10 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureConfig {
    /// Number of normals. Default: 10.
    pub components: usize,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        Self { components: 10 }
    }
}

impl MixtureConfig {
    pub(super) fn init(
        &self,
        latent: usize,
        _: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Mixture, ModelError> {
        check_components(self.components, [self.components, 2 * latent])?;
        let shape = [self.components, latent];
        let means = TensorData::new(rng.normals(self.components * latent), shape);
        Ok(Mixture {
            logits: Param::from_data(TensorData::zeros::<f32, _>([self.components]), device),
            mean: Param::from_data(means, device),
            log_var: Param::from_data(TensorData::zeros::<f32, _>(shape), device),
        })
    }
}

/// p(z) = Σₖ πₖ N(z; μₖ, σₖ²), the means at first drawn from N(0, 1).
#[derive(Module, Debug)]
pub struct Mixture {
    logits: Param<Tensor<1>>,
    mean: Param<Tensor<2>>,
    log_var: Param<Tensor<2>>,
}

impl Mixture {
    fn parts(&self) -> Normal<2> {
        Normal::new(self.mean.val(), self.log_var.val())
    }
}

impl Prior for Mixture {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        log_mixture(z, &self.parts(), log_softmax(self.logits.val(), 0))
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, _: &Device) -> Tensor<2> {
        let weights: Vec<f64> = log_softmax(self.logits.val(), 0).exp().into_data().iter().collect();
        sample_mixture(n, &self.parts(), &weights, rng)
    }
}
