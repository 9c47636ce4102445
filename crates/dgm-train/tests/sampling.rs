//! `dgm-train sample` on trained models: cached sampling equals the naive loop, images are completed, texts continued.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "../../dgm-models/src/testing/rounding.rs"]
mod rounding;

use burn::tensor::{Device, Tensor, TensorData};
use common::{dgm, run, run_fails, run_ok};
use dgm_core::host;
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::{SamplingParams, log_prob_stepwise, sample};
use dgm_models::{AnyModel, Batch, Model};
use dgm_train::run_folder::RunFolder;
use rounding::{assert_sampled, largest, rounding, tolerance};
use std::path::Path;

/// The `[model]` tables of every architecture, small.
const ARCHITECTURES: [(&str, &str); 4] = [
    ("pixel_cnn", "channels = 12\nlayers = 3\nlikelihood = {kind = \"beta_binomial\", components = 2}"),
    (
        "causal_conv",
        "channels = 16\nlayers = 3\nkernel = 9\nlikelihood = {kind = \"discretized_logistic\", components = 2}",
    ),
    ("transformer", "channels = 16\nlayers = 2\nheads = 2\nreach = 2"),
    ("transformer", "channels = 16\nlayers = 2\nheads = 2\nreach = 1\npositions = \"rotary\""),
];

/// No sum in these networks is longer: 9 places of 16 channels, the causal convolution's.
const LONGEST: usize = 160;

fn trained(folder: &Path, model: &str, data: &str, training: &str) {
    let config = format!(
        "[data]\n{data}\n[model]\n{model}\n[optimizer]\nlearning_rate = 3e-3\n[training]\n{training}\n[evaluation]\nsamples = 1\n"
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    run_ok(folder, &["--config", "config.toml", "--out", "run", "--quiet"]);
}

#[test]
fn cached_sampling_of_trained_models_equals_the_naive_loop() {
    for (kind, keys) in ARCHITECTURES {
        let folder = tempfile::tempdir().unwrap();
        let data = "source = \"digits\"\ncondition = \"label\"";
        trained(folder.path(), &format!("kind = \"{kind}\"\n{keys}"), data, "epochs = 2");
        let run = RunFolder::open(&folder.path().join("run")).unwrap();
        let config: dgm_train::config::Config = run.config().unwrap();
        let spec = run.provenance().unwrap().spec;
        let model: dgm_models::AnyModel = run.best_model(&config, &spec, &Device::flex()).unwrap();
        let arm = model.conditionals().unwrap();
        let one_hot: Vec<f32> =
            (0..20).flat_map(|i| (0..10).map(move |class| f32::from(u8::from(class == i % 10)))).collect();
        let condition = Tensor::<2>::from_data(TensorData::new(one_hot, [20, 10]), &Device::flex());
        for seed in 0..3 {
            for choice in
                [SamplingParams::default(), SamplingParams { temperature: 0.7, top_k: Some(5), top_p: Some(0.95) }]
            {
                let noise = Seed(seed).stream("sampling", 0);
                let what = format!("{kind}, seed {seed}, {choice:?}");
                let samples = sample(arm, 20, Some(&condition), &choice, &mut noise.clone());
                let conditionals = |model: &AnyModel| {
                    let arm = model.conditionals().unwrap();
                    host(arm.parameters(samples.clone(), Some(&condition)))
                };
                let allowed = largest(&rounding(LONGEST, |moves| conditionals(&moves.weights(&model))));
                assert_sampled(arm, &samples, Some(&condition), &choice, &noise, allowed, &what);
                let batch = Batch { condition: Some(condition.clone()), ..Batch::new(samples.clone()) };
                let log_prob = |model: &AnyModel| host(model.density().unwrap().log_prob_elementwise(&batch).unwrap());
                let allowed = rounding(LONGEST, |moves| log_prob(&moves.weights(&model)));
                let stepwise = host(log_prob_stepwise(arm, &samples, Some(&condition)));
                for ((a, b), allowed) in stepwise.into_iter().zip(log_prob(&model)).zip(allowed) {
                    // The density itself is a dozen operations more, and sums over up to 17 levels.
                    let allowed = allowed + tolerance(12 + 17, b.abs().max(1.0));
                    assert!((a - b).abs() <= allowed, "{what}: {a} {b}, allowed {allowed:e}");
                }
            }
        }
    }
}

/// A grey picture.
fn write_png(path: &Path, [rows, columns]: [u32; 2], pixel: impl Fn(u32, u32) -> u8) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), columns, rows);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels: Vec<u8> = (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}

