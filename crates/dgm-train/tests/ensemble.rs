//! Ensembles with the real binary: trained, killed, resumed, evaluated and sampled from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{dgm, json, measured, metrics, run_fails, run_ok, weights};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const TWO: [&str; 6] =
    ["--set", "training.ensemble=2", "--set", "training.epochs=4", "--set", "training.checkpoint_every={steps=7}"];

fn args<'a>(config: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--config", config, "--out", out, "--quiet"], more].concat()
}

fn nats(row: &serde_json::Value) -> f64 {
    row["value"].as_f64().unwrap()
}

/// The program with so many threads: with one, members train one after the other, with more side by side.
fn with_threads(folder: &Path, threads: &str, args: &[&str]) -> std::process::Command {
    let mut command = dgm(folder);
    command.args(args).env("RAYON_NUM_THREADS", threads);
    command
}

/// Starts a program on one thread, kills it when this file is there, and says whether it was killed.
fn killed_at(folder: &Path, args: &[&str], file: &str) -> bool {
    let mut child = with_threads(folder, "1", args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while !folder.join(file).exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().code() != Some(0)
}

#[test]
fn an_ensemble_killed_in_each_member_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let small = [&TWO[..], &["--set", "model.hidden=[64]", "--set", "training.epochs=25"]].concat();
    // Side by side, and below one after the other: the same bits.
    let whole = with_threads(folder.path(), "2", &args("conditional.toml", "whole", &small)).output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    assert!(killed_at(folder.path(), &args("conditional.toml", "part", &small), "part/member-0/metrics.jsonl"));
    assert!(!folder.path().join("part/member-1").exists());
    assert!(killed_at(folder.path(), &["--resume", "part"], "part/member-1/metrics.jsonl"));
    let first = std::fs::metadata(folder.path().join("part/member-0/result.json")).unwrap().modified().unwrap();

    let text = run_fails(folder.path(), &["evaluate", "part"], 2);
    assert!(text.contains("part/member-1: this member of the ensemble is not trained to its end"), "{text}");
    // It does not become another kind of run.
    let config = folder.path().join("part/config.toml");
    let whole = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, whole.replace("ensemble = 2", "ensemble = 1")).unwrap();
    let line = run_fails(folder.path(), &["--resume", "part"], 2);
    assert!(line.contains("found an ensemble"), "{line}");
    std::fs::write(&config, whole).unwrap();
    let output = common::run(folder.path(), &["--resume", "part"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("member 1 of 2, seed 0: complete\n"), "{text}");
    assert!(text.contains("member 2 of 2, seed 1000003: run folder part/member-1\n"), "{text}");
    // The complete member was left alone.
    let again = std::fs::metadata(folder.path().join("part/member-0/result.json")).unwrap().modified().unwrap();
    assert_eq!(first, again);

    let path = |run: &str| folder.path().join(run);
    for member in ["member-0", "member-1"] {
        let [whole, part] = ["whole", "part"].map(|run| path(run).join(member));
        assert_eq!(weights(&whole), weights(&part));
        assert_eq!(json(&whole.join("result.json")), json(&part.join("result.json")));
        let losses = |run: &Path| metrics(run).iter().map(|line| line["nats_per_example"].clone()).collect::<Vec<_>>();
        assert_eq!(losses(&whole), losses(&part));
    }
    assert_ne!(weights(&path("whole/member-0")), weights(&path("whole/member-1")));
    assert_eq!(json(&path("whole/result.json")), json(&path("part/result.json")));
    // Complete: resuming changes nothing.
    run_ok(folder.path(), &["--resume", "part", "--quiet"]);
    assert_eq!(json(&path("whole/result.json")), json(&path("part/result.json")));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_an_ensemble_as_it_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let long = [&TWO[..], &["--set", "model.hidden=[64]", "--set", "training.epochs=300"]].concat();
    let path = |file: &str| folder.path().join(file);
    for (threads, run) in [("1", "one"), ("2", "two")] {
        let mut command = with_threads(folder.path(), threads, &args("conditional.toml", run, &long));
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = ["member-0", "member-1"].map(|member| path(run).join(member).join("metrics.jsonl"));
        let awaited = if threads == "1" { &begun[..1] } else { &begun };
        while !awaited.iter().all(|file| file.exists()) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert!(text.ends_with(&format!("interrupted; to resume: dgm-train --resume {run}\n")), "{text}");
        assert_eq!(path(run).join("member-1").exists(), threads == "2");
        assert!(!path(run).join("result.json").exists());
        run_ok(folder.path(), &["--resume", run, "--quiet"]);
    }
    assert_eq!(json(&path("one/result.json")), json(&path("two/result.json")));
}

