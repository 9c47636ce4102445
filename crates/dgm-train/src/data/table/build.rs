//! Cells → a column, one cell after the other, in little memory.
//!
//! Every column starts with a code for each different text. One of numbers or dates that has more than [`FEW`] of them
//! keeps values from then on; of one that has too many words only the number of missing cells is kept.

use super::column::{CellKind, Cells, Column, Levels, NONE, Odd};
use super::date::{DateFormat, Stamp};
use super::lines::Lines;
use super::missing::Missing;
use super::number::{self, Style};
use super::words::Words;

/// Most different numbers of a column that are levels too.
const FEW: usize = 4096;

/// Bytes of a word, on average, from which on many different ones are free text.
const LONG: usize = 24;

/// 2^53: whole numbers below it have all their digits in 64-bit floats.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// What all columns are read with.
pub(super) struct Reading<'a> {
    pub(super) style: Style,
    pub(super) missing: Missing<'a>,
}

/// A column that is being read.
pub(super) struct Builder {
    cells: Building,
    odd: Option<Box<Odd>>,
    /// Whether the day comes before the month, where another pass found out.
    day_first: Option<bool>,
    /// Its cells are words, whatever they look like.
    as_words: bool,
    /// A number that starts with a zero which says nothing, such as `00012`, as long as all cells before it were that long.
    padded: Padded,
}

/// Whether all cells are as long as one that starts with a zero which says nothing.
#[derive(Default)]
struct Padded {
    length: usize,
    uneven: bool,
    cell: Option<Box<str>>,
}

impl Padded {
    fn look(&mut self, cell: &str, reading: &Reading<'_>) {
        if self.length == 0 && !reading.missing.contains(cell) {
            self.length = cell.len();
        }
        self.uneven |= self.length > 0 && cell.len() != self.length && !reading.missing.contains(cell);
        if self.cell.is_none() && matches!(cell.as_bytes(), [b'0', b'0'..=b'9', ..]) {
            self.cell = Some(cell.into());
        }
    }

    /// The cell, of a column of whole numbers that are written without a point.
    fn code(self, kind: CellKind) -> Option<Box<str>> {
        let digits = |cell: &str| cell.bytes().all(|byte| byte.is_ascii_digit());
        self.cell.filter(|cell| kind == CellKind::Integer && !self.uneven && digits(cell))
    }
}

enum Building {
    /// So many cells, in none of them a character.
    Bare(usize),
    Words(Box<Coded>),
    Values(Box<Values>),
    /// Too many words: so many cells are missing.
    Text(usize),
}

#[derive(Default)]
struct Coded {
    words: Words,
    codes: Vec<u32>,
}

struct Values {
    values: Vec<f64>,
    format: Option<DateFormat>,
    /// No date so far tells day from month.
    open: bool,
    /// One that came later does, and not as was guessed.
    wrong: bool,
}

/// A column, and what its cells leave open.
pub(super) struct Built {
    pub(super) column: Column,
    /// Nothing tells day from month.
    pub(super) open: bool,
    /// The order of day and month was guessed wrong: whether the day comes first.
    pub(super) day_first: Option<bool>,
}

/// Appends, with room for so many.
fn append<T>(cells: &mut Vec<T>, cell: T, room: usize) {
    if cells.len() == cells.capacity() {
        cells.reserve_exact(room.saturating_sub(cells.len()).max(1));
    }
    cells.push(cell);
}

impl Builder {
    pub(super) fn new(day_first: Option<bool>, as_words: bool) -> Self {
        Self { cells: Building::Bare(0), odd: None, day_first, as_words, padded: Padded::default() }
    }

