//! Runs the real binary.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

/// The binary, in an empty folder of its own and with nothing of the caller's environment that changes it.
pub(crate) fn dgm(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dgm-train"));
    command.current_dir(folder).env_remove("BURN_DEVICE").env_remove("CUBECL_WGPU_DEFAULT_DEVICE");
    command
}

/// Runs it and returns what it printed.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Output {
    dgm(folder).args(args).output().expect("the binary runs")
}

/// Runs it and expects success; standard output.
pub(crate) fn run_ok(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it and expects one line of error and this exit code; the line.
pub(crate) fn run_fails(folder: &Path, args: &[&str], code: i32) -> String {
    let output = run(folder, args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty(), "{args:?} printed to standard output");
    let line = stderr.trim_end();
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{args:?}: not one line: {stderr}");
    line.to_string()
}

/// The name of this machine's wgpu adapter; where there is none it says that the test is skipped, or fails if one is required.
pub(crate) fn wgpu(folder: &Path) -> Option<String> {
    let offers = run_ok(folder, &["backends"]);
    let line = offers.lines().find(|line| line.starts_with("wgpu") && !line.contains("unavailable"));
    if line.is_none() {
        assert!(std::env::var_os("DGM_REQUIRE_WGPU").is_none(), "no wgpu adapter: {offers}");
        println!("skipped: no wgpu adapter on this machine");
    }
    line.and_then(|line| line.split_whitespace().next()).map(str::to_owned)
}

/// A script of `scripts/` to be run by a Python that has these modules, and programs that it calls; where one is absent it says that the test is
/// skipped, or fails if `DGM_REQUIRE_SCRIPTS=1`.
pub(crate) fn script(name: &str, modules: &str, programs: &[&str]) -> Option<Command> {
    let runs = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let there = runs("python3", &["-c", &format!("import {modules}")])
        && programs.iter().all(|program| runs(program, &["--version"]));
    if !there {
        let programs: String = programs.iter().map(|program| format!(", and {program}")).collect();
        let needs = format!("{name} needs python3 with {modules} (pip install -r scripts/requirements.txt){programs}");
        assert!(std::env::var_os("DGM_REQUIRE_SCRIPTS").is_none(), "{needs}");
        println!("skipped: {needs}");
        return None;
    }
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name));
    Some(command)
}

/// A run's metrics, line by line.
pub(crate) fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A run's metrics without their times, which no two runs share.
pub(crate) fn curve(run: &Path) -> Vec<serde_json::Value> {
    let mut lines = metrics(run);
    for line in lines.iter_mut().filter_map(serde_json::Value::as_object_mut) {
        line.remove("seconds");
        line.remove("examples_per_second");
    }
    lines
}

/// The metric of this measure on this split, in a run's results or among those of its members; null where there is none.
pub(crate) fn measured(results: &serde_json::Value, measure: &str, split: &str) -> serde_json::Value {
    let metrics = results["metrics"].as_array().expect("a list of metrics");
    let found = metrics.iter().find(|metric| metric["measure"] == measure && metric["split"] == split);
    found.cloned().unwrap_or_default()
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every weight of a run's best checkpoint, bit for bit, in the order of the model's parameters.
pub(crate) fn weights(run: &Path) -> Vec<Vec<u32>> {
    let folder = dgm_train::run_folder::RunFolder::open(run).unwrap();
    let config: dgm_train::config::Config = folder.config().unwrap();
    let spec = folder.provenance().unwrap().spec;
    let model = folder.best_model(&config, &spec, &burn::tensor::Device::flex()).unwrap();
    let values = dgm_core::parameter::Parameter::of(&model).into_iter().map(|parameter| parameter.value.into_data());
    values.map(|value| value.iter::<f32>().map(f32::to_bits).collect()).collect()
}
