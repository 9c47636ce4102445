//! Variational autoencoder (Kingma and Welling 2014): p(x, z | c) = prior(z) · likelihood(x; decoder(z, c)).

use super::Observation;
use crate::data::{Batch, DataSpec};
use crate::decoder::{AnyDecoder, Decoder, DecoderConfig};
use crate::encoder::{AnyEncoder, Encoder, EncoderConfig, MlpConfig};
use crate::error::ModelError;
use crate::layers::{Mode, network_target, with_condition};
use crate::likelihood::LikelihoodConfig;
use crate::objective::log_weights;
use crate::posterior::{AnyPosterior, ApproximatePosterior, Posterior, PosteriorConfig, Space};
use crate::prior::{AnyPrior, LatentSpec, Prior, PriorConfig};
use crate::training::{Examples, Inference, Samples, TrainBound, Training};
use crate::traits::{Decode, Density, Estimator, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::sum_event;
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
    /// From latent variables to the likelihood's parameters.
    pub decoder: DecoderConfig,
    /// What those parameters mean.
    pub likelihood: LikelihoodConfig,
    /// Standard deviation of normal noise on what the encoder sees in training, where levels go from −1 to 1 and real numbers are standardised:
    /// q(z | x) of examples that were not trained on gains by it. Default: 0.
    pub input_noise: f64,
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
            input_noise: 0.0,
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
        let noisy = self.input_noise.is_finite() && self.input_noise >= 0.0;
        ModelError::check(noisy, "input_noise", self.input_noise, "a finite number of at least 0")?;
        let likelihood = self.likelihood.build(spec)?;

        let encoder = self.encoder.init(spec, rng, device)?;
        let posterior = self.posterior.init(encoder.features(), self.latent, rng, device)?;
        let network = self.decoder.init(self.latent, spec, likelihood.parameters(), rng, device)?;
        let space = posterior.space();
        let prior = self.prior.init(&LatentSpec { latent: self.latent, space, data: spec }, rng, device)?;
        if !prior.is_on(space) {
            let instead = if space == Space::Real { "standard_normal" } else { "uniform" };
            return Err(ModelError::Data(format!(
                "`model.prior` is \"{}\", which is not a density of {space}, and those are what the posterior \"{}\" samples; set \
                 model.prior = \"{instead}\"",
                self.prior.kind(),
                self.posterior.kind()
            )));
        }
        let decoder = Observation::new(network, likelihood, spec.clone());
        Ok(Vae { encoder, posterior, decoder, prior, latent: self.latent, input_noise: self.input_noise })
    }
}

/// Encoder and posterior q(z | x, c), decoder and likelihood p(x | z, c), prior p(z).
#[derive(Module, Debug)]
pub struct Vae<P: Module = AnyPrior, Q: Module = AnyPosterior, E: Module = AnyEncoder, D: Module = AnyDecoder> {
    encoder: E,
    posterior: Q,
    decoder: Observation<D>,
    prior: P,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    input_noise: f64,
}

/// Parts of your own.
impl<P: Module, Q: Module, E: Module, D: Module> Vae<P, Q, E, D> {
    /// The same model with another prior of as many latent variables.
    pub fn with_prior<New: Prior>(self, prior: New) -> Vae<New, Q, E, D> {
        let Self { encoder, posterior, decoder, prior: _, latent, input_noise } = self;
        Vae { encoder, posterior, decoder, prior, latent, input_noise }
    }

    /// The same model with another posterior of as many latent variables, from as many features.
    pub fn with_posterior<New: Posterior>(self, posterior: New) -> Vae<P, New, E, D> {
        let Self { encoder, posterior: _, decoder, prior, latent, input_noise } = self;
        Vae { encoder, posterior, decoder, prior, latent, input_noise }
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
        let Self { encoder: _, posterior, decoder, prior, latent, input_noise } = self;
        Vae { encoder, posterior, decoder, prior, latent, input_noise }
    }

