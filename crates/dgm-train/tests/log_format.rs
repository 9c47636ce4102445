//! `--log-format` with the real binary: what goes to standard error and to standard output.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, metrics, run};
use serde_json::Value;
use std::path::Path;

const QUICK: [&str; 11] = [
    "--config",
    "vae.toml",
    "--out",
    "run",
    "--set",
    "training.epochs=2",
    "--set",
    "model.encoder.hidden=[16]",
    "--set",
    "model.decoder.hidden=[16]",
    "--set=evaluation.importance_samples=0",
];

/// Runs with `--log-format json`; the exit code, every line of standard error as JSON, and standard output.
fn logged(folder: &Path, args: &[&str]) -> (i32, Vec<Value>, String) {
    let output = run(folder, &[args, &["--log-format", "json"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?} of:\n{text}"));
    let lines = text.lines().map(line).collect();
    (output.status.code().unwrap(), lines, String::from_utf8(output.stdout).unwrap())
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn every_line_is_json_and_the_results_too() {
    let folder = tempfile::tempdir().unwrap();
    let (code, lines, results) = logged(folder.path(), &QUICK);
    assert_eq!(code, 0, "{lines:?}");
    assert_eq!((&lines[0]["kind"], &lines[0]["folder"]), (&"begin".into(), &"run".into()));
    assert_eq!(lines.last().unwrap()["kind"], "end");
    // The same results as in the run folder.
    let kept = metrics(&folder.path().join("run"));
    for kind in ["train", "validation"] {
        let (told, kept) = (of_kind(&lines, kind), of_kind(&kept, kind));
        assert_eq!(told.len(), kept.len());
        for (told, kept) in told.iter().zip(kept) {
            for key in ["epoch", "nats_per_example", "bits_per_dim"] {
                assert_eq!(told[key], kept[key], "{key} of {told}");
            }
        }
    }
    let train = of_kind(&lines, "train");
    assert!(train[0]["seconds_left"].as_f64().unwrap() > 0.0 && train[0]["kl"].is_f64(), "{}", train[0]);
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results, json(&folder.path().join("run/result.json")));

    // A run that is complete ends at once.
    let (code, lines, _) = logged(folder.path(), &["--resume", "run"]);
    assert_eq!(code, 0);
    assert_eq!(of_kind(&lines, "begin").len() + of_kind(&lines, "end").len(), lines.len(), "{lines:?}");
}

#[test]
fn errors_are_json_with_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    for quiet in [&[][..], &["--quiet"]] {
        let (code, lines, results) = logged(folder.path(), &[&["--config", "vea.toml"], quiet].concat());
        assert_eq!((code, lines.len(), results.as_str()), (2, 1, ""));
        assert_eq!((&lines[0]["kind"], &lines[0]["exit_code"]), (&"error".into(), &2.into()));
        assert!(lines[0]["message"].as_str().unwrap().contains("did you mean `vae.toml`?"), "{}", lines[0]);
    }
    let diverging = ["--config", "conditional.toml", "--out", "nan", "--set", "optimizer.learning_rate=1e30"];
    let (code, lines, _) = logged(folder.path(), &diverging);
    let last = lines.last().unwrap();
    assert_eq!((code, &last["kind"], &last["exit_code"]), (1, &"error".into(), &1.into()), "{last}");
    assert!(last["message"].as_str().unwrap().contains("training stopped"), "{last}");
}

#[test]
fn a_pipe_gets_plain_lines() {
    let folder = tempfile::tempdir().unwrap();
    for (out, format) in [("a", "auto"), ("b", "plain")] {
        let quick: Vec<&str> = QUICK.iter().map(|&arg| if arg == "run" { out } else { arg }).collect();
        let output = run(folder.path(), &[&quick[..], &["--log-format", format]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.starts_with(&format!("run folder {out}, backend flex\n")), "{text}");
        for part in ["epoch 1/2, step 20/40", "bits/dim)  nll ", " rate ", " examples/s  about ", " left\n"] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("nats/example"));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_tells_so_in_json() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let quick: Vec<&str> =
        QUICK.iter().map(|&arg| if arg.contains("epochs") { "training.epochs=1000" } else { arg }).collect();
    let mut command = common::dgm(folder.path());
    command.args(quick).args(["--log-format", "json"]).stdout(Stdio::null());
    let mut child = command.stderr(std::fs::File::create(folder.path().join("log")).unwrap()).spawn().unwrap();
    while !folder.path().join("run/metrics.jsonl").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(of_kind(&lines, "warning")[0]["message"].as_str().unwrap().contains("stopping after this step"), "{text}");
    let last = lines.last().unwrap();
    assert_eq!((&last["kind"], &last["why"], &last["folder"]), (&"end".into(), &"interrupted".into(), &"run".into()));
}
