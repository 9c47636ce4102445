//! InfoVAE: the ELBO with the KL of each posterior traded for a divergence of their aggregate.

use super::{Objective, sum_event};
use burn::tensor::Tensor;

/// L = −E_q\[log p(x | z)\] + (1 − α)·KL(q(z | x) ‖ p(z)) + (α + λ − 1)·D(q(z), p(z)) with D = MMD²
/// (Zhao, Song and Ermon 2019, "InfoVAE", eq. 6; α = 0, λ = 1 is the ELBO, α = 1 the MMD-VAE).
///
/// No bound on the likelihood but at α = 0, λ = 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoVae {
    /// Weight of the information between x and z that is kept; 1 drops the KL.
    pub alpha: f64,
    /// Weight of the divergence from the prior.
    pub lambda: f64,
}

impl InfoVae {
    /// From log p(x | z) `[batch]`, the KL of each latent variable `[batch, latent]`, both in nats, and MMD² `[1]` between
    /// samples of q(z) and the prior ([`mmd`](crate::divergence::mmd)), without units.
    ///
    /// Terms: `nll`, `kl` and `mmd`, the last the same for every example.
    ///
    /// # Panics
    /// If the batches differ, or `squared_mmd` is not `[1]`.
    pub fn objective(&self, log_likelihood: Tensor<1>, kl: Tensor<2>, squared_mmd: Tensor<1>) -> Objective {
        let (rows, shape) = (log_likelihood.dims(), kl.dims());
        assert_eq!(rows[0], shape[0], "InfoVae: `log_likelihood` has shape {rows:?} and `kl` {shape:?}");
        let given = squared_mmd.dims();
        assert_eq!(given, [1], "InfoVae: `squared_mmd` has shape {given:?} and not [1]");
        let (nll, kl, mmd) = (log_likelihood.neg(), sum_event(kl), squared_mmd.expand(rows));
        let loss = nll.clone()
            + kl.clone().mul_scalar(1.0 - self.alpha)
            + mmd.clone().mul_scalar(self.alpha + self.lambda - 1.0);
        Objective { loss, terms: vec![("nll", nll), ("kl", kl), ("mmd", mmd)] }
    }
}
