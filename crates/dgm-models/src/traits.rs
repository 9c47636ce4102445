//! What a model can do: each ability is a trait of its own, and a [`Model`] has those that it can do.

use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::likelihood::Likelihood;
use crate::posterior::Space;
use crate::training::{Examples, Inference, Training};
use burn::tensor::{Device, Tensor};
use dgm_core::density::Distribution;
use dgm_core::random::Stream;

/// What every registered model is: built for some data, trained in some way, and able to do what its getters give.
///
/// Nothing but [`spec`](Self::spec) and [`training`](Self::training) is required. A command asks for the capability that it needs;
/// [`require`](crate::require) says in one line what a model that lacks it can do instead.
pub trait Model: Send + Sync {
    /// The data that the model was built for.
    fn spec(&self) -> &DataSpec;

    /// How the model learns.
    fn training(&self) -> Training<'_>;

    /// Looks at the training examples once, before the first step: for a first guess that depends on the data, or, where
    /// [`training`](Self::training) is [`Training::Fit`], for all that there is to learn. A run that is resumed has it behind it: what is
    /// to be kept stands in float parameters of the module, whose shapes depend on the examples with [`Training::Fit`] alone.
    ///
    /// # Errors
    /// Data that can no longer be read, or that the model cannot be fitted to.
    fn fit(&mut self, _: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        Ok(())
    }

    /// What chooses among the weights of a run, where it is not trained by an
    /// [importance-weighted bound](crate::objective::ObjectiveKind::importance_samples): the loss of each example on the validation split, `[batch]`,
    /// in nats where it is one of a likelihood. Default: −log p of the [`density`](Self::density); `None`: nothing, and the last weights are the best.
    fn criterion(&self, batch: &Batch, rng: &mut Stream) -> Option<Tensor<1>> {
        Some(self.density()?.log_prob(batch, rng).neg())
    }

    /// Whether the [`criterion`](Self::criterion) is −log p or a bound of it, so that its mean is reported in nats. Default: where the model is
    /// a [`density`](Self::density).
    fn criterion_is_likelihood(&self) -> bool {
        self.density().is_some()
    }

    /// What messages call the model: the `kind` of a registered one, otherwise the name of its type.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.split('<').next().and_then(|path| path.rsplit("::").next()).unwrap_or(path)
    }

    /// The model as a density: evaluate, score, compare.
    fn density(&self) -> Option<&dyn Density> {
        None
    }

    /// The model as a generator: sample.
    fn generator(&self) -> Option<&dyn Generate> {
        None
    }

    /// The model as an encoder: encode, probe.
    fn encoder(&self) -> Option<&dyn Represent> {
        None
    }

    /// The model as a decoder of the codes of its [`encoder`](Self::encoder): reconstruct, interpolate, traverse.
    fn decoder(&self) -> Option<&dyn Decode> {
        None
    }

    /// The model as a product of conditionals: sample position by position, complete.
    fn conditionals(&self) -> Option<&dyn Autoregressive> {
        None
    }

    /// The model as a density of any part of the target given any other: fill in what is missing.
    fn any_order(&self) -> Option<&dyn AnyOrder> {
        None
    }

    /// The model as a marginal over latent variables: importance weights.
    fn latent(&self) -> Option<&dyn Latent> {
        None
    }
}

/// Samples x, given a condition; samples and condition are as in a [`Batch`]: real numbers standardised.
pub trait Generate {
    /// `n` samples `[n, event]`, given a condition `[n, width]` where the model has one.
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2>;
}

/// What [`Density::log_prob`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// The log-likelihood itself.
    Exact,
    /// An unbiased one-sample estimate of a lower bound of the log-likelihood (the ELBO).
    LowerBound {
        /// What is drawn for it, as it stands beside a result after their number: `"posterior samples"`.
        draws: &'static str,
        /// How the bound is computed, as it stands beside a result: `"KL in closed form"`.
        computed: &'static str,
    },
    /// The logarithm of an unbiased Monte-Carlo estimate of the likelihood: a lower bound of the log-likelihood in expectation.
    MonteCarlo {
        /// Number of draws of the prior.
        samples: usize,
    },
}

impl Estimator {
    /// Whether it is the log-likelihood itself.
    pub fn is_exact(self) -> bool {
        self == Self::Exact
    }
}

/// How probable is x, given a condition?
pub trait Density {
    /// What [`log_prob`](Self::log_prob) is.
    fn estimator(&self) -> Estimator;

