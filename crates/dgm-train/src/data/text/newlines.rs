//! Ends of lines: CRLF and CR become LF, so that a text is the same whatever system wrote it.

use serde::{Deserialize, Serialize};

/// What becomes of CRLF and CR in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Newlines {
    /// They become LF.
    Lf,
    /// They stay, and a CR is a symbol.
    Keep,
}

/// How many ends of lines were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) crlf: usize,
    pub(super) cr: usize,
}

impl Changed {
    /// In words; `None`: nothing was changed.
    pub(super) fn sentence(self) -> Option<String> {
        let Self { crlf, cr } = self;
        match (crlf, cr) {
            (0, 0) => None,
            (crlf, 0) => Some(format!("newlines CRLF → LF ({crlf} of them)")),
            (0, cr) => Some(format!("newlines CR → LF ({cr} of them)")),
            (crlf, cr) => Some(format!("newlines CRLF and CR → LF ({crlf} and {cr} of them)")),
        }
    }
}

/// LF for every CRLF and every other CR.
pub(super) fn to_lf(bytes: &mut Vec<u8>) -> Changed {
    let mut changed = Changed::default();
    let Some(first) = bytes.iter().position(|&byte| byte == b'\r') else { return changed };
    // What is kept moves up to the place `end`, which is never behind what is read.
    let mut end = first;
    for place in first..bytes.len() {
        let next = bytes.get(place + 1).copied();
        let byte = match bytes[place] {
            b'\r' if next == Some(b'\n') => {
                changed.crlf += 1;
                continue;
            }
            b'\r' => {
                changed.cr += 1;
                b'\n'
            }
            byte => byte,
        };
        bytes[end] = byte;
        end += 1;
    }
    bytes.truncate(end);
    changed
}

/// As [`to_lf`], of a text.
pub(super) fn text_to_lf(text: String) -> (String, Changed) {
    let mut bytes = text.into_bytes();
    let changed = to_lf(&mut bytes);
    // ASCII characters were taken out or replaced by others: it is UTF-8 still.
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (text, changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_line_becomes_one_lf() {
        for (text, expected, crlf, cr) in [
            ("", "", 0, 0),
            ("a\nb", "a\nb", 0, 0),
            ("a\r\nb\r\n", "a\nb\n", 2, 0),
            ("a\rb\r", "a\nb\n", 0, 2),
            ("\r\r\n\n\ré\r", "\n\n\n\né\n", 1, 3),
        ] {
            let found = text_to_lf(text.to_owned());
            assert_eq!(found, (expected.to_owned(), Changed { crlf, cr }), "{text:?}");
        }
    }

    #[test]
    fn only_what_was_changed_is_said() {
        let said = |crlf, cr| Changed { crlf, cr }.sentence();
        assert_eq!(said(0, 0), None);
        assert_eq!(said(3, 0).as_deref(), Some("newlines CRLF → LF (3 of them)"));
        assert_eq!(said(0, 2).as_deref(), Some("newlines CR → LF (2 of them)"));
        assert_eq!(said(3, 2).as_deref(), Some("newlines CRLF and CR → LF (3 and 2 of them)"));
    }
}
