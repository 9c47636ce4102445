//! Texts with the real binary: windows with a context, lines with a prefix, and the metrics per token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{dgm, json, measured, metrics, run_fails, run_ok, weights};
use serde_json::Value;
use std::path::Path;

/// A run of a small model on this table `[data]`; its results.
fn trained(folder: &Path, data: &str, epochs: usize) -> Value {
    let config = format!(
        "[data]\nsource = \"text\"\npath = \"text.txt\"\n{data}\n[model]\nkind = \"causal_conv\"\nchannels = 8\n\
         layers = 1\nlikelihood = \"categorical\"\n[optimizer]\nlearning_rate = 1e-2\n[training]\nepochs = {epochs}\n"
    );
    std::fs::write(folder.join("text.toml"), config).unwrap();
    let table = run_ok(folder, &["--config", "text.toml", "--out", "run", "--quiet"]);
    for word in ["nats/character", "bits/character", "perplexity"] {
        assert!(table.contains(word), "{table}");
    }
    json(&folder.join("run/result.json"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// The metrics of one split agree with each other; its tokens.
fn check(row: &Value) -> u64 {
    let metrics = &row["per_token"];
    let tokens = metrics["tokens"].as_u64().unwrap();
    let nats = number(&metrics["nats_per_token"]);
    let sum = number(&row["value"]) * number(&row["examples"]);
    assert!((sum / tokens as f64 / nats - 1.0).abs() < 1e-9, "{row}");
    let bits = nats / std::f64::consts::LN_2;
    assert!((number(&metrics["bits_per_token"]) - bits).abs() < 1e-9, "{row}");
    assert!((number(&row["bits_per_dim"]) - bits).abs() < 1e-9, "{row}");
    assert!((number(&metrics["perplexity"]) / nats.exp() - 1.0).abs() < 1e-9, "{row}");
    assert!(number(&metrics["standard_error"]) > 0.0 && metrics["token"] == "character", "{row}");
    tokens
}

#[test]
fn windows_with_a_context_are_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    // Each symbol follows from the two before it, but by chance at the beginning of a window.
    std::fs::write(folder.path().join("text.txt"), "abcab\n".repeat(401)).unwrap();
    let result = trained(folder.path(), "length = 12\ncontext = 6\nshift_windows = true", 30);
    // 2406 characters: a tenth is 241, all of them scored.
    let [test, said] = ["test", "validation"].map(|split| measured(&result, "likelihood", split));
    assert_eq!((check(&test), check(&said)), (241, 241));
    assert_eq!(test["examples"], 21);
    // With what stands before a window nothing is left to chance.
    let nats = number(&test["per_token"]["nats_per_token"]);
    assert!(nats < 0.08, "{result}");
    let sentence = result["transforms"][0].as_str().unwrap();
    assert!(sentence.contains("12 characters are scored given up to 6 before them"), "{sentence}");
    let lines = metrics(&folder.path().join("run"));
    let validation: Vec<_> = lines.iter().filter(|line| line["kind"] == "validation").collect();
    let best = validation.iter().rfind(|line| line["best"] == true).unwrap();
    assert!((number(&best["nats_per_token"]) - number(&said["per_token"]["nats_per_token"])).abs() < 1e-9, "{best}");
    assert!((number(&best["bits_per_dim"]) - number(&said["bits_per_dim"])).abs() < 1e-9, "{best}");
    assert!(lines.iter().filter(|line| line["kind"] == "train").all(|line| line["nats_per_token"].is_f64()));

    // The results again, from the run folder; without the text they are one clear line.
    let again: Value = serde_json::from_str(&run_ok(folder.path(), &["evaluate", "run", "--json"])).unwrap();
    assert_eq!(measured(&again, "likelihood", "test"), test);
    std::fs::remove_file(folder.path().join("text.txt")).unwrap();
    let line = run_fails(folder.path(), &["evaluate", "run"], 2);
    assert!(line.contains("/text.txt; put a text there, or set data.path to where it is"), "{line}");
}

/// A run that was stopped in the middle of an epoch resumes with the windows of that epoch; with Muon's state of its kernels too.
#[cfg(unix)]
#[test]
fn shifted_windows_resume_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text: String = (0..4000u32).map(|i| char::from(b'a' + (i * i % 31 % 7) as u8)).collect();
    std::fs::write(folder.join("text.txt"), text).unwrap();
    let config = "[data]\nsource = \"text\"\npath = \"text.txt\"\nlength = 16\nshift_windows = true\n\
                  [model]\nkind = \"causal_conv\"\nchannels = 16\nlayers = 2\n\
                  [optimizer]\nkind = \"muon\"\n\
                  [training]\nepochs = 12\nbatch_size = 4\nreport_every = 5\n";
    std::fs::write(folder.join("text.toml"), config).unwrap();
    run_ok(folder, &["--config", "text.toml", "--out", "whole", "--quiet"]);
    let mut child = dgm(folder).args(["--config", "text.toml", "--out", "run", "--quiet"]).spawn().unwrap();
    // 50 steps per epoch, a line every five.
    let lines = || std::fs::read_to_string(folder.join("run/metrics.jsonl")).map_or(0, |text| text.lines().count());
    while lines() < 26 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "it ended before it was stopped");
    run_ok(folder, &["--resume", "run", "--quiet"]);
    assert_eq!(weights(&folder.join("run")), weights(&folder.join("whole")));
    assert_eq!(json(&folder.join("run/result.json")), json(&folder.join("whole/result.json")));
}

