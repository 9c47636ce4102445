//! Several runs: listed with their state, compared on the same examples.

use super::common::{dgm, run_fails, run_ok};
use super::{json, measured};
use std::process::Stdio;
use std::time::Duration;

pub(super) const SMALL: [&str; 8] = [
    "--quiet",
    "--set",
    "model.encoder.hidden=[16]",
    "--set",
    "model.decoder.hidden=[16]",
    "--set",
    "evaluation.importance_samples=0",
    "--seed=1",
];

#[test]
fn runs_are_compared_example_by_example() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (out, epochs) in [("short", "training.epochs=2"), ("long", "training.epochs=20")] {
        run_ok(path, &[&["--config", "vae.toml", "--out", out, "--set", epochs], &SMALL[..]].concat());
    }
    let small = [
        "--quiet",
        "--seed",
        "1",
        "--set",
        "model.channels=8",
        "--set",
        "model.layers=1",
        "--set",
        "training.epochs=1",
    ];
    run_ok(path, &[&["--config", "arm.toml", "--out", "arm"], &small[..]].concat());

    let text = run_ok(path, &["compare", "short", "long", "arm", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["examples"], 447);
    let row = &found["rows"][0];
    assert_eq!((row["measure"].as_str(), row["quantity"].as_str()), (Some("likelihood"), Some("-ELBO")));
    let value = |run: &str| {
        measured(&json(&path.join(run).join("result.json")), "likelihood", "test")["value"].as_f64().unwrap()
    };
    let difference = &row["cells"][1]["difference"];
    // The same numbers as each run's own results.
    let expected = value("long") - value("short");
    assert!((difference["value"].as_f64().unwrap() - expected).abs() < 1e-9, "{difference} {expected}");
    assert_eq!(difference["verdict"], "lower");
    // Smaller than what the errors of both would make of it, as hard images are hard for both.
    let error = |place: usize| row["cells"][place]["standard_error"].as_f64().unwrap();
    assert!(difference["standard_error"].as_f64().unwrap() < error(0).hypot(error(1)), "{row}");
    assert_eq!(row["cells"][2]["quantity"], "NLL");
    // A run differs from itself by nothing.
    let itself = run_ok(path, &["compare", "long", "long"]);
    assert!(itself.contains("+0 ± 0 not significant"), "{itself}");
    for (format, begins) in
        [("markdown", "|  | short | long |"), ("csv", "measure,quantity,unit,run,value,"), ("html", "<!doctype html>")]
    {
        let file = format!("c.{format}");
        run_ok(path, &["compare", "short", "long", "--format", format, "--out", &file]);
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        assert!(text.starts_with(begins) && text.contains("lower"), "{text}");
    }
    // Given the label it is another quantity, with a line of its own.
    let narrow = [
        "--set",
        "model.encoder.hidden=[16]",
        "--set",
        "model.decoder.hidden=[16]",
        "--set",
        "training.epochs=1",
        "--set",
        "evaluation.importance_samples=0",
    ];
    run_ok(
        path,
        &[&["--config", "conditional-vae.toml", "--out", "given", "--quiet", "--seed", "1"], &narrow[..]].concat(),
    );
    let line = run_fails(path, &["compare", "long", "given"], 2);
    assert!(line.contains("no measure in common (long has -ELBO, given has -ELBO given the label)"), "{line}");
    // What knows its labels' probabilities has a likelihood without them, which a model without labels is held against.
    for (config, out) in [("pixelcnn-labels.toml", "labelled"), ("pixelcnn.toml", "plain")] {
        let tiny =
            ["--set", "model.channels=4", "--set", "model.layers=1", "--set", "training.epochs=1", "--seed", "1"];
        run_ok(path, &[&["--config", config, "--out", out, "--quiet"], &tiny[..]].concat());
    }
    let text = run_ok(path, &["compare", "plain", "labelled", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["rows"][0]["measure"], "likelihood");
    let mixture = measured(&json(&path.join("labelled/result.json")), "label_mixture", "test");
    assert_eq!(found["rows"][0]["cells"][1]["value"], mixture["value"]);
    run_ok(path, &["--config", "gan.toml", "--out", "gan", "--quiet", "--set", "training.epochs=1"]);
    let line = run_fails(path, &["compare", "long", "gan"], 2);
    assert!(
        line.contains("these runs have no measure in common (long has -ELBO, gan has none: it has no likelihood)"),
        "{line}"
    );
    let line = run_fails(path, &["tune", "--config", "gan.toml", "--trials", "2"], 2);
    assert!(line.contains("a search goes by the validation loss, and the model \"gan\" has none"), "{line}");
    // Other targets, other data.
    run_ok(
        path,
        &[
            "--config",
            "vae.toml",
            "--out",
            "binary",
            "--quiet",
            "--set",
            "data.binarize=\"threshold\"",
            "--set",
            "model.likelihood=\"bernoulli\"",
            "--set",
            "training.epochs=1",
            "--set",
            "evaluation.importance_samples=0",
        ],
    );
    let line = run_fails(path, &["compare", "short", "binary"], 2);
    assert!(
        line.contains("short and binary cannot be compared: their targets differ; name runs with the same target"),
        "{line}"
    );
    run_ok(path, &["--config", "synthetic-arm.toml", "--out", "other", "--quiet", "--set", "training.epochs=1"]);
    let line = run_fails(path, &["compare", "short", "other"], 2);
    assert!(line.contains("their data differ (digits, sha256 "), "{line}");
}

#[test]
fn runs_are_listed_with_their_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(run_ok(path, &["list", "."]), "no run below .\n");
    run_ok(
        path,
        &[&["--config", "vae.toml", "--out", "runs/a/done", "--set", "training.epochs=2"], &SMALL[..]].concat(),
    );
    let mut child = dgm(path)
        .args([&["--config", "vae.toml", "--out", "runs/b", "--set", "training.epochs=100000"], &SMALL[..]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let state = |wanted: &str| {
        for _ in 0..200 {
            let text = run_ok(path, &["list", "--json"]);
            let found: serde_json::Value = serde_json::from_str(&text).unwrap();
            if found.as_array().unwrap().iter().any(|run| run["run"] == "runs/b" && run["state"] == wanted) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("runs/b is never {wanted}");
    };
    state("running");
    let watched = run_ok(path, &["watch", "runs/b", "--once"]);
    assert!(watched.is_empty() || watched.starts_with("epoch "), "{watched}");
    child.kill().unwrap();
    child.wait().unwrap();
    state("interrupted");
    let watched = run_ok(path, &["watch", "runs/b"]);
    assert!(watched.ends_with("interrupted; resume with dgm-train --resume runs/b\n"), "{watched}");
    let watched = run_ok(path, &["watch", "runs/a/done"]);
    assert!(watched.contains("validation ") && watched.contains("▁") && watched.contains("-ELBO"), "{watched}");
    run_ok(path, &["--config", "histogram.toml", "--out", "runs/fit", "--quiet"]);
    let table = run_ok(path, &["list"]);
    assert!(table.lines().any(|line| line.starts_with("runs/fit") && line.contains(" 1/1 ")), "{table}");
    let line = table.lines().find(|line| line.starts_with("runs/a/done")).unwrap();
    for part in ["complete", "vae", "digits", "2/2", "nats", "-ELBO"] {
        assert!(line.contains(part), "{part}: {table}");
    }
    let line = run_fails(path, &["list", "nowhere"], 2);
    assert!(line.contains("nowhere: does not exist; name a folder of runs"), "{line}");
}

#[test]
fn shells_complete_and_every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let script = run_ok(folder.path(), &["completions", "bash"]);
    assert!(script.contains("dgm-train") && script.contains("--importance-samples"));
    run_ok(folder.path(), &["man", "pages"]);
    let page = std::fs::read_to_string(folder.path().join("pages/dgm-train-probe.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("labels"), "{page}");
    assert!(folder.path().join("pages/dgm-train.1").is_file());
    // Every page that a page points to.
    for entry in std::fs::read_dir(folder.path().join("pages")).unwrap() {
        let page = std::fs::read_to_string(entry.unwrap().path()).unwrap().replace('\\', "");
        for named in page.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
            assert!(folder.path().join(format!("pages/{named}.1")).is_file(), "{named}");
        }
    }
}

#[test]
fn nothing_is_coloured_where_nobody_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
        for args in [&["--help"][..], &["--confg", "vae.toml"], &["list", "nowhere"], &["backends"]] {
            let output = dgm(folder.path()).env(name, value).args(args).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            assert!(!text.contains(&0x1b), "{args:?}: {}", String::from_utf8_lossy(&text));
        }
    }
}
