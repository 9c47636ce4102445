//! Models of a stranger's, which these crates know nothing of: they train, checkpoint, resume, sample or encode through the same code as
//! ours.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod toys;

use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::log_prob_stepwise;
use dgm_models::{Batch, ConditionSpec, DataSpec, Model, ModelFactory, Scale, Values};
use dgm_train::backend::Backend;
use dgm_train::checkpoint::Checkpoint;
use dgm_train::config::Config;
use dgm_train::data::{Dataset, Matrix, Split};
use dgm_train::evaluate::Results;
use dgm_train::metrics::Line;
use dgm_train::report::progress::Report;
use dgm_train::run::{ChangedAt, Run, Watch};
use dgm_train::run_folder::RunFolder;
use dgm_train::sampling::{Wanted, sample};
use dgm_train::train::Trainer;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use toys::arm::ToyArmConfig;
use toys::contrastive::ToyEncoderConfig;
use toys::gan::ToyGanConfig;
use toys::kde::ToyKdeConfig;
use toys::warnings::Warnings;

/// Normal numbers in two dimensions with mean (2, −1) and deviation ½; the first numbers of the training rows `bad` are huge.
fn cloud(bad: &[usize]) -> Dataset {
    let mut rng = Seed(7).stream("cloud", 0);
    let mut split = |n: usize, bad: &[usize]| {
        let mut values: Vec<f64> = Vec::new();
        for row in 0..n {
            let [x, y] = [0, 1].map(|_| f64::from(rng.normals(1)[0]));
            values.extend([if bad.contains(&row) { 1e25 } else { 2.0 + 0.5 * x }, -1.0 + 0.5 * y]);
        }
        Split::new(Matrix::new(n, 2, values).into(), None)
    };
    let spec = DataSpec { shape: [1, 1, 2], values: Values::Real(Scale::identity(2)), condition: None };
    Dataset::given("cloud", spec, [split(256, bad), split(64, &[]), split(64, &[])]).unwrap()
}

fn config<C: ModelFactory>(model: &str, more: &str) -> Config<C> {
    let text = format!("[data]\nsource = \"digits\"\n[model]\nkind = \"{model}\"\n{more}\n");
    Config::from_toml(&text, "toy.toml", &[]).unwrap()
}

fn flex() -> Backend {
    Backend::open("flex").unwrap()
}

static GO: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(true);

/// Trains on the cloud to the end.
fn trained<C: ModelFactory>(config: &Config<C>, folder: &Path) -> Results {
    let mut run = Run::create_with(config.clone(), cloud(&[]), flex(), folder).unwrap();
    run.train(&mut (), &GO).unwrap().unwrap()
}

/// Trains on the cloud, interrupted after every step.
fn trained_in_parts<C: ModelFactory>(config: &Config<C>, folder: &Path) -> Results {
    let mut first = Run::create_with(config.clone(), cloud(&[]), flex(), folder).unwrap();
    // Twice by itself: it resumes where it stands.
    for _ in 0..2 {
        assert!(first.train(&mut (), &STOP).unwrap().is_none(), "interrupted");
    }
    drop(first);
    loop {
        let mut run = Run::<C>::resume_with(folder, cloud(&[]), ChangedAt::default(), &mut ()).unwrap();
        if run.is_complete() {
            return run.train(&mut (), &GO).unwrap().unwrap();
        }
        // A run that ends with the step that a signal came in is complete and not yet evaluated.
        let _ = run.train(&mut (), &STOP).unwrap();
    }
}

fn newest(folder: &Path) -> Checkpoint {
    RunFolder::open(folder).unwrap().checkpoints().newest().unwrap().unwrap()
}

