//! Runs that are extended beyond their end, and runs that begin at another's weights, with the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{curve, dgm, json, metrics, run, run_fails, run_ok, weights};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SMALL: [&str; 8] = [
    "--quiet",
    "--set",
    "model.hidden=[8]",
    "--set",
    "optimizer.schedule=constant",
    "--set",
    "training.early_stopping={patience=100}",
    "--log-format=plain",
];

fn train(folder: &Path, out: &str, more: &[&str]) {
    run_ok(folder, &[&["--config", "conditional.toml", "--out", out], &SMALL[..], more].concat());
}

/// Resumes and returns what it said.
fn resume(folder: &Path, out: &str, more: &[&str]) -> String {
    let output = run(folder, &[&["--resume", out, "--quiet"], more].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

fn refused(folder: &Path, out: &str, more: &[&str]) -> String {
    run_fails(folder, &[&["--resume", out, "--quiet"], more].concat(), 2)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Weights bit for bit, results, curves without their times, and configurations.
fn assert_same(folder: &Path, [one, other]: [&str; 2]) {
    let [one, other] = [one, other].map(|run| folder.join(run));
    assert_eq!(weights(&one), weights(&other));
    assert_eq!(json(&one.join("result.json")), json(&other.join("result.json")));
    assert_eq!(text(&one.join("config.toml")), text(&other.join("config.toml")));
    assert_eq!(curve(&one), curve(&other));
}

#[test]
fn two_epochs_and_then_two_more_are_four() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, set) in [
        ("plain", &[][..]),
        // The end asks for an evaluation that is not due, and which is the best so far.
        ("evaluate", &["--set", "training.evaluate_every={steps=25}"]),
        ("never", &["--set", "training.evaluate_every={steps=70}"]),
        ("average", &["--set", "optimizer.schedule={kind='plateau',patience=1}", "--set", "training.ema_decay=0.9"]),
    ] {
        let [whole, part] = ["whole", "part"].map(|run| format!("{run}-{name}"));
        train(folder, &whole, &[&["--set", "training.epochs=4"], set].concat());
        train(folder, &part, &[&["--set", "training.epochs=2"], set].concat());
        let said = resume(folder, &part, &["--set", "training.epochs=4"]);
        assert!(!said.contains("warning"), "{said}");
        assert_same(folder, [&whole, &part]);
    }
    // Complete again, and from a configuration.
    let before = text(&folder.join("part-plain/metrics.jsonl"));
    let said = resume(folder, "part-plain", &[]);
    assert!(said.contains("the run is complete"), "{said}");
    assert_eq!(text(&folder.join("part-plain/metrics.jsonl")), before);
    let config = folder.join("part-plain/config.toml");
    std::fs::copy(&config, folder.join("mine.toml")).unwrap();
    resume(folder, "part-plain", &["--config", "mine.toml", "--set", "training.epochs=5"]);
    train(folder, "five", &["--set", "training.epochs=5"]);
    assert_same(folder, ["five", "part-plain"]);
}

#[test]
fn a_kill_after_extending_leaves_a_resumable_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let set = ["--set", "training.evaluate_every={steps=25}"];
    train(folder, "whole", &[&["--set", "training.epochs=4"], &set[..]].concat());
    train(folder, "part", &[&["--set", "training.epochs=2"], &set[..]].concat());
    // What is on disk at that moment.
    std::fs::copy(folder.join("whole/config.toml"), folder.join("part/config.toml")).unwrap();
    run_ok(folder, &["evaluate", "part"]);
    resume(folder, "part", &[]);
    assert_same(folder, ["whole", "part"]);
    // Killed on the way to a later end, a run has no results of the earlier one.
    let later = ["--resume", "whole", "--set", "training.epochs=100000"];
    let mut child = dgm(folder).args(later).stderr(Stdio::null()).spawn().unwrap();
    let gone = || !folder.join("whole/result.json").exists();
    (0..600).take_while(|_| !gone()).for_each(|_| std::thread::sleep(Duration::from_millis(100)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(gone());
}

#[test]
fn extending_warns_where_the_schedule_depends_on_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "run", &["--set", "training.epochs=2", "--set", "optimizer.schedule=cosine"]);
    let said = resume(folder, "run", &["--set", "training.epochs=4"]);
    // 40 steps: 1e-3 (1 + cos(39π/40)) / 2, and 1e-3 (1 + cos(π/2)) / 2.
    let expected = "the cosine schedule now ends at epoch 4 instead of 2: the learning rate jumps from 1.54e-6 to 5e-4";
    assert!(said.contains(expected), "{said}");
    assert_eq!(metrics(&folder.join("run")).iter().filter(|line| line["kind"] == "validation").count(), 4);
    assert!(!resume(folder, "run", &[]).contains("schedule"));
}

