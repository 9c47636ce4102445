//! Runs as web pages: the numbers of `result.json`, nothing from elsewhere, whatever the folder is called.

use super::common::{run_fails, run_ok, script};
use super::json;
use base64::Engine;
use std::path::Path;

/// A folder's name that is markup where it is not escaped.
const HOSTILE: &str = "a<b>&\"c' d";

fn train(path: &Path, out: &str, extra: &[&str]) {
    let small = ["--quiet", "--set", "model.encoder.hidden=[16]", "--set", "model.decoder.hidden=[16]"];
    let short = ["--set", "training.epochs=3", "--set", "evaluation.importance_samples=3"];
    run_ok(path, &[&["--config", "vae.toml", "--out", out], &small[..], &short[..], extra].concat());
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Every value of an attribute in a page.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Whether every element is closed, in order, and ids are not given twice; text and attributes hold no markup.
fn check(page: &str) {
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page:.80}");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.split_once('\n').unwrap().1;
    while let Some((_, after)) = rest.split_once('<') {
        // The end of a tag is not within an attribute.
        let mut quoted = false;
        let end = after.find(|c: char| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, following) = after.split_at(end.expect("a tag ends"));
        rest = &following[1..];
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag} closes another");
        } else if !["meta", "img"].contains(&name) {
            open.push(name);
            if ["style", "script"].contains(&name) {
                rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let mut ids = attributes(page, "id");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is given twice");
    assert_eq!(page.matches("<h1>").count(), 1);
    // Nothing is loaded.
    assert!(attributes(page, "src").iter().all(|source| source.starts_with("data:image/")));
    assert!(attributes(page, "href").iter().all(|link| link.starts_with('#')));
    assert!(
        !page.contains("url(") && !page.contains("@import") && !page.contains("http://") && !page.contains("https://")
    );
    let alternatives = attributes(page, "alt");
    assert!(alternatives.len() == page.matches("<img ").count() && alternatives.iter().all(|alt| !alt.is_empty()));
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("<svg role=\"img\" aria-label=\"").count(), page.matches("<svg").count());
}

#[test]
fn one_run_is_a_page_of_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, HOSTILE, &[]);
    let run = path.join(HOSTILE);
    std::fs::create_dir(run.join("figures")).unwrap();
    for name in ["pit.svg", "curves.svg"] {
        std::fs::write(run.join("figures").join(name), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    }
    let told = run_ok(path, &["report", HOSTILE]);
    assert!(told.trim_end().ends_with("report.html"), "{told}");
    let page = read(&run.join("report.html"));
    check(&page);
    assert!(page.contains("<h1>a&lt;b&gt;&amp;&quot;c' d</h1>") && !page.contains("a<b>"));
    assert!(page.contains("vae on digits; complete, epoch 3 of 3"));
    // Every number as it stands in the file, and rounded as in the table of the terminal.
    let result = read(&run.join("result.json"));
    let (values, errors) = (attributes(&page, "data-value"), attributes(&page, "data-standard-error"));
    let mut found = 0;
    for line in result.lines() {
        let of = |key: &str| line.trim().strip_prefix(key).map(|number| number.trim_end_matches(','));
        if let Some(number) = of("\"value\": ") {
            assert!(values.contains(&number), "{number}");
            found += 1;
        }
        if let Some(number) = of("\"standard_error\": ").filter(|number| *number != "null") {
            assert!(errors.contains(&number), "{number}");
        }
    }
    let result = json(&run.join("result.json"));
    assert_eq!(found, result["metrics"].as_array().unwrap().len());
    let value = result["metrics"][0]["value"].as_f64().unwrap();
    assert!(page.contains(&format!(">{value:.4}<span class=\"error\"> ± ")), "{value}");
    assert!(page.contains(result["weights_sha256"].as_str().unwrap()));
    // Pictures: the samples, and of the figures those that the page does not draw itself.
    let samples = base64::engine::general_purpose::STANDARD.encode(std::fs::read(run.join("samples.png")).unwrap());
    assert_eq!(attributes(&page, "src")[0], format!("data:image/png;base64,{samples}"));
    assert_eq!(attributes(&page, "src").len(), 2);
    assert!(attributes(&page, "alt")[1].starts_with("Histogram of the probability integral transform"));
    // Curves, configuration and how to repeat it.
    for part in
        [">training</li>", ">validation, lowest ", "<h3>Terms of the training loss</h3>", "kind = &quot;vae&quot;"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("dgm-train evaluate 'a&lt;b&gt;&amp;&quot;c'\\'' d'"));
    // The data are not read, and a second look is the same.
    let before = page;
    run_ok(path, &["report", HOSTILE, "--out", "other.html"]);
    assert_eq!(read(&path.join("other.html")), before);

    std::fs::remove_file(run.join("result.json")).unwrap();
    run_ok(path, &["report", HOSTILE]);
    let page = read(&run.join("report.html"));
    check(&page);
    assert!(page.contains("No result yet: the run stopped; resume it with dgm-train --resume"));
    std::fs::remove_file(run.join("metrics.jsonl")).unwrap();
    run_ok(path, &["report", HOSTILE]);
    assert!(read(&run.join("report.html")).contains("No metrics yet."));
}

