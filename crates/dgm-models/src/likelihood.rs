//! The likelihood of a target: what a network's outputs mean, number by number.

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, DiscretizedLogisticMixture, Normal};
use dgm_core::estimate;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The name of a likelihood in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LikelihoodKind {
    /// Two levels.
    Bernoulli,
    /// A softmax over the levels.
    Categorical,
    /// A mixture of beta-binomials over ordinal levels.
    BetaBinomial,
    /// A mixture of discretised logistics over ordinal levels.
    DiscretizedLogistic,
    /// Real numbers, with mean and variance from the network.
    Normal,
}

/// A density for each number of the target, from `parameters()` outputs of a network.
#[derive(Clone, Debug)]
pub enum Likelihood {
    /// One logit.
    Bernoulli,
    /// One logit a level.
    Categorical {
        /// Number of levels.
        levels: usize,
    },
    /// Three outputs a component: weight logit, log α, log β.
    BetaBinomial {
        /// Number of levels.
        levels: usize,
        /// Number of components.
        components: usize,
    },
    /// Three outputs a component: weight logit, mean, log-scale.
    DiscretizedLogistic {
        /// Number of levels.
        levels: usize,
        /// Number of components.
        components: usize,
    },
    /// The mean of several densities; the outputs are those of each, one after the other.
    Mixture {
        /// Those densities, one at least, all of levels or all of real numbers.
        members: Vec<Likelihood>,
    },
    /// Mean and log-variance of the standardised number.
    Normal {
        /// log of the standard deviation that each number was divided by: the Jacobian, which makes the density one in the
        /// data's units.
        log_std: Vec<f64>,
    },
}

/// Log-variances stay within ±15 of the data's: deviations from 1/1800 to 1800 times theirs. Without a floor a number that
/// the network meets exactly is worth infinitely many nats.
const LOG_VAR_BOUND: f64 = 15.0;

impl LikelihoodKind {
    /// The likelihood of this kind for the data, with `components` mixture components (1: no mixture).
    pub fn build(self, components: usize, spec: &DataSpec) -> Result<Likelihood, ModelError> {
        let mixes = matches!(self, Self::BetaBinomial | Self::DiscretizedLogistic);
        ModelError::check(
            components == 1 || (mixes && (1..=64).contains(&components)),
            "components",
            components,
            "1, or up to 64 with likelihood = \"beta_binomial\" or \"discretized_logistic\"",
        )?;
        match (self, &spec.values) {
            (Self::Bernoulli, Values::Levels(2)) => Ok(Likelihood::Bernoulli),
            (Self::Categorical, &Values::Levels(levels)) => Ok(Likelihood::Categorical { levels }),
            (Self::BetaBinomial, &Values::Levels(levels)) => Ok(Likelihood::BetaBinomial { levels, components }),
            (Self::DiscretizedLogistic, &Values::Levels(levels)) => {
                Ok(Likelihood::DiscretizedLogistic { levels, components })
            }
            (Self::Normal, Values::Real(scale)) => {
                Ok(Likelihood::Normal { log_std: scale.std.iter().map(|std| std.ln()).collect() })
            }
            (kind, values) => Err(kind.mismatch(values)),
        }
    }

    fn mismatch(self, values: &Values) -> ModelError {
        let (values, instead) = match values {
            Values::Levels(2) => ("2 levels".into(), "\"bernoulli\" or \"categorical\""),
            Values::Levels(levels) => {
                let instead = match self {
                    Self::Bernoulli => {
                        "\"categorical\", \"beta_binomial\" or \"discretized_logistic\", or binarise the data"
                    }
                    _ => "\"categorical\", \"beta_binomial\" or \"discretized_logistic\"",
                };
                (format!("{levels} levels"), instead)
            }
            Values::Real(_) => ("real numbers".into(), "\"normal\""),
        };
        let likelihood = match self {
            Self::Bernoulli => "bernoulli",
            Self::Categorical => "categorical",
            Self::BetaBinomial => "beta_binomial",
            Self::DiscretizedLogistic => "discretized_logistic",
            Self::Normal => "normal",
        };
        ModelError::Likelihood { likelihood, values, instead }
    }
}

