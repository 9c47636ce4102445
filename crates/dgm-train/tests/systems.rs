//! Every shipped system beside autoregressive models and flows through the real binary: killed and resumed, on two backends, diagnosed, encoded
//! and decoded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "systems/representation.rs"]
mod representation;

use common::{curve, dgm, json, measured, metrics, run, run_fails, run_ok, weights};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const NARROW: [&str; 6] = [
    "--set",
    "model.encoder={kind=\"mlp\",hidden=[16],dropout=0.1}",
    "--set",
    "model.decoder={kind=\"mlp\",hidden=[16]}",
    "--set",
    "evaluation.importance_samples=2",
];

/// The same of a model that has no density.
const NARROW_CODES: [&str; 4] = [
    "--set",
    "model.encoder={kind=\"mlp\",hidden=[16],dropout=0.1}",
    "--set",
    "model.decoder={kind=\"mlp\",hidden=[16]}",
];

/// The shipped systems on digits, and what makes them small.
const SYSTEMS: [(&str, &[&str]); 17] = [
    (
        "conv-vae",
        &[
            "--set",
            "model.encoder.hidden=[16,16]",
            "--set",
            "model.decoder={kind=\"conv\",channels=[4,3],hidden=[8]}",
            "--set",
            "model.prior.hidden=[8]",
            "--set",
            "training.evaluate_every=1",
            "--set",
            "evaluation.importance_samples=2",
        ],
    ),
    ("vae-peer", &NARROW),
    ("beta-vae", &NARROW),
    ("conditional-vae", &NARROW),
    ("iwae", &NARROW),
    ("info-vae", &NARROW),
    ("adversarial-autoencoder", &NARROW),
    ("hierarchical-vae", &NARROW),
    (
        "latent-generator",
        &[
            "--set",
            "model.decoder={kind=\"mlp\",hidden=[16]}",
            "--set",
            "model.samples=8",
            "--set",
            "evaluation.importance_samples=2",
        ],
    ),
    ("hyperspherical-vae", &NARROW),
    ("discrete-vae", &NARROW),
    ("vamp-vae", &NARROW),
    ("flow-vae", &NARROW),
    ("autoencoder", &NARROW_CODES),
    ("contrastive", &["--set", "model.encoder.hidden=[16]", "--set", "training.batch_size=50"]),
    (
        "gan",
        &[
            "--set",
            "model.generator={kind=\"mlp\",hidden=[16]}",
            "--set",
            "model.discriminator={kind=\"mlp\",hidden=[16],dropout=0.1}",
        ],
    ),
    (
        "diffusion",
        &[
            "--set",
            "model.network={kind=\"unet\",channels=[4,6],blocks=1,waves=2,dropout=0.1}",
            "--set",
            "model.noise_levels=2",
            "--set",
            "model.steps=3",
            "--set",
            "training.batch_size=50",
            "--set",
            "training.evaluate_every=1",
        ],
    ),
];

fn args<'a>(config: &'a str, out: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    [&["--config", config, "--out", out, "--quiet"], extra].concat()
}

#[test]
fn a_killed_run_of_every_system_ends_as_the_whole_one() {
    let mut random = dgm_core::random::Seed(1).stream("kill", 0);
    for (config, sizes) in SYSTEMS {
        let folder = tempfile::tempdir().unwrap();
        let extra = [sizes, &["--set", "training.epochs=3", "--set", "training.checkpoint_every={steps=7}"]].concat();
        let began = Instant::now();
        run_ok(folder.path(), &args(config, "whole", &extra));
        let longest = began.elapsed().as_secs_f32() * 0.7;
        let mut next = args(config, "part", &extra);
        for kill in 0..100 {
            let mut child = dgm(folder.path()).args(&next).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            if kill < 3 {
                std::thread::sleep(Duration::from_secs_f32(random.uniform() * longest));
                child.kill().unwrap();
            }
            if child.wait().unwrap().code() == Some(0) {
                break;
            }
            assert!(kill < 99, "{config}: does not come to its end");
            if folder.path().join("part/config.toml").exists() {
                next = vec!["--resume", "part", "--quiet"];
            } else {
                let _ = std::fs::remove_dir_all(folder.path().join("part"));
            }
        }
        let [whole, part] = ["whole", "part"].map(|run| folder.path().join(run));
        assert_eq!(weights(&whole), weights(&part), "{config}");
        assert_eq!(curve(&whole), curve(&part), "{config}");
    }
}

