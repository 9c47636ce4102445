//! `dgm-train predict`: what a trained model says of the rows of a table, with the real binary and from the library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "predict/rows.rs"]
mod rows;

use common::{dgm, json, measured, run, run_fails, run_ok};
use dgm_train::backend::Backend;
use dgm_train::data::Matrix;
use dgm_train::predict::{Conformal, Levels, Predicted, Predictor};
use dgm_train::run_folder::RunFolder;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

const FAST: [&str; 7] =
    ["--quiet", "--set", "training.epochs=20", "--set", "training.batch_size=32", "--set", "model.hidden=[16]"];

/// Flats: an identifier, a size, a word, a date, and a price in steps of ten.
fn flat(i: u32) -> [String; 5] {
    let (size, part) = (30 + i * 37 % 90, ["north", "south", "west"][i as usize % 3]);
    let noise = f64::from(i * 7919 % 1000) / 1000.0 - 0.5;
    let price = 20.0 * f64::from(size) + 300.0 * f64::from(i % 3) + 200.0 * noise;
    let date = format!("2024-{:02}-{:02}", 1 + i % 12, 1 + i % 28);
    [format!("flat-{i}"), size.to_string(), part.into(), date, format!("{:.0}", (price / 10.0).round() * 10.0)]
}

fn table(order: [usize; 5], rows: impl Iterator<Item = u32>) -> String {
    let names = ["name", "size", "part", "seen", "price"];
    let mut text = order.map(|place| names[place]).join(",") + "\n";
    rows.for_each(|i| {
        let cells = flat(i);
        writeln!(text, "{}", order.map(|place| cells[place].clone()).join(",")).unwrap();
    });
    text
}

/// A trained run in `folder`: `flats`, on the first 300 rows, with the last 60 of them for the test.
fn trained(folder: &Path, target: &str) {
    std::fs::write(folder.join("flats.csv"), table([0, 1, 2, 3, 4], 0..300)).unwrap();
    let lines = |rows: std::ops::Range<u32>| rows.map(|row| format!("{row}\n")).collect::<String>();
    std::fs::write(folder.join("train.txt"), lines(0..240)).unwrap();
    std::fs::write(folder.join("test.txt"), lines(240..300)).unwrap();
    let config = format!(
        "[data]\nsource = \"csv\"\npath = \"flats.csv\"\ntarget = \"{target}\"\nexclude = [\"name\"]\ntrain_rows = \"train.txt\"\n\
         test_rows = \"test.txt\"\n[model]\nkind = \"conditional_mlp\"\n{}",
        if target == "price" { "" } else { "likelihood = \"categorical\"\n" }
    );
    std::fs::write(folder.join("flats.toml"), config).unwrap();
    run_ok(folder, &[&["--config", "flats.toml", "--out", "flats"], &FAST[..]].concat());
}

/// The header and the rows of a CSV.
fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

