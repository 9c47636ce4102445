//! NPY, NumPy's file of one array: versions 1.0, 2.0 and 3.0 of numbers and booleans.
//!
//! `\x93NUMPY`, the version as two bytes, the length of the header (little-endian, 2 bytes in version 1, then 4), the header,
//! the data. The header is a Python dictionary with the keys `descr`, `fortran_order` and `shape` (NumPy, NEP 1).

use super::file::FileReader;
use super::store::{Element, NumberKind, STREAM_ABOVE, View};
use crate::error::{Error, Result};

/// Longer headers are no headers: NumPy's own are 128 bytes for plain numbers.
const MAX_HEADER: u64 = 1 << 16;

/// NumPy's own bound.
const MAX_DIMENSIONS: usize = 64;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// How a number lies in the file.
    pub element: Element,
    /// Whether the numbers are truth values.
    pub boolean: bool,
    /// Whether the first index, not the last, is the one that changes from number to number.
    pub fortran_order: bool,
    /// Bytes before the data.
    pub offset: u64,
}

/// What the numbers have to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// Finite.
    Finite,
    /// Whole numbers below the value of a key of `[data]`.
    Below {
        /// The bound.
        bound: usize,
        /// The key that sets it.
        key: &'static str,
        /// What they are multiplied by before; 1 leaves them as they are.
        scale: f64,
    },
}

/// What the multiple of a number of this type stands for, where it is a whole number but for rounding.
fn scaled(number: f64, scale: f64, element: Element) -> f64 {
    let multiple = number * scale;
    if scale == 1.0 {
        return multiple;
    }
    // Numbers of 64 bits often come out of 32.
    let rounding = if element.kind == NumberKind::Float && element.size == 2 { 2f64.powi(-10) } else { 2f64.powi(-22) };
    let whole = multiple.round();
    if (multiple - whole).abs() <= (whole.max(1.0) * rounding).min(0.25) { whole } else { multiple }
}

/// Numbers in memory, as small as they may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Whole numbers up to 255.
    Bytes(Vec<u8>),
    /// Whole numbers up to 65535.
    Words(Vec<u16>),
    /// Any other.
    Floats(Vec<f32>),
    /// Numbers of 64 bits, and whole ones that 32 bits would round.
    Doubles(Vec<f64>),
}

impl Numbers {
    /// Rows of `width` numbers, which were such in the file.
    pub(super) fn into_view(self, width: usize, element: Element) -> View {
        match self {
            Self::Bytes(numbers) => View::of(width, numbers),
            Self::Words(numbers) => View::of(width, numbers),
            Self::Floats(numbers) => View::of(width, numbers).rounded_to(element),
            Self::Doubles(numbers) => View::of(width, numbers),
        }
    }
}

impl Header {
    /// Numbers in the array.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of data.
    pub fn bytes(&self) -> u64 {
        self.count() as u64 * self.element.size as u64
    }

    /// The shape as a person reads it.
    pub fn dimensions(&self) -> String {
        self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
    }
}

