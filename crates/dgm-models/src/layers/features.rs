//! How the numbers of a condition enter a network.

use crate::data::DataSpec;
use crate::error::ModelError;
use crate::parts::{Plain, part};
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

part! {
    /// `features = "plain"`, or `{ kind = "periodic", frequencies = 16 }`: the short form has every key at its default.
    FeaturesConfig, such as "{ kind = \"periodic\", frequencies = 16 }":
    /// As they are, standardised.
    "plain" => Plain as Plain,
    /// Waves of each number beside it.
    "periodic" => PeriodicConfig as Periodic,
}

/// `features = { kind = "periodic", frequencies = 16, scale = 0.5 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeriodicConfig {
    /// Frequencies of each number.
    pub frequencies: usize,
    /// Standard deviation of the frequencies that training begins with: larger ones tell values apart that are closer.
    pub scale: f64,
}

impl Default for PeriodicConfig {
    fn default() -> Self {
        Self { frequencies: 8, scale: 0.3 }
    }
}

/// What a network sees of a condition: with waves, x, sin 2πcⱼₖxⱼ and cos 2πcⱼₖxⱼ of every quantity xⱼ, with frequencies cⱼₖ that are learnt
/// (Gorishniy, Rubachev and Babenko 2022, "On embeddings for numerical features in tabular deep learning", section 3.3).
#[derive(Module, Debug)]
pub struct Features {
    /// `[quantities, frequencies]`
    frequencies: Option<Param<Tensor<2>>>,
    /// The elements that are quantities: the others are 0 or 1.
    #[module(skip)]
    quantities: Vec<usize>,
    #[module(skip)]
    inputs: usize,
}

impl FeaturesConfig {
    /// For the condition of `spec`.
    ///
    /// # Errors
    /// A value out of its range.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Features, ModelError> {
        let units = spec.condition.iter().flat_map(|condition| condition.scale.mean.iter().zip(&condition.scale.std));
        // What is not a quantity is not standardised.
        let has_units = |(_, (mean, std)): &(usize, (&f64, &f64))| **mean != 0.0 || **std != 1.0;
        let quantities = units.enumerate().filter(has_units).map(|(place, _)| place).collect();
        self.of(spec.condition_width(), quantities, rng, device)
    }

    /// For so many numbers, of which these are quantities: the others are 0 or 1.
    ///
    /// # Errors
    /// A value out of its range.
    pub(crate) fn of(
        &self,
        inputs: usize,
        quantities: Vec<usize>,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Features, ModelError> {
        let Self::Periodic(PeriodicConfig { frequencies, scale }) = self else {
            return Ok(Features { frequencies: None, quantities: Vec::new(), inputs });
        };
        ModelError::check((1..=256).contains(frequencies), "features.frequencies", *frequencies, "1 to 256")?;
        ModelError::check(*scale > 0.0 && *scale <= 100.0, "features.scale", *scale, "a number above 0, at most 100")?;
        let shape = [quantities.len(), *frequencies];
        let values: Vec<f32> =
            rng.normals(shape.iter().product()).into_iter().map(|normal| normal * *scale as f32).collect();
        let waves = (!quantities.is_empty()).then(|| Param::from_data(TensorData::new(values, shape), device));
        Ok(Features { frequencies: waves, quantities, inputs })
    }
}

impl Features {
    /// How many numbers the network sees.
    pub fn outputs(&self) -> usize {
        self.inputs + self.frequencies.as_ref().map_or(0, |waves| 2 * waves.val().shape().num_elements())
    }

    /// `[batch, condition]` → `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let Some(frequencies) = &self.frequencies else { return x };
        let ([batch, _], device) = (x.dims(), x.device());
        let places: Vec<i32> = self.quantities.iter().map(|&place| place as i32).collect();
        let places = Tensor::<1, Int>::from_ints(places.as_slice(), &device);
        let quantities = x.clone().select(1, places).unsqueeze_dim::<3>(2);
        let angles = quantities * frequencies.val().mul_scalar(std::f64::consts::TAU).unsqueeze::<3>();
        let [_, quantities, waves] = angles.dims();
        let angles = angles.reshape([batch, quantities * waves]);
        Tensor::cat(vec![x, angles.clone().sin(), angles.cos()], 1)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::{ConditionSpec, Scale, Values};
    use dgm_core::random::Seed;

    #[test]
    fn waves_of_quantities_alone() {
        // A quantity, a flag, a quantity.
        let scale = Scale { mean: vec![2.0, 0.0, 0.0], std: vec![3.0, 1.0, 0.5], ..Scale::default() };
        let condition = Some(ConditionSpec { scale, classes: None, augmentation: 0 });
        let spec = DataSpec { shape: [1, 1, 1], values: Values::Levels(2), condition };
        let device = Device::flex();
        let config = FeaturesConfig::Periodic(PeriodicConfig { frequencies: 2, scale: 0.5 });
        let features = config.init(&spec, &mut Seed(0).stream("weights", 0), &device).unwrap();
        assert_eq!(features.outputs(), 3 + 2 * 4);
        let x = [[0.3f32, 1.0, -1.5]];
        let found: Vec<f64> = features.forward(Tensor::from_floats(x, &device)).into_data().iter::<f64>().collect();
        let c: Vec<f64> = features.frequencies.as_ref().unwrap().val().into_data().iter::<f64>().collect();
        let angles = [c[0] * 0.3, c[1] * 0.3, c[2] * -1.5, c[3] * -1.5].map(|turns| turns * std::f64::consts::TAU);
        let expected = [0.3, 1.0, -1.5].into_iter().chain(angles.map(f64::sin)).chain(angles.map(f64::cos));
        assert_eq!(found.len(), 11);
        found.iter().zip(expected).for_each(|(found, expected)| assert!((found - expected).abs() < 1e-5));
        // Flags alone have no waves.
        let flags = Some(ConditionSpec { scale: Scale::identity(3), classes: None, augmentation: 0 });
        let spec = DataSpec { condition: flags, ..spec };
        let features = config.init(&spec, &mut Seed(0).stream("weights", 0), &device).unwrap();
        assert_eq!(features.outputs(), 3);
    }
}