/// All terms of the first steps.
fn terms(folder: &Path, config: &str, backend: &str, extra: &[&str]) -> Vec<(String, f64)> {
    let out = format!("{config}-{backend}");
    let more = ["--backend", backend, "--set", "training.epochs=1", "--set", "training.report_every=1"];
    run_ok(folder, &args(config, &out, &[extra, &more].concat()));
    let mut terms = Vec::new();
    for line in metrics(&folder.join(out)).iter().filter(|line| line["kind"] == "train") {
        let known = ["step", "epoch", "learning_rate", "examples_per_second", "seconds"];
        for (name, value) in line.as_object().unwrap() {
            if let Some(value) = value.as_f64().filter(|_| !known.contains(&name.as_str())) {
                terms.push((name.clone(), value));
            }
        }
    }
    terms
}

#[test]
fn every_system_is_the_same_on_flex_and_ndarray() {
    let folder = tempfile::tempdir().unwrap();
    for (config, sizes) in SYSTEMS {
        let flex = terms(folder.path(), config, "flex", sizes);
        let other = terms(folder.path(), config, "ndarray", sizes);
        assert!(flex.len() >= 40, "{config}: {flex:?}");
        for ((name, flex), (_, other)) in flex.iter().zip(&other) {
            assert!((flex - other).abs() <= 2e-3 * flex.abs().max(1.0), "{config}, {name}: {flex} {other}");
        }
    }
}

#[test]
fn a_validation_says_what_the_latent_variables_hold() {
    let folder = tempfile::tempdir().unwrap();
    let small = [&NARROW[..], &["--set", "training.epochs=6", "--set", "training.evaluate_every=3"]].concat();
    run_ok(folder.path(), &args("hierarchical-vae", "run", &small));
    let lines = metrics(&folder.path().join("run"));
    let line = lines.iter().rfind(|line| line["kind"] == "validation").unwrap();
    let latent = &line["latent"];
    assert_eq!(latent["kl"].as_array().unwrap().len(), 2);
    let kl: f64 = latent["kl"].as_array().unwrap().iter().map(|kl| kl.as_f64().unwrap()).sum();
    let [reconstruction, information, marginal] =
        ["reconstruction", "mutual_information", "marginal_kl"].map(|key| latent[key].as_f64().unwrap());
    // One sample of the same bound, of all 350 examples each.
    let bound = line["nats_per_example"].as_f64().unwrap();
    assert!((reconstruction + kl - bound).abs() < 2.0, "{reconstruction} + {kl}, {bound}");
    // Of the first 64 examples.
    assert!(information <= 64f64.ln() + 1e-6 && (information + marginal - kl).abs() < 3.0, "{latent}");

    let results = json(&folder.path().join("run/result.json"));
    let quantities: Vec<String> = results["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|metric| metric["measure"] == "latent" && metric["split"] == "test")
        .map(|metric| metric["quantity"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "reconstruction",
        "KL",
        "KL, layer 1",
        "active units, layer 1",
        "KL, layer 2",
        "active units, layer 2",
        "I(x; z)",
        "marginal KL",
    ];
    assert_eq!(quantities, expected);
}

#[test]
fn the_top_layer_of_a_hierarchy_stays_active() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["--set", "training.epochs=60", "--set", "evaluation.importance_samples=0"];
    run_ok(folder.path(), &args("hierarchical-vae", "run", &few));
    let results = json(&folder.path().join("run/result.json"));
    let active = |layer: usize| {
        let metrics = results["metrics"].as_array().unwrap().iter();
        let quantity = format!("active units, layer {layer}");
        metrics.clone().find(|metric| metric["quantity"] == quantity.as_str()).unwrap()["value"].as_f64().unwrap()
    };
    assert!(active(1) >= 2.0 && active(2) >= 2.0, "{results}");
}

#[test]
fn vectors_and_images_are_conditions_of_a_vae() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text: String = (0..120).map(|i| format!("{},{},{}\n", i % 7, f64::from(i).sin(), f64::from(i % 11))).collect();
    std::fs::write(path.join("t.csv"), format!("a,b,c\n{text}")).unwrap();
    let table = "data={source=\"csv\",path=\"t.csv\",target=[\"b\",\"c\"],condition=[\"a\"]}";
    let vector = ["--set", table, "--set", "model.likelihood=\"normal\"", "--set", "model.latent=2"];
    let image = ["--set", "data.condition=\"image\"", "--set", "data.target=\"label\""];
    let image = [&image[..], &["--set", "model.likelihood=\"categorical\""]].concat();
    // A table has a header.
    for (out, data, lines) in [("vector", &vector[..], 4), ("image", &image, 3)] {
        let epochs = ["--set", "training.epochs=2", "--set", "training.batch_size=20"];
        run_ok(path, &args("conditional-vae", out, &[&NARROW[..], &epochs, data].concat()));
        run_ok(path, &["sample", out, "-n", "3", "--out", &format!("{out}.csv")]);
        let sampled = std::fs::read_to_string(path.join(format!("{out}.csv"))).unwrap();
        assert_eq!(sampled.lines().count(), lines, "{sampled}");
    }
}