    /// Whether no cell so far has a character.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.cells, Building::Bare(_))
    }

    /// Takes the next cell, of the last row of `lines`; `room`: rows to have room for.
    pub(super) fn push(&mut self, cell: &str, room: usize, reading: &Reading<'_>, lines: &Lines) {
        if !self.padded.uneven {
            self.padded.look(cell, reading);
        }
        match &mut self.cells {
            Building::Bare(n) if cell.is_empty() => *n += 1,
            Building::Bare(n) => {
                let mut coded = Coded::default();
                if *n > 0 {
                    coded.codes.reserve_exact(room.max(*n + 1));
                    coded.codes.resize(*n, 0);
                    coded.words.code("");
                }
                self.cells = Building::Words(Box::new(coded));
                self.push(cell, room, reading, lines);
            }
            Building::Text(missing) => *missing += usize::from(reading.missing.contains(cell)),
            Building::Values(values) => {
                let value = match &values.format {
                    _ if reading.missing.is_given(cell) => None,
                    None => reading.style.parse(cell),
                    Some(format) => {
                        let stamp = Stamp::parse(cell);
                        let value = stamp.and_then(|stamp| format.value(&stamp));
                        if value.is_none() && values.open {
                            values.wrong |= stamp.is_some_and(|stamp| format.other_order(&stamp));
                        }
                        value
                    }
                };
                if value.is_none() && !reading.missing.contains(cell) {
                    Odd::note(&mut self.odd, lines.line(lines.rows() - 1), cell);
                }
                append(&mut values.values, value.unwrap_or(f64::NAN), room);
            }
            Building::Words(coded) => match coded.words.code(cell) {
                Some((code, new)) => {
                    append(&mut coded.codes, code, room);
                    let words = coded.words.len();
                    if new && words > FEW && (words - 1).is_power_of_two() {
                        self.reconsider(reading, false, lines);
                    }
                }
                None => {
                    self.reconsider(reading, true, lines);
                    self.push(cell, room, reading, lines);
                }
            },
        }
    }

    /// Of many different words: are they numbers, dates or free text? `full`: no more words can be kept.
    fn reconsider(&mut self, reading: &Reading<'_>, full: bool, lines: &Lines) {
        let Building::Words(coded) = &mut self.cells else { return };
        let typed = if self.as_words { None } else { coded.typed(reading, self.day_first) };
        let long = || coded.words.bytes() > LONG * coded.words.len() && 2 * coded.words.len() > coded.codes.len();
        if let Some(Typed { values, format, open }) = typed {
            let rows = std::mem::take(&mut coded.codes);
            coded.note_odd(&rows, &values, reading, lines, &mut self.odd);
            let value = |&code: &u32| values.get(code as usize).copied().flatten().unwrap_or(f64::NAN);
            let values = Values { values: rows.iter().map(value).collect(), format, open, wrong: false };
            self.cells = Building::Values(Box::new(values));
        } else if full || !self.as_words && long() {
            let missing: Vec<bool> = coded.words.iter().map(|word| reading.missing.contains(word)).collect();
            let count = coded.codes.iter().filter(|&&code| missing.get(code as usize) == Some(&true)).count();
            self.cells = Building::Text(count);
        }
    }

    /// The column that the cells make.
    pub(super) fn finish(self, name: Option<String>, index: usize, reading: &Reading<'_>, lines: &Lines) -> Built {
        let mut odd = self.odd;
        let (mut open, mut day_first) = (false, None);
        let (kind, cells, missing) = match self.cells {
            Building::Bare(n) => (CellKind::Empty, Cells::None, n),
            Building::Text(missing) => (CellKind::Text, Cells::None, missing),
            Building::Values(values) => {
                let Values { mut values, format, open: undecided, wrong } = *values;
                values.shrink_to_fit();
                let kind = kind_of(&values, format);
                open = undecided;
                day_first = format.filter(|_| wrong).map(|format| format.order() != Some(super::DateOrder::DayFirst));
                let without = values.iter().filter(|value| value.is_nan()).count();
                let odd = odd.as_ref().map_or(0, |odd| odd.count);
                (kind, Cells::Values(values), without - odd.min(without))
            }
            Building::Words(coded) => {
                let (kind, levels, missing, undecided) = match self.as_words {
                    true => (*coded).finish_words(reading),
                    false => (*coded).finish(reading, self.day_first, lines, &mut odd),
                };
                open = undecided;
                (kind, levels.map_or(Cells::None, |levels| Cells::Levels(Box::new(levels))), missing)
            }
        };
        let as_words = self.as_words;
        let padded = self.padded.code(kind);
        let mut column =
            Column { name, index, kind, missing, odd, constant: false, identifier: false, padded, as_words, cells };
        column.mark();
        Built { column, open, day_first }
    }
}

/// The type of a column of these numbers; NaN: none.
fn kind_of(values: &[f64], format: Option<DateFormat>) -> CellKind {
    match format {
        None if values.iter().all(|value| value.is_nan() || (value.fract() == 0.0 && value.abs() < EXACT)) => {
            CellKind::Integer
        }
        None => CellKind::Number,
        Some(format) if !format.has_date() => CellKind::Time(format),
        Some(format) if format.has_time() => CellKind::DateTime(format),
        Some(format) => CellKind::Date(format),
    }
}

