//! `dgm-train score` through the real binary: surprisal and p-values of rows of a table, of arrays and of splits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{run, run_fails, run_ok};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// A table of two numbers that go together, a word and an id; a few rows of it break the rule where they are asked to.
fn table(path: &Path, rows: usize, odd: bool) {
    let mut text = String::from("id;a;b;word\n");
    for i in 0..rows {
        let a = (i as f64 * 0.7).sin() * 2.0;
        let noise = (i as f64 * 1.9).cos() * 0.1;
        let b = if odd && i % 10 == 0 { -a - 1.0 } else { a + noise };
        let word = if a > 0.0 { "high" } else { "low" };
        writeln!(text, "row {i};{a:.4};{b:.4};{word}").unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn trained(folder: &Path, target: &str, model: &str) {
    table(&folder.join("train.csv"), 600, false);
    let config = format!(
        "[data]\nsource = \"csv\"\npath = \"train.csv\"\ntarget = {target}\nexclude = [\"id\"]\nsplit = \"random\"\n[model]\n{model}\n[training]\n\
         epochs = 30\nbatch_size = 32\n"
    );
    let config = if target.contains("word") { config } else { config.replace("[\"id\"]", "[\"id\", \"word\"]") };
    std::fs::write(folder.join("t.toml"), config.replace("split = \"random\"\n", "")).unwrap();
    run_ok(folder, &["--config", "t.toml", "--out", "run", "--quiet"]);
}

/// Header and rows of a CSV file.
fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

/// The integral over the plane of what a trained run says of each point of a lattice, in steps that are small beside what it has learnt.
fn integral(at: &Path) -> f64 {
    let (points, step) = (601, 0.02);
    let place = |i: usize| (i as f64 - 0.5 * (points - 1) as f64) * step;
    let mut text = String::from("a;b\n");
    for i in 0..points * points {
        writeln!(text, "{:.3};{:.3}", place(i / points), place(i % points)).unwrap();
    }
    std::fs::write(at.join("lattice.csv"), text).unwrap();
    run_ok(at, &["score", "run", "--data", "lattice.csv", "--out", "lattice-scores.csv"]);
    let (header, rows) = read(&std::fs::read_to_string(at.join("lattice-scores.csv")).unwrap());
    let column = header.iter().position(|name| name == "surprisal").unwrap();
    rows.iter().map(|row| (-row[column].parse::<f64>().unwrap()).exp() * step * step).sum()
}

#[test]
fn what_is_trained_integrates_to_one() {
    for model in [
        "kind = \"flow\"\nstructure = \"coupling\"\ntransform = \"affine\"\nmixing = \"permutation\"\nact_norm = true\nhidden = [16]",
        "kind = \"flow\"\nstructure = \"autoregressive\"\ntransform = \"spline\"\nmixing = \"lu\"\nhidden = [16]",
        "kind = \"kde\"",
        "kind = \"kde\"\nkernel = \"epanechnikov\"\nbandwidth = \"adaptive\"",
        "kind = \"gaussian_mixture\"",
    ] {
        let folder = tempfile::tempdir().unwrap();
        trained(folder.path(), "[\"a\", \"b\"]", model);
        let found = integral(folder.path());
        assert!((found - 1.0).abs() < 1e-3, "{found}: {model}");
    }
}

#[test]
fn what_breaks_the_rule_is_strange() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at, "[\"a\", \"b\"]", "kind = \"gaussian_mixture\"");
    table(&at.join("new.csv"), 100, true);
    let said = run_ok(at, &["score", "run", "--data", "new.csv", "--out", "scores.csv", "--threshold", "0.05"]);
    assert!(said.contains("100 scores in scores.csv, "), "{said}");
    let (header, rows) = read(&std::fs::read_to_string(at.join("scores.csv")).unwrap());
    // The model does not see ids and words.
    assert_eq!(header, ["id", "word", "surprisal", "p_value", "flag"]);
    assert_eq!(rows.len(), 100);
    let mut false_alarms = 0;
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[0], format!("row {i}"));
        let (surprisal, p): (f64, f64) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        assert_eq!(row[4] == "1", p <= 0.05, "{row:?}");
        if i % 10 == 0 {
            assert!(surprisal > 20.0 && row[4] == "1", "{row:?}");
        } else {
            false_alarms += usize::from(row[4] == "1");
        }
    }
    assert!(false_alarms <= 12, "{false_alarms}");
    // Its histogram beside that of the validation examples.
    let with_figure = ["score", "run", "--data", "new.csv", "--out", "again.csv", "--threshold", "0.05"];
    run_ok(at, &[&with_figure[..], &["--figure", "f.svg"]].concat());
    let figure = std::fs::read_to_string(at.join("f.svg")).unwrap();
    for text in ["AUROC 0.", "validation examples", "100 scored examples", "flagged above", "surprisal in nats"] {
        assert!(figure.contains(text), "{text}");
    }
    std::fs::copy(at.join("new.csv"), at.join("table.svg")).unwrap();
    std::fs::create_dir(at.join("folder.svg")).unwrap();
    for (data, name, problem) in [
        ("new.csv", "f.png", "ends in .svg"),
        ("new.csv", "nowhere/f.svg", "nowhere: this folder does not exist; make it"),
        ("new.csv", "folder.svg", "is a folder; expected a file"),
        ("table.svg", "./table.svg", "read by this command or by the run"),
        ("new.csv", "scores.svg", "the scores go there"),
    ] {
        let error = run_fails(at, &["score", "run", "--data", data, "--out", "./scores.svg", "--figure", name], 2);
        assert!(error.contains(problem), "{error}");
        assert!(!at.join("scores.svg").exists());
    }
    assert_eq!(std::fs::read(at.join("new.csv")).unwrap(), std::fs::read(at.join("table.svg")).unwrap());
    // The same, from standard input to standard output.
    let mut child = common::dgm(at)
        .args(["score", "run", "--data", "-", "--threshold", "0.05"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(at.join("new.csv")).unwrap()).unwrap();
    let streamed = child.wait_with_output().unwrap();
    assert!(streamed.status.success());
    let streamed = String::from_utf8(streamed.stdout).unwrap();
    let near = |text: &str| read(text).1.iter().map(|row| row[2].parse::<f64>().unwrap()).collect::<Vec<_>>();
    for (a, b) in near(&streamed).into_iter().zip(near(&std::fs::read_to_string(at.join("scores.csv")).unwrap())) {
        assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()));
    }
    // A split of the run's own data.
    let (header, rows) = read(&run_ok(at, &["score", "run", "--split", "validation"]));
    assert_eq!(header, ["example", "surprisal", "p_value"]);
    let p: Vec<f64> = rows.iter().map(|row| row[2].parse().unwrap()).collect();
    let mean = p.iter().sum::<f64>() / p.len() as f64;
    assert!((0.45..0.55).contains(&mean), "{mean}");
}