#[test]
fn lines_of_members_side_by_side_begin_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--config", "conditional.toml", "--set", "training.ensemble=2", "--set", "training.epochs=2", "--out"];
    let output = with_threads(folder.path(), "2", &[&small[..], &["run"]].concat()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["member 1 of 2: ", "member 2 of 2: "] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name}epoch 2/2, step "))), "{text}");
    }
    // Every line of a JSON log says whose it is.
    let output =
        with_threads(folder.path(), "2", &[&small[..], &["log", "--log-format", "json"]].concat()).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    let folder_of =
        |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["folder"].as_str().unwrap().to_owned();
    let folders: std::collections::BTreeSet<String> = text.lines().map(folder_of).collect();
    assert!(folders.iter().eq(["log/member-0", "log/member-1"]), "{text}");
}

#[test]
fn the_folder_of_an_ensemble_is_enough_and_its_members_are_runs() {
    let folder = tempfile::tempdir().unwrap();
    let small = [&TWO[..], &["--set", "model.channels=8", "--set", "model.layers=2"]].concat();
    let table = run_ok(folder.path(), &args("arm.toml", "run", &small));
    let path = |file: &str| folder.path().join("run").join(file);
    for file in ["config.toml", "provenance.json", "result.json", "samples.png", "member-1/samples.png"] {
        assert!(path(file).is_file(), "{file}");
    }
    assert!(!path("checkpoint").exists() && !path("member-2").exists());
    let result = json(&path("result.json"));
    let members = [0, 1].map(|member: usize| json(&path(&format!("member-{member}/result.json"))));
    for split in ["test", "validation"] {
        let [one, other] = members.each_ref().map(|member| nats(&measured(member, "likelihood", split)));
        let [of_members, mixed] = [&result["members"], &result].map(|results| measured(results, "likelihood", split));
        assert!((nats(&of_members) - (one + other) / 2.0).abs() < 1e-9, "{of_members}");
        assert_eq!(of_members["lowest"].as_f64().unwrap(), one.min(other));
        // Of two: s² = (a − b)² / 2, and √(s² / 2) = |a − b| / 2.
        assert!((of_members["standard_error"].as_f64().unwrap() - (one - other).abs() / 2.0).abs() < 1e-9);
        // Jensen's inequality, for every example and so in the mean.
        assert!(nats(&mixed) < nats(&of_members) - 1e-3, "{split}: mixing buys nothing");
        assert!(mixed["estimator"].as_str().unwrap().starts_with("exact, mixture of 2 models"));
    }
    let parameters = |result: &serde_json::Value| result["parameters"].as_u64().unwrap();
    assert_eq!(parameters(&result), 2 * parameters(&members[0]));
    assert!(table.contains("mean of the 2 members by themselves") && table.contains("mixture of 2 models"), "{table}");

    // From the folder alone, and each member by itself.
    for (run, expected) in [("run", &result), ("run/member-0", &members[0]), ("run/member-1", &members[1])] {
        let again: serde_json::Value =
            serde_json::from_str(&run_ok(folder.path(), &["evaluate", run, "--json"])).unwrap();
        assert_eq!(again, *expected, "{run}");
        run_ok(folder.path(), &["sample", run, "-n", "64", "--out", "again.png"]);
        let first = std::fs::read(folder.path().join(run).join("samples.png")).unwrap();
        assert_eq!(first, std::fs::read(folder.path().join("again.png")).unwrap());
    }

    // The first member is the run without the ensemble.
    let alone = [&small[2..]].concat();
    run_ok(folder.path(), &args("arm.toml", "alone", &alone));
    assert_eq!(weights(&folder.path().join("alone")), weights(&path("member-0")));
    let text = |run: &str| std::fs::read_to_string(folder.path().join(run).join("config.toml")).unwrap();
    assert_eq!(text("alone"), text("run/member-0"));

    // A member that is not the ensemble's any more, and one more member.
    let config = text("run/member-1");
    std::fs::write(path("member-1/config.toml"), config.replace("batch_size = ", "batch_size = 1")).unwrap();
    let refused = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(refused.contains("training.batch_size") && refused.contains("restore it"), "{refused}");
    std::fs::write(path("member-1/config.toml"), config).unwrap();
    std::fs::write(path("config.toml"), text("run").replace("ensemble = 2", "ensemble = 3")).unwrap();
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(json(&path("result.json"))["members"]["count"], 3);
}

