//! What a model can do: learn, draw, score, represent.

use crate::autoregressive::Autoregressive;
use crate::data::{Batch, DataSpec};
use burn::tensor::Tensor;
use dgm_core::objective::Objective;
use dgm_core::random::Stream;

/// Weights of an objective's terms at one step of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Weight of the KL term of a latent-variable model.
    pub beta: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

/// From a batch to a loss.
pub trait Train {
    /// The loss of each example in nats, and its named terms; `noise` feeds dropout and latent samples.
    fn objective(&self, batch: &Batch, weights: Weights, noise: &mut Stream) -> Objective;
}

/// Draws x, given a condition; what is drawn, and the condition, are as in a [`Batch`]: real numbers standardised.
pub trait Generate {
    /// `n` draws `[n, event]`, given a condition `[n, width]` where the model has one.
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, noise: &mut Stream) -> Tensor<2>;
}

/// How probable is x, given a condition?
pub trait Density {
    /// Whether [`log_prob`](Self::log_prob) is the log-likelihood itself; if not, it is an unbiased one-sample estimate
    /// of a lower bound (the ELBO).
    fn is_exact(&self) -> bool;

    /// log p(x | c) of each example in nats, `[batch]`, with every constant, in the units of the data; dropout is off.
    fn log_prob(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1>;

    /// log p of each number of the target, given those that come before it in the model's order, `[batch, event]`: 0 where the
    /// mask is 0, and their sum is [`log_prob`](Self::log_prob). `None`: the model has no such factors.
    fn log_prob_elementwise(&self, _: &Batch) -> Option<Tensor<2>> {
        None
    }

    /// One log-weight log p(x, z | c) − log q(z | x, c) for each example, `[batch]`, z drawn from q. The log-mean-exp of
    /// k of them is the importance-weighted bound of log p(x | c), which rises to it with k.
    ///
    /// For an exact model, log p(x | c) itself.
    fn log_weight(&self, batch: &Batch, noise: &mut Stream) -> Tensor<1> {
        self.log_prob(batch, noise)
    }
}

/// What is x, in few numbers?
pub trait Represent {
    /// The code of each example, `[batch, code]`.
    fn encode(&self, batch: &Batch) -> Tensor<2>;

    /// The mean of x given the code of each example (and its condition), `[batch, event]`, as in a [`Batch`].
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2>;
}

/// A model as commands see it: they ask for what they need, and get `None` from a model that lacks it.
pub trait Model: Train + Density {
    /// The data that the model was built for.
    fn spec(&self) -> &DataSpec;

    /// The model as a generator.
    fn as_generate(&self) -> Option<&dyn Generate> {
        None
    }

    /// The model as a product of conditionals, which may be drawn from number by number.
    fn as_autoregressive(&self) -> Option<&dyn Autoregressive> {
        None
    }

    /// The model as an encoder.
    fn as_represent(&self) -> Option<&dyn Represent> {
        None
    }
}
