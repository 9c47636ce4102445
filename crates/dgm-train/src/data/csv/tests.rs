//! Tests of tables written here, and of a UCI set where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_models::Scale;
use tempfile::TempDir;

use super::super::tests::{all, shared};
use super::super::{DataConfig, load};
use super::*;
use crate::data::ColumnKind;

fn config(path: PathBuf) -> CsvConfig {
    CsvConfig::new(path, vec![ColumnRef::Index(1)])
}

/// Loads a table with this text.
fn read(text: &str, change: impl FnOnce(&mut CsvConfig)) -> Result<Dataset> {
    read_by(Seed(0), text, change)
}

/// The same with the splits of this seed.
fn read_by(seed: Seed, text: &str, change: impl FnOnce(&mut CsvConfig)) -> Result<Dataset> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    for (name, rows) in [
        ("train", "0 1.0e+00\n3"),
        ("test", "2\n"),
        ("overlap", "2\n3"),
        ("beyond", "0\n5"),
        ("word", "x"),
        ("fewer", "0 1.0e+00\n"),
        ("more", "3\n2\n"),
        ("first three", "0 1 2"),
        ("last", "3"),
    ] {
        std::fs::write(folder.path().join(name), rows).unwrap();
    }
    let mut config = config(path);
    change(&mut config);
    for rows in [&mut config.train_rows, &mut config.test_rows].into_iter().flatten() {
        *rows = folder.path().join(&rows);
    }
    load(&DataConfig::Csv(config), seed).map_err(|error| {
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        Error::input(message.replace(&format!("{}/", folder.path().display()), ""))
    })
}

fn error(text: &str, change: impl FnOnce(&mut CsvConfig)) -> String {
    read(text, change).expect_err("an error").to_string()
}

fn name(text: &str) -> ColumnRef {
    ColumnRef::Name(text.into())
}

const FOUR: &str = "1.5,10,5\n2.5,20,5\n3.5,30,5\n4.5,40,5\n";

#[test]
fn rows_go_where_the_files_say() {
    let data = read(FOUR, |config| {
        config.train_rows = Some("train".into());
        config.test_rows = Some("test".into());
    })
    .unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (2, 1, 1));
    assert_eq!(all(&data.test.target).values(), [30.0]);
    assert_eq!(all(&data.test.condition.unwrap()).values(), [3.5, 5.0]);
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
    let text: String = (0..100).map(|i| format!("{i}.5 {}\n", i * 2)).collect();
    let data = read(&text, |_| {}).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (81, 9, 10));
    assert_eq!(targets(&data), (0..100).map(|i| f64::from(i) * 2.0).collect::<Vec<_>>());
    let again = read(&text, |_| {}).unwrap();
    assert_eq!(all(&again.test.target), all(&data.test.target));
    let other = read_by(Seed(1), &text, |_| {}).unwrap();
    assert_ne!(all(&other.test.target), all(&data.test.target));
    assert_eq!((targets(&other), other.fingerprint), (targets(&data), data.fingerprint));
}

#[test]
fn a_row_that_moves_to_the_other_file_is_another_split() {
    let with = |train: &'static str, test: &'static str| {
        let data = read(FOUR, move |config| {
            (config.train_rows, config.test_rows) = (Some(train.into()), Some(test.into()));
        });
        data.unwrap().fingerprint
    };
    // Rows 0, 1, 3 and 2; rows 0, 1 and 3, 2.
    assert_ne!(with("train", "test"), with("fewer", "more"));
}

#[test]
fn groups_may_be_many_words() {
    let text: String = (0..5000).map(|i| format!("{i}.5,{},customer{}\n", i * i % 1000, i / 2 * 2)).collect();
    let data = read(&format!("x,y,who\n{text}"), |config| {
        (config.target, config.group_column) = (vec![name("y")], Some(name("who")));
    });
    let data = data.unwrap();
    assert_eq!(data.examples().iter().sum::<usize>(), 5000);
    // Two rows each: every split has an even number of them.
    assert!(data.examples().iter().all(|n| n % 2 == 0), "{:?}", data.examples());
}

