//! A mixture of normals whose weights, means and variances are learnt.

use super::{Encode, LatentSpec, Prior, check_components};
use crate::error::ModelError;
use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::{Categorical, Normal};
use dgm_core::estimate::log_sum_exp;
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

/// p(z) = Σₖ πₖ N(z; μₖ, σₖ²), the means at first drawn from N(0, 1).
#[derive(Module, Debug)]
pub struct Mixture {
    logits: Param<Tensor<1>>,
    mean: Param<Tensor<2>>,
    log_var: Param<Tensor<2>>,
}

impl Mixture {
    pub(super) fn new(
        &MixtureConfig { components }: &MixtureConfig,
        &LatentSpec { latent, .. }: &LatentSpec<'_>,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        check_components(components, [components, 2 * latent])?;
        let shape = [components, latent];
        let means = TensorData::new(rng.normals(components * latent), shape);
        Ok(Self {
            logits: Param::from_data(TensorData::zeros::<f32, _>([components]), device),
            mean: Param::from_data(means, device),
            log_var: Param::from_data(TensorData::zeros::<f32, _>(shape), device),
        })
    }

    fn parts(&self) -> Normal<2> {
        Normal::new(self.mean.val(), self.log_var.val())
    }
}

impl Prior for Mixture {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        log_mixture(z, &self.parts(), log_softmax(self.logits.val(), 0))
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, _: &Device) -> Tensor<2> {
        let [components] = self.logits.dims();
        let logits = self.logits.val().unsqueeze_dim::<2>(0).expand([n, components]);
        let (of, parts) = (Categorical::from_logits(logits).sample(rng), self.parts());
        Normal::new(parts.mean().select(0, of.clone()), parts.log_var().select(0, of)).sample(rng)
    }
}

/// log p(z) of a mixture of normals with these means and log-variances `[k, latent]` and logarithms of weights `[k]`:
/// `[n, latent]` → `[n]`.
fn log_mixture(z: Tensor<2>, parts: &Normal<2>, log_weights: Tensor<1>) -> Tensor<1> {
    let ([n, latent], [k, _]) = (z.dims(), parts.mean().dims());
    let each = |part: Tensor<2>| part.unsqueeze_dim::<3>(0).expand([n, k, latent]);
    let z = z.unsqueeze_dim::<3>(1).expand([n, k, latent]);
    let log_prob: Tensor<2> =
        Normal::new(each(parts.mean()), each(parts.log_var())).log_prob(z).sum_dim(2).squeeze_dim(2);
    log_sum_exp(log_prob + log_weights.unsqueeze_dim::<2>(0).expand([n, k]))
}
