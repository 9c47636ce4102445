//! One training step of the shipped models on the CPU: the batch read from their data, the loss of their objective, backward, AdamW.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)] // criterion_group! makes functions without any

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use dgm_core::random::Seed;
use dgm_models::objective::Step;
use dgm_train::config::Config;
use dgm_train::{shipped, train};
use std::time::Duration;

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn train_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train_step");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for name in ["vae", "conditional", "pixelcnn", "transformer"] {
        let text = shipped::find(name).expect("a shipped configuration");
        let config: Config = Config::from_toml(text, name, &[]).expect("a configuration");
        let dataset = config.load_data().expect("the digits");
        let device = Device::flex();
        let mut model = Some(train::initial_model(&config, &dataset.spec, &device).expect("a model").train());
        let mut optimizer = ModuleOptimizer::from(AdamWConfig::new().build());
        let rows: Vec<usize> = (0..config.training.batch_size).collect();
        let mut step = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let current = model.take().expect("a model");
                let views = [dataset.train.batch(&rows, step, &device.clone().autodiff()).expect("a batch")];
                let rng = &mut Seed(0).stream("noise", step);
                let objective = config.objective.kind.loss(&current, Step { player: 0, views: &views, step, rng });
                let loss = objective.expect("a loss").mean_batch();
                let grads = GradientsParams::from_grads(loss.backward(), &current);
                model = Some(optimizer.step(config.optimizer.learning_rate, current, grads));
                step += 1;
                loss.into_scalar::<f32>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, train_step);
criterion_main!(benches);
