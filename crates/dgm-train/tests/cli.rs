//! The real binary from end to end: train, evaluate, sample, stop and go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{dgm, json, metrics, run_fails, run_ok, weights};
use std::path::Path;

/// Small and quick variants of the configurations of the digits.
const QUICK: [(&str, &[&str]); 4] = [
    ("vae.toml", &["--set", "model.hidden=[32]", "--set", "evaluation.importance_samples=5"]),
    ("arm.toml", &["--set", "model.channels=8", "--set", "model.layers=2"]),
    ("pixelcnn.toml", &["--set", "model.channels=8", "--set", "model.layers=2"]),
    ("conditional.toml", &["--set", "model.hidden=[32]"]),
];

fn train(folder: &Path, config: &str, out: &str, extra: &[&str]) -> String {
    let mut args = vec!["--config", config, "--out", out, "--set", "training.epochs=2"];
    args.extend(extra);
    run_ok(folder, &args)
}

#[test]
fn each_configuration_of_the_digits_trains_and_its_folder_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    for (config, extra) in QUICK {
        let table = train(folder.path(), config, config, extra);
        assert!(table.contains("nats/example"), "{table}");
        let run = folder.path().join(config);
        let result = json(&run.join("result.json"));
        let test = &result["test"];
        assert!(test["nats_per_example"].as_f64().unwrap().is_finite());
        assert!(test["standard_error"].as_f64().unwrap() > 0.0);
        assert_eq!(test["examples"], 447);
        let exact = config != "vae.toml";
        assert_eq!(test["quantity"], if exact { "NLL" } else { "-ELBO" });
        assert_eq!(result["test_importance_weighted"].is_object(), !exact);
        assert_eq!(result["test_accuracy"].is_object(), config == "conditional.toml");
        assert_eq!(json(&run.join("provenance.json"))["examples"], serde_json::json!([1000, 350, 447]));
        assert_eq!(metrics(&run).iter().filter(|line| line["kind"] == "validation").count(), 2);

        // Again, from the folder alone (the digits are built in): the same figures to the last digit, and the same samples.
        let again: serde_json::Value =
            serde_json::from_str(&run_ok(folder.path(), &["evaluate", config, "--json"])).unwrap();
        assert_eq!(again, result);
        if config == "conditional.toml" {
            let text = run_fails(folder.path(), &["sample", config], 2);
            assert!(text.contains("samples.csv"), "{text}");
            run_ok(folder.path(), &["sample", config, "-n", "3", "--out", "labels.csv"]);
            assert_eq!(std::fs::read_to_string(folder.path().join("labels.csv")).unwrap().lines().count(), 3);
        } else {
            run_ok(folder.path(), &["sample", config, "-n", "64", "--out", "again.png"]);
            let first = std::fs::read(run.join("samples.png")).unwrap();
            assert_eq!(first, std::fs::read(folder.path().join("again.png")).unwrap());
        }
    }
}

#[test]
fn a_folder_that_holds_a_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "conditional", "run", &["--set", "model.hidden=[8]"]);
    let before = std::fs::read(folder.path().join("run/result.json")).unwrap();
    let text = run_fails(folder.path(), &["--config", "conditional", "--out", "run"], 2);
    assert!(text.contains("holds a run") && text.contains("--out"), "{text}");
    assert_eq!(std::fs::read(folder.path().join("run/result.json")).unwrap(), before);
}

#[test]
fn figures_of_other_data_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table = |scale: f32| -> String { (0..40).map(|i| format!("{},{}\n", i % 7, scale * (i % 5) as f32)).collect() };
    std::fs::write(folder.path().join("table.csv"), table(1.0)).unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"table.csv\"\ntarget = [1]\n[model]\nkind = \"conditional_mlp\"\n";
    std::fs::write(folder.path().join("table.toml"), config).unwrap();
    run_ok(folder.path(), &["--config", "table.toml", "--out", "run", "--set", "training.epochs=1"]);
    run_ok(folder.path(), &["evaluate", "run"]);
    std::fs::write(folder.path().join("table.csv"), table(1000.0)).unwrap();
    for command in ["evaluate", "--resume"] {
        let text = run_fails(folder.path(), &[command, "run"], 2);
        assert!(text.contains("not those that the run began with"), "{text}");
    }
}

