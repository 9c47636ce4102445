//! Every objective and every prior from a configuration: it trains, its terms are written down, and what does not fit is one clear line.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, measured, metrics, run_fails, run_ok};
use serde_json::Value;
use std::path::Path;

/// A small VAE of the digits.
const VAE: [&str; 10] = [
    "--config",
    "vae.toml",
    "--set",
    "model.encoder.hidden=[32]",
    "--set",
    "model.decoder.hidden=[32]",
    "--set",
    "training.epochs=3",
    "--set",
    "evaluation.importance_samples=0",
];

fn sets<'a>(base: &[&'a str], assignments: &[&'a str]) -> Vec<&'a str> {
    let more = assignments.iter().flat_map(|assignment| ["--set", *assignment]);
    base.iter().copied().chain(more).collect()
}

/// Trains quietly into `out`; the last line of its metrics that is of training, and its results.
fn trained(folder: &Path, out: &str, args: &[&str]) -> (Value, Value) {
    run_ok(folder, &[args, &["--quiet", "--out", out]].concat());
    let run = folder.join(out);
    let last = metrics(&run).into_iter().rfind(|line| line["kind"] == "train").unwrap();
    (last, json(&run.join("result.json")))
}

/// What 64 pixels of 17 levels cost where all are equally probable.
fn uniform() -> f64 {
    64.0 * 17f64.ln()
}

#[test]
fn every_objective_of_latent_variables_trains() {
    let folder = tempfile::tempdir().unwrap();
    for (name, assignments, terms) in [
        ("free_bits", &["objective.beta=0.5", "objective.free_bits={nats=0.05,group=4}"][..], &["nll", "kl"][..]),
        ("iwae", &["objective={kind='iwae',samples=3}"], &["nll_bound"]),
        ("dreg", &["objective={kind='dreg',samples=3}"], &["nll_bound"]),
        ("info_vae", &["objective={kind='info_vae',lambda=10.0}"], &["nll", "kl"]),
    ] {
        let (line, result) = trained(folder.path(), name, &sets(&VAE, assignments));
        let sum: f64 = terms.iter().map(|term| line[term].as_f64().unwrap()).sum();
        assert!((line["nats_per_example"].as_f64().unwrap() - sum).abs() < 1e-9, "{name}: {line}");
        // Whatever was trained, the result is the bound with the whole KL.
        let test = measured(&result, "likelihood", "test");
        assert!(test["value"].as_f64().unwrap() < uniform() - 20.0, "{name}: {test}");
        assert_eq!(test["estimator"], "32 posterior samples per example, KL in closed form");
        // What is trained by importance weights is chosen by them.
        let chosen = measured(&result, "importance_weighted", "validation");
        assert_eq!(chosen.is_object(), ["iwae", "dreg"].contains(&name), "{name}: {chosen}");
        if let Some(weighted) = chosen["value"].as_f64() {
            let bound = measured(&result, "likelihood", "validation")["value"].as_f64().unwrap();
            let lines = metrics(&folder.path().join(name));
            let best = lines
                .iter()
                .filter_map(|line| line["nats_per_example"].as_f64().filter(|_| line["kind"] == "validation"));
            let best = best.fold(f64::INFINITY, f64::min);
            // Other noise.
            assert!(
                (best - weighted).abs() < 0.2 * (bound - weighted) && weighted < bound,
                "{best} {weighted} {bound}"
            );
        }
    }
}

#[test]
fn every_prior_trains_and_samples() {
    let folder = tempfile::tempdir().unwrap();
    for prior in ["'standard_normal'", "{kind='mixture',components=3}", "{kind='vamp',components=20}"] {
        let set = format!("model.prior={prior}");
        let _ = std::fs::remove_dir_all(folder.path().join("run"));
        let (_, result) = trained(folder.path(), "run", &sets(&VAE, &[&set, "evaluation.importance_samples=20"]));
        let [bound, weighted] = ["likelihood", "importance_weighted"].map(|measure| {
            let metric = measured(&result, measure, "test");
            assert!(metric["value"].as_f64().unwrap() < uniform() - 20.0, "{prior}: {metric}");
            metric
        });
        let closed = if prior == "'standard_normal'" { "KL in closed form" } else { "KL by the same samples" };
        assert!(bound["estimator"].as_str().unwrap().ends_with(closed), "{bound}");
        // The tighter bound, well within its noise.
        assert!(weighted["value"].as_f64().unwrap() < bound["value"].as_f64().unwrap(), "{weighted} {bound}");
        assert!(folder.path().join("run/samples.png").is_file());
        let again: Value = serde_json::from_str(&run_ok(folder.path(), &["evaluate", "run", "--json"])).unwrap();
        assert_eq!(again, result, "{prior}");
    }
    let text = run_fails(folder.path(), &sets(&VAE, &["model.prior='vmap'"]), 2);
    assert!(text.contains("there is no `vmap`; did you mean `vamp`?"), "{text}");
    let text = run_fails(folder.path(), &sets(&VAE, &["model.prior='vamp'", "data.condition='label'"]), 2);
    assert!(text.contains("pseudo-inputs have no condition"), "{text}");
}

/// Pseudo-inputs that begin at training examples are trained from the first step on, whether a run is resumed or not.
#[test]
fn a_fitted_prior_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let sha = |run: &str| json(&folder.path().join(run).join("result.json"))["weights_sha256"].clone();
    let vamp = |run: &str, epochs: &str| {
        let keys = ["model.prior={kind='vamp',components=20}", "optimizer.schedule=constant", epochs];
        trained(folder.path(), run, &sets(&VAE, &keys));
    };
    vamp("straight", "training.epochs=4");
    vamp("resumed", "training.epochs=2");
    let halfway = sha("resumed");
    run_ok(folder.path(), &["--resume", "resumed", "--quiet", "--set", "training.epochs=4"]);
    assert!(sha("resumed") == sha("straight") && sha("resumed") != halfway);
    // They move, and a group of parameters holds them still.
    vamp("two", "training.epochs=2");
    let frozen = "optimizer.groups=[{match='prior.inputs',learning_rate_factor=0}]";
    let keys = ["model.prior={kind='vamp',components=20}", "optimizer.schedule=constant", "training.epochs=2", frozen];
    trained(folder.path(), "frozen", &sets(&VAE, &keys));
    assert_ne!(sha("two"), sha("frozen"));
}

