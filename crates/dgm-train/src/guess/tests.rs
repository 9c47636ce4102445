//! Tests of what is proposed for bare data: every proposal loads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_core::random::Seed;
use png::{BitDepth, ColorType};
use tempfile::TempDir;

use super::*;
use crate::data::picture::tests::png_file;
use crate::data::{Dataset, load};
use crate::recipe;

fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn wishes(target: &[&str], set: &[&str]) -> Wishes {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Wishes { target: owned(target), set: owned(set) }
}

/// The lines below the path, and the data that all of them describe.
fn proposed(path: &Path, target: &[&str], set: &[&str]) -> (Vec<String>, Dataset) {
    let proposal = proposal(path, &wishes(target, set), &Path::to_path_buf).unwrap();
    let dataset = load(&proposal.config(path, None, &[]).unwrap().data, Seed(0)).unwrap();
    (proposal.lines[2..].to_vec(), dataset)
}

fn refused(path: &Path, target: &[&str], set: &[&str]) -> String {
    proposal(path, &wishes(target, set), &Path::to_path_buf).unwrap_err().to_string()
}

fn rows(n: u32, row: impl Fn(u32) -> String) -> String {
    (0..n).map(|i| row(i) + "\n").collect()
}

#[test]
fn what_a_text_file_holds_is_recognised_as_tables_are() {
    let folder = tempfile::tempdir().unwrap();
    let form_of = |name: &str, content: &[u8]| {
        fs::write(folder.path().join(name), content).unwrap();
        form(&folder.path().join(name), &[]).unwrap()
    };
    let holes = rows(30, |i| if i == 3 { "1.5,,7".into() } else { format!("{i}.5,{},7", i * i) });
    assert_eq!(form_of("a.txt", holes.as_bytes()), Form::Table);
    let long = rows(9000, |i| format!("{i}.25;{};word", i * 7 % 31));
    assert!(long.len() as u64 > START);
    assert_eq!(form_of("b.txt", long.as_bytes()), Form::Table);
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(long.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(form_of("c.txt", &wide), Form::Table);
    for prose in
        ["To be, or not to be.\nThat is the question, 1600.\nWhether it is nobler.\n", "1 one\n2 two\n3 three\n", ""]
    {
        assert_eq!(form_of("d.txt", prose.as_bytes()), Form::Text, "{prose}");
    }
    // Named a table, it is one.
    assert_eq!(form_of("d.csv", b"a,b\nx,y\nz,w\n"), Form::Table);
    let path = folder.path().join("d.csv");
    let message = refused(&path, &["a"], &["data.source=text"]);
    assert!(message.contains("is no table, so it has no columns; leave --target out, or add --set data.source=csv"));
}

#[test]
fn a_column_of_many_numbers_is_used() {
    let content =
        rows(2000, |i| format!("{},{i}.5,{}.25,w{i}x{i}y,{}", i + 1, i * 7 % 2000, ["a", "b"][i as usize % 2]));
    let (_folder, path) = file("t.csv", "id,many,y,free,word\n".to_owned() + &content);
    let (lines, dataset) = proposed(&path, &["y"], &[]);
    assert_eq!(lines[0], "target = [\"y\"]");
    assert!(lines[1].starts_with("exclude = [\"id\", \"free\"]   # it "), "{lines:?}");
    let names: Vec<_> = dataset.names.condition.iter().map(|column| column.name.clone()).collect();
    assert_eq!(names, ["many", "word"]);
    // Where there is nothing else, the numbers of the rows are the condition.
    let (_folder, path) = file("t.csv", "time,y\n".to_owned() + &rows(50, |i| format!("{i},{}.5", i * i % 17)));
    let (lines, dataset) = proposed(&path, &["y"], &[]);
    assert_eq!((lines.len(), dataset.spec.condition_width()), (1, 1), "{lines:?}");
}

#[test]
fn words_among_numbers_are_missing_or_drop_the_column() {
    // Of 400 numbers each: 2 different words, and 12.
    let cell = |i: u32, words: u32| match i % 32 {
        5 => format!("w{}", (i / 32) % words),
        _ => format!("{}.5", i * 37 % 101),
    };
    let content = rows(400, |i| format!("{},{},{}.5", cell(i, 2), cell(i, 12), i * 7 % 90));
    let (_folder, path) = file("t.csv", "few,many,y\n".to_owned() + &content);
    for target in [&["y"][..], &[]] {
        let (lines, dataset) = proposed(&path, target, &[]);
        let line = |key: &str| lines.iter().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{lines:?}"));
        assert!(
            line("exclude").starts_with("exclude = [\"many\"]   # more different words among numbers"),
            "{lines:?}"
        );
        assert!(line("missing_values").starts_with("missing_values = [\"w0\", \"w1\"]   #"), "{lines:?}");
        let used = dataset.names.target.iter().chain(&dataset.names.condition);
        let mut names: Vec<_> = used.map(|column| column.name.clone()).collect();
        names.sort_unstable();
        assert_eq!(names, ["few", "y"]);
    }
    // What is given stays.
    let (lines, _) = proposed(&path, &["y"], &["data.missing_values=[\"none\"]", "data.exclude=[\"many\"]"]);
    let all = lines.join("\n");
    assert!(
        all.contains("exclude = [\"many\"]\n") && all.contains("missing_values = [\"none\", \"w0\", \"w1\"]"),
        "{all}"
    );
}

#[test]
fn a_target_is_a_name_before_it_is_an_index() {
    let content = "2020,2021,1\n".to_owned() + &rows(40, |i| format!("{}.5,{}.25,{}.125", i % 7, i * i % 11, i % 13));
    let (_folder, path) = file("t.csv", content);
    let (lines, dataset) = proposed(&path, &["2021"], &["data.header=true"]);
    assert_eq!((&*lines[0], dataset.names.target[0].name.as_str()), ("target = [\"2021\"]", "2021"));
    assert_eq!(proposed(&path, &["1"], &["data.header=true"]).1.names.target[0].name, "1");
    let (lines, dataset) = proposed(&path, &["0"], &["data.header=true"]);
    assert_eq!((&*lines[0], dataset.names.target[0].name.as_str()), ("target = [0]", "2020"));
    assert!(refused(&path, &["7"], &["data.header=true"]).starts_with("data.target: found column 7; expected 0 to 2"));
}

#[test]
fn a_target_of_few_whole_numbers_may_be_classes() {
    let content = rows(120, |i| format!("{},{},{},{}.5", i * 7 % 2, 3 + i * 5 % 6, i * 11 % 40, i * 13 % 97));
    let (_folder, path) = file("t.csv", "survived,quality,age,x\n".to_owned() + &content);
    let (lines, dataset) = proposed(&path, &["survived"], &[]);
    assert!(
        lines[1].starts_with("categorical = [\"survived\"]   # two whole numbers as names of classes"),
        "{lines:?}"
    );
    assert_eq!((recipe::Task::of(&dataset), dataset.names.classes.len()), (recipe::Task::Classification, 2));
    let (lines, dataset) = proposed(&path, &["quality"], &[]);
    assert!(lines[1].starts_with("# categorical = [\"quality\"]   # uncomment this"), "{lines:?}");
    assert_eq!(recipe::Task::of(&dataset), recipe::Task::Regression);
    for target in ["age", "x"] {
        assert_eq!(proposed(&path, &[target], &[]).0.len(), 1, "{target}");
    }
    // Who names classes decides.
    let (lines, dataset) = proposed(&path, &["quality"], &["data.categorical=[\"quality\"]"]);
    assert_eq!(lines[1], "categorical = [\"quality\"]");
    assert_eq!(dataset.names.classes, ["3", "4", "5", "6", "7", "8"]);
}

#[test]
fn numbers_given_words_are_one_density() {
    let content = rows(60, |i| format!("{}.5,{}.25,{}", i * 7 % 31, i * i % 17, ["a", "b"][i as usize % 2]));
    let (_folder, path) = file("t.csv", "x,y,word\n".to_owned() + &content);
    let (lines, dataset) = proposed(&path, &[], &[]);
    assert!(
        lines[0].starts_with("target = [\"x\", \"y\"]") && lines[1].starts_with("condition = [\"word\"]"),
        "{lines:?}"
    );
    assert_eq!(recipe::Task::of(&dataset), recipe::Task::ConditionalDensity);
    assert!(recipe::headline(&dataset).starts_with("# Joint density of real numbers given a condition of"));
    let text = recipe::recipe(&dataset);
    assert!(text.contains("any_order_mlp") && text.contains("each column given any others"));
    assert_eq!(recipe::Task::of(&proposed(&path, &["x"], &[]).1), recipe::Task::Regression);
    assert_eq!(recipe::Task::of(&proposed(&path, &[], &["data.condition=none"]).1), recipe::Task::Density);
}

#[test]
fn only_data_keys_are_accepted_and_refusals_name_real_files() {
    let (_folder, path) = file("t.csv", "x,y\n".to_owned() + &rows(30, |i| format!("{}.5,{}.25", i % 7, i * i % 11)));
    let name = path.display().to_string();
    for (set, expected) in [
        (
            "training.epochs=3",
            "--set training.epochs=3: the data have no configuration yet; expected a key of [data]".into(),
        ),
        (
            "data.delimter=x",
            "--set data.delimter=x: unknown key `delimter` in [data] with source = \"csv\"; did you mean".into(),
        ),
        ("data.source=idx", format!("--set data.source=idx: {name} is recognised as csv; expected that, or csv")),
        ("data.encoding=klingon", "--set data.encoding=klingon: data.encoding: ".into()),
        ("data.train_rows=r.txt", format!("{name}: data.test_rows: expected a file of row indices")),
    ] {
        let message = refused(&path, &["y"], &[set]);
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn picture_folders_and_named_sets_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for i in 0..12u8 {
        let grey = png_file(ColorType::Grayscale, BitDepth::Eight, [2, 2], &[i; 4]);
        write(&format!("set/{}/{i}.png", ["cat", "dog"][usize::from(i % 2)]), &grey);
    }
    // What an archive of another system leaves: a coloured picture of another size.
    write("set/__MACOSX/cat/._0.png", &png_file(ColorType::Rgb, BitDepth::Eight, [1, 3], &[9; 9]));
    let (lines, dataset) = proposed(&folder.path().join("set"), &[], &[]);
    assert_eq!(lines, ["channels = 1            # grey"]);
    assert_eq!(dataset.spec.shape, [1, 2, 2]);
    let (lines, dataset) = proposed(&folder.path().join("set"), &[], &["data.channels=3"]);
    assert_eq!((lines, dataset.spec.shape), (vec!["channels = 3".to_owned()], [3, 2, 2]));

    let images = [&[0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 2][..], &[7; 24]].concat();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 6][..], &[0, 1, 2, 3, 4, 9]].concat();
    for part in ["train", "t10k"] {
        write(&format!("mn/raw/{part}-images.idx3-ubyte"), &images);
        write(&format!("mn/raw/{part}-labels.idx1-ubyte"), &labels);
    }
    for path in ["mn", "mn/raw", "mn/raw/train-images.idx3-ubyte"] {
        let (lines, dataset) = proposed(&folder.path().join(path), &[], &[]);
        assert_eq!((lines.len(), dataset.test.len()), (3, 6), "{path}: {lines:?}");
    }
    // EMNIST has several sets in a folder.
    for (set, count) in [("letters", 24), ("digits", 40)] {
        let images =
            [&[0, 0, 8, 3, 0, 0, 0, count / 4, 0, 0, 0, 2, 0, 0, 0, 2][..], &vec![7; usize::from(count)]].concat();
        write(&format!("em/emnist-{set}-train-images-idx3-ubyte"), &images);
        write(&format!("em/emnist-{set}-test-images-idx3-ubyte"), &images);
    }
    let (_, dataset) = proposed(&folder.path().join("em/emnist-digits-train-images-idx3-ubyte"), &[], &[]);
    assert_eq!(dataset.test.len(), 10);
    let message = refused(&folder.path().join("set/cat/0.png"), &[], &[]);
    assert!(message.contains("found a picture; expected many; name the folder that holds them, such as"), "{message}");
}

