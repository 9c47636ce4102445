//! Text → records: cells in quotes, every kind of line end, blank lines and comments; nothing is copied that need not be.

use super::dialect::Delimiter;

/// What the next bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record, over after so many bytes.
    Row(usize),
    /// Not enough of it yet; so many bytes are done with.
    More(usize),
    /// Nothing is left.
    End,
    /// The text ends inside a cell whose quote opens in this line.
    Open(usize),
}

/// Splits a text, part by part.
pub(super) struct Lexer {
    delimiter: Delimiter,
    comment: String,
    /// The bytes that end a cell without quotes.
    stops: [bool; 256],
    /// The line that comes next, from 1 on.
    line: usize,
    pub(super) record: Record,
    /// Number of comment lines.
    pub(super) comments: usize,
    /// The last comment before the first record, without its sign, and its line.
    pub(super) last_comment: Option<(usize, String)>,
    started: bool,
}

/// One record: its line, and where its cells are.
#[derive(Default)]
pub(super) struct Record {
    pub(super) line: usize,
    /// Start and end in the text; with [`COPIED`], in `copies`. [`QUOTED`]: it stands in quotes.
    cells: Vec<(u32, u32)>,
    /// Cells that are not in the text as they are: a quote in them is written twice.
    copies: String,
    /// A cell goes on after its quotes, which is how quotes inside of a cell look.
    pub(super) tail: bool,
}

/// The highest bits of a start; no row is as long as they are.
const COPIED: u32 = 1 << 31;
const QUOTED: u32 = 1 << 30;

impl Record {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cells, given the text that the record was found in.
    pub(super) fn cells<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        self.cells.iter().map(move |&(start, end)| {
            let text = if start & COPIED == 0 { text } else { &*self.copies };
            text.get((start & !COPIED & !QUOTED) as usize..end as usize).unwrap_or_default()
        })
    }

    /// The cells that stand in no quotes.
    pub(super) fn bare_cells<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let quoted = self.cells.iter().map(|(start, _)| start & QUOTED != 0);
        self.cells(text).zip(quoted).filter(|(_, quoted)| !quoted).map(|(cell, _)| cell)
    }
}

impl Lexer {
    pub(super) fn new(delimiter: Delimiter, comment: &str) -> Self {
        let mut stops = [false; 256];
        let delimiters: &[u8] = match delimiter {
            Delimiter::Comma => b",",
            Delimiter::Semicolon => b";",
            Delimiter::Tab => b"\t",
            Delimiter::Pipe => b"|",
            Delimiter::Whitespace => b" \t",
        };
        for &byte in delimiters.iter().chain(b"\r\n") {
            if let Some(stop) = stops.get_mut(usize::from(byte)) {
                *stop = true;
            }
        }
        let comment = comment.to_owned();
        let record = Record::default();
        Self { delimiter, comment, stops, line: 1, record, comments: 0, last_comment: None, started: false }
    }

    /// The line that comes next.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// A line was passed that is not shown.
    pub(super) fn pass_line(&mut self) {
        self.line += 1;
    }

    /// Finds the next record at the start of `text`; `last`: nothing follows the text.
    pub(super) fn next(&mut self, text: &str, last: bool) -> Step {
        let bytes = text.as_bytes();
        let (done, start) = match self.skip(text, last) {
            Ok(places) => places,
            Err(step) => return step,
        };
        self.record.cells.clear();
        self.record.copies.clear();
        self.record.tail = false;
        self.record.line = self.line;
        // Line ends inside of quotes.
        let mut lines = 0;
        let mut at = start;
        loop {
            at = self.skip_spaces(bytes, at);
            let first = self.record.cells.is_empty();
            if self.delimiter == Delimiter::Whitespace && !first && !matches!(bytes.get(at), Some(b) if !is_end(*b)) {
                // Spaces before the line's end are no delimiter.
                if at == bytes.len() && !last {
                    return Step::More(done);
                }
            } else if bytes.get(at) == Some(&b'"') {
                match self.quoted(text, at, last) {
                    Some((end, inside)) => (at, lines) = (end, lines + inside),
                    None if last => return Step::Open(self.line + lines),
                    None => return Step::More(done),
                }
            } else {
                let end = self.cell_end(bytes, at);
                self.push(bytes, at, end);
                at = end;
            }
            match bytes.get(at) {
                Some(&byte) if is_end(byte) => match line_end(bytes, at, last) {
                    Some(end) => at = end,
                    None => return Step::More(done),
                },
                Some(_) => {
                    at += 1;
                    continue;
                }
                None if last => {}
                None => return Step::More(done),
            }
            self.line += 1 + lines;
            self.started = true;
            return Step::Row(at);
        }
    }

