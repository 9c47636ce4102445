//! What is wrong with a value of a configuration: the key, and what it may be.

/// A value out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key inside its table; with dots where it stands deeper.
    pub key: &'static str,
    /// What the key may be.
    pub expected: String,
}

/// `Ok` where `valid`, otherwise an [`Invalid`].
pub fn require(valid: bool, key: &'static str, expected: impl Into<String>) -> std::result::Result<(), Invalid> {
    if valid { Ok(()) } else { Err(Invalid { key, expected: expected.into() }) }
}
