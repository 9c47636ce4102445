//! Tests of the loop: steps that are not finite, on devices that are asked each step and on those that are not; parts of
//! a batch; windows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::data::{Field, Matrix, Split};
use crate::report::progress::WindowMeans;
use crate::rounding::{Moves, largest, rounding, tolerance};
use burn::tensor::{Tensor, TensorData};
use dgm_core::host;
use dgm_models::{ConditionSpec, DataSpec, Scale, Values};

const ROWS: usize = 64;

/// y given x with y = sin x; the targets of the rows `bad` are NaN.
fn dataset(bad: &[usize]) -> Dataset {
    moved_dataset(bad, &mut Moves::none())
}

/// The same, with every number moved.
fn moved_dataset(bad: &[usize], moves: &mut Moves) -> Dataset {
    let mut moved = |values: Vec<f32>| -> Vec<f64> {
        let n = values.len();
        host(moves.tensor(Tensor::<1>::from_data(TensorData::new(values, [n]), &Device::flex())))
    };
    let mut split = |n: usize, bad: &[usize]| {
        let x: Vec<f32> = (0..n).map(|i| (i * 37 % n) as f32 / n as f32 * 6.0 - 3.0).collect();
        let y = x.iter().enumerate().map(|(i, x)| if bad.contains(&i) { f32::NAN } else { x.sin() }).collect();
        let (x, y) = (moved(x), moved(y));
        Split::new(Matrix::new(n, 1, y).into(), Some(Field::from(Matrix::new(n, 1, x))))
    };
    let spec = DataSpec {
        shape: [1, 1, 1],
        values: Values::Real(Scale::identity(1)),
        condition: Some(ConditionSpec { scale: Scale::identity(1), classes: None, augmentation: 0, shape: None }),
    };
    Dataset::new("sine", spec, [split(ROWS, bad), split(32, &[]), split(32, &[])], String::new())
}

fn config(training: &str) -> Config {
    let text = format!(
        "[data]\nsource = \"digits\"\n[model]\nkind = \"conditional_mlp\"\nhidden = [16]\nlikelihood = \"normal\"\n\
         [optimizer]\nlearning_rate = 0.01\n[training]\nbatch_size = 8\nepochs = 20\n{training}\n"
    );
    Config::from_toml(&text, "test", &[]).unwrap()
}

/// What a report was told.
#[derive(Default)]
struct Told {
    warnings: Vec<String>,
    windows: Vec<(u64, f64)>,
}

impl Report for Told {
    fn begin(&mut self, _: &RunStart<'_>) {}
    fn train(&mut self, window: &WindowMeans<'_>) {
        self.windows.push((window.step, window.nats.unwrap()));
    }
    fn validation(&mut self, _: u64, _: Option<f64>, _: bool) {}
    fn warn(&mut self, text: &str) {
        self.warnings.push(text.into());
    }
    fn end(&mut self, _: &str) {}
}

struct Run {
    folder: tempfile::TempDir,
    told: Told,
    ending: Result<Ending>,
}

fn run(config: &Config, dataset: &Dataset, eager: bool) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let run = RunFolder::create(&folder.path().join("run")).unwrap();
    let stop = AtomicBool::new(false);
    let trainer = Trainer { config, dataset, device: Device::flex(), eager, folder: &run, events: None, stop: &stop };
    let ending = trainer.run(None, &mut told);
    Run { folder, told, ending }
}

impl Run {
    fn newest(&self) -> Checkpoint {
        crate::checkpoint::Checkpoints::new(self.folder.path().join("run/checkpoint")).newest().unwrap().unwrap()
    }

