//! The same configuration and seed on every backend: the same start, the same noise, curves that differ by rounding.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{metrics, run, run_ok, wgpu};
use std::path::Path;

/// Steps that are compared, one by one.
const STEPS: usize = 50;

/// The training losses of the first steps.
fn curve(folder: &Path, config: &str, backend: &str, extra: &[&str]) -> Vec<f64> {
    let out = format!("{config}-{}", backend.replace(':', "-"));
    let args = ["--config", config, "--backend", backend, "--out", &out, "--quiet", "--set", "training.epochs=3"];
    run_ok(folder, &[&args, extra, &["--set", "training.report_every=1"]].concat());
    let lines = metrics(&folder.join(out)).into_iter().filter(|line| line["kind"] == "train");
    lines.map(|line| line["nats_per_example"].as_f64().unwrap()).take(STEPS).collect()
}

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!((a.len(), b.len()), (STEPS, STEPS));
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max);
    println!("{what}: {worst:.1e} relative at the most in {STEPS} steps");
    assert!(worst <= 1e-3, "{what}: {worst}\n{a:?}\n{b:?}");
}

/// A small model with latent variables.
const NARROW: [&str; 6] = [
    "--set",
    "model.encoder={kind=\"mlp\",hidden=[32]}",
    "--set",
    "model.decoder={kind=\"mlp\",hidden=[32]}",
    "--set",
    "evaluation.importance_samples=0",
];

/// Every model, small; 20 steps per epoch.
const MODELS: [(&str, &[&str]); 11] = [
    ("vae.toml", &NARROW),
    ("arm.toml", &["--set", "model.channels=8", "--set", "model.layers=1", "--set", "model.kernel=3"]),
    ("pixelcnn.toml", &["--set", "model.channels=8", "--set", "model.layers=1"]),
    ("transformer.toml", &["--set", "model.channels=8", "--set", "model.layers=1", "--set", "model.reach=1"]),
    ("conditional.toml", &["--set", "model.hidden=[32]"]),
    (
        "flow-vae.toml",
        &[
            "--set",
            "model.encoder.hidden=[32]",
            "--set",
            "model.decoder.hidden=[32]",
            "--set",
            "model.posterior={kind=\"flow\",layers=1,hidden=[16]}",
            "--set",
            "training.batch_size=50",
            "--set",
            "model.prior={kind=\"flow\",transform=\"spline\",layers=2,hidden=[16]}",
            "--set",
            "evaluation.importance_samples=0",
        ],
    ),
    ("hierarchical-vae.toml", &NARROW),
    ("iwae.toml", &NARROW),
    ("info-vae.toml", &NARROW),
    ("vamp-vae.toml", &NARROW),
    (
        "flow-digits.toml",
        &[
            "--set",
            "model.layers=1",
            "--set",
            "model.hidden=[32]",
            "--set",
            "model.dequantization={kind=\"variational\",layers=1,hidden=[16]}",
            "--set",
            "training.batch_size=50",
            "--set",
            "evaluation.importance_samples=0",
        ],
    ),
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
#[ignore = "takes minutes on a software adapter"]
fn wgpu_agrees_with_flex() {
    let folder = tempfile::tempdir().unwrap();
    let Some(backend) = wgpu(folder.path()) else { return };
    for (config, extra) in MODELS {
        let flex = curve(folder.path(), config, "flex", extra);
        assert_close(&flex, &curve(folder.path(), config, &backend, extra), config);
    }
}

#[test]
fn wgpu_without_a_gpu_says_what_to_do() {
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
