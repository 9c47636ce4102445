//! Where the data of a configuration are, with the real binary: beside the file, at home, moved, missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{dgm, json, run, run_fails, run_ok};
use std::path::Path;

const CONFIG: &str = "[data]\nsource = \"csv\"\npath = \"t.csv\"\ntarget = [1]\n[model]\nkind = \"conditional_mlp\"\nhidden = [4]\n\
                      [training]\nepochs = 1\n";

/// A folder `project` with a configuration and its table, and an empty one beside it.
fn folders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["project", "elsewhere"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let table: String = (0..40).map(|i| format!("{},{}\n", i % 7, i % 5)).collect();
    std::fs::write(folder.path().join("project/t.csv"), table).unwrap();
    std::fs::write(folder.path().join("project/c.toml"), CONFIG).unwrap();
    folder
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn paths_are_relative_to_the_configuration_and_stored_in_full() {
    let folder = folders();
    let (project, elsewhere) = (folder.path().join("project"), folder.path().join("elsewhere"));
    run_ok(&elsewhere, &["data", "inspect", "../project/c.toml"]);
    run_ok(&elsewhere, &["--config", "../project/c.toml", "--out", "run", "--quiet"]);
    let config = text(&elsewhere.join("run/config.toml"));
    let path = config.lines().find_map(|line| line.strip_prefix("path = ")).unwrap().trim_matches('"');
    assert!(Path::new(path).is_absolute() && path.ends_with("project/t.csv"), "{config}");
    let result = json(&elsewhere.join("run/result.json"));
    let again = run_ok(folder.path(), &["evaluate", "elsewhere/run", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&again).unwrap(), result);
    // From --set and by a source's name: the current folder.
    let line = run_fails(&elsewhere, &["data", "inspect", "../project/c.toml", "--set", "data.path=t.csv"], 2);
    let here = elsewhere.canonicalize().unwrap();
    let expected = format!(
        "error: --set data.path=t.csv: data.path: t.csv: no such file or folder in {} (paths given with --set are relative to \
         the current folder); put it there, or set data.path to where it is",
        here.display()
    );
    assert_eq!(line, expected);
    run_ok(&project, &["data", "inspect", "csv", "--set", "data.path=t.csv", "--set", "data.target=[1]"]);
}

#[test]
fn a_missing_file_says_where_it_was_looked_for() {
    let folder = folders();
    let project = folder.path().join("project");
    std::fs::rename(project.join("t.csv"), project.join("u.csv")).unwrap();
    let config = project.join("c.toml").display().to_string();
    let line = run_fails(Path::new("/"), &["data", "inspect", &config], 2);
    let expected = format!(
        "error: {config}:3: data.path: t.csv: no such file or folder in {} (paths in a configuration are relative to its \
         folder); put it there, or set data.path to where it is",
        project.display()
    );
    assert_eq!(line, expected);
    // The advice leads on.
    run_ok(&project, &["data", "inspect", "c.toml", "--set", "data.path=u.csv"]);
    let absent = folder.path().join("absent.csv").display().to_string();
    let line = run_fails(&project, &["data", "inspect", "c.toml", "--set", &format!("data.path={absent}")], 2);
    assert!(line.contains(&format!("there is no file {absent}; ")), "{line}");
}

#[cfg(unix)]
#[test]
fn a_tilde_is_the_home_folder() {
    let folder = folders();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(elsewhere.join("c.toml"), CONFIG.replace("t.csv", "~/t.csv")).unwrap();
    let inspect = |home: &str| {
        let home = folder.path().join(home);
        dgm(&elsewhere).env("HOME", home).args(["data", "inspect", "c.toml"]).output().unwrap()
    };
    assert!(inspect("project").status.success());
    let output = inspect("elsewhere");
    let line = String::from_utf8(output.stderr).unwrap();
    let expected =
        format!("data.path: ~/t.csv: no such file or folder: {}; put it there", elsewhere.join("t.csv").display());
    assert!(output.status.code() == Some(2) && line.contains(&expected), "{line}");
}

#[test]
fn a_path_of_windows_in_double_quotes_is_told_what_to_write() {
    let folder = folders();
    let project = folder.path().join("project");
    let inspect = |path: &str, args: &[&str]| {
        std::fs::write(project.join("w.toml"), CONFIG.replace("\"t.csv\"", path)).unwrap();
        run_fails(&project, &[&["data", "inspect", "w.toml"], args].concat(), 2)
    };
    let hint = "in \"…\" a backslash begins an escape such as \\t: write the path in single quotes, '…', or with /";
    for path in [r#""C:\Users\me\t.csv""#, r#""C:\temp\new\t.csv""#, r#""D:\data\t.csv""#, r#""C:\back\x.csv""#] {
        let line = inspect(path, &[]);
        assert!(line.starts_with("error: w.toml:3: ") && line.ends_with(hint), "{line}");
        let line = inspect("\"t.csv\"", &["--set", &format!("data.path={path}")]);
        assert!(line.starts_with("error: --set data.path=") && line.ends_with(hint), "{line}");
    }
    for (path, args) in [(r"'C:\Users\t.csv'", &[][..]), ("'t.csv'", &["--set", r"data.path=C:\Users\t.csv"])] {
        let line = inspect(path, args);
        assert!(line.contains(r"data.path: C:\Users\t.csv: no such file or folder"), "{line}");
    }
    // Another mistake gets no such hint.
    assert!(!inspect("\"t.csv", &[]).contains("backslash"));
}

#[test]
fn data_that_moved_are_given_with_set() {
    let folder = folders();
    let project = folder.path().join("project");
    run_ok(&project, &["--config", "c.toml", "--out", "run", "--quiet"]);
    let moved = folder.path().join("elsewhere/moved.csv");
    std::fs::rename(project.join("t.csv"), &moved).unwrap();
    let config = text(&project.join("run/config.toml"));
    let set = ["--set", "data.path=elsewhere/moved.csv"];
    let at = |args: &[&str]| run_ok(folder.path(), &[args, &set].concat());
    let line = run_fails(folder.path(), &["evaluate", "project/run"], 2);
    assert!(line.contains("project/t.csv; ") && line.contains("--set data.path=PATH"), "{line}");
    at(&["evaluate", "project/run"]);
    at(&["sample", "project/run", "--out", "samples.csv"]);
    // Evaluated again, the run stays as it is.
    at(&["--resume", "project/run", "--quiet"]);
    assert_eq!(text(&project.join("run/config.toml")), config);
    // Trained on, it finds them by itself from then on.
    std::fs::remove_dir_all(project.join("run/checkpoint")).unwrap();
    at(&["--resume", "project/run", "--quiet"]);
    run_ok(folder.path(), &["evaluate", "project/run"]);
    assert!(text(&project.join("run/config.toml")).contains("/elsewhere/moved.csv"));

    for command in [&["evaluate", "project/run"][..], &["sample", "project/run", "--out", "samples.csv"]] {
        let line = run_fails(folder.path(), &[command, &["--set", "training.epochs=3"]].concat(), 2);
        let expected = "--set training.epochs=3: expected where the data are now (data.path, data.train_rows, data.test_rows = path)";
        assert!(line.contains(expected), "{line}");
    }
    std::fs::write(&moved, "1,2\n".repeat(40)).unwrap();
    let output = run(folder.path(), &["evaluate", "project/run"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("not those that the run began with"));
}

#[test]
fn outputs_replace_nothing_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text: String = (0..120).map(|i| format!("{},{}\n", i % 7, f64::from(i).sin())).collect();
    std::fs::write(path.join("t.csv"), format!("a,b\n{text}")).unwrap();
    let table = "data={source=\"csv\",path=\"t.csv\",target=[\"*\"]}";
    let small = ["--set", "model.encoder.hidden=[8]", "--set", "model.decoder.hidden=[8]", "--set", "model.latent=2"];
    let short = ["--set", "training.epochs=1", "--set", "evaluation.importance_samples=2", "--quiet"];
    let normal = ["--set", table, "--set", "model.likelihood=\"normal\"", "--set", "training.batch_size=20"];
    run_ok(path, &[&["--config", "vae.toml", "--out", "table"], &small[..], &short, &normal].concat());
    run_ok(path, &[&["--config", "vae.toml", "--out", "digits"], &small[..], &short].concat());
    run_ok(path, &["--config", "histogram.toml", "--out", "floor", "--quiet"]);
    std::fs::write(path.join("on.toml"), "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\n").unwrap();
    let names =
        ["t.csv", "digits/samples.png", "digits/result.json", "digits/config.toml", "on.toml", "floor/result.json"];
    let whole = |name: &str| std::fs::read(path.join(name)).unwrap();
    let before = names.map(whole);
    let (read, left, own) =
        ("is read by this command or by the run", "training left", "may be written into a run's folder");
    let mut refused = vec![
        (&["encode", "table", "--out", "t.csv"][..], read),
        (&["reconstruct", "table", "--out", "./t.csv"], read),
        (&["interpolate", "table", "--out", "table/../t.csv"], read),
        (&["traverse", "table", "--out", "t.csv"], read),
        (&["sample", "table", "--out", "t.csv"], read),
        (&["score", "table", "--split", "test", "--out", "t.csv"], read),
        (&["export", "table", "--out", "t.csv"], read),
        (&["compare", "table", "table", "--format", "csv", "--out", "t.csv"], read),
        (&["score", "digits", "--on", "on.toml", "--out", "on.toml"], read),
        (&["reconstruct", "digits", "--out", "digits/samples.png"], left),
        (&["sample", "digits", "--out", "digits/samples.png"], left),
        (&["compare", "digits", "digits", "--out", "digits/result.json"], own),
        (&["export", "digits", "--out", "digits/result.json"], own),
        (&["score", "digits", "--by", "ratio", "--background", "floor", "--out", "floor/result.json"], own),
    ];
    #[cfg(unix)]
    {
        // A link is what it points to.
        std::os::unix::fs::symlink("config.toml", path.join("digits/scores.csv")).unwrap();
        refused.push((&["encode", "digits", "--out", "digits/scores.csv"], own));
    }
    for (args, problem) in refused {
        let line = run_fails(path, args, 2);
        assert!(line.contains(problem) && line.contains("name another"), "{line}");
    }
    assert_eq!(before, names.map(whole));
    // Beside them there is room.
    run_ok(path, &["encode", "table", "--out", "table/codes.npy"]);
    run_ok(path, &["reconstruct", "digits", "--out", "digits/reconstructions.png"]);
}
