//! Bad input to the real binary: one clear line, exit code 2, and no run folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::run_fails;
use std::path::Path;

/// Trains with this configuration, which must fail; the error's line. Nothing may be left behind.
fn refused(folder: &Path, config: &str, extra: &[&str]) -> String {
    std::fs::write(folder.join("bad.toml"), config).unwrap();
    let text = run_fails(folder, &[&["--config", "bad.toml", "--out", "run"], extra].concat(), 2);
    assert!(!folder.join("run").exists(), "a run folder was left behind");
    text
}

fn assert_mentions(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

const VAE: &str = "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n";

#[test]
fn a_configuration_error_names_key_line_and_what_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(folder.path(), &format!("{VAE}latnt = 3\n"), &[]);
    assert_mentions(&text, &["bad.toml:5", "latnt", "did you mean `latent`?"]);
    let text = refused(folder.path(), &format!("{VAE}latent = \"many\"\n"), &[]);
    assert_mentions(&text, &["bad.toml:5", "latent"]);
    let text = refused(folder.path(), &format!("{VAE}latent = 0\n"), &[]);
    assert_mentions(&text, &["bad.toml:5", "model.latent", "0", "1 to 65536"]);
    let text = refused(folder.path(), VAE, &["--set", "model.encoder={kind='mlp',dropout=1.5}"]);
    assert_mentions(
        &text,
        &["--set model.encoder={kind='mlp',dropout=1.5}: `model.encoder.dropout` is 1.5", "from 0 up to"],
    );
    let text = refused(folder.path(), &format!("{VAE}[training]\nepochs = 0\n"), &[]);
    assert_mentions(&text, &["bad.toml:6", "epochs", "0", "at least 1"]);
    let text = refused(folder.path(), VAE, &["--set", "training.epoch=5"]);
    assert_mentions(&text, &["--set", "epoch", "did you mean `epochs`?"]);
    let text = refused(folder.path(), &format!("{VAE}likelihood = \"bernoulli\"\n"), &[]);
    assert_mentions(&text, &["17 levels", "categorical"]);
    let text = refused(folder.path(), "this is not toml", &[]);
    assert_mentions(&text, &["bad.toml:1"]);
}

#[test]
fn a_missing_configuration_lists_the_shipped_ones() {
    let folder = tempfile::tempdir().unwrap();
    let text = run_fails(folder.path(), &["--config", "vea.toml"], 2);
    assert_mentions(&text, &["vea.toml", "vae.toml", "arm.toml", "did you mean `vae.toml`?"]);
}

#[test]
fn an_unknown_backend_lists_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(folder.path(), VAE, &["--backend", "flexx"]);
    assert_mentions(&text, &["flexx", "flex, ndarray", "did you mean `flex`?"]);
}

/// An IDX file of two 2×2 images and one of their labels.
fn idx(folder: &Path, images: &[u8], labels: &[u8]) -> String {
    std::fs::write(folder.join("images"), images).unwrap();
    std::fs::write(folder.join("labels"), labels).unwrap();
    "[data]\nsource = \"idx\"\ntrain_images = \"images\"\ntrain_labels = \"labels\"\ntest_images = \"images\"\n\
     test_labels = \"labels\"\nvalidation = 1\n[model]\nkind = \"vae\"\n"
        .to_string()
}

const IMAGES: [u8; 24] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
const LABELS: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 3, 7];

#[test]
fn a_missing_data_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = idx(folder.path(), &IMAGES, &LABELS).replace("\"images\"", "\"nowhere/images.gz\"");
    assert_mentions(&refused(folder.path(), &config, &[]), &["nowhere/images.gz"]);
}

#[test]
fn a_truncated_idx_file_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let config = idx(folder.path(), &IMAGES[..20], &LABELS);
    assert_mentions(&refused(folder.path(), &config, &[]), &["images"]);
}

#[test]
fn a_label_out_of_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut labels = LABELS;
    labels[9] = 11;
    let config = idx(folder.path(), &IMAGES, &labels);
    assert_mentions(&refused(folder.path(), &config, &[]), &["labels", "11"]);
}

