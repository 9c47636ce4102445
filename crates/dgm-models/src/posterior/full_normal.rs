//! q(z | x) = N(μ, LLᵀ) with a full covariance.

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
use dgm_core::density::MultivariateNormal;
use dgm_core::random::Stream;

/// q(z | x) = N(z; μ(x), L(x) L(x)ᵀ), L lower triangular with the diagonal exp(½ log σ²(x)), log σ² within ±15 (Kingma and Welling 2019,
/// "An introduction to variational autoencoders", section 2.5.1). For few latent variables: L has d (d + 1) / 2 numbers.
#[derive(Module, Debug)]
pub struct FullNormalPosterior {
    layer: Linear,
    /// Below the diagonal: at first little is correlated.
    below: Option<Linear>,
    #[module(skip)]
    latent: usize,
}

impl FullNormalPosterior {
    pub(super) fn new(
        _: &Plain,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let below = latent * (latent - 1) / 2;
        ModelError::check_weights("latent", latent, [[features, 2 * latent], [features, below]])?;
        let layer = linear(features, 2 * latent, rng, device);
        let below = (below > 0).then(|| linear(features, below, rng, device));
        Ok(Self { layer, below, latent })
    }
}

impl Posterior for FullNormalPosterior {
    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let [n, _] = features.dims();
        let d = self.latent;
        let outputs = apply(&self.layer, features.clone(), Activation::Identity);
        let mean = outputs.clone().slice([0..n, 0..d]);
        let log_std = outputs.slice([0..n, d..2 * d]).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND).mul_scalar(0.5);
        let none = Tensor::zeros([n, 1], &features.device());
        let given =
            self.below.as_ref().map(|layer| apply(layer, features, Activation::Identity).div_scalar((d as f64).sqrt()));
        // Each number at its place, and the 0 in front of them elsewhere.
        let packed = Tensor::cat(std::iter::once(none).chain(given).collect(), 1);
        let places: Vec<i32> = (0..d * d).map(|i| place_below(i / d, i % d) as i32).collect();
        let below = packed.clone().select(1, Tensor::from_ints(places.as_slice(), &packed.device()));
        Box::new(MultivariateNormal::new(mean, log_std, below.reshape([n, d, d])))
    }
}

/// Where the number of this row and column is among those below the diagonal, row by row, from 1 on; 0: it is not.
fn place_below(row: usize, column: usize) -> usize {
    if column < row { row * (row - 1) / 2 + column + 1 } else { 0 }
}

/// Each example k times.
fn repeated(q: &MultivariateNormal, k: usize) -> MultivariateNormal {
    let (mean, log_std, below) = q.parameters();
    let [n, d] = mean.dims();
    let rows = repeat_rows(below.reshape([n, d * d]), k).reshape([n * k, d, d]);
    MultivariateNormal::new(repeat_rows(mean, k), repeat_rows(log_std, k), rows)
}

/// Densities of the rows of z `[n, k, latent]`.
fn log_prob(q: &MultivariateNormal, z: Tensor<3>) -> Tensor<2> {
    let [n, k, latent] = z.dims();
    repeated(q, k).log_prob(z.reshape([n * k, latent])).reshape([n, k])
}

impl ApproximatePosterior for MultivariateNormal {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, latent] = self.mean().dims();
        let (z, log_prob) = repeated(self, k).sample_with_log_prob(rng);
        Samples { z: z.reshape([n, k, latent]), log_posterior: Some(log_prob.reshape([n, k])) }
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
        Some(dgm_core::divergence::kl::multivariate_normal_standard(self).unsqueeze_dim(1))
    }

    fn widened(&self, factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
        let (mean, log_std, below) = self.parameters();
        Some(Box::new(Self::new(mean, log_std.add_scalar(factor.ln()), below.mul_scalar(factor))))
    }
}
