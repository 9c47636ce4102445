//! Long runs: memory stays where it is. Takes minutes: `.ci/run` asks for the one on flex by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

mod common;

use common::{dgm, wgpu};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Trains the small VAE for so many steps and returns (steps taken, resident KiB) as it went. The pages of files (the program's own)
/// do not count: the kernel drops and reads them as it likes.
fn memory_of(folder: &Path, backend: &str, steps: usize) -> Vec<(u64, u64)> {
    let run = folder.join("run");
    // 20 steps per epoch.
    let epochs = format!("training.epochs={}", steps / 20);
    let args = ["--config", "vae.toml", "--backend", backend, "--out", "run", "--quiet", "--set", &epochs];
    let quick = ["--set", "evaluation.importance_samples=0", "--set", "training.evaluate_every=10", "--set"];
    let rest = ["training.early_stopping={patience=1000000}", "--set", "training.checkpoint_every={steps=500}"];
    let mut command = dgm(folder);
    // What is freed goes back to the system at once: then what is resident is what is in use.
    command.args([&args[..], &quick, &rest].concat()).env("MIMALLOC_PURGE_DELAY", "0").stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let began = Instant::now();
    let mut found = Vec::new();
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(250));
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        let last = metrics.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let step = last.and_then(|line| line["step"].as_u64()).unwrap_or(0);
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let resident =
            text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok());
        // The final evaluation is another matter.
        if let Some(resident) = resident.filter(|_| step < steps as u64) {
            found.push((step, resident));
        }
    }
    assert!(child.wait().unwrap().success());
    println!("{backend}: {steps} steps in {:.0} s", began.elapsed().as_secs_f64());
    found
}

/// Memory does not grow without end: the median of what is resident in the last third of the steps is at most a quarter above that in the
/// second. The allocator takes a few megabytes more now and then, and gives them back; what is in use to the byte is the other test's.
fn assert_flat(found: &[(u64, u64)], steps: u64) {
    let median = |parts: std::ops::Range<u64>| {
        let of_part = found.iter().filter(|(step, _)| parts.contains(&(step * 9 / steps)));
        let mut readings: Vec<u64> = of_part.map(|(_, kib)| *kib).collect();
        readings.sort_unstable();
        *readings.get(readings.len() / 2).expect("a reading in each ninth")
    };
    let ninths: Vec<u64> = (0..9).map(|part| median(part..part + 1)).collect();
    let [second, last] = [median(3..6), median(6..9)];
    println!("resident KiB in the middle of each ninth {ninths:?}; of the second and the last third {second}, {last}");
    assert!(last * 4 <= second * 5, "it grows: {ninths:?}");
}

#[test]
#[should_panic(expected = "it grows")]
fn a_leak_is_noticed() {
    // 30 MiB that come and go by a third, and 3 KiB per step that stay.
    let reading = |step: u64| (step, 30_720 + step * 7919 % 10_240 + step * 3);
    assert_flat(&(0..20_000).step_by(40).map(reading).collect::<Vec<_>>(), 20_000);
}

#[test]
#[ignore = "takes minutes"]
fn memory_is_flat_on_flex() {
    let folder = tempfile::tempdir().unwrap();
    assert_flat(&memory_of(folder.path(), "flex", 20_000), 20_000);
}

#[test]
#[ignore = "takes minutes"]
fn memory_is_flat_on_wgpu() {
    let folder = tempfile::tempdir().unwrap();
    let Some(backend) = wgpu(folder.path()) else { return };
    assert_flat(&memory_of(folder.path(), &backend, 2_000), 2_000);
}
