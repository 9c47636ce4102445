//! The tap convolution as sums over shifted planes: images with zeros around them, so that every tap is the same plane read from another
//! place. Nothing is copied per tap, and the innermost loops are those of a matrix product.
//!
//! What a result is summed from, and in which order, depends on the sizes alone. Where `x` is not finite, more taps than read it have weights'
//! gradients that are not: zeros between rows are multiplied too.

use super::super::{Tap, padding};
use super::vector::{LANES, Vector, with_fma};

/// Outputs of a tile of the convolution, and vectors of positions: with these as many sums as there are registers for, and no more.
const ROWS: usize = 6;
const VECTORS: usize = 2;
/// Gradients' channels of a tile of the weights' gradient, and of its terms.
pub(super) const GRADS: usize = 4;
const TERMS: usize = 3;
/// Bytes of planes that a thread goes over again and again.
const CACHE: usize = 16 * 1024;

/// How images of one size lie in memory with the zeros that a list of taps needs around them.
pub(super) struct Planes {
    h: usize,
    w: usize,
    /// Zeros above and left of an image.
    top: usize,
    left: usize,
    /// Numbers in a row with its zeros.
    pitch: usize,
    /// Numbers in a plane.
    size: usize,
    /// The vectors of positions, in their order.
    starts: Vec<Start>,
}

/// Where a vector of positions begins, and what becomes of its lanes.
#[derive(Clone, Copy)]
struct Start {
    /// In a plane, relative to the first position.
    place: usize,
    /// In a channel `[h, w]`, where the first lane that is a position goes.
    out: usize,
    /// Lanes before the row ends.
    kept: usize,
    /// The lane with which the next row begins.
    resume: usize,
}

impl Start {
    fn new(place: usize, w: usize, pitch: usize) -> Self {
        let (row, column) = (place / pitch, place % pitch);
        let kept = w.saturating_sub(column);
        Self { place, out: row * w + column.min(w), kept, resume: pitch - column }
    }
}

/// The planes of the inputs, and those of the gradients, in which the taps point the other way.
pub(super) fn planes(taps: &[Tap], [h, w]: [usize; 2]) -> [Planes; 2] {
    let [top, bottom, left, right] = padding(taps);
    let (pitch, rows) = (w + left + right, h + top + bottom);
    // Rows one by one where vectors fill them, otherwise all positions with the zeros between the rows.
    let starts: Vec<usize> = if w.is_multiple_of(LANES) {
        (0..h).flat_map(|row| (0..w).step_by(LANES).map(move |column| row * pitch + column)).collect()
    } else {
        (0..(h.max(1) - 1) * pitch + w).step_by(LANES).collect()
    };
    // The last vector may end behind the last position: among zeros, not in the next plane.
    let end = starts.last().map_or(0, |start| start + LANES);
    let starts: Vec<Start> = starts.into_iter().map(|place| Start::new(place, w, pitch)).collect();
    let of = |top, left| {
        let size = (rows * pitch).max(top * pitch + left + end);
        Planes { h, w, top, left, pitch, size, starts: starts.clone() }
    };
    [of(top, left), of(bottom, right)]
}

impl Planes {
    /// Numbers of `n` planes, with what the last vector reads beyond them.
    pub(super) fn len(&self, n: usize) -> usize {
        n * self.size + LANES
    }

    /// Positions of an image.
    pub(super) fn positions(&self) -> usize {
        self.h * self.w
    }

    /// Images that stay in a core's cache while tiles of them are gone over.
    pub(super) fn images_at_once(&self) -> usize {
        (CACHE / (4 * GRADS * self.size.max(1))).max(1)
    }

    /// The first position of a plane.
    fn first(&self) -> usize {
        self.top * self.pitch + self.left
    }

    /// From the first position to where a tap looks.
    fn shift(&self, [rows, columns]: Tap) -> isize {
        rows * self.pitch as isize + columns
    }

    /// Copies channels `[n, h, w]` into planes; the zeros around them stay as they are.
    pub(super) fn fill(&self, channels: &[f32], planes: &mut [f32]) {
        for (channel, plane) in channels.chunks(self.h * self.w).zip(planes.chunks_mut(self.size)) {
            for (from, to) in channel.chunks(self.w).zip(plane.chunks_mut(self.pitch).skip(self.top)) {
                to[self.left..self.left + self.w].copy_from_slice(from);
            }
        }
    }