fn lines(folder: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Samples of the run in this folder, from the folder alone.
fn samples<C: ModelFactory>(folder: &Path, n: usize) -> Vec<Vec<f64>> {
    let folder = RunFolder::open(folder).unwrap();
    let (config, spec): (Config<C>, _) = (folder.config().unwrap(), folder.provenance().unwrap().spec);
    let model = folder.model(&config, &spec, &Device::flex()).unwrap();
    sample(&model, &Split::default(), &Wanted::plain(n, Seed(1)), &Device::flex(), &mut |_| {}).unwrap()
}

fn mean(samples: &[Vec<f64>], column: usize) -> f64 {
    samples.iter().map(|row| row[column]).sum::<f64>() / samples.len() as f64
}

#[test]
fn two_players_learn_to_generate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config: Config<ToyGanConfig> = config(
        "toy_gan",
        "[optimizer]\nlearning_rate = 2e-3\nbeta_1 = 0.5\n[optimizer.players.critic]\nlearning_rate = 4e-3\nbeta_1 = 0.5\n\
         [training]\nepochs = 60\nbatch_size = 32\nema_decay = 0.99",
    );
    let results = trained(&config, &path);
    assert!(
        results.metrics.is_empty() && results.table().contains("the model has no likelihood"),
        "{}",
        results.table()
    );
    let samples = samples::<ToyGanConfig>(&path, 2000);
    assert!(
        (mean(&samples, 0) - 2.0).abs() < 0.3 && (mean(&samples, 1) + 1.0).abs() < 0.3,
        "{} {}",
        mean(&samples, 0),
        mean(&samples, 1)
    );

    // Trained again, a run resumes where it stands: it is complete.
    let mut run = Run::<ToyGanConfig>::resume_with(&path, cloud(&[]), ChangedAt::default(), &mut ()).unwrap();
    let written = lines(&path);
    assert_eq!(run.train(&mut (), &GO).unwrap().unwrap().weights_sha256, results.weights_sha256);
    assert_eq!(run.train(&mut (), &GO).unwrap().unwrap().weights_sha256, results.weights_sha256);
    assert_eq!(lines(&path), written);

    let names: Vec<String> = newest(&path).sections.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["config", "model", "average", "optimizer/critic", "optimizer/generator"]);
    let last =
        lines(&path).into_iter().rev().find_map(|line| if let Line::Train(line) = line { Some(line) } else { None });
    let last = last.unwrap();
    let terms: Vec<&str> = last.terms.keys().map(String::as_str).collect();
    assert_eq!(terms, ["critic.fake", "critic.loss", "critic.real", "generator.generator", "generator.loss"]);
    assert_eq!((last.loss, last.nats_per_example), (None, None));
    let validations: Vec<_> = lines(&path).into_iter().filter(|line| matches!(line, Line::Validation(_))).collect();
    assert!(validations.iter().all(|line| matches!(line, Line::Validation(line) if line.best && line.loss.is_none())));
}

