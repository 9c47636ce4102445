//! How the numbers of a condition enter a network.

use crate::data::{Batch, DataSpec, Scale, Values};
use crate::encoder::{ConvConfig, ConvEncoder, ConvKeys, Encoder};
use crate::error::ModelError;
use crate::layers::Mode;
use crate::parts::{Plain, part};
use crate::training::Examples;
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
    /// Each number as the part of each of its bins that is below it.
    "piecewise_linear" => PiecewiseLinearConfig as PiecewiseLinear,
    /// Of an image: what residual convolutions make of it.
    "conv" => ConvConfig as Conv,
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

/// `features = { kind = "piecewise_linear", bins = 16 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiecewiseLinearConfig {
    /// Bins of each number, with as many training rows each.
    pub bins: usize,
}

impl Default for PiecewiseLinearConfig {
    fn default() -> Self {
        Self { bins: 16 }
    }
}

/// What a network sees of a condition (Gorishniy, Rubachev and Babenko 2022, "On embeddings for numerical features in tabular deep learning").
///
/// With waves: x, sin 2πcⱼₖxⱼ and cos 2πcⱼₖxⱼ of every quantity xⱼ, with frequencies cⱼₖ that are learnt (section 3.3). Piecewise linear: x, and of
/// every quantity (xⱼ − bⱼₖ) / (bⱼₖ₊₁ − bⱼₖ), from 0 to 1, down to −1 in the first bin and up to 2 in the last one, with the quantiles bⱼₖ of
/// the training rows (section 3.2.1).
#[derive(Module, Debug)]
pub struct Features {
    /// `[quantities, frequencies]`
    frequencies: Option<Param<Tensor<2>>>,
    /// `[quantities, bins + 1]`, in ascending order: no gradient reaches them.
    edges: Option<Param<Tensor<2>>>,
    image: Option<ConvEncoder>,
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
        if let Self::Conv(config) = self {
            let Some(shape) = spec.condition.as_ref().and_then(|condition| condition.shape) else {
                return Err(not_an_image());
            };
            let keys = ConvKeys {
                channels: "features.channels",
                blocks: "features.blocks",
                patch: "features.patch",
                hidden: "features.hidden",
                dropout: "features.dropout",
            };
            let values = Values::Real(Scale::identity(shape.iter().product()));
            let image = config.init(&keys, &DataSpec { shape, values, condition: None }, rng, device)?;
            let inputs = spec.condition_width();
            return Ok(Features { frequencies: None, edges: None, image: Some(image), quantities: Vec::new(), inputs });
        }
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
        let count = quantities.len();
        let parameter = |values: Vec<f32>, width: usize| {
            (count > 0).then(|| Param::from_data(TensorData::new(values, [count, width]), device))
        };
        let (frequencies, edges) = match self {
            Self::Plain(_) => (None, None),
            Self::Periodic(PeriodicConfig { frequencies, scale }) => {
                ModelError::check((1..=256).contains(frequencies), "features.frequencies", *frequencies, "1 to 256")?;
                let ok = *scale > 0.0 && *scale <= 100.0;
                ModelError::check(ok, "features.scale", *scale, "a number above 0, at most 100")?;
                let normals = rng.normals(count * frequencies);
                (parameter(normals.into_iter().map(|normal| normal * *scale as f32).collect(), *frequencies), None)
            }
            Self::PiecewiseLinear(PiecewiseLinearConfig { bins }) => {
                ModelError::check((2..=256).contains(bins), "features.bins", *bins, "2 to 256")?;
                // Two standard deviations to either side, until there are examples.
                let edge = |place: usize| 4.0 * (place % (bins + 1)) as f32 / *bins as f32 - 2.0;
                (None, parameter((0..count * (bins + 1)).map(edge).collect(), bins + 1))
            }
            Self::Conv(_) => return Err(not_an_image()),
        };
        Ok(Features { frequencies, edges, image: None, quantities, inputs })
    }
}

/// Convolutions were asked for where there is nothing to convolve.
fn not_an_image() -> ModelError {
    ModelError::Data(
        "`model.features` is \"conv\", for images as the condition (data.condition = \"image\" of a source of images), and this one is none; use \
         features = \"plain\""
            .into(),
    )
}

