//! Tables as people bring them, from the bare file to a trained model and back to sampled rows, with the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, run, run_fails, run_ok};
use serde_json::Value;
use std::path::{Path, PathBuf};

const FAST: [&str; 5] = ["--quiet", "--set", "training.epochs=2", "--set", "evaluation.samples=4"];

/// Rows of three species: words, an unnamed index, missing cells, an integer, a decimal and a date.
fn birds(rows: u32) -> String {
    let row = |i: u32| {
        let species = ["Adelie", "Chinstrap", "Gentoo"][i as usize % 3];
        let bill = if i % 11 == 4 { "NA".to_owned() } else { format!("{:.1}", 35.0 + f64::from(i * 37 % 100) / 10.0) };
        let sex = match i % 7 {
            0 => "NA",
            odd if odd % 2 == 1 => "male",
            _ => "female",
        };
        format!("{i},{species},{bill},{},{sex},2024-{:02}-{:02}\n", 3000 + i * 53 % 900, 1 + i % 12, 1 + i % 28)
    };
    ",species,bill_mm,mass_g,sex,seen\n".to_owned() + &(1..=rows).map(row).collect::<String>()
}

fn inspected(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&run_ok(folder, &[&["data", "inspect"], args, &["--json"]].concat())).unwrap()
}

/// The cells of a CSV file, row by row.
fn cells(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn a_bare_table_becomes_a_model_and_rows_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("birds.csv"), birds(240)).unwrap();
    let shown = run_ok(path, &["data", "inspect", "birds.csv"]);
    for part in
        ["species", "category", "Adelie (80)", "seen", "date", "it numbers the rows", "[data]", "source = \"csv\""]
    {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }
    let report = inspected(path, &["birds.csv"]);
    assert_eq!((&report["rows"], &report["columns"][2]["missing"]), (&240.into(), &22.into()));

    // A number, a word, and all numbers given the words.
    for (target, out) in [("mass_g", "mass"), ("species", "species")] {
        let file = format!("{out}.toml");
        let said = run_ok(path, &["new", "--data", "birds.csv", "--target", target, "--out", &file]);
        assert!(said.contains(&format!("dgm-train --config {file}")), "{said}");
        let config = std::fs::read_to_string(path.join(&file)).unwrap();
        assert!(config.contains("path = \"birds.csv\"") && config.contains("missing = \"impute\""), "{config}");
        run_ok(path, &[&["--config", &file, "--out", out], &FAST[..]].concat());
        run_ok(path, &["sample", out, "-n", "7", "--out", "rows.csv"]);
        let rows = cells(&path.join("rows.csv"));
        assert_eq!(rows.len(), 8);
        // The condition as the table has it, then what was sampled.
        assert_eq!(rows[0].last().map(String::as_str), Some(target));
        assert!(!rows[0].contains(&"column 0".to_owned()), "{rows:?}");
        let at = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
        for row in &rows[1..] {
            assert!(row[at("mass_g")].parse::<i64>().is_ok(), "{row:?}");
            assert!(row[at("seen")].starts_with("2024-"), "{row:?}");
            assert!(["male", "female", ""].contains(&row[at("sex")].as_str()), "{row:?}");
            assert!(["Adelie", "Chinstrap", "Gentoo"].contains(&row[at("species")].as_str()), "{row:?}");
        }
        let result = json(&path.join(out).join("result.json"));
        assert_eq!(result["target"], serde_json::json!([target]));
        let provenance = json(&path.join(out).join("provenance.json"));
        assert_eq!(provenance["names"]["target"][0]["name"], *target);
        if target == "species" {
            let classes = serde_json::json!(["Adelie", "Chinstrap", "Gentoo"]);
            assert_eq!((&provenance["names"]["classes"], &result["classes"]), (&classes, &classes));
        }
        // What was recognised is in the run's configuration, so nothing is guessed again.
        let resolved = std::fs::read_to_string(path.join(out).join("config.toml")).unwrap();
        assert!(resolved.contains("delimiter = \",\"") && resolved.contains("header = true"), "{resolved}");
        let again = run_ok(path, &["evaluate", out, "--json"]);
        let again: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(again["test"], result["test"]);
        // The configuration that the run began with is the run's own, whatever was recognised.
        run_ok(path, &[&["--resume", out, "--config", &file], &FAST[..]].concat());
    }
    run_ok(path, &["new", "--data", "birds.csv", "--out", "all.toml"]);
    let config = std::fs::read_to_string(path.join("all.toml")).unwrap();
    assert!(config.contains("target = [\"bill_mm\", \"mass_g\", \"seen\"]"), "{config}");
    run_ok(path, &[&["--config", "all.toml", "--out", "all"], &FAST[..]].concat());
    run_ok(path, &["sample", "all", "-n", "3", "--out", "rows.csv"]);
    assert_eq!(cells(&path.join("rows.csv"))[0], ["species", "sex", "bill_mm", "mass_g", "seen"]);

    let line = run_fails(path, &["new", "--data", "birds.csv", "--out", "all.toml"], 2);
    assert!(line.contains("all.toml: there is such a file already; name another with --out"), "{line}");
    let line = run_fails(path, &["new", "--data", "birds.csv", "--target", "speces", "--out", "n.toml"], 2);
    assert!(line.contains("did you mean `species`?") && !path.join("n.toml").exists(), "{line}");
}

