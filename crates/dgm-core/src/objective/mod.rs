//! Objectives: what training minimises, in nats for each example, with the terms it is made of.

mod adversarial;
mod arm;
mod classification;
mod combine;
mod contrastive;
mod elbo;
mod nll;
mod penalty;

use burn::tensor::Tensor;

pub use adversarial::{Hinge, NonSaturating};
pub use arm::ArmNll;
pub use classification::{Focal, LabelSmoothing};
pub use combine::class_weights;
pub use contrastive::{InfoNce, NtXent, cosine_similarity};
pub use elbo::Elbo;
pub use nll::Nll;
pub use penalty::{NoParameterChosen, l1_penalty, l2_penalty};

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