#[test]
fn two_players_resume_exactly() {
    for (name, more) in [
        ("every step", "[training]\nepochs = 2\nbatch_size = 50"),
        (
            "plateaus and averages",
            "criterion = true\n[optimizer]\nkind = \"adamw\"\nschedule = { kind = \"plateau\", patience = 1, threshold = 1e9 }\n\
             [optimizer.players.critic]\nschedule = { kind = \"plateau\", patience = 1, threshold = 1e9, factor = 0.5 }\n\
             [training]\nepochs = 2\nbatch_size = 50\nema_decay = 0.9\nevaluate_every = { steps = 3 }",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config: Config<ToyGanConfig> = config("toy_gan", &format!("every = 2\n{more}\nreport_every = 4"));
        let [whole, parts] = [folder.path().join("whole"), folder.path().join("parts")];
        let (one, other) = (trained(&config, &whole), trained_in_parts(&config, &parts));
        assert_eq!(one.weights_sha256, other.weights_sha256, "{name}");
        let terms = |path: &Path| -> Vec<_> {
            lines(path)
                .into_iter()
                .filter_map(|line| if let Line::Train(line) = line { Some((line.step, line.terms)) } else { None })
                .collect()
        };
        assert_eq!(terms(&whole), terms(&parts), "{name}");
    }
}

#[test]
fn a_second_player_fault_undoes_the_first_player_s_step() {
    // Its loss is NaN in the batch with the huge number, whose first player takes its step without harm.
    let train = |poisoned: usize, bad: &[usize], eager: bool, more: &str| {
        let folder = tempfile::tempdir().unwrap();
        let config: Config<ToyGanConfig> =
            config("toy_gan", &format!("poisoned = {poisoned}\n[training]\nepochs = 2\nbatch_size = 32\n{more}"));
        let dataset = cloud(bad);
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let trainer = Trainer {
            config: &config,
            dataset: &dataset,
            device: Device::flex(),
            eager,
            folder: &run,
            events: None,
            stop: &GO,
        };
        let mut warnings = Warnings::default();
        let ending = trainer.run(None, &mut warnings);
        let weights = run.checkpoints().newest().unwrap().map(|checkpoint| {
            let config: Config<ToyGanConfig> = checkpoint.config("it").unwrap();
            let model = dgm_train::train::initial_model(&config, &dataset.spec, &Device::flex()).unwrap();
            let model = dgm_train::train::restore::weights(model, checkpoint.section("model").unwrap()).unwrap();
            dgm_train::weights::weights_sha256([&model])
        });
        (ending.map_err(|error| error.to_string()), warnings.0, weights)
    };
    let skip = "nonfinite = \"skip\"";
    let [eager, lazy] = [true, false].map(|eager| train(1, &[5], eager, skip));
    assert_eq!(eager.1.len(), 2, "{:?}", eager.1);
    assert!(eager.1[0].contains("loss is NaN at step") && eager.1[0].contains("the step is skipped"), "{:?}", eager.1);
    assert_eq!(eager, lazy, "both ways of checking agree");
    // Where the first player cannot take its step either, nothing else comes of it.
    assert_eq!(eager, train(2, &[5], true, skip), "the step of the first player is taken back");
    assert!(eager.2.is_some() && eager.2 != train(1, &[], true, skip).2);
    let (ending, _, _) = train(1, &[5], true, "nonfinite = \"stop\"");
    assert!(ending.unwrap_err().contains("training stopped: loss is NaN at step"));
}

#[test]
fn parts_of_a_batch_add_up_for_two_players() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &str, name: &str| {
        let config: Config<ToyGanConfig> = config(
            "toy_gan",
            &format!(
                "[optimizer]\nkind = \"sgd\"\nlearning_rate = 0.1\n[training]\nepochs = 3\nbatch_size = 64\n{more}"
            ),
        );
        trained(&config, &folder.path().join(name));
        mean(&samples::<ToyGanConfig>(&folder.path().join(name), 500), 0)
    };
    let (whole, parts) = (run("", "whole"), run("micro_batch_size = 16", "parts"));
    assert!((whole - parts).abs() < 1e-4, "{whole} {parts}");
    assert_ne!(whole, parts, "the parts are computed apart");
}

#[test]
fn a_fit_in_closed_form_is_saved_evaluated_and_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = Config::new(ToyKdeConfig { bandwidth: 0.25 });
    let results = trained(&config, &path);
    // By hand: log 1/n Σ N(x; xᵢ, h²) of each test example.
    let data = cloud(&[]);
    let [train, test] = [&data.train, &data.test].map(|split| split.target.read_all(0).unwrap());
    let h = 0.25f64;
    let log_p = |x: &[f64]| {
        let kernel = |point: &[f64]| {
            let squares: f64 = x.iter().zip(point).map(|(x, point)| ((x - point) / h).powi(2)).sum();
            (-0.5 * squares).exp() / (2.0 * std::f64::consts::PI * h * h)
        };
        ((0..train.rows()).map(|i| kernel(train.row(i))).sum::<f64>() / train.rows() as f64).ln()
    };
    let expected = -(0..test.rows()).map(|i| log_p(test.row(i))).sum::<f64>() / test.rows() as f64;
    let found = results.metric("likelihood", "test").unwrap();
    assert!((found.value - expected).abs() < 1e-4 && found.quantity == "NLL", "{found:?}, by hand {expected}");
    assert_eq!(results.parameters, 2 * 256);

    // Resumed, it is complete; from its folder it samples.
    let mut again = Run::<ToyKdeConfig>::resume_with(&path, cloud(&[]), ChangedAt::default(), &mut ()).unwrap();
    assert!(again.is_complete());
    assert_eq!(again.train(&mut (), &GO).unwrap().unwrap(), results);
    let samples = samples::<ToyKdeConfig>(&path, 4000);
    assert!((mean(&samples, 0) - 2.0).abs() < 0.1 && (mean(&samples, 1) + 1.0).abs() < 0.1);
    // No optimiser, and nothing that one could be told.
    assert_eq!(newest(&path).progress.step, 0);
    assert_eq!(newest(&path).sections.len(), 2);
    let ensemble: Config<ToyKdeConfig> =
        Config::from_toml(&config.to_toml().unwrap(), "it", &["training.ensemble=2".into()]).unwrap();
    let results = trained(&ensemble, &folder.path().join("both"));
    assert!((results.metric("likelihood", "test").unwrap().value - expected).abs() < 1e-4);
    assert_eq!(results.members.unwrap().count, 2);
}

