//! The plain latent generator: z ~ N(0, 1), a decoder and a likelihood, without an encoder.

use super::Observation;
use super::vae::log_weight;
use crate::data::{Batch, DataSpec};
use crate::decoder::{AnyDecoder, DecoderConfig};
use crate::error::ModelError;
use crate::layers::Mode;
use crate::likelihood::LikelihoodConfig;
use crate::training::{Inference, Samples, TrainLikelihood, Training};
use crate::traits::{Density, Estimator, Generate, Latent, Model};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::estimate::log_mean_exp;
use dgm_core::random::{Seed, Stream};
use serde::{Deserialize, Serialize};

/// Configuration of [`LatentGenerator`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatentGeneratorConfig {
    /// Number of latent variables; few, as none of them is inferred. Default: 2.
    pub latent: usize,
    /// From latent variables to the likelihood's parameters.
    pub decoder: DecoderConfig,
    /// What those parameters mean.
    pub likelihood: LikelihoodConfig,
    /// Samples k of z for each example in a step of training, and in the bound that is reported of every epoch. Default: 64.
    pub samples: usize,
}

impl Default for LatentGeneratorConfig {
    fn default() -> Self {
        Self { latent: 2, decoder: DecoderConfig::default(), likelihood: LikelihoodConfig::CATEGORICAL, samples: 64 }
    }
}

impl LatentGeneratorConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [1, 2, 4, 8]
        samples = [16, 64, 256]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<LatentGenerator, ModelError> {
        spec.checked()?;
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        ModelError::check((1..=100_000).contains(&self.samples), "samples", self.samples, "1 to 100000")?;
        let likelihood = self.likelihood.build(spec)?;
        let network = self.decoder.init(self.latent, spec, likelihood.parameters(), rng, device)?;
        let decoder = Observation::new(network, likelihood, spec.clone());
        Ok(LatentGenerator { decoder, latent: self.latent, samples: self.samples })
    }
}

/// p(x | c) = E_{z ~ N(0, 1)}\[p(x | z, c)\], trained by its naive Monte-Carlo estimate log (1/k Σᵢ p(x | zᵢ, c)), zᵢ ~ N(0, 1).
///
/// The mean is unbiased for p(x | c); its logarithm is not for log p(x | c), but a lower bound of it in expectation (Jensen), by about
/// Var\[p(x | z)\] / (2 k p(x)²) nats for large k, which with a z drawn blindly is far: an encoder is what mends that.
#[derive(Module, Debug)]
pub struct LatentGenerator {
    decoder: Observation<AnyDecoder>,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    samples: usize,
}

/// N(0, 1) as the proposal for one batch.
struct Blind<'a> {
    model: &'a LatentGenerator,
    batch: &'a Batch,
}

impl Inference for Blind<'_> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        Samples::of(rng.normal_tensor([self.batch.len(), k, self.model.latent], &self.batch.target.device()))
    }

    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        rng.normal_tensor([n, self.model.latent], &self.model.decoder.device())
    }

    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2> {
        self.log_prior(z)
    }

    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        self.log_prior(z)
    }

    fn log_prior(&self, z: Tensor<3>) -> Tensor<2> {
        let zeros = z.clone().detach().zeros_like();
        Normal::new(zeros.clone(), zeros).log_prob(z).sum_dim(2).squeeze_dim(2)
    }

    fn log_likelihood(&self, z: Tensor<3>, mode: &mut Mode) -> Tensor<2> {
        self.model.decoder.log_prob(self.batch, z, mode)
    }

    /// None: the proposal is the prior.
    fn kl(&self, samples: &Samples) -> Tensor<2> {
        let [n, _, _] = samples.z.dims();
        Tensor::zeros([n, 1], &samples.z.device())
    }
}

impl LatentGenerator {
    /// k = `samples` draws of z for each example.
    fn draw(&self, batch: &Batch, rng: &mut Stream) -> Tensor<3> {
        Blind { model: self, batch }.sample(self.samples, rng).z
    }

    /// log (1/k Σᵢ p(x | zᵢ, c)) over these z, `[batch]`.
    fn log_marginal(&self, batch: &Batch, z: Tensor<3>, mode: &mut Mode) -> Tensor<1> {
        log_mean_exp(self.decoder.log_prob(batch, z, mode))
    }
}

impl TrainLikelihood for LatentGenerator {
    /// With samples of its own.
    fn is_estimate(&self) -> bool {
        true
    }

    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        let z = match mode {
            Mode::Train(rng) | Mode::OneMask(rng) => self.draw(batch, rng),
            // Without a stream the same draws every time.
            Mode::Evaluate => self.draw(batch, &mut Seed(0).stream("latent", 0)),
        };
        self.log_marginal(batch, z, mode).unsqueeze_dim(1)
    }
}

impl Density for LatentGenerator {
    fn estimator(&self) -> Estimator {
        Estimator::MonteCarlo { samples: self.samples }
    }

    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        self.log_marginal(batch, self.draw(batch, rng), &mut Mode::Evaluate)
    }
}

impl Latent for LatentGenerator {
    fn layers(&self) -> Vec<usize> {
        vec![self.latent]
    }

    fn infer<'a>(&'a self, batch: &'a Batch) -> Option<Box<dyn Inference + 'a>> {
        Some(Box::new(Blind { model: self, batch }))
    }

    fn sample_given(&self, z: &Tensor<2>, batch: &Batch, rng: &mut Stream) -> Option<Tensor<2>> {
        Some(self.decoder.sample(z.clone(), batch.condition.as_ref(), rng))
    }

    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        log_weight(&Blind { model: self, batch }, rng)
    }
}

impl Generate for LatentGenerator {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let z = rng.normal_tensor([n, self.latent], &self.decoder.device());
        self.decoder.sample(z, condition.as_ref(), rng)
    }
}

impl Model for LatentGenerator {
    fn spec(&self) -> &DataSpec {
        self.decoder.spec()
    }

    fn training(&self) -> Training<'_> {
        Training::Likelihood(self)
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }
}
