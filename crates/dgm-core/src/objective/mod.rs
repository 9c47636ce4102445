//! Objectives: what training minimises, in nats for each example, with the terms it is made of.

mod adversarial;
mod classification;
mod combine;
mod contrastive;
mod elbo;
mod info_vae;
mod iwae;
mod nll;
mod penalty;

use burn::tensor::Tensor;

pub use adversarial::{Hinge, NonSaturating};
pub use classification::{Focal, LabelSmoothing};
pub use combine::class_weights;
pub use contrastive::{InfoNce, NtXent, cosine_similarity};
pub use elbo::{Elbo, FreeBits};
pub use info_vae::InfoVae;
pub use iwae::{Dreg, Iwae};
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

/// Log-probabilities `[batch, length]` with exactly 0 where the `mask` of the same shape is 0 (padding), not 1; `None`:
/// nothing is padding.
///
/// A padded position contributes exactly 0 to the value and to the gradient, whatever (NaN included) stands there.
///
/// # Panics
/// If the shapes of `log_prob` and `mask` differ.
pub fn fill_padding(log_prob: Tensor<2>, mask: Option<&Tensor<2>>) -> Tensor<2> {
    let Some(mask) = mask else { return log_prob };
    let (shape, of_mask) = (log_prob.dims(), mask.dims());
    assert_eq!(shape, of_mask, "fill_padding: `log_prob` has shape {shape:?} and `mask` {of_mask:?}");
    // Filling, not multiplying: 0 · NaN is NaN.
    log_prob.mask_fill(mask.clone().lower_elem(0.5), 0.0)
}

/// Σ over the event (every dimension of an example): `[batch, event]` → `[batch]`.
pub fn sum_event(log_prob: Tensor<2>) -> Tensor<1> {
    log_prob.sum_dim(1).squeeze_dim(1)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn padding_is_zero_in_value_and_gradient() {
        let device = Device::flex().autodiff();
        let log_prob = Tensor::<2>::from_floats([[-1.0, f32::NAN], [f32::NEG_INFINITY, -2.0]], &device).require_grad();
        let mask = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let filled = fill_padding(log_prob.clone(), Some(&mask));
        let grads = filled.clone().mul_scalar(3.0).sum().backward();
        assert_eq!(filled.into_data().iter::<f32>().collect::<Vec<_>>(), [-1.0, 0.0, 0.0, -2.0]);
        let grad = log_prob.grad(&grads).unwrap().into_data();
        assert_eq!(grad.iter::<f32>().collect::<Vec<_>>(), [3.0, 0.0, 0.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "fill_padding: `log_prob` has shape [2, 3] and `mask` [2, 1]")]
    fn a_mask_of_another_shape_is_refused() {
        let device = Device::flex();
        fill_padding(Tensor::zeros([2, 3], &device), Some(&Tensor::ones([2, 1], &device)));
    }
}
