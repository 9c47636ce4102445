//! Where the numbers of examples are kept: in memory, as small as they may be, or in a file that is read row by row.

use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use dgm_core::random::Seed;

use crate::error::{Error, Result};

/// Files with more bytes of data than this stay on disk and are read row by row: 2 GiB.
pub(super) const STREAM_ABOVE: u64 = 2 << 30;

/// Rows of numbers, read when they are asked for.
pub(crate) trait Store: Debug + Send + Sync {
    /// Appends the numbers of row `row` as it is in this epoch.
    ///
    /// # Errors
    ///
    /// A row that cannot be read (any more).
    ///
    /// # Panics
    ///
    /// When there is no such row.
    fn append(&self, row: usize, epoch: u64, numbers: &mut Vec<f64>) -> Result<()>;

    /// The same with what is drawn anew every epoch drawn by this seed; `None`: every epoch has the same rows.
    fn drawn_by(&self, _: Seed) -> Option<Arc<dyn Store>> {
        None
    }
}

/// Rows of `width` numbers, one after the other in memory.
#[derive(Debug)]
struct Memory<T> {
    width: usize,
    numbers: Vec<T>,
}

impl<T: Copy + Into<f64> + Debug + Send + Sync> Store for Memory<T> {
    fn append(&self, row: usize, _: u64, out: &mut Vec<f64>) -> Result<()> {
        out.extend(self.numbers[row * self.width..][..self.width].iter().map(|&number| number.into()));
        Ok(())
    }
}

/// Rows of `width` zeros and ones in `bytes` bytes each, the first in the highest bit of the first byte.
#[derive(Debug)]
struct Bits {
    width: usize,
    bytes: usize,
    packed: Vec<u8>,
}

impl Store for Bits {
    fn append(&self, row: usize, _: u64, out: &mut Vec<f64>) -> Result<()> {
        let bytes = &self.packed[row * self.bytes..][..self.width.div_ceil(8)];
        let bits = bytes.iter().flat_map(|&byte| (0..8).rev().map(move |bit| f64::from(byte >> bit & 1)));
        out.extend(bits.take(self.width));
        Ok(())
    }
}

/// Some rows of a store, in some order. A clone shares the store.
#[derive(Clone, Debug)]
pub(super) struct View {
    store: Arc<dyn Store>,
    rows: RowSelection,
    width: usize,
    epsilon: f64,
}

#[derive(Clone, Debug)]
enum RowSelection {
    Range { start: usize, length: usize },
    List(Arc<[usize]>),
}

impl View {
    /// The `rows` rows of `width` numbers that a store has, in their order.
    pub(super) fn new(rows: usize, width: usize, store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            rows: RowSelection::Range { start: 0, length: rows },
            width,
            epsilon: f64::EPSILON,
        }
    }

    /// Rows in memory, one after the other, in the type that they have; what is left over at the end is no row.
    pub(super) fn of<T: Copy + Into<f64> + Debug + Send + Sync + 'static>(width: usize, numbers: Vec<T>) -> Self {
        Self::new(numbers.len() / width.max(1), width, Memory { width, numbers })
    }

    /// Rows of `width` zeros and ones in memory, in `bytes` bytes each, the first in the highest bit of the first byte.
    ///
    /// # Panics
    ///
    /// When the bytes do not hold so many.
    pub(super) fn of_bits(width: usize, bytes: usize, packed: Vec<u8>) -> Self {
        assert!(width.div_ceil(8) <= bytes, "View::of_bits: {width} numbers in {bytes} bytes");
        Self::new(packed.len() / bytes.max(1), width, Bits { width, bytes, packed })
    }

    /// Rows without a number.
    pub(super) fn empty(rows: usize) -> Self {
        Self::new(rows, 0, Memory { width: 0, numbers: Vec::<u8>::new() })
    }

    /// The same, whose numbers were such in the file: what its rounding took, they have lost.
    pub(super) fn rounded_to(self, element: Element) -> Self {
        Self { epsilon: element.epsilon(), ..self }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match &self.rows {
            RowSelection::Range { length, .. } => *length,
            RowSelection::List(rows) => rows.len(),
        }
    }

    /// Numbers in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// How far two numbers around 1 are apart at least.
    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The rows of this view from `first` on, `length` of them or as many as there are.
    pub(super) fn range(&self, first: usize, length: usize) -> Self {
        let first = first.min(self.len());
        let length = length.min(self.len() - first);
        let rows = match &self.rows {
            RowSelection::Range { start, .. } => RowSelection::Range { start: start + first, length },
            RowSelection::List(rows) => RowSelection::List(rows[first..first + length].into()),
        };
        Self { rows, ..self.clone() }
    }

    /// These rows of this view, in this order.
    ///
    /// # Panics
    ///
    /// When one of them does not exist.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let rows = rows.iter().map(|&row| self.place(row)).collect();
        Self { rows: RowSelection::List(rows), ..self.clone() }
    }

    /// What is drawn anew every epoch is drawn by this seed from now on.
    pub(super) fn redraw(&mut self, seed: Seed) {
        if let Some(store) = self.store.drawn_by(seed) {
            self.store = store;
        }
    }

    /// The row of the store behind row `row` of this view.
    fn place(&self, row: usize) -> usize {
        match &self.rows {
            RowSelection::Range { start, length } => {
                assert!(row < *length, "View: row {row} of {length}");
                start + row
            }
            RowSelection::List(rows) => rows[row],
        }
    }

    /// Appends the numbers of row `row` as it is in this epoch.
    ///
    /// # Errors
    ///
    /// A row that cannot be read (any more).
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub(super) fn append(&self, row: usize, epoch: u64, out: &mut Vec<f64>) -> Result<()> {
        self.store.append(self.place(row), epoch, out)
    }
}

