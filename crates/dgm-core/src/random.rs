//! Randomness: one seed, one counter-based generator on the host, streams named by (seed, purpose, step).
//!
//! Whatever draws (initial weights, shuffling, binarisation, dropout, latent noise, sampling) names its stream, so the
//! same configuration and seed give the same numbers on every backend, and a run that is continued at step t draws
//! what the run that was never stopped draws there: nothing has to be saved.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// Random numbers from one named stream.
///
/// ChaCha with 8 rounds (Bernstein 2008): the key is the seed and the purpose, the nonce is the step, so streams with
/// different names do not overlap (short of two purposes whose 128-bit FNV-1a hashes are the same).
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Rng,
}

impl Seed {
    /// The stream for `purpose` at `step`, from its beginning.
    pub fn stream(self, purpose: &str, step: u64) -> Stream {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8..24].copy_from_slice(&fnv1a_128(purpose.as_bytes()).to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(step);
        Stream { generator }
    }
}

/// FNV-1a with 128 bits: a fixed name → key map that no version of a hasher will change.
fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62272e07bb014262b821756295c58d;
    const PRIME: u128 = 0x0000000001000000000000000000013b;
    bytes.iter().fold(OFFSET, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

impl Stream {
    /// Passes over `words` 32-bit words in constant time, as if they had been drawn; [`uniform`](Self::uniform) takes one.
    ///
    /// So the numbers of one example among many are found without drawing those before it.
    pub fn skip(&mut self, words: u64) {
        let position = self.generator.get_word_pos();
        self.generator.set_word_pos(position.wrapping_add(u128::from(words)));
    }

    /// Uniform on [0, 1): a multiple of 2⁻²⁴, so exact in f32 and never 1.
    pub fn uniform(&mut self) -> f32 {
        (self.generator.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform on 0 .. bound (`bound` ≥ 1), without bias (Lemire 2019).
    pub fn below(&mut self, bound: u32) -> u32 {
        let bound = bound.max(1);
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.generator.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// `n` uniform numbers on [0, 1).
    pub fn uniforms(&mut self, n: usize) -> Vec<f32> {
        let mut numbers = vec![0.0; n];
        self.fill_uniform(&mut numbers);
        numbers
    }

    /// Fills `numbers` with uniform numbers on [0, 1), the same as so many of [`uniform`](Self::uniform), but faster.
    pub fn fill_uniform(&mut self, numbers: &mut [f32]) {
        self.fill::<4>(numbers, |word| (word >> 8) as f32 * (1.0 / 16_777_216.0));
    }

    /// Fills `numbers` with what `number` makes of so many `BYTES` (1, 2 or 4) each, the lowest first. Whole words are drawn: what
    /// the last one has left is lost.
    fn fill<const BYTES: usize>(&mut self, numbers: &mut [f32], number: impl Fn(u32) -> f32) {
        let mut bytes = [0u8; 1024];
        for part in numbers.chunks_mut(1024 / BYTES) {
            let bytes = &mut bytes[..(BYTES * part.len()).next_multiple_of(4)];
            self.generator.fill_bytes(bytes);
            for (to, bits) in part.iter_mut().zip(bytes.chunks_exact(BYTES)) {
                *to = number(bits.iter().rev().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)));
            }
        }
    }

    /// `n` standard normal numbers.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| StandardNormal.sample(&mut self.generator)).collect()
    }

    /// One sample of `distribution`.
    pub(crate) fn sample(&mut self, distribution: &impl Distribution<f64>) -> f64 {
        distribution.sample(&mut self.generator)
    }

    /// 0 .. n in random order (Fisher–Yates); n fits in 32 bits.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last as u32 + 1) as usize);
        }
        order
    }

    /// A tensor of uniform numbers on [0, 1).
    pub fn uniform_tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let n = shape.iter().product();
        Tensor::from_data(TensorData::new(self.uniforms(n), shape), device)
    }

    /// A tensor of standard normal numbers.
    pub fn normal_tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let n = shape.iter().product();
        Tensor::from_data(TensorData::new(self.normals(n), shape), device)
    }

    /// Inverted dropout's factors: 0 with probability `rate`, else 1 / (1 - rate), so the mean is 1.
    ///
    /// `rate` is rounded to a multiple of 2⁻¹⁶ (and kept below 1), and the factor uses the rounded rate.
    pub fn dropout_tensor<const D: usize>(&mut self, rate: f64, shape: [usize; D], device: &Device) -> Tensor<D> {
        let dropped = ((rate * 65_536.0).round() as u32).min(65_535);
        let factor = 65_536.0 / (65_536 - dropped) as f32;
        let n: usize = shape.iter().product();
        let mut factors = vec![0.0; n];
        self.fill::<2>(&mut factors, |half| if half < dropped { 0.0 } else { factor });
        Tensor::from_data(TensorData::new(factors, shape), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_name() {
        let draw = |seed: u64, purpose: &str, step: u64| Seed(seed).stream(purpose, step).uniforms(4);
        assert_eq!(draw(1, "noise", 5), draw(1, "noise", 5));
        assert_ne!(draw(1, "noise", 5), draw(2, "noise", 5));
        assert_ne!(draw(1, "noise", 5), draw(1, "weights", 5));
        assert_ne!(draw(1, "noise", 5), draw(1, "noise", 6));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 100_000;
        let mut stream = Seed(0).stream("test", 0);
        let uniform = stream.uniforms(n);
        let normal = stream.normals(n);
        let mean = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64;
        let variance = |values: &[f32]| {
            let centre = mean(values);
            values.iter().map(|&v| (f64::from(v) - centre).powi(2)).sum::<f64>() / n as f64
        };
        // Five standard errors.
        assert!((mean(&uniform) - 0.5).abs() < 5.0 * (1.0 / 12.0f64 / n as f64).sqrt());
        assert!((variance(&uniform) - 1.0 / 12.0).abs() < 5.0 * (1.0 / 180.0f64 / n as f64).sqrt());
        assert!(mean(&normal).abs() < 5.0 / (n as f64).sqrt());
        assert!((variance(&normal) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
        assert!(uniform.iter().all(|u| (0.0..1.0).contains(u)));
    }

    #[test]
    fn a_permutation_holds_everything_once() {
        let mut order = Seed(3).stream("shuffle", 0).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn many_numbers_are_those_drawn_one_by_one() {
        for (before, n) in [(0, 1), (1, 63), (0, 64), (3, 255), (63, 256), (64, 257), (7, 1000)] {
            let (mut many, mut one) = (Seed(2).stream("many", 1), Seed(2).stream("many", 1));
            for _ in 0..before {
                assert_eq!(many.uniform(), one.uniform());
            }
            let singly: Vec<f32> = (0..n).map(|_| one.uniform()).collect();
            assert_eq!(many.uniforms(n), singly);
            assert_eq!(many.uniform(), one.uniform());
        }
    }

    #[test]
    fn to_skip_is_to_draw_and_forget() {
        // 64 words are one buffer of the generator, 16 one block.
        let all = Seed(7).stream("skip", 3).uniforms(400);
        for before in [0, 1, 15, 16, 63, 64, 65, 128] {
            for words in [0, 1, 15, 16, 17, 63, 64, 65, 200] {
                let mut stream = Seed(7).stream("skip", 3);
                stream.uniforms(before);
                stream.skip(words as u64);
                assert_eq!(stream.uniforms(70), all[before + words..][..70], "{before} drawn, {words} skipped");
            }
        }
        // Farther than anybody would draw, and than 32 bits count.
        let mut once = Seed(7).stream("skip", 3);
        once.skip((1 << 32) + 5);
        let mut twice = Seed(7).stream("skip", 3);
        twice.skip(1 << 31);
        twice.uniforms(5);
        twice.skip(1 << 31);
        let far = once.uniforms(5);
        assert_eq!(far, twice.uniforms(5));
        assert_ne!(far, all[5..10]);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn dropout_keeps_the_mean() {
        let factors = Seed(0).stream("dropout", 0).dropout_tensor(0.3, [100_000], &Device::flex());
        let mean: f32 = factors.clone().mean().into_scalar();
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let kept: f32 = factors.greater_elem(0.0).float().mean().into_scalar();
        assert!((kept - 0.7).abs() < 0.01, "{kept}");
    }

    /// Two of each word, the lower half first; the next draw begins with a word of its own.
    #[cfg(feature = "flex")]
    #[test]
    fn dropout_takes_halves_of_words() {
        let (mut words, mut stream) = (Seed(0).stream("dropout", 0), Seed(0).stream("dropout", 0));
        let dropped = |half: u32| if half < 19_661 { 0.0 } else { 65_536.0 / 45_875.0 };
        for n in [1usize, 512, 1027] {
            let halves =
                (0..n.div_ceil(2)).map(|_| words.generator.next_u32()).flat_map(|word| [word & 0xffff, word >> 16]);
            let expected: Vec<f32> = halves.take(n).map(dropped).collect();
            let factors = stream.dropout_tensor(0.3, [n], &Device::flex()).into_data();
            assert_eq!(factors.iter::<f32>().collect::<Vec<_>>(), expected, "{n}");
        }
    }
}