#[test]
fn published_tables_go_from_file_to_rows_in_three_commands() {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tables");
    if !tables.is_dir() {
        assert!(std::env::var_os("DGM_REQUIRE_DATA").is_none(), "no data at {}", tables.display());
        println!("skipped: no data at {}", tables.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (table, target, extra) in [
        ("penguins", "species", "training.epochs=3"),
        ("airquality", "Ozone", "training.epochs=3"),
        ("diamonds", "price", "training.epochs=1"),
    ] {
        let data: PathBuf = tables.join(format!("{table}.csv"));
        let data = data.canonicalize().unwrap().display().to_string();
        assert!(run_ok(path, &["data", "inspect", &data]).contains(target));
        let file = format!("{table}.toml");
        run_ok(path, &["new", "--data", &data, "--target", target, "--out", &file]);
        run_ok(path, &["--config", &file, "--out", table, "--quiet", "--set", extra]);
        run_ok(path, &["sample", table, "-n", "5", "--out", "x.csv"]);
        let rows = cells(&path.join("x.csv"));
        assert!(rows.len() == 6 && rows[0].last().unwrap() == target, "{table}: {rows:?}");
    }
}

/// A configuration of a table whose `[data]` has these further lines.
fn config(folder: &Path, table: &str, data: &str) {
    std::fs::write(folder.join("t.csv"), table).unwrap();
    let text = format!(
        "[data]\nsource = \"csv\"\npath = \"t.csv\"\n{data}\n[model]\nkind = \"conditional_mlp\"\nhidden = [8]\n"
    );
    std::fs::write(folder.join("c.toml"), text).unwrap();
}

#[test]
fn what_people_bring_is_read_or_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rows = |line: &dyn Fn(u32) -> String| (0..60).map(line).collect::<String>();
    let target = |report: &Value| report["splits"][0]["target"].clone();

    // A constant has no density.
    config(path, &rows(&|i| format!("{},5000\n", f64::from(i * 7 % 60) / 8.0)), "target = [1]");
    let table = run_ok(path, &[&["--config", "c.toml", "--out", "constant"], &FAST[..]].concat());
    assert!(
        table.contains("warning: the target `column 1` is 5000 in every training row: a constant has no density"),
        "{table}"
    );

    // Decimal commas; old Mac line ends with commas and with blanks; UTF-16 with tabs.
    let comma = rows(&|i| format!("{},5;{},25\n", i % 7, i));
    config(path, &format!("colx;coly\n{comma}"), "target = [\"coly\"]");
    let report = inspected(path, &["c.toml"]);
    assert!(target(&report)["min"].as_f64().unwrap().fract() == 0.25, "{report}");
    for (delimiter, name) in [(",", "commas"), (" ", "blanks")] {
        config(path, &rows(&|i| format!("{}.5{delimiter}{}\r", i % 7, i * i)), "target = [1]");
        assert_eq!(inspected(path, &["c.toml"])["rows"], 60, "{name}");
    }
    let text = format!("x\ty\r\n{}", rows(&|i| format!("{}.5\t{}\r\n", i % 7, i * i)));
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    config(path, "", "target = [\"y\"]");
    std::fs::write(path.join("t.csv"), utf16).unwrap();
    assert_eq!(inspected(path, &["c.toml"])["rows"], 60);

    // Two columns of one name; numbers that 32 bits do not hold; a header behind #; labels in words; a delimiter at each end.
    config(path, &format!("X1,X1,y\n{}", rows(&|i| format!("{i}.5,{},{}\n", i * i, i % 5))), "target = [\"X1\"]");
    let line = run_fails(path, &["data", "inspect", "c.toml"], 2);
    assert!(line.contains("columns 0 and 1") && line.contains("both called `X1`"), "{line}");
    config(
        path,
        &format!("big,small\n{}", rows(&|i| format!("{}e38,{}e-46\n", 10 + i, 1 + i * i % 9))),
        "target = [\"big\"]",
    );
    let big = target(&inspected(path, &["c.toml"]));
    assert!((big["std"].as_f64().unwrap() / 1e38 - 17.0).abs() < 1.5, "{big}");
    let small = target(&inspected(path, &["c.toml", "--set", "data.target=[\"small\"]"]));
    assert!((1e-46..=9e-46).contains(&small["mean"].as_f64().unwrap()), "{small}");
    let table = run_ok(path, &[&["--config", "c.toml", "--out", "big"], &FAST[..]].concat());
    assert!(!table.contains("NaN"), "{table}");
    config(path, &format!("# a b c\n{}", rows(&|i| format!("{i}.5 {} {}\n", i * i, i % 5))), "target = [\"c\"]");
    let report = inspected(path, &["c.toml"]);
    assert_eq!((&report["columns"][0]["name"], &report["rows"]), (&"a".into(), &60.into()));
    let iris = rows(&|i| format!("{}.1,{}.5,Iris-{}\n", i % 7, i % 5, ["setosa", "virginica"][i as usize % 2]));
    config(path, &format!("{iris}\n"), "target = [2]");
    assert_eq!(inspected(path, &["c.toml"])["names"]["classes"], serde_json::json!(["Iris-setosa", "Iris-virginica"]));
    config(path, &format!("a,b,y,\n{}", rows(&|i| format!("{i}.5,{},{},\n", i * i, i % 5))), "target = [\"y\"]");
    let report = inspected(path, &["c.toml"]);
    assert_eq!((&report["condition_width"], report["columns"].as_array().unwrap().len()), (&2.into(), 3));

    // What is no text says what it is.
    std::fs::write(path.join("t.csv"), b"PK\x03\x04 and more").unwrap();
    let line = run_fails(path, &["data", "inspect", "c.toml"], 2);
    assert!(line.contains("a ZIP archive, not a text; unpack it"), "{line}");
    // Missing cells, and each way out that the message offers.
    let holes = rows(&|i| if i == 9 { "?,81\n".into() } else { format!("{i}.5,{}\n", i * i) });
    config(path, &format!("hp,y\n{holes}"), "target = [\"y\"]");
    let line = run_fails(path, &["--config", "c.toml", "--out", "no"], 2);
    assert!(line.contains("t.csv:11: column 0 (`hp`): the cell is missing") && !path.join("no").exists(), "{line}");
    for (set, out) in [("data.missing=drop", "drop"), ("data.missing=impute", "impute")] {
        run_ok(path, &[&["--config", "c.toml", "--out", out, "--set", set], &FAST[..]].concat());
    }
    let output = run(path, &["data", "inspect", "c.toml", "--set", "data.exclude=[\"hp\"]"]);
    assert!(output.status.success());
}