/// Two pixels of two channels of three levels: the second channel is mostly the first, the second pixel the first plus the label.
fn labelled_levels() -> Dataset {
    let mut rng = Seed(7).stream("levels", 0);
    let mut split = |n: usize| {
        let (mut target, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let (label, first) = (rng.below(2), rng.below(3));
            let mut mostly = |level: u32| if rng.below(5) == 0 { rng.below(3) } else { level % 3 };
            let second = mostly(first + label);
            target.extend([first, second, mostly(first), mostly(second)].map(f64::from));
            labels.extend([f64::from(1 - label), f64::from(label)]);
        }
        Split::new(Matrix::new(n, 4, target).into(), Some(Matrix::new(n, 2, labels).into()))
    };
    let condition = Some(ConditionSpec { scale: Scale::identity(2), classes: Some(2), augmentation: 0, shape: None });
    let spec = DataSpec { shape: [2, 1, 2], values: Values::Levels(3), condition };
    Dataset::given("levels", spec, [split(600), split(100), split(400)]).unwrap()
}

#[test]
fn a_network_of_ones_own_becomes_an_autoregressive_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config: Config<ToyArmConfig> =
        config("toy_arm", "[optimizer]\nlearning_rate = 1e-2\n[training]\nepochs = 20\nbatch_size = 60");
    let mut run = Run::create_with(config.clone(), labelled_levels(), flex(), &path).unwrap();
    let results = run.train(&mut (), &GO).unwrap().unwrap();
    // That of the source: a level and three that are 13/15 one and 1/15 each other, against four levels.
    let (likely, other) = (13.0 / 15.0f64, 1.0 / 15.0f64);
    let entropy = 3f64.ln() - 3.0 * (likely * likely.ln() + 2.0 * other * other.ln());
    let found = results.metric("likelihood", "test").unwrap();
    assert!(found.value < entropy + 0.2 && found.value > entropy - 0.2, "{found:?}, of the source {entropy}");

    // Every target given a label: the density sums to one, step by step too, and samples follow it.
    // With the data that it was given in its configuration.
    let config: Config<ToyArmConfig> = run.folder().config().unwrap();
    let model = run.folder().model(&config, &labelled_levels().spec, &Device::flex()).unwrap();
    let targets: Vec<f32> = (0..81usize).flat_map(|i| [1, 3, 9, 27].map(|place| (i / place % 3) as f32)).collect();
    let host = |values: Tensor<1>| values.into_data().iter::<f64>().collect::<Vec<_>>();
    for label in [[1.0, 0.0], [0.0, 1.0]] {
        let given = |n: usize| Tensor::<2>::from_floats([label], &Device::flex()).expand([n, 2]);
        let target = Tensor::from_data(TensorData::new(targets.clone(), [81, 4]), &Device::flex());
        let batch = Batch { target: target.clone(), condition: Some(given(81)), mask: None };
        let log_p = host(model.density().unwrap().log_prob(&batch, &mut Seed(0).stream("noise", 0)));
        let total: f64 = log_p.iter().map(|log_p| log_p.exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
        let steps = log_prob_stepwise(model.conditionals().unwrap(), &target, Some(&given(81)));
        for (whole, steps) in log_p.iter().zip(host(steps.sum_dim(1).squeeze_dim(1))) {
            assert!((whole - steps).abs() < 1e-5 * whole.abs().max(1.0), "{whole} {steps}");
        }
        let n = 4000;
        let drawn = model.generator().unwrap().generate(n, Some(given(n)), &mut Seed(1).stream("sampling", 0));
        let mut counts = [0.0; 81];
        for x in drawn.into_data().iter::<f32>().collect::<Vec<_>>().chunks(4) {
            counts[x.iter().rev().fold(0, |at, &level| at * 3 + level as usize)] += 1.0;
        }
        for (count, log_p) in counts.into_iter().zip(log_p) {
            let (share, p, n): (f64, _, _) = (count / n as f64, log_p.exp(), n as f64);
            assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt() + 1e-3, "{share} {p}");
        }
    }
}