#[test]
fn an_ensemble_continues_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.txt"), "ab".repeat(2000)).unwrap();
    let config = "[data]\nsource = \"text\"\npath = \"text.txt\"\nunit = \"bytes\"\nlength = 16\n\
                  [model]\nkind = \"causal_conv\"\nchannels = 8\nlayers = 1\nkernel = 2\n\
                  [optimizer]\nlearning_rate = 0.02\n[training]\nepochs = 4\nbatch_size = 16\nensemble = 2\n";
    std::fs::write(folder.path().join("text.toml"), config).unwrap();
    run_ok(folder.path(), &args("text.toml", "run", &[]));
    let sample = ["sample", "run", "--prompt", "ab", "--length", "30", "--top-k", "1", "--temperature", "0.5"];
    assert_eq!(run_ok(folder.path(), &sample), format!("{}\n", "ab".repeat(16)));
}

#[test]
fn the_members_share_their_data_whatever_their_seeds() {
    // The splits of a table are drawn by the seed: a member with its own would learn from another's test rows.
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..200).map(|i| format!("{},{}\n", i % 17, (i * i) % 23)).collect();
    std::fs::write(folder.path().join("table.csv"), rows).unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"table.csv\"\ntarget = [1]\n[model]\nkind = \"conditional_mlp\"\n";
    std::fs::write(folder.path().join("table.toml"), config).unwrap();
    run_ok(folder.path(), &args("table.toml", "run", &TWO));
    let spec = |run: &str| json(&folder.path().join(run).join("provenance.json"))["spec"].clone();
    assert_eq!(spec("run"), spec("run/member-1"));
    let again: serde_json::Value =
        serde_json::from_str(&run_ok(folder.path(), &["evaluate", "run/member-1", "--json"])).unwrap();
    assert_eq!(again, json(&folder.path().join("run/member-1/result.json")));
}

#[test]
fn a_mixture_of_bounds_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "model.encoder.hidden=[16]", "--set", "model.decoder.hidden=[16]", "--set"];
    let small = [&small[..], &["evaluation.importance_samples=3"]].concat();
    run_ok(folder.path(), &args("vae.toml", "run", &[&TWO[..], &small].concat()));
    let result = json(&folder.path().join("run/result.json"));
    let test = measured(&result, "likelihood", "test");
    assert_eq!(
        (&test["quantity"], &measured(&result, "importance_weighted", "test")["quantity"]),
        (&"-ELBO".into(), &"-IWAE".into())
    );
    let expected =
        "32 posterior samples per example, one importance weight of each member, bound of the mixture of 2 models";
    assert_eq!(test["estimator"], expected);
}

#[test]
fn mixtures_over_labels_and_over_members_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "data.condition=label", "--set", "model.channels=8", "--set", "model.layers=2"];
    let table = run_ok(folder.path(), &args("arm.toml", "run", &[&TWO[..], &small].concat()));
    let result = json(&folder.path().join("run/result.json"));
    for split in ["test", "validation"] {
        let row = |results: &serde_json::Value| nats(&measured(results, "label_mixture", split));
        let members = [0, 1].map(|i| row(&json(&folder.path().join(format!("run/member-{i}/result.json")))));
        let mean = (members[0] + members[1]) / 2.0;
        assert!((row(&result["members"]) - mean).abs() < 1e-9, "{split}");
        assert!(row(&result) < mean - 1e-3, "{split}: mixing buys nothing");
    }
    let members =
        table.lines().filter(|line| line.ends_with(|end: char| end.is_ascii_digit()) && line.contains("by themselves"));
    assert_eq!(members.count(), 4, "{table}");
}
