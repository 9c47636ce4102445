//! Weights to other programs and back with the real binary: what is exported and imported again is the same model, and what is not its weights is
//! refused before there is a folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use common::{json, run, run_fails, run_ok};
use dgm_train::config::{Config, ModelConfig};
use dgm_train::run_folder::RunFolder;
use dgm_train::train::initial_model;
use dgm_train::weights::weights_sha256;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// Data that are rows of three numbers, one number given two others, a level given two numbers, and images.
const DATA: [&str; 4] = [
    "source = \"csv\"\npath = \"t.csv\"\ntarget = [0, 1, 2]\ncondition = []\n",
    "source = \"csv\"\npath = \"t.csv\"\ntarget = [2]\ncondition = [0, 1]\n",
    "source = \"csv\"\npath = \"t.csv\"\ntarget = [3]\ncondition = [0, 1]\n",
    "source = \"digits\"\n",
];

/// A small model of this kind, with the values of the keys that it has.
fn model(kind: &str) -> ModelConfig {
    let mut model = json!({ "kind": kind });
    for (key, value) in [
        ("likelihood", json!("normal")),
        ("hidden", json!([6, 6])),
        ("encoder", json!({ "kind": "residual_mlp", "hidden": [6, 6] })),
        ("decoder", json!({ "kind": "mlp", "hidden": [6] })),
        ("latent", json!(2)),
        ("channels", json!(8)),
        ("layers", json!(2)),
        ("heads", json!(2)),
        ("network", json!({ "kind": "unet", "channels": [4, 4], "blocks": 1 })),
        ("noise_levels", json!(20)),
        ("steps", json!(5)),
    ] {
        let mut with = model.clone();
        with[key] = value;
        if serde_json::from_value::<ModelConfig>(with.clone()).is_ok() {
            model = with;
        }
    }
    serde_json::from_value(model).unwrap()
}

fn table() -> String {
    let row = |i: u32| {
        let (x, y) = (f64::from(i * 37 % 61) / 20.0, f64::from(i * i % 53) / 30.0);
        format!("{x},{y},{},{}\n", x.sin() + y * f64::from(i * 7919 % 97) / 97.0, i % 3)
    };
    (0..90).map(row).collect()
}

/// Trains a model of this kind for two epochs on the first of the data that it is for.
fn trained(folder: &Path, kind: &str) {
    let mut told = String::new();
    for data in DATA {
        let text = format!(
            "[data]\n{data}[model]\nkind = \"{kind}\"\n[training]\nepochs = 2\nbatch_size = 16\nema_decay = 0.9\n"
        );
        let mut config: Config = Config::from_toml(&text, "t.toml", &[]).unwrap();
        config.model = model(kind);
        fs::write(folder.join("t.toml"), config.to_toml().unwrap()).unwrap();
        let output = run(folder, &["--config", "t.toml", "--out", kind, "--quiet"]);
        if output.status.success() {
            return;
        }
        told = String::from_utf8(output.stderr).unwrap();
    }
    panic!("{kind} is for none of the data: {told}");
}