#[test]
fn several_runs_are_compared_where_they_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, "one", &["--seed", "1"]);
    train(path, "x/one", &["--seed", "1", "--set", "training.epochs=6"]);
    assert_eq!(run_ok(path, &["report", "one", "x/one"]), "the report in report.html\n");
    let page = read(&path.join("report.html"));
    check(&page);
    for part in ["<th scope=\"col\">x/one</th>", ">difference</th>", "x/one, lowest ", "447 test examples of digits"] {
        assert!(page.contains(part), "{part}");
    }
    // The numbers of each run's results, of the comparison too.
    let result = read(&path.join("x/one/result.json"));
    let value = result.split("\"value\": ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert_eq!(attributes(&page, "data-value").iter().filter(|shown| **shown == value).count(), 2, "{value}");

    run_ok(path, &["compare", "one", "x/one", "--format", "html", "--out", "comparison.html"]);
    check(&read(&path.join("comparison.html")));

    let other = ["--config", "synthetic-arm.toml", "--out", "other", "--quiet", "--set", "training.epochs=1"];
    run_ok(path, &other);
    run_ok(path, &["report", "one", "other", "--out", "both.html"]);
    let page = read(&path.join("both.html"));
    check(&page);
    assert!(
        page.contains("No paired comparison: one and other cannot be compared: their data differ (digits, sha256 ")
    );
    assert!(page.contains("not compared: value ± standard error"));
}

#[test]
fn a_browser_shows_the_page() {
    let Some(mut check) = script("report_check.py", "playwright, axe_playwright_python", &["chromium"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    train(path, "one", &[]);
    train(path, "two", &["--seed", "2"]);
    run_ok(path, &["report", "one", "two", "--out", "both.html"]);
    // With every picture that there is.
    run_ok(path, &["evaluate", "one", "--figures"]);
    run_ok(path, &["score", "one", "--samples", "2", "--figure", "one/figures/scores.svg", "--out", "scores.csv"]);
    run_ok(path, &["report", "one", "--out", "one.html"]);
    let page = read(&path.join("one.html"));
    for name in ["reconstructions", "interpolations", "traversals"] {
        assert!(std::fs::read(path.join(format!("one/figures/{name}.png"))).unwrap().starts_with(b"\x89PNG"), "{name}");
    }
    for shows in ["what the model makes of their codes", "Histogram of the scored examples", "Map of the codes"] {
        assert!(page.contains(shows), "{shows}");
    }
    let told = check.current_dir(path).args(["one.html", "both.html", "--run", "one"]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
    // Light and dark, wide and narrow.
    assert_eq!(out.matches(": ok, ").count(), 8, "{out}");
}

#[test]
fn what_is_no_run_is_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let line = run_fails(path, &["report", "none"], 2);
    assert!(line.contains("none: does not exist; give the folder that training made"), "{line}");
    train(path, "run", &[]);
    let line = run_fails(path, &["report", "run", "--out", "run.pdf"], 2);
    assert!(line.contains("run.pdf: expected a .html; name one with --out"), "{line}");
    let line = run_fails(path, &["report", "run", "--out", "nowhere/run.html"], 2);
    assert!(line.contains("nowhere: this folder does not exist; make it"), "{line}");
    std::fs::create_dir(path.join("folder.html")).unwrap();
    let line = run_fails(path, &["report", "run", "--out", "folder.html"], 2);
    assert!(line.contains("folder.html: is a folder; expected a file; name another"), "{line}");
    std::fs::write(path.join("run/result.json"), "{\"metrics\": 3").unwrap();
    let line = run_fails(path, &["report", "run"], 2);
    assert!(line.contains("result.json: ") && line.contains("restore it as the run wrote it"), "{line}");
    assert!(!path.join("run/report.html").exists());
}