    /// Writes a vector of positions to a channel `[h, w]`, without the zeros between its rows. What it writes beyond its own positions is
    /// where later vectors write.
    #[inline(always)]
    fn write(&self, channel: &mut [f32], start: Start, values: &[f32; LANES]) {
        let Start { out, kept, resume, .. } = start;
        let is_whole = kept >= LANES || self.pitch == self.w;
        if is_whole && let Some(to) = channel.get_mut(out..).and_then(|to| to.first_chunk_mut()) {
            *to = *values;
        } else if !is_whole && resume + self.w >= LANES && out + kept + LANES <= channel.len() {
            let mut shifted = [0.0; 2 * LANES];
            shifted[..LANES].copy_from_slice(values);
            channel[out..out + LANES].copy_from_slice(values);
            if resume < LANES {
                channel[out + kept..out + kept + LANES].copy_from_slice(&shifted[resume..resume + LANES]);
            }
        } else {
            for (position, &value) in (start.place..).zip(values) {
                let (row, column) = (position / self.pitch, position % self.pitch);
                if column < self.w && row < self.h {
                    channel[row * self.w + column] = value;
                }
            }
        }
    }

    /// Where the last vector begins.
    fn last_start(&self) -> usize {
        self.starts.last().map_or(0, |start| start.place)
    }
}

/// The weights of a convolution in the order in which tiles read them.
pub(super) struct Packed {
    /// `[blocks of outputs, terms, ROWS]`.
    weights: Vec<[f32; ROWS]>,
    /// Where each term's plane lies, from the first plane's beginning.
    terms: Vec<usize>,
}

impl Packed {
    /// Of y = Σ_{c,t} w\[o, c, t\] · x\[c, p + tap_t\].
    pub(super) fn forward(weight: &[f32], [o, c]: [usize; 2], taps: &[Tap], planes: &Planes) -> Self {
        let t = taps.len();
        Self::new(
            o,
            [c, t],
            |output, [c_, t_]| weight[(output * c + c_) * t + t_],
            planes,
            |tap| planes.shift(taps[tap]),
        )
    }

    /// Of the pullback, ∂x = Σ_{o,t} w\[o, c, t\] · g\[o, p − tap_t\].
    pub(super) fn backward(weight: &[f32], [o, c]: [usize; 2], taps: &[Tap], planes: &Planes) -> Self {
        let t = taps.len();
        Self::new(
            c,
            [o, t],
            |output, [o_, t_]| weight[(o_ * c + output) * t + t_],
            planes,
            |tap| -planes.shift(taps[tap]),
        )
    }

    fn new(
        outputs: usize,
        [inputs, taps]: [usize; 2],
        weight: impl Fn(usize, [usize; 2]) -> f32,
        planes: &Planes,
        shift: impl Fn(usize) -> isize,
    ) -> Self {
        let terms = || (0..inputs).flat_map(|input| (0..taps).map(move |tap| [input, tap]));
        let first = planes.first() as isize;
        let place = |[input, tap]: [usize; 2]| input * planes.size + (first + shift(tap)) as usize;
        let row = |first: usize, term| {
            std::array::from_fn(|i| if first + i < outputs { weight(first + i, term) } else { 0.0 })
        };
        let blocks = (0..outputs).step_by(ROWS);
        let weights =
            blocks.flat_map(|first| terms().map(move |term| (first, term))).map(|(first, term)| row(first, term));
        Self { weights: weights.collect(), terms: terms().map(place).collect() }
    }
}

/// One image: `out` `[outputs, h, w]` = Σ over the terms, and the bias.
pub(super) fn convolve(planes: &Planes, packed: &Packed, bias: Option<&[f32]>, input: &[f32], out: &mut [f32]) {
    // Each vector of each term lies inside.
    let reach = planes.last_start() + packed.terms.iter().max().copied().unwrap_or(0) + LANES;
    assert!(input.len() >= reach);
    with_fma!(convolve_with(planes: &Planes, packed: &Packed, bias: Option<&[f32]>, input: &[f32], out: &mut [f32]));
}

