//! Numbers that depend on their index and a seed alone, so that both sides of a benchmark have the same.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// n numbers in [0, 1): a hash of the index.
pub(crate) fn uniform(n: usize, seed: u32) -> impl Iterator<Item = f32> {
    (0..n as u32).map(move |index| {
        let x = index.wrapping_add(seed.wrapping_mul(0x9E37_79B1));
        let x = x.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let x = ((x >> ((x >> 28) + 4)) ^ x).wrapping_mul(277_803_737);
        let x = (x >> 22) ^ x;
        (x >> 8) as f32 / (1u32 << 24) as f32
    })
}

/// Numbers between `low` and `high`.
pub(crate) fn tensor<const D: usize>(
    shape: [usize; D],
    seed: u32,
    [low, high]: [f32; 2],
    device: &Device,
) -> Tensor<D> {
    let values: Vec<f32> = uniform(shape.iter().product(), seed).map(|u| u * (high - low) + low).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// 1 for three in ten, 0 for the others.
pub(crate) fn bits<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values: Vec<f32> = uniform(shape.iter().product(), seed).map(|u| f32::from(u8::from(u > 0.7))).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// n levels as numbers.
pub(crate) fn levels_of(n: usize, levels: usize, seed: u32) -> Vec<f32> {
    uniform(n, seed).map(|u| (u * levels as f32).floor().min(levels as f32 - 1.0)).collect()
}

/// Classes `[batch · length]`, and scaled to −1 … 1 as an input `[batch, 1, 1, length]`.
pub(crate) fn levels(
    [batch, length]: [usize; 2],
    classes: usize,
    seed: u32,
    device: &Device,
) -> (Tensor<4>, Tensor<1, Int>) {
    let last = classes as f32 - 1.0;
    let levels = levels_of(batch * length, classes, seed);
    let inputs: Vec<f32> = levels.iter().map(|level| 2.0 * (level / last) - 1.0).collect();
    let levels: Vec<i32> = levels.into_iter().map(|level| level as i32).collect();
    let inputs = Tensor::from_data(TensorData::new(inputs, [batch, 1, 1, length]), device);
    (inputs, Tensor::from_ints(levels.as_slice(), device))
}
