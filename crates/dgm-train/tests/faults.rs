//! Disks that fail and files that are damaged: training stops with the reason, and what was whole stays whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod common;

use common::{dgm, run, run_fails, run_ok, weights};
use dgm_train::checkpoint::Checkpoint;
use dgm_train::checkpoint::Checkpoints;
use std::path::{Path, PathBuf};
use std::process::Command;

const SMALL: [&str; 7] = [
    "--config",
    "conditional.toml",
    "--quiet",
    "--set",
    "model.hidden=[64]",
    "--set",
    "training.checkpoint_every={steps=1}",
];

/// A run of two epochs with checkpoints, in `run`.
fn trained(folder: &Path) -> Checkpoints {
    run_ok(folder, &[&SMALL[..], &["--out", "run", "--set", "training.epochs=2"]].concat());
    Checkpoints::new(folder.join("run/checkpoint"))
}

/// The newest checkpoint can be read and is one that was written whole.
fn assert_whole(checkpoints: &Checkpoints) -> u64 {
    let newest = checkpoints.newest().unwrap().expect("a checkpoint is left");
    assert!(newest.section("model").is_ok() && newest.section("optimizer").is_ok());
    newest.progress.step
}

#[test]
fn damage_at_random_places_is_always_found() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = trained(folder.path());
    let newest = checkpoints.after(assert_whole(&checkpoints));
    let mut random = dgm_core::random::Seed(1).stream("damage", 0);
    for (path, command) in [(newest, "--resume"), (checkpoints.best(), "evaluate")] {
        let bytes = std::fs::read(&path).unwrap();
        let mut place = || random.below(bytes.len() as u32) as usize;
        for i in 0..600 {
            let (at, bit) = (place(), i % 8);
            let mut damaged = bytes.clone();
            match i % 3 {
                0 => damaged.truncate(at),
                1 => damaged[at] ^= 1 << bit,
                _ => damaged.insert(at, bytes[at]),
            }
            std::fs::write(&path, &damaged).unwrap();
            // Through the library always, through the binary now and then: starting it takes longer than reading.
            let text = Checkpoint::read(&path).unwrap_err().to_string();
            assert!(text.contains(&path.display().to_string()), "{text}");
            if i % 20 == 0 {
                let text = run_fails(folder.path(), &[command, "run"], 2);
                assert!(text.contains("damaged") || text.contains("not a checkpoint"), "{text}");
            }
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    run_ok(folder.path(), &["evaluate", "run"]);
}

#[test]
fn checkpoints_of_other_models_or_versions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = trained(folder.path());
    let other = [
        "--config",
        "vae.toml",
        "--quiet",
        "--set",
        "model.encoder.hidden=[16]",
        "--set",
        "model.decoder.hidden=[16]",
        "--out",
        "vae",
        "--set",
    ];
    let other = [&other[..], &["training.epochs=1", "--set", "evaluation.importance_samples=0"]].concat();
    run_ok(folder.path(), &other);
    let foreign = Checkpoints::new(folder.path().join("vae/checkpoint"));
    std::fs::copy(foreign.after(20), checkpoints.after(1000)).unwrap();
    std::fs::copy(foreign.best(), checkpoints.best()).unwrap();
    let text = run_fails(folder.path(), &["--resume", "run"], 2);
    assert!(text.contains("no longer matches the run's checkpoints") && text.contains("keys in all"), "{text}");
    let text = run_fails(folder.path(), &["evaluate", "run"], 2);
    assert!(text.contains("no longer matches the run's checkpoints") && text.contains("keys in all"), "{text}");
    // Version 4 of the format, as a later release may write it.
    let mut bytes = std::fs::read(foreign.after(20)).unwrap();
    bytes["dgm checkpoint\n".len()] = 4;
    std::fs::write(checkpoints.after(1000), bytes).unwrap();
    // Whatever the folder is called.
    std::fs::rename(folder.path().join("run"), folder.path().join("damaged")).unwrap();
    let text = run_fails(folder.path(), &["--resume", "damaged"], 2);
    assert!(text.contains("version 4") && text.contains("update it") && !text.contains("delete"), "{text}");
}

