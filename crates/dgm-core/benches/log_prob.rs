//! Log-densities, forward and backward, as one operation (`fused`) against plain tensor operations (`composed`).
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)] // criterion_group! makes functions without any

use burn::tensor::{Device, Int, Tensor, TensorData};
use criterion::{Criterion, criterion_group, criterion_main};
use dgm_core::ops;
use dgm_core::random::Seed;
use std::hint::black_box;
use std::time::Duration;

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type LogProb<'a> = &'a dyn Fn([Tensor<2>; 3]) -> Tensor<1>;

/// The sum of a log-density and its gradient to up to three parameters, in both forms in turn.
fn bench(criterion: &mut Criterion, name: &str, parameters: &[Tensor<2>], forms: [(&str, LogProb); 2]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for (form, log_prob) in forms {
        group.bench_function(form, |bencher| {
            bencher.iter(|| {
                // A form that takes fewer gets the first again.
                let leaves = [0, 1, 2].map(|i| parameters.get(i).unwrap_or(&parameters[0]).clone().require_grad());
                let gradients = log_prob(leaves.clone()).sum().backward();
                let used = parameters.len();
                black_box(leaves.map(|leaf| leaf.grad(&gradients)).into_iter().take(used).flatten().count());
            });
        });
    }
    group.finish();
}

fn log_probs(criterion: &mut Criterion) {
    let device = Device::flex().autodiff();
    let noise = &mut Seed(1).stream("bench", 0);

    let logits: Tensor<2> = noise.normal_tensor([128, 784], &device);
    let x: Tensor<2> = noise.uniform_tensor([128, 784], &device).greater_elem(0.7).float();
    bench(
        criterion,
        "bernoulli_128x784",
        &[logits],
        [
            ("fused", &|[l, ..]| ops::bernoulli_log_prob(l, x.clone()).flatten(0, 1)),
            ("composed", &|[l, ..]| ops::composed_bernoulli_log_prob(l, x.clone()).flatten(0, 1)),
        ],
    );

    for [rows, classes] in [[64 * 64, 17], [32 * 784, 256]] {
        let logits: Tensor<2> = noise.normal_tensor([rows, classes], &device);
        let class: Vec<i32> = (0..rows).map(|_| noise.below(classes as u32) as i32).collect();
        let class: Tensor<1, Int> = Tensor::from_data(TensorData::new(class, [rows]), &device);
        bench(
            criterion,
            &format!("categorical_{rows}x{classes}"),
            &[logits],
            [
                ("fused", &|[l, ..]| ops::categorical_log_prob(l, class.clone())),
                ("composed", &|[l, ..]| ops::composed_categorical_log_prob(l, class.clone())),
            ],
        );
    }

    let (rows, components, levels) = (64 * 784, 10, 256);
    let parameters: [Tensor<2>; 3] = [0.0, 0.0, -2.0]
        .map(|centre| noise.normal_tensor([rows, components], &device).mul_scalar(0.5).add_scalar(centre));
    let x: Vec<f32> = (0..rows).map(|_| noise.below(levels as u32) as f32).collect();
    let x: Tensor<1> = Tensor::from_data(TensorData::new(x, [rows]), &device);
    bench(
        criterion,
        &format!("discretized_logistic_mixture_{rows}x{components}"),
        &parameters,
        [
            ("fused", &|[w, m, s]| ops::discretized_logistic_mixture_log_prob(w, m, s, x.clone(), levels)),
            ("composed", &|[w, m, s]| ops::composed_discretized_logistic_mixture_log_prob(w, m, s, x.clone(), levels)),
        ],
    );
}

criterion_group!(benches, log_probs);
criterion_main!(benches);