/// The targets of all splits in ascending order.
fn targets(data: &Dataset) -> Vec<f64> {
    let splits = [&data.train, &data.validation, &data.test];
    let mut numbers: Vec<f64> = splits.iter().flat_map(|split| all(&split.target).values().to_vec()).collect();
    numbers.sort_unstable_by(f64::total_cmp);
    numbers
}

#[test]
fn a_split_column_and_groups_say_which_rows_stay_together() {
    let text: String = (0..40)
        .map(|i| {
            format!(
                "{},{i},{},customer{}\n",
                f64::from(i) / 8.0,
                ["train", "Val", "test", "train"][i as usize % 4],
                i / 4
            )
        })
        .collect();
    let text = format!("a,y,part,who\n{text}");
    let data = read(&text, |config| {
        config.target = vec![name("y")];
        config.split_column = Some(name("part"));
        config.exclude = vec![name("w*")];
    })
    .unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (20, 10, 10));
    assert!(all(&data.validation.target).values().iter().all(|y| y % 4.0 == 1.0));
    assert_eq!(data.names.condition.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a"]);

    let data = read(&text, |config| {
        config.target = vec![name("y")];
        config.condition = Conditions::Columns(vec![name("a")]);
        config.group_column = Some(name("who"));
        config.test_fraction = 0.3;
    })
    .unwrap();
    assert_eq!(targets(&data).len(), 40);
    let groups = |split: &Split| {
        let mut groups: Vec<u32> = all(&split.target).values().iter().map(|y| *y as u32 / 4).collect();
        groups.dedup();
        groups
    };
    let [train, validation, test] = [&data.train, &data.validation, &data.test].map(groups);
    // Ten customers with four rows each: 12 of 40 rows are 3 of them; a tenth of the others is one.
    assert_eq!((train.len(), validation.len(), test.len()), (6, 1, 3));
    assert!(train.iter().all(|group| !validation.contains(group) && !test.contains(group)));

    let text = error("a,y,part\n1.5,2,train\n2.5,3,tset\n", |config| config.split_column = Some(name("part")));
    assert_eq!(
        text,
        "t.csv:3: column 2 (`part`): found \"tset\"; expected train, validation or test (data.split_column); fix the cell, or leave the \
         key out to draw the splits"
    );
}

#[test]
fn names_quotes_and_delimiters() {
    let text = "\u{feff}\"a\"; b ;c\r\n\r\n1;2;text\r\n 3 ;\"4\";text\r\n5;6;\r\n7;8;\r\n";
    let data = read(text, |config| {
        config.target = vec![name("b")];
        config.condition = Conditions::Columns(vec![name("a")]);
        config.target_classes = Some(9);
    })
    .unwrap();
    assert_eq!(data.spec.values, Values::Levels(9));
    assert_eq!(targets(&data).iter().sum::<f64>(), 20.0);
    let Some(DataConfig::Csv(resolved)) = &data.resolved else { panic!("{:?}", data.resolved) };
    assert_eq!((resolved.delimiter, resolved.header), (Auto::Set(Delimiter::Semicolon), Auto::Set(true)));
    // With every column a target there is nothing left to condition on.
    let both = vec![ColumnRef::Index(0), ColumnRef::Index(1)];
    let data = read("1.5,2\n3,4\n5,6\n", |config| config.target = both).unwrap();
    assert_eq!((data.spec.condition, data.spec.shape), (None, [1, 1, 2]));
    let data = read("1.5,2\n3,4\n5,6\n", |config| config.condition = Conditions::None).unwrap();
    assert_eq!((data.spec.condition, data.spec.shape), (None, [1, 1, 1]));
}

const CATS: &str = "kind,size,tame,y\ncat,1.5,yes,1.25\ndog,2.5,no,2\ncat,3.5,yes,3\nemu,4.5,no,4\n";