#[test]
fn an_image_is_completed_below_the_rows_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (kind, keys) = ARCHITECTURES[0];
    trained(path, &format!("kind = \"{kind}\"\n{keys}"), "source = \"digits\"", "epochs = 1");
    write_png(&path.join("image.png"), [8, 8], |x, y| (30 * x + y) as u8);
    let args = ["sample", "run", "--complete", "image.png", "--rows", "3", "-n", "5", "--out", "drawn.csv"];
    assert!(run_ok(path, &args).contains("5 samples in drawn.csv"));
    let text = std::fs::read_to_string(path.join("drawn.csv")).unwrap();
    let samples: Vec<Vec<f32>> =
        text.lines().map(|line| line.split(',').map(|number| number.parse().unwrap()).collect()).collect();
    let given: Vec<f32> = (0..24).map(|i| ((30 * (i % 8) + i / 8) * 17 / 256) as f32).collect();
    assert_eq!(samples.len(), 5);
    assert!(samples.iter().all(|image| image[..24] == given), "{samples:?}");
    assert!(samples.iter().any(|image| image[24..] != samples[0][24..]), "all are completed alike");
    run_ok(
        path,
        &["sample", "run", "--complete", "image.png", "--rows", "8", "--out", "whole.png", "--temperature", "0.5"],
    );
    assert!(path.join("whole.png").is_file());
    write_png(&path.join("large.png"), [12, 16], |x, y| (x + y) as u8);
    let notes = |image: &str| {
        let output = run(path, &["sample", "run", "--complete", image, "--rows", "1", "--out", "made.png"]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        text.lines().filter(|line| line.starts_with("note: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = "note: large.png has 12 × 16 pixels (rows × columns); its largest central crop of their aspect ratio was \
                    resized to the 8 × 8 of the model's images";
    assert_eq!(notes("large.png"), [expected]);
    assert!(notes("image.png").is_empty());
    let mut clear = png::Encoder::new(std::fs::File::create(path.join("clear.png")).unwrap(), 8, 8);
    clear.set_color(png::ColorType::GrayscaleAlpha);
    clear.write_header().unwrap().write_image_data(&[0; 128]).unwrap();
    assert_eq!(notes("clear.png"), ["note: clear.png: with alpha put on black"]);

    let fails = |args: &[&str]| run_fails(path, &[&["sample", "run"], args].concat(), 2);
    assert!(fails(&["--complete", "image.png", "--rows", "9"]).contains("the images have 8 rows"));
    assert!(
        fails(&["--complete", "config.toml", "--rows", "2"])
            .contains("config.toml: not a PNG, JPEG, WebP, BMP, GIF or TIFF")
    );
    assert!(fails(&["--complete", "none.png", "--rows", "2"]).contains("none.png: not a file"));
    assert!(fails(&["--prompt", "To be"]).contains("for texts"));
    assert!(fails(&["--out", "drawn.txt"]).contains("not texts"));
}

#[test]
fn only_autoregressive_models_narrow_or_complete() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), "kind = \"vae\"\nlatent = 2", "source = \"digits\"", "epochs = 1");
    for args in [["--temperature", "0.5"], ["--top-k", "3"], ["--top-p", "0.9"]] {
        let line = run_fails(folder.path(), &[&["sample", "run"], &args[..]].concat(), 2);
        assert!(line.contains("cannot sample position by position"), "{line}");
    }
    for args in [["--temperature", "0"], ["--temperature", "x"], ["--top-k", "0"], ["--top-p", "1.5"], ["--rows", "3"]]
    {
        let output = dgm(folder.path()).args(["sample", "run"]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn texts_continue_prompts_past_the_window_and_end_at_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("text.txt"), "ab".repeat(3000)).unwrap();
    let model = "kind = \"causal_conv\"\nchannels = 8\nlayers = 2\nkernel = 2\ninputs = \"one_hot\"";
    trained(path, model, "source = \"text\"\npath = \"text.txt\"\nlength = 16", "epochs = 4");
    // The run knows its symbols: a text is written without the one that it was trained on.
    std::fs::remove_file(path.join("text.txt")).unwrap();
    // It alternates, also where the window of 16 is full.
    let text = run_ok(path, &["sample", "run", "--prompt", "abab", "--length", "60", "--top-k", "1"]);
    assert_eq!(text, format!("{}\n", "ab".repeat(32)));
    assert_eq!(run_ok(path, &["sample", "run", "--prompt", "a", "--length", "3", "--temperature", "0.1"]), "abab\n");
    assert_eq!(run_ok(path, &["sample", "run", "--length", "100"]).trim_end().len(), 100);
    // More than are sampled at once, the same to a file and to the terminal.
    let many = ["sample", "run", "--prompt", "b", "-n", "70", "--length", "25", "--temperature", "2"];
    assert_eq!(run_ok(path, &[&many[..], &["--out", "many.txt"]].concat()), "70 texts in many.txt\n");
    let written = std::fs::read_to_string(path.join("many.txt")).unwrap();
    let texts: Vec<&str> = written.trim_end().split("\n----\n").collect();
    assert!(texts.len() == 70 && texts.iter().all(|text| text.len() == 26 && text.starts_with('b')), "{written}");
    assert!(texts.iter().any(|&text| text != texts[0]), "{written}");
    assert_eq!(run_ok(path, &many), written);
    let line = run_fails(path, &["sample", "run", "--prompt", "abc"], 2);
    assert!(line.contains("the character 'c' does not occur in the training text"), "{line}");
    assert!(run_fails(path, &["sample", "run", "--prompt", "-a"], 2).contains("the character '-' does not occur"));
    assert!(run_fails(path, &["sample", "run", "--label", "1"], 2).contains("--label"));
    let provenance = path.join("run/provenance.json");
    let whole = std::fs::read_to_string(&provenance).unwrap();
    for (characters, expected) in [
        ("abc", "provenance.json: its vocabulary has another number of symbols"),
        ("ba", "expected each once, in the order of their code points"),
    ] {
        std::fs::write(&provenance, whole.replace("\"ab\"", &format!("{characters:?}"))).unwrap();
        let line = run_fails(path, &["sample", "run", "--prompt", "ab"], 2);
        assert!(line.contains(expected), "{line}");
    }

    std::fs::write(path.join("lines.txt"), "aab\n".repeat(500)).unwrap();
    let lines = tempfile::tempdir().unwrap();
    let data = format!("source = \"text\"\npath = {:?}\nexamples = \"lines\"\nlength = 8", path.join("lines.txt"));
    trained(lines.path(), model, &data, "epochs = 8");
    let text = run_ok(lines.path(), &["sample", "run", "--prompt", "a", "--length", "60", "--top-k", "1"]);
    assert_eq!(text, "aab\n\n");
    let two = run_ok(lines.path(), &["sample", "run", "-n", "2", "--top-k", "1"]);
    assert_eq!(two, "aab\n\n----\naab\n\n");
    // As levels, up to the newline as well: 0 is it, 1 an a and 2 a b.
    run_ok(lines.path(), &["sample", "run", "-n", "9", "--top-k", "1", "--out", "lines.csv"]);
    assert_eq!(std::fs::read_to_string(lines.path().join("lines.csv")).unwrap(), "1,1,2,0\n".repeat(9));
}