/// Reads the header; afterwards the source stands at the data.
///
/// # Errors
///
/// Anything else than an NPY file of numbers with one dimension at least, none of them 0, or one whose length is not what
/// the header says.
pub fn read_header(source: &mut FileReader<'_>) -> Result<Header> {
    let name = source.name().to_owned();
    let fail = |message: String| Error::input(format!("{name}: {message}"));
    let cut = |found: usize| fail(format!("found {found} bytes; expected an NPY header: cut short; fetch it again"));

    let start = source.read(8)?;
    if !start.starts_with(&b"\x93NUMPY"[..start.len().min(6)]) {
        let found = start.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        return Err(fail(format!(
            "starts with {found}; expected 93 4e 55 4d 50 59, an NPY file; write one with numpy.save"
        )));
    }
    let [_, _, _, _, _, _, major, minor] = start[..] else { return Err(cut(start.len())) };
    let width = match (major, minor) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        _ => {
            return Err(fail(format!(
                "found an NPY file of version {major}.{minor}; expected 1.0, 2.0 or 3.0; write it again with numpy.save"
            )));
        }
    };
    let length = source.read(width)?;
    if (length.len() as u64) < width {
        return Err(cut(8 + length.len()));
    }
    let length = length.iter().rev().fold(0u64, |length, &byte| length << 8 | u64::from(byte));
    if length > MAX_HEADER {
        return Err(fail(format!(
            "found a header of {length} bytes; expected at most {MAX_HEADER}: damaged; fetch it again"
        )));
    }
    let header = source.read(length)?;
    if (header.len() as u64) < length {
        return Err(cut((8 + width) as usize + header.len()));
    }
    let text =
        std::str::from_utf8(&header).map_err(|_| fail("the header is not text: damaged; fetch it again".into()))?;
    let offset = 8 + width + length;
    let (descr, fortran_order, shape) = dictionary(text).map_err(|problem| {
        let header: String = text.trim_end().chars().take(80).collect();
        fail(format!("the header is {header:?}, {problem}; write the array again with numpy.save"))
    })?;
    let (element, boolean) = element(&descr).map_err(|advice| {
        fail(format!(
            "found numbers of type {descr:?}; expected bool, whole numbers or floats of 16, 32 or 64 bits; {advice}"
        ))
    })?;

    let header = Header { shape, element, boolean, fortran_order, offset };
    let dimensions = header.dimensions();
    if header.shape.is_empty() || header.shape.contains(&0) {
        return Err(fail(match header.shape.is_empty() {
            true => "found one number, an array without dimensions; expected examples [n] or [n, …]; save them as one array \
                     with numpy.save(file, numpy.stack(examples))"
                .into(),
            false => format!(
                "the header says {dimensions}; expected sizes of at least 1; save an array that has examples and numbers"
            ),
        }));
    }
    let total = header.shape.iter().try_fold(element.size as u64, |total, &size| total.checked_mul(size as u64));
    let Some(total) = total.filter(|&total| total < i64::MAX as u64) else {
        return Err(fail(format!("the header says {dimensions}, more than memory can hold: damaged; fetch it again")));
    };
    match source.length().map(|length| length.saturating_sub(offset)) {
        Some(found) if found != total => Err(wrong_length(&name, &header, found)),
        _ => Ok(header),
    }
}

fn wrong_length(name: &str, header: &Header, found: u64) -> Error {
    let (total, dimensions) = (header.bytes(), header.dimensions());
    Error::input(match found < total {
        true => {
            format!("{name}: found {found} bytes of data; expected {total} for {dimensions}: cut short; fetch it again")
        }
        false => format!("{name}: found more than the {total} bytes of data that {dimensions} needs; fetch it again"),
    })
}

