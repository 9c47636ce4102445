//! The units that likelihoods are reported in, and the gap to the data's own entropy.

use super::Mean;

/// Nats over `dimensions` numbers → bits per dimension: nats / (D · ln 2).
///
/// For a mean over examples of equal size this is the mean of their bits per dimension. Never average over batches.
pub fn bits_per_dim(nats: f64, dimensions: f64) -> f64 {
    nats / (dimensions * std::f64::consts::LN_2)
}

/// exp(nats per token): the perplexity.
pub fn perplexity(nats_per_token: f64) -> f64 {
    nats_per_token.exp()
}

/// KL(P_data ‖ P_θ) = NLL − H(P_data), in nats, where the entropy of the source is known (Cover and Thomas 2006,
/// section 2.3: cross entropy = entropy + divergence).
///
/// `nll` is the mean of −log p_θ(x) over x ~ P_data and `entropy` is exact, so the standard error is that of `nll`.
/// The divergence is never negative; its estimate may be, by the sampling error. Where `nll` holds an upper bound
/// (−ELBO, −IWAE), so does the result.
///
/// ```
/// use dgm_core::estimate::{Mean, divergence_from_data};
///
/// // A fair coin, and a model that gives heads 1/4: KL = log 2 − ½ log 3 after as many heads as tails.
/// let nll = Mean::of(&[-(0.25f64.ln()), -(0.75f64.ln())]);
/// let gap = divergence_from_data(nll, std::f64::consts::LN_2);
/// assert!((gap.mean - (std::f64::consts::LN_2 - 0.5 * 3f64.ln())).abs() < 1e-12);
/// ```
pub fn divergence_from_data(nll: Mean, entropy: f64) -> Mean {
    Mean { mean: nll.mean - entropy, ..nll }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_the_uniform_distribution_are_its_log2() {
        // 64 pixels of 16 levels: 4 bits each.
        let nats = 64.0 * 16f64.ln();
        assert!((bits_per_dim(nats, 64.0) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn the_perplexity_of_a_uniform_vocabulary_is_its_size() {
        assert!((perplexity(1000f64.ln()) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn the_gap_carries_the_error_of_the_likelihood() {
        // A source with p = (1/2, 1/4, 1/4) seen in its exact proportions, a model with p = (1/4, 1/4, 1/2):
        // H = 3/2 log 2, NLL = 7/4 log 2, KL = 1/2 log 2 − 1/4 log 2.
        let ln_2 = std::f64::consts::LN_2;
        let nll = Mean::of(&[2.0 * ln_2, 2.0 * ln_2, 2.0 * ln_2, ln_2]);
        let gap = divergence_from_data(nll, 1.5 * ln_2);
        assert!((gap.mean - 0.25 * ln_2).abs() < 1e-15, "{}", gap.mean);
        assert_eq!((gap.standard_error, gap.n), (nll.standard_error, 4));
    }
}