impl Likelihood {
    /// How many outputs of a network one number of the target needs.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Bernoulli => 1,
            Self::Categorical { levels } => *levels,
            Self::BetaBinomial { components, .. } | Self::DiscretizedLogistic { components, .. } => 3 * components,
            Self::Mixture { members } => members.iter().map(Self::parameters).sum(),
            Self::Normal { .. } => 2,
        }
    }

    /// What `f` gives for each density of a mixture and its outputs.
    fn each<T>(members: &[Self], parameters: &Tensor<3>, mut f: impl FnMut(&Self, Tensor<3>) -> T) -> Vec<T> {
        let [batch, event, _] = parameters.dims();
        let mut start = 0;
        let next = |one: &Self| {
            let end = start + one.parameters();
            let part = parameters.clone().slice([0..batch, 0..event, start..end]);
            start = end;
            f(one, part)
        };
        members.iter().map(next).collect()
    }

    /// log p(x) of each number in nats, in the units of the data: parameters `[batch, event, parameters]`, x `[batch, event]` as in
    /// a [`Batch`](crate::Batch), result like x.
    pub fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>) -> Tensor<2> {
        let [_, event] = x.dims();
        self.log_prob_at(parameters, x, 0..event)
    }

    /// The same of the numbers at these `places` of the event alone.
    pub fn log_prob_at(&self, parameters: Tensor<3>, x: Tensor<2>, places: Range<usize>) -> Tensor<2> {
        let [batch, event] = x.dims();
        match self {
            Self::Bernoulli => Bernoulli::from_logits(parameters.reshape([batch, event])).log_prob(x),
            Self::Categorical { levels } => {
                let logits = parameters.reshape([batch * event, *levels]);
                Categorical::from_logits(logits).log_prob(x.reshape([batch * event]).int()).reshape([batch, event])
            }
            Self::BetaBinomial { levels, components } => {
                let mixture = beta_binomial(parameters, *levels, *components);
                mixture.log_prob(x.reshape([batch * event])).reshape([batch, event])
            }
            Self::DiscretizedLogistic { levels, components } => {
                let mixture = discretized_logistic(parameters, *levels, *components);
                mixture.log_prob(x.reshape([batch * event])).reshape([batch, event])
            }
            Self::Mixture { members } => log_mean_exp(Self::each(members, &parameters, |one, parameters| {
                one.log_prob_at(parameters, x.clone(), places.clone())
            })),
            Self::Normal { log_std } => {
                // p(x) = p(z) dz/dx with z = (x − mean) / std.
                let log_std: Vec<f32> = log_std.get(places).unwrap_or_default().iter().map(|&log| log as f32).collect();
                let log_std = row(&log_std, &x.device());
                normal(parameters).log_prob(x) - log_std
            }
        }
    }

    /// One draw of each number, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn sample(&self, parameters: Tensor<3>, noise: &mut Stream) -> Tensor<2> {
        let [_, event, _] = parameters.dims();
        self.sample_at(parameters, 0..event, &Choice::default(), noise)
    }

    /// One draw of each of the numbers at these `places` of the event, narrowed by `choice`.
    pub fn sample_at(
        &self,
        parameters: Tensor<3>,
        places: Range<usize>,
        choice: &Choice,
        noise: &mut Stream,
    ) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        if let Self::Normal { .. } = self {
            let [location, log_var] = halves(parameters);
            return Normal::new(location, log_var + choice.temperature.ln()).sample(noise);
        }
        if let Self::Mixture { members } = self
            && self.is_real()
        {
            // A member of the mixture for each number, all equally probable, and its draw.
            let of: Vec<f32> = (0..batch * event).map(|_| noise.below(members.len() as u32) as f32).collect();
            let of = Tensor::<2>::from_data(TensorData::new(of, [batch, event]), &parameters.device());
            let drawn = Self::each(members, &parameters, |one, parameters| {
                one.sample_at(parameters, places.clone(), choice, noise)
            });
            let pick = |all: Tensor<2>, (k, drawn)| all.mask_where(of.clone().equal_elem(k as f64), drawn);
            return drawn.into_iter().enumerate().fold(of.zeros_like(), pick);
        }
        let drawn = match (self, *choice == Choice::default()) {
            (Self::Bernoulli, true) => {
                return Bernoulli::from_logits(parameters.reshape([batch, event])).sample(noise);
            }
            (Self::DiscretizedLogistic { levels, components }, true) => {
                return discretized_logistic(parameters, *levels, *components).sample(noise).reshape([batch, event]);
            }
            (_, true) => self.categorical(parameters),
            (_, false) => choice.narrowed(self.categorical(parameters).log_probs()),
        };
        drawn.sample(noise).float().reshape([batch, event])
    }

    /// E\[x\] of each number, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        match self {
            Self::Bernoulli => Bernoulli::from_logits(parameters.reshape([batch, event])).mean(),
            Self::Normal { .. } => normal(parameters).mean(),
            Self::Mixture { members } => {
                let means = Self::each(members, &parameters, |one, parameters| one.mean(parameters).unsqueeze_dim(2));
                Tensor::<3>::cat(means, 2).mean_dim(2).squeeze_dim(2)
            }
            _ => self.categorical(parameters).mean().reshape([batch, event]),
        }
    }

    /// The logarithms of the probabilities of all levels, `[batch, event, levels]`, in nats; `None` for real numbers.
    pub fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        let [batch, event, _] = parameters.dims();
        if self.is_real() {
            return None;
        }
        let table = self.categorical(parameters).log_probs();
        let [_, levels] = table.dims();
        Some(table.reshape([batch, event, levels]))
    }

    /// Whether it is a density of real numbers.
    fn is_real(&self) -> bool {
        match self {
            Self::Normal { .. } => true,
            Self::Mixture { members } => members.iter().any(Self::is_real),
            _ => false,
        }
    }

    /// The distribution over levels, one row a number; of real numbers, which have none, their parameters'.
    fn categorical(&self, parameters: Tensor<3>) -> Categorical {
        let [batch, event, outputs] = parameters.dims();
        match self {
            Self::BetaBinomial { levels, components } => {
                beta_binomial(parameters, *levels, *components).to_categorical()
            }
            Self::DiscretizedLogistic { levels, components } => {
                discretized_logistic(parameters, *levels, *components).to_categorical()
            }
            Self::Mixture { members } => {
                let tables =
                    Self::each(members, &parameters, |one, parameters| one.categorical(parameters).log_probs());
                Categorical::from_logits(log_mean_exp(tables))
            }
            Self::Bernoulli => {
                let logit = parameters.reshape([batch * event, 1]);
                Categorical::from_logits(Tensor::cat(vec![logit.zeros_like(), logit], 1))
            }
            _ => Categorical::from_logits(parameters.reshape([batch * event, outputs])),
        }
    }
}

