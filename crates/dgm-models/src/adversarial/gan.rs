//! Generative adversarial network (Goodfellow et al. 2014): a generator, and a discriminator that it is trained against.

use super::spectral::OfWeights;
use crate::data::{Batch, DataSpec, Values};
use crate::decoder::{AnyDecoder, Decoder, DecoderConfig};
use crate::encoder::{EncoderConfig, Projected};
use crate::error::ModelError;
use crate::layers::{Mode, from_network, network_target, with_condition};
use crate::training::{Examples, Player, Train, Training, nothing};
use crate::traits::{Generate, Model};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{Hinge, NonSaturating, Objective};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// What the two players minimise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Game {
    /// The cross-entropy of "real" against "generated"; the generator's −log D.
    #[default]
    NonSaturating,
    /// Margins of 1; the generator's −D.
    Hinge,
}

/// Configuration of [`Gan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanConfig {
    /// Number of latent variables. Default: 64.
    pub latent: usize,
    /// From latent variables (and the condition) to an example: the networks that decoders have.
    pub generator: DecoderConfig,
    /// From an example (and its condition) to features, of which a score is a linear function: the networks that encoders have.
    pub discriminator: EncoderConfig,
    /// What the players minimise. Default: `"non_saturating"`.
    pub game: Game,
    /// Whether the discriminator's weights are divided by their largest singular values. Default: true.
    pub spectral_normalization: bool,
    /// Weight γ of the penalty γ/2 ‖∇D(x)‖² on real examples. Default: 0.
    pub gradient_penalty: f64,
}

impl Default for GanConfig {
    fn default() -> Self {
        Self {
            latent: 64,
            generator: DecoderConfig::default(),
            discriminator: EncoderConfig::default(),
            game: Game::default(),
            spectral_normalization: true,
            gradient_penalty: 0.0,
        }
    }
}

impl GanConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [16, 64, 128]
        game = ["non_saturating", "hinge"]
        gradient_penalty = [0.0, 0.1, 1.0]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Gan, ModelError> {
        spec.checked()?;
        spec.without_columns("gan")?;
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        let penalty = self.gradient_penalty;
        let valid = penalty.is_finite() && penalty >= 0.0;
        ModelError::check(valid, "gradient_penalty", penalty, "a finite number of at least 0")?;
        let generator = self.generator.init(self.latent, spec, 1, rng, device).map_err(of_players)?;
        let discriminator = Projected::new(&self.discriminator, 1, spec, rng, device).map_err(of_players)?;
        let discriminator = match self.spectral_normalization {
            true => discriminator.apply_reparameterization(OfWeights),
            false => discriminator,
        };
        let (latent, game) = (self.latent, self.game);
        Ok(Gan { generator, discriminator, latent, game, gradient_penalty: penalty, spec: spec.clone() })
    }
}

/// Messages of encoders and decoders in the words of this model's keys.
fn of_players(error: ModelError) -> ModelError {
    let key = |key: &'static str| match key {
        "decoder" => "generator",
        "decoder.hidden" => "generator.hidden",
        "decoder.dropout" => "generator.dropout",
        "decoder.channels" => "generator.channels",
        "decoder.blocks" => "generator.blocks",
        "decoder.patch" => "generator.patch",
        "encoder.hidden" => "discriminator.hidden",
        "encoder.dropout" => "discriminator.dropout",
        "encoder.channels" => "discriminator.channels",
        "encoder.blocks" => "discriminator.blocks",
        "encoder.patch" => "discriminator.patch",
        other => other,
    };
    error.renamed(key, &[("encoder", "discriminator"), ("decoder", "generator")])
}

/// x = G(z, c), z ~ N(0, 1), trained against D(x, c), a score of how real x is. There is no density: look at samples, and at distances of
/// features.
///
/// The penalty γ/2 ‖∇D(x)‖² on real examples (Mescheder, Geiger and Nowozin 2018, "Which training methods for GANs do actually converge?",
/// eq. 9) needs second derivatives; here it is estimated without: E\[((D(x + hv) − D(x)) / h)²\] → ‖∇D(x)‖² for v ~ N(0, 1) and small h.
#[derive(Module, Debug)]
pub struct Gan {
    generator: AnyDecoder,
    /// The score of an example: of `"non_saturating"` the logit of "real".
    discriminator: Projected,
    #[module(skip)]
    latent: usize,
    #[module(skip)]
    game: Game,
    #[module(skip)]
    gradient_penalty: f64,
    #[module(skip)]
    spec: DataSpec,
}

/// The length of hv in the penalty's difference quotient, where examples go from −1 to 1.
const STEP: f64 = 0.1;

impl Gan {
    /// n examples as a network sees them.
    fn fake(&self, n: usize, condition: Option<&Tensor<2>>, training: bool, rng: &mut Stream) -> Tensor<2> {
        let device = self.generator.devices().into_iter().next().unwrap_or_default();
        let z = rng.normal_tensor([n, self.latent], &device);
        let mut mode = if training { Mode::Train(rng) } else { Mode::Evaluate };
        let x = self.generator.forward(with_condition(&self.spec, z, condition), &mut mode).squeeze_dim::<2>(2);
        match self.spec.values {
            Values::Levels(_) => x.tanh(),
            _ => x,
        }
    }

