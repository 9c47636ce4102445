//! The arguments, and mistakes in them as one line like every other error.

use crate::error::{Error, Result};
use clap::Parser;
use clap::error::ErrorKind;

/// The arguments of this process. Help and the version, where they are asked for, are printed, and the process ends.
///
/// # Errors
/// Arguments that are not understood.
pub(super) fn parse<T: Parser>() -> Result<T> {
    T::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.exit()
        }
        _ => Error::input(in_one_line(&error.render().to_string())),
    })
}

/// A message of clap in one line: what was found, its tips, and whose help says more.
fn in_one_line(message: &str) -> String {
    let is_usage = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut said = String::new();
    for line in lines.clone().take_while(|line| !is_usage(line)) {
        let line = line.strip_prefix("error: ").or_else(|| line.strip_prefix("tip: ")).unwrap_or(line);
        let between = match said.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        said.push_str(between);
        said.push_str(line);
    }
    // Of an invalid value clap does not say in which command.
    let usage = lines.clone().find_map(|line| line.strip_prefix("Usage:")).unwrap_or_default();
    let command = usage.split_whitespace().take_while(|word| word.starts_with(char::is_alphanumeric));
    let help: Vec<&str> = command.chain(["--help"]).collect();
    format!("{said}; see `{}`", help.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let unknown = "error: unexpected argument '--confg' found\n\n  tip: a similar argument exists: '--config'\n\n\
                       Usage: dgm-train --config <FILE>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            in_one_line(unknown),
            "unexpected argument '--confg' found; a similar argument exists: '--config'; see `dgm-train --help`"
        );
        let missing = "error: the following required arguments were not provided:\n  <RUN>\n  --out <FILE>\n\n\
                       Usage: dgm-train data inspect --out <FILE> <RUN>\n";
        assert_eq!(
            in_one_line(missing),
            "the following required arguments were not provided: <RUN>; --out <FILE>; see `dgm-train data inspect --help`"
        );
        let invalid = "error: invalid value 'x' for '--log-format <FORMAT>'\n  [possible values: auto, plain]\n\n\
                       For more information, try '--help'.\n";
        assert_eq!(
            in_one_line(invalid),
            "invalid value 'x' for '--log-format <FORMAT>'; [possible values: auto, plain]; see `--help`"
        );
    }
}