#[test]
fn nan_in_a_csv_is_found_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("table.csv"), "1,2,3\n4,NaN,6\n7,8,9\n").unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"table.csv\"\ntarget = [2]\n[model]\nkind = \"conditional_mlp\"\n";
    assert_mentions(
        &refused(folder.path(), config, &[]),
        &["table.csv:2", "column 1: the cell is missing", "data.missing = \"drop\""],
    );
}

#[test]
fn an_unwritable_output_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let text = run_fails(folder.path(), &["--config", "conditional.toml", "--out", "file/run"], 2);
    assert_mentions(&text, &["file/run", "output folder", "--out"]);
}

#[test]
fn what_is_no_run_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = run_fails(folder.path(), &["evaluate", "nothing"], 2);
    assert_mentions(&text, &["nothing", "does not exist"]);
    let text = run_fails(folder.path(), &["sample", "."], 2);
    assert_mentions(&text, &["not the folder of a run"]);
}

#[test]
fn a_model_beyond_memory_is_refused_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for (config, set) in [
        ("vae.toml", "model.encoder.hidden=[65536,65536]"),
        ("conditional.toml", "model.hidden=[65536,65536]"),
        ("arm.toml", "model.channels=16384"),
        ("pixelcnn.toml", "model.channels=16384"),
    ] {
        let text = run_fails(folder.path(), &["--config", config, "--set", set], 2);
        assert_mentions(&text, &["--set model.", "weights", "at most 268435456"]);
    }
}

#[test]
fn a_diverging_run_stops_with_the_reason_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let extra = ["--set", "optimizer.learning_rate=1e30", "--set", "optimizer.schedule=constant"];
    let args = [&["--config", "conditional.toml", "--out", "run", "--quiet"], &extra[..]].concat();
    let output = common::run(folder.path(), &args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_mentions(&text, &["training stopped", "learning_rate"]);
}

#[cfg(unix)]
#[test]
fn a_configuration_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--config", "/dev/zero"][..], &["data", "inspect", "/dev/zero"]] {
        assert_mentions(&run_fails(folder.path(), args, 2), &["/dev/zero", "more than 8 MB"]);
    }
}

#[test]
fn a_negative_number_is_the_value_of_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["sample", "run", "-n", "-5"][..],
        &["sample", "run", "--seed", "-5"],
        &["sample", "run", "--top-k", "-5"],
        &["evaluate", "run", "--importance-samples", "-5"],
        &["--config", "vae.toml", "--seed", "-5"],
        &["data", "inspect", "vae.toml", "-n", "-5"],
        &["evaluate", "run", "--features", "run", "--generated", "-5"],
        &["probe", "run", "--labels", "-5"],
        &["probe", "run", "--draws", "-5"],
        &["probe", "run", "-k", "-5"],
        &["score", "run", "--samples", "-5"],
        &["watch", "run", "--every", "-5"],
    ] {
        let text = run_fails(folder.path(), args, 2);
        assert!(text.contains("invalid value '-5'") && text.contains("expected"), "{args:?}: {text}");
    }
}

#[test]
fn a_mistake_in_the_arguments_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (
            &["--confg", "vae.toml"][..],
            &["'--confg'", "a similar argument exists: '--config'", "run the command with `--help`"][..],
        ),
        (&["evalute", "run"], &["'evalute'", "a similar subcommand exists: 'evaluate'"]),
        (&["evaluate"], &["not provided: <RUN>;"]),
        (&["--config", "vae.toml", "--log-format", "plane"], &["'plane'", "auto, plain, json"]),
        (&["data", "inspect", "digits", "--rows"], &["'--rows'"]),
        (&["sample", "run", "-n", "1e3"], &["'1e3'", "expected a whole number from 1 to 100000"]),
        (&["encode", "run", "-n", "0"], &["expected a whole number of at least 1"]),
    ] {
        assert_mentions(&run_fails(folder.path(), args, 2), expected);
    }
    for format in [&["--log-format", "json"][..], &["--log-format=json"]] {
        let output = common::run(folder.path(), &[format, &["--confg", "vae.toml"]].concat());
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((output.status.code(), &error["kind"]), (Some(2), &"error".into()));
        assert_mentions(&error.to_string(), &["unexpected argument '--confg'"]);
    }
}
