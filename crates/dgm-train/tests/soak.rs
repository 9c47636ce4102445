//! Long runs: memory stays where it is. Takes minutes; `.ci/run` asks for it by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

mod common;

use common::{dgm, run_ok};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Trains the small VAE for so many steps and returns (steps taken, resident KiB) as it went.
fn memory_of(folder: &Path, backend: &str, steps: usize) -> Vec<(u64, u64)> {
    let run = folder.join("run");
    // 20 steps an epoch.
    let epochs = format!("training.epochs={}", steps / 20);
    let args = ["--config", "vae.toml", "--backend", backend, "--out", "run", "--quiet", "--set", &epochs];
    let quick = ["--set", "evaluation.importance_samples=0", "--set", "training.evaluate_every=10", "--set"];
    let rest = ["training.early_stopping={patience=1000000}", "--set", "training.checkpoint_every={steps=500}"];
    let mut child = dgm(folder).args([&args[..], &quick, &rest].concat()).stdout(Stdio::null()).spawn().unwrap();
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
            text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        // The final evaluation is another matter.
        if let Some(resident) = resident.filter(|_| step < steps as u64) {
            found.push((step, resident));
        }
    }
    assert!(child.wait().unwrap().success());
    println!("{backend}: {steps} steps in {:.0} s", began.elapsed().as_secs_f64());
    found
}

fn assert_flat(found: &[(u64, u64)], steps: u64) {
    let after: Vec<u64> = found.iter().filter(|(step, _)| *step >= steps / 10).map(|(_, kib)| *kib).collect();
    let (least, most) = (*after.iter().min().unwrap(), *after.iter().max().unwrap());
    let at = |part: u64| found.iter().find(|(step, _)| *step >= steps * part / 10).map_or(0, |(_, kib)| *kib / 1024);
    println!(
        "resident MiB at each tenth: {:?}; from {least} to {most} KiB after the first",
        (1..10).map(at).collect::<Vec<_>>()
    );
    let middle = (least + most) as f64 / 2.0;
    assert!((most - least) as f64 / 2.0 <= 0.05 * middle, "not flat: {least} to {most} KiB");
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
    let offers = run_ok(folder.path(), &["backends"]);
    let Some(wgpu) = offers.lines().find(|line| line.starts_with("wgpu") && !line.contains("unavailable")) else {
        assert!(std::env::var_os("DGM_REQUIRE_WGPU").is_none(), "no wgpu adapter: {offers}");
        println!("skipped: no wgpu adapter on this machine");
        return;
    };
    let backend = wgpu.split_whitespace().next().unwrap();
    assert_flat(&memory_of(folder.path(), backend, 2_000), 2_000);
}