#[test]
fn words_are_categories_with_one_for_unseen_words() {
    let data = read(CATS, |config| {
        config.target = vec![name("y")];
        config.train_rows = Some("first three".into());
        config.test_rows = Some("last".into());
    });
    // The emu is in the test alone.
    let data = data.unwrap();
    let ColumnKind::Category { levels } = &data.names.condition[0].kind else { panic!("{:?}", data.names) };
    assert!(levels.contains(&"cat".to_owned()) && !levels.contains(&"emu".to_owned()), "{levels:?}");
    let width = levels.len() + 1;
    let one_hot = |level: usize| (0..width).map(|at| f64::from(u8::from(at == level))).collect::<Vec<_>>();
    let test = all(&data.test.condition.clone().unwrap());
    // 4.5, and no as 0.
    assert_eq!(test.row(0), [one_hot(levels.len()), vec![4.5, 0.0]].concat());
    assert_eq!(Names::cells(&data.names.condition, test.row(0), &[]), ["", "4.5", "no"]);
    let train = all(&data.train.condition.clone().unwrap());
    assert!((0..train.rows()).all(|i| train.row(i)[levels.len()] == 0.0));
    let cells = Names::cells(&data.names.condition, train.row(0), &[]);
    assert!(levels.contains(&cells[0]) && ["yes", "no"].contains(&cells[2].as_str()), "{cells:?}");
    // One-hot numbers have no units.
    let scale = data.spec.condition.unwrap().scale;
    assert_eq!((&scale.mean[..width], &scale.std[..width]), (&vec![0.0; width][..], &vec![1.0; width][..]));
}

#[test]
fn words_are_labels_with_their_names() {
    let data = read(CATS, |config| config.target = vec![name("kind")]).unwrap();
    assert_eq!(
        (data.spec.values, &data.names.classes[..]),
        (Values::Levels(3), &["cat", "dog", "emu"].map(String::from)[..])
    );
    // Numbers that are declared to be names, in the order of the numbers.
    let data =
        read("1.5,10\n2.5,9\n3.5,10\n4.5,700\n", |config| config.categorical = vec![ColumnRef::Index(1)]).unwrap();
    assert_eq!((data.spec.values, data.names.classes.join(" ")), (Values::Levels(3), "9 10 700".into()));
}

#[test]
fn classes_have_the_order_that_they_are_given_in() {
    let order = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        move |config: &mut CsvConfig| (config.target, config.classes) = (vec![name("kind")], words)
    };
    let plain = read(CATS, |config| config.target = vec![name("kind")]).unwrap();
    let data = read(CATS, order(&["emu", "cat", "dog"])).unwrap();
    assert_eq!(data.names.classes, ["emu", "cat", "dog"]);
    let class = |data: &Dataset| data.names.classes[all(&data.train.target).row(0)[0] as usize].clone();
    assert_eq!(class(&data), class(&plain));
    for words in [&["emu", "cat"][..], &["emu", "cat", "cow"], &["emu", "cat", "cat"], &["emu", "cat", "dog", "cow"]] {
        let message = error(CATS, order(words));
        assert!(message.contains("each once (cat, dog, emu); give them in their order"), "{message}");
    }
    let message = error(CATS, |config| (config.target, config.classes) = (vec![name("y")], vec!["a".into()]));
    assert!(message.starts_with("data.classes: expected a target of one column of words"), "{message}");
}

