//! The likelihood of a target: what a network's outputs mean, dimension by dimension.
//!
//! A likelihood is a [`Family`], one file each, and one line of the registry below makes it one of every model. Families of levels
//! are written as tables over their levels (`levels.rs`), those of real numbers as densities of the standardised number (`real.rs`).

mod bernoulli;
mod beta_binomial;
mod calibrated;
mod categorical;
mod choice;
mod columns;
mod continuous_bernoulli;
mod discretized_logistic;
mod laplace;
mod levels;
mod mixture;
mod negative_binomial;
mod normal;
mod normal_mixture;
mod ordinal;
mod poisson;
mod real;
mod shaped;
mod student_t;

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use crate::parts::{Plain, part};
use burn::tensor::Tensor;
use dgm_core::density::Distribution;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

pub use choice::SamplingParams;
pub(crate) use columns::of_columns;
pub(crate) use mixture::log_mean_exp;
pub(crate) use real::LOG_VAR_BOUND;

/// A density of each dimension of a target, from the outputs of a network.
pub trait Family: Debug + Send + Sync {
    /// How many outputs of a network one dimension of the target needs.
    fn parameters(&self) -> usize;

    /// The density of each of these `dimensions` of the event as it stands in a [`Batch`](crate::Batch), standardised where it is a real
    /// number: p^(1/T), normalised again, from parameters `[batch, dimensions, parameters]`.
    fn distribution(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
    ) -> Box<dyn Distribution<2>>;

    /// The same with `factor` times its scale, for a calibration: what is below the floor of a grid is not made narrower.
    fn rescaled(&self, parameters: Tensor<3>, dimensions: Range<usize>, factor: f64) -> Box<dyn Distribution<2>> {
        self.distribution(parameters, dimensions, factor.powi(2))
    }

    /// The logarithm of each dimension's unit in a batch, in the data's units: of the standard deviation that it was divided by. `None`:
    /// a batch has the data's units.
    fn log_units(&self, _dimensions: Range<usize>) -> Option<&[f32]> {
        None
    }

    /// The logarithms of the probabilities of all levels, `[batch, dimensions, levels]`, in nats; `None` for real numbers.
    fn log_probs(&self, _parameters: Tensor<3>) -> Option<Tensor<3>> {
        None
    }

    /// The same of one dimension, from `[batch, 1, parameters]`: `[batch, levels]`; `None` where it is a real number.
    fn log_probs_at(&self, parameters: Tensor<3>, _dimension: usize) -> Option<Tensor<2>> {
        let table = self.log_probs(parameters)?;
        let [batch, _, levels] = table.dims();
        Some(table.reshape([batch, levels]))
    }

    /// Whether it knows no order of the levels.
    fn is_nominal(&self) -> bool {
        false
    }
}

/// A [`Family`], shared by whoever needs it.
#[derive(Clone, Debug)]
pub struct Likelihood(Arc<dyn Family>);

impl Likelihood {
    /// The likelihood of a family: of a registered one, or of your own for a model of your own.
    pub fn new(family: impl Family + 'static) -> Self {
        Self(Arc::new(family))
    }

    /// The mean of several densities, all of levels or all of real numbers; its outputs are those of each, one after the other.
    pub fn mixture(members: Vec<Self>) -> Self {
        Self::new(mixture::Mixture { members })
    }

    /// How many outputs of a network one dimension of the target needs.
    pub fn parameters(&self) -> usize {
        self.0.parameters()
    }

    /// The density of each dimension as it stands in a [`Batch`](crate::Batch), standardised where it is a real number: its mean, quantiles
    /// and so on. Parameters `[batch, event, parameters]`, values `[batch, event]`.
    pub fn distribution(&self, parameters: Tensor<3>) -> Box<dyn Distribution<2>> {
        let [_, event, _] = parameters.dims();
        self.tempered(parameters, 0..event, 1.0)
    }

    /// The same of these dimensions of the event alone.
    pub fn distribution_at(&self, parameters: Tensor<3>, dimensions: Range<usize>) -> Box<dyn Distribution<2>> {
        self.tempered(parameters, dimensions, 1.0)
    }

