//! Where the examples of a text lie in it, and how they become rows: no symbol is kept twice.

use std::ops::Range;
use std::sync::Arc;

use dgm_core::random::Seed;

use crate::data::VIEW_BITS;
use crate::data::store::Store;
use crate::error::Result;

/// The symbols of a whole text, a byte each where a byte holds them. A clone shares them.
#[derive(Clone, Debug)]
pub(super) enum Symbols {
    Bytes(Arc<Vec<u8>>),
    Words(Arc<Vec<u16>>),
}

impl Symbols {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(symbols) => symbols.len(),
            Self::Words(symbols) => symbols.len(),
        }
    }

    /// The symbol at a place.
    ///
    /// # Panics
    ///
    /// When there is none.
    fn at(&self, place: usize) -> usize {
        match self {
            Self::Bytes(symbols) => usize::from(symbols[place]),
            Self::Words(symbols) => usize::from(symbols[place]),
        }
    }

    fn append(&self, places: Range<usize>, numbers: &mut Vec<f64>) {
        match self {
            Self::Bytes(symbols) => numbers.extend(symbols[places].iter().map(|&symbol| f64::from(symbol))),
            Self::Words(symbols) => numbers.extend(symbols[places].iter().map(|&symbol| f64::from(symbol))),
        }
    }
}

/// One example: symbols that follow each other, of which the first `given` are not scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) symbols: Range<usize>,
    pub(super) given: usize,
}

/// How the part of a text is cut into examples.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// Each symbol is scored once, `length` of them per example, given up to `context` that stand before them, in the part
    /// or before it. The last example has what is left.
    Scored { context: usize, length: usize },
    /// Examples of `length` symbols one after the other, all of them scored. With a seed they begin at another place each
    /// epoch, so that every symbol is seen at every place of an example.
    Training { length: usize, shift: Option<Seed> },
    /// A line each: from its start to the symbol `end`, or `most` symbols. Those up to and including the first `prefix` are
    /// given.
    Lines { starts: Vec<u32>, end: usize, prefix: Option<usize>, most: usize },
}

/// The examples of one part of a text.
#[derive(Clone, Debug)]
pub(super) struct Passages {
    pub(super) symbols: Symbols,
    /// The places of the part.
    pub(super) part: Range<usize>,
    /// Numbers in a row; an example that is shorter is padded at its end.
    pub(super) width: usize,
    pub(super) cut: Cut,
}

impl Passages {
    /// The same, shifted by this seed where they are shifted.
    fn drawn_by(&self, seed: Seed) -> Self {
        let mut passages = self.clone();
        if let Cut::Training { shift: Some(shift), .. } = &mut passages.cut {
            *shift = seed;
        }
        passages
    }

    /// Number of examples, the same in every epoch.
    pub(super) fn rows(&self) -> usize {
        match &self.cut {
            Cut::Scored { length, .. } | Cut::Training { length, .. } => self.part.len().div_ceil(*length),
            Cut::Lines { starts, .. } => starts.len(),
        }
    }

    /// Where an example lies.
    pub(super) fn passage(&self, row: usize, epoch: u64) -> Passage {
        let Range { start, end } = self.part;
        match &self.cut {
            &Cut::Scored { context, length } => {
                let first = start + row * length;
                let begin = first.saturating_sub(context);
                Passage { symbols: begin..end.min(first + length), given: first - begin }
            }
            &Cut::Training { length, shift: None } => {
                let first = start + row * length;
                Passage { symbols: first..end.min(first + length), given: 0 }
            }
            &Cut::Training { length, shift: Some(seed) } => {
                // All views of an example show the same passage.
                let epoch = epoch & (u64::MAX >> VIEW_BITS);
                let shift = seed.stream("windows", epoch).below(length as u32) as usize;
                Passage { symbols: self.shifted(row, length, shift), given: 0 }
            }
            Cut::Lines { starts, end: last, prefix, most } => {
                let first = starts[row] as usize;
                let (mut next, mut given) = (first, 0);
                while next < end && next - first < *most {
                    let symbol = self.symbols.at(next);
                    next += 1;
                    if Some(symbol) == *prefix && given == 0 {
                        given = next - first;
                    }
                    if symbol == *last {
                        break;
                    }
                }
                Passage { symbols: first..next, given }
            }
        }
    }