#[test]
fn where_there_are_factors_they_add_up_and_the_strangest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at, "[\"a\", \"b\", \"word\"]", "kind = \"any_order_mlp\"\nhidden = [16]");
    table(&at.join("new.csv"), 40, false);
    let out = run_ok(at, &["score", "run", "--data", "new.csv", "--per-column", "--keep", "id"]);
    let (header, rows) = read(&out);
    let expected = ["id", "surprisal", "p_value", "strangest", "surprisal_a", "surprisal_b", "surprisal_word"];
    assert_eq!(header, expected);
    for row in rows {
        let number = |place: usize| row[place].parse::<f64>().unwrap();
        let sum: f64 = (4..7).map(number).sum();
        assert!((sum - number(1)).abs() < 1e-4 * (1.0 + sum.abs()), "{row:?}");
        let strangest = (4..7).max_by(|&a, &b| number(a).total_cmp(&number(b))).unwrap();
        assert_eq!(row[3], header[strangest].trim_start_matches("surprisal_"));
    }
}

#[test]
fn bad_input_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at, "[\"a\", \"b\"]", "kind = \"kde\"");
    let refused = |text: &str, arguments: &[&str]| {
        std::fs::write(at.join("bad.csv"), text).unwrap();
        let error = run_fails(at, &[&["score", "run", "--data", "bad.csv", "--out", "no.csv"], arguments].concat(), 2);
        assert!(!at.join("no.csv").exists());
        error
    };
    let error = refused("a;id\n1.0;x\n", &[]);
    assert!(error.contains("found no column `b`"), "{error}");
    let error = refused("a;b\n1.0;\n", &[]);
    assert!(error.contains("bad.csv:2: column `b`: found a missing cell") && error.contains("fill it in"), "{error}");
    let error = refused("a;b\n1.0;word\n", &[]);
    assert!(error.contains("bad.csv:2"), "{error}");
    let output = run(at, &["score", "run", "--data", "bad.csv", "--threshold", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected a rate above 0 and below 1"));
    let error = refused("", &[]);
    assert!(error.contains("bad.csv"), "{error}");
    let error = refused("a;b\n1.0;2.0\n", &["--per-column"]);
    assert!(error.contains("leave it out"), "{error}");
    // Neither what is read nor the run is written over.
    for out in ["bad.csv", "run/config.toml", "./run/../bad.csv"] {
        let error = run_fails(at, &["score", "run", "--data", "bad.csv", "--out", out], 2);
        assert!(error.contains("name another"), "{error}");
    }
    run_ok(at, &["score", "run", "--split", "test", "--out", "run/scores.csv"]);
    // Too few examples for a rate are told of.
    std::fs::write(at.join("one.csv"), "a;b\n1.0;2.0\n").unwrap();
    let output = run(at, &["score", "run", "--data", "one.csv", "--threshold", "0.00001"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("too few for a rate of 0.00001: nothing is flagged"));
    // What is no density says what it can do.
    let error = run_fails(at, &["score", "nowhere"], 2);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn arrays_are_scored_as_the_runs_own_test() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let write = |name: &str, n: usize, shift: f32| {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, 2), }}");
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        let values = (0..2 * n).map(|i| (i as f32 * 0.7).sin() + shift);
        values.for_each(|x| bytes.extend(x.to_le_bytes()));
        std::fs::write(at.join(name), bytes).unwrap();
    };
    write("train.npy", 300, 0.0);
    write("test.npy", 50, 0.0);
    write("far.npy", 20, 30.0);
    let config = "[data]\nsource = \"npy\"\ntrain = \"train.npy\"\ntest = \"test.npy\"\n[model]\nkind = \"flow\"\nlayers = 2\nhidden = [16]\n\
                  [training]\nepochs = 5\n";
    std::fs::write(at.join("t.toml"), config).unwrap();
    run_ok(at, &["--config", "t.toml", "--out", "run", "--quiet"]);
    let near = read(&run_ok(at, &["score", "run"])).1;
    let far = read(&run_ok(at, &["score", "run", "--data", "far.npy"])).1;
    // The smallest there is.
    let near_p = far[0][2].clone();
    assert_eq!((near.len(), far.len()), (50, 20));
    let smallest = far.iter().map(|row| row[1].parse::<f64>().unwrap()).fold(f64::INFINITY, f64::min);
    let largest = near.iter().map(|row| row[1].parse::<f64>().unwrap()).fold(f64::NEG_INFINITY, f64::max);
    assert!(smallest > largest + 100.0, "{smallest} {largest}");
    // What no 32-bit number holds is stranger than all, not unknown.
    write("beyond.npy", 3, 1e30);
    for row in read(&run_ok(at, &["score", "run", "--data", "beyond.npy"])).1 {
        assert_eq!((row[1].as_str(), row[2].as_str()), ("inf", near_p.as_str()));
    }
    // A test split that is a part of `train` is no obstacle, and the units are those that the run learnt.
    std::fs::write(at.join("u.toml"), config.replace("test = \"test.npy\"\n", "")).unwrap();
    run_ok(at, &["--config", "u.toml", "--out", "other", "--quiet"]);
    assert_eq!(read(&run_ok(at, &["score", "other", "--data", "far.npy"])).1.len(), 20);
    let error = run_fails(at, &["score", "run", "--data", "nothing.npy"], 2);
    assert!(error.contains("nothing.npy"), "{error}");
}

