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
        assert_eq!(again["metrics"], result["metrics"]);
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
    assert!(line.contains("all.toml: this file exists; name another with --out"), "{line}");
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

/// A grey picture of 4 × 4 pixels.
fn picture(path: &Path, pixel: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), 4, 4);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[pixel; 16]).unwrap();
}

#[test]
fn a_new_configuration_names_the_data_from_its_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let pairs = (0..60u32).map(|i| format!("{}.5,{}.25\n", i % 7, i * i % 11)).collect::<String>();
    std::fs::create_dir_all(path.join("sub")).unwrap();
    std::fs::create_dir_all(path.join("cfg")).unwrap();
    std::fs::write(path.join("sub/mid.csv"), format!("x,y\n{pairs}")).unwrap();
    std::fs::write(path.join("cfg/inside.csv"), format!("x,y\n{pairs}")).unwrap();
    for i in 0..20u8 {
        let class = ["cat", "dog"][usize::from(i % 2)];
        for set in ["images", "data"] {
            picture(&path.join(format!("{set}/{class}/{i}.png")), i);
        }
        picture(&path.join(format!("flat/{i}.png")), i);
    }
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 2][..], &[7; 48]].concat();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 12][..], &[1; 12]].concat();
    std::fs::create_dir_all(path.join("mn")).unwrap();
    for part in ["train", "t10k"] {
        std::fs::write(path.join(format!("mn/{part}-images-idx3-ubyte")), &idx).unwrap();
        std::fs::write(path.join(format!("mn/{part}-labels-idx1-ubyte")), &labels).unwrap();
    }
    let root = path.canonicalize().unwrap().display().to_string();
    for (from, data, out, expected) in [
        ("sub", "mid.csv", "../cfg/m.toml", format!("path = \"{root}/sub/mid.csv\"")),
        ("sub", "mid.csv", "../m.toml", "path = \"sub/mid.csv\"".into()),
        ("", "cfg/inside.csv", "cfg/in.toml", "path = \"inside.csv\"".into()),
        ("", "images", "cfg/i.toml", format!("path = \"{root}/images\"")),
        ("", "data", "cfg/d.toml", format!("path = \"{root}/data\"")),
        ("images", ".", "../dot.toml", "path = \"images\"".into()),
        ("images", ".", "here.toml", "path = \".\"".into()),
        (
            "",
            "mn/train-images-idx3-ubyte",
            "cfg/mn.toml",
            format!("test_labels = \"{root}/mn/t10k-labels-idx1-ubyte\""),
        ),
    ] {
        run_ok(&path.join(from), &["new", "--data", data, "--out", out]);
        let config = std::fs::read_to_string(path.join(from).join(out)).unwrap();
        assert!(config.contains("\n[data]\nsource = ") && config.contains(&format!("\n{expected}")), "{config}");
        run_ok(path, &["data", "inspect", &path.join(from).join(out).display().to_string()]);
    }
    // Among pictures without folders it would be taken for one of them.
    let line = run_fails(&path.join("flat"), &["new", "--data", ".", "--out", "f.toml"], 2);
    assert!(
        line.contains("f.toml: it would be read as one of the pictures") && !path.join("flat/f.toml").exists(),
        "{line}"
    );
}

#[test]
fn advice_about_bare_data_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let lines = (0..60u32).map(|i| format!("{},{};{},25;caf\u{e9}\r\n", i % 7, i % 10, i * i % 11)).collect::<String>();
    // The first 256 characters are the bytes of Latin-1.
    let bytes = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    std::fs::write(path.join("excel.csv"), bytes(&format!("x;y;where\r\n{lines}"))).unwrap();
    for command in [&["data", "inspect", "excel.csv"][..], &["new", "--data", "excel.csv", "--target", "y"]] {
        let line = run_fails(path, command, 2);
        assert!(line.contains("set data.encoding = \"windows-1252\""), "{line}");
        run_ok(path, &[command, &["--set", "data.encoding=windows-1252"]].concat());
    }
    let shown = run_ok(path, &["data", "inspect", "excel.csv", "--set", "data.encoding=windows-1252"]);
    assert!(shown.contains("café (60)") && shown.contains("\nencoding = \"windows-1252\""), "{shown}");
    assert!(shown.contains("dgm-train new --data excel.csv --set data.encoding=windows-1252\n"), "{shown}");
    run_ok(path, &[&["--config", "excel.toml", "--out", "excel"], &FAST[..]].concat());
    let line = run_fails(path, &["data", "inspect", "excel.csv", "--set", "training.epochs=2"], 2);
    assert!(line.contains("expected a key of [data], such as data.encoding=windows-1252"), "{line}");

    // Many different words among numbers, and several numbers given words: what is written trains.
    let cell = |i: u32| if i % 32 == 5 { format!("w{}", i / 32 % 12) } else { format!("{}.5", i * 37 % 101) };
    let rows =
        (0..400u32).map(|i| format!("{},{}.5,{}.25,{}\n", cell(i), i % 90, i * i % 83, ["a", "b"][i as usize % 2]));
    std::fs::write(path.join("odd.csv"), "odd,x,y,word\n".to_owned() + &rows.collect::<String>()).unwrap();
    run_ok(path, &["new", "--data", "odd.csv"]);
    let config = std::fs::read_to_string(path.join("odd.toml")).unwrap();
    assert!(config.contains("kind = \"any_order_mlp\"") && config.contains("target = [\"x\", \"y\"]"), "{config}");
    run_ok(path, &[&["--config", "odd.toml", "--out", "odd"], &FAST[..]].concat());

    // The [data] of an array loads where it is pasted.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (40, 3), }";
    let numbers = (0..120u32).flat_map(|i| f64::from(i * 7 % 31).to_le_bytes());
    let array = [b"\x93NUMPY\x01\x00v\x00", format!("{header:<117}\n").as_bytes()].concat();
    std::fs::write(path.join("a.npy"), array.into_iter().chain(numbers).collect::<Vec<u8>>()).unwrap();
    let report = inspected(path, &["a.npy"]);
    std::fs::write(path.join("a.toml"), report["data"].as_str().unwrap()).unwrap();
    assert_eq!(inspected(path, &["a.toml"])["splits"], report["splits"]);
}