/// How a value is chosen from its density. The default draws from the density itself; everything else draws from another,
/// narrower one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Levels: p^(1/T), normalised again; real numbers: the deviation times √T. Above 0; 1 is the density itself.
    pub temperature: f64,
    /// Only the so many most probable levels, and of ties at the last place all.
    pub top_k: Option<usize>,
    /// Only the fewest most probable levels that have this probability together, and of ties at the last place all, after the
    /// temperature and `top_k`
    /// (Holtzman et al. 2020, "The curious case of neural text degeneration", section 3.1).
    pub top_p: Option<f64>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None }
    }
}

impl Choice {
    /// The narrowed distribution of levels with these log-probabilities `[n, levels]`.
    fn narrowed(&self, log_probs: Tensor<2>) -> Categorical {
        let [rows, levels] = log_probs.dims();
        // The largest is 0, whatever it is divided by.
        let shifted = log_probs.clone() - log_probs.max_dim(1);
        let mut logits = log_softmax(shifted.div_scalar(self.temperature), 1);
        let cut = |logits: Tensor<2>, least: Tensor<2>| {
            let below = logits.clone().lower(least.expand([rows, levels]));
            logits.mask_fill(below, f32::NEG_INFINITY)
        };
        if let Some(k) = self.top_k {
            let last = k.clamp(1, levels) - 1;
            let least = logits.clone().sort_descending(1).slice([0..rows, last..last + 1]);
            logits = log_softmax(cut(logits, least), 1);
        }
        if let Some(p) = self.top_p {
            let sorted = logits.clone().sort_descending(1);
            let probabilities = sorted.clone().exp();
            // A level is needed while those before it have less than p; the most probable one always is.
            let before = probabilities.clone().cumsum(1) - probabilities;
            let needed = before.lower_elem(p).float();
            let count = needed.sum_dim(1).int().clamp(1, levels as i64).sub_scalar(1);
            logits = cut(logits, sorted.gather(1, count));
        }
        Categorical::from_logits(logits)
    }
}