#[test]
fn images_are_scored_by_other_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let quick = ["--quiet", "--set", "model.channels=8", "--set", "model.layers=1", "--set", "training.epochs=1"];
    run_ok(at, &[&["--config", "arm.toml", "--out", "run"], &quick[..]].concat());
    run_ok(at, &["--config", "histogram.toml", "--out", "floor", "--quiet"]);
    // The column of this name.
    let column = |text: &str, name: &str| -> Vec<f64> {
        let (header, rows) = read(text);
        let place = header.iter().position(|found| found == name).unwrap_or_else(|| panic!("{header:?} {name}"));
        rows.iter().map(|row| row[place].parse().unwrap()).collect()
    };
    let by = |arguments: &[&str]| run_ok(at, &[&["score", "run"], arguments].concat());
    let plain = by(&[]);
    let surprisal = column(&plain, "surprisal");
    for (bits, nats) in column(&plain, "bits_per_dim").iter().zip(&surprisal) {
        assert!((bits * 64.0 * 2f64.ln() - nats).abs() < 1e-6 * nats, "{bits} {nats}");
    }
    let known = column(&by(&["--split", "validation"]), "surprisal");
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let floor = column(&run_ok(at, &["score", "floor"]), "surprisal");
    let typicality = column(&by(&["--by", "typicality"]), "typicality");
    let ratio = column(&by(&["--by", "ratio", "--background", "floor"]), "ratio");
    let complexity = column(&by(&["--by", "complexity"]), "complexity");
    for i in 0..surprisal.len() {
        assert!((typicality[i] - (surprisal[i] - mean).abs()).abs() < 1e-3);
        assert!((ratio[i] - (surprisal[i] - floor[i])).abs() < 1e-3);
        // 64 levels below 16 take 20 to 80 bytes.
        let bytes = (surprisal[i] - complexity[i]) / (8.0 * 2f64.ln());
        assert!((15.0..90.0).contains(&bytes) && (bytes - bytes.round()).abs() < 1e-6, "{bytes}");
    }
    // Of the statistic that is asked for: near the mean is not strange, however likely.
    let text = by(&["--by", "typicality"]);
    let p = column(&text, "p_value");
    let nearest = (0..p.len()).min_by(|&a, &b| typicality[a].total_cmp(&typicality[b])).unwrap();
    assert!(p[nearest] > 0.95, "{}", p[nearest]);
    // Other data of the same kind: the same digits, by a configuration.
    assert_eq!(column(&by(&["--on", "vae.toml"]), "surprisal"), surprisal);
    for (arguments, what) in [
        (&["--on", "conditional.toml"][..], "expected those of the run"),
        (&["--by", "ratio"], "name its run with --background"),
        (&["--background", "floor"], "leave it out"),
        (&["--by", "ratio", "--background", "nowhere"], "nowhere"),
    ] {
        let error = run_fails(at, &[&["score", "run", "--out", "no.csv"], arguments].concat(), 2);
        assert!(error.contains(what), "{error}");
    }
}