/// Reads the data that belong to `header`: checks every number, shows the bytes to `look`, and keeps the numbers in C order
/// where `keep` (otherwise what it returns is empty).
///
/// Memory grows with what the source holds, never with what the header claims.
///
/// # Errors
///
/// Numbers that are not what is expected, and more or fewer of them than the header says.
pub fn read_data(
    source: &mut FileReader<'_>,
    header: &Header,
    expected: Expected,
    keep: bool,
    mut look: impl FnMut(&[u8]),
) -> Result<Numbers> {
    let name = source.name().to_owned();
    let total = header.bytes();
    let mut numbers = match expected {
        Expected::Below { bound: ..=256, .. } => Numbers::Bytes(Vec::new()),
        Expected::Below { bound: ..=65_536, .. } => Numbers::Words(Vec::new()),
        _ if header.element.fits_f32() => Numbers::Floats(Vec::new()),
        _ => Numbers::Doubles(Vec::new()),
    };
    let limit = if keep { total.min(STREAM_ABOVE) } else { total };
    let mut seen = 0;
    let (_, found) = source.pass(limit, false, |_, bytes| {
        look(bytes);
        let mut wrong = None;
        header.element.decode(bytes, |found| {
            let (number, fits) = match expected {
                Expected::Finite => (found, found.is_finite()),
                Expected::Below { bound, scale, .. } => {
                    let number = scaled(found, scale, header.element);
                    (number, number >= 0.0 && number < bound as f64 && number.fract() == 0.0)
                }
            };
            if !fits && wrong.is_none() {
                wrong = Some((seen, found));
            }
            seen += 1;
            match &mut numbers {
                _ if !keep => {}
                Numbers::Bytes(numbers) => numbers.push(number as u8),
                Numbers::Words(numbers) => numbers.push(number as u16),
                Numbers::Floats(numbers) => numbers.push(number as f32),
                Numbers::Doubles(numbers) => numbers.push(number),
            }
        });
        wrong.map_or(Ok(()), |(place, number)| {
            let rows = header.shape.first().copied().unwrap_or(1);
            let example =
                if header.fortran_order { place % rows } else { place / (header.count() / rows.max(1)).max(1) };
            let (times, expected, advice) = match expected {
                Expected::Finite => {
                    (String::new(), "finite numbers".into(), "take out or fill in what is missing".into())
                }
                Expected::Below { bound, key, scale } => {
                    let times =
                        if scale == 1.0 { String::new() } else { format!(", times data.scale {}", number * scale) };
                    let advice = advice(number, bound, key, scale);
                    let most = bound.saturating_sub(1);
                    (times, format!("whole numbers from 0 to {most} (data.{key} = {bound})"), advice)
                }
            };
            Err(Error::input(format!(
                "{name}: found {number} in example {example}{times}; expected {expected}; {advice}"
            )))
        })
    })?;
    let more = found == limit && !source.read(1)?.is_empty();
    match (found < total, more) {
        (false, false) => {}
        (true, true) => return Err(Error::input(format!("{name}: {}", source.too_large_to_unpack()))),
        (true, false) => return Err(wrong_length(&name, header, found)),
        (false, true) => return Err(wrong_length(&name, header, u64::MAX)),
    }
    Ok(match numbers {
        numbers if !header.fortran_order || !keep => numbers,
        Numbers::Bytes(numbers) => Numbers::Bytes(c_order(&numbers, &header.shape)),
        Numbers::Words(numbers) => Numbers::Words(c_order(&numbers, &header.shape)),
        Numbers::Floats(numbers) => Numbers::Floats(c_order(&numbers, &header.shape)),
        Numbers::Doubles(numbers) => Numbers::Doubles(c_order(&numbers, &header.shape)),
    })
}

/// What to do about a number that is not a whole one below the value of a key.
fn advice(number: f64, bound: usize, key: &str, scale: f64) -> String {
    let multiple = number * scale;
    if multiple >= bound as f64 && multiple < 65_536.0 && multiple.fract() == 0.0 {
        return format!("set data.{key} = {} at least", multiple + 1.0);
    }
    if key != "levels" {
        return "number the labels from 0 on".into();
    }
    if scale != 1.0 && number.fract() == 0.0 && (0.0..bound as f64).contains(&number) {
        return "leave data.scale out: the numbers may be levels as they are".into();
    }
    if scale != 1.0 {
        return "set another data.scale, or leave data.levels and data.scale out, so that the numbers are real".into();
    }
    match number > 0.0 && number < 1.0 {
        true => {
            format!("for pixels from 0 to 1 set data.scale = {}, else leave data.levels out", bound.saturating_sub(1))
        }
        false => "leave data.levels out, so that the numbers are real".into(),
    }
}

/// Numbers in Fortran order → in C order.
fn c_order<T: Copy>(numbers: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut place = 0;
    let mut ordered = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        ordered.extend(numbers.get(place));
        // Like a counter: the last index goes on by one, and where it is through, the one before it.
        let mut stride = numbers.len();
        for (index, &size) in index.iter_mut().zip(shape).rev() {
            stride /= size;
            *index += 1;
            place += stride;
            if *index < size {
                break;
            }
            place -= stride * size;
            *index = 0;
        }
    }
    ordered
}

/// What to do about texts.
const TEXTS: &str = "these are texts; number them with numpy.unique(array, return_inverse=True)[1]";

