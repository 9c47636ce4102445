//! Products of small matrices, of which the left is read number by number in any order, and terms and columns that are known to be zero are
//! skipped. The sums of a tile stay in registers.

use super::vector::Vector;
use std::ops::Range;

/// Rows of a tile at the most, and vectors of columns.
const ROWS: usize = 6;
const VECTORS: usize = 2;

/// Number (row, term) is at row·`row` + term·`term`.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Left<'a> {
    pub(in crate::ops) values: &'a [f32],
    pub(in crate::ops) row: usize,
    pub(in crate::ops) term: usize,
}

/// Number (term, column) is at term·`pitch` + column.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Right<'a> {
    pub(in crate::ops) values: &'a [f32],
    pub(in crate::ops) pitch: usize,
}

/// Where the product is written, or added.
pub(in crate::ops) struct Sums<'a> {
    pub(in crate::ops) values: &'a mut [f32],
    pub(in crate::ops) pitch: usize,
    pub(in crate::ops) onto: bool,
}

/// The product of so many rows: of a range of rows with these terms, and in so many columns, whole vectors.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub(in crate::ops) unsafe fn product<V: Vector>(
    left: Left<'_>,
    right: Right<'_>,
    rows: usize,
    terms: impl Fn(&Range<usize>) -> Range<usize>,
    columns: impl Fn(&Range<usize>) -> usize,
    mut out: Sums<'_>,
) {
    for first in (0..rows).step_by(ROWS) {
        let block = first..(first + ROWS).min(rows);
        let (terms, columns) = (terms(&block), columns(&block));
        let (last_row, last_term) = (block.end - 1, terms.end.saturating_sub(1));
        assert!(columns.is_multiple_of(V::LANES));
        assert!(out.values.len() >= last_row * out.pitch + columns);
        assert!(terms.is_empty() || left.values.len() > last_row * left.row + last_term * left.term);
        assert!(terms.is_empty() || right.values.len() >= last_term * right.pitch + columns);
        // SAFETY: just asserted, and the caller's.
        unsafe {
            match block.len() {
                1 => row_of_tiles::<V, 1>(left, right, first, terms, columns, &mut out),
                2 => row_of_tiles::<V, 2>(left, right, first, terms, columns, &mut out),
                3 => row_of_tiles::<V, 3>(left, right, first, terms, columns, &mut out),
                4 => row_of_tiles::<V, 4>(left, right, first, terms, columns, &mut out),
                5 => row_of_tiles::<V, 5>(left, right, first, terms, columns, &mut out),
                _ => row_of_tiles::<V, ROWS>(left, right, first, terms, columns, &mut out),
            }
        }
    }
}

/// `R` rows from `first` on.
///
/// # Safety
/// All numbers are there; `columns` are whole vectors.
#[inline(always)]
unsafe fn row_of_tiles<V: Vector, const R: usize>(
    left: Left<'_>,
    right: Right<'_>,
    first: usize,
    terms: Range<usize>,
    columns: usize,
    out: &mut Sums<'_>,
) {
    let pairs = columns / (VECTORS * V::LANES);
    // SAFETY: the caller's.
    unsafe {
        for pair in 0..pairs {
            tile::<V, R, VECTORS>(left, right, first, terms.clone(), pair * VECTORS * V::LANES, out);
        }
        if pairs * VECTORS * V::LANES < columns {
            tile::<V, R, 1>(left, right, first, terms, pairs * VECTORS * V::LANES, out);
        }
    }
}

/// `R` rows from `first` on and `N` vectors of columns from `column` on.
///
/// # Safety
/// All numbers are there.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // what is passed through closures leaves its registers
unsafe fn tile<V: Vector, const R: usize, const N: usize>(
    left: Left<'_>,
    right: Right<'_>,
    first: usize,
    terms: Range<usize>,
    column: usize,
    out: &mut Sums<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; R];
        let mut a = left.values.as_ptr().wrapping_add(first * left.row + terms.start * left.term);
        let mut b = right.values.as_ptr().wrapping_add(terms.start * right.pitch + column);
        for _ in terms {
            let mut x = [V::splat(0.0); N];
            for j in 0..N {
                x[j] = V::load(b.add(j * V::LANES));
            }
            for i in 0..R {
                let number = V::splat(*a.add(i * left.row));
                for j in 0..N {
                    sums[i][j] = number.multiply_add(x[j], sums[i][j]);
                }
            }
            (a, b) = (a.wrapping_add(left.term), b.wrapping_add(right.pitch));
        }
        let to = out.values.as_mut_ptr().add(first * out.pitch + column);
        for i in 0..R {
            for j in 0..N {
                let place = to.add(i * out.pitch + j * V::LANES);
                let sum = if out.onto { sums[i][j].add(V::load(place)) } else { sums[i][j] };
                sum.store(place);
            }
        }
    }
}
