//! Matrix products on flex, divided among the threads by whole rows or columns of what comes out.
//!
//! Within a product the threads of the `gemm` crate wait for each other several times; here each has products of its own. Their sums over k
//! go as those of the whole product, so a result does not depend on the number of threads.

use crate::ops::flex::written;
use gemm::Parallelism;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Multiplications of a part at the least: for fewer, waking another thread takes longer.
const LEAST: usize = 1 << 20;

/// The divided side of a part at the least: products that are small on both sides are summed over k in another way, those of a few hundred
/// numbers and, for k beyond 512, those up to 64 × 64.
fn least_side(k: usize) -> usize {
    if k > 512 { 65 } else { 32 }
}

/// A matrix in row-major order, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From a row to the next, and from a column to the next.
    strides: [isize; 2],
}

impl<'a> Matrix<'a> {
    pub(super) fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        assert!(values.len() >= rows * columns);
        Self { values, rows, columns, strides: [columns as isize, 1] }
    }

    pub(super) fn rows(self) -> usize {
        self.rows
    }

    pub(super) fn columns(self) -> usize {
        self.columns
    }

    pub(super) fn transposed(self) -> Self {
        let [down, right] = self.strides;
        Self { values: self.values, rows: self.columns, columns: self.rows, strides: [right, down] }
    }
}

/// a·b, row-major.
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let write =
        |out: &mut [MaybeUninit<f32>]| run(parts([a, b], out.as_mut_ptr().cast(), rayon::current_num_threads()));
    // SAFETY: the parts are the whole product, and `gemm` writes all of what it is given.
    unsafe { written(a.rows * b.columns, write) }
}

/// Two products at once, each for half of the threads.
pub(super) fn two_products([first, second]: [[Matrix<'_>; 2]; 2]) -> [Vec<f32>; 2] {
    let threads = rayon::current_num_threads().div_ceil(2);
    let size = |[a, b]: [Matrix<'_>; 2]| a.rows * b.columns;
    let mut other = Vec::new();
    let write = |out: &mut [MaybeUninit<f32>]| {
        let to_first = out.as_mut_ptr().cast();
        let write_both = |out: &mut [MaybeUninit<f32>]| {
            let mut all = parts(first, to_first, threads);
            all.extend(parts(second, out.as_mut_ptr().cast(), threads));
            run(all);
        };
        // SAFETY: as of one product.
        other = unsafe { written(size(second), write_both) };
    };
    // SAFETY: as of one product.
    let one = unsafe { written(size(first), write) };
    [one, other]
}

/// A block of whole rows or columns of a product.
struct Part<'a> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    /// Of the block's first number, and from a row to the next.
    out: *mut f32,
    pitch: usize,
    /// Where `a` and `b` begin.
    first_row: usize,
    first_column: usize,
}

// SAFETY: a part's numbers are its own.
unsafe impl Send for Part<'_> {}

/// Divides the longer side of a·b, which is to be written to `out`, into at most `n` parts.
///
/// # Panics
/// If the columns of a are not as many as the rows of b.
fn parts<'a>([a, b]: [Matrix<'a>; 2], out: *mut f32, n: usize) -> Vec<Part<'a>> {
    assert_eq!(a.columns, b.rows, "product: columns of the one and rows of the other");
    let (longer, shorter) = (a.rows.max(b.columns), a.rows.min(b.columns));
    let most = if shorter < least_side(0) { 1 } else { longer / least_side(a.columns) };
    let n = n.min(a.rows * a.columns * b.columns / LEAST).min(most).max(1);
    let divided = |side: usize| (0..n).map(move |part| part * side / n..(part + 1) * side / n);
    let whole = Part { a, b, out, pitch: b.columns, first_row: 0, first_column: 0 };
    if a.rows >= b.columns {
        let of = |rows: std::ops::Range<usize>| {
            let a = Matrix { rows: rows.len(), ..whole.a };
            Part { a, out: whole.out.wrapping_add(rows.start * whole.pitch), first_row: rows.start, ..whole }
        };
        divided(a.rows).map(of).collect()
    } else {
        let of = |columns: std::ops::Range<usize>| {
            let b = Matrix { columns: columns.len(), ..whole.b };
            Part { b, out: whole.out.wrapping_add(columns.start), first_column: columns.start, ..whole }
        };
        divided(b.columns).map(of).collect()
    }
}

fn run(parts: Vec<Part<'_>>) {
    let multiplications: usize = parts.iter().map(|Part { a, b, .. }| a.rows * a.columns * b.columns).sum();
    let at_once = if multiplications < LEAST { parts.len().max(1) } else { 1 };
    parts.into_par_iter().with_min_len(at_once).for_each(Part::run);
}

impl Part<'_> {
    fn run(self) {
        let Self { a, b, out, pitch, first_row, first_column } = self;
        let (lhs, rhs) = (a.values.as_ptr(), b.values.as_ptr());
        let (lhs, rhs) = (
            lhs.wrapping_offset(first_row as isize * a.strides[0]),
            rhs.wrapping_offset(first_column as isize * b.strides[1]),
        );
        // SAFETY: `Matrix::new` asserts that the numbers are there, and `parts` divides the rows and columns of `out` among the parts.
        unsafe {
            gemm::gemm(
                a.rows,
                b.columns,
                a.columns,
                out,
                1,
                pitch as isize,
                false,
                lhs,
                a.strides[1],
                a.strides[0],
                rhs,
                b.strides[1],
                b.strides[0],
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}
