//! Variational autoencoder (Kingma and Welling 2014): p(x, z | c) = prior(z) · likelihood(x; decoder(z, c)).

use crate::data::{Batch, DataSpec};
use crate::error::{ModelError, chain};
use crate::layers::{Mlp, Mode, linear, network_target, with_condition};
use crate::likelihood::{Likelihood, LikelihoodKind};
use crate::objective::log_weights;
use crate::prior::{AnyPrior, Prior, PriorConfig};
use crate::training::{Examples, Inference, TrainBound, Training};
use crate::traits::{Density, Estimator, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::{fill_padding, sum_event};
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
    /// The density of the latent variables: a name, or a table with its keys.
    pub prior: PriorConfig,
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
            prior: PriorConfig::default(),
        }
    }
}

impl VaeConfig {
    /// Builds the model for `spec`, with weights drawn from `noise`.
    pub fn init(&self, spec: &DataSpec, noise: &mut Stream, device: &Device) -> Result<Vae, ModelError> {
        spec.checked()?;
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
            prior: self.prior.init(self.latent, spec, noise, device)?,
            latent: self.latent,
            likelihood,
            spec: spec.clone(),
        })
    }
}

/// Encoder q(z | x, c) = N(μ, σ²), decoder p(x | z, c), prior p(z).
#[derive(Module, Debug)]
pub struct Vae<P: Module = AnyPrior> {
    encoder: Mlp,
    posterior: Linear,
    decoder: Mlp,
    output: Linear,
    prior: P,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

impl Vae {
    /// The same networks with another prior of as many latent variables, one of your own perhaps.
    pub fn with_prior<P: Prior>(self, prior: P) -> Vae<P> {
        let Self { encoder, posterior, decoder, output, prior: _, latent, likelihood, spec } = self;
        Vae { encoder, posterior, decoder, output, prior, latent, likelihood, spec }
    }
}

impl<P: Prior> Vae<P> {
    /// q(z | x, c), `[batch, latent]`.
    fn posterior(&self, batch: &Batch, mode: &mut Mode) -> Normal<2> {
        let x = network_target(&self.spec, batch.target.clone());
        self.encoded(with_condition(&self.spec, x, batch.condition.as_ref()), mode)
    }

    /// q(z) of the encoder's inputs, `[batch, latent]`.
    fn encoded(&self, inputs: Tensor<2>, mode: &mut Mode) -> Normal<2> {
        let [rows, _] = inputs.dims();
        let outputs = self.posterior.forward(self.encoder.forward(inputs, mode));
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

    /// log p(z), `[batch]`.
    fn log_prior(&self, z: Tensor<2>) -> Tensor<1> {
        self.prior.log_prob(z, &|x| self.encoded(x, &mut Mode::Evaluate))
    }

    fn device(&self) -> Device {
        self.output.weight.val().device()
    }

    /// Whether the KL of posterior and prior has a closed form.
    fn has_closed_kl(&self) -> bool {
        let zeros = Tensor::zeros([1, self.latent], &self.device());
        self.prior.kl(&Normal::new(zeros.clone(), zeros)).is_some()
    }
}

impl<P: Prior> TrainBound for Vae<P> {
    fn kl_parts(&self) -> usize {
        if self.has_closed_kl() { self.latent } else { 1 }
    }

    fn infer<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> Box<dyn Inference + 'a> {
        Box::new(VaeInference { model: self, batch, posterior: self.posterior(batch, mode) })
    }
}

/// q(z | x, c) = N(μ, σ²) of one batch.
struct VaeInference<'a, P: Module> {
    model: &'a Vae<P>,
    batch: &'a Batch,
    posterior: Normal<2>,
}

/// Each row k times, one after the other: `[n, d]` → `[n · k, d]`.
fn repeat_rows(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n, d] = x.dims();
    if k == 1 { x } else { x.unsqueeze_dim::<3>(1).expand([n, k, d]).reshape([n * k, d]) }
}