#[test]
fn the_default_folder_is_named_after_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "training.epochs=1", "--set", "model.hidden=[8]"];
    run_ok(folder.path(), &[&["--config", "conditional.toml"], &set[..]].concat());
    let runs: Vec<String> = std::fs::read_dir(folder.path().join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // conditional-20260101-120000
    let [name] = &runs[..] else { panic!("{runs:?}") };
    let time = name.strip_prefix("conditional-2").expect("the stem and a year");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (day, time) = time.split_once('-').expect("a day and a time");
    assert!(day.len() == 7 && digits(day) && time.len() == 6 && digits(time), "{name}");
}

#[test]
fn a_file_of_the_name_goes_before_the_shipped_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vae.toml"), "[data]\nsource = \"digits\"\n[model]\nkind = \"vea\"\n").unwrap();
    let text = run_fails(folder.path(), &["--config", "vae.toml"], 2);
    assert!(text.contains("did you mean `vae`?"), "{text}");
}

/// Starts a run and waits until it has written a line of metrics.
fn started(folder: &Path, args: &[&str], run: &str) -> std::process::Child {
    use std::process::Stdio;
    let mut child = dgm(folder).args(args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let metrics = folder.join(run).join("metrics.jsonl");
    while !metrics.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child
}

/// Starts a run, sends it a signal once it has written a line of metrics and returns its exit code.
#[cfg(unix)]
fn stopped_by(signal: &str, folder: &Path, args: &[&str], run: &str) -> Option<i32> {
    let mut child = started(folder, args, run);
    std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn a_terminated_run_ends_with_a_checkpoint_and_the_signal_s_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--config", "vae.toml", "--out", "run", "--quiet", "--set", "training.epochs=1000"];
    assert_eq!(stopped_by("-TERM", folder.path(), &args, "run"), Some(143));
    assert!(folder.path().join("run/checkpoint/last.dgm").exists());
}

#[test]
fn two_runs_in_one_folder_are_refused_and_a_killed_one_leaves_it_free() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--config", "vae.toml", "--out", "run", "--quiet", "--set", "training.epochs=1000"];
    let mut child = started(folder.path(), &args, "run");
    let text = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(text.contains(&format!("process {} is training in this folder", child.id())), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.path().join("run/lock").exists());
    // What it left is no lock. 1000 epochs would take minutes: damaged data end the run right after the lock.
    std::fs::write(folder.path().join("run/provenance.json"), "{}").unwrap();
    let text = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(text.contains("provenance.json"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_run_interrupted_at_the_end_of_an_epoch_still_validates_it() {
    let folder = tempfile::tempdir().unwrap();
    // One step an epoch: whenever it stops, an epoch ends.
    let args = ["--config", "vae.toml", "--out", "run", "--quiet", "--set", "training.batch_size=1000", "--set"];
    let args = [&args[..], &["training.epochs=200", "--set", "evaluation.importance_samples=0"]].concat();
    assert_eq!(stopped_by("-INT", folder.path(), &args, "run"), Some(130));
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    let lines = metrics(&folder.path().join("run"));
    let epochs = |kind: &str| -> Vec<u64> {
        lines.iter().filter(|line| line["kind"] == kind).map(|line| line["epoch"].as_u64().unwrap()).collect()
    };
    assert_eq!(epochs("validation"), epochs("train"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_to_the_weights_of_the_one_that_was_not() {
    for (config, sizes) in [
        ("vae.toml", &["--set", "model.hidden=[64]"][..]),
        ("arm.toml", &["--set", "model.channels=16"][..]),
        ("conditional.toml", &[][..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let extra = [sizes, &["--set", "training.epochs=8", "--quiet"]].concat();
        let whole = [&["--config", config, "--out", "whole"], &extra[..]].concat();
        run_ok(folder.path(), &whole);
        let part = [&["--config", config, "--out", "part"], &extra[..]].concat();
        let code = stopped_by("-INT", folder.path(), &part, "part");
        assert_eq!(code, Some(130), "{config}: ended before it was interrupted?");
        assert!(folder.path().join("part/checkpoint/last.dgm").exists());
        assert!(!folder.path().join("part/result.json").exists());

        run_ok(folder.path(), &["--resume", "part", "--quiet"]);
        let validations = |run: &str| -> Vec<(u64, f64)> {
            let lines = metrics(&folder.path().join(run)).into_iter().filter(|line| line["kind"] == "validation");
            lines.map(|l| (l["epoch"].as_u64().unwrap(), l["nats_per_example"].as_f64().unwrap())).collect()
        };
        assert_eq!(validations("part"), validations("whole"), "{config}");
        let result = |run: &str| json(&folder.path().join(run).join("result.json"));
        assert_eq!(result("part"), result("whole"), "{config}");
        let weights = |run: &str| common::weights(&folder.path().join(run));
        assert_eq!(weights("part"), weights("whole"), "{config}");
    }
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_offered() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "conditional", "run", &["--set", "model.hidden=[8]", "--set", "training.epochs=3"]);
    let last = folder.path().join("run/checkpoint/last.dgm");
    let mut bytes = std::fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    let text = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(text.contains("last.dgm: damaged: its checksum does not match; delete the file to go on"), "{text}");
    let whole = weights(&folder.path().join("run"));
    std::fs::remove_file(&last).unwrap();
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(weights(&folder.path().join("run")), whole);
}

/// Kills the run at ten random moments, at the least, and goes on each time: the weights are those of the run that was not.
#[test]
fn a_run_that_is_killed_again_and_again_ends_at_the_same_weights() {
    use std::process::Stdio;
    let mut random = dgm_core::random::Seed(0).stream("kill", 0);
    for (config, sizes) in [
        ("vae.toml", &["--set", "model.hidden=[64]"][..]),
        ("arm.toml", &["--set", "model.channels=16"][..]),
        ("conditional.toml", &["--set", "model.hidden=[64]"][..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let extra =
            [sizes, &["--set", "training.epochs=25", "--set", "evaluation.importance_samples=0", "--quiet"]].concat();
        let began = std::time::Instant::now();
        run_ok(folder.path(), &[&["--config", config, "--out", "whole"], &extra[..]].concat());
        // Between its start and an eighth of the whole run.
        let longest = began.elapsed().as_secs_f32() / 8.0;
        let (mut kills, mut args) = (0, [&["--config", config, "--out", "part"], &extra[..]].concat());
        loop {
            let mut child = dgm(folder.path()).args(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            if kills < 12 {
                std::thread::sleep(std::time::Duration::from_secs_f32(random.uniform() * longest));
                child.kill().unwrap();
            }
            let ended = child.wait().unwrap().code() == Some(0);
            if ended {
                break;
            }
            kills += 1;
            assert!(kills < 100, "{config}: does not come to its end");
            // Killed before there was a run, it begins again.
            if folder.path().join("part/config.toml").exists() {
                args = vec!["--resume", "part", "--quiet"];
            } else {
                let _ = std::fs::remove_dir_all(folder.path().join("part"));
            }
        }
        println!("{config}: killed {kills} times");
        assert!(kills >= 10, "{config}: killed {kills} times only");
        let [whole, part] = ["whole", "part"].map(|run| folder.path().join(run));
        assert_eq!(weights(&whole), weights(&part), "{config}");
        assert_eq!(json(&whole.join("result.json")), json(&part.join("result.json")), "{config}");
    }
}
