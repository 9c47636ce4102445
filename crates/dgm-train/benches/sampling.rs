//! Sampling from autoregressive models on the CPU: dimension by dimension at the cost of one position each, against the loop that
//! runs the whole network once per number.
//!
//! The weights are initial ones, of which the time does not depend. Of the loop over 28 × 28 pixels, whose 784 turns are
//! all alike, one turn is timed and counted 784 times.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)] // criterion_group! makes functions without any

use burn::tensor::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::{SamplingParams, sample, sample_naively};
use dgm_models::{AnyModel, DataSpec, Model, ModelConfig, Values};
use std::time::{Duration, Instant};

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn model(config: &str, shape: [usize; 3], levels: usize) -> AnyModel {
    let config: ModelConfig = toml::from_str(config).expect("a model's configuration");
    let spec = DataSpec { shape, values: Values::Levels(levels), condition: None };
    config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).expect("a model")
}

fn compare(c: &mut Criterion, name: &str, n: usize, model: &AnyModel) {
    let arm = model.conditionals().expect("an autoregressive model");
    let noise = || Seed(0).stream("sampling", 0);
    let event = arm.order().len();
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.bench_function("cached", |b| {
        b.iter(|| sample(arm, n, None, &SamplingParams::default(), &mut noise()).into_data())
    });
    if event <= 64 {
        group.bench_function("naive", |b| {
            b.iter(|| sample_naively(arm, n, None, &SamplingParams::default(), &mut noise()).into_data());
        });
    } else {
        group.bench_function("naive", |b| {
            b.iter_custom(|turns| {
                let began = Instant::now();
                for _ in 0..turns {
                    let parameters = arm.parameters(Tensor::zeros([n, event], &Device::flex()), None);
                    let [_, _, outputs] = parameters.dims();
                    let here = parameters.slice([0..n, 0..1, 0..outputs]);
                    arm.likelihood().sample_at(here, 0..1, &SamplingParams::default(), &mut noise()).into_data();
                }
                began.elapsed() * event as u32
            });
        });
    }
    group.finish();
}

fn sampling(c: &mut Criterion) {
    let digits = [
        (
            "pixel_cnn",
            "kind = \"pixel_cnn\"\nchannels = 40\nlayers = 6\nlikelihood = { kind = \"beta_binomial\", components = 3 }",
        ),
        ("causal_conv", "kind = \"causal_conv\"\nchannels = 64\nlayers = 6\nkernel = 9"),
        ("transformer", "kind = \"transformer\"\nchannels = 64\nlayers = 4\nheads = 4\nreach = 2"),
    ];
    for (kind, config) in digits {
        compare(c, &format!("64_digits_{kind}"), 64, &model(config, [1, 8, 8], 17));
    }
    let mnist = [
        ("pixel_cnn", "kind = \"pixel_cnn\"\nchannels = 64\nlayers = 10\nlikelihood = \"bernoulli\""),
        (
            "causal_conv",
            "kind = \"causal_conv\"\nchannels = 64\nlayers = 10\nkernel = 7\ndilation_base = 2\nlikelihood = \"bernoulli\"",
        ),
        (
            "transformer",
            "kind = \"transformer\"\nchannels = 64\nlayers = 4\nheads = 4\nreach = 2\nlikelihood = \"bernoulli\"",
        ),
    ];
    for (kind, config) in mnist {
        compare(c, &format!("16_mnist_{kind}"), 16, &model(config, [1, 28, 28], 2));
    }
}

criterion_group!(benches, sampling);
criterion_main!(benches);