impl<P: Prior> VaeInference<'_, P> {
    /// Densities of each latent variable `[n · k, latent]`, summed over them: `[n, k]`.
    fn summed(&self, log_prob: Tensor<2>, k: usize) -> Tensor<2> {
        sum_event(log_prob).reshape([self.batch.len(), k])
    }

    fn log_prob(&self, posterior: &Normal<2>, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let [mean, log_var] = [posterior.mean(), posterior.log_var()].map(|x| repeat_rows(x, k));
        self.summed(Normal::new(mean, log_var).log_prob(z.reshape([n * k, latent])), k)
    }
}

impl<P: Prior> Inference for VaeInference<'_, P> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Tensor<3> {
        let [mean, log_var] = [self.posterior.mean(), self.posterior.log_var()].map(|x| repeat_rows(x, k));
        let z = Normal::new(mean, log_var).sample(rng);
        z.reshape([self.batch.len(), k, self.model.latent])
    }

    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        let device = self.posterior.mean().device();
        self.model.prior.sample(n, &|x| self.model.encoded(x, &mut Mode::Evaluate), rng, &device)
    }

    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2> {
        self.log_prob(&self.posterior, z)
    }

    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        self.log_prob(&self.posterior.detach(), z)
    }

    fn log_prior(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        self.model.log_prior(z.reshape([n * k, latent])).reshape([n, k])
    }

    fn log_likelihood(&self, z: Tensor<3>, mode: &mut Mode) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let batch = Batch {
            target: repeat_rows(self.batch.target.clone(), k),
            condition: self.batch.condition.clone().map(|condition| repeat_rows(condition, k)),
            mask: self.batch.mask.clone().map(|mask| repeat_rows(mask, k)),
        };
        self.model.log_likelihood(&batch, z.reshape([n * k, latent]), mode).reshape([n, k])
    }

    fn kl(&self, z: &Tensor<3>) -> Tensor<2> {
        match self.model.prior.kl(&self.posterior) {
            Some(kl) => kl,
            None => (self.log_posterior(z.clone()) - self.log_prior(z.clone())).mean_dim(1),
        }
    }
}

impl<P: Prior> Density for Vae<P> {
    fn estimator(&self) -> Estimator {
        let computed = if self.has_closed_kl() { "KL in closed form" } else { "KL by the same samples" };
        Estimator::LowerBound { computed }
    }

    /// One sample of the ELBO, with the KL in closed form where there is one.
    fn log_prob(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1> {
        let inference = self.infer(batch, &mut Mode::Evaluate);
        let z = inference.sample(1, noise);
        let kl = sum_event(inference.kl(&z));
        inference.log_likelihood(z, &mut Mode::Evaluate).squeeze_dim::<1>(1) - kl
    }
}

impl<P: Prior> Latent for Vae<P> {
    fn log_weight(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1> {
        let inference = self.infer(batch, &mut Mode::Evaluate);
        let z = inference.sample(1, noise);
        let log_posterior = |z| inference.log_posterior(z);
        log_weights(inference.as_ref(), z, log_posterior, &mut Mode::Evaluate).squeeze_dim(1)
    }
}

impl<P: Prior> Generate for Vae<P> {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, noise: &mut Stream) -> Tensor<2> {
        let z = self.prior.sample(n, &|x| self.encoded(x, &mut Mode::Evaluate), noise, &self.device());
        let parameters = self.likelihood_parameters(z, condition.as_ref(), &mut Mode::Evaluate);
        self.likelihood.sample(parameters, noise)
    }
}

impl<P: Prior> Represent for Vae<P> {
    /// The posterior's mean.
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.posterior(batch, &mut Mode::Evaluate).mean()
    }

    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Option<Tensor<2>> {
        Some(self.likelihood.mean(self.likelihood_parameters(code, condition.as_ref(), &mut Mode::Evaluate)))
    }
}

impl<P: Prior> Model for Vae<P> {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Bound(self)
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        self.prior.fit(examples, rng)
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
