//! Codes without a density, and what is generated without one: probes, distances to the test examples, refusals.

use super::common::{json, metrics, run_fails, run_ok};
use super::{NARROW_CODES, args};
use std::path::Path;

/// A quickly trained classifier of the digits.
fn classifier(folder: &Path, extra: &[&str]) {
    let small = [
        "--set",
        "model.features={kind=\"conv\",channels=[8],hidden=[24]}",
        "--set",
        "model.hidden=[]",
        "--set",
        "model.residual=false",
        "--set",
        "training.ensemble=1",
        "--set",
        "training.epochs=10",
    ];
    run_ok(folder, &args("digits-labels", "classifier", &[&small, extra].concat()));
}

#[test]
fn a_probe_compares_codes_with_principal_components() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run_ok(path, &args("autoencoder", "run", &[&NARROW_CODES[..], &["--set", "training.epochs=30"]].concat()));
    let text = run_ok(path, &["probe", "run", "--labels", "50,all", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = found["probes"].as_array().unwrap();
    let kinds: Vec<(&str, u64, u64)> = rows
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().unwrap();
            (row["representation"].as_str().unwrap(), number("numbers"), number("labels"))
        })
        .collect();
    let expected = [("code", 16), ("principal components", 16), ("input", 64)];
    let expected: Vec<_> = expected.into_iter().flat_map(|(name, n)| [(name, n, 50), (name, n, 1000)]).collect();
    assert_eq!(kinds, expected);
    for row in rows {
        // Far above the 10 % of chance, and more labels tell more.
        let accuracy = row["linear"]["value"].as_f64().unwrap();
        assert!((0.5..1.0).contains(&accuracy), "{row}");
    }
    let of = |place: usize| rows[place]["linear"]["value"].as_f64().unwrap();
    assert!(of(1) > of(0) && of(5) > of(4), "{rows:?}");
    // The same digits, logistic regression on standardised pixels (C from 1e-3 to 10 by the validation split): scikit-learn 1.9.1 has 0.9038.
    assert!((of(5) - 0.9038).abs() < 0.005, "{}", rows[5]);
    // The same on every second validation example, chosen on the others: scikit-learn 1.9.1 has 169 of 175 right.
    let text = run_ok(path, &["probe", "run", "--split", "validation", "--labels", "all", "--json"]);
    let held: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((held["split"].as_str(), held["examples"].as_u64()), (Some("validation"), Some(175)));
    let input = held["probes"][2]["linear"]["value"].as_f64().unwrap();
    assert!((input - 169.0 / 175.0).abs() < 1.5 / 175.0, "{held}");
    let table = run_ok(path, &["probe", "run", "--labels", "1000,all"]);
    assert_eq!(table.matches("principal components       16").count(), 1, "{table}");
    assert!(table.contains("principal components       16    1000"), "{table}");
    assert!(table.contains("k-means of the test examples, 10 clusters"), "{table}");
    for (arguments, expected) in [
        (
            &["probe", "run", "--labels", "5000"][..],
            "--labels 5000: the training split has 1000; give as many or fewer",
        ),
        (&["sample", "run", "--out", "s.png"], "the model \"autoencoder\" cannot sample: it can encode examples"),
    ] {
        let line = run_fails(path, arguments, 2);
        assert!(line.contains(expected), "{line}");
    }
    run_ok(path, &["reconstruct", "run", "-n", "4"]);
    // Codes decoded are nearer to the images than the mean image is, whose error is the variance of the levels, 18.6 in the mean over the pixels.
    let results = json(&path.join("run/result.json"));
    let metric = &results["metrics"][0];
    assert_eq!(
        (metric["quantity"].as_str(), metric["unit"].as_str()),
        (Some("reconstruction error"), Some("squared levels"))
    );
    assert!((0.5..15.0).contains(&metric["value"].as_f64().unwrap()), "{metric}");

    // However a run augments its images, a probe is of the images.
    let once = ["--set", "training.epochs=1", "--set", "data.augment.shift=1"];
    run_ok(path, &args("autoencoder", "shifted", &[&NARROW_CODES[..], &once].concat()));
    let text = run_ok(path, &["probe", "shifted", "--labels", "all", "--json"]);
    let shifted: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shifted["probes"][2], rows[5]);
}