    fn tempered(&self, parameters: Tensor<3>, dimensions: Range<usize>, temperature: f64) -> Box<dyn Distribution<2>> {
        self.0.distribution(parameters, dimensions, temperature)
    }

    fn rescaled(&self, parameters: Tensor<3>, dimensions: Range<usize>, factor: f64) -> Box<dyn Distribution<2>> {
        self.0.rescaled(parameters, dimensions, factor)
    }

    fn log_units(&self, dimensions: Range<usize>) -> Option<&[f32]> {
        self.0.log_units(dimensions)
    }

    /// log p(x) of each dimension in nats, in the units of the data: parameters `[batch, event, parameters]`, x `[batch, event]` as in
    /// a [`Batch`](crate::Batch), result like x.
    pub fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>) -> Tensor<2> {
        let [_, event] = x.dims();
        self.log_prob_at(parameters, x, 0..event)
    }

    /// The same of these dimensions of the event alone.
    pub fn log_prob_at(&self, parameters: Tensor<3>, x: Tensor<2>, dimensions: Range<usize>) -> Tensor<2> {
        let device = x.device();
        let log_prob = self.tempered(parameters, dimensions.clone(), 1.0).log_prob(x);
        match self.log_units(dimensions) {
            Some(log_units) => log_prob - real::row(log_units, &device),
            None => log_prob,
        }
    }

    /// One sample of each dimension, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn sample(&self, parameters: Tensor<3>, rng: &mut Stream) -> Tensor<2> {
        self.distribution(parameters).sample(rng)
    }

    /// One sample of each of these dimensions of the event, narrowed by `choice`.
    ///
    /// # Panics
    /// If [`SamplingParams::check`] refuses the choice, or it has a `top_k` or `top_p` and the values are real numbers.
    pub fn sample_at(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        choice: &SamplingParams,
        rng: &mut Stream,
    ) -> Tensor<2> {
        assert!(
            choice.check().is_ok(),
            "Likelihood::sample_at: found {choice:?}, need values in the ranges of SamplingParams::check"
        );
        // A table of all levels costs more than a sample: it is made where it is narrowed.
        let narrows = choice.top_k.is_some() || choice.top_p.is_some();
        let table = if narrows { self.log_probs(parameters.clone()) } else { None };
        assert!(
            narrows == table.is_some(),
            "Likelihood::sample_at: found {choice:?}; top_k and top_p choose among levels, and the values are real numbers"
        );
        match table {
            Some(table) => shaped::Shaped::boxed(table, |rows| choice.narrowed(rows)).sample(rng),
            None => self.tempered(parameters, dimensions, choice.temperature).sample(rng),
        }
    }

    /// E\[x\] of each dimension, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        self.distribution(parameters).mean()
    }

    /// The logarithms of the probabilities of all levels, `[batch, event, levels]`, in nats; `None` for real numbers.
    pub fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        self.0.log_probs(parameters)
    }

    /// The same of one dimension, from `[batch, 1, parameters]`: `[batch, levels]`; `None` where it is a real number.
    pub fn log_probs_at(&self, parameters: Tensor<3>, dimension: usize) -> Option<Tensor<2>> {
        self.0.log_probs_at(parameters, dimension)
    }

    /// Whether it knows no order of the levels.
    pub fn is_nominal(&self) -> bool {
        self.0.is_nominal()
    }
}

/// The keys of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Components {
    /// Number of components. Default: 1.
    pub components: usize,
}

impl Default for Components {
    fn default() -> Self {
        Self { components: 1 }
    }
}

/// The keys of a likelihood.
trait Keys {
    fn check(&self) -> Result<(), ModelError>;
}

impl Keys for Plain {
    fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }
}

impl Keys for Components {
    fn check(&self) -> Result<(), ModelError> {
        let valid = (1..=64).contains(&self.components);
        ModelError::check(valid, "likelihood.components", self.components, "1 to 64")
    }
}

