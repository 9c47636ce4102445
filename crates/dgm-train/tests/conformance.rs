//! What training keeps of every registered kind of model, whoever adds it: an interrupted run resumes to the weights of the run that was
//! not interrupted.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::Device;
use dgm_core::random::Seed;
use dgm_models::{ColumnValues, ConditionSpec, DataSpec, Scale, Values};
use dgm_train::backend::Backend;
use dgm_train::config::{Config, ModelConfig};
use dgm_train::data::{Dataset, Matrix, Split};
use dgm_train::evaluate::Results;
use dgm_train::run::{ChangedAt, Run};
use dgm_train::run_folder::RunFolder;
use dgm_train::train::{initial_model, restore};
use dgm_train::weights::weights_sha256;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const CLASSES: usize = 2;
/// Three steps an epoch, of which the last is a smaller batch.
const TRAIN: usize = 20;
const BATCH: usize = 8;
const EPOCHS: usize = 2;
const STEPS: usize = 6;

static GO: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(true);

/// Random values given one of two labels.
fn dataset(shape: [usize; 3], values: &Values) -> Dataset {
    let condition =
        Some(ConditionSpec { scale: Scale::identity(CLASSES), classes: Some(CLASSES), augmentation: 0, shape: None });
    let spec = DataSpec { shape, values: values.clone(), condition };
    let mut rng = Seed(7).stream("data", 0);
    let mut value = |dimension: usize| match spec.levels_of(dimension) {
        0 => f64::from(rng.normals(1)[0]),
        levels => f64::from(rng.below(levels as u32)),
    };
    let mut split = |n: usize| {
        let target = (0..n * spec.event()).map(|place| value(place % spec.event())).collect();
        let label = (0..n).flat_map(|row| [f64::from(u8::from(row % 2 == 0)), f64::from(u8::from(row % 2 == 1))]);
        let label = Matrix::new(n, CLASSES, label.collect());
        Split::new(Matrix::new(n, spec.event(), target).into(), Some(label.into()))
    };
    let splits = [split(TRAIN), split(6), split(6)];
    Dataset::given("random", spec.clone(), splits).unwrap()
}

/// A small model of this kind with the values of the keys that it has; those that it does not have are left out.
fn model(kind: &str, likelihood: &str, dropout: f64) -> ModelConfig {
    // Some kinds have no such key.
    let with = json!({ "kind": kind, "likelihood": likelihood });
    let mut json =
        if serde_json::from_value::<ModelConfig>(with.clone()).is_ok() { with } else { json!({ "kind": kind }) };
    for (key, value) in [
        ("dropout", json!(dropout)),
        ("hidden", json!([6, 5])),
        ("encoder", json!({ "kind": "mlp", "hidden": [6], "dropout": dropout })),
        ("decoder", json!({ "kind": "mlp", "hidden": [6] })),
        ("latent", json!(2)),
        ("channels", json!(8)),
        ("layers", json!(2)),
        ("heads", json!(2)),
    ] {
        let mut with = json.clone();
        with[key] = value;
        if serde_json::from_value::<ModelConfig>(with.clone()).is_ok() {
            json = with;
        }
    }
    serde_json::from_value(json).unwrap()
}

/// Kinds that are fitted in one go, to data without a condition.
const FITTED: [&str; 3] = ["kde", "gaussian_mixture", "histogram"];

/// Makes a data set.
type Make = fn() -> Dataset;

/// Every kind on each of the data that it is for, with this dropout.
fn cases(dropout: f64) -> Vec<(Config, Make)> {
    let data: [(&str, Make); 3] = [
        ("categorical", || dataset([1, 2, 3], &Values::Levels(3))),
        ("normal", || dataset([1, 1, 2], &Values::Real(Scale::identity(2)))),
        ("normal", || {
            let columns = ColumnValues { levels: vec![3, 0, 2], scale: Scale::identity(3) };
            dataset([1, 1, 3], &Values::Columns(columns))
        }),
    ];
    let mut cases = Vec::new();
    for &kind in ModelConfig::KINDS {
        let before = cases.len();
        for (likelihood, data) in data {
            let mut config = Config::new(model(kind, likelihood, dropout));
            (config.training.epochs, config.training.batch_size) = (EPOCHS, BATCH);
            config.training.ema_decay = Some(0.9);
            if initial_model(&config, &data().spec, &Device::flex()).is_ok() {
                cases.push((config, data));
            }
        }
        assert!(cases.len() > before || FITTED.contains(&kind), "{kind} fits none of the data");
    }
    cases
}