#[test]
fn generated_examples_are_held_against_the_test_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    classifier(path, &[]);
    let small = [
        "--set",
        "model.generator={kind=\"mlp\",hidden=[32]}",
        "--set",
        "model.discriminator={kind=\"mlp\",hidden=[32]}",
        "--set",
        "training.epochs=1",
    ];
    run_ok(path, &args("gan", "gan", &small));
    let evaluated = |run: &str| -> serde_json::Value {
        serde_json::from_str(&run_ok(
            path,
            &["evaluate", run, "--features", "classifier", "--generated", "200", "--json"],
        ))
        .unwrap()
    };
    let results = evaluated("gan");
    let of = |quantity: &str| {
        let all = results["metrics"].as_array().unwrap();
        let found =
            all.iter().find(|metric| metric["quantity"] == quantity).unwrap_or_else(|| panic!("{quantity}: {results}"));
        found["value"].as_f64().unwrap()
    };
    // Hardly trained: nothing like the digits, and everything tells so.
    assert!(of("FID") > 10.0 * of("FID of training examples") && of("FID of training examples") > 0.0);
    assert!(of("kernel distance") > 0.0 && of("precision") < 0.6 && of("two-sample accuracy") > 0.9);
    assert!(of("share of the rarest class") <= 0.1 && of("share of the commonest class") >= 0.1);
    assert!(of("near training examples") <= 0.05);
    // A share of none or of all is not known without an error.
    let shares = results["metrics"].as_array().unwrap().iter().filter(|metric| metric["unit"] == "proportion");
    assert!(
        shares.clone().count() > 5
            && shares.clone().any(|metric| [0.0, 1.0].contains(&metric["value"].as_f64().unwrap()))
    );
    assert!(shares.clone().all(|metric| metric["standard_error"].as_f64().unwrap() > 0.0), "{results}");
    // Of ten blocks, and of all samples.
    let all = results["metrics"].as_array().unwrap();
    let kernel = all.iter().find(|metric| metric["quantity"] == "kernel distance").unwrap();
    assert_eq!(kernel["examples"], 200);
    assert!(kernel["estimator"].as_str().unwrap().contains("the mean of 10 blocks"), "{kernel}");
    // What is near was chosen by a share of 5 % of 200 examples, whose error counts too.
    let near = all.iter().find(|metric| metric["quantity"] == "near training examples").unwrap();
    assert!(near["standard_error"].as_f64().unwrap() > (0.05f64 * 0.95 / 200.0).sqrt() - 1e-9, "{near}");
    // Samples can be measured, and there are no codes to probe.
    let told = run_ok(path, &["evaluate", "gan"]);
    assert!(
        told.contains("evaluate RUN --features CLASSIFIER measures its samples") && !told.contains("probe"),
        "{told}"
    );
    // What has no density has no likelihood among its results.
    assert!(json(&path.join("gan/result.json"))["metrics"].as_array().unwrap().is_empty());
    let terms = metrics(&path.join("gan"));
    assert!(terms.iter().any(|line| line["kind"] == "train"), "{terms:?}");

    let line = run_fails(path, &["evaluate", "gan", "--features", "gan"], 2);
    assert!(
        line.contains("found a model of kind \"gan\"; expected a single model that predicts labels; name the run of"),
        "{line}"
    );
    run_ok(
        path,
        &args(
            "vae",
            "binary",
            &[
                "--set",
                "data.binarize=\"threshold\"",
                "--set",
                "model.likelihood=\"bernoulli\"",
                "--set",
                "training.epochs=1",
                "--set",
                "evaluation.importance_samples=0",
            ],
        ),
    );
    let line = run_fails(path, &["evaluate", "binary", "--features", "classifier"], 2);
    assert!(line.contains("name a classifier that was trained on such images, with the same data.binarize"), "{line}");
}

#[test]
fn what_does_not_fit_is_refused_in_the_words_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    for (config, set, expected) in [
        ("gan", "model.generator={kind=\"mlp\",hidden=[0]}", "`model.generator.hidden` is [0]"),
        ("gan", "model.discriminator={kind=\"mlp\",dropout=1.0}", "`model.discriminator.dropout` is 1"),
        ("gan", "model.gradient_penalty=-1.0", "a finite number of at least 0"),
        ("gan", "training.early_stopping={patience=3}", "has no validation loss to go by"),
        ("diffusion", "model.network={kind=\"unet\",channels=[]}", "`model.network.channels` is []"),
        ("diffusion", "model.network={kind=\"unet\",waves=17}", "`model.network.waves` is 17, expected 0 to 16"),
        ("diffusion", "model.steps=0", "`model.steps` is 0, expected 1 to 100000"),
        ("contrastive", "model.temperature=0.0", "`model.temperature` is 0"),
        ("contrastive", "model.views={erase=1.0}", "`model.views.erase` is 1, expected a share from 0"),
        ("contrastive", "training.micro_batch_size=10", "micro_batch_size"),
        ("contrastive", "training.batch_size=333", "leaves 1 of the 1000 training examples"),
        ("autoencoder", "model.masked=1.0", "`model.masked` is 1"),
        ("conditional", "model.features=\"conv\"", ""),
    ] {
        let more = ["--set", set, "--set", "training.epochs=1"];
        if expected.is_empty() {
            run_ok(folder.path(), &args(config, "works", &more));
            continue;
        }
        let line = run_fails(folder.path(), &args(config, "no", &more), 2);
        assert!(line.contains(expected), "{config}, {set}: {line}");
    }
}

/// Neither the sampler nor its steps are learnt, so that a run's samples are those of one that was trained with other values.
#[test]
fn a_diffusion_model_samples_in_as_many_steps_as_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let small = ["--set", "model.network={kind=\"unet\",channels=[4],blocks=1}", "--set", "training.epochs=1"];
    let two = ["--set", "model.steps=2", "--set", "model.sampler=\"ddim\""];
    run_ok(path, &args("diffusion", "three", &[&small[..], &["--set", "model.steps=3"]].concat()));
    run_ok(path, &args("diffusion", "two", &[&small[..], &two].concat()));
    let sampled = |run: &str, more: &[&str]| run_ok(path, &[&["sample", run, "-n", "4", "--out", "-"], more].concat());
    let expected = sampled("two", &[]);
    assert_eq!(sampled("three", &two), expected);
    assert_ne!(sampled("three", &[]), expected);
    assert_ne!(sampled("three", &two[..2]), expected);

    let refused = |command: &[&str], set: &str| run_fails(path, &[command, &["--set", set]].concat(), 2);
    let line = refused(&["sample", "three"], "model.noise_levels=2");
    assert!(line.contains("expected how samples are drawn (model.sampler, model.steps); everything else is"), "{line}");
    let line = refused(&["sample", "three"], "model.steps=0");
    assert!(line.contains("`model.steps` is 0, expected 1 to 100000"), "{line}");
    // What draws no samples does not take it.
    for command in ["evaluate", "score"] {
        let line = refused(&[command, "three"], "model.steps=2");
        assert!(line.contains("everything is as the run was trained"), "{line}");
    }
}
