//! Tests of text: parts, windows, vocabulary, files that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tempfile::TempDir;

use super::super::tests::shared;
use super::super::{DataConfig, load};
use super::*;

fn config(path: PathBuf, unit: Unit, length: usize) -> TextConfig {
    TextConfig { path, unit, length, validation_fraction: 0.1, test_fraction: 0.1 }
}

/// A file with this content, and its configuration.
fn file(content: &[u8], unit: Unit, length: usize) -> (TempDir, TextConfig) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, content).unwrap();
    (folder, config(path, unit, length))
}

fn data(config: &TextConfig) -> Result<Dataset> {
    config.validate().unwrap();
    load(&DataConfig::Text(config.clone()), Seed(0))
}

/// The message of the error, less the folder.
fn error((folder, config): (TempDir, TextConfig)) -> String {
    let message = data(&config).expect_err("an error").to_string();
    assert!(!message.contains('\n'), "{message}");
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn the_parts_are_contiguous_and_cut_in_windows() {
    let content: Vec<u8> = (0..100).collect();
    let (_folder, config) = file(&content, Unit::Bytes, 4);
    let set = data(&config).unwrap();
    assert_eq!((set.spec.shape, &set.spec.values), ([1, 1, 4], &Values::Levels(256)));
    // 80, 10 and 10 bytes; of ten, two windows of four and a rest.
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (20, 2, 2));
    let row = |split: &Split, i: usize| split.target.read(&[i], 0).unwrap().values().to_vec();
    assert_eq!((row(&set.train, 0), row(&set.train, 19)), (vec![0.0, 1.0, 2.0, 3.0], vec![76.0, 77.0, 78.0, 79.0]));
    assert_eq!((row(&set.validation, 0), row(&set.validation, 1)[3]), (vec![80.0, 81.0, 82.0, 83.0], 87.0));
    assert_eq!(row(&set.test, 1), [94.0, 95.0, 96.0, 97.0]);
    let rest = "is known; the end of each part that fills no window is left out, at most 3 bytes";
    assert!(set.transforms[0].ends_with(rest), "{:?}", set.transforms);
    let (_folder, config) = file(&content, Unit::Bytes, 1);
    assert!(data(&config).unwrap().transforms[0].ends_with("is known"));
}

#[test]
fn characters_come_from_the_training_part_and_the_others_are_unknown() {
    // Eight, one and one characters; λ has two bytes.
    let (_folder, config) = file("bλa\nbλabλz".as_bytes(), Unit::Characters, 1);
    let set = data(&config).unwrap();
    assert_eq!(config.symbols().unwrap(), ["\\n", "a", "b", "λ", "<unknown>"]);
    assert_eq!(set.spec.values, Values::Levels(5));
    let all = |split: &Split| split.target.read_all(0).unwrap().values().to_vec();
    assert_eq!(all(&set.train), [2.0, 3.0, 1.0, 0.0, 2.0, 3.0, 1.0, 2.0]);
    assert_eq!((all(&set.validation), all(&set.test)), (vec![3.0], vec![4.0]));
    assert!(
        set.transforms.iter().any(|t| t.contains("1 character of validation and test is not")),
        "{:?}",
        set.transforms
    );
    // Nothing is unknown: no symbol for it.
    let (_folder, config) = file("bλa\nbλabλa".as_bytes(), Unit::Characters, 1);
    let set = data(&config).unwrap();
    assert_eq!(set.spec.values, Values::Levels(4));
    assert!(!set.transforms.iter().any(|t| t.contains("unknown")), "{:?}", set.transforms);
}

#[test]
fn a_byte_that_cannot_be_seen_is_escaped() {
    let names = Tokens::bytes(b"").names;
    assert_eq!((names.len(), &names[10][..], &names[65][..], &names[255][..]), (256, "\\n", "A", "\\xff"));
}

#[test]
fn what_is_no_text_is_named() {
    let text = error(file(b"one\ntwo\nthr\xffee\n", Unit::Characters, 1));
    assert!(text.starts_with("text.txt:3: found bytes that are not UTF-8"), "{text}");
    let text = error(file(b"0123456789", Unit::Characters, 2));
    let expected =
        "text.txt: found 10 symbols, 1 of them for the validation part; expected one window of data.length = 2";
    assert!(text.starts_with(expected), "{text}");
    assert!(error(file(b"", Unit::Bytes, 1)).starts_with("text.txt: found 0 symbols"));
    let text = error(file(&[b'a'; 100], Unit::Characters, 1));
    assert!(text.contains("found 1 different characters"), "{text}");
    let (folder, mut config) = file(b"", Unit::Bytes, 1);
    config.path = folder.path().join("nothing.txt");
    assert!(error((folder, config)).contains("there is no file nothing.txt"));
}

#[test]
fn fractions_leave_something_for_training() {
    let config = |validation_fraction, test_fraction| TextConfig {
        validation_fraction,
        test_fraction,
        ..config("x".into(), Unit::Bytes, 8)
    };
    assert_eq!(config(0.5, 0.5).validate().unwrap_err().key, "test_fraction");
    assert_eq!(config(0.0, 0.5).validate().unwrap_err().key, "validation_fraction");
    assert_eq!(config(0.1, f64::NAN).validate().unwrap_err().key, "test_fraction");
    config(0.4, 0.5).validate().unwrap();
}

#[test]
fn tiny_shakespeare_has_65_characters() {
    let Some(path) = shared("text/tinyshakespeare.txt") else { return };
    let config = config(path, Unit::Characters, 64);
    let set = data(&config).unwrap();
    let symbols = config.symbols().unwrap();
    assert_eq!((set.spec.values, symbols.len()), (Values::Levels(65), 65));
    assert_eq!(symbols[..3], ["\\n", " ", "!"]);
    // 1115394 characters: a tenth is 111539, and what remains 892316.
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (892_316 / 64, 111_539 / 64, 111_539 / 64));
    let first: String = set
        .train
        .target
        .read(&[0], 0)
        .unwrap()
        .values()
        .iter()
        .map(|&symbol| symbols[symbol as usize].clone())
        .collect();
    assert_eq!(first, "First Citizen:\\nBefore we proceed any further, hear me speak.\\n\\nAl");
}
