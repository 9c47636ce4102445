//! Variational autoencoder (Kingma and Welling 2014): p(x, z | c) = N(z; 0, 1) · likelihood(x; decoder(z, c)).

use crate::data::{Batch, DataSpec};
use crate::error::{ModelError, chain};
use crate::layers::{Mlp, Mode, linear, network_target, with_condition};
use crate::likelihood::{Likelihood, LikelihoodKind};
use crate::traits::{Density, Estimator, Generate, Latent, Model, Represent, Train, Training, Weights};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::divergence::kl;
use dgm_core::objective::{Elbo, Objective, fill_padding, sum_event};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Vae`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Number of latent variables.
    pub latent: usize,
    /// Widths of the encoder's hidden layers; the decoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Dropout after each hidden layer of the encoder.
    pub dropout: f64,
    /// Dropout after each hidden layer of the decoder.
    pub decoder_dropout: f64,
    /// What the decoder's outputs mean.
    pub likelihood: LikelihoodKind,
    /// Components of a mixture likelihood.
    pub components: usize,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            latent: 16,
            hidden: vec![256, 256],
            dropout: 0.0,
            decoder_dropout: 0.0,
            likelihood: LikelihoodKind::Categorical,
            components: 1,
        }
    }
}

impl VaeConfig {
    /// Builds the model for `spec`, with weights drawn from `noise`.
    pub fn init(&self, spec: &DataSpec, noise: &mut Stream, device: &Device) -> Result<Vae, ModelError> {
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        ModelError::check_dropout("dropout", self.dropout)?;
        ModelError::check_dropout("decoder_dropout", self.decoder_dropout)?;
        ModelError::check_hidden("hidden", &self.hidden)?;
        let likelihood = self.likelihood.build(self.components, spec)?;

        let (inputs, latents) = (spec.event() + spec.condition_width(), self.latent + spec.condition_width());
        let reversed: Vec<usize> = self.hidden.iter().rev().copied().collect();
        let encoder = std::iter::once(inputs).chain(self.hidden.iter().copied()).chain([2 * self.latent]);
        let output = spec.event() * likelihood.parameters();
        let decoder = std::iter::once(latents).chain(reversed.iter().copied()).chain([output]);
        let layers = [chain(encoder), chain(decoder)].concat();
        ModelError::check_weights("hidden", format!("{:?}", self.hidden), layers)?;
        let encoded = self.hidden.last().copied().unwrap_or(inputs);
        let decoded = reversed.last().copied().unwrap_or(latents);
        Ok(Vae {
            encoder: Mlp::new(inputs, &self.hidden, self.dropout, noise, device),
            posterior: linear(encoded, 2 * self.latent, noise, device),
            decoder: Mlp::new(latents, &reversed, self.decoder_dropout, noise, device),
            output: linear(decoded, output, noise, device),
            latent: self.latent,
            likelihood,
            spec: spec.clone(),
        })
    }
}

/// Encoder q(z | x, c) = N(μ, σ²), decoder p(x | z, c), prior N(0, 1).
#[derive(Module, Debug)]
pub struct Vae {
    encoder: Mlp,
    posterior: Linear,
    decoder: Mlp,
    output: Linear,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

impl Vae {
    /// q(z | x, c), `[batch, latent]`.
    fn posterior(&self, batch: &Batch, mode: &mut Mode) -> Normal<2> {
        let x = network_target(&self.spec, batch.target.clone());
        let x = with_condition(&self.spec, x, batch.condition.as_ref());
        let outputs = self.posterior.forward(self.encoder.forward(x, mode));
        let rows = batch.len();
        let part = |i: usize| outputs.clone().slice([0..rows, i * self.latent..(i + 1) * self.latent]);
        Normal::new(part(0), part(1))
    }

    /// The parameters of p(x | z, c), `[batch, event, parameters]`.
    fn likelihood_parameters(&self, z: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let [rows, _] = z.dims();
        let z = with_condition(&self.spec, z, condition);
        let outputs = self.output.forward(self.decoder.forward(z, mode));
        outputs.reshape([rows, self.spec.event(), self.likelihood.parameters()])
    }

    /// log p(x | z, c), `[batch]`.
    fn log_likelihood(&self, batch: &Batch, z: Tensor<2>, mode: &mut Mode) -> Tensor<1> {
        let parameters = self.likelihood_parameters(z, batch.condition.as_ref(), mode);
        let log_prob = self.likelihood.log_prob(parameters, batch.target.clone());
        sum_event(fill_padding(log_prob, batch.mask.as_ref()))
    }

    fn prior(&self, rows: usize, device: &Device) -> Normal<2> {
        let zeros = Tensor::zeros([rows, self.latent], device);
        Normal::new(zeros.clone(), zeros)
    }
}

impl Train for Vae {
    fn objective(&self, batch: &Batch, weights: Weights, noise: &mut Stream) -> Objective {
        let posterior = self.posterior(batch, &mut Mode::Train(noise));
        let z = posterior.sample(noise);
        let log_likelihood = self.log_likelihood(batch, z, &mut Mode::Train(noise));
        Elbo { beta: weights.beta, free_bits: None }.objective(log_likelihood, kl::normal_standard(&posterior))
    }
}

impl Density for Vae {
    fn estimator(&self) -> Estimator {
        Estimator::LowerBound { computed: "KL in closed form" }
    }

    /// One sample of the ELBO, with the KL in closed form.
    fn log_prob(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1> {
        let posterior = self.posterior(batch, &mut Mode::Evaluate);
        let z = posterior.sample(noise);
        self.log_likelihood(batch, z, &mut Mode::Evaluate) - sum_event(kl::normal_standard(&posterior))
    }
}

impl Latent for Vae {
    fn log_weight(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1> {
        let posterior = self.posterior(batch, &mut Mode::Evaluate);
        let z = posterior.sample(noise);
        let prior = self.prior(batch.len(), &z.device());
        let ratio = sum_event(prior.log_prob(z.clone()) - posterior.log_prob(z.clone()));
        self.log_likelihood(batch, z, &mut Mode::Evaluate) + ratio
    }
}

impl Generate for Vae {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, noise: &mut Stream) -> Tensor<2> {
        let device = self.output.weight.val().device();
        let z = noise.normal_tensor([n, self.latent], &device);
        let parameters = self.likelihood_parameters(z, condition.as_ref(), &mut Mode::Evaluate);
        self.likelihood.sample(parameters, noise)
    }
}

impl Represent for Vae {
    /// The posterior's mean.
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.posterior(batch, &mut Mode::Evaluate).mean()
    }

    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2> {
        self.likelihood.mean(self.likelihood_parameters(code, condition.as_ref(), &mut Mode::Evaluate))
    }
}

impl Model for Vae {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Gradient(self)
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }
}