/// The numbers or dates that texts stand for; `None`: something else.
struct Typed {
    values: Vec<Option<f64>>,
    format: Option<DateFormat>,
    open: bool,
}

impl Coded {
    /// Whether a word is missing: `-` is a value beside `+`.
    fn missing(&self, reading: &Reading<'_>) -> Vec<bool> {
        let plus = self.words.len() < FEW && self.words.iter().any(|word| word == "+");
        self.words.iter().map(|word| reading.missing.contains(word) && !(plus && word == "-")).collect()
    }

    /// The values of the words, where nearly all of them are numbers or nearly all dates.
    fn typed(&self, reading: &Reading<'_>, day_first: Option<bool>) -> Option<Typed> {
        let missing = self.missing(reading);
        let of_type = |values: &[Option<f64>]| {
            let mut counts = vec![0usize; values.len()];
            for &code in &self.codes {
                if let Some(count) = counts.get_mut(code as usize) {
                    *count += 1;
                }
            }
            // Words and cells with a value, and those of them that are of the type.
            let (mut words, mut good_words, mut cells, mut good_cells) = (0, 0, 0, 0);
            for ((value, count), _) in values.iter().zip(counts).zip(&missing).filter(|(_, missing)| !**missing) {
                let good = usize::from(value.is_some());
                (words, good_words) = (words + 1, good_words + good);
                (cells, good_cells) = (cells + count, good_cells + good * count);
            }
            let bad = (words - good_words, cells - good_cells);
            good_words > 0 && (bad.0 == 0 || 20 * bad.1 < cells || (good_words >= 20 && 20 * bad.0 <= words))
        };
        let cells = || self.words.iter().zip(&missing).map(|(word, &missing)| (!missing).then_some(word));
        let numbers: Vec<_> = cells().map(|word| word.and_then(|word| reading.style.parse(word))).collect();
        if of_type(&numbers) {
            return Some(Typed { values: numbers, format: None, open: false });
        }
        let stamps: Vec<_> = cells().map(|word| word.and_then(Stamp::parse)).collect();
        let found: Vec<_> = stamps.iter().flatten().copied().collect();
        let (format, open) = DateFormat::of(&found, day_first)?;
        let values: Vec<_> = stamps.iter().map(|stamp| stamp.and_then(|stamp| format.value(&stamp))).collect();
        of_type(&values).then_some(Typed { values, format: Some(format), open })
    }

    /// Notes the words that are neither missing nor have a value.
    fn note_odd(
        &self,
        rows: &[u32],
        values: &[Option<f64>],
        reading: &Reading<'_>,
        lines: &Lines,
        odd: &mut Option<Box<Odd>>,
    ) {
        let missing = self.missing(reading);
        let is_odd = |code: u32| values.get(code as usize) == Some(&None) && missing.get(code as usize) == Some(&false);
        if (0..self.words.len() as u32).any(is_odd) {
            for (row, &code) in rows.iter().enumerate().filter(|&(_, &code)| is_odd(code)) {
                Odd::note(odd, lines.line(row), self.words.get(code));
            }
        }
    }

