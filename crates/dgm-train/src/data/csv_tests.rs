//! Tests of tables written here, and of a UCI set where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_models::Scale;
use tempfile::TempDir;

use super::super::tests::{all, shared};
use super::super::{DataConfig, load};
use super::*;

fn config(path: PathBuf) -> CsvConfig {
    CsvConfig {
        path,
        delimiter: Delimiter::Comma,
        header: false,
        target: vec![Column::Index(1)],
        condition: vec![],
        target_classes: None,
        train_rows: None,
        test_rows: None,
        test_fraction: 0.1,
        validation_fraction: 0.1,
    }
}

/// Loads a table with this text.
fn read(text: &str, change: impl FnOnce(&mut CsvConfig)) -> Result<Dataset> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    for (name, rows) in
        [("train", "0 1.0e+00\n3"), ("test", "2\n"), ("overlap", "2\n3"), ("beyond", "0\n5"), ("word", "x")]
    {
        std::fs::write(folder.path().join(name), rows).unwrap();
    }
    let mut config = config(path);
    change(&mut config);
    for rows in [&mut config.train_rows, &mut config.test_rows].into_iter().flatten() {
        *rows = folder.path().join(&rows);
    }
    load(&DataConfig::Csv(config), Seed(0)).map_err(|error| {
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        Error::input(message.replace(&format!("{}/", folder.path().display()), ""))
    })
}

fn error(text: &str, change: impl FnOnce(&mut CsvConfig)) -> String {
    read(text, change).expect_err("an error").to_string()
}

fn name(text: &str) -> Column {
    Column::Name(text.into())
}

const FOUR: &str = "1,10,5\n2,20,5\n3,30,5\n4,40,5\n";

#[test]
fn rows_go_where_the_files_say() {
    let data = read(FOUR, |config| {
        config.train_rows = Some("train".into());
        config.test_rows = Some("test".into());
    })
    .unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (2, 1, 1));
    assert_eq!(all(&data.test.target).values(), [30.0]);
    assert_eq!(all(&data.test.condition.unwrap()).values(), [3.0, 5.0]);
    let condition = data.spec.condition.unwrap();
    assert_eq!((condition.scale.mean[1], condition.scale.std[1]), (5.0, 1.0));
    let Values::Real(Scale { mean, std, .. }) = data.spec.values else { panic!("real") };
    let train = all(&data.train.target);
    let train = train.values();
    assert!(
        (mean[0] - (train[0] + train[1]) / 2.0).abs() < 1e-6 && (std[0] - (train[1] - train[0]) / 2.0).abs() < 1e-6
    );
}

#[test]
fn random_splits_hold_every_row_once_and_follow_the_seed() {
    let text: String = (0..100).map(|i| format!("{i} {}\n", i * 2)).collect();
    let data = read(&text, |config| config.delimiter = Delimiter::Whitespace).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (81, 9, 10));
    let splits = [&data.train, &data.validation, &data.test];
    let mut numbers: Vec<f64> = splits.iter().flat_map(|split| all(&split.target).values().to_vec()).collect();
    numbers.sort_unstable_by(f64::total_cmp);
    assert_eq!(numbers, (0..100).map(|i| f64::from(i) * 2.0).collect::<Vec<_>>());
    let again = read(&text, |config| config.delimiter = Delimiter::Whitespace).unwrap();
    assert_eq!(all(&again.test.target), all(&data.test.target));
}

#[test]
fn names_quotes_and_delimiters() {
    let text = "\u{feff}\"a\"; b ;c\r\n\r\n1;2;text\r\n 3 ;\"4\";text\r\n5;6;\r\n7;8;\r\n";
    let data = read(text, |config| {
        config.delimiter = Delimiter::Semicolon;
        config.header = true;
        config.target = vec![name("b")];
        config.condition = vec![name("a")];
        config.target_classes = Some(9);
    })
    .unwrap();
    assert_eq!(data.spec.values, Values::Levels(9));
    let splits = [&data.train, &data.validation, &data.test];
    assert_eq!(splits.iter().flat_map(|split| all(&split.target).values().to_vec()).sum::<f64>(), 20.0);
    // With every column a target there is nothing left to condition on.
    let data = read("1,2\n3,4\n5,6\n", |config| config.target = vec![Column::Index(0), Column::Index(1)]).unwrap();
    assert_eq!((data.spec.condition, data.spec.shape), (None, [1, 1, 2]));
}

