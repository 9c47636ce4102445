//! Evidence lower bound, with a weight and a floor for its KL term.

use super::Objective;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// L = −E_q\[log p(x | z)\] + β·KL(q(z | x) ‖ p(z)) ≥ −log p(x) for β ≥ 1, with equality at β = 1 when q is the true
/// posterior (Kingma and Welling 2014, eq. 3; β: Higgins et al. 2017, eq. 4).
///
/// Only β = 1 without free bits is a bound on the likelihood that is tight and comparable; all else is for training. A β that
/// changes with the step is a [`Schedule`](crate::schedule::Schedule) whose value goes here.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dgm_core::density::{Bernoulli, Normal};
/// use dgm_core::{divergence::kl, objective::{Elbo, sum_event}, random::Seed};
///
/// // What an encoder and a decoder emit for a batch of two examples: q(z | x) of 3 variables, logits of 4 pixels.
/// let device = Device::flex().autodiff();
/// let posterior = Normal::new(Tensor::zeros([2, 3], &device), Tensor::zeros([2, 3], &device));
/// let z = posterior.sample(&mut Seed(0).stream("noise", 0));
/// let decoder = Tensor::<2>::zeros([3, 4], &device).require_grad();
/// let x = Tensor::from_floats([[0., 1., 1., 0.], [1., 1., 0., 0.]], &device);
/// let log_likelihood = sum_event(Bernoulli::from_logits(z.matmul(decoder.clone())).log_prob(x));
/// let objective = Elbo::default().objective(log_likelihood, kl::normal_standard(&posterior));
/// // 4 pixels at one bit each, and a posterior that is the prior.
/// let nats: f32 = objective.mean_batch().into_scalar();
/// assert!((nats - 4.0 * std::f32::consts::LN_2).abs() < 1e-5);
/// assert!(decoder.grad(&objective.mean_batch().backward()).is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elbo {
    /// Weight of the KL term.
    pub beta: f64,
    /// A KL that costs nothing more to use.
    pub free_bits: Option<FreeBits>,
}

impl Default for Elbo {
    fn default() -> Self {
        Self { beta: 1.0, free_bits: None }
    }
}

impl Elbo {
    /// From log p(x | z) `[batch]`, z drawn from q, summed over x; and the KL of each latent variable `[batch, latent]`:
    /// in closed form, or sampled, log q(z | x) − log p(z) at the same z. All in nats.
    ///
    /// Terms: `nll` = −log p(x | z) and `kl`, the true one without weight and floor.
    ///
    /// # Panics
    /// If the batches differ, or the latent variables do not divide into the groups of the free bits.
    pub fn objective(&self, log_likelihood: Tensor<1>, kl: Tensor<2>) -> Objective {
        let (rows, shape) = (log_likelihood.dims(), kl.dims());
        assert_eq!(rows[0], shape[0], "Elbo: `log_likelihood` has shape {rows:?} and `kl` {shape:?}");
        let floored = match self.free_bits {
            Some(free_bits) => free_bits.floor(kl.clone()),
            None => super::sum_event(kl.clone()),
        };
        let nll = log_likelihood.neg();
        let loss = nll.clone() + floored.mul_scalar(self.beta);
        Objective { loss, terms: vec![("nll", nll), ("kl", super::sum_event(kl))] }
    }
}

/// Free bits: Σ_g max(λ, E_batch\[KL_g\]) in place of Σ_g E_batch\[KL_g\], over groups g of latent variables
/// (Kingma et al. 2016, "Improving variational inference with inverse autoregressive flow", eq. 15).
///
/// A group whose mean KL over the batch is below λ feels no pull to give up what it still knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeBits {
    /// λ, in nats for each group (ln 2 nats are a bit).
    pub nats: f64,
    /// Latent variables that stand next to each other and share a floor. Default: 1, each has its own.
    #[serde(default = "one")]
    pub group: usize,
}

fn one() -> usize {
    1
}

impl FreeBits {
    /// The floored KL of each example, `[batch, latent]` → `[batch]`: where the batch mean of a group is below λ, λ for
    /// each example and no gradient; the mean over the batch is the formula's.
    ///
    /// # Panics
    /// If `group` does not divide the latent variables.
    pub fn floor(&self, kl: Tensor<2>) -> Tensor<1> {
        let [batch, latent] = kl.dims();
        assert!(
            self.group >= 1 && latent.is_multiple_of(self.group),
            "FreeBits: `group` is {} and `kl` has shape [{batch}, {latent}], whose columns it does not divide",
            self.group
        );
        let groups = latent / self.group;
        let kl: Tensor<2> = kl.reshape([batch, groups, self.group]).sum_dim(2).squeeze_dim(2);
        let below = kl.clone().detach().mean_dim(0).lower_elem(self.nats).expand([batch, groups]);
        super::sum_event(kl.mask_fill(below, self.nats))
    }
}
