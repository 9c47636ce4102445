//! The sources images, text and synthetic, and `data inspect`, with the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, measured, run_fails, run_ok};
use std::path::Path;

fn inspect(folder: &Path, args: &[&str]) -> serde_json::Value {
    let text = run_ok(folder, &[&["data", "inspect", "--json"], args].concat());
    serde_json::from_str(&text).unwrap()
}

/// A model of the right family comes close to the entropy of what it learns from, and never below it but by chance.
#[test]
fn a_model_of_a_markov_chain_ends_at_its_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let table = run_ok(folder.path(), &["--config", "synthetic-arm", "--out", "run", "--quiet"]);
    assert!(table.contains("entropy"), "{table}");
    let result = json(&folder.path().join("run/result.json"));
    let entropy = result["entropy"].as_f64().unwrap();
    let test = measured(&result, "likelihood", "test");
    let [nll, error] = ["value", "standard_error"].map(|key| test[key].as_f64().unwrap());
    println!("NLL {nll} ± {error}, entropy {entropy}");
    assert_eq!((&test["quantity"], &test["unit"]), (&"NLL".into(), &"nats/example".into()));
    assert!(nll > entropy - 3.0 * error, "below the entropy: {nll} ± {error}, {entropy}");
    // 64 pixels: two hundredths of a nat for each is far more than this model leaves.
    assert!((nll - entropy) / 64.0 < 0.02, "{nll} ± {error}, {entropy}");
}

/// The conditional entropy of a regression whose noise is known.
#[test]
fn a_regression_ends_at_the_conditional_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[data]\nsource = \"synthetic\"\nkind = \"conditional\"\n[model]\nkind = \"conditional_mlp\"\n\
                  [training]\nepochs = 10\nema_decay = 0.99\n";
    std::fs::write(folder.path().join("regression.toml"), config).unwrap();
    run_ok(folder.path(), &["--config", "regression.toml", "--out", "run", "--quiet"]);
    let result = json(&folder.path().join("run/result.json"));
    let entropy = result["entropy"].as_f64().unwrap();
    let test = measured(&result, "likelihood", "test");
    let [nll, error] = ["value", "standard_error"].map(|key| test[key].as_f64().unwrap());
    println!("NLL {nll} ± {error}, entropy {entropy}");
    assert!((entropy - 0.418_938_533).abs() < 1e-8);
    assert!(nll > entropy - 3.0 * error && nll < entropy + 0.1, "{nll} ± {error}, {entropy}");
}

#[test]
fn a_text_is_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("abc.txt"), "abcab\n".repeat(400)).unwrap();
    let config = "[data]\nsource = \"text\"\npath = \"abc.txt\"\nlength = 12\n[model]\nkind = \"causal_conv\"\n\
                  channels = 8\nlayers = 1\n[optimizer]\nlearning_rate = 1e-2\n[training]\nepochs = 40\n";
    std::fs::write(folder.path().join("text.toml"), config).unwrap();
    let shown = inspect(folder.path(), &["text.toml"]);
    assert_eq!((&shown["levels"], &shown["shape"]), (&4.into(), &serde_json::json!([1, 1, 12])));
    assert_eq!(shown["windows"][0], "abcab\\nabcab\\n");
    run_ok(folder.path(), &["--config", "text.toml", "--out", "run", "--quiet"]);
    let result = json(&folder.path().join("run/result.json"));
    // Twelve symbols of which each follows from those before it; windows of the test begin at one place of the pattern.
    assert!(measured(&result, "likelihood", "test")["value"].as_f64().unwrap() < 12.0 * 4f64.ln() / 4.0, "{result}");
    assert!(
        result["transforms"][0].as_str().unwrap().starts_with("text cut into windows of 12 characters"),
        "{result}"
    );
}

/// Writes a PNG of one colour.
fn write_png(path: &Path, size: u32, colour: [u8; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), size, size);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&colour.repeat((size * size) as usize)).unwrap();
}

