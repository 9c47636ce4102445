//! The likelihood of a target: what a network's outputs mean, number by number.

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, Normal};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

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
    /// Mean and log-variance, in units of `std` around `mean`.
    Normal {
        /// Mean of each number over the training data.
        mean: Vec<f32>,
        /// Standard deviation of each number over the training data.
        std: Vec<f32>,
    },
}

/// Log-variances stay within ±15 of the data's: deviations from 1/1800 to 1800 times theirs. Without a floor a number that
/// the network meets exactly is worth infinitely many nats.
const LOG_VAR_BOUND: f64 = 15.0;

impl LikelihoodKind {
    /// The likelihood of this kind for the data, with `components` mixture components (1: no mixture).
    pub fn build(self, components: usize, spec: &DataSpec) -> Result<Likelihood, ModelError> {
        let mixes = self == Self::BetaBinomial;
        ModelError::check(
            components == 1 || (mixes && (1..=64).contains(&components)),
            "components",
            components,
            "1, or up to 64 with likelihood = \"beta_binomial\"",
        )?;
        match (self, &spec.values) {
            (Self::Bernoulli, Values::Levels(2)) => Ok(Likelihood::Bernoulli),
            (Self::Categorical, &Values::Levels(levels)) => Ok(Likelihood::Categorical { levels }),
            (Self::BetaBinomial, &Values::Levels(levels)) => Ok(Likelihood::BetaBinomial { levels, components }),
            (Self::Normal, Values::Real { mean, std }) => {
                Ok(Likelihood::Normal { mean: mean.clone(), std: std.clone() })
            }
            (kind, values) => Err(kind.mismatch(values)),
        }
    }

    fn mismatch(self, values: &Values) -> ModelError {
        let (values, instead) = match values {
            Values::Levels(2) => ("2 levels".into(), "\"bernoulli\" or \"categorical\""),
            Values::Levels(levels) => {
                let instead = match self {
                    Self::Bernoulli => "\"categorical\" or \"beta_binomial\", or binarise the data",
                    _ => "\"categorical\" or \"beta_binomial\"",
                };
                (format!("{levels} levels"), instead)
            }
            Values::Real { .. } => ("real numbers".into(), "\"normal\""),
        };
        let likelihood = match self {
            Self::Bernoulli => "bernoulli",
            Self::Categorical => "categorical",
            Self::BetaBinomial => "beta_binomial",
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
            Self::BetaBinomial { components, .. } => 3 * components,
            Self::Normal { .. } => 2,
        }
    }

    /// log p(x) of each number in nats: parameters `[batch, event, parameters]`, x `[batch, event]`, result like x.
    pub fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>) -> Tensor<2> {
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
            Self::Normal { mean, std } => {
                let log_std: Vec<f32> = std.iter().map(|std| std.ln()).collect();
                let log_std = row(&log_std, &x.device());
                // The density of the standardised number, and the Jacobian log (1 / std): log p in the data's units,
                // without the rounding of large numbers.
                normal(parameters).log_prob(standardized(x, mean, std)) - log_std
            }
        }
    }

    /// One draw of each number, `[batch, event]`.
    pub fn sample(&self, parameters: Tensor<3>, noise: &mut Stream) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        match self {
            Self::Bernoulli => Bernoulli::from_logits(parameters.reshape([batch, event])).sample(noise),
            Self::Normal { mean, std } => in_units(normal(parameters).sample(noise), mean, std),
            _ => self.categorical(parameters).sample(noise).float().reshape([batch, event]),
        }
    }

    /// E\[x\] of each number, `[batch, event]`.
    pub fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        match self {
            Self::Bernoulli => Bernoulli::from_logits(parameters.reshape([batch, event])).mean(),
            Self::Normal { mean, std } => in_units(normal(parameters).mean(), mean, std),
            _ => self.categorical(parameters).mean().reshape([batch, event]),
        }
    }

    /// The distribution over levels, one row a number; only for likelihoods over more than two levels.
    fn categorical(&self, parameters: Tensor<3>) -> Categorical {
        let [batch, event, outputs] = parameters.dims();
        match self {
            Self::BetaBinomial { levels, components } => {
                beta_binomial(parameters, *levels, *components).to_categorical()
            }
            _ => Categorical::from_logits(parameters.reshape([batch * event, outputs])),
        }
    }
}

fn beta_binomial(parameters: Tensor<3>, levels: usize, components: usize) -> BetaBinomialMixture {
    let [batch, event, outputs] = parameters.dims();
    let rows = batch * event;
    let parameters = parameters.reshape([rows, outputs]);
    let part = |i: usize| parameters.clone().slice([0..rows, i * components..(i + 1) * components]);
    BetaBinomialMixture::new(part(0), part(1), part(2), levels)
}

/// The density of the standardised numbers.
fn normal(parameters: Tensor<3>) -> Normal<2> {
    let [batch, event, _] = parameters.dims();
    let part = |i: usize| parameters.clone().slice([0..batch, 0..event, i..i + 1]).reshape([batch, event]);
    Normal::new(part(0), part(1).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND))
}

/// (x − mean) / std of each number.
pub(crate) fn standardized(x: Tensor<2>, mean: &[f32], std: &[f32]) -> Tensor<2> {
    let device = x.device();
    (x - row(mean, &device)) / row(std, &device)
}

/// Standardised numbers in the units of the data.
fn in_units(x: Tensor<2>, mean: &[f32], std: &[f32]) -> Tensor<2> {
    let device = x.device();
    x * row(std, &device) + row(mean, &device)
}

/// One row `[1, n]` for broadcasting over a batch.
fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}
