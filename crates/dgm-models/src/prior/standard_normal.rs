//! N(0, 1).

use super::{Encode, LatentSpec, Prior};
use crate::error::ModelError;
use crate::parts::Plain;
use crate::posterior::ApproximatePosterior;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;

/// p(z) = N(z; 0, 1), without parameters.
#[derive(Module, Debug)]
pub struct StandardNormal {
    #[module(skip)]
    latent: usize,
}

impl StandardNormal {
    pub(super) fn new(_: &Plain, spec: &LatentSpec<'_>, _: &mut Stream, _: &Device) -> Result<Self, ModelError> {
        Ok(Self { latent: spec.latent })
    }
}

impl Prior for StandardNormal {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        let zeros = z.clone().detach().zeros_like();
        sum_event(Normal::new(zeros.clone(), zeros).log_prob(z))
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        rng.normal_tensor([n, self.latent], device)
    }

    fn kl(&self, q: &dyn ApproximatePosterior) -> Option<Tensor<2>> {
        q.kl_standard_normal()
    }
}