    /// The same model with another decoder that gives as many outputs.
    ///
    /// # Panics
    /// If it gives others.
    pub fn with_decoder<New: Decoder>(self, network: New) -> Vae<P, Q, E, New>
    where
        D: Decoder,
    {
        let Self { encoder, posterior, decoder, prior, latent, input_noise } = self;
        Vae { encoder, posterior, decoder: decoder.with_network(network), prior, latent, input_noise }
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Vae<P, Q, E, D> {
    /// q(z | x, c).
    fn posterior(&self, batch: &Batch, mode: &mut Mode) -> Box<dyn ApproximatePosterior> {
        let x = mode.jitter(network_target(self.spec(), batch.target.clone()), self.input_noise);
        self.encoded(with_condition(self.spec(), x, batch.condition.as_ref()), mode)
    }

    /// q(z | x, c) of what the encoder sees.
    fn encoded(&self, x: Tensor<2>, mode: &mut Mode) -> Box<dyn ApproximatePosterior> {
        self.posterior.infer(self.encoder.forward(x, mode))
    }

    /// n samples of p(z), `[n, latent]`.
    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        self.prior.sample(n, &|x| self.encoded(x, &mut Mode::Evaluate), rng, &self.decoder.device())
    }

    /// Number of parameters of the prior.
    pub(crate) fn prior_parameters(&self) -> usize {
        self.prior.num_params()
    }

    /// In how many parts KL(q ‖ p) has a closed form.
    fn closed_kl_parts(&self) -> Option<usize> {
        let features = Tensor::zeros([1, self.encoder.features()], &self.decoder.device());
        Some(self.prior.kl(self.posterior.infer(features).as_ref())?.dims()[1])
    }

    fn inference<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> VaeInference<'a, P, Q, E, D> {
        VaeInference { model: self, batch, posterior: self.posterior(batch, mode) }
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> TrainBound for Vae<P, Q, E, D> {
    fn kl_parts(&self) -> Vec<usize> {
        vec![self.closed_kl_parts().unwrap_or(1)]
    }

    fn infer<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> Box<dyn Inference + 'a> {
        Box::new(self.inference(batch, mode))
    }
}

/// q(z | x, c) of one batch.
struct VaeInference<'a, P: Module, Q: Module, E: Module, D: Module> {
    model: &'a Vae<P, Q, E, D>,
    batch: &'a Batch,
    posterior: Box<dyn ApproximatePosterior>,
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Inference for VaeInference<'_, P, Q, E, D> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        self.posterior.sample(k, rng)
    }

    fn widen(&mut self, factor: f64) -> bool {
        let wider = self.posterior.widened(factor);
        wider.map(|wider| self.posterior = wider).is_some()
    }

    fn expectation(&self) -> Option<Tensor<2>> {
        Some(self.posterior.expectation())
    }

    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        self.model.sample_prior(n, rng)
    }

    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2> {
        self.posterior.log_prob(z)
    }

    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        self.posterior.log_prob_fixed(z)
    }

    fn log_prior(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let encode = |x| self.model.encoded(x, &mut Mode::Evaluate);
        self.model.prior.log_prob(z.reshape([n * k, latent]), &encode).reshape([n, k])
    }

    fn log_likelihood(&self, z: Tensor<3>, mode: &mut Mode) -> Tensor<2> {
        self.model.decoder.log_prob(self.batch, z, mode)
    }

    fn kl(&self, samples: &Samples) -> Tensor<2> {
        match self.model.prior.kl(self.posterior.as_ref()) {
            Some(kl) => kl,
            None => (self.log_posterior_of(samples) - self.log_prior(samples.z.clone())).mean_dim(1),
        }
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Density for Vae<P, Q, E, D> {
    fn estimator(&self) -> Estimator {
        bound(self.closed_kl_parts().is_some())
    }

    /// One sample of the ELBO, with the KL in closed form where there is one.
    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        elbo(&self.inference(batch, &mut Mode::Evaluate), rng)
    }
}

/// What [`elbo`] is.
pub(crate) fn bound(closed_kl: bool) -> Estimator {
    let computed = if closed_kl { "KL in closed form" } else { "KL by the same samples" };
    Estimator::LowerBound { draws: "posterior samples", computed }
}

/// One sample of the ELBO of each example.
pub(crate) fn elbo(inference: &dyn Inference, rng: &mut Stream) -> Tensor<1> {
    let samples = inference.sample(1, rng);
    let kl = sum_event(inference.kl(&samples));
    inference.log_likelihood(samples.z, &mut Mode::Evaluate).squeeze_dim::<1>(1) - kl
}

/// One log-weight of each example.
pub(crate) fn log_weight(inference: &dyn Inference, rng: &mut Stream) -> Tensor<1> {
    let samples = inference.sample(1, rng);
    let log_posterior = inference.log_posterior_of(&samples);
    log_weights(inference, samples.z, log_posterior, &mut Mode::Evaluate).squeeze_dim(1)
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Latent for Vae<P, Q, E, D> {
    fn layers(&self) -> Vec<usize> {
        vec![self.latent]
    }

    fn space(&self) -> Space {
        self.posterior.space()
    }

    fn infer<'a>(&'a self, batch: &'a Batch) -> Option<Box<dyn Inference + 'a>> {
        Some(Box::new(self.inference(batch, &mut Mode::Evaluate)))
    }

    fn sample_given(&self, z: &Tensor<2>, batch: &Batch, rng: &mut Stream) -> Option<Tensor<2>> {
        Some(self.decoder.sample(z.clone(), batch.condition.as_ref(), rng))
    }

    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        log_weight(&self.inference(batch, &mut Mode::Evaluate), rng)
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Generate for Vae<P, Q, E, D> {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let z = self.sample_prior(n, rng);
        self.decoder.sample(z, condition.as_ref(), rng)
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Represent for Vae<P, Q, E, D> {
    /// The posterior's mean.
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.posterior(batch, &mut Mode::Evaluate).mean()
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Decode for Vae<P, Q, E, D> {
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2> {
        self.decoder.mean(code, condition.as_ref())
    }
}

impl<P: Prior, Q: Posterior, E: Encoder, D: Decoder> Model for Vae<P, Q, E, D> {
    fn spec(&self) -> &DataSpec {
        self.decoder.spec()
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

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }
}
