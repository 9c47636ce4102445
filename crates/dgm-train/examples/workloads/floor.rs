//! What the machine can do: the rate of large matrix products and of memory, on all threads.

use burn::tensor::{Device, Distribution, Tensor};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

/// The shortest of ten runs, in seconds.
fn shortest(mut run: impl FnMut()) -> f64 {
    let times = (0..10).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// GFLOP/s of a product of two square matrices, and GB/s of x ← a·x + y over arrays that no cache holds.
pub(crate) fn measure() -> Value {
    const SIDE: usize = 1536;
    const NUMBERS: usize = 32 << 20;
    let device = Device::flex();
    let given = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok());
    let threads = given.or(std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1).max(1);
    let [a, b] = std::array::from_fn(|_| Tensor::<2>::random([SIDE, SIDE], Distribution::Default, &device));
    let product = shortest(|| {
        black_box(a.clone().matmul(b.clone()));
    });
    let (mut x, y) = (vec![1.0f32; NUMBERS], vec![2.0f32; NUMBERS]);
    let stream = shortest(|| {
        std::thread::scope(|scope| {
            for (x, y) in x.chunks_mut(NUMBERS / threads).zip(y.chunks(NUMBERS / threads)) {
                scope.spawn(move || x.iter_mut().zip(y).for_each(|(x, y)| *x = 0.5 * *x + y));
            }
        });
    });
    black_box(&x);
    json!({
        "gemm_gflops": 2.0 * (SIDE as f64).powi(3) / product / 1e9,
        "memory_gb_per_s": 12.0 * NUMBERS as f64 / stream / 1e9,
    })
}
