//! Event files, read back by TensorBoard's own reader.

use super::common::{run_ok, script};
use super::metrics;
use super::runs::SMALL;

#[test]
fn tensorboard_reads_what_the_metrics_say() {
    let folder = tempfile::tempdir().unwrap();
    let told = ["--set", "training.report_every=10", "--set", "training.tensorboard=true"];
    run_ok(
        folder.path(),
        &[&["--config", "vae.toml", "--out", "run", "--set", "training.epochs=2"], &SMALL[..], &told].concat(),
    );
    // Lines that only the end asked for are taken back.
    run_ok(folder.path(), &["--resume", "run", "--set", "training.epochs=4", "--quiet"]);
    let run = folder.path().join("run");
    let Some(mut reader) = script("tensorboard_scalars.py", "tensorboard", &[]) else { return };
    let read = reader.arg(run.join("tensorboard")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let found: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
    let of_kind =
        |kind: &str| metrics(&run).into_iter().filter(|line| line["kind"] == kind).collect::<Vec<serde_json::Value>>();
    for (kind, key, tag) in [
        ("train", "nats_per_example", "nats_per_example/train"),
        ("train", "kl", "terms/kl"),
        ("validation", "nats_per_example", "nats_per_example/validation"),
    ] {
        let expected: Vec<(u64, f32)> = of_kind(kind)
            .iter()
            .map(|line| (line["step"].as_u64().unwrap(), line[key].as_f64().unwrap() as f32))
            .collect();
        let events = found["scalars"][tag].as_array().unwrap();
        let events: Vec<(u64, f32)> =
            events.iter().map(|event| (event[0].as_u64().unwrap(), event[1].as_f64().unwrap() as f32)).collect();
        assert_eq!(events, expected, "{tag}");
    }
    let pictures = found["images"]["samples"].as_array().unwrap();
    assert_eq!(pictures.last().unwrap()[0], of_kind("train").last().unwrap()["step"]);
    assert!(pictures.iter().all(|picture| picture[1].as_u64() >= Some(512)), "{pictures:?}");
}
