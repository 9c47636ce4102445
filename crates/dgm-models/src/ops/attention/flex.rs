//! Attention on flex, head by head: images in parallel, so a result does not depend on the number of threads.
//!
//! Scores are made for some queries at a time and for the keys that they see, up to whole tiles of rows and vectors.

use super::{AttentionOps, composed, scale};
use crate::ops::flex::small::{Left, Right, Sums, product};
use crate::ops::flex::vector::{LANES, Vector, lanes_for, with_fma};
use burn::backend::tensor::FloatTensor;
use burn_flex::{Flex, FlexTensor};
use dgm_core::ops::elementary::{exp_negative, flush_tiny};
use dgm_core::ops::flex::{all_f32, from_vec, max, owned, sum};
use rayon::prelude::*;
use std::ops::Range;

/// Queries that are gone over at once: their scores stay in a core's cache.
const QUERIES: usize = 48;

impl AttentionOps for Flex {
    fn causal_attention(projections: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        if !all_f32(&[&projections]) {
            return composed::causal_attention::<Self>(projections, heads);
        }
        let projections = owned(projections);
        let (n, sizes) = Sizes::of(&projections, heads);
        let mut out = vec![0.0f32; n * sizes.outputs()];
        if out.is_empty() {
            return from_vec(out, [n, sizes.length, sizes.channels()]);
        }
        let images = out.par_chunks_mut(sizes.outputs()).zip(projections.storage::<f32>().par_chunks(sizes.inputs()));
        images.for_each_init(
            || Head::new(sizes),
            |head, (out, image)| {
                for number in 0..heads {
                    head.take(number, image);
                    forward(head, number, image, out);
                }
            },
        );
        from_vec(out, [n, sizes.length, sizes.channels()])
    }

    fn causal_attention_pullback(
        projections: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self> {
        if !all_f32(&[&projections, &grad]) {
            return composed::causal_attention_pullback::<Self>(projections, grad, heads);
        }
        let (projections, grad) = (owned(projections), owned(grad));
        let (n, sizes) = Sizes::of(&projections, heads);
        assert_eq!(grad.layout().num_elements(), n * sizes.outputs(), "causal_attention: numbers of the gradient");
        let mut out = vec![0.0f32; n * sizes.inputs()];
        if out.is_empty() {
            return projections;
        }
        let images = out.par_chunks_mut(sizes.inputs()).zip(projections.storage::<f32>().par_chunks(sizes.inputs()));
        let images = images.zip(grad.storage::<f32>().par_chunks(sizes.outputs()));
        images.for_each_init(
            || (Head::new(sizes), Pulled::new(sizes)),
            |(head, pulled), ((out, image), grad)| {
                for number in 0..heads {
                    head.take(number, image);
                    pulled.take(number, image, grad, sizes);
                    pull(head, pulled, number, [image, grad], out);
                }
            },
        );
        from_vec(out, projections.layout().shape().clone())
    }
}

/// Sizes of one image.
#[derive(Clone, Copy)]
struct Sizes {
    length: usize,
    heads: usize,
    width: usize,
    /// Numbers of a vector.
    lanes: usize,
}

impl Sizes {
    /// The number of images, and the sizes of each.
    fn of(projections: &FlexTensor, heads: usize) -> (usize, Self) {
        let shape = projections.layout().shape();
        let width = shape[2] / (3 * heads);
        (shape[0], Self { length: shape[1], heads, width, lanes: lanes_for(width) })
    }

    fn channels(self) -> usize {
        self.heads * self.width
    }

    /// Numbers of the projections of an image, and of what comes out.
    fn inputs(self) -> usize {
        3 * self.outputs()
    }

    fn outputs(self) -> usize {
        self.length * self.channels()
    }

    /// Numbers from a row to the next of a matrix of places × features, and of one of anything × places, whole vectors.
    fn pitches(self) -> [usize; 2] {
        [self.width.next_multiple_of(self.lanes), self.length.next_multiple_of(self.lanes)]
    }

    /// The queries, 0, keys, 1, or values, 2, of a head from its first place on.
    fn of_head(self, kind: usize, head: usize, image: &[f32]) -> &[f32] {
        &image[kind * self.channels() + head * self.width..]
    }

    /// The ranges of queries that are gone over at once.
    fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.length).step_by(QUERIES).map(move |first| first..(first + QUERIES).min(self.length))
    }

    /// Scores of a block that are made: up to the last that its last query sees, whole vectors.
    fn seen(self, queries: &Range<usize>) -> usize {
        queries.end.next_multiple_of(self.lanes)
    }
}

