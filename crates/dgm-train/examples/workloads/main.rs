//! Training steps of the networks that `scripts/bench_vs_torch.py` has in PyTorch too, with the same weights and inputs: the time of a
//! step, the first losses and the peak of memory, as a line of JSON.
//!
//! `workloads NAME [--steps N] [--seconds S] [--backend NAME] [--batches K]`; `workloads floor`: what this machine's matrix products and
//! memory can do; `workloads growth`: how the cost grows with the sizes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod floor;
mod growth;
mod inputs;
mod networks;
mod shipped;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use clap::Parser;
use dgm_core::optim::FusedAdam;
use dgm_train::backend::Backend;
use networks::{CausalConv, ConditionalMlp, PixelCnn, Vae};
use serde_json::json;
use shipped::Shipped;
use std::process::ExitCode;
use std::time::{Duration, Instant};

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The names of the workloads.
const NAMES: [&str; 8] = ["mlp_small", "mlp_big", "vae", "pixelcnn", "arm", "gated_pixelcnn", "text", "transformer"];

/// Times training steps of one network.
#[derive(Parser)]
struct Args {
    /// The workload, `floor` or `growth`
    name: String,
    /// Number of steps at the least
    #[arg(long, default_value_t = 30)]
    steps: usize,
    /// Seconds at the least
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Where it runs
    #[arg(long, default_value = "flex")]
    backend: String,
    /// Times as many examples in a step
    #[arg(long, default_value_t = 1)]
    batches: usize,
}

/// How long to measure: at least so many steps, and so long.
struct Length {
    steps: usize,
    time: Duration,
}

fn main() -> ExitCode {
    dgm_train::allocator::keep_freed_memory();
    // As the program does: on a thread of the pool that divides the work.
    rayon::scope(|_| run())
}

fn run() -> ExitCode {
    let Args { name, steps, seconds, backend, batches } = Args::parse();
    let length = Length { steps, time: Duration::from_secs_f64(seconds) };
    // Weights that are trained, on a device that records the graph.
    let device = match Backend::open(&backend) {
        Ok(backend) => backend.device.autodiff(),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match name.as_str() {
        "floor" => println!("{}", floor::measure()),
        "growth" => growth::print(&device, &length),
        "mlp_small" => mlp("mlp_small", &[10, 128, 2], 256 * batches, &device, &length),
        "mlp_big" => mlp("mlp_big", &[32, 512, 512, 2], 1024 * batches, &device, &length),
        "vae" => {
            let n = 128 * batches;
            let (x, noise) = (inputs::bits([n, 784], 3, &device), inputs::tensor([n, 20], 4, [-1.7, 1.7], &device));
            time("vae", Vae::new(784, 400, 20, &device), |model| model.loss(x.clone(), noise.clone()), &length);
        }
        "pixelcnn" => {
            let x = inputs::bits([32 * batches, 1, 28, 28], 5, &device);
            time("pixelcnn", PixelCnn::new(64, 6, &device), |model| model.loss(x.clone()), &length);
        }
        "arm" => {
            let (x, classes) = inputs::levels([64 * batches, 64], 17, 6, &device);
            time("arm", CausalConv::new(256, 7, 17, &device), |model| model.loss(x.clone(), classes.clone()), &length);
        }
        name => {
            let Some(shipped) = Shipped::named(name) else {
                eprintln!(
                    "error: found {name:?}; expected the name of a workload: floor, growth, {}",
                    NAMES.join(", ")
                );
                return ExitCode::from(2);
            };
            let (model, batch) = shipped.build(batches, &device);
            time(name, model, |model| shipped::loss(model, &batch), &length);
        }
    }
    ExitCode::SUCCESS
}

fn mlp(name: &str, widths: &[usize], batch: usize, device: &Device, length: &Length) {
    let inputs = widths.first().copied().unwrap_or_default();
    let x = inputs::tensor([batch, inputs], 1, [-1.0, 1.0], device);
    let y = inputs::tensor([batch, 1], 2, [-1.0, 1.0], device);
    time(name, ConditionalMlp::new(widths, device), |model| model.loss(x.clone(), y.clone()), length);
}

/// Trains for the warm-up and the measured steps: the median of a step in milliseconds, the shortest, their number, and the losses.
fn step_of<M: Module>(model: M, loss: impl Fn(&M) -> Tensor<1>, length: &Length) -> (f64, f64, usize, Vec<f32>) {
    let mut optimizer = ModuleOptimizer::from(FusedAdam::default());
    let mut model = Some(model.train());
    let mut losses = Vec::new();
    let mut step = || {
        let current = model.take().expect("the model of the step before");
        let loss = loss(&current);
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(optimizer.step(1e-3, current, gradients));
        losses.push(loss.into_scalar::<f32>());
    };
    (0..5).for_each(|_| step());
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < length.steps || start.elapsed() < length.time {
        let before = Instant::now();
        step();
        times.push(before.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0], times.len(), losses)
}

/// Times the steps, and prints what it found.
fn time<M: Module>(name: &str, model: M, loss: impl Fn(&M) -> Tensor<1>, length: &Length) {
    let (median, shortest, steps, losses) = step_of(model, loss, length);
    let line = json!({
        "workload": name,
        "median_ms": median,
        "min_ms": shortest,
        "steps": steps,
        "losses": losses.iter().take(10).collect::<Vec<_>>(),
        "rss_mb": peak_mb(),
    });
    println!("{line}");
}

/// The peak of the resident memory in MB, where the system tells it.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}
