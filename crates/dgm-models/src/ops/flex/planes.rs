//! The tap convolution as sums over shifted planes: images with zeros around them, so that every tap is the same plane read from another
//! place. Nothing is copied per tap, and the innermost loops are those of a matrix product.
//!
//! What a result is summed from, and in which order, depends on the sizes alone. Where `x` is not finite, more taps than read it have weights'
//! gradients that are not: zeros between rows are multiplied too.

use super::layout::{Lanes, Planes, Start};
use super::vector::{MOST_LANES, Stored, Vector, with_fma};
use crate::ops::Tap;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Vectors of positions of a tile of the convolution.
const VECTORS: usize = 2;
/// Positions that a block of outputs goes over before the next: what they read stays in the first-level cache.
const BAND: usize = 64;
/// Gradients' channels of a tile of the weights' gradient.
pub(super) const GRADS: usize = 4;

/// Outputs of a tile of the convolution at the most: as many sums as there are registers for, and no more.
fn rows_of_tile(lanes: usize) -> usize {
    if lanes == MOST_LANES { 12 } else { 6 }
}

/// The weights of a convolution in the order in which tiles read them.
pub(super) struct Packed {
    /// One block of outputs after the other, in each `[terms, outputs of the block]`.
    weights: Vec<f32>,
    /// Where each term's plane lies, from the first plane's beginning.
    terms: Vec<usize>,
    outputs: usize,
}

/// So many outputs as blocks of a tile's rows and less, none much smaller than the others.
fn blocks(outputs: usize, lanes: usize) -> impl Iterator<Item = Range<usize>> {
    let n = outputs.div_ceil(rows_of_tile(lanes));
    (0..n).map(move |block| block * outputs / n..(block + 1) * outputs / n)
}

impl Packed {
    /// Of y = Σ_{c,t} w\[o, c, t\] · x\[c, p + tap_t\].
    pub(super) fn forward(weight: &[f32], [o, c]: [usize; 2], taps: &[Tap], planes: &Planes) -> Self {
        let t = taps.len();
        Self::new(
            [o, c, t],
            |output, input, tap| weight[(output * c + input) * t + tap],
            planes,
            |tap| planes.shift(taps[tap]),
        )
    }

    /// Of the pullback, ∂x = Σ_{o,t} w\[o, c, t\] · g\[o, p − tap_t\].
    pub(super) fn backward(weight: &[f32], [o, c]: [usize; 2], taps: &[Tap], planes: &Planes) -> Self {
        let t = taps.len();
        Self::new(
            [c, o, t],
            |output, input, tap| weight[(input * c + output) * t + tap],
            planes,
            |tap| -planes.shift(taps[tap]),
        )
    }

    fn new(
        [outputs, inputs, taps]: [usize; 3],
        weight: impl Fn(usize, usize, usize) -> f32,
        planes: &Planes,
        shift: impl Fn(usize) -> isize,
    ) -> Self {
        let mut weights = Vec::with_capacity(outputs * inputs * taps);
        for block in blocks(outputs, planes.lanes) {
            for input in 0..inputs {
                for tap in 0..taps {
                    weights.extend(block.clone().map(|output| weight(output, input, tap)));
                }
            }
        }
        let first = planes.first as isize;
        let place = |input: usize, tap: usize| input * planes.size + (first + shift(tap)) as usize;
        let terms = (0..inputs).flat_map(|input| (0..taps).map(move |tap| [input, tap]));
        Self { weights, terms: terms.map(|[input, tap]| place(input, tap)).collect(), outputs }
    }
}

/// What is added to the sums over the terms.
#[derive(Clone, Copy)]
pub(super) struct Added<'a> {
    /// `[outputs]`
    pub(super) bias: Option<&'a [f32]>,
    /// `[outputs, h, w]`
    pub(super) base: Option<&'a [f32]>,
}