#[test]
fn an_encoder_of_two_views_learns_and_encodes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let text = "[data]\nsource = \"digits\"\naugment = { shift = 1 }\n[model]\nkind = \"toy_encoder\"\n[optimizer]\nlearning_rate = 3e-3\n\
                [training]\nepochs = 4\nbatch_size = 100\n";
    let with = |more: &str| Config::<ToyEncoderConfig>::from_toml(&format!("{text}{more}"), "toy.toml", &[]).unwrap();
    let mut run = Run::create(with(""), flex(), &path).unwrap();
    run.train(&mut (), &GO).unwrap().unwrap();
    drop(run);
    let losses: Vec<f64> = lines(&path)
        .into_iter()
        .filter_map(|line| if let Line::Train(line) = line { line.loss } else { None })
        .collect();
    assert!(losses.last().unwrap() < &(losses[0] - 0.5), "{losses:?}");
    // The same example in other views, and in the same ones for the same step: a resumed run sees them too.
    let folder_of_run = RunFolder::open(&path).unwrap();
    let config: Config<ToyEncoderConfig> = folder_of_run.config().unwrap();
    let dataset = folder_of_run.dataset(&config).unwrap();
    let model = folder_of_run.model(&config, &dataset.spec, &Device::flex()).unwrap();
    let batch = dataset.test.batch(&[0, 1, 2], 0, &Device::flex()).unwrap();
    assert_eq!(model.encoder().unwrap().encode(&batch).dims(), [3, 8]);
    let refused = sample(&model, &dataset.test, &Wanted::plain(1, Seed(0)), &Device::flex(), &mut |_| {}).unwrap_err();
    assert!(
        refused.to_string().starts_with("the model \"ToyEncoder\" cannot sample: it can encode examples"),
        "{refused}"
    );

    let refused = Run::create(with("micro_batch_size = 50\n"), flex(), &folder.path().join("parts")).err().unwrap();
    assert!(refused.to_string().contains("compares the examples of a batch with each other"), "{refused}");
    assert!(!folder.path().join("parts").exists(), "nothing is left behind");
    let parts = folder.path().join("in_parts");
    let mut run = Run::create(with(""), flex(), &parts).unwrap();
    while run.train(&mut (), &STOP).unwrap().is_none() {
        drop(run);
        run = Run::resume(&parts, ChangedAt::default(), &mut ()).unwrap();
        if run.is_complete() {
            run.train(&mut (), &GO).unwrap();
            break;
        }
    }
    let sha = |path: &Path| Results::read(&path.join("result.json")).unwrap().weights_sha256;
    assert_eq!(sha(&path), sha(&parts));
}

#[test]
fn what_a_model_does_not_know_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &str| {
        let config: Config<ToyGanConfig> = config("toy_gan", more);
        let run = Run::create_with(config, cloud(&[]), flex(), &folder.path().join("run"));
        assert!(!folder.path().join("run").exists());
        run.err().unwrap().to_string()
    };
    let text = refused("[optimizer.players.discriminator]\nlearning_rate = 0.1");
    assert!(text.contains("has no player of that name (there is critic, generator)"), "{text}");
    let text = refused("[objective]\nkind = \"elbo\"");
    assert!(text.contains("is for models with an approximate posterior of latent variables; the model \"ToyGan\" is trained by \"model\""), "{text}");
    let text = refused("[objective]\npenalty = { l2 = 1.0, match = \"decoder.*\" }");
    assert!(
        text.contains("`decoder.*` matches no parameter of the model") && text.contains("critic.output.weight"),
        "{text}"
    );
    let text = refused("[[optimizer.groups]]\nmatch = \"critic.*\"\nlearning_rate_factor = 0");
    assert!(text.contains("freezes every parameter of the model of the player \"critic\""), "{text}");
    let text = refused("[[optimizer.groups]]\nmatch = \"critic.outptu.*\"");
    assert!(text.contains("critic.output.weight"), "{text}");
    for more in ["early_stopping = { patience = 2 }", "[optimizer]\nschedule = \"plateau\""] {
        let config: Config<ToyGanConfig> = config("toy_gan", &format!("[training]\nepochs = 1\n{more}"));
        let out = folder.path().join(more.len().to_string());
        let text = Run::create_with(config, cloud(&[]), flex(), &out).err().unwrap().to_string();
        assert!(text.contains("the model \"toy_gan\" has no validation loss to go by; leave it out"), "{text}");
        assert!(!out.exists());
    }
    let other = Run::<ToyGanConfig>::resume(&folder.path().join("run"), ChangedAt::default(), &mut ()).err().unwrap();
    assert!(other.to_string().contains("does not exist"), "{other}");
}