/// NumPy's name of a type, such as `<f4`, as an element, and whether it is a truth value. The error is advice.
fn element(descr: &str) -> std::result::Result<(Element, bool), &'static str> {
    let mut characters = descr.chars();
    let (order, kind, size) = (characters.next(), characters.next(), characters.as_str());
    let size = size.parse::<usize>().unwrap_or(0);
    let big_endian = match order {
        Some('<') => false,
        Some('>') => true,
        Some('|') if size == 1 => false,
        _ if kind == Some('S') => return Err(TEXTS),
        _ if kind == Some('O') => return Err("an array of Python objects is no array of numbers"),
        _ => return Err("convert it with array.astype('float32')"),
    };
    let (kind, boolean) = match (kind, size) {
        (Some('b'), 1) => (NumberKind::Unsigned, true),
        (Some('u'), 1 | 2 | 4 | 8) => (NumberKind::Unsigned, false),
        (Some('i'), 1 | 2 | 4 | 8) => (NumberKind::Signed, false),
        (Some('f'), 2 | 4 | 8) => (NumberKind::Float, false),
        (Some('U' | 'S'), _) => return Err(TEXTS),
        (Some('M' | 'm'), _) => return Err("these are times; convert them with array.astype('int64')"),
        _ => return Err("convert it with array.astype('float32')"),
    };
    Ok((Element { kind, size, big_endian }, boolean))
}

/// The three values of the header's dictionary. The error says what is wrong with it.
fn dictionary(text: &str) -> std::result::Result<(String, bool, Vec<usize>), String> {
    let mut parser = Parser { rest: text };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    parser.expect('{')?;
    while !parser.take('}') {
        let key = parser.string()?;
        parser.expect(':')?;
        let new = match key.as_str() {
            "descr" => descr.replace(parser.string()?).is_none(),
            "fortran_order" => fortran_order.replace(parser.boolean()?).is_none(),
            "shape" => shape.replace(parser.tuple()?).is_none(),
            _ => return Err(format!("with the key {key:?}; expected descr, fortran_order and shape")),
        };
        if !new {
            return Err(format!("with the key {key:?} twice"));
        }
        if !parser.take(',') {
            parser.expect('}')?;
            break;
        }
    }
    if !parser.rest.trim_start().is_empty() {
        return Err("with something after the dictionary".into());
    }
    match (descr, fortran_order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => Ok((descr, fortran_order, shape)),
        _ => Err("without one of the keys descr, fortran_order and shape".into()),
    }
}

/// Reads Python literals from the front of a text.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Takes a character, and the space before it, where it comes next.
    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.trim_start();
        let taken = rest.strip_prefix(character);
        self.rest = taken.unwrap_or(rest);
        taken.is_some()
    }

    fn expect(&mut self, character: char) -> std::result::Result<(), String> {
        if self.take(character) { Ok(()) } else { Err(format!("in which a {character:?} is missing")) }
    }

    fn string(&mut self) -> std::result::Result<String, String> {
        let quote = if self.take('\'') {
            '\''
        } else if self.take('"') {
            '"'
        } else {
            // A structured type is a list.
            return Err("in which a text in quotes is missing (a structured type?)".into());
        };
        let (text, rest) = self.rest.split_once(quote).ok_or("in which a quote is not closed")?;
        if text.contains('\\') {
            return Err("with an escape in a text".into());
        }
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn boolean(&mut self) -> std::result::Result<bool, String> {
        let rest = self.rest.trim_start();
        for (text, value) in [("True", true), ("False", false)] {
            if let Some(rest) = rest.strip_prefix(text) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err("in which True or False is missing".into())
    }

    fn tuple(&mut self) -> std::result::Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.take(')') {
            let rest = self.rest.trim_start();
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = rest.split_at(digits);
            sizes.push(number.parse().map_err(|_| "whose shape is not a tuple of whole numbers".to_owned())?);
            // Python 2 wrote long numbers with an L.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if sizes.len() > MAX_DIMENSIONS {
                return Err(format!("with more than {MAX_DIMENSIONS} dimensions"));
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
#[path = "npy_tests.rs"]
pub(crate) mod tests;