fn begun(config: &Config, data: Dataset, folder: &Path) -> Run {
    Run::create_with(config.clone(), data, Backend::open("flex").unwrap(), folder).unwrap()
}

fn trained(config: &Config, data: Dataset, folder: &Path) -> Results {
    begun(config, data, folder).train(&mut (), &GO).unwrap().unwrap()
}

/// Trains to the end, by another process, as it were, for each step.
fn trained_step_by_step(config: &Config, data: fn() -> Dataset, folder: &Path) -> Results {
    let mut run = begun(config, data(), folder);
    for step in 1..=STEPS {
        assert!(run.train(&mut (), &STOP).unwrap().is_none(), "interrupted");
        assert_eq!(
            RunFolder::open(folder).unwrap().checkpoints().newest().unwrap().unwrap().progress.step,
            step as u64
        );
        drop(run);
        run = Run::resume_with(folder, data(), ChangedAt::default(), &mut ()).unwrap();
    }
    assert!(run.is_complete());
    run.train(&mut (), &GO).unwrap().unwrap()
}

/// SHA-256 of the weights of the last step, which need not be the best.
fn last_weights(config: &Config, data: Dataset, folder: &Path) -> String {
    let checkpoint = RunFolder::open(folder).unwrap().checkpoints().newest().unwrap().unwrap();
    let model = initial_model(config, &data.spec, &Device::flex()).unwrap();
    weights_sha256([&restore::weights(model, checkpoint.section("model").unwrap()).unwrap()])
}

#[test]
fn every_kind_interrupted_after_every_step_ends_at_the_same_weights() {
    for ((config, data), (without, _)) in cases(0.3).into_iter().zip(cases(0.0)) {
        let folder = tempfile::tempdir().unwrap();
        let [whole, parts, other] = ["whole", "parts", "other"].map(|name| folder.path().join(name));
        let results = trained(&config, data(), &whole);
        let again = trained_step_by_step(&config, data, &parts);
        let what = format!("{:?}", config.model);
        assert_eq!(results.weights_sha256, again.weights_sha256, "{what}");
        assert_eq!(results, again, "{what}");
        assert_eq!(last_weights(&config, data(), &whole), last_weights(&config, data(), &parts), "{what}");
        // Dropout has its noise in what was compared.
        if config != without {
            trained(&without, data(), &other);
            assert_ne!(last_weights(&config, data(), &whole), last_weights(&without, data(), &other), "{what}");
        }
    }
}

#[test]
fn what_is_fitted_is_trained_and_evaluated_and_found_again() {
    for kind in FITTED {
        let config = Config::new(model(kind, "normal", 0.0));
        let unconditional = || {
            let mut rng = Seed(7).stream("data", 0);
            let mut split = |n: usize| {
                let values = rng.normals(2 * n).into_iter().map(f64::from).collect();
                Split::new(Matrix::new(n, 2, values).into(), None)
            };
            let splits = [split(60), split(20), split(20)];
            let spec = DataSpec { shape: [1, 1, 2], values: Values::Real(Scale::identity(2)), condition: None };
            Dataset::given("random", spec, splits).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(kind);
        let results = trained(&config, unconditional(), &path);
        let mut again = Run::<ModelConfig>::resume_with(&path, unconditional(), ChangedAt::default(), &mut ()).unwrap();
        assert!(again.is_complete(), "{kind}");
        assert_eq!(again.train(&mut (), &GO).unwrap().unwrap(), results, "{kind}");
    }
}