#[test]
fn every_kind_comes_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("t.csv"), table()).unwrap();
    for &kind in ModelConfig::KINDS {
        trained(path, kind);
        let said = run_ok(path, &["export", kind, "--out", "w.safetensors"]);
        let config = format!("{kind}/config.toml");
        run_ok(path, &["import", "--config", &config, "--weights", "w.safetensors", "--out", "again"]);
        let results = json(&path.join(kind).join("result.json"));
        assert_eq!(json(&path.join("again/result.json")), results, "{kind}");
        assert_eq!(fs::read(path.join("again/config.toml")).unwrap(), fs::read(path.join(&config)).unwrap(), "{kind}");

        // Once more: the same file, byte for byte.
        let first = fs::read(path.join("w.safetensors")).unwrap();
        run_ok(path, &["export", "again", "--out", "w.safetensors"]);
        assert!(fs::read(path.join("w.safetensors")).unwrap() == first, "{kind}");
        let (header, _) = parts(&first);
        assert_eq!(
            said,
            format!("{} tensors, {} parameters, in w.safetensors\n", header.len() - 1, results["parameters"])
        );
        let about = &header["__metadata__"];
        assert_eq!(about["dgm_version"], env!("CARGO_PKG_VERSION"));
        let told: Value = serde_json::from_str(about["config"].as_str().unwrap()).unwrap();
        assert_eq!(told["model"]["kind"], kind);
        // What PyTorch calls otherwise, and variants of enums, are in no name.
        let odd = ["gamma", "beta", "Mlp", "ResidualMlp", "Vae"];
        let names: Vec<&String> = header.keys().collect();
        assert!(names.iter().all(|name| !name.split('.').any(|part| odd.contains(&part))), "{names:?}");

        // Burn's own format is the record of the model.
        run_ok(path, &["export", kind, "--format", "burnpack", "--out", "w.bpk"]);
        let run = RunFolder::open(&path.join(kind)).unwrap();
        let (config, spec): (Config, _) = (run.config().unwrap(), run.provenance().unwrap().spec);
        let model = initial_model(&config, &spec, &Device::flex()).unwrap();
        if !["kde", "gaussian_mixture", "histogram"].contains(&kind) {
            let model = model.load_record(ModuleRecord::load(path.join("w.bpk")).unwrap());
            assert_eq!(weights_sha256([&model]), results["weights_sha256"].as_str().unwrap(), "{kind}");
        }
        fs::remove_dir_all(path.join("again")).unwrap();
    }
}

const SMALL: [&str; 8] = [
    "--set",
    "model.encoder.hidden=[8]",
    "--set",
    "model.decoder.hidden=[8]",
    "--set",
    "model.latent=2",
    "--set",
    "evaluation.importance_samples=5",
];

/// A small VAE of the digits, exported: the file's bytes.
fn vae(folder: &Path) -> Vec<u8> {
    run_ok(
        folder,
        &[&["--config", "vae.toml", "--out", "vae", "--quiet", "--set", "training.epochs=1"], &SMALL[..]].concat(),
    );
    run_ok(folder, &["export", "vae", "--out", "vae.safetensors"]);
    fs::read(folder.join("vae.safetensors")).unwrap()
}

/// Header and numbers of a safetensors file.
fn parts(bytes: &[u8]) -> (Map<String, Value>, Vec<u8>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

/// The file with something changed in its header or its numbers.
fn changed(bytes: &[u8], change: impl FnOnce(&mut Map<String, Value>, &mut Vec<u8>)) -> Vec<u8> {
    let (mut header, mut numbers) = parts(bytes);
    change(&mut header, &mut numbers);
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &numbers].concat()
}

/// Where a tensor's numbers are.
fn place(header: &Map<String, Value>, name: &str) -> [usize; 2] {
    serde_json::from_value(header[name]["data_offsets"].clone()).unwrap()
}

const BIAS: &str = "posterior.layer.bias";