/// Training rows that quantiles are taken from, at most, evenly over all.
const MOST_ROWS: usize = 20_000;

impl Features {
    /// How many numbers the network sees.
    pub fn outputs(&self) -> usize {
        if let Some(image) = &self.image {
            return image.features();
        }
        let waves = self.frequencies.as_ref().map_or(0, |waves| 2 * waves.val().shape().num_elements());
        let bins = self.edges.as_ref().map_or(0, |edges| edges.val().shape().num_elements() - self.quantities.len());
        self.inputs + waves + bins
    }

    /// Takes the edges of bins from the training examples, of which `inputs` gives the numbers; those that are NaN do not count.
    ///
    /// # Errors
    /// Data that can no longer be read.
    pub(crate) fn fit(
        &mut self,
        examples: &dyn Examples,
        inputs: &dyn Fn(Batch) -> Option<Tensor<2>>,
        device: &Device,
    ) -> Result<(), ModelError> {
        let Some(edges) = &mut self.edges else { return Ok(()) };
        let [count, width] = edges.val().dims();
        let mut columns: Vec<Vec<f32>> = vec![Vec::new(); count];
        let every = examples.count().div_ceil(MOST_ROWS).max(1);
        let rows: Vec<usize> = (0..examples.count()).step_by(every).collect();
        for part in rows.chunks(1024) {
            let Some(numbers) = inputs(examples.batch(part)?) else { return Ok(()) };
            let [_, width] = numbers.dims();
            let values: Vec<f32> = numbers.into_data().iter::<f32>().collect();
            for row in values.chunks(width.max(1)) {
                for (column, &place) in columns.iter_mut().zip(&self.quantities) {
                    column.extend(row.get(place).filter(|value| !value.is_nan()));
                }
            }
        }
        let mut all = Vec::with_capacity(count * width);
        for mut column in columns {
            column.sort_by(f32::total_cmp);
            let last = column.len().saturating_sub(1);
            let quantile = |k: usize| column.get(k * last / (width - 1)).copied().unwrap_or(0.0);
            let mut before = f32::NEG_INFINITY;
            for edge in (0..width).map(quantile) {
                // Values that are frequent would make bins of no width.
                before = edge.max(before + LEAST_WIDTH);
                all.push(before);
            }
        }
        *edges = Param::from_data(TensorData::new(all, [count, width]), device);
        Ok(())
    }

    /// `[batch, inputs]` → `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>, mode: &mut Mode) -> Tensor<2> {
        if let Some(image) = &self.image {
            return image.forward(x, mode);
        }
        if self.quantities.is_empty() || self.frequencies.is_none() && self.edges.is_none() {
            return x;
        }
        let ([batch, _], device) = (x.dims(), x.device());
        let places: Vec<i32> = self.quantities.iter().map(|&place| place as i32).collect();
        let places = Tensor::<1, Int>::from_ints(places.as_slice(), &device);
        let quantities = x.clone().select(1, places).unsqueeze_dim::<3>(2);
        let mut all = vec![x];
        if let Some(frequencies) = &self.frequencies {
            let angles = quantities.clone() * frequencies.val().mul_scalar(std::f64::consts::TAU).unsqueeze::<3>();
            let [_, count, waves] = angles.dims();
            let angles = angles.reshape([batch, count * waves]);
            all.extend([angles.clone().sin(), angles.cos()]);
        }
        if let Some(edges) = &self.edges {
            let edges = edges.val().detach();
            let [count, width] = edges.dims();
            let low = edges.clone().slice([0..count, 0..width - 1]);
            let apart = edges.slice([0..count, 1..width]) - low.clone();
            let parts = (quantities - low.unsqueeze::<3>()) / apart.unsqueeze::<3>();
            let bins = width - 1;
            // Both outermost ones go on by a width: one of frequent values is narrow, and would explode beyond.
            let first = parts.clone().slice([0..batch, 0..count, 0..1]).clamp(-1.0, 1.0);
            let inner = parts.clone().slice([0..batch, 0..count, 1..bins - 1]).clamp(0.0, 1.0);
            let last = parts.slice([0..batch, 0..count, bins - 1..bins]).clamp(0.0, 2.0);
            let parts = if bins > 2 { vec![first, inner, last] } else { vec![first, last] };
            all.push(Tensor::cat(parts, 2).reshape([batch, count * bins]));
        }
        Tensor::cat(all, 1)
    }
}