#[test]
fn errors_name_line_and_column() {
    let same = |_: &mut CsvConfig| {};
    assert_eq!(error("1,2\n\n3,nan\n", same), "t.csv:3: column 1: found \"nan\"; expected a finite number");
    assert_eq!(error("1,2\ninf,3\n", same), "t.csv:2: column 0: found \"inf\"; expected a finite number");
    assert_eq!(error("1,2\n4,1e39\n", same), "t.csv:2: column 1: found \"1e39\"; expected a finite number");
    assert_eq!(error("1,2\n4,\n", same), "t.csv:2: column 1: found nothing; expected a finite number");
    assert_eq!(
        error("a,b\n1,2\n", same),
        "t.csv:1: column 1: found \"b\"; expected a finite number; if the line holds names, set data.header = true"
    );
    assert_eq!(
        error("1,2\n1,2,3\n", same),
        "t.csv:2: found 3 cells; expected 2 as in the first line; mend the line, or set data.delimiter to what stands \
         between the cells"
    );
    assert_eq!(error("", same), "t.csv: found no row; expected a table of numbers");
    assert!(error("1,2\n", same).contains("the training split has no example"));
    assert_eq!(
        error("a,b\n1,x\n", |config| config.header = true),
        "t.csv:2: column 1 (`b`): found \"x\"; expected a finite number"
    );
    assert_eq!(
        error("1,2\n3,2.5\n", |config| config.target_classes = Some(3)),
        "t.csv:2: found the label 2.5; expected a whole number from 0 to 2 (data.target_classes = 3)"
    );
    assert!(error("1,2\n3,3\n", |config| config.target_classes = Some(3)).starts_with("t.csv:2: found the label 3;"));
    assert!(error("1,2\n3,-1\n", |config| config.target_classes = Some(3)).starts_with("t.csv:2: found the label -1;"));
}

#[test]
fn errors_name_columns_and_rows() {
    assert_eq!(
        error(FOUR, |config| config.target = vec![Column::Index(3)]),
        "data.target: found column 3; expected 0 to 2, the columns of t.csv"
    );
    assert_eq!(
        error(FOUR, |config| config.target = vec![name("y")]),
        "data.target: found the name `y`, but t.csv has no header; set data.header = true, or give the column's index"
    );
    assert_eq!(
        error("age,strength\n1,2\n", |config| {
            config.header = true;
            config.target = vec![name("strenght")];
        }),
        "data.target: t.csv has no column `strenght`; did you mean `strength`? (columns: age, strength)"
    );
    assert_eq!(
        error(FOUR, |config| config.condition = vec![Column::Index(0), Column::Index(1)]),
        "data.condition: found column 1, which is a target too; expected other columns; take it out of one list"
    );
    assert_eq!(
        error(FOUR, |config| config.target = vec![Column::Index(1), Column::Index(1)]),
        "data.target: found column 1 twice; expected it once"
    );
    let rows = |train: &'static str, test: &'static str| {
        error(FOUR, move |config| {
            config.train_rows = Some(train.into());
            config.test_rows = Some(test.into());
        })
    };
    let expected = "overlap:2: row 3 is in data.train_rows too; expected rows that are not learnt from";
    assert_eq!(rows("train", "overlap"), expected);
    assert_eq!(
        rows("beyond", "test"),
        "beyond:2: found \"5\"; expected the index of a row, a whole number from 0 to 3"
    );
    assert!(rows("word", "test").starts_with("word:1: found \"x\"; expected the index of a row"));
    assert!(
        rows("train", "nothing").starts_with("data.test_rows: there is no file nothing; put a file of row indices")
    );
}

#[test]
fn concrete_is_split_as_published() {
    let Some(folder) = shared("uci/concrete") else { return };
    let config = CsvConfig {
        delimiter: Delimiter::Whitespace,
        target: vec![Column::Index(8)],
        train_rows: Some(folder.join("index_train_0.txt")),
        test_rows: Some(folder.join("index_test_0.txt")),
        ..config(folder.join("data.txt"))
    };
    let data = load(&DataConfig::Csv(config), Seed(0)).unwrap();
    assert_eq!((data.train.len() + data.validation.len(), data.test.len()), (927, 103));
    assert_eq!((data.spec.shape, data.spec.condition_width()), ([1, 1, 1], 8));
    assert_eq!(data.name, "concrete/data");
}