#[test]
fn data_that_a_program_gives_are_checked() {
    let split = |values: Vec<f64>| Split::new(Matrix::new(values.len() / 2, 2, values).into(), None);
    let given = |values: Values, train: Vec<f64>| {
        let spec = DataSpec { shape: [1, 1, 2], values, condition: None };
        let rest = || split(vec![0.0, 1.0]);
        Dataset::given("mine", spec, [split(train), rest(), rest()]).map(|data| data.fingerprint)
    };
    let real = || Values::Real(Scale::identity(2));
    assert_ne!(given(real(), vec![0.0, 1.0]), given(real(), vec![1.0, 0.0]));
    for (values, train, expected) in [
        (real(), vec![0.0, f64::NAN], "training: example 0: found NaN, expected a finite number"),
        (
            Values::Levels(2),
            vec![0.0, 1.0, 2.0, 0.0],
            "training: example 1: found 2, expected a whole number from 0 to 1",
        ),
        (Values::Levels(2), vec![0.5, 1.0], "training: example 0: found 0.5, expected a whole number"),
        (Values::Levels(1), vec![0.0, 0.0], "1 levels, expected 2 to 65536"),
        (
            Values::Real(Scale { std: vec![0.0, 1.0], ..Scale::identity(2) }),
            vec![0.0, 0.0],
            "standard deviations above 0",
        ),
        (Values::Real(Scale::identity(3)), vec![0.0, 0.0], "for 2 elements"),
        (real(), vec![], "the training split has no example"),
    ] {
        let text = given(values, train).unwrap_err().to_string();
        assert!(text.starts_with("mine: ") && text.contains(expected), "{text}\n{expected}");
    }
    // Other data than the run began with.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    trained(&config::<ToyKdeConfig>("toy_kde", ""), &path);
    let other = Run::<ToyKdeConfig>::resume_with(&path, cloud(&[0]), ChangedAt::default(), &mut ()).err().unwrap();
    assert!(other.to_string().contains("the data are not those that the run began with"), "{other}");
    let other = Run::<ToyKdeConfig>::resume(&path, ChangedAt::default(), &mut ()).err().unwrap();
    assert!(other.to_string().contains("were given to the run by a program"), "{other}");
}

/// A watch sees an ensemble's members.
#[test]
fn who_watches_is_told_of_members() {
    #[derive(Default)]
    struct Told(Vec<String>, Vec<bool>);
    impl Watch for Told {
        fn report(&mut self, _: &RunFolder) -> Box<dyn Report> {
            Box::new(())
        }

        fn training(&mut self, is: bool) {
            self.1.push(is);
        }

        fn tell(&mut self, text: &str) {
            self.0.push(text.into());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config: Config<ToyGanConfig> = config("toy_gan", "[training]\nepochs = 1\nensemble = 2");
    let told = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let path = folder.path().join(threads.to_string());
        let mut run = Run::create_with(config.clone(), cloud(&[]), flex(), &path).unwrap();
        let mut told = Told::default();
        pool.install(|| run.train(&mut told, &GO)).unwrap().unwrap();
        told.0.sort();
        assert!(told.0.len() == 2 && told.0[1].starts_with("member 2 of 2, seed 1000003: run folder"), "{:?}", told.0);
        told.1
    };
    // One after the other; side by side a signal waits from the first step of any to the last of all.
    assert_eq!(told(1), [true, false, true, false]);
    let beside = told(2);
    assert!(beside.chunks(2).all(|pair| pair == [true, false]), "{beside:?}");
}

#[test]
fn a_member_that_fails_ends_the_ensemble_with_its_error() {
    for threads in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let more = "poisoned = 1\n[training]\nepochs = 2\nbatch_size = 32\nensemble = 2\nnonfinite = \"stop\"";
        let config: Config<ToyGanConfig> = config("toy_gan", more);
        let mut run = Run::create_with(config, cloud(&[5]), flex(), &folder.path().join("run")).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let error = pool.install(|| run.train(&mut (), &GO)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("member ") && text.contains(" of 2: training stopped: loss is NaN at step"), "{text}");
        assert!(!folder.path().join("run/result.json").exists());
    }
}
