//! Why a model cannot be built.

/// A configuration that does not make a model, or does not fit the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A value out of its range.
    #[error("`model.{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The key in the table `[model]`.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A likelihood that does not match the values of the data.
    #[error("`model.likelihood` is \"{likelihood}\", but the data hold {values}; use {instead}")]
    Likelihood {
        /// The configured likelihood.
        likelihood: &'static str,
        /// What the data hold.
        values: String,
        /// What matches.
        instead: String,
    },
    /// An objective that does not fit the model.
    #[error(
        "`objective.kind` is \"{objective}\", which is for {is_for}; the model \"{model}\" is trained by {instead}"
    )]
    Objective {
        /// The configured objective.
        objective: &'static str,
        /// What it is for.
        is_for: &'static str,
        /// The model.
        model: String,
        /// What fits, and what to do.
        instead: String,
    },
    /// A key of an objective that does not fit the model or its data.
    #[error("`objective.{key}` needs {needs}")]
    ObjectiveKey {
        /// The key.
        key: &'static str,
        /// What it needs, what was found, and what to do.
        needs: String,
    },
    /// A model for other data.
    #[error("{0}")]
    Data(String),
    /// A model that cannot do what was asked of it.
    #[error("the model \"{kind}\" cannot {wanted}: it can {can}; train one that can (model.kind = {kinds})")]
    Lacks {
        /// The kind of the model.
        kind: String,
        /// What was asked.
        wanted: &'static str,
        /// What it can do.
        can: String,
        /// Kinds of models that can do what was asked.
        kinds: String,
    },
}

impl ModelError {
    /// The table of the configuration and its key that are at fault, where it is one.
    pub fn place(&self) -> Option<[&'static str; 2]> {
        match self {
            Self::OutOfRange { key, .. } => Some(["model", key]),
            Self::Likelihood { .. } => Some(["model", "likelihood"]),
            Self::Objective { .. } => Some(["objective", "kind"]),
            Self::ObjectiveKey { key, .. } => Some(["objective", key]),
            Self::Data(_) | Self::Lacks { .. } => None,
        }
    }

    /// The same with another key and other words, each pair the old one and the new one.
    pub(crate) fn renamed(self, of: impl Fn(&'static str) -> &'static str, words: &[(&str, &str)]) -> Self {
        match self {
            Self::OutOfRange { key, found, expected } => Self::OutOfRange { key: of(key), found, expected },
            Self::Data(text) => Self::Data(words.iter().fold(text, |text, (old, new)| text.replace(old, new))),
            other => other,
        }
    }

    pub(crate) fn check(
        ok: bool,
        key: &'static str,
        found: impl std::fmt::Display,
        expected: &'static str,
    ) -> Result<(), Self> {
        if ok { Ok(()) } else { Err(Self::OutOfRange { key, found: found.to_string(), expected: expected.to_owned() }) }
    }

    /// A rate of dropout.
    pub(crate) fn check_dropout(key: &'static str, rate: f64) -> Result<(), Self> {
        Self::check((0.0..1.0).contains(&rate), key, rate, "a rate from 0 up to, not including, 1")
    }

    /// Widths of hidden layers.
    pub(crate) fn check_hidden(key: &'static str, widths: &[usize]) -> Result<(), Self> {
        let ok = widths.len() <= 64 && widths.iter().all(|width| (1..=65_536).contains(width));
        Self::check(ok, key, format!("{widths:?}"), "up to 64 widths from 1 to 65536")
    }

    /// Layers of `[inputs, outputs]` together: what does not fit in memory is refused before it is made.
    pub(crate) fn check_weights(
        key: &'static str,
        found: impl std::fmt::Display,
        layers: impl IntoIterator<Item = [usize; 2]>,
    ) -> Result<(), Self> {
        let weights = layers
            .into_iter()
            .fold(0usize, |sum, [inputs, outputs]| sum.saturating_add(inputs.saturating_mul(outputs)));
        let found = format!("{found} ({weights} weights)");
        Self::check(weights <= 1 << 28, key, found, "sizes that make at most 268435456 (2^28) weights")
    }
}

/// The layers of a chain of widths.
pub(crate) fn chain(widths: impl IntoIterator<Item = usize>) -> Vec<[usize; 2]> {
    let widths: Vec<usize> = widths.into_iter().collect();
    widths.array_windows().copied().collect()
}