#[test]
fn words_and_numbers_are_modelled_together_with_what_is_missing() {
    let data = read(CATS, |config| config.target = vec![name("kind"), name("tame"), name("y")]).unwrap();
    let Values::Columns(columns) = &data.spec.values else { panic!("{:?}", data.spec.values) };
    assert_eq!((&columns.levels[..], &columns.scale.std[..2]), (&[3, 2, 0][..], &[1.0, 1.0][..]));
    assert!(data.train.mask.is_none());
    let first = all(&data.train.target);
    let cells = Names::cells(&data.names.target, first.row(0), &[]);
    assert!(
        ["cat", "dog", "emu"].contains(&cells[0].as_str()) && ["yes", "no"].contains(&cells[1].as_str()),
        "{cells:?}"
    );

    // `row` numbers the rows and `one` is constant: a pattern takes neither.
    let holes = "row,a,b,one,y\n1,1.5,x,7,1\n2,,x,7,2.5\n3,3.5,z,7,3\n4,4.5,NA,7,4\n5,,,7,?\n6,6.5,z,7,6\n7,8.5,x,7,8\n8,9,x,7,8\n";
    let keep = |config: &mut CsvConfig| (config.target, config.missing) = (vec![name("*")], Missing::Keep);
    let data = read(holes, keep).unwrap();
    let names: Vec<&str> = data.names.target.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((&names[..], data.spec.condition.is_none()), (&["a", "b", "y"][..], true));
    assert_eq!(
        data.transforms,
        [
            "1 of 8 rows left out: every target's cell is missing (missing cells: a 2, b 2, y 1)",
            "missing cells of the target stay missing: the density is that of the others (a 2, b 2, y 1)"
        ]
    );
    // A missing cell is hidden, and enters neither mean nor standard deviation.
    let (target, mask) = (all(&data.train.target), all(data.train.mask.as_ref().unwrap()));
    let shown = |i: usize| target.row(i).iter().zip(mask.row(i)).all(|(value, &one)| value.is_nan() == (one == 0.0));
    assert!((0..target.rows()).all(shown));
    let a: Vec<f64> = (0..target.rows()).map(|i| target.row(i)[0]).filter(|value| !value.is_nan()).collect();
    let mean = a.iter().sum::<f64>() / a.len() as f64;
    let Values::Columns(columns) = &data.spec.values else { panic!("{:?}", data.spec.values) };
    assert!((columns.scale.mean[0] - mean).abs() < 1e-12, "{a:?} {:?}", columns.scale);
    // Where all are excluded there is nothing to model.
    let message = error(holes, |config| (config.target, config.exclude) = (vec![name("*")], vec![name("*")]));
    assert!(message.starts_with("data.target: every column of t.csv that it matches is excluded"), "{message}");
}

const HOLES: &str = "a,b,y\n1.5,x,1\n,x,2.5\n3.5,z,3\n4.5,NA,4\n5.5,x,?\n6.5,z,6\n8.5,x,8\n";

#[test]
fn missing_cells_are_refused_left_out_or_filled_in() {
    assert_eq!(
        error(HOLES, |config| config.target = vec![name("y")]),
        "t.csv:3: column 0 (`a`): the cell is missing (missing cells: y 1, a 1, b 1); expected a value in every cell that is used; set \
         data.missing = \"drop\" to leave such rows out, data.missing = \"impute\" to fill in the mean or the most frequent word, \"keep\" to \
         model several targets of which some are missing, or name the column in data.exclude"
    );
    let with = |missing| move |config: &mut CsvConfig| (config.target, config.missing) = (vec![name("y")], missing);
    let data = read(HOLES, with(Missing::Drop)).unwrap();
    assert_eq!(targets(&data), [1.0, 3.0, 6.0, 8.0]);
    assert_eq!(data.transforms, ["3 of 7 rows left out: a cell is missing (missing cells: y 1, a 1, b 1)"]);

    let data = read(HOLES, with(Missing::Impute)).unwrap();
    assert_eq!(targets(&data), [1.0, 2.5, 3.0, 4.0, 6.0, 8.0]);
    assert_eq!(data.transforms.len(), 2, "{:?}", data.transforms);
    let (train, spec) = (all(&data.train.condition.clone().unwrap()), &data.names.condition);
    let known: Vec<f64> =
        (0..train.rows()).map(|i| train.row(i)).filter(|row| row[1] == 0.0).map(|row| row[0]).collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    assert!((spec[0].imputed.unwrap() - mean).abs() < 1e-12, "{spec:?}");
    let rows = [&data.train, &data.validation, &data.test].map(|split| all(&split.condition.clone().unwrap()));
    let filled = rows.iter().flat_map(|part| (0..part.rows()).map(|i| part.row(i))).filter(|row| row[1] == 1.0);
    assert_eq!(filled.map(|row| (row[0] - mean).abs() < 1e-12).collect::<Vec<_>>(), [true]);
    assert_eq!(Names::cells(spec, &[mean, 1.0, 1.0, 0.0, 0.0, 1.0], &[]), ["", ""]);
    // A column that is not used may have them.
    assert!(
        read(HOLES, |config| (config.target, config.condition) = (vec![ColumnRef::Index(0)], Conditions::None))
            .is_err()
    );
    let used = read("a,b,y\n1,,1\n2,,2.5\n3.5,,3\n", |config| config.target = vec![name("y")]).unwrap();
    assert_eq!(used.spec.condition_width(), 1);
    assert!(
        used.warnings[0].contains("`b`) is not part of the condition: it has no value in any row"),
        "{:?}",
        used.warnings
    );
}