/// Copies places × features, `width` of each row, from rows and to rows so far apart.
fn copy_rows([from, to_pitch]: [usize; 2], width: usize, values: &[f32], to: &mut [f32]) {
    for (to, from) in to.chunks_mut(to_pitch).zip(values.chunks(from)) {
        to[..width].copy_from_slice(&from[..width]);
    }
}

/// The same transposed: to features × places.
fn copy_columns([from, to_pitch]: [usize; 2], width: usize, values: &[f32], to: &mut [f32]) {
    for (place, from) in values.chunks(from).enumerate() {
        for (feature, &value) in from[..width].iter().enumerate() {
            to[feature * to_pitch + place] = value;
        }
    }
}

/// What both directions need of a head.
struct Head {
    sizes: Sizes,
    /// `[width, length]`
    keys: Vec<f32>,
    /// `[length, width]`
    values: Vec<f32>,
    /// Scores of a block and then weights, `[queries, length]`.
    weights: Vec<f32>,
    /// `[queries, width]`
    sums: Vec<f32>,
}

impl Head {
    fn new(sizes: Sizes) -> Self {
        let [wide, long] = sizes.pitches();
        Self {
            sizes,
            keys: vec![0.0; sizes.width * long],
            values: vec![0.0; sizes.length * wide],
            weights: vec![0.0; QUERIES * long],
            sums: vec![0.0; QUERIES * wide],
        }
    }

    fn take(&mut self, number: usize, image: &[f32]) {
        let Self { sizes, keys, values, .. } = self;
        let (pitch, [wide, long]) = (3 * sizes.channels(), sizes.pitches());
        copy_columns([pitch, long], sizes.width, sizes.of_head(1, number, image), keys);
        copy_rows([pitch, wide], sizes.width, sizes.of_head(2, number, image), values);
    }

    /// The weights of these queries, which lie in the image's projections; zeros at places that a query does not see.
    #[inline(always)]
    unsafe fn weigh<V: Vector>(&mut self, block: &Range<usize>, queries: &[f32]) {
        let Self { sizes, keys, weights, .. } = self;
        let (pitch, [_, long]) = (3 * sizes.channels(), sizes.pitches());
        let left = Left { values: &queries[block.start * pitch..], row: pitch, term: 1 };
        let seen = |rows: &Range<usize>| (block.start + rows.end).next_multiple_of(V::LANES);
        let out = Sums { values: weights, pitch: long, onto: false };
        // SAFETY: the caller's.
        unsafe { product::<V>(left, Right { values: keys, pitch: long }, block.len(), |_| 0..sizes.width, seen, out) };
        let scale = scale(sizes.width) as f32;
        for (query, row) in block.clone().zip(weights.chunks_mut(long)) {
            let (row, unseen) = row[..sizes.seen(block)].split_at_mut(query + 1);
            unseen.fill(0.0);
            soften(row, scale);
        }
    }
}

/// softmax(scale·row), in place.
#[inline(always)]
fn soften(row: &mut [f32], scale: f32) {
    row.iter_mut().for_each(|score| *score *= scale);
    let most = max(row);
    row.iter_mut().for_each(|score| *score = exp_negative(*score - most));
    let total = 1.0 / sum(row);
    row.iter_mut().for_each(|weight| *weight = flush_tiny(*weight * total));
}

fn forward(head: &mut Head, number: usize, image: &[f32], out: &mut [f32]) {
    with_fma!(head.sizes.lanes, forward_with(head: &mut Head, number: usize, image: &[f32], out: &mut [f32]));
}

#[inline(always)]
unsafe fn forward_with<V: Vector>(head: &mut Head, number: usize, image: &[f32], out: &mut [f32]) {
    let sizes = head.sizes;
    let [wide, long] = sizes.pitches();
    for block in sizes.blocks() {
        // SAFETY: the caller's.
        unsafe {
            head.weigh::<V>(&block, sizes.of_head(0, number, image));
            let Head { values, weights, sums, .. } = head;
            let left = Left { values: weights, row: long, term: 1 };
            let right = Right { values, pitch: wide };
            let sums_at = Sums { values: sums, pitch: wide, onto: false };
            product::<V>(left, right, block.len(), |rows| 0..block.start + rows.end, |_| wide, sums_at);
        }
        let to = &mut out[block.start * sizes.channels() + number * sizes.width..];
        copy_rows([wide, sizes.channels()], sizes.width, &head.sums[..block.len() * wide], to);
    }
}

/// What the pullback needs besides, and sums up.
struct Pulled {
    /// `[length, width]`: queries and keys, and the output's gradient.
    queries: Vec<f32>,
    keys: Vec<f32>,
    grads: Vec<f32>,
    /// `[width, length]`
    values: Vec<f32>,
    /// Of a block, of weights and then scores, `[queries, length]`.
    of_scores: Vec<f32>,
    /// `[length, width]`
    of_keys: Vec<f32>,
    of_values: Vec<f32>,
}

