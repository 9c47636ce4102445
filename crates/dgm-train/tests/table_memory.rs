//! Peak memory while a table is read: at most three times its cells as 64-bit numbers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use dgm_train::data::table::{Options, Table};

/// The system's allocator, with the bytes in use and the most that were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `pointer` and `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 200_000;
const COLUMNS: usize = 10;

/// A table with these cells.
fn text(cell: impl Fn(usize, &mut String)) -> Vec<u8> {
    let mut text = (0..COLUMNS).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            text.push(if column == 0 { '\n' } else { ',' });
            cell(row * COLUMNS + column, &mut text);
        }
    }
    text.into_bytes()
}

/// One test, so that no other allocates beside it.
#[test]
fn a_table_needs_at_most_three_times_its_numbers() {
    // A number that looks random, for each cell.
    let mix = |cell: usize| (cell as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let tables = [
        ("numbers", text(|cell, out| write!(out, "{}.{}", cell % 1000, mix(cell)).unwrap())),
        ("few words", text(|cell, out| write!(out, "word{}", mix(cell) % 50).unwrap())),
        ("many words", text(|cell, out| write!(out, "number{}", mix(cell) % 20_000).unwrap())),
        ("free text", text(|cell, out| write!(out, "text {cell} of {}", mix(cell)).unwrap())),
        (
            "dates",
            text(|cell, out| {
                write!(
                    out,
                    "20{:02}-{:02}-{:02} 10:{:02}:{:02}.{:03}",
                    cell % 90 + 10,
                    cell % 12 + 1,
                    cell % 28 + 1,
                    mix(cell) % 60,
                    cell % 60,
                    mix(cell) % 1000
                )
                .unwrap()
            }),
        ),
    ];
    for (what, bytes) in tables {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let packed = encoder.finish().unwrap();
        for (how, bytes) in [("plain", bytes), ("gzip", packed)] {
            let before = IN_USE.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let table = Table::from_bytes("t.csv", &bytes, &Options::default()).unwrap();
            let peak = PEAK.load(Ordering::Relaxed) - before;
            assert_eq!((table.rows(), table.columns().len()), (ROWS, COLUMNS));
            let ratio = peak as f64 / (ROWS * COLUMNS * 8) as f64;
            println!("{what}, {how}: {ratio:.2} times, {} columns", table.columns()[0].kind.name());
            assert!(ratio <= 3.0, "{what}, {how}: {ratio:.2} times the numbers' size");
        }
    }
}
