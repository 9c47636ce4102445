//! The evidence lower bound: β·KL, annealed, with free bits.

use super::{Misfit, OutOfRange, Rule, Step, WEIGHT, bound, is_weight, within};
use crate::layers::Mode;
use crate::training::Training;
use dgm_core::objective::{Elbo, FreeBits, Objective};
use dgm_core::schedule::{Annealing, Schedule};
use serde::{Deserialize, Serialize};

/// L = −E_q\[log p(x | z)\] + β·KL(q ‖ p), one sample of z per example: see [`Elbo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElboConfig {
    /// Weight of the KL: a number, or a schedule over the steps. Default: 1.
    pub beta: Schedule,
    /// KL that costs nothing more to use: `{ nats = 0.05, group = 1 }`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bits: Option<FreeBits>,
}

impl Default for ElboConfig {
    fn default() -> Self {
        Self { beta: Schedule::Constant(1.0), free_bits: None }
    }
}

impl Rule for ElboConfig {
    fn validate(&self) -> Result<(), OutOfRange> {
        let weight = |value: f64, key| within(is_weight(value), key, WEIGHT);
        let ends = |from: f64, to: f64| weight(from, "beta.from").and_then(|()| weight(to, "beta.to"));
        match self.beta {
            Schedule::Constant(value) => weight(value, "beta")?,
            Schedule::Annealed(Annealing::Linear { from, to, .. } | Annealing::Cosine { from, to, .. }) => {
                ends(from, to)?
            }
            Schedule::Annealed(Annealing::Sigmoid { from, to, width, .. }) => {
                ends(from, to)?;
                within(width.is_finite() && width > 0.0, "beta.width", "a finite number above 0")?;
            }
            Schedule::Annealed(Annealing::Cyclical { from, to, period, ramp }) => {
                ends(from, to)?;
                within(period >= 1, "beta.period", "a whole number of at least 1")?;
                within(ramp > 0.0 && ramp <= 1.0, "beta.ramp", "a number above 0 and at most 1")?;
            }
        }
        let Some(FreeBits { nats, group }) = self.free_bits else { return Ok(()) };
        weight(nats, "free_bits.nats")?;
        within(group >= 1, "free_bits.group", "a whole number of at least 1")
    }

    fn fits(&self, training: Training<'_>) -> Result<(), Misfit> {
        let layers = bound(training)?.kl_parts();
        let Some(FreeBits { group, .. }) = self.free_bits else { return Ok(()) };
        if layers.iter().all(|terms| terms.is_multiple_of(group.max(1))) {
            return Ok(());
        }
        // A group lies in one layer.
        let terms = match layers.as_slice() {
            [1] => "the one term of the KL".to_owned(),
            [terms] => format!("the {terms} terms of the KL"),
            _ => {
                let each: Vec<String> = layers.iter().map(usize::to_string).collect();
                format!("the terms of the KL of each layer ({})", each.join(", "))
            }
        };
        Err(Misfit::Key("free_bits", format!("a group that divides {terms}; group is {group}: change it")))
    }

    /// Not with free bits: their floor is on the mean KL of the batch.
    fn is_additive(&self, _: Training<'_>) -> bool {
        self.free_bits.is_none()
    }

    fn likelihood_terms(&self) -> &'static [&'static str] {
        &["nll", "kl"]
    }

    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective> {
        let beta = self.beta.at(step.step);
        let inference = bound(training).ok()?.infer(step.views.first()?, &mut Mode::Train(step.rng));
        let samples = inference.sample(1, step.rng);
        let log_likelihood = inference.log_likelihood(samples.z.clone(), &mut Mode::Train(step.rng)).squeeze_dim(1);
        Some(Elbo { beta, free_bits: self.free_bits }.objective(log_likelihood, inference.kl(&samples)))
    }
}