/// A line each: the name in a configuration, the file with its `build`, the type of its keys, and the variant of
/// [`LikelihoodConfig`].
macro_rules! likelihoods {
    ($($(#[$doc:meta])* $name:literal => $module:ident ($keys:ident) as $kind:ident),+ $(,)?) => {
        part! {
            /// `likelihood = "normal"`, or `{ kind = "beta_binomial", components = 3 }`: the short form has every key at its default.
            LikelihoodConfig, such as "{ kind = \"beta_binomial\", components = 3 }":
            $($(#[$doc])* $name => $keys as $kind),+
        }

        impl LikelihoodConfig {
            fn keys(&self) -> &dyn Keys {
                match self { $(Self::$kind(keys) => keys,)+ }
            }

            /// `None`: it is for other values.
            fn build_for(&self, spec: &DataSpec) -> Option<Likelihood> {
                match self { $(Self::$kind(keys) => $module::build(keys, spec),)+ }
            }
        }
    };
}

likelihoods! {
    /// Two levels.
    "bernoulli" => bernoulli(Plain) as Bernoulli,
    /// A softmax over the levels.
    "categorical" => categorical(Plain) as Categorical,
    /// Levels in an order: a number that is cut at thresholds.
    "ordinal" => ordinal(Plain) as Ordinal,
    /// A mixture of beta-binomials over ordinal levels.
    "beta_binomial" => beta_binomial(Components) as BetaBinomial,
    /// A mixture of discretised logistics over ordinal levels.
    "discretized_logistic" => discretized_logistic(Components) as DiscretizedLogistic,
    /// Counts, as levels: a Poisson distribution truncated after the last level.
    "poisson" => poisson(Plain) as Poisson,
    /// Counts, as levels, that vary more than their mean: a negative binomial distribution truncated after the last level.
    "negative_binomial" => negative_binomial(Plain) as NegativeBinomial,
    /// Real numbers, with mean and variance from the network.
    "normal" => normal(Plain) as Normal,
    /// A mixture of normals: real numbers with several likely values.
    "normal_mixture" => normal_mixture(Components) as NormalMixture,
    /// Real numbers with tails that fall off as exp(−|x|).
    "laplace" => laplace(Plain) as Laplace,
    /// Real numbers with heavy tails, as many degrees of freedom as the network says.
    "student_t" => student_t(Plain) as StudentT,
    /// Dequantised levels, as a density that rises or falls exponentially over their range.
    "continuous_bernoulli" => continuous_bernoulli(Plain) as ContinuousBernoulli,
}

impl LikelihoodConfig {
    /// `likelihood = "categorical"`
    pub const CATEGORICAL: Self = Self::Categorical(Plain {});

    /// `likelihood = "normal"`
    pub const NORMAL: Self = Self::Normal(Plain {});

    /// The likelihood for the data.
    ///
    /// # Errors
    /// Data of other values, or a key out of its range.
    pub fn build(&self, spec: &DataSpec) -> Result<Likelihood, ModelError> {
        let likelihood = self.build_for(spec).ok_or_else(|| self.mismatch(spec))?;
        self.keys().check()?;
        Ok(likelihood)
    }

    fn mismatch(&self, spec: &DataSpec) -> ModelError {
        let (values, way_out) = match &spec.values {
            Values::Levels(levels) if matches!(self, Self::Bernoulli(_)) => {
                (format!("{levels} levels"), ", or binarise the data")
            }
            Values::Levels(levels) if matches!(self, Self::ContinuousBernoulli(_)) => (
                format!("{levels} levels"),
                ", or dequantise the data (data.dequantize = \"uniform\", without data.binarize, of images)",
            ),
            Values::Levels(levels) => (format!("{levels} levels"), ""),
            Values::Real(_) => ("real numbers".into(), ""),
            Values::Columns(_) => ("columns of different kinds".into(), "model.kind = \"any_order_mlp\""),
        };
        let fits = Self::KINDS.iter().filter(|kind| Self::of_kind(kind).is_some_and(|of| of.build_for(spec).is_some()));
        let names: Vec<String> = fits.map(|kind| format!("\"{kind}\"")).collect();
        let instead = match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            last => last.map(|(last, _)| last.clone()).unwrap_or_default(),
        };
        ModelError::Likelihood { likelihood: self.kind(), values, instead: instead + way_out }
    }
}

#[cfg(all(test, feature = "flex"))]
mod calibrated_tests;
#[cfg(all(test, feature = "flex"))]
mod tests;
