//! Objectives: what training minimises, in nats for each example, with the terms it is made of.

mod arm;
mod elbo;
mod info_vae;
mod iwae;
mod nll;

use burn::tensor::Tensor;

pub use arm::ArmNll;
pub use elbo::{Elbo, FreeBits};
pub use info_vae::InfoVae;
pub use iwae::{Dreg, Iwae};
pub use nll::Nll;

/// A loss for each example, in nats, and the named terms it is made of.
#[derive(Clone, Debug)]
pub struct Objective {
    /// What is minimised, `[batch]`.
    pub loss: Tensor<1>,
    /// Named terms, each `[batch]`, in nats, without their weights.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

impl Objective {
    /// The mean of the loss over the batch, `[1]`: what `backward` is called on.
    pub fn mean_batch(&self) -> Tensor<1> {
        self.loss.clone().mean()
    }
}

/// Σ over the event (every number of an example): `[batch, event]` → `[batch]`.
pub fn sum_event(log_prob: Tensor<2>) -> Tensor<1> {
    log_prob.sum_dim(1).squeeze_dim(1)
}
