//! The real binary on data that are transformed, streamed, and changed while it trains.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, measured, run, run_ok};
use std::path::Path;

fn train(folder: &Path, out: &str, extra: &[&str]) -> String {
    let mut args = vec![
        "--config",
        "vae.toml",
        "--out",
        out,
        "--set",
        "training.epochs=1",
        "--set",
        "model.encoder.hidden=[32]",
        "--set",
        "model.decoder.hidden=[32]",
    ];
    args.extend(extra);
    run_ok(folder, &args)
}

/// An NPY file of unsigned bytes.
fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00v\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn transforms_are_named_beside_the_results() {
    let folder = tempfile::tempdir().unwrap();
    let plain = train(folder.path(), "plain", &[]);
    assert!(!plain.contains("transform"), "{plain}");
    let provenance = json(&folder.path().join("plain/provenance.json"));
    assert_eq!(json(&folder.path().join("plain/result.json"))["transforms"], serde_json::json!([]));
    assert_eq!((&provenance["transforms"], provenance.get("entropy")), (&serde_json::json!([]), None));

    let dynamic = ["--set", "data.binarize=dynamic", "--set", "model.likelihood=bernoulli"];
    let table = train(folder.path(), "dynamic", &dynamic);
    let sentence = "pixels binarised anew each epoch; validation and test drawn once with seed 0";
    assert!(table.contains(&format!("transform: {sentence}\n")), "{table}");
    for file in ["dynamic/result.json", "dynamic/provenance.json"] {
        assert_eq!(json(&folder.path().join(file))["transforms"], serde_json::json!([sentence]), "{file}");
    }

    // A density of dequantised levels bounds the likelihood of the levels, also where it is exact.
    let given_label = [
        "--config",
        "conditional.toml",
        "--out",
        "dequantised",
        "--set",
        "training.epochs=1",
        "--set",
        "model.hidden=[32]",
        "--set",
        "data.target=image",
        "--set",
        "data.condition=label",
        "--set",
        "data.dequantize=uniform",
        "--set",
        "model.likelihood=normal",
    ];
    let table = run_ok(folder.path(), &given_label);
    assert!(table.contains("transform: pixels dequantised: the density is that of x + u"), "{table}");
    let result = json(&folder.path().join("dequantised/result.json"));
    let test = measured(&result, "likelihood", "test");
    assert_eq!(test["quantity"], "-ELBO");
    assert_eq!(test["estimator"], "one dequantised x + u per example, log p(x + u) exact, given the label");
    // Levels that are spread evenly cost 64 ln 17 = 181 nats; in units of 1/17 it would be that much less.
    let nats = test["value"].as_f64().unwrap();
    assert!(nats > 100.0 && nats < 250.0, "{nats}");

    // Samples are levels again, and so pictures.
    assert!(folder.path().join("dequantised/samples.png").is_file());
    run_ok(folder.path(), &["sample", "dequantised", "-n", "3", "--out", "again.png"]);
    run_ok(folder.path(), &["sample", "dequantised", "-n", "3", "--out", "levels.csv"]);
    let text = std::fs::read_to_string(folder.path().join("levels.csv")).unwrap();
    let numbers: Vec<f64> = text.lines().flat_map(|row| row.split(',')).map(|cell| cell.parse().unwrap()).collect();
    assert!(numbers.len() == 3 * 64 && numbers.iter().all(|x| x.fract() == 0.0 && (0.0..=16.0).contains(x)), "{text}");

    // The noise is drawn once for other bounds too.
    let keys = ["--set", "data.dequantize=uniform", "--set", "model.likelihood=normal"];
    train(folder.path(), "both", &[&keys[..], &["--set", "evaluation.importance_samples=2"]].concat());
    let result = json(&folder.path().join("both/result.json"));
    let metrics = ["likelihood", "importance_weighted"].map(|measure| measured(&result, measure, "test"));
    let [elbo, weighted] = metrics.each_ref().map(|metric| metric["estimator"].as_str().unwrap());
    let noise = ", one dequantised x + u per example";
    assert_eq!(elbo, format!("32 posterior samples per example, KL in closed form{noise}"));
    assert_eq!(weighted, format!("importance-weighted bound, k = 2{noise}"));
}

#[test]
fn reading_row_by_row_gives_the_same_run_and_detects_changes() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..40_000u32).map(|i| (i * i / 7 % 16) as u8).collect();
    std::fs::write(folder.path().join("x.npy"), npy("(600, 8, 8)", &pixels[..38_400])).unwrap();
    std::fs::write(folder.path().join("t.npy"), npy("(20, 8, 8)", &pixels[..1280])).unwrap();
    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/vae.toml")).unwrap();
    let data = "source = \"npy\"\ntrain = \"x.npy\"\ntest = \"t.npy\"\nlevels = 17";
    assert!(config.contains("source = \"digits\""));
    std::fs::write(folder.path().join("vae.toml"), config.replace("source = \"digits\"", data)).unwrap();
    let memory = train(folder.path(), "memory", &["--set", "evaluation.importance_samples=0"]);
    let streamed =
        train(folder.path(), "disk", &["--set", "evaluation.importance_samples=0", "--set", "data.stream=true"]);
    let results = |table: &str| table.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(results(&memory), results(&streamed));

    // Another file under the same name while it trains.
    let mut child = common::dgm(folder.path())
        .args([
            "--config",
            "vae.toml",
            "--out",
            "changed",
            "--set",
            "training.epochs=100000",
            "--set",
            "data.stream=true",
        ])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.path().join("changed/metrics.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first line of metrics");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::fs::OpenOptions::new().write(true).open(folder.path().join("x.npy")).unwrap().set_len(1000).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(last.starts_with("error: ") && last.contains("x.npy: the file was changed while it is in use;"), "{text}");
    // It cannot resume with that file, and says so.
    let resumed = run(folder.path(), &["--resume", "changed"]);
    let text = String::from_utf8(resumed.stderr).unwrap();
    assert_eq!(resumed.status.code(), Some(2));
    assert!(text.contains("x.npy: found 872 bytes of data; expected 38400 for 600 × 8 × 8: cut short"), "{text}");
}