#[test]
fn codes_stay_words() {
    let content = rows(120, |i| format!("{:05},{},{}.5", i * 7 % 12, i % 2, i * 13 % 97));
    let (_folder, path) = file("t.csv", "zip,sold,price\n".to_owned() + &content);
    let (lines, dataset) = proposed(&path, &["price"], &[]);
    assert_eq!(
        lines[1],
        "categorical = [\"zip\"]   # numbers with leading zeros, taken for codes; take this out for quantities"
    );
    assert_eq!((dataset.spec.condition_width(), dataset.warnings.len()), (14, 0));
    let (lines, dataset) = proposed(&path, &["sold"], &[]);
    assert!(lines[1].starts_with("categorical = [\"zip\", \"sold\"]   # numbers with leading zeros"), "{lines:?}");
    assert_eq!(dataset.names.classes, ["0", "1"]);
    // Who says what is a category decides, and is told what becomes of the codes.
    let (lines, dataset) = proposed(&path, &["price"], &["data.categorical=[\"sold\"]"]);
    assert!(lines.iter().any(|line| line == "categorical = [\"sold\"]"), "{lines:?}");
    assert_eq!((dataset.spec.condition_width(), dataset.warnings.len()), (4, 1));
    assert!(
        dataset.warnings[0].contains("00000 is read as a number without its leading zeros"),
        "{:?}",
        dataset.warnings
    );
    // A target is what it is until somebody says that it is a label.
    assert_eq!(recipe::Task::of(&proposed(&path, &["zip"], &[]).1), recipe::Task::Regression);
    // Of codes that nearly every row has another of nothing can be learnt.
    let content = rows(60, |i| format!("{:05},{}.5", i * 7 % 61 + 100, i * 13 % 97));
    let (_folder, path) = file("t.csv", "zip,price,x\n".to_owned() + &content.replace(".5", ".5,1.25"));
    for target in [&["price"][..], &[]] {
        let (lines, _) = proposed(&path, target, &[]);
        assert!(
            lines.iter().any(|line| line.starts_with("exclude = [\"zip\"]   # numbers with leading zeros")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_table_without_numbers_is_shown_and_not_modelled() {
    let (_folder, path) = file("t.csv", "a,b\n".to_owned() + &rows(40, |i| format!("w{},v{}", i % 3, i % 5)));
    let found = proposal(&path, &wishes(&[], &[]), &Path::to_path_buf).unwrap();
    assert_eq!((found.lines.len(), found.table.as_ref().unwrap().rows()), (0, 40));
    let message = found.complete().unwrap_err().to_string();
    assert!(message.contains("(column 0 (`a`) category, column 1 (`b`) category); name the column"));
    assert_eq!(recipe::Task::of(&proposed(&path, &["a"], &[]).1), recipe::Task::Classification);
    let (_folder, path) = file("t.csv", "a:b\n".to_owned() + &rows(40, |i| format!("{i}:v{}", i % 5)));
    let found = proposal(&path, &wishes(&[], &[]), &Path::to_path_buf).unwrap().complete().unwrap_err().to_string();
    assert!(found.contains("found one column, text") && found.contains("set the delimiter"), "{found}");
}

#[test]
fn arrays_of_pixels_are_levels_where_they_look_so() {
    let array = |name: &str, numbers: &[f32]| {
        let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 2, 2), }}", numbers.len() / 4);
        file(name, crate::data::npy::tests::npy(&header, &data))
    };
    let pixels: Vec<f32> = (0..80).map(|i| (i * 37 % 256) as f32).collect();
    let few: Vec<f32> = pixels.iter().map(|pixel| pixel % 17.0).collect();
    let binary: Vec<f32> = pixels.iter().map(|pixel| pixel % 2.0).collect();
    for (pixels, divisor, levels, keys) in [
        (&pixels, 1.0, Some(256), 1),
        (&pixels, 255.0, Some(256), 2),
        (&pixels, 300.0, None, 3),
        (&few, 1.0, Some(17), 1),
        (&binary, 1.0, Some(2), 1),
    ] {
        let (_folder, path) = array("x.npy", &pixels.iter().map(|pixel| pixel / divisor).collect::<Vec<_>>());
        let (lines, dataset) = proposed(&path, &[], &[]);
        let found = if let dgm_models::Values::Levels(levels) = dataset.spec.values { Some(levels) } else { None };
        assert_eq!((found, lines.len()), (levels, 1 + keys), "{lines:?}");
    }
}

#[test]
fn a_column_that_says_the_splits_is_taken_at_its_word() {
    let text = rows(60, |i| format!("{}.5,{},{}", i * 7 % 60, ["train", "Train", "test"][i as usize % 3], i * i));
    let (_folder, path) = file("s.csv", format!("x,part,y\n{text}"));
    let (lines, data) = proposed(&path, &["y"], &[]);
    assert_eq!(lines[0], "split_column = \"part\"   # its cells say which split a row belongs to");
    assert_eq!((data.test.len(), data.spec.condition_width()), (20, 1));
    // Words of which some are no splits are words.
    let (_folder, path) = file("w.csv", format!("x,part,y\n{}", text.replace("Train", "trainer")));
    assert_eq!(proposed(&path, &["y"], &[]).1.names.condition.len(), 2);
}