#[test]
fn posterior_collapse_is_said_with_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str, beta: &str| {
        let beta = format!("objective.beta={beta}");
        run_ok(
            folder.path(),
            &args("beta-vae", out, &[&NARROW[..], &["--set", &beta, "--set", "training.epochs=40"]].concat()),
        );
        json(&folder.path().join(out).join("result.json"))
    };
    let collapsed = train("collapsed", "20.0");
    let note = collapsed["notes"][0].as_str().expect("a note");
    assert!(note.starts_with("posterior collapse: no latent variable is active (KL 0.0"), "{note}");
    assert!(note.contains("nats, I(x; z) 0.0"), "{note}");
    assert!(note.contains("objective.free_bits = { nats = 0.05 }") && note.contains("a beta of at most 1"), "{note}");
    let printed = run_ok(folder.path(), &["evaluate", "collapsed"]);
    assert!(printed.contains(&format!("note: {note}")), "{printed}");
    assert_eq!(train("active", "1.0")["notes"], serde_json::Value::Null);
    // While it trains, once, and of every layer.
    let two = ["--set", "objective.beta=200.0", "--set", "training.epochs=40", "--set", "training.evaluate_every=5"];
    let two = args("hierarchical-vae", "two", &[&NARROW[..], &two].concat());
    let told = dgm(folder.path()).args(two).output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.matches("warning: posterior collapse: no latent variable of layer").count(), 1, "{told}");
    let note = &json(&folder.path().join("two/result.json"))["notes"][0];
    assert!(note.as_str().unwrap().contains("no latent variable of layers 1, 2 is active (KL 0."), "{note}");
}