/// Pixels as floats from 0 to 1: each refusal says what makes levels of them, and that trains.
#[test]
fn floats_from_0_to_1_become_levels_as_the_messages_say() {
    let folder = tempfile::tempdir().unwrap();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 4, 4), }";
    let mut bytes = b"\x93NUMPY\x01\x00v\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend((0..960u32).flat_map(|i| ((i * i % 256) as f32 / 255.0).to_le_bytes()));
    std::fs::write(folder.path().join("x.npy"), bytes).unwrap();
    let config = "[data]\nsource = \"npy\"\ntrain = \"x.npy\"\ntest = \"x.npy\"\n[model]\nkind = \"vae\"\nlatent = 2\n\
                  encoder = { kind = \"mlp\", hidden = [8] }\nlikelihood = \"bernoulli\"\n[training]\nepochs = 1\n";
    std::fs::write(folder.path().join("x.toml"), config).unwrap();
    let args = |keys: &[&'static str]| {
        let sets = keys.iter().flat_map(|key| ["--set", key]);
        ["--config", "x.toml", "--quiet", "--out", "run"].into_iter().chain(sets).collect::<Vec<_>>()
    };
    let text = common::run_fails(folder.path(), &args(&[]), 2);
    let advice = "the data hold real numbers; use \"normal\", \"normal_mixture\", \"laplace\" or \"student_t\", or make levels of pixels: set data.levels = 256 (and data.scale = \
                  255, if they are from 0 to 1) and data.binarize = \"dynamic\"";
    assert!(text.ends_with(advice), "{text}");
    let text = common::run_fails(folder.path(), &args(&["data.levels=256"]), 2);
    assert!(text.ends_with("for pixels from 0 to 1 set data.scale = 255, else leave data.levels out"), "{text}");
    let text = common::run_fails(folder.path(), &args(&["data.binarize=dynamic"]), 2);
    assert!(text.contains("data.levels = 256 and data.scale = 255"), "{text}");
    let text = common::run_fails(folder.path(), &args(&["model.likelihood=beta_binomial"]), 2);
    assert!(text.ends_with("set data.levels = 256 (and data.scale = 255, if they are from 0 to 1)"), "{text}");

    run_ok(folder.path(), &args(&["data.levels=256", "data.scale=255", "data.binarize=dynamic"]));
    let transforms = &json(&folder.path().join("run/result.json"))["transforms"];
    assert_eq!(transforms[0], "numbers times 255 are the levels");
    for (out, keys) in [
        ("levels", &["data.levels=256", "data.scale=255", "model.likelihood=beta_binomial"][..]),
        ("real", &["model.likelihood=normal"]),
    ] {
        let mut args = args(keys);
        args[4] = out;
        run_ok(folder.path(), &args);
    }
}

#[test]
fn augmentation_as_input_is_scored_and_sampled_unaugmented() {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<u8> = (0..60 * 16).map(|i| (i * 7 % 4) as u8).collect();
    std::fs::write(folder.path().join("images.npy"), npy("(60, 4, 4)", &images)).unwrap();
    let config = "[data]\nsource = \"npy\"\ntrain = \"images.npy\"\ntest = \"images.npy\"\nlevels = 4\n\
                  augment = { shift = 1, orientation = \"dihedral\", condition = true }\n\
                  [model]\nkind = \"vae\"\nencoder = { kind = \"mlp\", hidden = [16] }\n[training]\nepochs = 2\n";
    std::fs::write(folder.path().join("augmented.toml"), config).unwrap();
    let table = run_ok(folder.path(), &["--config", "augmented.toml", "--out", "run", "--quiet"]);
    assert!(table.contains("transform: training images shifted by up to 1 pixel and turned"), "{table}");
    let provenance = json(&folder.path().join("run/provenance.json"));
    assert_eq!(provenance["spec"]["condition"]["augmentation"], 11);
    let shown = run_ok(folder.path(), &["data", "inspect", "augmented.toml"]);
    assert!(shown.contains("condition    11 elements that encode the augmentation\n"), "{shown}");
    // Zeros as conditions need no data.
    std::fs::remove_file(folder.path().join("images.npy")).unwrap();
    run_ok(folder.path(), &["sample", "run", "-n", "3", "--out", "drawn.csv"]);
    let samples = std::fs::read_to_string(folder.path().join("drawn.csv")).unwrap();
    assert_eq!(samples.lines().count(), 3);

    let set = ["--config", "augmented.toml", "--set", "data.augment.orientation=spiral"];
    let text = common::run_fails(folder.path(), &set, 2);
    assert!(text.contains("there is no `spiral`") && text.contains("dihedral"), "{text}");
    let set = ["--config", "augmented.toml", "--set", "data.augment={condition=true}"];
    let text = common::run_fails(folder.path(), &set, 2);
    assert!(text.contains("data.augment.condition is true; expected false where neither shift"), "{text}");
}