#[test]
fn more_patience_and_more_time_extend_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // With a learning rate of next to nothing the loss stays what it is.
    let set = ["--set", "optimizer.learning_rate=1e-30", "--set", "training.epochs=9", "--set", "training.ema_decay=0"];
    train(folder, "run", &[&set[..], &["--set", "training.early_stopping={patience=2}"]].concat());
    let epochs = |run: &str| metrics(&folder.join(run)).iter().filter(|line| line["kind"] == "validation").count();
    assert_eq!(epochs("run"), 3);
    let said = resume(folder, "run", &["--set", "training.epochs=12"]);
    assert!(said.contains("early stopping has ended the run") && said.contains("patience above 2"), "{said}");
    assert!(text(&folder.join("run/config.toml")).contains("epochs = 9"));
    resume(folder, "run", &["--set", "training.early_stopping.patience=4"]);
    assert_eq!(epochs("run"), 5);
    train(folder, "whole", &[&set[..], &["--set", "training.early_stopping={patience=4}"]].concat());
    assert_same(folder, ["whole", "run"]);

    // Less than a microsecond is over after the first step, where neither a window nor, in the first case, an evaluation is due.
    for (name, every) in [("a", "training.evaluate_every=1"), ("b", "training.evaluate_every={steps=1}")] {
        let [run, whole] = ["run", "whole"].map(|run| format!("{run}-{name}"));
        let set = ["--set", "training.epochs=2", "--set", every, "--set"];
        train(folder, &run, &[&set[..], &["training.max_minutes=1e-8"]].concat());
        assert!(metrics(&folder.join(&run)).iter().all(|line| line["step"] == 1));
        resume(folder, &run, &["--set", "training.max_minutes=60"]);
        train(folder, &whole, &[&set[..], &["training.max_minutes=60"]].concat());
        assert_same(folder, [&whole, &run]);
    }
}

#[test]
fn an_ensemble_gets_members_and_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "whole", &["--set", "training.epochs=2", "--set", "training.ensemble=3"]);
    train(folder, "part", &["--set", "training.epochs=1", "--set", "training.ensemble=2"]);
    resume(folder, "part", &["--set", "training.epochs=2"]);
    let first = std::fs::metadata(folder.join("part/member-0/result.json")).unwrap().modified().unwrap();
    resume(folder, "part", &["--set", "training.ensemble=3"]);
    let again = std::fs::metadata(folder.join("part/member-0/result.json")).unwrap().modified().unwrap();
    assert_eq!(first, again, "a member that is done is left alone");
    assert_eq!(json(&folder.join("whole/result.json")), json(&folder.join("part/result.json")));
    for member in ["member-0", "member-1", "member-2"] {
        assert_same(folder, [&format!("whole/{member}"), &format!("part/{member}")]);
    }
    let line = refused(folder, "part", &["--set", "training.ensemble=2"]);
    assert!(line.contains("found more members than that (3); leave it at 3"), "{line}");
    let line = refused(folder, "part", &["--set", "training.epochs=1"]);
    assert!(line.contains("give 2 or more"), "{line}");
    train(folder, "one", &["--set", "training.epochs=1"]);
    let line = refused(folder, "one", &["--set", "training.ensemble=3"]);
    assert!(line.contains("does not become an ensemble"), "{line}");
}

