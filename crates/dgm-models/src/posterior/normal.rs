//! q(z | x) = N(μ, σ²), its mean and log-variance a linear function of the features.

use super::{ApproximatePosterior, Posterior, repeat_rows};
use crate::error::ModelError;
use crate::layers::{apply, linear};
use crate::likelihood::LOG_VAR_BOUND;
use crate::ops::Activation;
use crate::parts::Plain;
use crate::training::Samples;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::divergence::kl;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;

/// q(z | x) = N(z; μ(x), σ²(x)) with a diagonal covariance (Kingma and Welling 2014), log σ² within ±15.
#[derive(Module, Debug)]
pub struct NormalPosterior {
    layer: Linear,
}

impl NormalPosterior {
    pub(super) fn new(
        _: &Plain,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        ModelError::check_weights("latent", latent, [[features, 2 * latent]])?;
        Ok(Self { layer: linear(features, 2 * latent, rng, device) })
    }
}

impl Posterior for NormalPosterior {
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        Box::new(normal(apply(&self.layer, features, Activation::Identity)))
    }
}

/// The normal of a network's outputs: means in the first half, log-variances in the second.
pub(crate) fn normal(outputs: Tensor<2>) -> Normal<2> {
    let [rows, columns] = outputs.dims();
    let half = columns / 2;
    let part = |i: usize| outputs.clone().slice([0..rows, i * half..(i + 1) * half]);
    // An example far from all others must not make an infinite variance of a network's output.
    Normal::new(part(0), part(1).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND))
}

/// The same with standard deviations times `factor`.
pub(crate) fn widened(q: &Normal<2>, factor: f64) -> Normal<2> {
    Normal::new(q.mean(), q.log_var().add_scalar(2.0 * factor.ln()))
}

/// Densities of each latent variable `[n · k, latent]`, summed over them: `[n, k]`.
fn log_prob(q: &Normal<2>, z: Tensor<3>) -> Tensor<2> {
    let [n, k, latent] = z.dims();
    let each = repeated(q, k).log_prob(z.reshape([n * k, latent]));
    sum_event(each).reshape([n, k])
}

/// Each row k times.
pub(crate) fn repeated(q: &Normal<2>, k: usize) -> Normal<2> {
    Normal::new(repeat_rows(q.mean(), k), repeat_rows(q.log_var(), k))
}

impl ApproximatePosterior for Normal<2> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, latent] = self.mean().dims();
        Samples::of(repeated(self, k).sample(rng).reshape([n, k, latent]))
    }

    fn log_prob(&self, z: Tensor<3>) -> Tensor<2> {
        log_prob(self, z)
    }

    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        log_prob(&self.detach(), z)
    }

    fn mean(&self) -> Tensor<2> {
        self.mean()
    }

    fn kl_standard_normal(&self) -> Option<Tensor<2>> {
        Some(kl::normal_standard(self))
    }

    fn widened(&self, factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
        Some(Box::new(widened(self, factor)))
    }
}