fn beta_binomial(parameters: Tensor<3>, levels: usize, components: usize) -> BetaBinomialMixture {
    let [weights, log_alpha, log_beta] = of_components(parameters, components);
    BetaBinomialMixture::new(weights, log_alpha, log_beta, levels)
}

/// Outputs of 0 are means spread evenly over the range, and narrow scales: components that all start alike would take long to
/// part.
fn discretized_logistic(parameters: Tensor<3>, levels: usize, components: usize) -> DiscretizedLogisticMixture {
    let [weights, mean, log_scale] = of_components(parameters, components);
    let centres: Vec<f32> = (0..components).map(|m| (2 * m + 1) as f32 / components as f32 - 1.0).collect();
    let mean = mean.clone() + row(&centres, &mean.device());
    let log_scale = log_scale.sub_scalar((components as f64).ln() + 1.0);
    DiscretizedLogisticMixture::new(weights, mean, log_scale, levels)
}

/// The three parameters of each component: `[batch, event, 3 × components]` → three times `[batch × event, components]`.
fn of_components(parameters: Tensor<3>, components: usize) -> [Tensor<2>; 3] {
    let [batch, event, outputs] = parameters.dims();
    let rows = batch * event;
    let parameters = parameters.reshape([rows, outputs]);
    [0, 1, 2].map(|i| parameters.clone().slice([0..rows, i * components..(i + 1) * components]))
}

/// log (1/K) Σ_k exp a_k of each place of K tensors of one shape.
pub(crate) fn log_mean_exp<const D: usize>(all: Vec<Tensor<D>>) -> Tensor<D> {
    let shape = all.first().map_or([0; D], |one| one.dims());
    let places = shape.iter().product();
    let columns = all.into_iter().map(|one| one.reshape([places, 1])).collect();
    estimate::log_mean_exp(Tensor::cat(columns, 1)).reshape(shape)
}

/// The density of the standardised numbers.
fn normal(parameters: Tensor<3>) -> Normal<2> {
    let [mean, log_var] = halves(parameters);
    Normal::new(mean, log_var)
}

/// Mean and log-variance of the standardised numbers.
fn halves(parameters: Tensor<3>) -> [Tensor<2>; 2] {
    let [batch, event, _] = parameters.dims();
    let part = |i: usize| parameters.clone().slice([0..batch, 0..event, i..i + 1]).reshape([batch, event]);
    [part(0), part(1).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND)]
}

/// One row `[1, n]` for broadcasting over a batch.
fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
