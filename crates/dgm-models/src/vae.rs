//! Variational autoencoder (Kingma and Welling 2014): p(x, z | c) = prior(z) · likelihood(x; decoder(z, c)).

use crate::data::{Batch, DataSpec};
use crate::decoder::{AnyDecoder, Decoder, DecoderConfig};
use crate::encoder::{AnyEncoder, Encoder, EncoderConfig, MlpConfig};
use crate::error::ModelError;
use crate::layers::{Mode, apply, linear, network_target, with_condition};
use crate::likelihood::{Likelihood, LikelihoodConfig};
use crate::objective::log_weights;
use crate::ops::Activation;
use crate::posterior::{AnyPosterior, ApproximatePosterior, Posterior, PosteriorConfig, repeat_rows};
use crate::prior::{AnyPrior, Prior, PriorConfig};
use crate::training::{Examples, Inference, TrainBound, Training};
use crate::traits::{Density, Estimator, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Vae`]: each part is a name, or a table with its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Number of latent variables.
    pub latent: usize,
    /// From an example to features.
    pub encoder: EncoderConfig,
    /// From those features to q(z | x, c).
    pub posterior: PosteriorConfig,
    /// p(z).
    pub prior: PriorConfig,
    /// From latent variables to the features that the likelihood's parameters are a linear function of.
    pub decoder: DecoderConfig,
    /// What those parameters mean.
    pub likelihood: LikelihoodConfig,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            latent: 16,
            encoder: EncoderConfig::default(),
            posterior: PosteriorConfig::default(),
            prior: PriorConfig::default(),
            decoder: DecoderConfig::default(),
            likelihood: LikelihoodConfig::CATEGORICAL,
        }
    }
}

impl VaeConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [8, 16, 32]
        encoder.hidden = [[256, 256], [512, 512]]
        encoder.dropout = [0.0, 0.1, 0.2]
        decoder.hidden = [[256, 256], [512, 512]]
    "#;

    /// With so many latent variables, and an encoder and a decoder of fully connected layers: the widths of the encoder's are given, the
    /// decoder has them in reverse.
    pub fn mlp(latent: usize, hidden: &[usize], likelihood: LikelihoodConfig) -> Self {
        let reversed: Vec<usize> = hidden.iter().rev().copied().collect();
        let encoder = EncoderConfig::Mlp(MlpConfig::of(hidden));
        let decoder = DecoderConfig::Mlp(MlpConfig::of(&reversed));
        Self { latent, encoder, decoder, likelihood, ..Self::default() }
    }

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Vae, ModelError> {
        spec.checked()?;
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        let likelihood = self.likelihood.build(spec)?;
        let outputs = spec.event() * likelihood.parameters();

        let encoder = self.encoder.init(spec, rng, device)?;
        let posterior = self.posterior.init(encoder.features(), self.latent, rng, device)?;
        let decoder = self.decoder.init(self.latent, spec, rng, device)?;
        ModelError::check_weights("decoder", decoder.features(), [[decoder.features(), outputs]])?;
        let output = linear(decoder.features(), outputs, rng, device);
        let prior = self.prior.init(self.latent, spec, rng, device)?;
        Ok(Vae { encoder, posterior, decoder, output, prior, latent: self.latent, likelihood, spec: spec.clone() })
    }
}

/// Encoder and posterior q(z | x, c), decoder and likelihood p(x | z, c), prior p(z).
#[derive(Module, Debug)]
pub struct Vae<P: Module = AnyPrior, Q: Module = AnyPosterior, E: Module = AnyEncoder, D: Module = AnyDecoder> {
    encoder: E,
    posterior: Q,
    decoder: D,
    output: Linear,
    prior: P,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

/// Parts of your own.
impl<P: Module, Q: Module, E: Module, D: Module> Vae<P, Q, E, D> {
    /// The same model with another prior of as many latent variables.
    pub fn with_prior<New: Prior>(self, prior: New) -> Vae<New, Q, E, D> {
        let Self { encoder, posterior, decoder, output, prior: _, latent, likelihood, spec } = self;
        Vae { encoder, posterior, decoder, output, prior, latent, likelihood, spec }
    }

    /// The same model with another posterior of as many latent variables, from as many features.
    pub fn with_posterior<New: Posterior>(self, posterior: New) -> Vae<P, New, E, D> {
        let Self { encoder, posterior: _, decoder, output, prior, latent, likelihood, spec } = self;
        Vae { encoder, posterior, decoder, output, prior, latent, likelihood, spec }
    }

    /// The same model with another encoder that gives as many features.
    ///
    /// # Panics
    /// If it gives another number of features.
    pub fn with_encoder<New: Encoder>(self, encoder: New) -> Vae<P, Q, New, D>
    where
        E: Encoder,
    {
        let (found, need) = (encoder.features(), self.encoder.features());
        assert_eq!(found, need, "Vae::with_encoder: the encoder gives {found} features, need {need}");
        let Self { encoder: _, posterior, decoder, output, prior, latent, likelihood, spec } = self;
        Vae { encoder, posterior, decoder, output, prior, latent, likelihood, spec }
    }

    /// The same model with another decoder that gives as many features.
    ///
    /// # Panics
    /// If it gives another number of features.
    pub fn with_decoder<New: Decoder>(self, decoder: New) -> Vae<P, Q, E, New>
    where
        D: Decoder,
    {
        let (found, need) = (decoder.features(), self.decoder.features());
        assert_eq!(found, need, "Vae::with_decoder: the decoder gives {found} features, need {need}");
        let Self { encoder, posterior, decoder: _, output, prior, latent, likelihood, spec } = self;
        Vae { encoder, posterior, decoder, output, prior, latent, likelihood, spec }
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Vae<P, Q, E, D> {
    /// q(z | x, c).
    fn posterior(&self, batch: &Batch, mode: &mut Mode) -> Box<dyn ApproximatePosterior> {
        let x = network_target(&self.spec, batch.target.clone());
        self.encoded(with_condition(&self.spec, x, batch.condition.as_ref()), mode)
    }

    /// q(z) of the encoder's inputs.
    fn encoded(&self, inputs: Tensor<2>, mode: &mut Mode) -> Box<dyn ApproximatePosterior> {
        self.posterior.infer(self.encoder.forward(inputs, mode))
    }

    /// The parameters of p(x | z, c), `[batch, event, parameters]`.
    fn likelihood_parameters(&self, z: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let [rows, _] = z.dims();
        let z = with_condition(&self.spec, z, condition);
        let outputs = apply(&self.output, self.decoder.forward(z, mode), Activation::Identity);
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

    /// KL(q ‖ p) of each latent variable, `[batch, latent]`, where it has a closed form.
    fn closed_kl(&self, q: &dyn ApproximatePosterior) -> Option<Tensor<2>> {
        self.prior.kl(q.normal()?)
    }

    /// Whether there is one.
    fn has_closed_kl(&self) -> bool {
        let features = Tensor::zeros([1, self.encoder.features()], &self.device());
        self.closed_kl(self.posterior.infer(features).as_ref()).is_some()
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> TrainBound for Vae<P, Q, E, D> {
    fn kl_parts(&self) -> usize {
        if self.has_closed_kl() { self.latent } else { 1 }
    }

    fn infer<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> Box<dyn Inference + 'a> {
        Box::new(VaeInference { model: self, batch, posterior: self.posterior(batch, mode) })
    }
}

/// q(z | x, c) of one batch.
struct VaeInference<'a, P: Module, Q: Module, E: Module, D: Module> {
    model: &'a Vae<P, Q, E, D>,
    batch: &'a Batch,
    posterior: Box<dyn ApproximatePosterior>,
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Inference for VaeInference<'_, P, Q, E, D> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Tensor<3> {
        self.posterior.sample(k, rng)
    }

    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        self.model.prior.sample(n, &|x| self.model.encoded(x, &mut Mode::Evaluate), rng, &self.model.device())
    }

    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2> {
        self.posterior.log_prob(z)
    }

    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        self.posterior.log_prob_fixed(z)
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
        match self.model.closed_kl(self.posterior.as_ref()) {
            Some(kl) => kl,
            None => (self.log_posterior(z.clone()) - self.log_prior(z.clone())).mean_dim(1),
        }
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Density for Vae<P, Q, E, D> {
    fn estimator(&self) -> Estimator {
        let computed = if self.has_closed_kl() { "KL in closed form" } else { "KL by the same samples" };
        Estimator::LowerBound { computed }
    }

    /// One sample of the ELBO, with the KL in closed form where there is one.
    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        let inference = self.infer(batch, &mut Mode::Evaluate);
        let z = inference.sample(1, rng);
        let kl = sum_event(inference.kl(&z));
        inference.log_likelihood(z, &mut Mode::Evaluate).squeeze_dim::<1>(1) - kl
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Latent for Vae<P, Q, E, D> {
    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        let inference = self.infer(batch, &mut Mode::Evaluate);
        let z = inference.sample(1, rng);
        let log_posterior = |z| inference.log_posterior(z);
        log_weights(inference.as_ref(), z, log_posterior, &mut Mode::Evaluate).squeeze_dim(1)
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Generate for Vae<P, Q, E, D> {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let z = self.prior.sample(n, &|x| self.encoded(x, &mut Mode::Evaluate), rng, &self.device());
        let parameters = self.likelihood_parameters(z, condition.as_ref(), &mut Mode::Evaluate);
        self.likelihood.sample(parameters, rng)
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Represent for Vae<P, Q, E, D> {
    /// The posterior's mean.
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.posterior(batch, &mut Mode::Evaluate).mean()
    }

    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Option<Tensor<2>> {
        Some(self.likelihood.mean(self.likelihood_parameters(code, condition.as_ref(), &mut Mode::Evaluate)))
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Model for Vae<P, Q, E, D> {
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
