//! The likelihood of a target: what a network's outputs mean, dimension by dimension.
//!
//! A likelihood is a [`Family`], one file each, and one line of the registry below makes it one of every model. Families of levels
//! are written as tables over their levels (`levels.rs`), those of real numbers as densities of the standardised number (`real.rs`).

mod bernoulli;
mod beta_binomial;
mod categorical;
mod choice;
mod discretized_logistic;
mod laplace;
mod levels;
mod mixture;
mod negative_binomial;
mod normal;
mod normal_mixture;
mod poisson;
mod real;
mod student_t;

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use burn::tensor::Tensor;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

pub use choice::Choice;
pub(crate) use mixture::log_mean_exp;

/// A density of each dimension of a target, from the outputs of a network.
pub trait Family: Debug + Send + Sync {
    /// How many outputs of a network one dimension of the target needs.
    fn parameters(&self) -> usize;

    /// log p(x) of each of these `dimensions` of the event in nats, in the units of the data: parameters
    /// `[batch, dimensions, parameters]`, x `[batch, dimensions]` as in a [`Batch`](crate::Batch), result like x.
    fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>, dimensions: Range<usize>) -> Tensor<2>;

    /// One sample of each of these dimensions, `[batch, dimensions]`, as in a [`Batch`](crate::Batch), narrowed by `choice`.
    fn sample(&self, parameters: Tensor<3>, dimensions: Range<usize>, choice: &Choice, rng: &mut Stream) -> Tensor<2>;

    /// E\[x\] of each dimension, `[batch, dimensions]`, as in a [`Batch`](crate::Batch).
    fn mean(&self, parameters: Tensor<3>) -> Tensor<2>;

    /// The logarithms of the probabilities of all levels, `[batch, dimensions, levels]`, in nats; `None` for real numbers.
    fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>>;

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

    /// log p(x) of each dimension in nats, in the units of the data: parameters `[batch, event, parameters]`, x `[batch, event]` as in
    /// a [`Batch`](crate::Batch), result like x.
    pub fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>) -> Tensor<2> {
        let [_, event] = x.dims();
        self.0.log_prob(parameters, x, 0..event)
    }

    /// The same of these dimensions of the event alone.
    pub fn log_prob_at(&self, parameters: Tensor<3>, x: Tensor<2>, dimensions: Range<usize>) -> Tensor<2> {
        self.0.log_prob(parameters, x, dimensions)
    }

    /// One sample of each dimension, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn sample(&self, parameters: Tensor<3>, rng: &mut Stream) -> Tensor<2> {
        let [_, event, _] = parameters.dims();
        self.0.sample(parameters, 0..event, &Choice::default(), rng)
    }

    /// One sample of each of these dimensions of the event, narrowed by `choice`.
    pub fn sample_at(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        choice: &Choice,
        rng: &mut Stream,
    ) -> Tensor<2> {
        self.0.sample(parameters, dimensions, choice, rng)
    }

    /// E\[x\] of each dimension, `[batch, event]`, as in a [`Batch`](crate::Batch).
    pub fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        self.0.mean(parameters)
    }

    /// The logarithms of the probabilities of all levels, `[batch, event, levels]`, in nats; `None` for real numbers.
    pub fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        self.0.log_probs(parameters)
    }

    /// Whether it knows no order of the levels.
    pub fn is_nominal(&self) -> bool {
        self.0.is_nominal()
    }
}

/// A registered likelihood: its name, whether it has components, and how it is built.
struct Entry {
    name: &'static str,
    /// Whether it may have several components.
    mixes: bool,
    /// The likelihood with so many components; `None`: it is for other values.
    build: fn(components: usize, spec: &DataSpec) -> Option<Likelihood>,
}

/// A line each: the name in a configuration, the file, and the variant of [`LikelihoodKind`].
macro_rules! likelihoods {
    ($($(#[$doc:meta])* $name:literal => $module:ident as $kind:ident),+ $(,)?) => {
        /// The name of a likelihood in a configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum LikelihoodKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)+
        }

        impl LikelihoodKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            fn entry(self) -> Entry {
                match self {
                    $(Self::$kind => Entry { name: $name, mixes: $module::MIXES, build: $module::build },)+
                }
            }
        }
    };
}

likelihoods! {
    /// Two levels.
    "bernoulli" => bernoulli as Bernoulli,
    /// A softmax over the levels.
    "categorical" => categorical as Categorical,
    /// A mixture of beta-binomials over ordinal levels.
    "beta_binomial" => beta_binomial as BetaBinomial,
    /// A mixture of discretised logistics over ordinal levels.
    "discretized_logistic" => discretized_logistic as DiscretizedLogistic,
    /// Counts, as levels: a Poisson distribution truncated after the last level.
    "poisson" => poisson as Poisson,
    /// Counts, as levels, that vary more than their mean: a negative binomial distribution truncated after the last level.
    "negative_binomial" => negative_binomial as NegativeBinomial,
    /// Real numbers, with mean and variance from the network.
    "normal" => normal as Normal,
    /// A mixture of normals: real numbers with several likely values.
    "normal_mixture" => normal_mixture as NormalMixture,
    /// Real numbers with tails that fall off as exp(−|x|).
    "laplace" => laplace as Laplace,
    /// Real numbers with heavy tails, as many degrees of freedom as the network says.
    "student_t" => student_t as StudentT,
}

impl LikelihoodKind {
    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The likelihood of this kind for the data, with `components` mixture components (1: no mixture).
    ///
    /// # Errors
    /// Data of other values, or components of a likelihood that has none.
    pub fn build(self, components: usize, spec: &DataSpec) -> Result<Likelihood, ModelError> {
        let Entry { mixes, build, .. } = self.entry();
        let likelihood = build(components, spec).ok_or_else(|| self.mismatch(spec))?;
        if components == 1 || (mixes && (1..=64).contains(&components)) {
            return Ok(likelihood);
        }
        let mixing = listed(Self::that_fit(spec).filter(|entry| entry.mixes));
        let expected = format!("1, or up to 64 with likelihood = {mixing}");
        Err(ModelError::OutOfRange { key: "components", found: components.to_string(), expected })
    }

    /// The likelihoods for the data.
    fn that_fit(spec: &DataSpec) -> impl Iterator<Item = Entry> + '_ {
        Self::ALL.iter().map(|kind| kind.entry()).filter(|entry| (entry.build)(1, spec).is_some())
    }

    fn mismatch(self, spec: &DataSpec) -> ModelError {
        let (values, way_out) = match spec.values {
            Values::Levels(levels) if self == Self::Bernoulli => (format!("{levels} levels"), ", or binarise the data"),
            Values::Levels(levels) => (format!("{levels} levels"), ""),
            Values::Real(_) => ("real numbers".into(), ""),
        };
        ModelError::Likelihood { likelihood: self.name(), values, instead: listed(Self::that_fit(spec)) + way_out }
    }
}

/// Names in quotes: "a", "b" or "c".
fn listed(entries: impl Iterator<Item = Entry>) -> String {
    let names: Vec<String> = entries.map(|entry| format!("\"{}\"", entry.name)).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        last => last.map(|(last, _)| last.clone()).unwrap_or_default(),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
