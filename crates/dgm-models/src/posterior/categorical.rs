//! q(z | x) of classes: groups of one-hot variables, with a straight-through gradient.

use super::{ApproximatePosterior, Posterior, Space, repeat_rows};
use crate::error::ModelError;
use crate::layers::{apply, linear};
use crate::ops::Activation;
use crate::training::Samples;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `posterior = { kind = "categorical", classes = 8, temperature = 1.0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalConfig {
    /// Classes of each group; `latent` is a multiple of them. Default: 8.
    pub classes: usize,
    /// Temperature τ of the gradient: a high one has more bias and less variance. Default: 1.
    pub temperature: f64,
}

impl Default for CategoricalConfig {
    fn default() -> Self {
        Self { classes: 8, temperature: 1.0 }
    }
}

/// q(z | x) = Π_groups Categorical(logits(x)), z one-hot in each group. Samples are exact (Gumbel-max); their gradient is that of
/// softmax((logits + g) / τ) with the same Gumbel noise g, which is biased (Jang, Gu and Poole 2017, "Categorical reparameterization with
/// Gumbel-softmax", section 2.2, straight-through).
#[derive(Module, Debug)]
pub struct CategoricalPosterior {
    layer: Linear,
    #[module(skip)]
    config: CategoricalConfig,
}

impl CategoricalPosterior {
    pub(super) fn new(
        config: &CategoricalConfig,
        features: usize,
        latent: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let CategoricalConfig { classes, temperature } = *config;
        ModelError::check((2..=65_536).contains(&classes), "posterior.classes", classes, "2 to 65536")?;
        let warm = temperature.is_finite() && temperature >= 1e-3;
        ModelError::check(warm, "posterior.temperature", temperature, "a finite number of at least 0.001")?;
        if !latent.is_multiple_of(classes) {
            return Err(ModelError::OutOfRange {
                key: "latent",
                found: latent.to_string(),
                expected: format!("a multiple of posterior.classes = {classes}"),
            });
        }
        ModelError::check_weights("latent", latent, [[features, latent]])?;
        Ok(Self { layer: linear(features, latent, rng, device), config: config.clone() })
    }
}

impl Posterior for CategoricalPosterior {
    fn space(&self) -> Space {
        Space::OneOf(self.config.classes)
    }

    fn infer(&self, features: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let logits = apply(&self.layer, features, Activation::Identity);
        Box::new(Classes { logits, config: self.config.clone() })
    }
}

/// q(z | x) of a batch.
struct Classes {
    /// `[batch, latent]`
    logits: Tensor<2>,
    config: CategoricalConfig,
}

impl Classes {
    /// log q of each class, `[batch · groups, classes]`.
    fn log_probs(&self) -> Tensor<2> {
        log_softmax(self.groups(self.logits.clone()), 1)
    }

    fn groups(&self, rows: Tensor<2>) -> Tensor<2> {
        let ([n, latent], classes) = (rows.dims(), self.config.classes);
        rows.reshape([n * (latent / classes), classes])
    }

    fn with(&self, logits: Tensor<2>) -> Self {
        Self { logits, config: self.config.clone() }
    }
}

impl ApproximatePosterior for Classes {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, latent] = self.logits.dims();
        let device = self.logits.device();
        let logits = self.groups(repeat_rows(self.logits.clone(), k));
        let [rows, classes] = logits.dims();
        // −log(−log u) of a u that is neither 0 nor 1.
        let gumbel: Vec<f32> =
            rng.uniforms(rows * classes).into_iter().map(|u| -(-(u + 3e-8).ln()).max(1e-7).ln()).collect();
        let noisy = logits + Tensor::from_data(TensorData::new(gumbel, [rows, classes]), &device);
        let largest = noisy.clone().detach().argmax(1);
        let hard = Tensor::zeros([rows, classes], &device).scatter(
            1,
            largest,
            Tensor::ones([rows, 1], &device),
            burn::tensor::IndexingUpdateOp::Add,
        );
        let soft = softmax(noisy.div_scalar(self.config.temperature), 1);
        let z = hard + (soft.clone() - soft.detach());
        Samples::of(z.reshape([n, k, latent]))
    }

    fn log_prob(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let log_probs = repeat_rows(self.log_probs().reshape([n, latent]), k);
        (log_probs * z.reshape([n * k, latent])).sum_dim(1).reshape([n, k])
    }

    fn log_prob_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        self.with(self.logits.clone().detach()).log_prob(z)
    }

    /// The probabilities.
    fn mean(&self) -> Tensor<2> {
        let shape = self.logits.dims();
        self.log_probs().exp().reshape(shape)
    }

    /// Of each group: Σ q (log q + log C).
    fn kl_uniform(&self) -> Option<Tensor<2>> {
        let ([n, latent], classes) = (self.logits.dims(), self.config.classes);
        let log_probs = self.log_probs();
        let kl = (log_probs.clone().exp() * log_probs.add_scalar((classes as f64).ln())).sum_dim(1);
        Some(kl.reshape([n, latent / classes]))
    }

    /// Logits over factor².
    fn widened(&self, factor: f64) -> Option<Box<dyn ApproximatePosterior>> {
        Some(Box::new(self.with(self.logits.clone().div_scalar(factor * factor))))
    }
}
