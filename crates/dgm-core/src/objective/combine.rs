//! What every objective can be combined with: weights of examples, and penalties on parameters.

use super::Objective;
use burn::tensor::{Int, Tensor};

/// w\[class\] for each example: `weights` `[k]` and `class` `[batch]` in 0 .. k → `[batch]`.
///
/// For [`Objective::weight_examples`]. The usual choices are the inverse frequencies of unbalanced classes and the α of
/// the [focal loss](super::Focal). Gradients reach `weights` if it asks for them.
///
/// # Panics
/// A class out of range panics in the backend or, on a GPU, reads another weight.
pub fn class_weights(weights: Tensor<1>, class: Tensor<1, Int>) -> Tensor<1> {
    weights.select(0, class)
}

impl Objective {
    /// Lᵢ ← wᵢ Lᵢ; `weight` `[batch]`, without a unit. The terms stay as they are.
    ///
    /// The mean over the batch is then (1/n) Σᵢ wᵢ Lᵢ. PyTorch's weighted mean divides by Σᵢ wᵢ instead, which takes
    /// the scale of the weights out and makes an example's share depend on its neighbours in the batch; here the loss
    /// of an example is its own. Weights with a mean of 1 over the data set keep the scale of the unweighted loss.
    ///
    /// # Panics
    /// If the shapes of the loss and `weight` differ.
    pub fn weight_examples(self, weight: Tensor<1>) -> Self {
        let (loss, given) = (self.loss.dims(), weight.dims());
        assert_eq!(loss, given, "Objective::weight_examples: the loss has shape {loss:?} and `weight` {given:?}");
        Self { loss: self.loss * weight, terms: self.terms }
    }

    /// Lᵢ ← Lᵢ + λR, so that the mean over the batch is mean L + λR; `penalty` R `[1]`, its term `[batch]` under
    /// `name`.
    ///
    /// R is for example [`l2_penalty`](super::l2_penalty). Its gradient does not depend on the size of the batch.
    ///
    /// # Panics
    /// If `penalty` is not of shape `[1]`.
    pub fn add_penalty(mut self, name: &'static str, lambda: f64, penalty: Tensor<1>) -> Self {
        let given = penalty.dims();
        assert_eq!(given, [1], "Objective::add_penalty: `penalty` has shape {given:?} and not [1]");
        let penalty = penalty.expand(self.loss.dims());
        self.loss = self.loss + penalty.clone().mul_scalar(lambda);
        self.terms.push((name, penalty));
        self
    }
}