    /// As [`finish`](Self::finish), with every text a level: numbers in their order if there are only numbers.
    fn finish_words(self, reading: &Reading<'_>) -> (CellKind, Option<Levels>, usize, bool) {
        let missing = self.missing(reading);
        let Self { words, mut codes } = self;
        let mut order: Vec<(Option<f64>, &str, u32)> = (0..words.len() as u32)
            .filter(|&code| missing.get(code as usize) == Some(&false))
            .map(|code| (reading.style.parse(words.get(code)), words.get(code), code))
            .collect();
        let numbers = order.iter().all(|(number, ..)| number.is_some());
        order.sort_by(|(a, first, _), (b, second, _)| {
            let by_number = a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0));
            if numbers { by_number.then_with(|| first.cmp(second)) } else { first.cmp(second) }
        });
        let mut level_of = vec![NONE; words.len()];
        for (level, &(.., code)) in order.iter().enumerate() {
            set(&mut level_of, code, level as u32);
        }
        let names: Vec<String> = order.iter().map(|&(_, word, _)| word.to_owned()).collect();
        for code in &mut codes {
            *code = level_of.get(*code as usize).copied().unwrap_or(NONE);
        }
        codes.shrink_to_fit();
        let missing = codes.iter().filter(|&&code| code == NONE).count();
        match names.is_empty() {
            true => (CellKind::Empty, None, missing, false),
            false => (CellKind::Category, Some(Levels { codes, names, values: Vec::new() }), missing, false),
        }
    }

    /// The type, the levels in order, the number of missing cells, and whether day and month could be the other way round.
    fn finish(
        mut self,
        reading: &Reading<'_>,
        day_first: Option<bool>,
        lines: &Lines,
        odd: &mut Option<Box<Odd>>,
    ) -> (CellKind, Option<Levels>, usize, bool) {
        let mut codes = std::mem::take(&mut self.codes);
        let missing = self.missing(reading);
        let without = codes.iter().filter(|&&code| missing.get(code as usize) == Some(&true)).count();
        if without == codes.len() {
            return (CellKind::Empty, None, without, false);
        }
        self.codes = codes;
        let typed = self.typed(reading, day_first);
        codes = std::mem::take(&mut self.codes);
        codes.shrink_to_fit();
        // The words that have a value, in order, and the level of each.
        let mut order: Vec<u32> = (0..self.words.len() as u32).collect();
        let mut level_of = vec![NONE; order.len()];
        let (mut names, mut numbers) = (Vec::with_capacity(order.len()), Vec::with_capacity(order.len()));
        let (kind, open) = if let Some(Typed { values, format, open }) = typed {
            self.note_odd(&codes, &values, reading, lines, odd);
            let value = |code: u32| values.get(code as usize).copied().flatten();
            order.retain(|&code| value(code).is_some());
            order.sort_by(|&a, &b| value(a).unwrap_or(0.0).total_cmp(&value(b).unwrap_or(0.0)));
            let all: Vec<f64> = values.iter().flatten().copied().collect();
            let kind = kind_of(&all, format);
            for code in order {
                // -0 is 0.
                let value = value(code).unwrap_or(0.0) + 0.0;
                if numbers.last() != Some(&value) {
                    numbers.push(value);
                    names.push(match format {
                        Some(format) => format.write(value),
                        None => number::write(value),
                    });
                }
                set(&mut level_of, code, numbers.len() as u32 - 1);
            }
            (kind, open)
        } else {
            order.retain(|&code| missing.get(code as usize) == Some(&false));
            let words: Vec<_> = order.iter().map(|&code| self.words.get(code)).collect();
            if let Some(truths) = truths(&words) {
                // The first spelling of each stands for all.
                let both = [false, true].into_iter().filter(|truth| truths.contains(truth));
                numbers = both.map(f64::from).collect();
                names = vec![String::new(); numbers.len()];
                for (&code, (&truth, word)) in order.iter().zip(truths.iter().zip(&words)) {
                    let level = usize::from(truth).min(numbers.len() - 1);
                    set(&mut level_of, code, level as u32);
                    if let Some(name) = names.get_mut(level).filter(|name| name.is_empty()) {
                        (**word).clone_into(name);
                    }
                }
                (CellKind::Boolean, false)
            } else {
                order.sort_by(|&a, &b| self.words.get(a).cmp(self.words.get(b)));
                for (level, &code) in order.iter().enumerate() {
                    set(&mut level_of, code, level as u32);
                }
                names = order.iter().map(|&code| self.words.get(code).to_owned()).collect();
                let many = names.len() > FEW || (names.len() >= 20 && 2 * names.len() > codes.len() - without);
                (if many { CellKind::Text } else { CellKind::Category }, false)
            }
        };
        for code in &mut codes {
            *code = level_of.get(*code as usize).copied().unwrap_or(NONE);
        }
        (kind, Some(Levels { codes, names, values: numbers }), without, open)
    }
}

fn set(levels: &mut [u32], code: u32, level: u32) {
    if let Some(place) = levels.get_mut(code as usize) {
        *place = level;
    }
}

/// What the words say, if all of them say yes or no: both of a pair, or one of true and false.
fn truths(words: &[&str]) -> Option<Vec<bool>> {
    // No more spellings than this.
    if words.len() > 16 {
        return None;
    }
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    for (no, yes) in [("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y")] {
        let has = |word: &str| words.iter().any(|known| known == word);
        if words.iter().all(|word| word == no || word == yes) && ((has(no) && has(yes)) || no == "false") {
            return Some(words.iter().map(|word| word == yes).collect());
        }
    }
    None
}
