//! What the fuzz targets share: an allocator that keeps count, files in memory, and what every error must look like.

use dgm_train::error::Error;
use flate2::read::MultiGzDecoder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::Read;
use std::panic;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

/// How much more memory than before a reader may hold at any moment: this, and [`BOUND_A_BYTE`] for each byte of content.
///
/// It has room for buffers (an archive's directory, the decoder's window), messages, and the 1 MiB that serde sets aside at
/// most for a list of which a length is claimed, as Burn's records do.
pub const BOUND: usize = 2 << 20;

/// Bytes of memory for a byte of content; twice what the most costly content that is known takes. That is 127, for a
/// configuration with a list of single digits, and 82 for a table whose rows are one digit and a line break. Of a
/// compressed file the content is what comes out: a thousandth of it may go in.
pub const BOUND_A_BYTE: usize = 256;

/// The system's allocator, counting: what is held, its peak, and the limit at which the process ends.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn take(size: usize) {
        let held = HELD.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        PEAK.fetch_max(held, Ordering::Relaxed);
        if held > LIMIT.load(Ordering::Relaxed) {
            // The message itself may allocate.
            LIMIT.store(usize::MAX, Ordering::Relaxed);
            eprintln!("out of bounds: {size} bytes more make {held}");
            std::process::abort();
        }
    }

    fn give(size: usize) {
        HELD.fetch_sub(size, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::give(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::take(size);
        Self::give(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Reads within the bound for so many bytes of content, or ends the process.
pub fn within_bound<T>(content: usize, read: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            // What is said of a panic is not the reader's memory.
            LIMIT.store(usize::MAX, Ordering::Relaxed);
            hook(about);
        }));
    });
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    LIMIT.store(before + BOUND + BOUND_A_BYTE * content, Ordering::Relaxed);
    let result = read();
    LIMIT.store(usize::MAX, Ordering::Relaxed);
    remember(PEAK.load(Ordering::Relaxed) - before, content);
    result
}

/// Keeps the most that a reader has held in the file that `DGM_FUZZ_PEAK` names: bytes, and the content's length.
fn remember(peak: usize, content: usize) {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    if peak > MOST.fetch_max(peak, Ordering::Relaxed)
        && let Some(path) = std::env::var_os("DGM_FUZZ_PEAK")
    {
        let _ = fs::write(path, format!("{peak} bytes for {content} of content\n"));
    }
}

/// An error of a reader: one line, of the kind that says what to mend.
pub fn check(error: &Error) {
    let text = error.to_string();
    assert_eq!(error.exit_code(), 2, "{text}");
    assert!(!text.is_empty() && !text.contains(char::is_control), "not one plain line: {text:?}");
}

/// The length of a file's content once it is decompressed.
pub fn content_length(bytes: &[u8]) -> usize {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes.len();
    }
    let (mut decoder, mut buffer, mut length) = (MultiGzDecoder::new(bytes), [0; 4096], bytes.len());
    while let Ok(n) = decoder.read(&mut buffer) {
        if n == 0 {
            break;
        }
        length += n;
    }
    length
}

/// The bytes as a gzip file.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a list takes all");
    encoder.finish().expect("a list takes all")
}

/// A ZIP archive with one member, deflated.
pub fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a list takes all");
    let packed = encoder.finish().expect("a list takes all");
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    // Version, flags, method (8: deflate), time, date, sum, sizes, length of the name and of what else there is.
    let mut about = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    about.extend(crc.sum().to_le_bytes());
    about.extend((packed.len() as u32).to_le_bytes());
    about.extend((bytes.len() as u32).to_le_bytes());
    about.extend((name.len() as u16).to_le_bytes());
    about.extend([0, 0]);
    let mut archive = [b"PK\x03\x04", &about[..], name.as_bytes(), &packed].concat();
    let directory = archive.len() as u32;
    // Comment, disk, attributes and offset are none.
    archive.extend([b"PK\x01\x02\x14\0", &about[..], &[0; 14], name.as_bytes()].concat());
    let length = archive.len() as u32 - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend([length.to_le_bytes(), directory.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}

/// A file of this process with this content, written anew each time: `scripts/fuzz.sh` puts the temporary folder in memory.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("dgm-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder can be made");
        folder
    });
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the temporary folder can be written");
    path
}

/// The first byte, the second, and the rest cut in two: the second byte says how long the latter part is.
pub fn parts(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[options, length], rest) = data.split_first_chunk::<2>()?;
    let (first, second) = rest.split_at_checked(rest.len().checked_sub(usize::from(length))?)?;
    Some((options, first, second))
}
