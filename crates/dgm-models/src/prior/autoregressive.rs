//! A product of conditionals over the latent variables, each a mixture of normals.

use super::{Encode, LatentSpec, Prior};
use crate::error::ModelError;
use crate::flow::{Conditioner, Sizes};
use crate::layers::Mode;
use crate::likelihood::LOG_VAR_BOUND;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::NormalMixture;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `prior = { kind = "autoregressive", hidden = [128, 128], components = 3 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoregressiveConfig {
    /// Widths of the layers of the network. Default: `[128, 128]`.
    pub hidden: Vec<usize>,
    /// Normals in the mixture of each conditional. Default: 3.
    pub components: usize,
}

impl Default for AutoregressiveConfig {
    fn default() -> Self {
        Self { hidden: vec![128, 128], components: 3 }
    }
}

/// p(z) = Πᵢ Σₘ πₘ(z_<i) N(zᵢ; μₘ(z_<i), σₘ²(z_<i)), of a masked network (Germain et al. 2015, "MADE"; as a prior by Chen et al. 2017,
/// "Variational lossy autoencoder"). The means of a mixture's components start apart, between −1 and 1.
#[derive(Module, Debug)]
pub struct AutoregressivePrior {
    network: Conditioner,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    components: usize,
}

impl AutoregressivePrior {
    pub(super) fn new(
        AutoregressiveConfig { hidden, components }: &AutoregressiveConfig,
        &LatentSpec { latent, .. }: &LatentSpec<'_>,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        ModelError::check_hidden("prior.hidden", hidden)?;
        ModelError::check((1..=100).contains(components), "prior.components", components, "1 to 100")?;
        let sizes =
            Sizes { inputs: latent, parameters: 3 * components, outputs: latent, hidden, features: 0, dropout: 0.0 };
        let network = Conditioner::new(sizes, true, rng, device);
        Ok(Self { network, latent, components: *components })
    }

    /// The conditionals of the variables in `range`, given those before each.
    fn conditionals(&self, z: Tensor<2>, range: std::ops::Range<usize>) -> NormalMixture {
        let ([n, latent], m) = (z.dims(), self.components);
        let outputs: Tensor<4> = self.network.forward(z, None, &mut Mode::Evaluate).reshape([n, latent, 3, m]);
        let width = range.len();
        let part = |i: usize| outputs.clone().slice([0..n, range.clone(), i..i + 1, 0..m]).reshape([n * width, m]);
        let apart: Vec<f32> = (0..m).map(|i| (2 * i + 1) as f32 / m as f32 - 1.0).collect();
        let apart = Tensor::<1>::from_floats(apart.as_slice(), &outputs.device()).unsqueeze_dim::<2>(0);
        let mean = part(1) + apart.expand([n * width, m]);
        NormalMixture::new(part(0), mean, part(2).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND))
    }
}

impl Prior for AutoregressivePrior {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        let [n, latent] = z.dims();
        let log_p = self.conditionals(z.clone(), 0..latent).log_prob(z.reshape([n * latent]));
        sum_event(log_p.reshape([n, latent]))
    }

    /// One variable after the other.
    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        let mut drawn: Vec<Tensor<2>> = Vec::with_capacity(self.latent);
        for i in 0..self.latent {
            let rest = Tensor::zeros([n, self.latent - i], device);
            let known = Tensor::cat(drawn.iter().cloned().chain([rest]).collect(), 1);
            drawn.push(self.conditionals(known, i..i + 1).sample(rng).reshape([n, 1]));
        }
        Tensor::cat(drawn, 1)
    }
}