    /// log p(x | c) of each example in nats, `[batch]`, with every constant, in the units of the data; dropout is off. Where the
    /// estimator is a bound, one sample of it.
    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1>;

    /// log p of each dimension of the target, given those that come before it in the model's order, `[batch, event]`: 0 where the
    /// mask is 0, and their sum is [`log_prob`](Self::log_prob). `None`: the model has no such factors.
    fn log_prob_elementwise(&self, _: &Batch) -> Option<Tensor<2>> {
        None
    }
}

/// p(x | c) = ∫ p(x, z | c) dz over latent variables z, with an approximate posterior q(z | x, c).
pub trait Latent {
    /// Number of latent variables of each layer, in the order in which they are generated; they stand next to each other in z. Default:
    /// nothing is known of them.
    fn layers(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Where z lies. Default: real numbers.
    fn space(&self) -> Space {
        Space::Real
    }

    /// q(z | x, c) of a batch and the joint density, without dropout; `None`: there is no one q, as in an ensemble.
    fn infer<'a>(&'a self, _: &'a Batch) -> Option<Box<dyn Inference + 'a>> {
        None
    }

    /// x given each row of z `[batch, latent]` and the condition of the batch, `[batch, event]`; `None`: as there is no one z. Default:
    /// that.
    fn sample_given(&self, _z: &Tensor<2>, _batch: &Batch, _rng: &mut Stream) -> Option<Tensor<2>> {
        None
    }

    /// One log-weight log p(x, z | c) − log q(z | x, c) for each example, `[batch]`, in nats, z sampled from q. The log-mean-exp
    /// of k of them is the importance-weighted bound of log p(x | c), which rises to it with k
    /// (Burda, Grosse and Salakhutdinov 2016, eq. 8).
    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1>;
}

/// What is x, in few numbers?
pub trait Represent {
    /// The code of each example, `[batch, code]`.
    fn encode(&self, batch: &Batch) -> Tensor<2>;
}

/// What does a code stand for?
pub trait Decode {
    /// The mean of x given codes `[batch, code]` and the condition of each where the model has one, `[batch, event]`, as in a [`Batch`].
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2>;
}

/// A density that is a product of conditionals in a fixed order of the target's dimensions.
pub trait Autoregressive {
    /// The likelihood of each dimension given those before.
    fn likelihood(&self) -> &Likelihood;

    /// The device of the weights.
    fn device(&self) -> Device;

    /// The dimensions of the target in the order in which they depend on each other.
    fn order(&self) -> Vec<usize>;

    /// The parameters of every conditional at once, x `[n, event]` → `[n, event, parameters]`: those of a dimension depend on
    /// the dimensions before it in [`order`](Self::order), on its position and on the condition alone.
    fn parameters(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3>;

    /// p(x_d | the dimensions before it, the condition) of each dimension as it stands in a [`Batch`], standardised where it is a real
    /// number: what it has, such as means and quantiles, is the predictive distribution where a target has one dimension.
    fn predict(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Box<dyn Distribution<2>> {
        self.likelihood().distribution(self.parameters(x, condition))
    }

    /// Whether, given the condition, no dimension of the target depends on another: [`predict`](Self::predict) is then the distribution of
    /// each by itself, whatever x is. Default: where there is one.
    fn is_independent(&self) -> bool {
        self.order().len() == 1
    }

    /// The same one dimension after the other, for `n` examples at once.
    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_>;
}

/// A density of each dimension of the target given any others.
pub trait AnyOrder {
    /// The likelihood of each dimension.
    fn likelihood(&self) -> &Likelihood;

    /// The device of the weights.
    fn device(&self) -> Device;

    /// The parameters of p(x_d | the visible dimensions, c) of each dimension d that is not visible, `[n, event, parameters]`: of x
    /// `[n, event]` what has a 1 in `visible`, `[n, event]`, is seen, and nothing else; those of visible dimensions mean nothing.
    fn parameters_given(&self, x: Tensor<2>, visible: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3>;
}

/// An [`Autoregressive`] model that goes from dimension to dimension, at the cost of one position each.
pub trait Steps {
    /// The parameters `[n, 1, parameters]` of the next dimension's conditional, given the value `[n, 1]` of the one before,
    /// which is `None` for the first.
    ///
    /// # Panics
    /// If there is no next dimension.
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<3>;
}