/// # Safety
/// `input` reaches as far as each start with each term, and a vector beyond.
#[inline(always)]
unsafe fn convolve_with<V: Vector>(
    planes: &Planes,
    packed: &Packed,
    bias: Option<&[f32]>,
    input: &[f32],
    out: &mut [f32],
) {
    let positions = planes.positions();
    for starts in planes.starts.chunks(VECTORS) {
        for (block, weights) in packed.weights.chunks(packed.terms.len().max(1)).enumerate() {
            let first = block * ROWS;
            let bias = std::array::from_fn(|i| bias.and_then(|bias| bias.get(first + i)).copied().unwrap_or(0.0));
            let mut sums = [[[0.0; LANES]; VECTORS]; ROWS];
            // SAFETY: the caller's.
            unsafe {
                match *starts {
                    [a, b] => tile::<V, 2>([a.place, b.place], weights, &packed.terms, bias, input, &mut sums),
                    [a] => tile::<V, 1>([a.place], weights, &packed.terms, bias, input, &mut sums),
                    _ => {}
                }
            }
            for (sums, channel) in sums.iter().zip(out.chunks_mut(positions).skip(first)) {
                for (sum, &start) in sums.iter().zip(starts) {
                    planes.write(channel, start, sum);
                }
            }
        }
    }
}

/// The sums of a tile: `ROWS` outputs, `N` vectors of positions.
///
/// # Safety
/// As of [`convolve_with`].
#[inline(always)]
unsafe fn tile<V: Vector, const N: usize>(
    starts: [usize; N],
    weights: &[[f32; ROWS]],
    terms: &[usize],
    bias: [f32; ROWS],
    input: &[f32],
    out: &mut [[[f32; LANES]; VECTORS]; ROWS],
) {
    // SAFETY: the caller's.
    unsafe {
        // Plain loops: what is passed through closures leaves its registers.
        let mut sums = [[V::splat(0.0); N]; ROWS];
        for i in 0..ROWS {
            sums[i] = [V::splat(bias[i]); N];
        }
        let inputs = input.as_ptr();
        for (weights, &term) in weights.iter().zip(terms) {
            let mut x = [V::splat(0.0); N];
            for j in 0..N {
                x[j] = V::load(inputs.add(starts[j] + term));
            }
            for i in 0..ROWS {
                let weight = V::splat(weights[i]);
                for j in 0..N {
                    sums[i][j] = weight.multiply_add(x[j], sums[i][j]);
                }
            }
        }
        for i in 0..ROWS {
            for j in 0..N {
                sums[i][j].store(&mut out[i][j]);
            }
        }
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
    let first = of_inputs.first() as isize;
    let place = |c: usize, tap: Tap| c * of_inputs.size + (first + of_inputs.shift(tap)) as usize;
    let terms: Vec<usize> = (0..c).flat_map(|c| taps.iter().map(move |&tap| place(c, tap))).collect();
    let terms = terms.as_slice();
    let last_start = of_inputs.last_start();
    let reach = last_start + terms.iter().max().copied().unwrap_or(0) + LANES;
    let reach_of_grads = (o.next_multiple_of(GRADS).max(1) - 1) * of_grads.size + of_grads.first() + last_start + LANES;
    assert!(inputs.stride >= reach && grads.stride >= reach_of_grads);
    assert!(inputs.planes.len() / inputs.stride == grads.planes.len() / grads.stride);
    with_fma!(correlate_with(of: [&Planes; 2], o: usize, terms: &[usize], inputs: Images<'_>, grads: Images<'_>, sums: &mut [f32]));
}

/// # Safety
/// In each image, from the first position of each term and each plane of the gradients, every start has a vector.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // what is passed through closures leaves its registers
unsafe fn correlate_with<V: Vector>(
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
            let mut lanes = [[[0.0; LANES]; TERMS]; GRADS];
            // SAFETY: the caller's.
            unsafe {
                let mut sums = [[V::splat(0.0); TERMS]; GRADS];
                for (input, grad) in
                    inputs.planes.chunks_exact(inputs.stride).zip(grads.planes.chunks_exact(grads.stride))
                {
                    let (input, grad) = (input.as_ptr(), grad.as_ptr().add(first * of_grads.size + of_grads.first()));
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
                        sums[i][j].store(&mut lanes[i][j]);
                    }
                }
            }
            for (lanes, sums) in lanes.iter().zip(sums.chunks_mut(width.max(1)).skip(first)) {
                for (lanes, sum) in lanes.iter().zip(sums.iter_mut().skip(block * TERMS).take(terms.len())) {
                    *sum += lanes.iter().sum::<f32>();
                }
            }
        }
    }
}
