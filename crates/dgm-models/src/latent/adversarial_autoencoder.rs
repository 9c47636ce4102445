//! Adversarial autoencoder: a VAE whose codes are held to the prior by a discriminator instead of a KL.

use super::vae::{Vae, VaeConfig};
use crate::data::{Batch, DataSpec};
use crate::decoder::DecoderConfig;
use crate::encoder::EncoderConfig;
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, apply, linear};
use crate::likelihood::LikelihoodConfig;
use crate::ops::Activation;
use crate::posterior::PosteriorConfig;
use crate::prior::PriorConfig;
use crate::training::{Examples, Player, Train, TrainBound, Training, nothing};
use crate::traits::{Decode, Density, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{NonSaturating, Objective};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`AdversarialAutoencoder`]: the keys of [`VaeConfig`], and the discriminator's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdversarialAutoencoderConfig {
    /// Number of latent variables.
    pub latent: usize,
    /// From an example to features.
    pub encoder: EncoderConfig,
    /// From those features to q(z | x, c).
    pub posterior: PosteriorConfig,
    /// p(z), which codes are to be distributed as.
    pub prior: PriorConfig,
    /// From latent variables to the likelihood's parameters.
    pub decoder: DecoderConfig,
    /// What those parameters mean.
    pub likelihood: LikelihoodConfig,
    /// Widths of the discriminator's layers. Default: `[128, 128]`.
    pub discriminator: Vec<usize>,
}

impl Default for AdversarialAutoencoderConfig {
    fn default() -> Self {
        let VaeConfig { latent, encoder, posterior, prior, decoder, likelihood, input_noise: _ } = VaeConfig::default();
        Self { latent, encoder, posterior, prior, decoder, likelihood, discriminator: vec![128, 128] }
    }
}

impl AdversarialAutoencoderConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [4, 8, 16]
        discriminator = [[64, 64], [128, 128], [256, 256]]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(
        &self,
        spec: &DataSpec,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<AdversarialAutoencoder, ModelError> {
        ModelError::check_hidden("discriminator", &self.discriminator)?;
        let vae = VaeConfig {
            latent: self.latent,
            encoder: self.encoder.clone(),
            posterior: self.posterior.clone(),
            prior: self.prior.clone(),
            decoder: self.decoder.clone(),
            likelihood: self.likelihood.clone(),
            input_noise: 0.0,
        };
        let autoencoder = vae.init(spec, rng, device)?;
        if autoencoder.prior_parameters() > 0 {
            return Err(ModelError::Data(format!(
                "`model.prior` is \"{}\", which has parameters to learn, and nobody learns them in an \"adversarial_autoencoder\"; set \
                 model.prior = \"standard_normal\"",
                self.prior.kind()
            )));
        }
        let hidden = Mlp::new(self.latent, &self.discriminator, 0.0, rng, device);
        let output = linear(hidden.outputs(), 1, rng, device);
        Ok(AdversarialAutoencoder { autoencoder, discriminator: Discriminator { hidden, output } })
    }
}

/// Three players take turns: the autoencoder minimises −E_q\[log p(x | z, c)\]; the discriminator tells z ~ p(z) from z ~ q(z | x, c); the
/// encoder makes it fail (Makhzani et al. 2015, "Adversarial autoencoders", section 2). What is measured of it is what is measured of a
/// VAE, which it is: its bound holds as any does, though nothing was trained to tighten it.
#[derive(Module, Debug)]
pub struct AdversarialAutoencoder {
    autoencoder: Vae,
    discriminator: Discriminator,
}

/// The logit of "z is from the prior".
#[derive(Module, Debug)]
struct Discriminator {
    hidden: Mlp,
    output: Linear,
}

impl Discriminator {
    fn logit(&self, z: Tensor<2>) -> Tensor<1> {
        apply(&self.output, self.hidden.forward(z, &mut Mode::Evaluate), Activation::Identity).squeeze_dim(1)
    }
}

impl Train for AdversarialAutoencoder {
    fn players(&self) -> Vec<Player> {
        vec![
            Player::new("autoencoder", &["autoencoder.encoder.*", "autoencoder.posterior.*", "autoencoder.decoder.*"]),
            Player::new("discriminator", &["discriminator.*"]),
            Player::new("encoder", &["autoencoder.encoder.*", "autoencoder.posterior.*"]),
        ]
    }

    fn loss(&self, player: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        let [batch, ..] = views else { return nothing() };
        let inference = TrainBound::infer(&self.autoencoder, batch, &mut Mode::Train(rng));
        let z = inference.sample(1, rng).z;
        let code = z.clone().squeeze_dim::<2>(1);
        match player {
            0 => {
                let loss = inference.log_likelihood(z, &mut Mode::Train(rng)).squeeze_dim::<1>(1).neg();
                Objective { loss: loss.clone(), terms: vec![("reconstruction", loss)] }
            }
            1 => {
                let real = inference.sample_prior(batch.len(), rng).detach();
                NonSaturating.discriminator(self.discriminator.logit(real), self.discriminator.logit(code.detach()))
            }
            _ => NonSaturating.generator(self.discriminator.logit(code)),
        }
    }
}

impl Model for AdversarialAutoencoder {
    fn spec(&self) -> &DataSpec {
        self.autoencoder.spec()
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        self.autoencoder.fit(examples, rng)
    }

    fn density(&self) -> Option<&dyn Density> {
        self.autoencoder.density()
    }

    fn generator(&self) -> Option<&dyn Generate> {
        self.autoencoder.generator()
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        self.autoencoder.encoder()
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        self.autoencoder.decoder()
    }

    fn latent(&self) -> Option<&dyn Latent> {
        self.autoencoder.latent()
    }
}
