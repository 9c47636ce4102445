//! The uniform density of a bounded space: a sphere, or classes.

use super::{Encode, LatentSpec, Prior};
use crate::error::ModelError;
use crate::parts::Plain;
use crate::posterior::{ApproximatePosterior, Space};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::VonMisesFisher;
use dgm_core::random::Stream;

/// p(z) = 1 / |Sᵈ⁻¹| on the unit sphere, or 1 / C for each of C classes in every group; without parameters.
#[derive(Module, Debug)]
pub struct Uniform {
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    space: Space,
}

impl Uniform {
    pub(super) fn new(_: &Plain, spec: &LatentSpec<'_>, _: &mut Stream, _: &Device) -> Result<Self, ModelError> {
        Ok(Self { latent: spec.latent, space: spec.space })
    }
}

impl Prior for Uniform {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        let [n, latent] = z.dims();
        let log_p = match self.space {
            Space::Real => f64::NEG_INFINITY,
            Space::Sphere => VonMisesFisher::log_uniform(latent),
            Space::OneOf(classes) => -((latent / classes) as f64) * (classes as f64).ln(),
        };
        Tensor::zeros([n], &z.device()).add_scalar(log_p)
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        match self.space {
            Space::OneOf(classes) => {
                let mut values = vec![0.0f32; n * self.latent];
                for group in values.chunks_mut(classes) {
                    let class = rng.below(classes as u32) as usize;
                    group.get_mut(class).into_iter().for_each(|one| *one = 1.0);
                }
                Tensor::from_data(TensorData::new(values, [n, self.latent]), device)
            }
            Space::Real | Space::Sphere => {
                let z = rng.normal_tensor::<2>([n, self.latent], device);
                let norm = z.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
                z / norm
            }
        }
    }

    fn is_on(&self, space: Space) -> bool {
        space != Space::Real
    }

    fn kl(&self, q: &dyn ApproximatePosterior) -> Option<Tensor<2>> {
        q.kl_uniform()
    }
}