    /// Window `row` of those that begin `shift` symbols behind the beginning of the part, where the symbols before it are a
    /// short one. Where this makes a window more than without a shift, the shorter of the first and the last waits for
    /// another epoch: half a window at most.
    fn shifted(&self, row: usize, length: usize, shift: usize) -> Range<usize> {
        let Range { start, end } = self.part;
        let rest = self.part.len() - shift;
        let windows = usize::from(shift > 0) + rest.div_ceil(length);
        let last = rest - (rest.div_ceil(length).max(1) - 1) * length;
        let left_out = usize::from(windows > self.rows() && shift <= last);
        // So many windows behind the shift this one ends.
        let before = row + left_out + usize::from(shift == 0);
        let first = if before == 0 { start } else { start + shift + (before - 1) * length };
        first..end.min(start + shift + before * length)
    }

    /// How many symbols are scored in an epoch.
    pub(super) fn scored(&self, epoch: u64) -> usize {
        let scored = |Passage { symbols, given }: Passage| symbols.len() - given;
        (0..self.rows()).map(|row| scored(self.passage(row, epoch))).sum()
    }

    /// Whether some number of some row is not scored, in some epoch.
    pub(super) fn is_masked(&self) -> bool {
        matches!(self.cut, Cut::Training { shift: Some(_), .. }) || self.scored(0) != self.rows() * self.width
    }

    /// How many lines are longer than an example may be.
    pub(super) fn cut_short(&self) -> usize {
        let Cut::Lines { end, .. } = self.cut else { return 0 };
        let ended = |row: &usize| self.passage(*row, 0).symbols.last().map(|last| self.symbols.at(last)) == Some(end);
        (0..self.rows()).filter(|row| !ended(row)).count()
    }
}

/// The symbols of the examples, then zeros.
#[derive(Debug)]
pub(super) struct Targets(pub(super) Arc<Passages>);

/// 1 where a symbol of the example is scored.
#[derive(Debug)]
pub(super) struct Masks(pub(super) Arc<Passages>);

impl Store for Targets {
    fn append(&self, row: usize, epoch: u64, numbers: &mut Vec<f64>) -> Result<()> {
        let end = numbers.len() + self.0.width;
        self.0.symbols.append(self.0.passage(row, epoch).symbols, numbers);
        numbers.resize(end, 0.0);
        Ok(())
    }

    fn drawn_by(&self, seed: Seed) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self(Arc::new(self.0.drawn_by(seed)))))
    }
}

impl Store for Masks {
    fn append(&self, row: usize, epoch: u64, numbers: &mut Vec<f64>) -> Result<()> {
        let start = numbers.len();
        let Passage { symbols, given } = self.0.passage(row, epoch);
        numbers.resize(start + given, 0.0);
        numbers.resize(start + symbols.len(), 1.0);
        numbers.resize(start + self.0.width, 0.0);
        Ok(())
    }

    fn drawn_by(&self, seed: Seed) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self(Arc::new(self.0.drawn_by(seed)))))
    }
}

/// Where the lines of a text begin, and which are no examples.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// The place of the first symbol of each line that is an example.
    pub(super) starts: Vec<u32>,
    /// Of those, how many have no prefix.
    pub(super) without_prefix: usize,
    /// Lines that are no examples, as their prefix alone fills one.
    pub(super) all_given: usize,
}

impl Lines {
    /// The lines of a text that ends with a newline and has less than 2³² symbols, `most` of which are an example at most.
    /// A line without a symbol, or with nothing but a carriage return, is no example.
    pub(super) fn of(text: impl Iterator<Item = char>, prefix: Option<char>, most: usize) -> Self {
        let mut lines = Self::default();
        let (mut start, mut empty, mut given) = (0, true, None);
        for (place, character) in text.enumerate() {
            if character != '\n' {
                empty &= character == '\r';
                if Some(character) == prefix && given.is_none() {
                    given = Some(place + 1 - start);
                }
                continue;
            }
            match given {
                _ if empty => {}
                Some(given) if given >= most => lines.all_given += 1,
                _ => {
                    lines.without_prefix += usize::from(given.is_none());
                    lines.starts.push(start as u32);
                }
            }
            (start, empty, given) = (place + 1, true, None);
        }
        lines
    }
}