#[test]
fn what_cannot_be_changed_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "run", &["--set", "training.epochs=2"]);
    let files = ["config.toml", "result.json", "metrics.jsonl"].map(|file| folder.join("run").join(file));
    let before = files.each_ref().map(|file| text(file));
    let line = refused(folder, "run", &["--set", "training.epochs=1"]);
    assert!(line.contains("the run has trained for 40 steps, 2 epochs; give 2 or more"), "{line}");
    let line = refused(folder, "run", &["--set", "model.dropout=0.1", "--set", "training.epochs=9"]);
    assert!(line.contains("found model.dropout; leave that out, or begin a new run"), "{line}");
    let line = refused(folder, "run", &["--set", "training.epoch=9"]);
    assert!(line.contains("did you mean `epochs`?"), "{line}");
    assert_eq!(files.each_ref().map(|file| text(file)), before);
}

#[test]
fn a_run_begins_at_the_best_weights_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "first", &["--set", "training.epochs=3"]);
    let first = weights(&folder.join("first"));
    // No step changes anything: the weights are those of the other run, bit for bit.
    let still =
        ["--set", "optimizer.learning_rate=1e-30", "--set", "training.ema_decay=0", "--set", "training.epochs=1"];
    train(folder, "still", &[&still[..], &["--from", "first"]].concat());
    assert_eq!(weights(&folder.join("still")), first);
    let [sha, other] =
        ["first", "still"].map(|run| json(&folder.join(run).join("result.json"))["weights_sha256"].clone());
    assert_eq!(sha, other);
    let from = json(&folder.join("still/provenance.json"))["from"].clone();
    assert_eq!(from["weights_sha256"], sha);
    assert!(Path::new(from["run"].as_str().unwrap()).is_absolute());
    assert_eq!(json(&folder.join("first/provenance.json")).get("from"), None);
    train(folder, "tuned", &["--set", "training.epochs=2", "--from", "first", "--seed", "7"]);
    assert_ne!(weights(&folder.join("tuned")), first);
    let line = "begin a new run with --config, --from and --out";
    std::fs::remove_dir_all(folder.join("tuned/checkpoint")).unwrap();
    assert!(refused(folder, "tuned", &[]).contains(line));

    let begin = |more: &[&str]| {
        let args = [&["--config", "conditional.toml", "--out", "no", "--from", "first"], &SMALL[..], more].concat();
        let line = run_fails(folder, &args, 2);
        assert!(!folder.join("no").exists());
        line
    };
    let line = begin(&["--set", "model.hidden=[9]", "--set", "model.dropout=0.5"]);
    assert!(
        line.contains("its [model] is another, in model.dropout, model.hidden; set them as in first/config.toml"),
        "{line}"
    );
    let line = begin(&["--set", "training.ensemble=2"]);
    assert!(line.contains("expected one model"), "{line}");
    assert!(run_fails(folder, &["--config", "conditional.toml", "--from", "nowhere"], 2).contains("does not exist"));
}

#[test]
fn data_of_another_form_and_another_alphabet_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, text) in [("a", "ab "), ("b", "xy ")] {
        std::fs::write(folder.join(format!("{name}.txt")), text.repeat(300)).unwrap();
        let config = format!(
            "[data]\nsource = \"text\"\npath = \"{name}.txt\"\nlength = 16\n[model]\nkind = \"causal_conv\"\nchannels = 8\nlayers = 1\n\
             [training]\nepochs = 1\n"
        );
        std::fs::write(folder.join(format!("{name}.toml")), config).unwrap();
    }
    run_ok(folder, &["--config", "a.toml", "--out", "a", "--quiet"]);
    let line = run_fails(folder, &["--config", "b.toml", "--out", "b", "--quiet", "--from", "a"], 2);
    assert!(line.contains("its text has other characters than this one"), "{line}");
    let set = ["--set", "data.length=17"];
    let line =
        run_fails(folder, &[&["--config", "a.toml", "--out", "b", "--quiet", "--from", "a"], &set[..]].concat(), 2);
    assert!(
        line.contains("found targets of 1 × 1 × 16 elements, 3 levels, no condition; here targets of 1 × 1 × 17"),
        "{line}"
    );
    run_ok(folder, &["--config", "a.toml", "--out", "b", "--quiet", "--from", "a"]);
}