/// One image: `out` `[outputs, h, w]` = Σ over the terms, and what is added. All of `out` is written.
pub(super) fn convolve(
    planes: &Planes,
    packed: &Packed,
    added: Added<'_>,
    input: &[f32],
    out: &mut [MaybeUninit<f32>],
) {
    // Each vector of each term lies inside.
    let reach = planes.last_start() + packed.terms.iter().max().copied().unwrap_or(0) + planes.lanes;
    assert!(input.len() >= reach);
    assert!(out.len() == packed.outputs * planes.positions());
    assert!(added.base.is_none_or(|base| base.len() == out.len()));
    with_fma!(planes.lanes, convolve_with(planes: &Planes, packed: &Packed, added: Added<'_>, input: &[f32], out: &mut [MaybeUninit<f32>]));
}

/// # Safety
/// `input` reaches as far as each start with each term, and a vector beyond; `out` is whole channels, and so is the base.
#[inline(always)]
unsafe fn convolve_with<V: Vector>(
    planes: &Planes,
    packed: &Packed,
    added: Added<'_>,
    input: &[f32],
    out: &mut [MaybeUninit<f32>],
) {
    for band in planes.starts.chunks(BAND / V::LANES) {
        for block in blocks(packed.outputs, V::LANES) {
            let tile = Tile {
                planes,
                weights: &packed.weights[block.start * packed.terms.len()..],
                terms: &packed.terms,
                added,
                first: block.start,
                input,
            };
            // SAFETY: the caller's.
            unsafe {
                match block.len() {
                    1 => tile.rows::<V, 1>(band, out),
                    2 => tile.rows::<V, 2>(band, out),
                    3 => tile.rows::<V, 3>(band, out),
                    4 => tile.rows::<V, 4>(band, out),
                    5 => tile.rows::<V, 5>(band, out),
                    6 => tile.rows::<V, 6>(band, out),
                    // With 16 registers there are no more.
                    _ if !V::MANY => {}
                    7 => tile.rows::<V, 7>(band, out),
                    8 => tile.rows::<V, 8>(band, out),
                    9 => tile.rows::<V, 9>(band, out),
                    10 => tile.rows::<V, 10>(band, out),
                    11 => tile.rows::<V, 11>(band, out),
                    _ => tile.rows::<V, 12>(band, out),
                }
            }
        }
    }
}

/// A block of outputs.
#[derive(Clone, Copy)]
struct Tile<'a> {
    planes: &'a Planes,
    /// From those of the block on.
    weights: &'a [f32],
    terms: &'a [usize],
    added: Added<'a>,
    /// The block's first output.
    first: usize,
    input: &'a [f32],
}

impl Tile<'_> {
    /// `R` outputs at one or two vectors of positions.
    ///
    /// # Safety
    /// As of [`convolve_with`].
    #[inline(always)]
    unsafe fn rows<V: Vector, const R: usize>(self, starts: &[Start], out: &mut [MaybeUninit<f32>]) {
        let (pairs, rest) = starts.as_chunks::<VECTORS>();
        // SAFETY: the caller's.
        unsafe {
            self.prefetch::<V, R>(starts.iter().take(VECTORS), out);
            for (i, &pair) in pairs.iter().enumerate() {
                self.prefetch::<V, R>(starts.iter().skip((i + 1) * VECTORS).take(VECTORS), out);
                self.sums::<V, R, VECTORS>(pair, out);
            }
            for &one in rest {
                self.sums::<V, R, 1>([one], out);
            }
        }
    }

    /// Fetches where a tile is written and what is added to it: a write that has to wait for its place holds up all that follow.
    ///
    /// # Safety
    /// The processor has the instructions.
    #[inline(always)]
    unsafe fn prefetch<'a, V: Vector, const R: usize>(
        self,
        starts: impl Iterator<Item = &'a Start>,
        out: &[MaybeUninit<f32>],
    ) {
        let positions = self.planes.positions();
        for start in starts {
            for output in self.first..self.first + R {
                let place = output * positions + start.out;
                // SAFETY: the caller's.
                unsafe {
                    V::prefetch(out.as_ptr().wrapping_add(place).cast());
                    if let Some(base) = self.added.base {
                        V::prefetch(base.as_ptr().wrapping_add(place));
                    }
                }
            }
        }
    }

    /// # Safety
    /// As of [`convolve_with`].
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // what is passed through closures leaves its registers
    unsafe fn sums<V: Vector, const R: usize, const N: usize>(self, starts: [Start; N], out: &mut [MaybeUninit<f32>]) {
        let Self { planes, weights, terms, added, first, input } = self;
        let positions = planes.positions();
        // By way of memory: the last loop is not unrolled, and what it indexes would never be in registers.
        let mut lanes = [[Stored::EMPTY; N]; R];
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [[V::splat(0.0); N]; R];
            let inputs = input.as_ptr();
            for (weights, &term) in weights.as_chunks::<R>().0.iter().zip(terms) {
                let mut x = [V::splat(0.0); N];
                for j in 0..N {
                    x[j] = V::load(inputs.add(starts[j].place + term));
                }
                for i in 0..R {
                    let weight = V::splat(weights[i]);
                    for j in 0..N {
                        sums[i][j] = weight.multiply_add(x[j], sums[i][j]);
                    }
                }
            }
            for i in 0..R {
                for j in 0..N {
                    lanes[i][j].put(sums[i][j]);
                }
            }
            for (output, lanes) in (first..).zip(&lanes) {
                let bias = V::splat(added.bias.and_then(|bias| bias.get(output)).copied().unwrap_or(0.0));
                let base = added.base.map(|base| base.as_ptr().add(output * positions));
                let out = out.as_mut_ptr().add(output * positions).cast::<f32>();
                for (lanes, &start) in lanes.iter().zip(&starts) {
                    write(planes, start, lanes.get::<V>().add(bias), base, out);
                }
            }
        }
    }
}

