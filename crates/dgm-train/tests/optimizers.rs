//! Optimisers, schedules and groups through the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{dgm, json, metrics, run_fails, run_ok, weights};
use std::path::Path;

/// The example of `docs/optimizers.md`, in a file of this folder.
fn write_example(folder: &Path) {
    let text = include_str!("../../../docs/optimizers.md");
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    std::fs::write(folder.join("example.toml"), example).unwrap();
}

#[test]
fn the_example_of_the_documentation_runs_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    run_ok(folder.path(), &["--config", "example.toml", "--out", "run", "--quiet"]);
    let lines = metrics(&folder.path().join("run"));
    let nats = |line: &serde_json::Value| line["nats_per_example"].as_f64().unwrap();
    let validations: Vec<f64> = lines.iter().filter(|line| line["kind"] == "validation").map(nats).collect();
    assert_eq!(validations.len(), 20);
    assert!(validations[19] < validations[0] - 10.0, "{validations:?}");
}

#[test]
fn a_group_that_matches_nothing_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let group = ["--set", "optimizer.groups=[{match='encodr.*'}]"];
    let text = run_fails(folder.path(), &[&["--config", "example.toml", "--out", "run"], &group[..]].concat(), 2);
    assert!(text.contains("--set optimizer.groups") && text.contains("`encodr.*` matches no parameter"), "{text}");
    assert!(text.contains("encoder.layers.0.weight"), "{text}");
    assert!(!folder.path().join("run").exists());
}

/// Interrupted after its rate has fallen, a run with a plateau resumes at that rate and ends at the same weights.
#[cfg(unix)]
#[test]
fn a_plateau_resumes_where_it_was() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    // No validation counts as lower: the rate falls with every second one.
    let schedule = "optimizer.schedule={kind='plateau',factor=0.9,patience=2,threshold=1e9}";
    let settings = [
        "--set",
        schedule,
        "--set",
        "model.encoder.hidden=[32]",
        "--set",
        "model.decoder.hidden=[32]",
        "--set",
        "training.epochs=40",
        "--quiet",
    ];
    let args = |out: &'static str| [&["--config", "vae.toml", "--out", out][..], &settings[..]].concat();
    let run = |out: &str| folder.path().join(out);
    let rates = |out: &str| -> Vec<f64> {
        let lines = metrics(&run(out)).into_iter().filter(|line| line["kind"] == "train");
        lines.map(|line| line["learning_rate"].as_f64().unwrap()).collect()
    };
    run_ok(folder.path(), &args("whole"));

    let mut child = dgm(folder.path()).args(args("part")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lines = || std::fs::read_to_string(run("part").join("metrics.jsonl")).unwrap_or_default();
    while lines().matches("validation").count() < 6 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "ended before it was interrupted?");
    let before = rates("part");
    assert!(before.last().unwrap() < before.first().unwrap(), "{before:?}");
    run_ok(folder.path(), &["--resume", "part", "--quiet"]);
    assert_eq!(rates("part"), rates("whole"));
    assert_eq!(weights(&run("part")), weights(&run("whole")));
    assert_eq!(json(&run("part").join("result.json")), json(&run("whole").join("result.json")));
}