#[test]
fn what_is_odd_is_a_warning() {
    let rows = |line: &dyn Fn(u32) -> String| (0..60).map(line).collect::<String>();
    let warnings = |text: &str| read(text, |config| config.target = vec![name("y")]).unwrap().warnings;
    let text = rows(&|i| format!("{i},{},5000\n", f64::from(i * 7 % 60) / 8.0));
    let found = warnings(&format!("id,a,y\n{text}"));
    assert!(
        found[0].starts_with("column 0 (`id`) is not part of the condition: it numbers the rows; name it in"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("the target `y` is 5000 in every training row: a constant has no density"),
        "{found:?}"
    );
    // A grid, here in steps that binary fractions have not.
    let text = rows(&|i| format!("{},{}\n", f64::from(i * 7 % 60) / 8.0, f64::from(i % 6 + 3) / 10.0));
    let found = warnings(&format!("a,y\n{text}"));
    assert!(
        found[0].starts_with("the target `y` takes 6 values in steps of 0.1: its NLL is that of a number spread"),
        "{found:?}"
    );
    let text = rows(&|i| format!("{},{}\n", f64::from(i * 7 % 60) / 8.0, f64::from(i * i)));
    assert!(warnings(&format!("a,y\n{text}")).is_empty());
    // Many of them are one warning.
    let text = rows(&|i| format!("{0},{0},{0},{0},{0},{1}\n", i % 6, f64::from(i * 7 % 60) / 8.0));
    let many = read(&format!("a,b,c,d,e,x\n{text}"), |config| config.target = vec![name("[a-e]")]).unwrap().warnings;
    assert!(
        many.len() == 1 && many[0].starts_with("5 targets (`a`, `b`, `c`, …) are constant or take few"),
        "{many:?}"
    );
    // A second column with the same cells.
    let text = rows(&|i| format!("{},{},{}\n", f64::from(i * 7 % 60) / 8.0, i * i, i * i));
    let found = warnings(&format!("a,y,z\n{text}"));
    assert!(found[0].starts_with("column 2 (`z`) of the condition is a copy of the target `y`"), "{found:?}");
}

#[test]
fn errors_name_line_and_column() {
    let same = |_: &mut CsvConfig| {};
    assert!(
        error("1.5,2\n\n3,nan\n", same)
            .starts_with("t.csv:3: column 1: the cell is missing (missing cells: column 1 1)")
    );
    let many: String = (0..60).map(|i| format!("{i}.5,{}\n", i * i)).collect();
    assert_eq!(
        error(&format!("{many}7,bad\n"), same),
        "t.csv:61: column 1: found \"bad\"; expected a finite number, as in nearly all rows; fix the cell, set data.missing_values = \
         [\"bad\"] if it stands for a missing value, or name another column in data.target"
    );
    assert!(error(&format!("{many}7,1e999\n"), same).starts_with("t.csv:61: column 1: found \"1e999\""));
    // Following the advice leads on.
    let data = read(&format!("{many}7,bad\n"), |config| {
        (config.missing_values, config.missing) = (vec!["bad".into()], Missing::Drop);
    });
    assert_eq!(data.unwrap().transforms, ["1 of 61 rows left out: a cell is missing (missing cells: column 1 1)"]);
    let text = error("1,2\n1,2,3\n", same);
    assert!(text.starts_with("t.csv:2: found 3 cells; expected 2"), "{text}");
    assert!(error("", same).starts_with("t.csv: found no row"));
    assert!(error("1,2\n", same).contains("the training split has no example"));
    let labels = |text: &str| error(text, |config| config.target_classes = Some(3));
    assert!(
        labels("1,2\n3,2.5\n").starts_with(
            "t.csv:2: column 1: found the label 2.5; expected a whole number from 0 to 2 (data.target_classes = 3); set"
        ),
        "{}",
        labels("1,2\n3,2.5\n")
    );
    assert!(labels("1,2\n3,3\n").starts_with("t.csv:2: column 1: found the label 3;"));
    assert!(labels("1,2\n3,-1\n").starts_with("t.csv:2: column 1: found the label -1;"));
}

#[test]
fn digits_that_64_bits_lose_are_refused() {
    let text: String = (0..60).map(|i| format!("{i}.5,{}\n", 1e17 + f64::from(i % 7) * 16.0)).collect();
    let found = error(&text, |_| {});
    assert!(found.starts_with("t.csv: column `column 1`: found a standard deviation of "), "{found}");
    assert!(found.contains("subtract a constant such as 1"), "{found}");
}

#[test]
fn errors_name_columns_and_rows() {
    assert_eq!(
        error(FOUR, |config| config.target = vec![ColumnRef::Index(3)]),
        "data.target: found column 3; expected 0 to 2, the columns of t.csv; name one of them (`dgm-train data inspect FILE` lists them)"
    );
    assert_eq!(
        error(FOUR, |config| config.target = vec![name("y")]),
        "data.target: found the name `y`, but t.csv has no header; set data.header = true if its first line holds names, or give the \
         column's index"
    );
    assert_eq!(
        error("age,strength\n1,2\n", |config| config.target = vec![name("strenght")]),
        "data.target: t.csv has no column `strenght`; did you mean `strength`? (columns: age, strength); name one of them"
    );
    let both = Conditions::Columns(vec![ColumnRef::Index(0), ColumnRef::Index(1)]);
    assert_eq!(
        error(FOUR, |config| config.condition = both),
        "data.condition: found column 1, which is a target too; expected other columns; take it out of one list"
    );
    assert_eq!(
        error(FOUR, |config| config.target = vec![ColumnRef::Index(1), ColumnRef::Index(1)]),
        "data.target: found column 1 twice; expected it once; take one out"
    );
    assert_eq!(
        error("x,y,x\n1,2,3\n2,3,4\n", |config| config.target = vec![name("x")]),
        "data.target: the columns 0 and 2 of t.csv are both called `x`; expected one; give the index of the one that is meant, such as \
         data.target = [0]"
    );
    let rows = |train: &'static str, test: &'static str| {
        error(FOUR, move |config| {
            config.train_rows = Some(train.into());
            config.test_rows = Some(test.into());
        })
    };
    let expected =
        "overlap:2: row 3 is in data.train_rows too; expected rows that are not learnt from; take it out of one file";
    assert_eq!(rows("train", "overlap"), expected);
    assert_eq!(
        rows("beyond", "test"),
        "beyond:2: found \"5\"; expected the index of a row, a whole number from 0 to 3; take it out, or check data.header"
    );
    assert!(rows("word", "test").starts_with("word:1: found \"x\"; expected the index of a row"));
    let text = rows("train", "nothing");
    assert!(text.contains("nothing") && text.contains("data.test_rows"), "{text}");
}

#[test]
fn concrete_is_split_as_published() {
    let Some(folder) = shared("uci/concrete") else { return };
    let config = CsvConfig {
        target: vec![ColumnRef::Index(8)],
        train_rows: Some(folder.join("index_train_0.txt")),
        test_rows: Some(folder.join("index_test_0.txt")),
        ..config(folder.join("data.txt"))
    };
    let data = load(&DataConfig::Csv(config), Seed(0)).unwrap();
    assert_eq!((data.train.len() + data.validation.len(), data.test.len()), (927, 103));
    assert_eq!((data.spec.shape, data.spec.condition_width()), ([1, 1, 1], 8));
    assert_eq!(data.name, "concrete/data");
}