/// Writes a vector of positions, with what is added, to a channel `[h, w]`, without the zeros between its rows. What it writes beyond its
/// own positions is where later vectors write.
///
/// # Safety
/// `base` and `out` are channels of these planes.
#[inline(always)]
unsafe fn write<V: Vector>(planes: &Planes, start: Start, sums: V, base: Option<*const f32>, out: *mut f32) {
    // SAFETY: `Start::new` says `All` and `Split` where their vectors lie inside; `Any` looks.
    unsafe {
        match start.lanes {
            Lanes::All => put(start.out, sums, base, out),
            Lanes::Split { kept, resume } => {
                put(start.out, sums, base, out);
                if resume < V::LANES {
                    put(start.out + kept, sums.down(resume), base, out);
                }
            }
            Lanes::Any => {
                let mut lanes = Stored::EMPTY;
                lanes.put(sums);
                for (position, &value) in (start.place..).zip(lanes.numbers::<V>()) {
                    let (row, column) = (position / planes.pitch, position % planes.pitch);
                    if column < planes.w && row < planes.h {
                        let place = row * planes.w + column;
                        out.add(place).write(value + base.map_or(0.0, |base| base.add(place).read()));
                    }
                }
            }
        }
    }
}

/// # Safety
/// There is a vector at `place` of `base` and of `out`.
#[inline(always)]
unsafe fn put<V: Vector>(place: usize, sums: V, base: Option<*const f32>, out: *mut f32) {
    // SAFETY: the caller's.
    unsafe {
        let sums = match base {
            Some(base) => sums.add(V::load(base.add(place))),
            None => sums,
        };
        sums.store(out.add(place));
    }
}

/// Planes of several images, each so many numbers after the one before.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) planes: &'a [f32],
    pub(super) stride: usize,
}

