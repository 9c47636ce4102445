//! The arguments, and mistakes in them as one line like every other error.

use crate::error::{Error, Result};
use crate::report::progress::LogFormat;
use clap::Parser;
use clap::error::ErrorKind;

/// The arguments of this process. Help and the version, where they are asked for, are printed, and the process ends; so is help where there are none.
///
/// # Errors
/// Arguments that are not understood.
pub(super) fn parse<T: Parser>() -> Result<T> {
    T::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.exit()
        }
        _ => {
            let found = in_one_line(&error.render().to_string());
            Error::input(format!("{found}; run the command with `--help` to see what it takes"))
        }
    })
}

/// The format of messages that mistaken arguments ask for.
pub(super) fn log_format() -> LogFormat {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let json = arguments.windows(2).any(|pair| pair == ["--log-format", "json"])
        || arguments.iter().any(|argument| argument == "--log-format=json");
    if json { LogFormat::Json } else { LogFormat::Auto }
}

/// A message of clap in one line: what was found, its tips but for that of a value that begins with a hyphen, which is hardly ever meant. The usage
/// stays out: of an invalid value clap does not say in which command.
fn in_one_line(message: &str) -> String {
    let is_usage = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut found = String::new();
    for line in lines.take_while(|line| !is_usage(line)).filter(|line| !line.starts_with("tip: to pass '")) {
        let line = line.strip_prefix("error: ").or_else(|| line.strip_prefix("tip: ")).unwrap_or(line);
        let between = match found.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        found.push_str(between);
        found.push_str(line);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let is = |message, line| assert_eq!(in_one_line(message), line);
        is(
            "error: unexpected argument '--confg' found\n\n  tip: a similar argument exists: '--config'\n\n\
             Usage: dgm-train --config <FILE>\n\nFor more information, try '--help'.\n",
            "unexpected argument '--confg' found; a similar argument exists: '--config'",
        );
        is(
            "error: unexpected argument '--rows' found\n\n  tip: to pass '--rows' as a value, use '-- --rows'\n\nUsage: dgm-train data\n",
            "unexpected argument '--rows' found",
        );
        is(
            "error: the following required arguments were not provided:\n  <RUN>\n  --out <FILE>\n\n\
             Usage: dgm-train data inspect --out <FILE> <RUN>\n",
            "the following required arguments were not provided: <RUN>; --out <FILE>",
        );
        is(
            "error: invalid value 'x' for '--log-format <FORMAT>'\n  [possible values: auto, plain]\n\n\
             For more information, try '--help'.\n",
            "invalid value 'x' for '--log-format <FORMAT>'; [possible values: auto, plain]",
        );
    }
}