/// How a number lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// An unsigned whole number.
    Unsigned,
    /// A signed whole number.
    Signed,
    /// A number of IEEE 754.
    Float,
}

/// How a number lies in a file: its kind, its bytes and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub kind: NumberKind,
    /// Number of bytes: 1, 2, 4 or 8; not 1 for a [`NumberKind::Float`].
    pub size: usize,
    /// Whether the byte with the highest value is the first.
    pub big_endian: bool,
}

impl Element {
    /// An unsigned byte.
    pub const BYTE: Self = Self { kind: NumberKind::Unsigned, size: 1, big_endian: false };

    /// Whether 32 bits hold every such number.
    pub(super) fn fits_f32(self) -> bool {
        self.size <= if self.kind == NumberKind::Float { 4 } else { 2 }
    }

    /// How far two such numbers around 1 are apart at least; whole numbers are exact.
    pub(super) fn epsilon(self) -> f64 {
        match (self.kind, self.size) {
            (NumberKind::Float, 2) => 2f64.powi(-10),
            (NumberKind::Float, 4) => f64::from(f32::EPSILON),
            _ => f64::EPSILON,
        }
    }

    /// Calls `each` with every number that lies in `bytes`; whole numbers beyond 2⁵³ are rounded.
    pub fn decode(self, bytes: &[u8], mut each: impl FnMut(f64)) {
        for chunk in bytes.chunks_exact(self.size) {
            let fold = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
            let bits = if self.big_endian { chunk.iter().fold(0, fold) } else { chunk.iter().rev().fold(0, fold) };
            each(match self.kind {
                NumberKind::Unsigned => bits as f64,
                NumberKind::Signed => {
                    let empty = 64 - 8 * self.size as u32;
                    (((bits << empty) as i64) >> empty) as f64
                }
                NumberKind::Float if self.size == 2 => half::f16::from_bits(bits as u16).to_f64(),
                NumberKind::Float if self.size == 4 => f64::from(f32::from_bits(bits as u32)),
                NumberKind::Float => f64::from_bits(bits),
            });
        }
    }
}

/// Rows that lie one after the other in a file which stays as it was when it was opened.
#[derive(Debug)]
pub(crate) struct FileRows {
    file: File,
    name: String,
    /// How it was when it was opened.
    state: FileState,
    /// Where the first row begins.
    offset: u64,
    width: usize,
    element: Element,
    /// What numbers are multiplied by.
    scale: f64,
}

impl FileRows {
    /// Rows of `width` numbers from byte `offset` on.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened.
    pub(crate) fn open(path: &Path, offset: u64, width: usize, element: Element) -> Result<Self> {
        let name = path.display().to_string();
        let fail = |error: io::Error| Error::input(format!("{name}: cannot be opened: {error}; make it readable"));
        let file = File::open(path).map_err(fail)?;
        let state = FileState::from(&file.metadata().map_err(fail)?);
        Ok(Self { file, name, state, offset, width, element, scale: 1.0 })
    }

    /// The same of numbers that times `scale` are levels but for rounding, which was checked; 1 leaves them as they are.
    pub(super) fn times(self, scale: f64) -> Self {
        Self { scale, ..self }
    }
}

/// What tells whether a file was changed: its length, and the time of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileState(u64, Option<SystemTime>);

impl From<&Metadata> for FileState {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.len(), metadata.modified().ok())
    }
}

impl FileState {
    /// How a file is now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// Whether the file of this name is as it was.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(super) fn check(self, name: &str, now: Self) -> Result<()> {
        if now == self {
            return Ok(());
        }
        Err(Error::run(format!(
            "{name}: the file was changed while it is in use; expected it as it was at the start; restore it and resume \
             with --resume"
        )))
    }
}

impl Store for FileRows {
    fn append(&self, row: usize, _: u64, numbers: &mut Vec<f64>) -> Result<()> {
        let cannot = |error: io::Error| Error::run(format!("{}: cannot be read any more: {error}", self.name));
        // Asked each time: a file that is written anew would be read half old, half new.
        self.state.check(&self.name, FileState::from(&self.file.metadata().map_err(cannot)?))?;
        let size = self.width * self.element.size;
        let mut bytes = vec![0; size];
        read_at(&self.file, &mut bytes, self.offset + row as u64 * size as u64).map_err(cannot)?;
        match self.element {
            _ if self.scale != 1.0 => {
                self.element.decode(&bytes, |number| numbers.push((number * self.scale).round()));
            }
            Element { kind: NumberKind::Unsigned, size: 1, .. } => {
                numbers.extend(bytes.iter().map(|&byte| f64::from(byte)))
            }
            element => element.decode(&bytes, |number| numbers.push(number)),
        }
        Ok(())
    }
}

/// Fills `bytes` from `offset` on, without a position that threads would share.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (bytes, offset) = (&mut bytes[n..], offset + n as u64),
        }
    }
    Ok(())
}
