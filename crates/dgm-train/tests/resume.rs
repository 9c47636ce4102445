//! Runs that are stopped, killed and damaged resume to exactly the weights of an uninterrupted run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{curve, dgm, json, metrics, run_fails, run_ok, weights};
use dgm_train::backend::cpu_kind;
use dgm_train::checkpoint::Checkpoints;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Small variants of the VAE, the autoregressive and the conditional model, with checkpoints in the middle of epochs.
const MODELS: [(&str, &[&str]); 3] = [
    (
        "vae.toml",
        &[
            "--set",
            "model.encoder.hidden=[64]",
            "--set",
            "model.decoder.hidden=[64]",
            "--set",
            "evaluation.importance_samples=0",
        ],
    ),
    ("arm.toml", &["--set", "model.channels=16"]),
    ("conditional.toml", &["--set", "model.hidden=[64]"]),
];

fn checkpoints(folder: &Path, run: &str) -> Checkpoints {
    Checkpoints::new(folder.join(run).join("checkpoint"))
}

/// Starts a run and waits until it has written a line of metrics.
fn started(folder: &Path, args: &[&str], run: &str) -> Child {
    let mut child = dgm(folder).args(args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let metrics = folder.join(run).join("metrics.jsonl");
    while !metrics.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// Starts a run, sends it a signal once it has written a line of metrics and returns its exit code.
#[cfg(unix)]
fn stopped_by(signal: &str, folder: &Path, args: &[&str], run: &str) -> Option<i32> {
    // Where the tests themselves run under nohup, the program would inherit that it ignores this one.
    // SAFETY: no handler is installed.
    unsafe { nix::sys::signal::signal(nix::sys::signal::SIGHUP, nix::sys::signal::SigHandler::SigDfl) }.unwrap();
    let mut child = started(folder, args, run);
    std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    child.wait().unwrap().code()
}

/// What two runs must share: weights bit for bit, results, and the curves without their times.
fn assert_same_run(folder: &Path, [one, other]: [&str; 2]) {
    let [one, other] = [one, other].map(|run| folder.join(run));
    assert_eq!(weights(&one), weights(&other));
    assert_eq!(json(&one.join("result.json")), json(&other.join("result.json")));
    assert_eq!(curve(&one), curve(&other));
}

#[cfg(unix)]
#[test]
fn signals_checkpoint_and_the_resumed_run_ends_the_same() {
    let signals = [("-INT", 130, "flex"), ("-TERM", 143, "flex"), ("-HUP", 129, "ndarray")];
    for ((config, sizes), (signal, code, backend)) in MODELS.into_iter().zip(signals) {
        let folder = tempfile::tempdir().unwrap();
        let extra = [sizes, &["--set", "training.epochs=8", "--quiet", "--backend", backend]].concat();
        run_ok(folder.path(), &[&["--config", config, "--out", "whole"], &extra[..]].concat());
        let part = [&["--config", config, "--out", "part"], &extra[..]].concat();
        let ended = stopped_by(signal, folder.path(), &part, "part");
        assert_eq!(ended, Some(code), "{config}: ended before it was interrupted?");
        assert_eq!(checkpoints(folder.path(), "part").steps().unwrap().len(), 1);
        assert!(!folder.path().join("part/result.json").exists());
        // On the backend that it began with, without being told.
        run_ok(folder.path(), &["--resume", "part", "--quiet"]);
        assert_same_run(folder.path(), ["whole", "part"]);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--config", "conditional.toml", "--out", "run", "--quiet", "--set", "training.epochs=1000"];
    let mut child = dgm(folder.path()).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !folder.path().join("run/metrics.jsonl").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    // As `timeout` does: the process, then its group.
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    std::process::Command::new("kill").args(["-CONT", &id]).status().unwrap();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(checkpoints(folder.path(), "run").steps().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_signal_that_the_caller_has_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("sh");
    // What nohup does.
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    let args = ["--config", "conditional.toml", "--out", "run", "--quiet", "--set", "training.epochs=15"];
    command.current_dir(folder.path()).args(["-c", script, env!("CARGO_BIN_EXE_dgm-train")]).args(args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !folder.path().join("run/metrics.jsonl").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("run/result.json").exists());
}

#[cfg(unix)]
#[test]
fn before_the_first_step_a_signal_ends_the_program_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // Reading a pipe that nobody writes to never ends.
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    let mut child = dgm(folder.path()).args(["--config", "pipe"]).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_configuration_that_was_edited_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "model.hidden=[8]", "--set", "training.epochs=2", "--quiet"];
    run_ok(folder.path(), &[&["--config", "conditional.toml", "--out", "run"], &small[..]].concat());
    let path = folder.path().join("run/config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    edit("batch_size = 50", "batch_size = 25");
    let refused = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(refused.contains("training.batch_size") && refused.contains("restore it"), "{refused}");
    // What changes no weights may be changed.
    edit("keep_checkpoints = 2", "keep_checkpoints = 5");
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
}

#[test]
fn a_run_without_its_checkpoints_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "model.hidden=[8]", "--set", "training.epochs=2", "--quiet"];
    run_ok(folder.path(), &[&["--config", "conditional.toml", "--out", "run"], &small[..]].concat());
    let before = weights(&folder.path().join("run"));
    std::fs::remove_dir_all(folder.path().join("run/checkpoint")).unwrap();
    let output = common::run(folder.path(), &["--resume", "run", "--quiet"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("there is no checkpoint: the run starts over"), "{text}");
    assert_eq!(weights(&folder.path().join("run")), before);
}

/// Kills each run at ten random moments, at the least, and resumes each time.
#[test]
fn repeated_kills_end_at_the_same_weights() {
    let mut random = dgm_core::random::Seed(0).stream("kill", 0);
    for (config, sizes) in MODELS {
        let folder = tempfile::tempdir().unwrap();
        // 7 divides neither an epoch's 20 steps nor a window's 50: windows and epochs straddle the kills.
        let every = "training.checkpoint_every={steps=7}";
        let extra = [sizes, &["--set", "training.epochs=25", "--set", every, "--quiet"]].concat();
        let began = Instant::now();
        run_ok(folder.path(), &[&["--config", config, "--out", "whole"], &extra[..]].concat());
        // Between its start and an eighth of the whole run.
        let longest = began.elapsed().as_secs_f32() / 8.0;
        let (mut kills, mut args) = (0, [&["--config", config, "--out", "part"], &extra[..]].concat());
        loop {
            let mut child = dgm(folder.path()).args(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            if kills < 12 {
                std::thread::sleep(Duration::from_secs_f32(random.uniform() * longest));
                child.kill().unwrap();
            }
            if child.wait().unwrap().code() == Some(0) {
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
        assert_same_run(folder.path(), ["whole", "part"]);
        let left: Vec<_> = std::fs::read_dir(folder.path().join("part/checkpoint")).unwrap().flatten().collect();
        assert!(left.len() <= 3, "two newest and the best: {left:?}");
    }
}

#[test]
fn one_run_per_folder_and_a_killed_one_leaves_it_free() {
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

#[test]
fn resume_with_a_configuration_wants_the_run_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "training.epochs=1", "--set", "model.hidden=[8]"];
    let config = [&["--config", "conditional.toml"], &set[..]].concat();
    run_ok(folder.path(), &[&config[..], &["--out", "run", "--quiet"]].concat());
    run_ok(folder.path(), &[&config[..], &["--resume", "run", "--quiet"]].concat());
    let other = [&config[..], &["--resume", "run", "--seed", "3", "--set", "model.dropout=0.1"]].concat();
    let text = run_fails(folder.path(), &other, 2);
    assert!(text.contains("seed") && text.contains("model.dropout") && !text.contains("epochs"), "{text}");
}

#[test]
fn weights_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let images: [(&str, &[&str]); 2] =
        [("pixelcnn.toml", &["--set", "model.channels=16"]), ("transformer.toml", &["--set", "model.channels=16"])];
    for (config, sizes) in MODELS.into_iter().chain(images) {
        let [one, several] = ["1", "3"].map(|threads| {
            let out = format!("{config}-{threads}");
            let args = ["--config", config, "--out", &out, "--quiet", "--set", "training.epochs=1"];
            let output = dgm(folder.path()).env("RAYON_NUM_THREADS", threads).args(args).args(sizes).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            weights(&folder.path().join(out))
        });
        assert_eq!(one, several, "{config}");
    }
}

#[test]
fn resuming_on_another_cpu_says_equal_to_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["--set", "training.epochs=1", "--set", "model.hidden=[8]", "--quiet"];
    run_ok(folder.path(), &[&["--config", "conditional.toml", "--out", "run"], &set[..]].concat());
    let file = folder.path().join("run/provenance.json");
    let mut provenance = json(&file);
    assert_eq!(provenance["cpu"], cpu_kind());
    let warnings = |format: &str| {
        let output = common::run(folder.path(), &["--resume", "run", "--quiet", "--log-format", format]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        text.lines().filter(|line| line.contains("warning")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(warnings("plain").is_empty());
    provenance["cpu"] = "aarch64 SVE".into();
    std::fs::write(&file, provenance.to_string()).unwrap();
    let expected = format!(
        "run: the run began on another kind of CPU (aarch64 SVE; this one is {}): it resumes equal to rounding, not bit for bit",
        cpu_kind()
    );
    assert_eq!(warnings("plain"), [format!("warning: {expected}")]);
    let [line] = &warnings("json")[..] else { panic!("one line") };
    assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap()["message"], expected);
    // Runs of older versions do not say where they began.
    provenance.as_object_mut().unwrap().remove("cpu");
    std::fs::write(&file, provenance.to_string()).unwrap();
    assert!(warnings("plain").is_empty());
}

#[cfg(unix)]
#[test]
fn a_run_interrupted_at_the_end_of_an_epoch_still_validates_it() {
    let folder = tempfile::tempdir().unwrap();
    // One step per epoch: whenever it stops, an epoch ends.
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

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_offered() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "model.hidden=[8]", "--set", "training.epochs=3", "--set", "training.checkpoint_every=1"];
    let args = [&["--config", "conditional.toml", "--out", "run", "--quiet"], &small[..]].concat();
    run_ok(folder.path(), &args);
    let last = checkpoints(folder.path(), "run").after(60);
    let mut bytes = std::fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    let text = run_fails(folder.path(), &["--resume", "run"], 2);
    let expected = "step-60.dgm: damaged: its checksum does not match; delete the file to resume from step 40";
    assert!(text.contains(expected), "{text}");
    // What a power cut may leave.
    for remains in [vec![], vec![0; 4096]] {
        std::fs::write(&last, remains).unwrap();
        let text = run_fails(folder.path(), &["--resume", "run"], 2);
        assert!(text.contains("delete the file to resume from step 40"), "{text}");
    }
    let whole = weights(&folder.path().join("run"));
    std::fs::remove_file(&last).unwrap();
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(weights(&folder.path().join("run")), whole);
}

#[test]
fn time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--config", "vae.toml", "--out", "run", "--set", "training.epochs=1000000", "--set"];
    let args = [&args[..], &["training.max_minutes=0.02", "--set", "evaluation.importance_samples=0"]].concat();
    let output = common::run(folder.path(), &args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("training.max_minutes"), "{text}");
    let lines = metrics(&folder.path().join("run"));
    let last = lines.last().unwrap();
    assert_eq!(last["kind"], "validation", "the last weights are validated too");
    // Complete: resuming only evaluates again.
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(metrics(&folder.path().join("run")), lines);
}