/// A background of other units, columns in another order, other kinds of targets and what nothing can be expected of.
#[test]
fn statistics_refuse_what_they_would_misread() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trained(at, "[\"a\", \"b\"]", "kind = \"gaussian_mixture\"");
    std::fs::rename(at.join("run"), at.join("permuted")).unwrap();
    trained(at, "[\"b\", \"a\"]", "kind = \"gaussian_mixture\"");
    let by = |arguments: &[&str]| run_fails(at, &[&["score", "run"], arguments].concat(), 2);
    let error = by(&["--by", "ratio", "--background", "permuted"]);
    assert!(error.contains("found other columns or symbols"), "{error}");
    for statistic in ["complexity", "zlib"] {
        let error = by(&["--by", statistic]);
        assert!(error.contains("compresses images of at most 256 levels"), "{error}");
    }
    assert!(by(&["--on", "vae.toml"]).contains("is for runs on images"));
    // What overflows is strange by every statistic, and so is what both models hold for impossible.
    std::fs::write(at.join("far.csv"), "a;b\n1e30;0.0\n0.0;0.0\n").unwrap();
    for arguments in [&["--by", "typicality"][..], &["--by", "ratio", "--background", "run"]] {
        let rows = read(&run_ok(at, &[&["score", "run", "--data", "far.csv"], arguments].concat())).1;
        let p: Vec<f64> = rows.iter().map(|row| row[2].parse().unwrap()).collect();
        assert!(p[0] < 0.05 && p[1] > p[0], "{rows:?}");
    }
}