#[test]
fn classification_is_smoothed_focused_and_weighed() {
    let folder = tempfile::tempdir().unwrap();
    let base = ["--config", "conditional.toml", "--set", "training.epochs=2"];
    let weights = format!("objective.class_weights={:?}", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0]);
    for (name, assignment) in [
        ("smoothed", "objective.label_smoothing=0.1"),
        ("focused", "objective.focal=2.0"),
        ("weighed", weights.as_str()),
        ("penalised", "objective.penalty={l2=0.01,match='trunk.*'}"),
    ] {
        let (line, result) = trained(folder.path(), name, &sets(&base, &[assignment]));
        assert!(measured(&result, "accuracy", "test")["value"].as_f64().unwrap() > 0.5, "{name}");
        assert_eq!(line["nats_per_example"], line["nll"], "{name}: the likelihood without weights and penalties");
        let (loss, nll) = (line["loss"].as_f64().unwrap(), line["nll"].as_f64().unwrap());
        match name {
            "smoothed" => {
                let uniform = line["uniform"].as_f64().unwrap();
                assert!((loss - 0.9 * nll - 0.1 * uniform).abs() < 1e-4, "{line}");
            }
            "focused" => assert!(loss < nll, "{line}"),
            "weighed" => assert!(loss > nll, "{line}"),
            _ => assert!((loss - nll - 0.01 * line["l2"].as_f64().unwrap()).abs() < 1e-3, "{line}"),
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\nlatent = 6\n[training]\nepochs = 1\nmicro_batch_size = 8\n[objective]\n";
    let refused = |objective: &str, expected: &str| {
        std::fs::write(folder.path().join("c.toml"), format!("{config}{objective}\n")).unwrap();
        let text = run_fails(folder.path(), &["--config", "c.toml", "--out", "run"], 2);
        assert!(text.contains(expected), "{text}\n{expected}");
        assert!(!folder.path().join("run").exists(), "nothing is left behind");
    };
    refused(
        "free_bits = { nats = 0.1 }",
        "c.toml:8: training.micro_batch_size is 8, below training.batch_size = 64: the objective \"elbo\", as it is configured, compares the",
    );
    refused("kind = \"info_vae\"", "leave micro_batch_size out, or lower batch_size");
    let alone =
        ["--config", "vae", "--set", "objective={kind='info_vae'}", "--set", "training.batch_size=1", "--out", "run"];
    let text = run_fails(folder.path(), &alone, 2);
    let expected = "--set training.batch_size=1: training.batch_size is 1, and the objective \"info_vae\" compares the examples of a batch";
    assert!(text.contains(expected), "{text}");
    refused(
        "free_bits = { nats = 0.1, group = 4 }",
        "c.toml:10: `objective.free_bits` needs a group that divides the 6 terms of the KL; group is 4: change it",
    );
    refused(
        "kind = \"nll\"",
        "c.toml:10: `objective.kind` is \"nll\", which is for models that are trained by their likelihood itself; the model \"vae\" is trained by \"elbo\"",
    );
    refused(
        "penalty = { l2 = 1.0, match = \"decodre.*\" }",
        "c.toml:10: objective.penalty.match: `decodre.*` matches no parameter",
    );
    refused(
        "[optimizer.players.model]\nlearning_rate = 0.1",
        "the model \"vae\" has one player; write its keys in [optimizer]",
    );
    let text = run_fails(folder.path(), &["--config", "arm.toml", "--set", "objective.beta=0.5", "--out", "run"], 2);
    assert!(text.contains("unknown key `beta` in [objective] with kind = \"nll\""), "{text}");
}
