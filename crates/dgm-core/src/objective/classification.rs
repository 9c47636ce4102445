//! Objectives of a classifier beside the plain negative log-likelihood, from its logits.

use super::Objective;
use crate::density::{Bernoulli, Categorical};
use burn::tensor::{Int, Tensor};

/// L = −(1 − ε) log p_y − ε/K Σₖ log pₖ: the cross-entropy of p under the label mixed with the uniform distribution
/// (Szegedy et al. 2016, "Rethinking the Inception architecture", section 7), in nats.
///
/// At ε = 0 it is the negative log-likelihood. Its least value is not 0 but the entropy of the mixed label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelSmoothing {
    /// ε in \[0, 1\], the share of the uniform distribution.
    pub epsilon: f64,
}

impl LabelSmoothing {
    /// From logits `[batch, k]` and the labels `class` `[batch]` in 0 .. k.
    ///
    /// Terms: `nll` = −log p_y and `uniform` = −1/K Σₖ log pₖ.
    ///
    /// # Panics
    /// If the numbers of rows differ or ε is not in \[0, 1\]; a class out of range panics in the backend or, on a GPU,
    /// reads another row.
    pub fn objective(&self, logits: Tensor<2>, class: Tensor<1, Int>) -> Objective {
        check_rows("LabelSmoothing", &logits, &class);
        assert!((0.0..=1.0).contains(&self.epsilon), "LabelSmoothing: `epsilon` is {}, not in [0, 1]", self.epsilon);
        let density = Categorical::from_logits(logits);
        let nll = density.log_prob(class).neg();
        // Numbers of one sign, so nothing cancels in their mean.
        let uniform = density.log_probs().mean_dim(1).neg().squeeze_dim(1);
        let loss = match self.epsilon {
            // A class that is ruled out has an infinite share in the uniform term, and 0 · ∞ is NaN.
            0.0 => nll.clone(),
            epsilon => nll.clone().mul_scalar(1.0 - epsilon) + uniform.clone().mul_scalar(epsilon),
        };
        Objective { loss, terms: vec![("nll", nll), ("uniform", uniform)] }
    }
}

/// L = −(1 − p_y)^γ log p_y: less weight on what is classified well (Lin et al. 2017, "Focal loss", eq. 4), in nats.
///
/// At γ = 0 it is the negative log-likelihood; for γ > 0 it is none, and its minimiser is not the true conditional
/// distribution. Their α (eq. 5) comes through [`class_weights`](super::class_weights) and
/// [`Objective::weight_examples`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    /// γ ≥ 0.
    pub gamma: f64,
}

impl Focal {
    /// From logits `[batch, k]` and the labels `class` `[batch]` in 0 .. k.
    ///
    /// With the margin t = l_y − log Σ_{k≠y} exp lₖ it is p_y = σ(t), so log p_y = log σ(t) and log(1 − p_y) = log
    /// σ(−t): neither is a difference of rounded probabilities, and no power of 0 is differentiated. Terms: `nll` =
    /// −log p_y.
    ///
    /// # Panics
    /// If the numbers of rows differ or γ < 0; a class out of range panics in the backend or, on a GPU, reads another row.
    pub fn objective(&self, logits: Tensor<2>, class: Tensor<1, Int>) -> Objective {
        check_rows("Focal", &logits, &class);
        assert!(self.gamma >= 0.0, "Focal: `gamma` is {}, need 0 or more", self.gamma);
        if self.gamma == 0.0 {
            // By the same operation as the negative log-likelihood, to be equal in the last bit.
            let nll = Categorical::from_logits(logits).log_prob(class).neg();
            return Objective { loss: nll.clone(), terms: vec![("nll", nll)] };
        }
        let margin = margin(logits, class);
        let (hit, miss) = (margin.clone().detach().ones_like(), margin.clone().detach().zeros_like());
        let right = Bernoulli::from_logits(margin);
        let nll = right.log_prob(hit).neg();
        let log_miss = right.log_prob(miss);
        let loss = nll.clone() * log_miss.mul_scalar(self.gamma).exp();
        Objective { loss, terms: vec![("nll", nll)] }
    }
}

/// The logit of p_y: l_y − log Σ_{k≠y} exp lₖ, `[n, k]` and `[n]` → `[n]`.
fn margin(logits: Tensor<2>, class: Tensor<1, Int>) -> Tensor<1> {
    /// A logit without a share: its exponential is 0 beside any other, and the arithmetic stays finite.
    const NEVER: f64 = -1e30;
    let class = class.unsqueeze_dim::<2>(1);
    let columns = Tensor::<1, Int>::arange(0..logits.dims()[1] as i64, &logits.device());
    let own = columns.unsqueeze::<2>().expand(logits.dims()).equal(class.clone().expand(logits.dims()));
    let others = logits.clone().mask_fill(own, NEVER);
    let max = others.clone().detach().max_dim(1);
    let log_sum = (others - max.clone()).exp().sum_dim(1).log();
    (logits.gather(1, class) - max - log_sum).squeeze_dim(1)
}

fn check_rows(name: &str, logits: &Tensor<2>, class: &Tensor<1, Int>) {
    let (logits, class) = (logits.dims(), class.dims());
    assert_eq!(logits[0], class[0], "{name}: `logits` has shape {logits:?} and `class` {class:?}");
}