    /// D of each, `[batch]`.
    fn judge(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<1> {
        self.discriminator.forward(&self.spec, x, condition, mode).squeeze_dim(1)
    }

    /// D of both, the conditions of which are the same.
    fn judge_both(&self, x: [Tensor<2>; 2], condition: Option<&Tensor<2>>, mode: &mut Mode) -> [Tensor<1>; 2] {
        let n = x[0].dims()[0];
        let conditions = condition.map(|condition| Tensor::cat(vec![condition.clone(); 2], 0));
        let scores = self.judge(Tensor::cat(x.to_vec(), 0), conditions.as_ref(), mode);
        [scores.clone().narrow(0, 0, n), scores.narrow(0, n, n)]
    }

    fn discriminator_loss(&self, batch: &Batch, rng: &mut Stream) -> Objective {
        let (n, condition) = (batch.len(), batch.condition.as_ref());
        let real = network_target(&self.spec, batch.target.clone());
        let fake = self.fake(n, condition, true, rng).detach();
        let [on_real, on_fake] = self.judge_both([real.clone(), fake], condition, &mut Mode::Train(rng));
        let objective = match self.game {
            Game::NonSaturating => NonSaturating.discriminator(on_real, on_fake),
            Game::Hinge => Hinge.discriminator(on_real, on_fake),
        };
        if self.gradient_penalty == 0.0 {
            return objective;
        }
        let [_, width] = real.dims();
        let h = STEP / (width as f64).sqrt();
        let direction: Tensor<2> = rng.normal_tensor([n, width], &real.device());
        let moved = real.clone() + direction.mul_scalar(h);
        // Without dropout: masks that differ would be taken for a slope.
        let [here, there] = self.judge_both([real, moved], condition, &mut Mode::Evaluate);
        let penalty = (there - here).div_scalar(h).square().mul_scalar(0.5 * self.gradient_penalty);
        let Objective { loss, mut terms } = objective;
        terms.push(("gradient_penalty", penalty.clone()));
        Objective { loss: loss + penalty, terms }
    }
}

impl Train for Gan {
    fn players(&self) -> Vec<Player> {
        vec![Player::new("discriminator", &["discriminator.*"]), Player::new("generator", &["generator.*"])]
    }

    fn loss(&self, player: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        let [batch, ..] = views else { return nothing() };
        if player == 0 {
            return self.discriminator_loss(batch, rng);
        }
        let condition = batch.condition.as_ref();
        let fake = self.fake(batch.len(), condition, true, rng);
        let scores = self.judge(fake, condition, &mut Mode::Train(rng));
        match self.game {
            Game::NonSaturating => NonSaturating.generator(scores),
            Game::Hinge => Hinge.generator(scores),
        }
    }
}

impl Generate for Gan {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        from_network(&self.spec, self.fake(n, condition.as_ref(), false, rng))
    }
}

impl Model for Gan {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    /// Refuses padding.
    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        examples.without_padding("gan")
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Scale;
    use crate::encoder::MlpConfig;
    use dgm_core::host;
    use dgm_core::random::Seed;

    /// D(x) = wᵀx + b: γ/2 ‖w‖², whatever the direction's length.
    #[test]
    fn the_penalty_is_the_squared_gradient() {
        let spec = DataSpec { shape: [1, 1, 3], values: Values::Real(Scale::identity(3)), condition: None };
        let config = GanConfig {
            discriminator: EncoderConfig::Mlp(MlpConfig::of(&[])),
            spectral_normalization: false,
            gradient_penalty: 3.0,
            ..GanConfig::default()
        };
        let gan = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
        let rng = &mut Seed(1).stream("noise", 0);
        let batch = Batch::new(rng.normal_tensor([20_000, 3], &Device::flex()));
        let Objective { terms, .. } = gan.loss(0, &[batch], rng);
        let penalty: f64 = host(terms.last().unwrap().1.clone()).iter().sum::<f64>() / 20_000.0;
        // D at the unit vectors, less D at 0.
        let at =
            |x: [[f32; 3]; 1]| host(gan.judge(Tensor::from_floats(x, &Device::flex()), None, &mut Mode::Evaluate))[0];
        let base = at([[0.0; 3]]);
        let weights = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|x| at([x]) - base);
        let squared: f64 = weights.iter().map(|w| w * w).sum();
        assert!((penalty / (1.5 * squared) - 1.0).abs() < 0.05, "{penalty} {squared}");
    }

    #[test]
    fn samples_are_levels_and_a_normalised_score_has_a_slope_of_one_at_most() {
        let spec = DataSpec { shape: [1, 1, 4], values: Values::Levels(5), condition: None };
        let gan = GanConfig::default().init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
        let samples = host(gan.generate(50, None, &mut Seed(1).stream("sampling", 0)));
        assert!(samples.iter().all(|level| level.fract() == 0.0 && (0.0..5.0).contains(level)));
        // Two layers of SiLU, whose slope is below 1.1, between weights of norm 1.
        let rng = &mut Seed(2).stream("x", 0);
        let x: Tensor<2> = rng.normal_tensor([500, 4], &Device::flex());
        let step: Tensor<2> = rng.normal_tensor([500, 4], &Device::flex()).mul_scalar(0.01);
        let [a, b] = [x.clone(), x + step.clone()].map(|x| host(gan.judge(x, None, &mut Mode::Evaluate)));
        let lengths = host(step.square().sum_dim(1).sqrt());
        for ((a, b), length) in a.iter().zip(&b).zip(lengths) {
            assert!((a - b).abs() <= 1.25 * length, "{a} {b} {length}");
        }
    }
}