/// The least width of a bin, in standard deviations.
const LEAST_WIDTH: f32 = 0.01;

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
        let condition = Some(ConditionSpec { scale, classes: None, augmentation: 0, shape: None });
        let spec = DataSpec { shape: [1, 1, 1], values: Values::Levels(2), condition };
        let device = Device::flex();
        let config = FeaturesConfig::Periodic(PeriodicConfig { frequencies: 2, scale: 0.5 });
        let features = config.init(&spec, &mut Seed(0).stream("weights", 0), &device).unwrap();
        assert_eq!(features.outputs(), 3 + 2 * 4);
        let x = [[0.3f32, 1.0, -1.5]];
        let found: Vec<f64> =
            features.forward(Tensor::from_floats(x, &device), &mut Mode::Evaluate).into_data().iter::<f64>().collect();
        let c: Vec<f64> = features.frequencies.as_ref().unwrap().val().into_data().iter::<f64>().collect();
        let angles = [c[0] * 0.3, c[1] * 0.3, c[2] * -1.5, c[3] * -1.5].map(|turns| turns * std::f64::consts::TAU);
        let expected = [0.3, 1.0, -1.5].into_iter().chain(angles.map(f64::sin)).chain(angles.map(f64::cos));
        assert_eq!(found.len(), 11);
        found.iter().zip(expected).for_each(|(found, expected)| assert!((found - expected).abs() < 1e-5));
        // Flags alone have no waves.
        let flags = Some(ConditionSpec { scale: Scale::identity(3), classes: None, augmentation: 0, shape: None });
        let spec = DataSpec { condition: flags, ..spec };
        let features = config.init(&spec, &mut Seed(0).stream("weights", 0), &device).unwrap();
        assert_eq!(features.outputs(), 3);
    }

    /// Rows of a quantity and a flag.
    struct Rows(Vec<[f32; 2]>);

    impl Examples for Rows {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn batch(&self, rows: &[usize]) -> Result<crate::data::Batch, ModelError> {
            let values: Vec<f32> = rows.iter().flat_map(|&row| self.0[row]).collect();
            let condition = Tensor::from_data(TensorData::new(values, [rows.len(), 2]), &Device::flex());
            let target = Tensor::zeros([rows.len(), 1], &Device::flex());
            Ok(crate::data::Batch { condition: Some(condition), ..crate::data::Batch::new(target) })
        }
    }

    #[test]
    fn bins_are_between_quantiles_and_filled_from_below() {
        let device = Device::flex();
        let config = FeaturesConfig::PiecewiseLinear(PiecewiseLinearConfig { bins: 4 });
        let mut features = config.of(2, vec![0], &mut Seed(0).stream("weights", 0), &device).unwrap();
        // Quantiles 0, 1, 2, 3, 4, of which one value is frequent.
        let rows = (0..=400).map(|i| [i as f32 / 100.0, 1.0]).collect();
        features.fit(&Rows(rows), &|batch| batch.condition, &device).unwrap();
        assert_eq!(features.outputs(), 2 + 4);
        let x = Tensor::<2>::from_floats([[2.5, 1.0], [-1.0, 0.0], [6.0, 0.0]], &device);
        let found: Vec<f32> = features.forward(x, &mut Mode::Evaluate).into_data().iter::<f32>().collect();
        let expected =
            [[2.5, 1.0, 1.0, 1.0, 0.5, 0.0], [-1.0, 0.0, -1.0, 0.0, 0.0, 0.0], [6.0, 0.0, 1.0, 1.0, 1.0, 2.0]];
        found.iter().zip(expected.iter().flatten()).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{found:?}"));
        // Bins of values that are all the same have a width.
        features.fit(&Rows(vec![[3.0, 1.0]; 50]), &|batch| batch.condition, &device).unwrap();
        let x = Tensor::<2>::from_floats([[3.0, 1.0]], &device);
        assert!(features.forward(x, &mut Mode::Evaluate).into_data().iter::<f32>().all(f32::is_finite));
    }
}