#[test]
fn a_missing_or_damaged_best_checkpoint_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = trained(folder.path());
    let (best, newest) = (checkpoints.best(), checkpoints.after(assert_whole(&checkpoints)));
    let again = "take run/checkpoint away and train again with dgm-train --resume run";
    let refused = |what: &str| {
        for args in [&["evaluate", "run"][..], &["--resume", "run", "--quiet"]] {
            let output = run(folder.path(), args);
            let text = String::from_utf8(output.stderr).unwrap();
            let line = text.lines().last().unwrap_or_default();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(line.contains(what) && line.contains(again), "{text}");
        }
    };
    std::fs::write(&best, b"").unwrap();
    refused("best.dgm: not a dgm checkpoint");
    std::fs::copy(&newest, &best).unwrap();
    refused("best.dgm: found a checkpoint to resume from");
    std::fs::remove_file(&best).unwrap();
    refused("best.dgm: the best checkpoint of the run is gone");
    let before = std::fs::read(folder.path().join("run/result.json")).unwrap();
    std::fs::remove_dir_all(folder.path().join("run/checkpoint")).unwrap();
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(std::fs::read(folder.path().join("run/result.json")).unwrap(), before);
}

/// A library that makes `fsync` fail once a file of this name is there.
fn failing_fsync(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let (source, library, switch) = (folder.join("fail.c"), folder.join("fail.so"), folder.join("fail-now"));
    let code = format!(
        "#include <errno.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n\
         int fsync(int fd) {{ if (access(\"{}\", F_OK) == 0) {{ errno = EIO; return -1; }} return syscall(SYS_fsync, fd); }}\n",
        switch.display()
    );
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    built.is_ok_and(|status| status.success()).then_some((library, switch))
}

#[cfg(target_os = "linux")]
#[test]
fn a_failing_fsync_keeps_the_previous_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let Some((library, switch)) = failing_fsync(folder.path()) else {
        println!("skipped: no C compiler");
        return;
    };
    let whole = [&SMALL[..], &["--out", "whole", "--set", "training.epochs=4"]].concat();
    run_ok(folder.path(), &whole);
    let args = [&SMALL[..], &["--out", "run", "--set", "training.epochs=4"]].concat();
    let child = dgm(folder.path())
        .env("LD_PRELOAD", &library)
        .args(&args)
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let checkpoints = Checkpoints::new(folder.path().join("run/checkpoint"));
    while checkpoints.steps().unwrap().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::fs::write(&switch, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("training stopped at step") && text.contains("Input/output error"), "{text}");
    assert!(text.contains("--resume run"), "{text}");
    let step = assert_whole(&checkpoints);
    assert!(text.contains(&format!("the checkpoint of step {step} is intact")), "{text}");
    std::fs::remove_file(&switch).unwrap();
    run_ok(folder.path(), &["--resume", "run", "--quiet"]);
    assert_eq!(weights(&folder.path().join("run")), weights(&folder.path().join("whole")));
}

/// A file system of `size` bytes in memory, taken away when dropped; `None` where this process may not mount one.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn remount(&self, option: &str) {
        assert!(Command::new("mount").args(["-o", option]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(folder.path().join("disk"), "4m") else {
        println!("skipped: this process may not mount a file system");
        return;
    };
    // About 0.4 MB a checkpoint: the limit of kept ones is above what fits.
    let keep = ["--set", "training.keep_checkpoints=1000", "--set", "training.epochs=10"];
    let output = run(folder.path(), &[&SMALL[..], &["--out", "disk/run"], &keep[..]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("No space left on device"), "{text}");
    let checkpoints = Checkpoints::new(disk.0.join("run/checkpoint"));
    let step = assert_whole(&checkpoints);
    assert!(text.contains(&format!("the checkpoint of step {step} is intact")), "{text}");
    let parts = std::fs::read_dir(disk.0.join("run/checkpoint")).unwrap().flatten();
    let parts: Vec<_> = parts.filter(|entry| entry.path().to_string_lossy().ends_with(".part")).collect();
    assert!(parts.is_empty(), "{parts:?}");

    // With room again it resumes and ends.
    disk.remount("remount,size=200m");
    run_ok(folder.path(), &["--resume", "disk/run", "--quiet"]);
    run_ok(folder.path(), &[&SMALL[..], &["--out", "whole", "--set", "training.epochs=10"]].concat());
    assert_eq!(weights(&disk.0.join("run")), weights(&folder.path().join("whole")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_becomes_read_only_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(folder.path().join("disk"), "100m") else {
        println!("skipped: this process may not mount a file system");
        return;
    };
    run_ok(folder.path(), &[&SMALL[..], &["--out", "disk/run", "--set", "training.epochs=1"]].concat());
    disk.remount("remount,ro");
    let text = run_fails(folder.path(), &["--resume", "disk/run"], 2);
    assert!(text.contains("Read-only file system"), "{text}");
    let text = run_fails(folder.path(), &[&SMALL[..], &["--out", "disk/other"]].concat(), 2);
    assert!(text.contains("Read-only file system") && text.contains("--out"), "{text}");
    run_ok(folder.path(), &["evaluate", "disk/run"]);
    assert_whole(&Checkpoints::new(disk.0.join("run/checkpoint")));
}