    /// Passes blank lines and comments: where the next line starts, and its first byte that is no space.
    fn skip(&mut self, text: &str, last: bool) -> Result<(usize, usize), Step> {
        let bytes = text.as_bytes();
        let mut at = 0;
        loop {
            let start = self.skip_spaces(bytes, at);
            let rest = text.get(start..).unwrap_or_default();
            let end = match bytes.get(start) {
                None if last => return Err(Step::End),
                // What a comment starts with may be cut in two.
                _ if !last && rest.len() < 8 && !rest.contains(['\r', '\n']) => return Err(Step::More(at)),
                Some(&byte) if is_end(byte) => start,
                _ if self.is_comment(rest) => start + rest.find(['\r', '\n']).unwrap_or(rest.len()),
                _ => return Ok((at, start)),
            };
            let next = match end == bytes.len() {
                true => last.then_some(end),
                false => line_end(bytes, end, last),
            };
            let Some(next) = next else { return Err(Step::More(at)) };
            if end > start {
                self.comments += 1;
                if !self.started {
                    let comment = text.get(start + self.comment.len()..end).unwrap_or_default();
                    let sign = self.comment.chars().next().unwrap_or(' ');
                    self.last_comment = Some((self.line, comment.trim_start_matches(sign).trim().to_owned()));
                }
            } else if !self.started {
                // A header stands right above the first row.
                self.last_comment = None;
            }
            self.line += 1;
            at = next;
        }
    }

    fn is_comment(&self, line: &str) -> bool {
        // Excel writes `#N/A` for a value that is missing.
        !self.comment.is_empty() && line.starts_with(&self.comment) && !line.starts_with("#N/A")
    }

    fn skip_spaces(&self, bytes: &[u8], at: usize) -> usize {
        let rest = bytes.get(at..).unwrap_or_default();
        let tab = self.delimiter != Delimiter::Tab;
        at + rest.iter().take_while(|&&byte| byte == b' ' || (byte == b'\t' && tab)).count()
    }

    /// Where a cell without quotes ends.
    fn cell_end(&self, bytes: &[u8], at: usize) -> usize {
        let rest = bytes.get(at..).unwrap_or_default();
        let stop = |byte: &u8| self.stops.get(usize::from(*byte)).copied().unwrap_or(false);
        at + rest.iter().position(stop).unwrap_or(rest.len())
    }

    /// Keeps a cell without the spaces at its ends.
    fn push(&mut self, bytes: &[u8], start: usize, end: usize) {
        let cell = bytes.get(start..end).unwrap_or_default();
        let left = cell.len() - cell.trim_ascii_start().len();
        let (start, length) = (start + left, cell.trim_ascii().len());
        self.record.cells.push((start as u32, (start + length) as u32));
    }

    /// Keeps the cell whose quote opens at `at`: where it ends, and the line ends in it. `None`: the text ends before.
    fn quoted(&mut self, text: &str, at: usize, last: bool) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let (mut close, mut doubled) = (at + 1, false);
        loop {
            close += bytes.get(close..)?.iter().position(|&byte| byte == b'"')?;
            match bytes.get(close + 1) {
                Some(b'"') => (close, doubled) = (close + 2, true),
                None if !last => return None,
                _ => break,
            }
        }
        let inside = bytes.get(at + 1..close).unwrap_or_default();
        let returns = inside.windows(2).filter(|pair| pair.first() == Some(&b'\r') && pair.get(1) != Some(&b'\n'));
        let lines = returns.count()
            + usize::from(inside.last() == Some(&b'\r'))
            + inside.iter().filter(|&&byte| byte == b'\n').count();
        let end = self.cell_end(bytes, close + 1);
        let tail = text.get(close + 1..end).unwrap_or_default();
        let tail = tail.trim_ascii_end();
        self.record.tail |= !tail.is_empty();
        if doubled || !tail.is_empty() {
            let start = self.record.copies.len();
            let inside = text.get(at + 1..close).unwrap_or_default();
            self.record.copies.push_str(inside.replace("\"\"", "\"").trim_ascii());
            self.record.copies.push_str(tail);
            self.record.cells.push((start as u32 | COPIED | QUOTED, self.record.copies.len() as u32));
        } else {
            self.push(bytes, at + 1, close);
            if let Some((start, _)) = self.record.cells.last_mut() {
                *start |= QUOTED;
            }
        }
        Some((end, lines))
    }
}

fn is_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where the next line starts; `None`: the line end may not be over.
fn line_end(bytes: &[u8], at: usize, last: bool) -> Option<usize> {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(at + 2),
        (Some(b'\r'), None) if !last => None,
        _ => Some(at + 1),
    }
}
