//! The same configuration and seed on every backend: the same start, the same noise, curves that differ by rounding.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{metrics, run, run_ok};
use std::path::Path;

/// Training losses of a short run, window by window, and the validation losses.
fn curve(folder: &Path, config: &str, backend: &str, extra: &[&str]) -> Vec<f64> {
    let out = format!("{config}-{}", backend.replace(':', "-"));
    let args = ["--config", config, "--backend", backend, "--out", &out, "--quiet", "--set", "training.epochs=2"];
    run_ok(folder, &[&args, extra].concat());
    metrics(&folder.join(out)).iter().map(|line| line["nats_per_example"].as_f64().unwrap()).collect()
}

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-3 * a.abs(), "{what}: {a} and {b}");
    }
}

/// Every model, small.
const MODELS: [(&str, &[&str]); 4] = [
    ("vae.toml", &["--set", "model.hidden=[32]", "--set", "evaluation.importance_samples=0"]),
    ("arm.toml", &["--set", "model.channels=8", "--set", "model.layers=2", "--set", "model.kernel=3"]),
    ("pixelcnn.toml", &["--set", "model.channels=8", "--set", "model.layers=2"]),
    ("conditional.toml", &["--set", "model.hidden=[32]"]),
];

#[test]
fn flex_and_ndarray_agree() {
    let folder = tempfile::tempdir().unwrap();
    for (config, extra) in MODELS {
        let flex = curve(folder.path(), config, "flex", extra);
        assert!(flex.last() < flex.first(), "{config} learns nothing: {flex:?}");
        assert_close(&flex, &curve(folder.path(), config, "ndarray", extra), config);
    }
}

#[test]
fn wgpu_agrees_with_flex() {
    let folder = tempfile::tempdir().unwrap();
    let offers = run_ok(folder.path(), &["backends"]);
    let Some(wgpu) = offers.lines().find(|line| line.starts_with("wgpu") && !line.contains("unavailable")) else {
        assert!(std::env::var_os("DGM_REQUIRE_WGPU").is_none(), "no wgpu adapter: {offers}");
        println!("skipped: no wgpu adapter on this machine");
        return;
    };
    let backend = wgpu.split_whitespace().next().unwrap();
    for (config, extra) in MODELS {
        // Few steps of small models: a software adapter compiles and computes slowly.
        let small: &[&str] = if extra.contains(&"model.layers=2") { &["--set", "model.layers=1"] } else { &[] };
        let extra = [extra, small, &["--set", "training.batch_size=500"]].concat();
        let flex = curve(folder.path(), config, "flex", &extra);
        assert_close(&flex, &curve(folder.path(), config, backend, &extra), config);
    }
}

#[test]
fn wgpu_without_a_gpu_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let offers = run_ok(folder.path(), &["backends"]);
    assert!(offers.lines().any(|line| line.starts_with("flex") && line.contains("available")), "{offers}");
    if offers.contains("(GPU)") {
        println!("skipped: this machine has a GPU");
        return;
    }
    let output = run(folder.path(), &["--config", "vae.toml", "--backend", "wgpu", "--out", "run"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("no GPU") || text.contains("no adapter"), "{text}");
    assert!(text.contains("wgpu:cpu") && text.contains("--backend flex"), "{text}");
    assert!(!folder.path().join("run").exists());
}
