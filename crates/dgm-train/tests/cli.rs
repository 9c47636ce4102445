//! The real binary from end to end: train, evaluate, sample, interrupt and resume.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/tensorboard.rs"]
mod tensorboard;

use common::{dgm, json, measured, metrics, run_fails, run_ok};
use std::path::Path;
use std::process::Stdio;

/// Small and quick variants of the configurations of the digits.
const QUICK: [(&str, &[&str]); 4] = [
    (
        "vae.toml",
        &[
            "--set",
            "model.encoder.hidden=[32]",
            "--set",
            "model.decoder.hidden=[32]",
            "--set",
            "evaluation.importance_samples=5",
        ],
    ),
    ("arm.toml", &["--set", "model.channels=8", "--set", "model.layers=2"]),
    ("pixelcnn.toml", &["--set", "model.channels=8", "--set", "model.layers=2"]),
    ("conditional.toml", &["--set", "model.hidden=[32]"]),
];

fn train(folder: &Path, config: &str, out: &str, extra: &[&str]) -> String {
    let twice = ["--set", "training.epochs=2", "--set", "training.evaluate_every=1"];
    let mut args = [&["--config", config, "--out", out][..], &twice].concat();
    args.extend(extra);
    run_ok(folder, &args)
}

#[test]
fn digits_configurations_train_and_their_folders_suffice() {
    let folder = tempfile::tempdir().unwrap();
    for (config, extra) in QUICK {
        let table = train(folder.path(), config, config, extra);
        assert!(table.contains("nats/example"), "{table}");
        let run = folder.path().join(config);
        let result = json(&run.join("result.json"));
        let test = measured(&result, "likelihood", "test");
        assert!(test["value"].as_f64().unwrap().is_finite());
        assert!(test["standard_error"].as_f64().unwrap() > 0.0);
        assert_eq!(test["examples"], 447);
        let exact = config != "vae.toml";
        assert_eq!(test["quantity"], if exact { "NLL" } else { "-ELBO" });
        assert_eq!(measured(&result, "importance_weighted", "test").is_object(), !exact);
        assert_eq!(measured(&result, "accuracy", "test").is_object(), config == "conditional.toml");
        assert_eq!(json(&run.join("provenance.json"))["examples"], serde_json::json!([1000, 350, 447]));
        assert_eq!(metrics(&run).iter().filter(|line| line["kind"] == "validation").count(), 2);

        // Again, from the folder alone (the digits are built in): the same results to the last digit, and the same samples.
        let again: serde_json::Value =
            serde_json::from_str(&run_ok(folder.path(), &["evaluate", config, "--json"])).unwrap();
        assert_eq!(again, result);
        let validation: serde_json::Value =
            serde_json::from_str(&run_ok(folder.path(), &["evaluate", config, "--split", "validation", "--json"]))
                .unwrap();
        assert!(validation["metrics"].as_array().unwrap().iter().all(|metric| metric["split"] == "validation"));
        let both = [&validation, &result].map(|results| measured(results, "likelihood", "validation"));
        assert_eq!(both[0], both[1]);
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
fn results_of_other_data_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table = |scale: f32| -> String { (0..40).map(|i| format!("{},{}\n", i % 7, scale * (i % 5) as f32)).collect() };
    std::fs::write(folder.path().join("table.csv"), table(1.0)).unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"table.csv\"\ntarget = [1]\n[model]\nkind = \"conditional_mlp\"\n";
    std::fs::write(folder.path().join("table.toml"), config).unwrap();
    run_ok(folder.path(), &["--config", "table.toml", "--out", "run", "--set", "training.epochs=1"]);
    run_ok(folder.path(), &["evaluate", "run"]);
    // Of another split some of the test was trained on.
    let resolved = folder.path().join("run/config.toml");
    let text = std::fs::read_to_string(&resolved).unwrap();
    let edited = text.replace("test_fraction = 0.1", "test_fraction = 0.5");
    assert_ne!(edited, text);
    std::fs::write(&resolved, edited).unwrap();
    let line = run_fails(folder.path(), &["evaluate", "run"], 2);
    assert!(line.contains("no longer matches the run's checkpoints, in data.test_fraction; restore it"), "{line}");
    // They may move.
    let moved = folder.path().join("moved.csv");
    std::fs::rename(folder.path().join("table.csv"), &moved).unwrap();
    std::fs::write(&resolved, text.replace("table.csv", "moved.csv")).unwrap();
    run_ok(folder.path(), &["evaluate", "run"]);
    run_ok(folder.path(), &["--resume", "run"]);
    std::fs::rename(&moved, folder.path().join("table.csv")).unwrap();
    std::fs::write(&resolved, text).unwrap();
    let line = run_fails(folder.path(), &["evaluate", "run", "--importance-samples", "5"], 2);
    assert!(line.contains("for models with latent variables"), "{line}");
    std::fs::write(folder.path().join("table.csv"), table(1000.0)).unwrap();
    for command in ["evaluate", "--resume"] {
        let text = run_fails(folder.path(), &[command, "run"], 2);
        assert!(text.contains("not those that the run began with"), "{text}");
    }
}

#[test]
fn closed_pipes_are_no_error_and_a_full_disk_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for (out, code) in [(Stdio::from(writer), 0), (std::fs::File::create("/dev/full").unwrap().into(), 1)] {
        let output = dgm(folder.path()).args(["data", "inspect", "digits"]).stdout(out).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert_eq!(text.lines().count(), code as usize, "{text}");
        assert!(code == 0 || text.starts_with("error: standard output cannot be written"), "{text}");
    }
    // Nor is a log that cannot be written.
    let full = || Stdio::from(std::fs::File::create("/dev/full").unwrap());
    let missing = dgm(folder.path()).args(["sample", "none"]).stderr(full()).status().unwrap();
    assert_eq!(missing.code(), Some(2));
    let small = ["--config", "conditional", "--out", "run", "--set", "training.epochs=1", "--set", "model.hidden=[8]"];
    assert!(dgm(folder.path()).args(small).stdout(Stdio::null()).stderr(full()).status().unwrap().success());
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

#[test]
fn a_model_given_the_label_is_also_scored_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "data.condition=label", "--set", "model.channels=16", "--set", "model.layers=3", "--set"];
    let small = [&small[..], &["optimizer.learning_rate=0.01", "--set", "model.dropout=0"]].concat();
    let augment = ["--set", "data.augment={shift=1,condition=true,unvaried=0.5}", "--set", "training.epochs=6"];
    let table = train(folder.path(), "pixelcnn.toml", "arm", &[&small[..], &augment[..]].concat());
    let result = json(&folder.path().join("arm/result.json"));
    let nats = |row: &serde_json::Value| row["value"].as_f64().unwrap();
    for split in ["test", "validation"] {
        let [given, mixture] = ["likelihood", "label_mixture"].map(|measure| measured(&result, measure, split));
        assert_eq!((&mixture["quantity"], &mixture["examples"]), (&"NLL".into(), &given["examples"]));
        assert_eq!(mixture["estimator"], "exact mixture over 10 labels, p(y) from the training labels");
        assert_eq!(given["estimator"], "exact, given the label");
        // p(x) ≥ p(y) p(x | y): no more is lost than the surprise of the labels, some 2.3 nats; something is, as
        // this model uses them.
        let lost = nats(&mixture) - nats(&given);
        assert!((0.0..2.32).contains(&lost), "{split}: {lost}");
    }
    let accuracy = measured(&result, "label_accuracy", "test");
    let [right, error] = ["value", "standard_error"].map(|key| accuracy[key].as_f64().unwrap());
    assert!(right > 0.4 && accuracy["examples"] == 447, "{accuracy}");
    assert!((error - (right * (1.0 - right) / 447.0).sqrt()).abs() < 1e-12);
    for line in ["exact mixture over 10 labels", "%, generative classifier argmax p(y) p(x | y)\n"] {
        assert!(table.contains(line), "{table}");
    }
    // Not asked for, of a bound, and where the label is the target.
    let off = [&small[..], &["--set", "evaluation.label_mixture=false"]].concat();
    let vae = [
        "--set",
        "data.condition=label",
        "--set",
        "model.encoder.hidden=[8]",
        "--set",
        "model.decoder.hidden=[8]",
        "--set",
        "evaluation.importance_samples=0",
    ];
    for (config, extra) in
        [("arm.toml", &off[..]), ("vae.toml", &vae), ("conditional.toml", &["--set", "model.hidden=[8]"])]
    {
        let out = format!("without-{config}");
        train(folder.path(), config, &out, extra);
        let result = json(&folder.path().join(out).join("result.json"));
        let found = ["label_mixture", "label_accuracy"].map(|measure| measured(&result, measure, "test"));
        assert!(found.iter().all(serde_json::Value::is_null), "{result}");
    }
}
