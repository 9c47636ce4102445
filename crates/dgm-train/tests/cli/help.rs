//! The examples in the help of every command, run as they stand.

use super::common::{dgm, run_ok};
use std::path::Path;

/// Commands that have others below them, and one that waits for a network.
const WITHOUT: [&str; 3] = ["data", "help", "fetch"];

/// Names under the heading `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// Lines under the heading `Examples:`.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Examples:")).skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// What the examples speak of: a table of houses with what to predict, one of readings with gaps, and runs on them and on digits.
fn prepare(folder: &Path) {
    let table = |name: &str, header: &str, rows: usize, row: &dyn Fn(f64, usize) -> String| {
        let rows: String = (0..rows).map(|i| row(((i * i) as f64).sin(), i)).collect();
        std::fs::write(folder.join(name), format!("{header}\n{rows}")).unwrap();
    };
    let house = |x: f64, i: usize| {
        format!("{:.1},{},{:.0}\n", 80.0 + 30.0 * x, ["Bonn", "Kiel"][i % 2], 200.0 + 90.0 * x + i as f64)
    };
    table("houses.csv", "area,city,price", 300, &house);
    table("new-houses.csv", "area,city", 20, &|x, i| format!("{:.1},{}\n", 80.0 + 30.0 * x, ["Bonn", "Kiel"][i % 2]));
    let reading = |x: f64, i: usize| {
        let ozone = if i.is_multiple_of(7) { String::new() } else { format!("{:.2}", 3.0 * x + 40.0) };
        format!("{ozone},{:.2},{:.2}\n", x + 20.0, 2.0 * x * x + 9.0 + (i % 5) as f64)
    };
    table("air.csv", "ozone,temperature,wind", 300, &reading);
    let small = ["--quiet", "--set", "model.encoder.hidden=[16]", "--set", "model.decoder.hidden=[16]"];
    let short = ["--set", "training.epochs=2", "--set", "evaluation.importance_samples=2"];
    for out in ["runs/vae", "runs/wide"] {
        run_ok(folder, &[&["--config", "vae.toml", "--out", out], &small[..], &short].concat());
    }
    let column =
        |target: &str, more: &str| format!("[data]\nsource = \"csv\"\n{target}\n{more}\n[training]\nepochs = 2\n");
    let houses = column(
        "path = \"houses.csv\"\ntarget = \"price\"",
        "[model]\nkind = \"conditional_mlp\"\nlikelihood = \"normal\"",
    );
    let air = column(
        "path = \"air.csv\"\ntarget = [\"*\"]\nmissing = \"keep\"",
        "[model]\nkind = \"any_order_mlp\"\nlikelihood = \"normal\"",
    );
    for (name, config) in [("houses", houses), ("air", air)] {
        let file = format!("{name}.toml");
        std::fs::write(folder.join(&file), config).unwrap();
        run_ok(folder, &["--config", &file, "--out", &format!("runs/{name}"), "--quiet"]);
    }
    // `new` writes this one again.
    std::fs::remove_file(folder.join("air.toml")).unwrap();
}

#[test]
fn every_command_has_an_example_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let top = run_ok(folder.path(), &["--help"]);
    let below = commands(&run_ok(folder.path(), &["data", "--help"]));
    let paths = commands(&top).into_iter().map(|name| vec![name]);
    let paths = paths.chain(below.into_iter().map(|name| vec!["data".to_owned(), name]));
    let of_commands = paths.filter(|path| !WITHOUT.contains(&path.last().unwrap().as_str())).map(|path| {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        (path.join(" "), run_ok(folder.path(), &args))
    });
    let all: Vec<(String, String)> =
        std::iter::once(("dgm-train".to_owned(), top.clone())).chain(of_commands).collect();
    for (command, help) in &all {
        let examples = examples(help);
        assert!(!examples.is_empty(), "{command} has no example:\n{help}");
        for example in examples {
            let mut args: Vec<&str> = example.split_whitespace().collect();
            assert_eq!(args.remove(0), "dgm-train", "{command}: {example}");
            if args.first() == Some(&"--config") {
                args.extend(["--set", "training.epochs=1", "--set", "evaluation.importance_samples=2"]);
            }
            let done = dgm(folder.path()).args(&args).output().unwrap();
            assert!(done.status.success(), "{command}: {example}\n{}", String::from_utf8_lossy(&done.stderr));
        }
    }
}
