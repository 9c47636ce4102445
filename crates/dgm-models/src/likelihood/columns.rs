//! The likelihood of dimensions of different kinds: one of real numbers where there are such, a softmax where there are levels.

use super::shaped::Shaped;
use super::{Family, Likelihood, LikelihoodConfig};
use crate::data::{ColumnValues, DataSpec, Scale, Values};
use crate::error::ModelError;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::density::{Categorical, Distribution, Support};
use dgm_core::random::Stream;
use std::ops::Range;

/// Low enough for a probability of exactly 0, and a number: an infinity would make NaN of a gradient.
const IMPOSSIBLE: f32 = -1e9;

/// The likelihood that `numbers` names for the real numbers of these data, and a softmax for their levels.
///
/// # Errors
/// As [`LikelihoodConfig::build`].
pub(crate) fn of_columns(numbers: &LikelihoodConfig, spec: &DataSpec) -> Result<Likelihood, ModelError> {
    let ColumnValues { levels, scale } = match &spec.values {
        Values::Levels(_) => return LikelihoodConfig::CATEGORICAL.build(spec),
        Values::Real(_) => return numbers.build(spec),
        Values::Columns(columns) => columns,
    };
    let places: Vec<usize> = (0..levels.len()).filter(|&d| levels.get(d) == Some(&0)).collect();
    let pick = |values: &Vec<f64>| places.iter().filter_map(|&d| values.get(d).copied()).collect::<Vec<f64>>();
    let real = Scale { mean: pick(&scale.mean), std: pick(&scale.std), step: pick(&scale.step), ..Scale::default() };
    let real = DataSpec { shape: [1, 1, places.len().max(1)], values: Values::Real(real), condition: None };
    Ok(Likelihood::new(Columns {
        numbers: if places.is_empty() { None } else { Some(numbers.build(&real)?) },
        most: levels.iter().copied().max().unwrap_or(0),
        log_units: scale.std.iter().map(|std| std.ln() as f32).collect(),
        levels: levels.clone(),
    }))
}

#[derive(Debug)]
struct Columns {
    /// Of the real numbers among the dimensions.
    numbers: Option<Likelihood>,
    /// The most levels of a dimension.
    most: usize,
    levels: Vec<usize>,
    log_units: Vec<f32>,
}

impl Columns {
    fn is_number(&self, dimension: usize) -> bool {
        self.levels.get(dimension) == Some(&0)
    }
}

impl Family for Columns {
    fn parameters(&self) -> usize {
        self.numbers.as_ref().map_or(0, Likelihood::parameters).max(self.most).max(1)
    }

    fn distribution(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
    ) -> Box<dyn Distribution<2>> {
        let ([batch, ..], device) = (parameters.dims(), parameters.device());
        let (numbers, words): (Vec<usize>, Vec<usize>) = dimensions.clone().partition(|&d| self.is_number(d));
        // The outputs of these dimensions, as many as they need.
        let outputs = |of: &[usize], count: usize| {
            let places = of.iter().map(|d| (d - dimensions.start) as i32).collect();
            parameters.clone().select(1, indices(places, &device)).slice([0..batch, 0..of.len(), 0..count])
        };
        let mut parts: Vec<Part> = Vec::new();
        if let (Some(likelihood), Some(first)) = (&self.numbers, numbers.first()) {
            let before = (0..*first).filter(|&d| self.is_number(d)).count();
            let range = before..before + numbers.len();
            let outputs = outputs(&numbers, likelihood.parameters());
            parts.push((likelihood.tempered(outputs, range, temperature), numbers.len()));
        }
        if !words.is_empty() {
            let levels = words.iter().filter_map(|&d| self.levels.get(d));
            let impossible: Vec<f32> = levels
                .flat_map(|&levels| (0..self.most).map(move |level| if level < levels { 0.0 } else { IMPOSSIBLE }))
                .collect();
            let impossible = TensorData::new(impossible, [1, words.len(), self.most]);
            let logits =
                outputs(&words, self.most).div_scalar(temperature) + Tensor::<3>::from_data(impossible, &device);
            parts.push((Shaped::boxed(logits, Categorical::from_logits), words.len()));
        }
        let order: Vec<usize> = numbers.iter().chain(&words).map(|d| d - dimensions.start).collect();
        Box::new(OfColumns { parts, order })
    }

    fn log_probs_at(&self, parameters: Tensor<3>, dimension: usize) -> Option<Tensor<2>> {
        let levels = self.levels.get(dimension).copied().filter(|&levels| levels > 0)?;
        let [batch, ..] = parameters.dims();
        Some(log_softmax(parameters.slice([0..batch, 0..1, 0..levels]).reshape([batch, levels]), 1))
    }

    fn log_units(&self, dimensions: Range<usize>) -> Option<&[f32]> {
        self.log_units.get(dimensions)
    }
}

/// A distribution of some dimensions, and how many they are.
type Part = (Box<dyn Distribution<2>>, usize);

fn indices(places: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints(places.as_slice(), device)
}

/// Distributions of dimensions that stand in some order.
#[derive(Debug)]
struct OfColumns {
    parts: Vec<Part>,
    /// The place of each dimension of the parts, one after the other.
    order: Vec<usize>,
}

impl OfColumns {
    /// What `f` gives for each part, put in order; `None` where it gives nothing for one.
    fn each(&self, mut f: impl FnMut(&dyn Distribution<2>, Range<usize>) -> Option<Tensor<2>>) -> Option<Tensor<2>> {
        let mut start = 0;
        let mut all = Vec::with_capacity(self.parts.len());
        for (part, count) in &self.parts {
            all.push(f(part.as_ref(), start..start + count)?);
            start += count;
        }
        let all = Tensor::cat(all, 1);
        let mut back: Vec<(usize, i32)> = self.order.iter().zip(0..).map(|(&place, at)| (place, at)).collect();
        back.sort_unstable();
        let device = all.device();
        Some(all.select(1, indices(back.into_iter().map(|(_, at)| at).collect(), &device)))
    }

    /// The values of the dimensions at these places of the order.
    fn of(&self, x: &Tensor<2>, range: Range<usize>) -> Tensor<2> {
        let places = self.order.get(range).unwrap_or_default().iter().map(|&place| place as i32).collect();
        x.clone().select(1, indices(places, &x.device()))
    }

    fn all(&self, mut f: impl FnMut(&dyn Distribution<2>, Range<usize>) -> Tensor<2>) -> Tensor<2> {
        let all = self.each(|part, range| Some(f(part, range)));
        all.unwrap_or_else(|| unreachable!("OfColumns: every part gives a tensor"))
    }
}

impl Distribution<2> for OfColumns {
    fn support(&self) -> Support {
        self.parts.first().map_or(Support::Real, |(part, _)| part.support())
    }

    fn log_prob(&self, x: Tensor<2>) -> Tensor<2> {
        self.all(|part, range| part.log_prob(self.of(&x, range)))
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<2> {
        self.all(|part, _| part.sample(rng))
    }

    fn mean(&self) -> Tensor<2> {
        self.all(|part, _| part.mean())
    }

    fn variance(&self) -> Option<Tensor<2>> {
        self.each(|part, _| part.variance())
    }

    fn entropy(&self) -> Option<Tensor<2>> {
        self.each(|part, _| part.entropy())
    }

    fn cdf(&self, x: Tensor<2>) -> Option<Tensor<2>> {
        self.each(|part, range| part.cdf(self.of(&x, range)))
    }

    fn quantile(&self, p: Tensor<2>) -> Option<Tensor<2>> {
        self.each(|part, range| part.quantile(self.of(&p, range)))
    }
}
