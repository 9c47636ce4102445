//! Autoencoder: a code of few numbers from which the example can be made again.

use crate::data::{Batch, DataSpec};
use crate::decoder::{AnyDecoder, Decoder, DecoderConfig};
use crate::encoder::{EncoderConfig, Projected};
use crate::error::ModelError;
use crate::layers::{Mode, expected_levels, network_target, with_condition};
use crate::training::{Train, Training, nothing};
use crate::traits::{Decode, Model, Represent};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{Objective, fill_padding, sum_event};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`Autoencoder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Numbers in a code. Default: 16.
    pub latent: usize,
    /// From an example to features, of which the code is a linear function.
    pub encoder: EncoderConfig,
    /// From a code to the example.
    pub decoder: DecoderConfig,
    /// Standard deviation of normal noise on what the encoder sees in training, where levels go from −1 to 1 and real numbers are standardised
    /// (a denoising autoencoder). Default: 0.
    pub input_noise: f64,
    /// Share of the numbers of an example that the encoder does not see in training (a masked autoencoder). Default: 0.
    pub masked: f64,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            latent: 16,
            encoder: EncoderConfig::default(),
            decoder: DecoderConfig::default(),
            input_noise: 0.0,
            masked: 0.0,
        }
    }
}

impl AutoencoderConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [8, 16, 32]
        input_noise = [0.0, 0.2, 0.5]
        masked = [0.0, 0.25, 0.5]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Autoencoder, ModelError> {
        spec.checked()?;
        spec.without_columns("autoencoder")?;
        ModelError::check((1..=65_536).contains(&self.latent), "latent", self.latent, "1 to 65536")?;
        let noisy = self.input_noise.is_finite() && self.input_noise >= 0.0;
        ModelError::check(noisy, "input_noise", self.input_noise, "a finite number of at least 0")?;
        let share = "a share from 0 up to, not including, 1";
        ModelError::check((0.0..1.0).contains(&self.masked), "masked", self.masked, share)?;
        let encoder = Projected::new(&self.encoder, self.latent, spec, rng, device)?;
        let decoder = self.decoder.init(self.latent, spec, 1, rng, device)?;
        let Self { input_noise, masked, .. } = *self;
        Ok(Autoencoder { encoder, decoder, input_noise, masked, spec: spec.clone() })
    }
}

/// Minimises ‖x − D(E(x̃))‖², x̃ = x, or x with noise (Vincent et al. 2010, "Stacked denoising autoencoders") or with numbers hidden from E. It
/// is no likelihood: levels go from −1 to 1 in it, real numbers are standardised.
#[derive(Module, Debug)]
pub struct Autoencoder {
    encoder: Projected,
    decoder: AnyDecoder,
    #[module(skip)]
    input_noise: f64,
    #[module(skip)]
    masked: f64,
    #[module(skip)]
    spec: DataSpec,
}

impl Autoencoder {
    /// D(z, c), as a network sees a target.
    fn decoded(&self, code: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<2> {
        self.decoder.forward(with_condition(&self.spec, code, condition), mode).squeeze_dim(2)
    }

    /// What hides: 0 for levels is no level of its own, so that hidden pixels are grey between black and white.
    fn corrupted(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        let x = mode.jitter(x, self.input_noise);
        match mode {
            Mode::Train(rng) if self.masked > 0.0 => {
                let seen = rng.uniform_tensor::<2>(x.dims(), &x.device()).greater_equal_elem(self.masked).float();
                x * seen
            }
            _ => x,
        }
    }

    /// ‖x − D(E(x̃))‖² of each example.
    fn squared_error(&self, batch: &Batch, mode: &mut Mode) -> Tensor<1> {
        let condition = batch.condition.as_ref();
        let x = network_target(&self.spec, batch.target.clone());
        let seen = fill_padding(self.corrupted(x.clone(), mode), batch.mask.as_ref());
        let decoded = self.decoded(self.encoder.forward(&self.spec, seen, condition, mode), condition, mode);
        sum_event(fill_padding((x - decoded).square(), batch.mask.as_ref()))
    }
}

impl Train for Autoencoder {
    fn loss(&self, _: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        let [batch, ..] = views else { return nothing() };
        let error = self.squared_error(batch, &mut Mode::Train(rng));
        Objective { loss: error.clone(), terms: vec![("squared_error", error)] }
    }
}

impl Represent for Autoencoder {
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        let x = fill_padding(network_target(&self.spec, batch.target.clone()), batch.mask.as_ref());
        self.encoder.forward(&self.spec, x, batch.condition.as_ref(), &mut Mode::Evaluate)
    }
}

impl Decode for Autoencoder {
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2> {
        expected_levels(&self.spec, self.decoded(code, condition.as_ref(), &mut Mode::Evaluate))
    }
}

impl Model for Autoencoder {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    /// The squared error of examples that are seen as they are.
    fn criterion(&self, batch: &Batch, _: &mut Stream) -> Option<Tensor<1>> {
        Some(self.squared_error(batch, &mut Mode::Evaluate))
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::{Scale, Values};
    use crate::encoder::MlpConfig;
    use crate::testing::trained;
    use burn::tensor::TensorData;
    use dgm_core::host;
    use dgm_core::random::Seed;

    fn rows(n: usize, device: &Device) -> Tensor<2> {
        // Deviations 2 and 0.5 along (1, 1)/√2 and (1, −1)/√2.
        let noise = Seed(5).stream("rows", 0).normals(2 * n);
        let row = |pair: &[f32]| {
            let (along, across) = (2.0 * pair[0], 0.5 * pair[1]);
            [(along + across) / 2f32.sqrt(), (along - across) / 2f32.sqrt()]
        };
        Tensor::from_data(TensorData::new(noise.chunks(2).flat_map(row).collect::<Vec<f32>>(), [n, 2]), device)
    }

    /// Without hidden layers the least error is what the first principal component leaves (Baldi and Hornik 1989).
    #[test]
    fn a_linear_one_finds_the_principal_component() {
        let spec = DataSpec { shape: [1, 1, 2], values: Values::Real(Scale::identity(2)), condition: None };
        let config = AutoencoderConfig {
            latent: 1,
            encoder: EncoderConfig::Mlp(MlpConfig::of(&[])),
            decoder: DecoderConfig::Mlp(MlpConfig::of(&[])),
            ..AutoencoderConfig::default()
        };
        let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
        let model = trained(model, 600, 0.02, |_, device| Batch::new(rows(2000, device)));
        let batch = Batch::new(rows(2000, &Device::flex()));
        let error = host(model.squared_error(&batch, &mut Mode::Evaluate)).iter().sum::<f64>() / 2000.0;
        let across =
            host(rows(2000, &Device::flex())).chunks(2).map(|row| (row[0] - row[1]).powi(2) / 2.0).sum::<f64>();
        assert!((error / (across / 2000.0) - 1.0).abs() < 0.02, "{error} {}", across / 2000.0);
    }

    #[test]
    fn what_is_masked_is_not_seen() {
        let spec = DataSpec { shape: [1, 1, 400], values: Values::Levels(2), condition: None };
        let config = AutoencoderConfig { masked: 0.25, ..AutoencoderConfig::default() };
        let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
        let x = Tensor::ones([10, 400], &Device::flex());
        let rng = &mut Seed(1).stream("noise", 0);
        let hidden = host(model.corrupted(x.clone(), &mut Mode::Train(rng))).iter().filter(|&&x| x == 0.0).count();
        assert!((900..1100).contains(&hidden), "{hidden}");
        assert!(host(model.corrupted(x, &mut Mode::Evaluate)).iter().all(|&x| x == 1.0));
    }
}
