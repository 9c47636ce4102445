//! How a value is chosen from its density.

use crate::error::ModelError;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use dgm_core::density::Categorical;

/// How a value is chosen from its density. The default samples from the density itself; everything else samples from another,
/// narrower one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingParams {
    /// The density is p^(1/T), normalised again; of a mixture of normals each component is, of an ensemble over real numbers each
    /// member, and Student's t gets √T times its scale.
    /// Above 0; 1 is the density itself.
    pub temperature: f64,
    /// Only the so many most probable levels, and of ties at the last place all.
    pub top_k: Option<usize>,
    /// Only the fewest most probable levels that have this probability together, and of ties at the last place all, after the
    /// temperature and `top_k`
    /// (Holtzman et al. 2020, "The curious case of neural text degeneration", section 3.1).
    pub top_p: Option<f64>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None }
    }
}

impl SamplingParams {
    /// Whether the values are in range: a temperature above 0 and finite, a `top_k` of at least 1, a `top_p` above 0 and at most 1.
    ///
    /// # Errors
    /// [`ModelError::Data`] with the first that is not.
    pub fn check(&self) -> Result<(), ModelError> {
        let Self { temperature, top_k, top_p } = *self;
        let refuse = |name: &str, found: String, expected: &str| {
            Err(ModelError::Data(format!("{name} is {found}, expected {expected}; give such a one")))
        };
        if !(temperature.is_finite() && temperature > 0.0) {
            return refuse("temperature", temperature.to_string(), "a finite number above 0");
        }
        if top_k == Some(0) {
            return refuse("top_k", "0".into(), "1 or more");
        }
        match top_p {
            Some(p) if !(p > 0.0 && p <= 1.0) => refuse("top_p", p.to_string(), "a number above 0 and at most 1"),
            _ => Ok(()),
        }
    }

    /// The narrowed distribution of levels with these log-probabilities `[n, levels]`.
    pub(super) fn narrowed(&self, log_probs: Tensor<2>) -> Categorical {
        let [rows, levels] = log_probs.dims();
        // The largest is 0, whatever it is divided by.
        let shifted = log_probs.clone() - log_probs.max_dim(1);
        let mut logits = log_softmax(shifted.div_scalar(self.temperature), 1);
        let cut = |logits: Tensor<2>, least: Tensor<2>| {
            let below = logits.clone().lower(least.expand([rows, levels]));
            logits.mask_fill(below, f32::NEG_INFINITY)
        };
        if let Some(k) = self.top_k {
            let last = k.clamp(1, levels) - 1;
            let least = logits.clone().sort_descending(1).slice([0..rows, last..last + 1]);
            logits = log_softmax(cut(logits, least), 1);
        }
        if let Some(p) = self.top_p {
            let sorted = logits.clone().sort_descending(1);
            let probabilities = sorted.clone().exp();
            // A level is needed while those before it have less than p; the most probable one always is.
            let before = probabilities.clone().cumsum(1) - probabilities;
            let needed = before.lower_elem(p).float();
            let count = needed.sum_dim(1).int().clamp(1, levels as i64).sub_scalar(1);
            logits = cut(logits, sorted.gather(1, count));
        }
        Categorical::from_logits(logits)
    }
}