fn column(header: &[String], rows: &[Vec<String>], name: &str) -> Vec<f64> {
    let place = header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no {name} in {header:?}"));
    rows.iter().map(|row| row[place].parse().unwrap()).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

#[test]
fn numbers_are_predicted_as_evaluation_and_the_library_see_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "price");
    // Another order, and columns that nobody asked for.
    std::fs::write(folder.join("new.csv"), table([4, 3, 0, 2, 1], 240..300)).unwrap();
    let predict =
        ["predict", "flats", "--data", "new.csv", "--keep", "name", "--interval", "0.8", "--quantile", "0.25"];
    let said = run_ok(folder, &[&predict[..], &["--out", "predictions.csv"]].concat());
    assert_eq!(said.trim(), "60 predictions in predictions.csv");
    let text = std::fs::read_to_string(folder.join("predictions.csv")).unwrap();
    let (header, rows) = read(&text);
    assert_eq!(
        header.join(" "),
        "name price_mean price_median price_std price_lower_0.8 price_upper_0.8 price_q0.25 log_prob"
    );
    assert_eq!((rows.len(), rows[3][0].as_str()), (60, "flat-243"));
    let of = |name: &str| column(&header, &rows, name);
    for (((low, quarter), median), high) in
        of("price_lower_0.8").iter().zip(of("price_q0.25")).zip(of("price_median")).zip(of("price_upper_0.8"))
    {
        assert!(*low < quarter && quarter < median && median < high);
    }

    // What evaluation reports of the same rows.
    let results = json(&folder.join("flats/result.json"));
    let nll = measured(&results, "likelihood", "test")["value"].as_f64().unwrap();
    assert!((mean(of("log_prob").into_iter()) + nll).abs() < 1e-4, "{nll}");
    let prices: Vec<f64> = (240..300).map(|i| flat(i)[4].parse().unwrap()).collect();
    let errors: Vec<f64> = of("price_mean").iter().zip(&prices).map(|(mean, price)| (mean - price).powi(2)).collect();
    let metric = |quantity: &str| {
        let metrics = results["metrics"].as_array().unwrap();
        metrics.iter().find(|metric| metric["quantity"] == quantity).unwrap_or_else(|| panic!("no {quantity}"))["value"]
            .as_f64()
            .unwrap()
    };
    let rmse = mean(errors.into_iter()).sqrt();
    assert!((rmse / metric("RMSE") - 1.0).abs() < 1e-4, "{rmse} {}", metric("RMSE"));
    assert!(rmse < 500.0 && metric("CRPS") < metric("MAE") && metric("MAE") < metric("RMSE"));
    assert!((0.0..=1.0).contains(&metric("coverage 90 %")) && (0.0..1.0).contains(&metric("PIT")));
    // The step of the prices is 10: a cell's probability is about its width times the density.
    assert!((metric("cell NLL") - (nll - 10f64.ln())).abs() < 0.2, "{} {nll}", metric("cell NLL"));

    // From standard input to standard output, whatever comes at once: the same bytes.
    let mut child = dgm(folder)
        .args(["predict", "flats", "--data", "-", "--keep", "name", "--interval", "0.8", "--quantile", "0.25"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut streamed = String::new();
    for (place, line) in table([4, 3, 0, 2, 1], 240..300).lines().enumerate() {
        writeln!(input, "{line}").unwrap();
        if place > 0 {
            // A line is answered before the next is written; the header comes with the first.
            for _ in 0..if place == 1 { 2 } else { 1 } {
                output.read_line(&mut streamed).unwrap();
            }
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_eq!(streamed, text);

    // From the library: the same numbers to the bit.
    let trained = RunFolder::open(&folder.join("flats")).unwrap();
    let predictor: Predictor = Predictor::open(&trained, &Backend::open("flex").unwrap()).unwrap();
    let (names, mut numbers) = (predictor.names(), Vec::new());
    let days = |i: u32| {
        let month_starts = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
        f64::from(19_723 + month_starts[i as usize % 12] + i % 28)
    };
    for i in 240..300 {
        let [_, size, part, ..] = flat(i);
        let level = ["north", "south", "west"].iter().position(|word| *word == part).map(|level| level as f64);
        for (column, value) in names.condition.iter().zip([size.parse().ok(), level, Some(days(i))]) {
            column.append(value, &mut numbers);
        }
    }
    let condition = Matrix::new(60, predictor.spec().condition_width(), numbers);
    let levels = Levels::of(&[0.1, 0.9], &predictor);
    let found = predictor.predict(&condition, Some(&Matrix::new(60, 1, prices)), &levels).unwrap();
    let Predicted::Numbers { mean, median, std, quantiles } = &found.predicted else { panic!("{found:?}") };
    for (matrix, name) in [
        (mean, "price_mean"),
        (median, "price_median"),
        (std.as_ref().unwrap(), "price_std"),
        (&quantiles[0], "price_lower_0.8"),
    ] {
        assert_eq!(matrix.values(), of(name), "{name}");
    }
    assert_eq!(found.log_prob.unwrap(), of("log_prob"));

    // Conformal intervals hold nine tenths of the validation split, and one more.
    let stated = run(folder, &["predict", "flats", "--data", "new.csv", "--conformal"]);
    let told = String::from_utf8(stated.stderr).unwrap();
    assert!(stated.status.success() && told.contains("conformal intervals from 24 validation examples"), "{told}");
    let config: dgm_train::config::Config = trained.config().unwrap();
    let split = trained.dataset(&config).unwrap().validation;
    let conformal = Conformal::of(&predictor, &split).unwrap();
    let read = |field: &dgm_train::data::Field| field.read_all(0).unwrap();
    let (condition, target) = (read(split.condition.as_ref().unwrap()), read(&split.target));
    let found = predictor.predict(&condition, None, &conformal.interval(0.9)).unwrap();
    let Predicted::Numbers { quantiles, .. } = &found.predicted else { panic!("{found:?}") };
    let inside = (0..24).filter(|&row| {
        let [low, high, y] = [&quantiles[0], &quantiles[1], &target].map(|matrix| matrix.row(row)[0]);
        // The one at the edge may be on either side of it.
        low - 1e-3 <= y && y <= high + 1e-3
    });
    // ⌈25 · 0.9⌉ = 23 of 24.
    assert_eq!(inside.count(), 23);
    // Too few for 99 %: an interval of everything.
    let found = predictor.predict(&condition, None, &conformal.interval(0.99)).unwrap();
    let Predicted::Numbers { quantiles, .. } = &found.predicted else { panic!("{found:?}") };
    assert_eq!((quantiles[0].row(0)[0], quantiles[1].row(0)[0]), (f64::NEG_INFINITY, f64::INFINITY));
}

#[test]
fn labels_are_predicted_with_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "part");
    // No price: it is a part of the condition, and has to be there; no part: then there is no log_prob.
    std::fs::write(folder.join("new.csv"), table([1, 0, 3, 4, 2], 240..300)).unwrap();
    let (header, rows) = read(&run_ok(folder, &["predict", "flats", "--data", "new.csv"]));
    assert_eq!(header, ["part_predicted", "part_p_north", "part_p_south", "part_p_west", "log_prob"]);
    let results = json(&folder.join("flats/result.json"));
    let nll = measured(&results, "likelihood", "test")["value"].as_f64().unwrap();
    assert!((mean(column(&header, &rows, "log_prob").into_iter()) + nll).abs() < 1e-4);
    let (mut right, mut brier) = (0, 0.0);
    for (row, i) in rows.iter().zip(240..) {
        let p: Vec<f64> = row[1..4].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let best = (0..3).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        assert_eq!(row[0], ["north", "south", "west"][best]);
        right += usize::from(best == i % 3);
        brier += (0..3).map(|class| (p[class] - f64::from(u8::from(class == i % 3))).powi(2)).sum::<f64>() / 60.0;
    }
    let metric = |measure: &str, quantity: &str| {
        let metrics = results["metrics"].as_array().unwrap();
        let found = metrics.iter().find(|metric| metric["measure"] == measure && metric["quantity"] == quantity);
        found.unwrap_or_else(|| panic!("no {quantity}"))["value"].as_f64().unwrap()
    };
    assert!((metric("accuracy", "accuracy") - right as f64 / 60.0).abs() < 1e-12);
    assert!((metric("calibration", "Brier score") - brier).abs() < 1e-5);
    assert!((0.5..=1.0).contains(&metric("calibration", "AUROC")));
    let line = run_fails(folder, &["predict", "flats", "--data", "new.csv", "--conformal"], 2);
    assert!(line.contains("leave --conformal out"), "{line}");
}

#[test]
fn what_is_wrong_with_a_table_is_said_in_a_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "price");
    let header = "size,part,seen,price\n";
    for (text, parts) in [
        ("", "new.csv: found nothing; expected a table"),
        (header, "new.csv: found no row; expected one"),
        ("size,seen\n40,2024-01-01\n", "found no column `part`; expected the columns that the run was trained on"),
        ("size,parts,seen\n40,north,2024-01-01\n", "found no column `part`; did you mean `parts`?"),
        ("size,size,part,seen\n40,40,north,2024-01-01\n", "found two columns called `size`, 0 and 1"),
        (
            &format!("{header}40,east,2024-01-01,500\n"),
            "new.csv:2: column `part`: found \"east\", a word that no training row has",
        ),
        (
            &format!("{header}40,north,2024-01-01,500\nlarge,north,2024-01-01,500\n"),
            "new.csv:3: column `size`: found \"large\"; expected a number",
        ),
        (&format!("{header}40,north,soon,500\n"), "new.csv:2: column `seen`: found \"soon\"; expected a date"),
        (&format!("{header},north,2024-01-01,500\n"), "column `size`: the cell is missing"),
        (&format!("{header}40,north,2024-01-01,dear\n"), "column `price`: found \"dear\"; expected a number"),
        (&format!("{header}40,north,2024-01-01\n"), "new.csv:2: found 3 cells; expected 4"),
        (
            &format!("{header}\"40,north,2024-01-01,500\n"),
            "new.csv:2: found a quote that opens a cell and is never closed",
        ),
    ] {
        std::fs::write(folder.join("new.csv"), text).unwrap();
        let line = run_fails(folder, &["predict", "flats", "--data", "new.csv", "--out", "out.csv"], 2);
        assert!(line.contains(parts), "{parts}: {line}");
        let mut left = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!left.any(|name| name.to_string_lossy().starts_with("out.csv")), "{line}");
    }
    // An unknown word can be allowed, and a price that is not known is left out.
    std::fs::write(folder.join("new.csv"), format!("{header}40,east,2024-01-01,\n")).unwrap();
    let (header, rows) = read(&run_ok(folder, &["predict", "flats", "--data", "new.csv", "--allow-unknown"]));
    assert_eq!((header.last().unwrap().as_str(), rows[0].last().unwrap().as_str()), ("log_prob", ""));
    // Another delimiter is recognised.
    std::fs::write(folder.join("new.csv"), "seen;part;size\n2024-01-01;north;40\n").unwrap();
    assert_eq!(read(&run_ok(folder, &["predict", "flats", "--data", "new.csv"])).1.len(), 1);

    let fails = |args: &[&str], part: &str| {
        let line = run_fails(folder, args, 2);
        assert!(line.contains(part), "{part}: {line}");
    };
    fails(&["predict", "flats", "--data", "none.csv"], "--data: there is no file none.csv");
    fails(&["predict", "flats", "--data", "new.csv", "--keep", "id"], "found no column `id`");
    fails(&["predict", "flats", "--data", "new.csv", "--out", "no/out.csv"], "no: this folder does not exist; make it");
    let refused = run(folder, &["predict", "flats", "--data", "new.csv", "--interval", "90"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// y = ±√x and noise: a mixture finds both branches, and one normal number cannot.
#[test]
fn a_mixture_follows_two_branches() {
    let folder = tempfile::tempdir().unwrap();
    let nll = |likelihood: &str| {
        let config = format!(
            "[data]\nsource = \"synthetic\"\nkind = \"branches\"\n[model]\nkind = \"conditional_mlp\"\nhidden = [32, 32]\n\
             dropout = 0.0\nlikelihood = {likelihood}\n[optimizer]\nlearning_rate = 5e-3\nschedule = \"cosine\"\n[training]\n\
             epochs = 20\nbatch_size = 128\nema_decay = 0.99\n"
        );
        std::fs::write(folder.path().join("c.toml"), config).unwrap();
        let out = if likelihood.contains("mixture") { "mixture" } else { "normal" };
        run_ok(folder.path(), &["--config", "c.toml", "--out", out, "--quiet"]);
        let results = json(&folder.path().join(out).join("result.json"));
        let entropy = results["entropy"].as_f64().unwrap();
        measured(&results, "likelihood", "test")["value"].as_f64().unwrap() - entropy
    };
    let [mixture, normal] = ["{ kind = \"normal_mixture\", components = 2 }", "\"normal\""].map(nll);
    // Of 10000 test examples the standard error is 0.01.
    assert!((-0.04..0.05).contains(&mixture), "{mixture}");
    assert!(normal > mixture + 0.5, "{normal} {mixture}");
}

/// Tables as they come: without names, in another encoding, packed, through a link; and two targets of an ensemble.
#[test]
fn tables_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Two targets between the inputs, no header.
    let row = |i: u32, with: bool| {
        let (a, b) = (f64::from(i * 37 % 100) / 100.0, f64::from(i * 53 % 100) / 100.0);
        let (first, second) = (2.0 * a + 0.1 * f64::from(i % 7), 50.0 * b + f64::from(i % 5));
        if with { format!("{a} {first:.2} {b} {second:.1}\n") } else { format!("{a} {b}\n") }
    };
    std::fs::write(folder.join("t.txt"), (0..200).map(|i| row(i, true)).collect::<String>()).unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"t.txt\"\ntarget = [1, 3]\n[model]\nkind = \"conditional_mlp\"\n[training]\n\
                  ensemble = 2\n";
    std::fs::write(folder.join("t.toml"), config).unwrap();
    run_ok(folder, &[&["--config", "t.toml", "--out", "two"], &FAST[..]].concat());
    let results = json(&folder.join("two/result.json"));
    let members = results["members"]["metrics"].as_array().unwrap();
    let value = |metrics: &[serde_json::Value], quantity: &str| {
        metrics.iter().find(|metric| metric["quantity"] == quantity).unwrap()["value"].as_f64().unwrap()
    };
    for quantity in ["cell NLL of column 1", "cell NLL of column 3"] {
        // The mixture is at least as good as its members in the mean, and about as good.
        let [all, each] = [results["metrics"].as_array().unwrap(), members].map(|metrics| value(metrics, quantity));
        assert!(all <= each + 1e-6 && each < all + 1.0, "{quantity}: {all} {each}");
    }
    std::fs::write(folder.join("all.txt"), (0..5).map(|i| row(i, true)).collect::<String>()).unwrap();
    std::fs::write(folder.join("inputs.txt"), (0..5).map(|i| row(i, false)).collect::<String>()).unwrap();
    let means = |file: &str| {
        let (header, rows) = read(&run_ok(folder, &["predict", "two", "--data", file]));
        ["column 1_mean", "column 3_mean"].map(|name| column(&header, &rows, name))
    };
    assert_eq!(means("all.txt"), means("inputs.txt"));
    std::fs::write(folder.join("more.txt"), "1 2 3 4 5\n").unwrap();
    let line = run_fails(folder, &["predict", "two", "--data", "more.txt"], 2);
    assert!(line.contains("found 5 columns, without names; expected 4") && line.contains("or the 2"), "{line}");

    // In the encoding of the table before, with a quote in a name, packed, to a link.
    let text = "h\u{f6}he,\"wei\"\"te\",y\n".to_owned()
        + &(0..60).map(|i| format!("{i},{},{}\n", i % 7, 3 * i)).collect::<String>();
    let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
    std::fs::write(folder.join("latin.csv"), &bytes).unwrap();
    let config = "[data]\nsource = \"csv\"\npath = \"latin.csv\"\nencoding = \"latin1\"\ntarget = \"y\"\n[model]\nkind = \"conditional_mlp\"\n";
    std::fs::write(folder.join("latin.toml"), config).unwrap();
    run_ok(folder, &[&["--config", "latin.toml", "--out", "latin"], &FAST[..]].concat());
    let expected = run_ok(folder, &["predict", "latin", "--data", "latin.csv"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&bytes).unwrap();
    let mut child = dgm(folder)
        .args(["predict", "latin", "--data", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&packed.finish().unwrap()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), expected);
    #[cfg(unix)]
    {
        std::fs::write(folder.join("old.csv"), "old").unwrap();
        std::os::unix::fs::symlink("old.csv", folder.join("link.csv")).unwrap();
        run_ok(folder, &["predict", "latin", "--data", "latin.csv", "--out", "link.csv"]);
        assert!(folder.join("link.csv").symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(folder.join("old.csv")).unwrap(), expected);
        // A device stays one.
        run_ok(folder, &["predict", "latin", "--data", "latin.csv", "--out", "/dev/null"]);
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
    // A number that nothing holds.
    std::fs::write(
        folder.join("latin.csv"),
        "h\u{f6}he,wei\"te,y\n1,1e300,\n".chars().map(|c| c as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    let line = run_fails(folder, &["predict", "latin", "--data", "latin.csv"], 2);
    assert!(line.contains("latin.csv:2: a number is more than"), "{line}");
}

#[test]
fn uncertainty_is_calibrated_on_validation_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (target, figures, what) in [
        ("price", &["curves.svg", "importance.svg", "pit.svg"][..], "width of the distributions times"),
        ("part", &["curves.svg", "importance.svg", "reliability.svg"], "temperature"),
    ] {
        trained(folder, target);
        std::fs::write(folder.join("new.csv"), table([0, 1, 2, 3, 4], 240..300)).unwrap();
        let output = run(folder, &["predict", "flats", "--data", "new.csv", "--calibrate"]);
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("calibrated on 24 validation examples") && said.contains(what), "{said}");
        // The mean log p(y | x) of the test rows is what evaluation says of the calibrated model.
        let (header, rows) = read(&String::from_utf8(output.stdout).unwrap());
        let log_prob = column(&header, &rows, "log_prob");
        let results = json(&folder.join("flats/result.json"));
        let nll = measured(&results, "calibrated", "test");
        assert!((mean(log_prob.into_iter()) + nll["value"].as_f64().unwrap()).abs() < 1e-3, "{nll}");
        assert_eq!(nll["quantity"], "calibrated NLL");

        run_ok(folder, &["evaluate", "flats", "--figures"]);
        let mut found: Vec<String> = std::fs::read_dir(folder.join("flats/figures"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, figures);
        let drawn = std::fs::read_to_string(folder.join("flats/figures/importance.svg")).unwrap();
        assert!(drawn.starts_with("<svg") && ["size", "seen"].iter().all(|name| drawn.contains(name)), "{drawn}");
        std::fs::remove_dir_all(folder.join("flats")).unwrap();
    }
}

#[test]
fn targets_that_depend_on_each_other_are_predicted_each_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // v is u, but for a little noise, and both are x but for more.
    let mut text = "x,u,v\n".to_owned();
    for i in 0..400u32 {
        let x = f64::from(i * 37 % 100) / 10.0;
        let [more, little] = [7919, 104_729].map(|factor| f64::from(i * factor % 1000) / 500.0 - 1.0);
        writeln!(text, "{x},{:.4},{:.4}", x + more, x + more + 0.1 * little).unwrap();
    }
    std::fs::write(folder.join("uv.csv"), &text).unwrap();
    run_ok(folder, &["new", "--data", "uv.csv", "--target", "u", "--target", "v", "--out", "uv.toml"]);
    let fast = ["--quiet", "--set", "training.epochs=60", "--set", "model.hidden=[24,24]"];
    run_ok(folder, &[&["--config", "uv.toml", "--out", "uv"], &fast[..]].concat());
    run_ok(folder, &["predict", "uv", "--data", "uv.csv", "--out", "p.csv"]);
    let (header, rows) = read(&std::fs::read_to_string(folder.join("p.csv")).unwrap());
    let [x, u, v] = ["x", "u", "v"].map(|name| {
        let (header, rows) = read(&text);
        column(&header, &rows, name)
    });
    let [u_mean, v_mean, std] = ["u_mean", "v_mean", "v_std"].map(|name| column(&header, &rows, name));
    for (found, y) in [(&u_mean, &u), (&v_mean, &v)] {
        let error = mean(found.iter().zip(&x).map(|(found, x)| (found - x).abs()));
        assert!(error < 0.4 && found != y, "{error}");
    }
    // Each by itself is as wide as what x does not say of it; together they are narrower than both apart.
    assert!((0.3..1.0).contains(&mean(std.into_iter())));
    let results = json(&folder.join("uv/result.json"));
    let rmse: Vec<f64> = results["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|metric| metric["quantity"].as_str().unwrap().starts_with("RMSE"))
        .map(|metric| metric["value"].as_f64().unwrap())
        .collect();
    assert!(rmse.len() == 2 && rmse.iter().all(|rmse| (0.3..1.0).contains(rmse)), "{rmse:?}");
    let log_prob = mean(column(&header, &rows, "log_prob").into_iter());
    assert!(log_prob > -1.2, "{log_prob}");
}