#[test]
fn a_second_estimate_agrees_with_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--set",
        "training.epochs=60",
        "--set",
        "evaluation.importance_samples=2000",
        "--set",
        "evaluation.importance_examples=20",
        "--set",
        "evaluation.proposal_scale=1.1",
        "--set",
        "evaluation.annealed={steps=100,leapfrog=8,chains=8,examples=20}",
    ];
    run_ok(folder.path(), &args("beta-vae", "run", &[&NARROW[..], &["--set", "objective.beta=1.0"], &more].concat()));
    let results = json(&folder.path().join("run/result.json"));
    let [weighted, annealed] = ["importance_weighted", "annealed"].map(|measure| measured(&results, measure, "test"));
    assert_eq!((weighted["examples"].as_u64(), annealed["examples"].as_u64()), (Some(20), Some(20)));
    assert!(
        weighted["estimator"]
            .as_str()
            .unwrap()
            .ends_with("k = 2000, deviations of the proposal times 1.1, of 20 examples evenly over the split"),
        "{weighted}"
    );
    // Both are upper bounds of the same NLL of the same 20 examples.
    let difference = weighted["value"].as_f64().unwrap() - annealed["value"].as_f64().unwrap();
    assert!(difference.abs() < 0.5, "{weighted} {annealed}");
    let gap = results["metrics"].as_array().unwrap().iter().find(|metric| metric["quantity"] == "AIS gap").unwrap();
    let [value, error] = ["value", "standard_error"].map(|key| gap[key].as_f64().unwrap());
    assert!((-3.0 * error..0.5).contains(&value), "{gap}");
    // Samples of real numbers are differentiable, and what was made of them is not to be.
    let real =
        ["--set", "data.dequantize=\"uniform\"", "--set", "model.likelihood=\"normal\"", "--set", "training.epochs=1"];
    run_ok(
        folder.path(),
        &args(
            "vae-peer",
            "real",
            &[&NARROW[..], &real, &["--set", "evaluation.annealed={steps=3,examples=10}"]].concat(),
        ),
    );
    // A sphere has no gradients to go along.
    let line = run_fails(
        folder.path(),
        &args(
            "hyperspherical-vae",
            "sphere",
            &[&NARROW[..], &["--set", "training.epochs=1", "--set", "evaluation.annealed={}"]].concat(),
        ),
        2,
    );
    assert!(line.contains("the latent variables of this model are points of a sphere; leave it out"), "{line}");
}

