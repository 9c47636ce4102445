//! How a model learns: by its likelihood, by a bound over latent variables, by losses of its own with one or more players, or in
//! closed form.

use crate::data::Batch;
use crate::error::ModelError;
use crate::layers::Mode;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::Objective;
use dgm_core::random::Stream;

/// How a model learns. What an [`ObjectiveKind`](crate::objective::ObjectiveKind) makes a loss of.
#[derive(Clone, Copy)]
pub enum Training<'a> {
    /// By gradients of its log-likelihood.
    Likelihood(&'a dyn TrainLikelihood),
    /// By gradients of a bound of its log-likelihood.
    Bound(&'a dyn TrainBound),
    /// By gradients of losses of its own.
    Custom(&'a dyn Train),
    /// In closed form: [`Model::fit`](crate::Model::fit) is all of it.
    Fit,
    /// Not as one: each of its members is trained by itself, as in an ensemble.
    Members,
}

/// The log-likelihood while it is trained.
pub trait TrainLikelihood {
    /// Dimensions of a target and levels of each, where [`train_log_probs`](Self::train_log_probs) gives their probabilities.
    fn levels(&self) -> Option<[usize; 2]> {
        None
    }

    /// Whether [`train_log_prob`](Self::train_log_prob) is an estimate, as of one order of the dimensions out of many, and not the density
    /// itself.
    fn is_estimate(&self) -> bool {
        false
    }

    /// log p of each dimension of the target in nats, in the units of the data, `[batch, event]`, or of the whole target, `[batch, 1]`;
    /// what the mask hides may be anything.
    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2>;

    /// The logarithms of the probabilities of all levels of each dimension, `[batch, event, levels]`; `None`: the values are real
    /// numbers, or the model has no such factors.
    fn train_log_probs(&self, _: &Batch, _: &mut Mode) -> Option<Tensor<3>> {
        None
    }
}

/// A bound of log p(x | c) = log ∫ p(x | z, c) p(z | c) dz while it is trained.
pub trait TrainBound {
    /// Number of terms of the KL of an example, of each layer: one for each latent variable, or one for all of them. They stand next to each
    /// other in [`Inference::kl`].
    fn kl_parts(&self) -> Vec<usize>;

    /// The approximate posterior of the batch, and the joint density that it is held against.
    fn infer<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> Box<dyn Inference + 'a>;
}

/// k samples of z per example, and what is known of them.
#[derive(Clone, Debug)]
pub struct Samples {
    /// `[batch, k, latent]`
    pub z: Tensor<3>,
    /// log q(z | x, c), `[batch, k]`, where drawing them gave it: what would cost more to find again.
    pub log_posterior: Option<Tensor<2>>,
}

impl Samples {
    /// Samples whose density is to be computed.
    pub fn of(z: Tensor<3>) -> Self {
        Self { z, log_posterior: None }
    }
}

/// q(z | x, c) of one batch, and the joint density p(x, z | c), for k samples of z per example: z is `[batch, k, latent]`, and densities
/// are `[batch, k]`, summed over the latent variables or the target, in nats.
pub trait Inference {
    /// k samples of q per example, reparameterised: gradients reach the parameters of q through them.
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples;

    /// Makes q wider: standard deviations times `factor`, or what comes next to it. `false`: it has no wider form.
    fn widen(&mut self, _factor: f64) -> bool {
        false
    }

    /// E_q\[z\] of each example, or what comes next to it, `[batch, latent]`; `None`: z is not inferred from x.
    fn expectation(&self) -> Option<Tensor<2>> {
        None
    }

    /// n samples of the prior, `[n, latent]`.
    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2>;

    /// log q(z | x, c).
    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2>;

    /// log q(z | x, c) of samples that [`sample`](Self::sample) gave.
    fn log_posterior_of(&self, samples: &Samples) -> Tensor<2> {
        samples.log_posterior.clone().unwrap_or_else(|| self.log_posterior(samples.z.clone()))
    }

    /// The same with the parameters of q held fixed: a gradient reaches z alone.
    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2>;

    /// log p(z | c).
    fn log_prior(&self, z: Tensor<3>) -> Tensor<2>;

    /// log p(x | z, c), 0 where the mask hides the target.
    fn log_likelihood(&self, z: Tensor<3>, mode: &mut Mode) -> Tensor<2>;

    /// KL(q(z | x, c) ‖ p(z | c)), `[batch, Σ kl_parts]`: of each latent variable where that has a closed form, otherwise of all together, as
    /// the mean over these samples.
    fn kl(&self, samples: &Samples) -> Tensor<2>;
}

/// Losses of a model's own: those of a game between players, or of a representation.
pub trait Train {
    /// Who learns, in the order of their turns. Default: one player, with all parameters.
    fn players(&self) -> Vec<Player> {
        vec![Player::default()]
    }

    /// Number of views of an example: that many batches of the same examples, each augmented independently.
    fn views(&self) -> usize {
        1
    }

    /// The loss of each example for this player (its place in [`players`](Self::players)), and its named terms.
    fn loss(&self, player: usize, views: &[Batch], rng: &mut Stream) -> Objective;

    /// Examples that a batch has to have for the loss to mean anything: 2 where they are told from each other.
    fn least_batch(&self) -> usize {
        1
    }

    /// Whether the mean loss of a batch is that of its parts, so that its gradient may be accumulated over micro-batches. Not where an
    /// example's loss depends on the others of its batch, as contrastive losses do.
    fn is_additive(&self) -> bool {
        true
    }
}

/// A player of a game: a part of the parameters with its own loss and optimiser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// What the configuration, checkpoints and messages call it.
    pub name: &'static str,
    /// Its parameters: paths such as `generator.layers.0.weight`, in which `*` stands for any characters.
    pub parameters: &'static [&'static str],
    /// Updated every this many training steps: 5 for a generator whose critic takes five steps to one of its own.
    pub every: u64,
}

