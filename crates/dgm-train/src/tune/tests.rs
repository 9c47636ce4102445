//! Searches over a small table.

#![allow(clippy::unwrap_used)]

use super::*;
use std::fmt::Write as _;

/// A table in `folder`, whose test rows hold `test` as their targets, and a configuration of a search.
fn search(folder: &Path, test: f64) -> PathBuf {
    let mut table = String::from("x,y,part\n");
    for row in 0..120 {
        let x = f64::from(row * 37 % 100) / 50.0 - 1.0;
        let part = ["train", "train", "train", "validation", "test"][row as usize % 5];
        let y = if part == "test" { test } else { (3.0 * x).sin() + f64::from(row * 7919 % 100) / 500.0 };
        writeln!(table, "{x},{y},{part}").unwrap();
    }
    std::fs::write(folder.join("t.csv"), table).unwrap();
    let path = folder.join("t.toml");
    let config = "[data]\nsource = 'csv'\npath = 't.csv'\ntarget = 'y'\nsplit_column = 'part'\n[model]\nkind = 'conditional_mlp'\n\
                  hidden = [8]\n[training]\nepochs = 18\nbatch_size = 32\nensemble = 3\n[tune]\nmodel.hidden = [[4], [8], [16]]\n\
                  optimizer.learning_rate = { from = 1e-3, to = 3e-2, log = true }\n";
    std::fs::write(&path, config).unwrap();
    path
}

fn open(folder: &Path, config: &Path) -> Tune {
    Tune::open(config, &[], Backend::open("flex").unwrap(), &folder.join("search")).unwrap()
}

fn run(tune: &Tune, trials: usize) -> Found {
    tune.run(trials, None, &Arc::default(), &|_| {}).unwrap()
}

/// What is found does not depend on the test split.
#[test]
fn the_test_split_is_not_looked_at() {
    let found: Vec<Found> = [0.0, 1e6]
        .into_iter()
        .map(|test| {
            let folder = tempfile::tempdir().unwrap();
            let config = search(folder.path(), test);
            run(&open(folder.path(), &config), 6)
        })
        .collect();
    assert_eq!(found.first(), found.last());
}

#[test]
fn the_better_third_goes_on_and_the_best_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let config = search(folder.path(), 0.0);
    let tune = open(folder.path(), &config);
    let found = run(&tune, 9);
    assert!(found.complete);
    let epochs: Vec<u64> = found.trials.iter().map(|ranked| ranked.standing.epochs).collect();
    assert_eq!(epochs, [18, 6, 6, 2, 2, 2, 2, 2, 2]);
    // Whoever goes on was better than whoever does not, at the same number of epochs.
    let at_two = |number: usize| {
        let folder = tempfile::tempdir().unwrap();
        let config = search(folder.path(), 0.0);
        let tune = open(folder.path(), &config);
        let trial = tune.trial(number).unwrap();
        let advanced = advance(&trial, &tune.dataset, &tune.backend, 2, &Arc::default()).unwrap().unwrap();
        advanced.standing.loss.unwrap()
    };
    let losses: Vec<f64> = found.trials.iter().map(|ranked| at_two(ranked.trial)).collect();
    let (on, out) = losses.split_at(3);
    assert!(on.iter().all(|on| out.iter().all(|out| on <= out)), "{losses:?}");

    drop(tune);

    // The best as a configuration of its own, an ensemble as before.
    let best: Config = Config::open(&folder.path().join("search/best.toml"), &[]).unwrap();
    assert_eq!((best.training.ensemble, best.training.epochs), (Some(3), 18));
    assert!(best.tune.is_empty());
    for (key, value) in &found.trials[0].values {
        if key == "optimizer.learning_rate" {
            assert_eq!(best.optimizer.learning_rate, value.parse::<f64>().unwrap());
        }
    }
    let table = std::fs::read_to_string(folder.path().join("search/trials.csv")).unwrap();
    assert!(
        table.starts_with("trial,epochs,validation_loss,problem,model.hidden,optimizer.learning_rate\n"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 10);

    // Run again it finds all done; another configuration is refused.
    assert_eq!(run(&open(folder.path(), &config), 9), found);
    let other = Tune::<ModelConfig>::open(
        &config,
        &["training.epochs=9".into()],
        Backend::open("flex").unwrap(),
        &folder.path().join("search"),
    );
    assert!(other.is_err_and(|error| error.to_string().contains("holds a search with another configuration")));
}

/// Stopped at any time and begun again, it finds the same.
#[test]
fn an_interrupted_search_ends_as_it_would_have() {
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let config = search(whole.path(), 0.0);
    let expected = run(&open(whole.path(), &config), 5);

    let config = search(parts.path(), 0.0);
    let mut rounds = 0;
    let found = loop {
        let tune = open(parts.path(), &config);
        let stop = Arc::new(AtomicBool::new(false));
        let told = {
            let stop = stop.clone();
            move |_: &str| stop.store(true, Ordering::SeqCst)
        };
        let found = tune.run(5, None, &stop, &told).unwrap();
        rounds += 1;
        if found.complete || rounds > 20 {
            break found;
        }
    };
    assert!(rounds > 2, "{rounds}");
    assert_eq!(found, expected);
}

#[test]
fn a_trial_that_cannot_be_is_out() {
    let folder = tempfile::tempdir().unwrap();
    let config = search(folder.path(), 0.0);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[[4], [8], [16]]", "[[0]]")).unwrap();
    let found = run(&open(folder.path(), &config), 3);
    assert_eq!(found.trials[0].trial, 0);
    let problems = found.trials.iter().filter(|ranked| ranked.standing.problem.is_some()).count();
    assert_eq!(problems, 2);
    assert!(found.table(10).contains("out"), "{}", found.table(10));

    // What no trial could ever be is said before the first; and what all of them cannot be.
    let refused = |text: String, part: &str| {
        std::fs::write(&config, text).unwrap();
        let other = tempfile::tempdir().unwrap();
        let found = Tune::<ModelConfig>::open(&config, &[], Backend::open("flex").unwrap(), &other.path().join("s"))
            .and_then(|tune| tune.run(2, None, &Arc::default(), &|_| {}));
        let error = found.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(text.replace("[[4], [8], [16]]", "['wide']"), "tune.model.hidden: ");
    let nothing = text.replace("hidden = [8]", "hidden = [0]").replace("[[4], [8], [16]]", "[[0]]");
    refused(nothing, "no trial can be trained");
}