#[test]
fn what_is_not_the_model_s_weights_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let good = vae(path);
    let last = |header: &Map<String, Value>| {
        let tensors = header.keys().filter(|name| *name != "__metadata__");
        tensors.max_by_key(|name| place(header, name)[1]).unwrap().clone()
    };
    let (header, _) = parts(&good);
    let missing = format!("found no tensor `{}`", last(&header));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"hello".to_vec(), "cannot be read as safetensors"),
        (b"PK\x03\x04 a pickle of PyTorch, zipped".to_vec(), "safetensors.torch.save_file"),
        (vec![], "cannot be read as safetensors"),
        (vec![0xff; 64], "cannot be read as safetensors"),
        (good[..good.len() - 1].to_vec(), "cannot be read as safetensors"),
        (good[..good.len() / 2].to_vec(), "cannot be read as safetensors"),
        (good[..100].to_vec(), "cannot be read as safetensors"),
        ([&good[..], &[0; 4]].concat(), "cannot be read as safetensors"),
        (
            changed(&good, |header, numbers| {
                let name = last(header);
                numbers.truncate(place(header, &name)[0]);
                header.remove(&name);
            }),
            &missing,
        ),
        (
            changed(&good, |header, _| {
                let tensor = header.remove(BIAS).unwrap();
                header.insert("posterior.linear.bias".into(), tensor);
            }),
            "found no tensor `posterior.layer.bias`; expected one of shape [4]; name tensors as dgm-train export does",
        ),
        (
            changed(&good, |header, numbers| {
                header.insert(
                    "extra\n".into(),
                    json!({ "dtype": "F32", "shape": [0, 3], "data_offsets": [numbers.len(), numbers.len()] }),
                );
            }),
            "found a tensor `extra\\n` of shape [0, 3] that the model does not have; expected 8 tensors and no other",
        ),
        (
            changed(&good, |header, _| header["encoder.layers.0.weight"]["shape"] = json!([64, 8])),
            "the tensor `encoder.layers.0.weight` has the shape [64, 8]; expected [8, 64]",
        ),
        (
            changed(&good, |header, _| header[BIAS]["shape"] = json!([2, 2])),
            "the tensor `posterior.layer.bias` has the shape [2, 2]; expected [4]",
        ),
        (
            changed(&good, |header, _| header[BIAS]["dtype"] = json!("I32")),
            "the tensor `posterior.layer.bias` holds numbers of type I32; expected floats",
        ),
        (
            changed(&good, |header, numbers| {
                let [start, _] = place(header, BIAS);
                numbers[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
            }),
            "the tensor `posterior.layer.bias` holds NaN; expected finite numbers",
        ),
        (
            changed(&good, |header, numbers| {
                let [start, _] = place(header, "encoder.layers.0.bias");
                numbers[start..start + 4].copy_from_slice(&3e38f32.to_le_bytes());
                let [start, end] = place(header, "posterior.layer.weight");
                numbers[start..end].chunks_mut(4).for_each(|number| number.copy_from_slice(&3e38f32.to_le_bytes()));
            }),
            "the validation loss of these weights is",
        ),
    ];
    let import = |weights: &str, extra: &[&str]| {
        let args = ["import", "--config", "vae.toml", "--weights", weights, "--out", "run"];
        let line = run_fails(path, &[&args, &SMALL[..], extra].concat(), 2);
        assert!(!path.join("run").exists(), "{line}");
        line
    };
    for (bytes, expected) in cases {
        fs::write(path.join("bad.safetensors"), bytes).unwrap();
        let line = import("bad.safetensors", &[]);
        assert!(line.starts_with("error: bad.safetensors: ") && line.contains(expected), "{line}");
    }
    for (weights, expected) in [
        ("none.safetensors", "cannot be read"),
        (".", "it is not a regular file"),
        ("/dev/zero", "it is not a regular file"),
    ] {
        let line = import(weights, &[]);
        assert!(line.contains(expected), "{line}");
    }
    let line = import("vae.safetensors", &["--set", "model.latent=3"]);
    assert!(line.contains("`posterior.layer.weight` has the shape [4, 8]; expected [6, 8]"), "{line}");
    assert!(line.contains("change [model] or [data] of vae.toml"), "{line}");
    let line = import("vae.safetensors", &["--set", "training.ensemble=2"]);
    assert!(line.contains("found training.ensemble above 1"), "{line}");
    let line = run_fails(path, &["import", "--config", "vae.toml", "--weights", "vae.safetensors", "--out", "vae"], 2);
    assert!(line.contains("has the shape"), "{line}");
    let line = run_fails(
        path,
        &[&["import", "--config", "vae.toml", "--weights", "vae.safetensors", "--out", "vae"], &SMALL[..]].concat(),
        2,
    );
    assert!(line.contains("holds a run"), "{line}");
}

