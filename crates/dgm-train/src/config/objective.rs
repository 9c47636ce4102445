//! `[objective]`: the objective's own keys, and a penalty on parameters beside it.

use crate::check::{Invalid, require};
use dgm_models::ObjectiveKind;
use dgm_models::objective::{WEIGHT, is_weight};
use serde::{Deserialize, Serialize};

/// `[objective]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectiveConfig {
    /// Which objective, with the keys that it alone has. Default: the model's.
    #[serde(flatten)]
    pub kind: ObjectiveKind,
    /// A penalty that is added to the loss. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<PenaltyConfig>,
}

/// `penalty = { l2 = 1e-4, match = "decoder.*" }`: λ₁ Σ |θ| + λ₂ ½ Σ θ² over some of the parameters. Its gradient goes through the
/// optimiser as the loss's does, unlike a decoupled weight decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PenaltyConfig {
    /// λ₁ ≥ 0. Default: 0.
    pub l1: f64,
    /// λ₂ ≥ 0. Default: 0.
    pub l2: f64,
    /// The parameters: whole paths such as `decoder.layers.0.weight`, in which each `*` stands for any characters. Default: all weights,
    /// `*weight`.
    #[serde(rename = "match")]
    pub pattern: String,
}

impl Default for PenaltyConfig {
    fn default() -> Self {
        Self { l1: 0.0, l2: 0.0, pattern: "*weight".into() }
    }
}

impl ObjectiveConfig {
    /// Whether the values are in range.
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        self.kind.validate()?;
        let Some(PenaltyConfig { l1, l2, .. }) = &self.penalty else { return Ok(()) };
        require(is_weight(*l1), "penalty.l1", WEIGHT)?;
        require(is_weight(*l2), "penalty.l2", WEIGHT)?;
        require(*l1 > 0.0 || *l2 > 0.0, "penalty", "an l1 or an l2 above 0")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::tests::{SMALL, error, parse};
    use dgm_core::objective::FreeBits;
    use dgm_core::schedule::Schedule;
    use dgm_models::objective::{ElboConfig, NllConfig};

    #[test]
    fn the_objective_is_the_model_s_or_the_one_that_is_named() {
        let causal = SMALL.replace("vae", "causal_conv");
        assert_eq!(parse(&causal, &[]).unwrap().objective.kind, ObjectiveKind::Nll(NllConfig::default()));
        let text = format!(
            "{SMALL}[objective]\nfree_bits = {{ nats = 0.05, group = 4 }}\npenalty = {{ l2 = 1e-4, match = \"decoder.*\" }}\n"
        );
        let config = parse(&text, &[]).unwrap();
        let free_bits = Some(FreeBits { nats: 0.05, group: 4 });
        assert_eq!(config.objective.kind, ObjectiveKind::Elbo(ElboConfig { beta: Schedule::Constant(1.0), free_bits }));
        let penalty = PenaltyConfig { l1: 0.0, l2: 1e-4, pattern: "decoder.*".into() };
        assert_eq!(config.objective.penalty, Some(penalty));
        let written = config.to_toml().unwrap();
        assert_eq!(parse(&written, &[]).unwrap(), config, "{written}");
        for (kind, keys) in
            [("iwae", "samples = 3"), ("dreg", "samples = 3"), ("info_vae", "alpha = 0.5\nlambda = 10"), ("model", "")]
        {
            let config = parse(&format!("{SMALL}[objective]\nkind = \"{kind}\"\n{keys}\n"), &[]).unwrap();
            assert_eq!(config.objective.kind.name(), kind);
            assert_eq!(parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
        }
        for (keys, expected) in [
            ("kind = \"elob\"", "vae.toml:6: objective.kind: there is no `elob`; did you mean `elbo`?"),
            (
                "kind = \"iwae\"\nbeta = 0.5",
                "vae.toml:7: unknown key `beta` in [objective] with kind = \"iwae\" (allowed: kind, penalty, samples)",
            ),
            (
                "penalti = { l2 = 1.0 }",
                "vae.toml:6: unknown key `penalti` in [objective] with kind = \"elbo\"; did you mean `penalty`? (allowed: kind, penalty, ",
            ),
            (
                "kind = \"iwae\"\nsamples = 0",
                "vae.toml:7: objective.samples is 0; expected a whole number from 1 to 10000",
            ),
            (
                "free_bits = { nats = -1.0 }",
                "vae.toml:6: objective.free_bits.nats is -1.0; expected a finite number of at least 0 (in f32)",
            ),
            (
                "penalty = { l3 = 1.0 }",
                "vae.toml:6: unknown key `l3` in objective.penalty; did you mean `l2`? (allowed: l1, l2, match)",
            ),
            ("penalty = { l2 = -1.0 }", "vae.toml:6: objective.penalty.l2 is -1"),
            ("penalty = {}", "vae.toml:6: objective.penalty is of type table; expected an l1 or an l2 above 0"),
        ] {
            let message = error(&format!("[objective]\n{keys}\n"), &[]);
            assert!(message.starts_with(expected), "{message}\n{expected}");
        }
    }
}
