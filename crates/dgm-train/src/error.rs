//! Errors as one line for a person: what was found, what was expected, what to do.

/// Why a command stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something in the arguments, the configuration or the data, which the user can fix.
    #[error("{0}")]
    Input(String),
    /// Something that went wrong while running.
    #[error("{0}")]
    Run(String),
}

/// A result whose error is an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl From<dgm_models::ModelError> for Error {
    /// A configuration that makes no model is the user's to fix.
    fn from(error: dgm_models::ModelError) -> Self {
        Self::Input(error.to_string())
    }
}

impl Error {
    /// An error that the user can fix.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(one_line(message.into()))
    }

    /// A failure while running.
    pub fn run(message: impl Into<String>) -> Self {
        Self::Run(one_line(message.into()))
    }

    /// The same error, of something that has a name: "member 2 of 5: …".
    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::Input(message) => Self::Input(format!("{name}: {message}")),
            Self::Run(message) => Self::Run(format!("{name}: {message}")),
        }
    }

    /// The exit code of the process: 2 for an input that the user can fix, 1 for a failure while running.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Run(_) => 1,
        }
    }
}

/// The message with control characters as escapes: names out of files may hold anything, line breaks and commands to the
/// terminal too.
pub(crate) fn one_line(message: String) -> String {
    if !message.contains(char::is_control) {
        return message;
    }
    let mut line = String::with_capacity(message.len() + 8);
    for c in message.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// A part of a message that proposes the name closest to `found`, or nothing where none is close.
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        // Of short names even one swap of letters leaves little similarity.
        .filter(|(similarity, name)| *similarity >= 0.75 || strsim::osa_distance(found, name) == 1)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        assert_eq!((Error::input("x").exit_code(), Error::run("x").exit_code()), (2, 1));
        assert_eq!(Error::input("one line").to_string(), "one line");
        let found = "a\nb\u{1b}[31m\u{7f}é".to_string();
        assert_eq!(Error::input(found.clone()).to_string(), "a\\nb\\u{1b}[31m\\u{7f}é");
        assert_eq!(Error::run(found).to_string(), "a\\nb\\u{1b}[31m\\u{7f}é");
    }

    #[test]
    fn the_nearest_name_is_proposed() {
        assert_eq!(did_you_mean("epoch", ["batch_size", "epochs"]), "; did you mean `epochs`?");
        assert_eq!(did_you_mean("vea", ["arm", "vae"]), "; did you mean `vae`?");
        assert_eq!(did_you_mean("zzz", ["batch_size", "epochs"]), "");
    }
}
