//! Evidence lower bound.

use super::Objective;
use burn::tensor::Tensor;

/// L = −E_q\[log p(x | z)\] + β·KL(q(z | x) ‖ p(z)) ≥ −log p(x) for β ≥ 1, with equality at β = 1 when q is the true
/// posterior (Kingma and Welling 2014, eq. 3; β: Higgins et al. 2017, eq. 4).
///
/// Only β = 1 is a bound on the likelihood that is tight and comparable; other weights are for training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elbo {
    /// Weight of the KL term.
    pub beta: f64,
}

impl Default for Elbo {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Elbo {
    /// From log p(x | z) `[batch]`, z drawn from q, and the KL `[batch]`, both in nats and summed over their events.
    ///
    /// Terms: `nll` = −log p(x | z) and `kl`.
    pub fn objective(&self, log_likelihood: Tensor<1>, kl: Tensor<1>) -> Objective {
        let nll = log_likelihood.neg();
        let loss = nll.clone() + kl.clone().mul_scalar(self.beta);
        Objective { loss, terms: vec![("nll", nll), ("kl", kl)] }
    }
}