#[test]
fn a_folder_of_colour_images_is_looked_at_and_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..20u8 {
        write_png(&folder.path().join(format!("set/blue/{i}.png")), 4, [i, i, 200 + i]);
        write_png(&folder.path().join(format!("set/red/{i}.png")), 4, [200 + i, i, i]);
    }
    let config = "[data]\nsource = \"images\"\npath = \"set\"\nchannels = 3\nlevels = 4\ncondition = \"label\"\n";
    std::fs::write(folder.path().join("set.toml"), config).unwrap();
    let shown = inspect(folder.path(), &["set.toml", "--out", "sheet.png"]);
    assert_eq!((&shown["shape"], &shown["condition_classes"]), (&serde_json::json!([3, 4, 4]), &2.into()));
    let counted: u64 = (0..3).map(|split| shown["splits"][split]["class_counts"][1].as_u64().unwrap()).sum();
    assert_eq!(counted, 20);

    // Two classes: a row for each, blue and then red. The longest row has 16 or 17 of the 20 images.
    let file = std::fs::read(folder.path().join("sheet.png")).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let width = reader.next_frame(&mut pixels).unwrap().width as usize;
    // Rows of four pixels and a gap, twice in each split, and twice two pixels between splits.
    let zoom = pixels.len() / 3 / width / (6 * 5 + 1 + 2 * 2);
    let at = |y: usize| &pixels[3 * (y * zoom * width + 3 * zoom)..][..3];
    assert_eq!((at(3), at(8)), (&[0, 0, 255][..], &[255, 0, 0][..]));

    let model = "[model]\nkind = \"causal_conv\"\nchannels = 8\nlayers = 1\n[training]\nepochs = 2\n";
    std::fs::write(folder.path().join("arm.toml"), format!("{config}{model}")).unwrap();
    run_ok(folder.path(), &["--config", "arm.toml", "--out", "run", "--quiet"]);
    let result = json(&folder.path().join("run/result.json"));
    assert_eq!(measured(&result, "likelihood", "test")["examples"], 4);
    run_ok(folder.path(), &["sample", "run", "-n", "4", "--out", "samples.png"]);
}

#[test]
fn what_cannot_be_inspected_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |args: &[&str]| run_fails(folder.path(), &[&["data", "inspect"], args].concat(), 2);
    let text = fails(&["digts"]);
    assert!(text.contains("digts: no such file") && text.contains("did you mean `digits`?"), "{text}");
    assert!(fails(&["idx"]).contains("needs the key `train_images`"), "{}", fails(&["idx"]));
    let text = fails(&["synthetic", "--set", "data.kind=conditional", "--out", "x.png"]);
    assert!(text.contains("--out x.png: the targets are not images"), "{text}");
    assert!(fails(&["digits", "--out", "x.jpg"]).contains("ends in .png"));
    assert!(fails(&["digits", "--out", "nowhere/x.png"]).contains("nowhere: this folder does not exist"));
    assert!(fails(&["digits", "--set", "data.condition=lable"]).contains("did you mean `label`?"));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// The examples of docs/data.md, as written, in a folder that has pictures and, beside it, the shared data.
#[cfg(unix)]
#[test]
fn the_examples_of_the_documentation_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let text = std::fs::read_to_string(root.join("docs/data.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    for i in 0..40u8 {
        let class = ["circles", "squares"][usize::from(i % 2)];
        write_png(&here.join(format!("pictures/{class}/{i}.png")), 40, [i, 255 - i, 7]);
    }
    let shared = root.join("../shared");
    if shared.exists() {
        std::os::unix::fs::symlink(shared, folder.path().join("shared")).unwrap();
    }
    for example in text.split("```toml\n").skip(1) {
        let example = example.split("```").next().unwrap();
        if example.split('"').any(|part| part.starts_with("../shared") && !here.join(part).exists()) {
            assert_ne!(std::env::var("DGM_REQUIRE_DATA").as_deref(), Ok("1"), "{example}");
            println!("skipped: {example}");
            continue;
        }
        std::fs::write(here.join("example.toml"), example).unwrap();
        run_ok(&here, &["data", "inspect", "example.toml"]);
    }
    assert!(text.matches("```toml").count() >= 6);
}