#[test]
fn every_command_takes_an_imported_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let good = vae(path);
    // As numbers of 64 bits, as PyTorch may have them.
    let wide = changed(&good, |header, numbers| {
        *numbers = numbers
            .chunks(4)
            .flat_map(|x| f64::from(f32::from_le_bytes(x.try_into().unwrap())).to_le_bytes())
            .collect();
        for (_, tensor) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
            tensor["dtype"] = json!("F64");
            let [start, end]: [usize; 2] = serde_json::from_value(tensor["data_offsets"].clone()).unwrap();
            tensor["data_offsets"] = json!([2 * start, 2 * end]);
        }
    });
    fs::write(path.join("wide.safetensors"), wide).unwrap();
    let args = [
        "import",
        "--config",
        "vae.toml",
        "--weights",
        "wide.safetensors",
        "--out",
        "run",
        "--set",
        "training.epochs=1",
    ];
    let table = run_ok(path, &[&args, &SMALL[..]].concat());
    assert!(table.contains("-ELBO") && table.ends_with("results in run\n"), "{table}");
    let results = json(&path.join("run/result.json"));
    assert_eq!(results, json(&path.join("vae/result.json")));
    assert!(path.join("run/samples.png").is_file());
    let provenance = json(&path.join("run/provenance.json"));
    assert!(provenance["imported"]["file"].as_str().unwrap().ends_with("wide.safetensors"), "{provenance}");

    let again: Value = serde_json::from_str(&run_ok(path, &["evaluate", "run", "--json"])).unwrap();
    assert_eq!(again, results);
    assert!(run_ok(path, &["list", "."]).contains("complete"));
    for command in ["encode", "reconstruct"] {
        let [one, other] = ["run", "vae"].map(|run| {
            run_ok(path, &[command, run, "--out", "out.csv"]);
            fs::read(path.join("out.csv")).unwrap()
        });
        assert!(one == other, "{command}");
    }
    let score = |run: &str| run_ok(path, &["score", run, "--at-mean"]);
    assert_eq!(score("run"), score("vae"));
    run_ok(path, &["sample", "run", "-n", "4", "--out", "samples.png"]);
    run_ok(path, &["compare", "run", "vae"]);
    // It is at its end, and another run goes on from there.
    run_ok(path, &["--resume", "run", "--quiet"]);
    assert_eq!(json(&path.join("run/result.json")), results);
    let on = ["--config", "vae.toml", "--from", "run", "--out", "on", "--quiet", "--set", "training.epochs=1"];
    run_ok(path, &[&on, &SMALL[..]].concat());
    assert_ne!(json(&path.join("on/result.json"))["weights_sha256"], results["weights_sha256"]);
    // Without its checkpoints it is nothing that could be trained anew.
    for entry in fs::read_dir(path.join("run/checkpoint")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let line = run_fails(path, &["--resume", "run", "--quiet"], 2);
    assert!(line.contains("were read from") && line.contains("wide.safetensors"), "{line}");
}

#[test]
fn an_ensemble_is_exported_member_by_member() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let set = ["--set", "training.epochs=1", "--set", "model.hidden=[8]", "--set", "training.ensemble=2"];
    run_ok(path, &[&["--config", "conditional.toml", "--out", "two", "--quiet"], &set[..]].concat());
    let line = run_fails(path, &["export", "two", "--out", "w.safetensors"], 2);
    assert!(line.contains("found an ensemble of 2") && line.contains("two/member-0"), "{line}");
    run_ok(path, &["export", "two/member-0", "--out", "w.safetensors"]);
    let line = run_fails(path, &["export", "two/member-0", "--out", "none/w.safetensors"], 2);
    assert!(line.contains("this folder does not exist"), "{line}");
    let line = run_fails(path, &["export", "none", "--out", "w.safetensors"], 2);
    assert!(line.contains("does not exist"), "{line}");
    let line = run_fails(path, &["score", "two/member-0", "--at-mean"], 2);
    assert!(line.contains("--at-mean is for one model with latent variables"), "{line}");
}