    fn metrics(&self, kind: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join("run/metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).collect()
    }
}

/// The weights of the model that all these tests train, as they are.
fn weights(checkpoint: &Checkpoint) -> Vec<f64> {
    weights_in(checkpoint, "model")
}

fn weights_in(checkpoint: &Checkpoint, section: &str) -> Vec<f64> {
    let model = initial_model(&config(""), &dataset(&[]).spec, &Device::flex()).unwrap();
    gradients::tests::parameters(&restore::weights(model, checkpoint.section(section).unwrap()).unwrap())
}

#[test]
fn a_nan_stops_training_and_names_step_term_and_rows() {
    for eager in [true, false] {
        let run = run(&config(""), &dataset(&[5]), eager);
        let text = run.ending.as_ref().unwrap_err().to_string();
        // In the first epoch, at the step whose batch holds the row.
        let order = Seed(0).stream("shuffle", 0).permutation(ROWS);
        let step = order.iter().position(|&row| row == 5).unwrap() / 8 + 1;
        let rows: Vec<String> = order[8 * (step - 1)..8 * step].iter().map(usize::to_string).collect();
        let expected = format!("loss is NaN at step {step} (epoch 1, training rows {})", rows.join(", "));
        assert!(text.contains(&expected), "{text}\n{expected}");
        let [line] = &run.metrics("nonfinite")[..] else { panic!("one line") };
        assert_eq!((line["at_step"].as_u64(), line["rows"].as_array().map(Vec::len)), (Some(step as u64), Some(8)));
    }
}

#[test]
fn skipped_steps_change_nothing_in_either_check() {
    let config = config("nonfinite = \"skip\"");
    let [one, other] = [true, false].map(|eager| run(&config, &dataset(&[5]), eager));
    for run in [&one, &other] {
        assert_eq!(run.ending, Ok(Ending::Complete));
        assert_eq!(run.told.warnings.len(), 20, "one per epoch");
        assert_eq!(run.metrics("nonfinite").len(), 20);
        assert!(run.told.windows.iter().all(|(_, nats)| nats.is_finite()));
        let curve = run.metrics("validation");
        let nats = |line: &serde_json::Value| line["nats_per_example"].as_f64().unwrap();
        assert!(nats(curve.last().unwrap()) < nats(&curve[0]) - 0.3, "it learns");
    }
    assert_eq!(one.told.windows, other.told.windows);
    assert_eq!(one.told.warnings, other.told.warnings);
    assert_eq!(weights(&one.newest()), weights(&other.newest()));
}

#[test]
fn too_many_skips_in_a_row_stop_training() {
    let all: Vec<usize> = (0..ROWS).collect();
    let run = run(&config("nonfinite = { policy = \"skip\", limit = 3 }"), &dataset(&all), true);
    let text = run.ending.unwrap_err().to_string();
    assert!(text.contains("at step 4") && text.contains("after 3 skipped in a row"), "{text}");
    assert_eq!(run.told.warnings.len(), 3);
}

#[test]
fn rollbacks_lower_the_learning_rate_a_bounded_number_of_times() {
    // A step that no learning rate mends: the row is NaN.
    let more =
        "checkpoint_every = { steps = 1 }\nnonfinite = { policy = \"lower_lr_and_restore\", limit = 2, factor = 0.1 }";
    let run = run(&config(more), &dataset(&[5]), true);
    let text = run.ending.as_ref().unwrap_err().to_string();
    assert!(text.contains("after the learning rate was lowered 2 times"), "{text}");
    // Each time to the checkpoint before the last one, whose weights led to the NaN.
    let step = run.newest().progress.step;
    assert!(text.contains(&format!("at step {}", step + 1)), "{text}");
    for (warning, times) in run.told.warnings.iter().zip(["0.1 (1 of 2", "0.010000000000000002 (2 of 2"]) {
        let expected = format!("back to step {} with the learning rate times {times} times)", step - 1);
        assert!(warning.ends_with(&expected), "{warning}\n{expected}");
    }
    assert_eq!(run.told.warnings.len(), 2);
}

#[test]
fn weights_that_are_lost_are_not_kept() {
    // One step of a finite gradient that throws the weights beyond f32, and a checkpoint due right after it.
    let text = "[data]\nsource = \"digits\"\n[model]\nkind = \"conditional_mlp\"\nhidden = [16]\nlikelihood = \"normal\"\n\
                [optimizer]\nkind = \"sgd\"\nlearning_rate = 3e38\n[training]\nbatch_size = 8\nepochs = 3\n\
                checkpoint_every = { steps = 1 }\n";
    let config = Config::from_toml(text, "test", &[]).unwrap();
    for eager in [true, false] {
        let run = run(&config, &dataset(&[]), eager);
        let text = run.ending.unwrap_err().to_string();
        assert!(text.contains("a sum of weights is") && text.contains("at step 1"), "{text}");
        assert!(!run.folder.path().join("run/checkpoint/step-1.dgm").exists());
    }
}

#[test]
fn a_lower_learning_rate_carries_a_run_that_diverges_to_its_end() {
    let text = "[data]\nsource = \"digits\"\n[model]\nkind = \"conditional_mlp\"\nhidden = [16]\nlikelihood = \"normal\"\n\
                [optimizer]\nkind = \"sgd\"\nlearning_rate = 1e15\n[training]\nbatch_size = 8\nepochs = 3\nnonfinite = ";
    let policy = "{ policy = \"lower_lr_and_restore\", limit = 9, factor = 1e-3 }";
    let config = Config::from_toml(&format!("{text}{policy}\n"), "test", &[]).unwrap();
    for eager in [true, false] {
        let run = run(&config, &dataset(&[]), eager);
        assert_eq!(run.ending, Ok(Ending::Complete));
        let progress = run.newest().progress;
        assert!((1..9).contains(&progress.restored), "{progress:?}");
        assert!((progress.rate_factor.log10() + 3.0 * progress.restored as f64).abs() < 1e-9);
    }
}

#[test]
fn parts_of_a_batch_add_up_to_the_batch() {
    let dataset = dataset(&[]);
    // Clipping does not notice a gradient that is wrong by a factor; plain descent does. (Adam does not either, and divides rounding
    // by gradients that are next to nothing.)
    let optimizers = ["", "gradient_clip_norm = 0.5"];
    for (batch_size, optimizer) in [64, 60].into_iter().flat_map(|size| optimizers.map(|optimizer| (size, optimizer))) {
        let with = |more: &str, dataset: &Dataset| {
            let text = format!(
                "[data]\nsource = \"digits\"\n[model]\nkind = \"conditional_mlp\"\nhidden = [16]\nlikelihood = \"normal\"\n\
                 [optimizer]\nkind = \"sgd\"\nlearning_rate = 0.05\nweight_decay = 0\n{optimizer}\n\
                 [training]\nepochs = 30\nbatch_size = {batch_size}\n{more}\n"
            );
            weights(&run(&Config::from_toml(&text, "test", &[]).unwrap(), dataset, true).newest())
        };
        // 64 = 4 × 16; 60 leaves a last batch of 4 and parts of 16, 16, 16 and 12.
        let [whole, parts] = ["", "micro_batch_size = 16"].map(|more| with(more, &dataset));
        assert!(whole.len() > 60);
        // Sums over up to 64 examples, of 16 hidden numbers, and a dozen operations of the density and the step.
        let allowed = rounding(64 + 16 + 12, |moves| with("", &moved_dataset(&[], moves)));
        for (a, b) in whole.iter().zip(&parts) {
            assert!((a - b).abs() <= largest(&allowed), "{a} {b}, allowed {:e}", largest(&allowed));
        }
        assert_ne!(whole, parts, "the parts are computed apart");
    }
}

#[test]
fn a_window_that_is_interrupted_is_reported_whole() {
    let (config, dataset) = (config("checkpoint_every = { steps = 3 }"), dataset(&[]));
    let whole = run(&config, &dataset, true);
    // Every checkpoint of another run, resumed from: the first window after it is the whole run's.
    let folder = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&folder.path().join("run")).unwrap();
    let stop = AtomicBool::new(true);
    let trainer = Trainer {
        config: &config,
        dataset: &dataset,
        device: Device::flex(),
        eager: true,
        folder: &folder,
        events: None,
        stop: &stop,
    };
    let mut told = Told::default();
    let mut from = None;
    loop {
        // Stopped after every step.
        match trainer.run(from.as_ref(), &mut told).unwrap() {
            Ending::Complete => break,
            Ending::Interrupted => from = folder.checkpoints().newest().unwrap(),
        }
    }
    assert_eq!(told.windows, whole.told.windows);
    let newest = folder.checkpoints().newest().unwrap().unwrap();
    assert_eq!(weights(&newest), weights(&whole.newest()));
}