#[test]
fn lines_are_learnt_from_given_their_beginning() {
    let folder = tempfile::tempdir().unwrap();
    // Behind the colon what stands before it, twice: nothing is left to chance given the prefix, much of it without.
    let letters = ["a", "b", "c", "d"];
    let line = |i: usize| format!("{}:{}\n", letters[i * 7 % 4], letters[i * 7 % 4].repeat(2 + i % 11 % 2 * 2));
    std::fs::write(folder.path().join("text.txt"), (0..400).map(line).collect::<String>()).unwrap();
    let result = trained(folder.path(), "examples = \"lines\"\nlength = 10\nprefix_until = \":\"", 30);
    let lines: Vec<usize> = (0..400).map(|i| line(i).len() - 2).collect();
    let [test, validation] = ["test", "validation"].map(|split| measured(&result, "likelihood", split));
    assert_eq!(check(&validation), lines[..40].iter().sum::<usize>() as u64);
    assert_eq!(check(&test), lines[360..].iter().sum::<usize>() as u64);
    // One bit is open in a line: whether it goes on after two letters.
    let nats = number(&test["value"]);
    assert!((0.6..0.9).contains(&nats), "{result}");
    let shown: Value =
        serde_json::from_str(&run_ok(folder.path(), &["data", "inspect", "text.toml", "--json"])).unwrap();
    // The first of training.
    assert_eq!(shown["windows"][0].as_str().unwrap().replace("\\n", "\n"), line(40));
    assert_eq!((&shown["token"], &shown["splits"][2]["tokens"]), (&"character".into(), &test["per_token"]["tokens"]));
    let text = run_ok(folder.path(), &["data", "inspect", "text.toml"]);
    assert!(text.contains("tokens       characters; scored: "), "{text}");
}

#[test]
fn a_prefix_is_one_character() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.txt"), "a:b\n".repeat(40)).unwrap();
    let fails = |set: &str| {
        let args =
            ["data", "inspect", "text", "--set", "data.path=text.txt", "--set", "data.examples=lines", "--set", set];
        run_fails(folder.path(), &args, 2)
    };
    assert!(fails("data.prefix_until=ab").contains("expected a character"), "{}", fails("data.prefix_until=ab"));
    assert!(
        fails("data.prefix_until=;").contains("no line for training has a ';'"),
        "{}",
        fails("data.prefix_until=;")
    );
}