impl Default for Player {
    /// All parameters, in every step.
    fn default() -> Self {
        Self { name: "model", parameters: &["*"], every: 1 }
    }
}

impl Player {
    /// A player with these parameters, updated in every step.
    pub fn new(name: &'static str, parameters: &'static [&'static str]) -> Self {
        Self { name, parameters, every: 1 }
    }
}

/// The loss without any view of an example, which no caller asks for.
pub(crate) fn nothing() -> Objective {
    Objective { loss: Tensor::zeros([1], &Device::default()), terms: Vec::new() }
}

impl Training<'_> {
    /// The players; none where nothing is learnt by gradients.
    pub fn players(self) -> Vec<Player> {
        match self {
            Self::Likelihood(_) | Self::Bound(_) => vec![Player::default()],
            Self::Custom(train) => train.players(),
            Self::Fit | Self::Members => Vec::new(),
        }
    }

    /// Number of views of an example.
    pub fn views(self) -> usize {
        match self {
            Self::Custom(train) => train.views().max(1),
            _ => 1,
        }
    }
}

/// The examples of a training split, in their order.
pub trait Examples {
    /// How many there are, at least one.
    fn count(&self) -> usize;

    /// These of them, on the device of the model.
    ///
    /// # Errors
    /// Data that can no longer be read.
    fn batch(&self, rows: &[usize]) -> Result<Batch, ModelError>;

    /// Refuses padding and missing values, which a `kind` of model has no use for.
    ///
    /// # Errors
    /// Such data, or data that can no longer be read.
    fn without_padding(&self, kind: &str) -> Result<(), ModelError> {
        match self.batch(&[0])?.mask {
            None => Ok(()),
            Some(_) => Err(ModelError::Data(format!(
                "`model.kind` is \"{kind}\", which needs every value, and some are padding or missing; use model.kind = \"causal_conv\" or \
                 \"any_order_mlp\""
            ))),
        }
    }

    /// All of them, in batches of at most `at_once`.
    fn batches(&self, at_once: usize) -> Box<dyn Iterator<Item = Result<Batch, ModelError>> + '_> {
        let (count, at_once) = (self.count(), at_once.max(1));
        Box::new((0..count).step_by(at_once).map(move |first| {
            let rows: Vec<usize> = (first..count.min(first + at_once)).collect();
            self.batch(&rows)
        }))
    }
}