#[test]
fn what_is_kept_as_the_best_is_the_moving_average() {
    let often = "ema_decay = 0.25\ncheckpoint_every = { steps = 1 }\nkeep_checkpoints = 200";
    let run = run(&config(often), &dataset(&[]), true);
    assert_eq!(run.ending, Ok(Ending::Complete));
    let kept = crate::checkpoint::Checkpoints::new(run.folder.path().join("run/checkpoint"));
    let at = |step: u64, section: &str| weights_in(&Checkpoint::read(&kept.after(step)).unwrap(), section);
    // Step t has the decay min(0.25, (1 + t) / (10 + t)), t from 0.
    for (step, decay) in [(2, 2.0 / 11.0), (3, 0.25), (4, 0.25)] {
        let blended = at(step - 1, "average").into_iter().zip(at(step, "model"));
        for ((before, new), average) in blended.zip(at(step, "average")) {
            let error = (decay * before + (1.0 - decay) * new - average).abs();
            assert!(error <= tolerance(4, before.abs() + new.abs()), "after step {step}");
        }
    }
    let best = Checkpoint::read(&kept.best()).unwrap();
    let step = best.progress.step;
    assert_eq!(weights_in(&best, "model"), at(step, "average"));
    assert_ne!(weights_in(&best, "model"), at(step, "model"));
}