/// Adds to `sums` `[o, c, t]` what these images give: Σ_p g\[o, p\] · x\[c, p + tap_t\]. The images of the gradients have planes up to a
/// multiple of `GRADS`.
pub(super) fn correlate(
    of: [&Planes; 2],
    [o, c]: [usize; 2],
    taps: &[Tap],
    inputs: Images<'_>,
    grads: Images<'_>,
    sums: &mut [f32],
) {
    let [of_inputs, of_grads] = of;
    let first = of_inputs.first as isize;
    let place = |c: usize, tap: Tap| c * of_inputs.size + (first + of_inputs.shift(tap)) as usize;
    let terms: Vec<usize> = (0..c).flat_map(|c| taps.iter().map(move |&tap| place(c, tap))).collect();
    let terms = terms.as_slice();
    let last_start = of_inputs.last_start();
    let lanes = of_inputs.lanes;
    let reach = last_start + terms.iter().max().copied().unwrap_or(0) + lanes;
    let reach_of_grads = (o.next_multiple_of(GRADS).max(1) - 1) * of_grads.size + of_grads.first + last_start + lanes;
    assert!(inputs.stride >= reach && grads.stride >= reach_of_grads);
    assert!(inputs.planes.len() / inputs.stride == grads.planes.len() / grads.stride);
    with_fma!(lanes, correlate_with(of: [&Planes; 2], o: usize, terms: &[usize], inputs: Images<'_>, grads: Images<'_>, sums: &mut [f32]));
}

/// # Safety
/// In each image, from the first position of each term and each plane of the gradients, every start has a vector.
#[inline(always)]
unsafe fn correlate_with<V: Vector>(
    of: [&Planes; 2],
    o: usize,
    terms: &[usize],
    inputs: Images<'_>,
    grads: Images<'_>,
    sums: &mut [f32],
) {
    // Terms of a tile: with the gradients' channels as many sums as there are registers for.
    // SAFETY: the caller's.
    unsafe {
        match V::MANY {
            true => correlate_terms::<V, 6>(of, o, terms, inputs, grads, sums),
            false => correlate_terms::<V, 3>(of, o, terms, inputs, grads, sums),
        }
    }
}

/// # Safety
/// As of [`correlate_with`].
#[inline(always)]
#[allow(clippy::needless_range_loop)] // what is passed through closures leaves its registers
unsafe fn correlate_terms<V: Vector, const TERMS: usize>(
    [of_inputs, of_grads]: [&Planes; 2],
    o: usize,
    terms: &[usize],
    inputs: Images<'_>,
    grads: Images<'_>,
    sums: &mut [f32],
) {
    let width = terms.len();
    for first in (0..o).step_by(GRADS) {
        for (block, terms) in terms.chunks(TERMS).enumerate() {
            // The last block may take its last term again, and nothing becomes of that.
            let term = |i: usize| terms.get(i).or(terms.last()).copied().unwrap_or(0);
            let places: [usize; TERMS] = std::array::from_fn(term);
            let mut lanes = [[Stored::EMPTY; TERMS]; GRADS];
            // SAFETY: the caller's.
            unsafe {
                let mut sums = [[V::splat(0.0); TERMS]; GRADS];
                for (input, grad) in
                    inputs.planes.chunks_exact(inputs.stride).zip(grads.planes.chunks_exact(grads.stride))
                {
                    let (input, grad) = (input.as_ptr(), grad.as_ptr().add(first * of_grads.size + of_grads.first));
                    for &Start { place: start, .. } in &of_inputs.starts {
                        let mut x = [V::splat(0.0); TERMS];
                        for j in 0..TERMS {
                            x[j] = V::load(input.add(places[j] + start));
                        }
                        for i in 0..GRADS {
                            let g = V::load(grad.add(i * of_grads.size + start));
                            for j in 0..TERMS {
                                sums[i][j] = g.multiply_add(x[j], sums[i][j]);
                            }
                        }
                    }
                }
                for i in 0..GRADS {
                    for j in 0..TERMS {
                        lanes[i][j].put(sums[i][j]);
                    }
                }
            }
            for (lanes, sums) in lanes.iter().zip(sums.chunks_mut(width.max(1)).skip(first)) {
                for (lanes, sum) in lanes.iter().zip(sums.iter_mut().skip(block * TERMS).take(terms.len())) {
                    // SAFETY: just written.
                    *sum += unsafe { lanes.numbers::<V>() }.iter().sum::<f32>();
                }
            }
        }
    }
}
