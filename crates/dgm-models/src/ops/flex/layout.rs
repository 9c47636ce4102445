//! How images lie in memory for the tap convolution: planes with zeros around them, and the vectors of positions that go over them.

use super::vector::{LANES, lanes_for};
use crate::ops::{Before, Tap, padding};
use dgm_core::ops::elementary::flush_tiny;
use dgm_core::vectorised;
use std::mem::MaybeUninit;

/// How images of one size lie in memory with the zeros that a list of taps needs around them. The zeros to the right of a row are those
/// to the left of the next.
pub(super) struct Planes {
    pub(super) h: usize,
    pub(super) w: usize,
    /// From a plane's beginning to its first position.
    pub(super) first: usize,
    /// From a row to the next.
    pub(super) pitch: usize,
    /// Numbers in a plane.
    pub(super) size: usize,
    /// Numbers of a vector of positions.
    pub(super) lanes: usize,
    /// The vectors of positions, in their order.
    pub(super) starts: Vec<Start>,
}

/// Where a vector of positions begins, and what becomes of its lanes.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// In a plane, relative to the first position.
    pub(super) place: usize,
    /// In a channel `[h, w]`, where the first lane that is a position goes.
    pub(super) out: usize,
    pub(super) lanes: Lanes,
}

/// Which lanes are positions.
#[derive(Clone, Copy)]
pub(super) enum Lanes {
    /// All, one after the other.
    All,
    /// So many, then none, and from lane `resume` on those of the next row.
    Split { kept: usize, resume: usize },
    /// To be looked up one by one: rows shorter than a vector, and the end of an image.
    Any,
}

impl Start {
    fn new(place: usize, [h, w]: [usize; 2], pitch: usize, lanes: usize) -> Self {
        let (row, column) = (place / pitch, place % pitch);
        let (kept, resume) = (w.saturating_sub(column), pitch - column);
        let out = row * w + column.min(w);
        let lanes = if (kept >= lanes || pitch == w) && out + lanes <= h * w {
            Lanes::All
        } else if kept < lanes && resume + w >= lanes && out + kept + lanes <= h * w {
            Lanes::Split { kept, resume }
        } else {
            Lanes::Any
        };
        Self { place, out, lanes }
    }
}

/// The planes of the inputs, and those of the gradients, in which the taps point the other way.
pub(super) fn planes(taps: &[Tap], [h, w]: [usize; 2]) -> [Planes; 2] {
    let [top, bottom, left, right] = padding(taps);
    let (pitch, rows) = (w + left.max(right), h + top + bottom);
    let lanes = lanes_for(w);
    // Rows one by one where vectors fill them, otherwise all positions with the zeros between the rows.
    let starts: Vec<usize> = if w.is_multiple_of(lanes) {
        (0..h).flat_map(|row| (0..w).step_by(lanes).map(move |column| row * pitch + column)).collect()
    } else {
        (0..(h.max(1) - 1) * pitch + w).step_by(lanes).collect()
    };
    // The last vector may end behind the last position: among zeros, not in the next plane.
    let end = starts.last().map_or(0, |start| start + lanes);
    let starts: Vec<Start> = starts.into_iter().map(|place| Start::new(place, [h, w], pitch, lanes)).collect();
    let of = |first: usize| {
        let size = (rows * pitch + left + right).max(first + end);
        Planes { h, w, first, pitch, size, lanes, starts: starts.clone() }
    };
    [of(top * pitch + left), of(bottom * pitch + right)]
}

impl Planes {
    /// Numbers of `n` planes, with what the last vector reads beyond them.
    pub(super) fn len(&self, n: usize) -> usize {
        n * self.size + self.lanes
    }

    /// Positions of an image.
    pub(super) fn positions(&self) -> usize {
        self.h * self.w
    }

    /// From the first position to where a tap looks.
    pub(super) fn shift(&self, [rows, columns]: Tap) -> isize {
        rows * self.pitch as isize + columns
    }

    /// Copies channels `[n, h, w]` into planes; the zeros around them stay as they are.
    pub(super) fn fill(&self, channels: &[f32], planes: &mut [f32]) {
        for (channel, plane) in channels.chunks(self.positions()).zip(planes.chunks_mut(self.size)) {
            self.fill_one(channel, plane);
        }
    }

    /// Fills planes with what a convolution sees of an image `x`.
    pub(super) fn fill_seen(&self, x: &[f32], before: Before, scratch: &mut Vec<MaybeUninit<f32>>, planes: &mut [f32]) {
        before.each_channel(x, self.positions(), scratch, |i, channel| {
            self.fill_one(channel, &mut planes[i * self.size..(i + 1) * self.size]);
        });
    }

    fn fill_one(&self, channel: &[f32], plane: &mut [f32]) {
        copy_rows(channel, self.w, &mut plane[self.first..], self.pitch);
    }

    /// Where the last vector begins.
    pub(super) fn last_start(&self) -> usize {
        self.starts.last().map_or(0, |start| start.place)
    }
}

vectorised! {
    /// Rows of so many numbers, to rows so far apart, without numbers that are next to nothing.
    fn copy_rows(channel: &[f32], w: usize, plane: &mut [f32], pitch: usize) {
        // Rows without zeros between them are one.
        let (w, pitch) = if pitch == w { (channel.len(), channel.len()) } else { (w, pitch) };
        for (from, to) in channel.chunks(w.max(1)).zip(plane.chunks_mut(pitch.max(1))) {
            copy_row(from, &mut to[..from.len()]);
        }
    }
}

/// Vector by vector, the last over the one before: a loop over what is left would take as long as all the rest of a short row.
#[inline(always)]
fn copy_row(from: &[f32], to: &mut [f32]) {
    let put = |from: &[f32; LANES], to: &mut [f32; LANES]| *to = from.map(flush_tiny);
    for (from, to) in from.as_chunks::<LANES>().0.iter().zip(to.as_chunks_mut::<LANES>().0) {
        put(from, to);
    }
    match (from.last_chunk::<LANES>(), to.last_chunk_mut::<LANES>()) {
        (Some(from), Some(to)) => put(from, to),
        _ => to.iter_mut().zip(from).for_each(|(to, &from)| *to = flush_tiny(from)),
    }
}
