//! q(z | x) on the unit sphere: von Mises–Fisher.

use super::{ApproximatePosterior, Posterior, Space, repeat_rows};
use crate::error::ModelError;
use crate::layers::{apply, linear};
use crate::ops::Activation;
use crate::parts::Plain;
use crate::training::Samples;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor};
use dgm_core::density::VonMisesFisher;
use dgm_core::divergence::kl;
use dgm_core::random::Stream;

/// q(z | x) = vMF(z; μ(x), κ(x)) on the sphere Sᵈ⁻¹ of d latent variables, κ = 1 + softplus, at most 10⁴ (Davidson et al. 2018,
/// "Hyperspherical variational auto-encoders").
#[derive(Module, Debug)]
pub struct VonMisesFisherPosterior {
    direction: Linear,
    concentration: Linear,
}

impl VonMisesFisherPosterior {
    pub(super) fn new(
        _: &Plain,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        ModelError::check(latent >= 2, "latent", latent, "2 or more for a sphere")?;
        ModelError::check_weights("latent", latent, [[features, latent + 1]])?;
        let direction = linear(features, latent, rng, device);
        Ok(Self { direction, concentration: linear(features, 1, rng, device) })
    }
}

impl Posterior for VonMisesFisherPosterior {
    fn space(&self) -> Space {
        Space::Sphere
    }

    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let direction = apply(&self.direction, features.clone(), Activation::Identity);
        let raw = apply(&self.concentration, features, Activation::Identity).squeeze_dim(1);
        Box::new(VonMisesFisher::new(direction, softplus(raw, 1.0).add_scalar(1.0).clamp_max(1e4)))
    }
}

/// Each example k times.
fn repeated(q: &VonMisesFisher, k: usize) -> VonMisesFisher {
    let concentration = repeat_rows(q.concentration().unsqueeze_dim(1), k).squeeze_dim(1);
    VonMisesFisher::new(repeat_rows(q.direction(), k), concentration)
}

fn log_prob(q: &VonMisesFisher, z: Tensor<3>) -> Tensor<2> {
    let [n, k, latent] = z.dims();
    repeated(q, k).log_prob(z.reshape([n * k, latent])).reshape([n, k])
}

impl ApproximatePosterior for VonMisesFisher {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, latent] = self.direction().dims();
        Samples::of(repeated(self, k).sample(rng).reshape([n, k, latent]))
    }

    fn log_prob(&self, z: Tensor<3>) -> Tensor<2> {
        log_prob(self, z)
    }

    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        log_prob(&self.detach(), z)
    }

    /// The mean direction, which is on the sphere as samples are.
    fn mean(&self) -> Tensor<2> {
        self.direction()
    }

    /// A_d(κ) μ.
    fn expectation(&self) -> Tensor<2> {
        VonMisesFisher::mean(self)
    }

    fn kl_uniform(&self) -> Option<Tensor<2>> {
        Some(kl::von_mises_fisher_uniform(self).unsqueeze_dim(1))
    }

    /// κ / factor²: 1/κ is the variance along each direction of a concentrated one.
    fn widened(&self, factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
        Some(Box::new(Self::new(self.direction(), self.concentration().div_scalar(factor * factor))))
    }
}