impl Pulled {
    fn new(sizes: Sizes) -> Self {
        let [wide, long] = sizes.pitches();
        let rows = || vec![0.0; sizes.length * wide];
        Self {
            queries: rows(),
            keys: rows(),
            grads: rows(),
            values: vec![0.0; sizes.width * long],
            of_scores: vec![0.0; QUERIES * long],
            of_keys: rows(),
            of_values: rows(),
        }
    }

    fn take(&mut self, number: usize, image: &[f32], grad: &[f32], sizes: Sizes) {
        let (pitch, width, [wide, long]) = (3 * sizes.channels(), sizes.width, sizes.pitches());
        copy_rows([pitch, wide], width, sizes.of_head(0, number, image), &mut self.queries);
        copy_rows([pitch, wide], width, sizes.of_head(1, number, image), &mut self.keys);
        copy_rows([sizes.channels(), wide], width, sizes.of_head(0, number, grad), &mut self.grads);
        copy_columns([pitch, long], width, sizes.of_head(2, number, image), &mut self.values);
        self.of_keys.fill(0.0);
        self.of_values.fill(0.0);
    }
}

fn pull(head: &mut Head, pulled: &mut Pulled, number: usize, from: [&[f32]; 2], out: &mut [f32]) {
    with_fma!(head.sizes.lanes, pull_with(head: &mut Head, pulled: &mut Pulled, number: usize, from: [&[f32]; 2], out: &mut [f32]));
}

#[inline(always)]
unsafe fn pull_with<V: Vector>(
    head: &mut Head,
    pulled: &mut Pulled,
    number: usize,
    [image, _]: [&[f32]; 2],
    out: &mut [f32],
) {
    let sizes = head.sizes;
    let ([wide, long], pitch) = (sizes.pitches(), 3 * sizes.channels());
    let Pulled { queries, keys, grads, values, of_scores, of_keys, of_values } = pulled;
    let scale = scale(sizes.width) as f32;
    for block in sizes.blocks() {
        let (n, first) = (block.len(), block.start);
        let seen = |rows: &Range<usize>| (first + rows.end).next_multiple_of(V::LANES);
        // SAFETY: the caller's.
        unsafe {
            head.weigh::<V>(&block, sizes.of_head(0, number, image));
            let left = Left { values: &grads[first * wide..], row: wide, term: 1 };
            let to = Sums { values: of_scores, pitch: long, onto: false };
            product::<V>(left, Right { values, pitch: long }, n, |_| 0..sizes.width, seen, to);
        }
        for ((query, weights), of_scores) in
            block.clone().zip(head.weights.chunks(long)).zip(of_scores.chunks_mut(long))
        {
            of_scores[query + 1..sizes.seen(&block)].fill(0.0);
            pull_softmax(&weights[..query + 1], &mut of_scores[..query + 1], scale);
        }
        // SAFETY: the caller's.
        unsafe {
            let of_queries = Sums { values: &mut head.sums, pitch: wide, onto: false };
            let left = Left { values: of_scores, row: long, term: 1 };
            product::<V>(
                left,
                Right { values: keys, pitch: wide },
                n,
                |rows| 0..first + rows.end,
                |_| wide,
                of_queries,
            );
            let part = |values| Right { values, pitch: wide };
            let turned = |values| Left { values, row: 1, term: long };
            // Of the places that the block's queries see, each with those queries that see it.
            let places = block.end;
            let later = |places: &Range<usize>| places.start.saturating_sub(first)..n;
            let to = Sums { values: of_values, pitch: wide, onto: true };
            product::<V>(turned(&head.weights), part(&grads[first * wide..]), places, later, |_| wide, to);
            let to = Sums { values: of_keys, pitch: wide, onto: true };
            product::<V>(turned(of_scores), part(&queries[first * wide..]), places, later, |_| wide, to);
        }
        let to = &mut out[first * pitch + number * sizes.width..];
        copy_rows([wide, pitch], sizes.width, &head.sums[..n * wide], to);
    }
    let channels = sizes.channels();
    let places = sizes.length * wide;
    copy_rows([wide, pitch], sizes.width, &of_keys[..places], &mut out[channels + number * sizes.width..]);
    copy_rows([wide, pitch], sizes.width, &of_values[..places], &mut out[2 * channels + number * sizes.width..]);
}

/// g ← scale·w·(g − Σ w·g).
#[inline(always)]
fn pull_softmax(weights: &[f32], grad: &mut [f32], scale: f32) {
    let mean = dot(weights, grad);
    for (grad, weight) in grad.iter_mut().zip(weights) {
        *grad = flush_tiny(scale * weight * (*grad - mean));
    }
}

/// Σ a·b, in an order that depends on the length alone.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