#[test]
fn examples_are_encoded_and_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run_ok(path, &args("vae-peer", "run", &[&NARROW[..], &["--set", "training.epochs=2"]].concat()));
    let said = run_ok(path, &["encode", "run", "--out", "codes.csv"]);
    assert_eq!(said, "codes of 447 examples, 16 numbers each, in codes.csv\n");
    let csv = std::fs::read_to_string(path.join("codes.csv")).unwrap();
    assert_eq!(run_ok(path, &["encode", "run", "--out", "-"]), csv);
    assert_eq!(run_ok(path, &["sample", "run", "-n", "3", "--out", "-"]).lines().count(), 3);
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!((header.len(), header[0], header[1], header[16]), (17, "label", "z1", "z16"));
    assert_eq!(csv.lines().count(), 448);
    run_ok(path, &["encode", "run", "--split", "validation", "-n", "5", "--out", "codes.npy"]);
    assert_eq!(std::fs::read(path.join("codes.npy")).unwrap().len(), 128 + 5 * 16 * 8);

    for command in [
        &["reconstruct", "run", "-n", "20"][..],
        &["interpolate", "run", "--between", "3,17", "--between", "0,446", "--spherical"],
        &["traverse", "run", "--example", "2", "--variables", "3"],
    ] {
        run_ok(path, command);
    }
    for name in ["reconstructions.png", "interpolations.png", "traversals.png"] {
        assert!(std::fs::read(path.join(name)).unwrap().starts_with(b"\x89PNG"), "{name}");
    }
    // As numbers, an interpolation begins and ends at the reconstructions of its ends.
    let rows = |name: &str, lead: usize| -> Vec<Vec<f64>> {
        let text = std::fs::read_to_string(path.join(name)).unwrap();
        let cells = |line: &str| line.split(',').skip(lead).map(|cell| cell.parse().unwrap()).collect();
        text.lines().skip(1).map(cells).collect()
    };
    run_ok(path, &["reconstruct", "run", "-n", "2", "--out", "r.csv"]);
    run_ok(path, &["interpolate", "run", "--between", "0,1", "--steps", "4", "--out", "i.csv"]);
    for command in ["reconstruct", "sample"] {
        run_ok(path, &[command, "run", "-n", "2", "--out", "r.npy"]);
        let bytes = std::fs::read(path.join("r.npy")).unwrap();
        let rows = if command == "sample" { 2 } else { 4 };
        assert!(String::from_utf8_lossy(&bytes[..128]).contains(&format!("'shape': ({rows}, 64)")), "{command}");
    }
    let text = std::fs::read_to_string(path.join("r.csv")).unwrap();
    assert!(text.starts_with("number,what,x1,x2,") && text.contains("\n1,reconstruction,"), "{text}");
    let (reconstructed, between) = (rows("r.csv", 2), rows("i.csv", 3));
    assert_eq!((reconstructed.len(), between.len()), (4, 4));
    for (mean, end) in [(&reconstructed[2], &between[0]), (&reconstructed[3], &between[3])] {
        assert!(mean.iter().zip(end).all(|(a, b)| (a - b).abs() < 1e-3), "{mean:?} {end:?}");
    }
    let printed = run_ok(path, &["evaluate", "run", "--figures", "--annealed", "2"]);
    assert!(printed.contains("annealed importance sampling, 2 steps of 10 leapfrog steps, 16 chains"), "{printed}");
    for (name, text) in
        [("latent_map", "Codes of 447"), ("curves", "Learning curves"), ("terms", "Terms of the training loss")]
    {
        let drawn = std::fs::read_to_string(path.join(format!("run/figures/{name}.svg"))).unwrap();
        assert!(drawn.starts_with("<svg") && drawn.contains(text), "{name}: {drawn}");
    }
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run_ok(path, &args("vae-peer", "vae", &[&NARROW[..], &["--set", "training.epochs=1"]].concat()));
    let small = ["--set", "model.channels=4", "--set", "model.layers=1", "--set", "training.epochs=1"];
    run_ok(path, &args("pixelcnn", "arm", &small));
    run_ok(path, &args("discrete-vae", "classes", &[&NARROW[..], &["--set", "training.epochs=1"]].concat()));
    for (arguments, expected) in [
        (&["encode", "arm"][..], "the model \"pixel_cnn\" cannot encode examples"),
        (&["encode", "vae", "--out", "codes.txt"], "codes.txt: expected a .csv or a .npy; name one"),
        (&["encode", "vae", "--out", "no/codes.csv"], "no: this folder does not exist; make it"),
        (&["reconstruct", "vae", "--out", "r.gif"], "r.gif: expected a .png, a .csv or a .npy; name one"),
        (
            &["interpolate", "vae", "--between", "0,447"],
            "--between 447: the split has examples 0 to 446; give one of them",
        ),
        (
            &["interpolate", "classes", "--spherical"],
            "the codes of this run are classes, which lie on no arc; leave out --spherical",
        ),
        (&["traverse", "vae", "--example", "999"], "--example 999: the split has examples 0 to 446"),
        (&["traverse", "vae", "--span", "0"], "--span 0: expected a number above 0"),
    ] {
        let line = run_fails(path, arguments, 2);
        assert!(line.contains(expected), "{line}");
    }
    let output = run(path, &["interpolate", "vae", "--between", "3"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected two whole numbers with a comma, as in 3,17"));
    let refused = |set: &str, expected: &str| {
        let line = run_fails(path, &args("vae-peer", "no", &["--set", set]), 2);
        assert!(line.contains(expected), "{line}");
        assert!(!path.join("no").exists());
    };
    refused("model.posterior=\"von_mises_fisher\"", "which is not a density of points of a sphere");
    refused("model.prior=\"uniform\"", "set model.prior = \"standard_normal\"");
    refused("evaluation.proposal_scale=0.0", "a number from 0.1 to 10");
    let line = run_fails(
        path,
        &args("vae-peer", "no", &["--set", "evaluation.annealed={}", "--set", "training.ensemble=2"]),
        2,
    );
    assert!(line.contains("evaluation.annealed is for a single model"), "{line}");
    refused("model.decoder={kind=\"conv\",channels=[]}", "1 to 16 numbers from 1 to 4096");
}
