//! Training steps of the networks that `scripts/bench_vs_torch.py` has in PyTorch too, with the same weights and inputs: the time of a
//! step, the first losses and the peak of memory, as a line of JSON.
//!
//! `workloads NAME [STEPS [SECONDS]]`; `workloads floor`: what this machine's matrix products and memory can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod floor;
mod inputs;
mod networks;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use dgm_core::optim::FusedAdam;
use networks::{CausalConv, ConditionalMlp, PixelCnn, Vae};
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The names of the workloads.
const NAMES: [&str; 5] = ["mlp_small", "mlp_big", "vae", "pixelcnn", "arm"];

/// How long to measure: at least so many steps, and so long.
struct Length {
    steps: usize,
    time: Duration,
}

fn main() -> ExitCode {
    // As the program does: on a thread of the pool that divides the work.
    rayon::scope(|_| run())
}

fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |place: usize, default: f64| arguments.get(place).map_or(default, |text| text.parse().expect("a number"));
    let length = Length { steps: number(1, 30.0) as usize, time: Duration::from_secs_f64(number(2, 5.0)) };
    // Weights that are trained, on a device that records the graph.
    let device = Device::flex().autodiff();
    match arguments.first().map(String::as_str) {
        Some("floor") => println!("{}", floor::measure()),
        Some("mlp_small") => mlp("mlp_small", &[10, 128, 2], 256, &device, &length),
        Some("mlp_big") => mlp("mlp_big", &[32, 512, 512, 2], 1024, &device, &length),
        Some("vae") => {
            let (x, noise) = (inputs::bits([128, 784], 3, &device), inputs::tensor([128, 20], 4, [-1.7, 1.7], &device));
            time("vae", Vae::new(784, 400, 20, &device), |model| model.loss(x.clone(), noise.clone()), &length);
        }
        Some("pixelcnn") => {
            let x = inputs::bits([32, 1, 28, 28], 5, &device);
            time("pixelcnn", PixelCnn::new(64, 6, &device), |model| model.loss(x.clone()), &length);
        }
        Some("arm") => {
            let (x, classes) = inputs::levels([64, 64], 17, 6, &device);
            time("arm", CausalConv::new(256, 7, 17, &device), |model| model.loss(x.clone(), classes.clone()), &length);
        }
        _ => {
            eprintln!("error: expected the name of a workload: floor, {}", NAMES.join(", "));
            return ExitCode::from(2);
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

/// Trains for the warm-up and the measured steps, and prints what it found.
fn time<M: Module>(name: &str, model: M, loss: impl Fn(&M) -> Tensor<1>, length: &Length) {
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
    let line = json!({
        "workload": name,
        "median_ms": times[times.len() / 2],
        "min_ms": times[0],
        "steps": times.len(),
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
