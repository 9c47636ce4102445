//! The InfoVAE family: how much information z keeps, and a divergence between q(z) and the prior.

use super::{Misfit, OutOfRange, Rule, Step, WEIGHT, bound, is_weight, within};
use crate::layers::Mode;
use crate::training::Training;
use dgm_core::divergence::mmd::{self, Kernel};
use dgm_core::objective::{InfoVae, Objective};
use serde::{Deserialize, Serialize};

/// L = −E_q\[log p(x | z)\] + (1 − α)·KL + (α + λ − 1)·MMD²(q(z), p(z)): see [`InfoVae`]. The kernel is the inverse multiquadric with
/// c = 2·latent (Tolstikhin et al. 2018, "Wasserstein auto-encoders", section 4), the estimate the unbiased one over the batch, against
/// as many samples of the prior. A sample's part of a mixture is drawn without a gradient: the weights of a mixture prior learn from the
/// KL alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InfoVaeConfig {
    /// Weight α of the information between x and z that is kept; 1 drops the KL. Default: 0.
    pub alpha: f64,
    /// Weight λ of the divergence from the prior; α = 0, λ = 1 is the ELBO. Default: 1000.
    pub lambda: f64,
}

impl Default for InfoVaeConfig {
    fn default() -> Self {
        Self { alpha: 0.0, lambda: 1000.0 }
    }
}

impl Rule for InfoVaeConfig {
    fn validate(&self) -> Result<(), OutOfRange> {
        within((self.alpha as f32).is_finite() && self.alpha <= 1.0, "alpha", "a finite number of at most 1")?;
        within(is_weight(self.lambda), "lambda", WEIGHT)?;
        let least = 1.0 - self.alpha;
        // Not to the last bit: 0.3 is below 1 − 0.7.
        within(self.lambda >= least - 1e-9, "lambda", format!("a number of at least 1 - alpha = {least:.6}"))
    }

    fn fits(&self, training: Training<'_>) -> Result<(), Misfit> {
        bound(training).map(|_| ())
    }

    /// Not: the divergence is one of the whole batch.
    fn is_additive(&self, _: Training<'_>) -> bool {
        false
    }

    fn least_batch(&self, _: Training<'_>) -> usize {
        2
    }

    fn likelihood_terms(&self) -> &'static [&'static str] {
        &["nll", "kl"]
    }

    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective> {
        let inference = bound(training).ok()?.infer(step.views.first()?, &mut Mode::Train(step.rng));
        let samples = inference.sample(1, step.rng);
        let log_likelihood = inference.log_likelihood(samples.z.clone(), &mut Mode::Train(step.rng)).squeeze_dim(1);
        let kl = inference.kl(&samples);
        let [batch, _, latent] = samples.z.dims();
        // One example alone has no distribution to compare; its divergence from anything says nothing.
        let squared_mmd = if batch < 2 {
            kl.clone().detach().sum().mul_scalar(0.0)
        } else {
            let prior = inference.sample_prior(batch, step.rng);
            mmd::unbiased(samples.z.squeeze_dim(1), prior, Kernel::InverseMultiquadric { scale: 2.0 * latent as f64 })
        };
        Some(InfoVae { alpha: self.alpha, lambda: self.lambda }.objective(log_likelihood, kl, squared_mmd))
    }
}
