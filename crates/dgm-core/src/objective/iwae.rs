//! The importance-weighted bound as an objective, and its doubly reparameterised gradient.

use super::Objective;
use crate::estimate::log_mean_exp;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

/// L = −log (1/k Σᵢ wᵢ), wᵢ = p(x, zᵢ) / q(zᵢ | x), zᵢ drawn from q(z | x): a bound on −log p(x) that tightens with k
/// (Burda, Grosse and Salakhutdinov 2016, eq. 8); at k = 1 the ELBO with a sampled KL.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Iwae;

impl Iwae {
    /// From the log-weights log p(x, zᵢ) − log q(zᵢ | x), `[batch, k]`, in nats. Term: `nll_bound`, the loss itself.
    pub fn objective(&self, log_weights: Tensor<2>) -> Objective {
        named(log_mean_exp(log_weights).neg())
    }
}

/// The same loss with the doubly reparameterised gradient (DReG) for the encoder, whose signal does not fade as k grows
/// (Tucker et al. 2019, "Doubly reparameterized gradient estimators for Monte Carlo objectives", eq. 8).
///
/// With w̃ the normalised weights: Σᵢ w̃ᵢ ∂log wᵢ/∂θ for the decoder, Σᵢ w̃ᵢ² ∂log wᵢ/∂zᵢ ∂zᵢ/∂φ for the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dreg;

impl Dreg {
    /// From k reparameterised samples z `[batch, k, latent]` of q and the function z → log-weights `[batch, k]` in nats, in
    /// which **log q(z | x) must hold its parameters fixed** (`q.detach().log_prob(z)`): the encoder is reached through
    /// z alone. Term: `nll_bound`, the loss itself.
    ///
    /// The function is called twice, as the weights are needed before the gradient is built.
    ///
    /// # Panics
    /// If the function's result is not `[batch, k]`.
    pub fn objective(&self, z: Tensor<3>, log_weights: impl Fn(Tensor<3>) -> Tensor<2>) -> Objective {
        let [batch, k, _] = z.dims();
        let fixed = z.clone().detach();
        let first = log_weights(fixed.clone()).detach();
        let found = first.dims();
        assert_eq!(found, [batch, k], "Dreg: log-weights of shape {found:?} for z of shape {:?}", z.dims());
        let weights = softmax(first.clone(), 1);
        // z with the gradient to it scaled by w̃.
        let scaled = fixed.clone() + (z - fixed) * weights.clone().unsqueeze_dim::<3>(2);
        let surrogate = (log_weights(scaled) * weights).sum_dim(1).squeeze_dim::<1>(1).neg();
        named(log_mean_exp(first).neg() + (surrogate.clone() - surrogate.detach()))
    }
}

fn named(loss: Tensor<1>) -> Objective {
    Objective { loss: loss.clone(), terms: vec![("nll_bound", loss)] }
}
