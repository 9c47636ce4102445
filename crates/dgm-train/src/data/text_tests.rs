//! Tests of text: parts, windows, vocabulary, files that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tempfile::TempDir;

use super::super::tests::shared;
use super::super::{DataConfig, load};
use super::*;

fn config(path: PathBuf, unit: Unit, length: usize) -> TextConfig {
    TextConfig {
        path,
        unit,
        length,
        examples: Examples::Windows,
        context: 0,
        shift_windows: false,
        prefix_until: None,
        validation_fraction: 0.1,
        test_fraction: 0.1,
        encoding: None,
        newlines: None,
    }
}

/// A file with this content, and its configuration.
fn file(content: &[u8], unit: Unit, length: usize) -> (TempDir, TextConfig) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, content).unwrap();
    (folder, config(path, unit, length))
}

fn vocabulary_of(config: &TextConfig) -> Vocabulary {
    data(config).unwrap().vocabulary.unwrap()
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

/// One row of a split in an epoch: the symbols that are given, and those that are scored. What is neither is padding, and
/// stands behind them.
fn example(split: &Split, row: usize, epoch: u64) -> (Vec<f64>, Vec<f64>) {
    let target = split.target.read(&[row], epoch).unwrap().values().to_vec();
    let Some(mask) = &split.mask else { return (vec![], target) };
    let mask = mask.read(&[row], epoch).unwrap().values().to_vec();
    assert_eq!(mask.len(), target.len());
    let ones = |mask: &[f64]| mask.iter().filter(|&&one| one == 1.0).count();
    let given = mask.iter().position(|&one| one == 1.0).unwrap_or(mask.len());
    let end = given + ones(&mask);
    assert_eq!(ones(&mask[given..end]), end - given, "{mask:?}");
    assert!(mask[..given].iter().chain(&mask[end..]).all(|&zero| zero == 0.0), "{mask:?}");
    assert!(target[end..].iter().all(|&padding| padding == 0.0), "{target:?}");
    (target[..given].to_vec(), target[given..end].to_vec())
}

/// What is scored in an epoch, in the order of the rows.
fn scored(split: &Split, epoch: u64) -> Vec<f64> {
    (0..split.len()).flat_map(|row| example(split, row, epoch).1).collect()
}

fn symbols(range: std::ops::Range<u8>) -> Vec<f64> {
    range.map(f64::from).collect()
}

#[test]
fn the_parts_are_contiguous_and_cut_in_windows() {
    let content: Vec<u8> = (0..100).collect();
    let (_folder, config) = file(&content, Unit::Bytes, 4);
    let set = data(&config).unwrap();
    assert_eq!((set.spec.shape, &set.spec.values), ([1, 1, 4], &Values::Levels(256)));
    // 80, 10 and 10 bytes; of ten, two windows of four and one of two.
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (20, 3, 3));
    assert_eq!(
        (example(&set.train, 0, 0), example(&set.train, 19, 0)),
        ((vec![], symbols(10..14)), (vec![], symbols(86..90)))
    );
    assert_eq!(example(&set.validation, 0, 0), (vec![], symbols(0..4)));
    assert_eq!(
        (example(&set.test, 1, 0), example(&set.test, 2, 0)),
        ((vec![], symbols(94..98)), (vec![], symbols(98..100)))
    );
    // Nothing of training is padding.
    assert!(set.train.mask.is_none() && set.validation.mask.is_some());
    assert!(set.transforms[0].ends_with("nothing before its first symbol is known"), "{:?}", set.transforms);
    let (_folder, config) = file(&content, Unit::Bytes, 5);
    assert!(data(&config).unwrap().test.mask.is_none());
}

/// Whatever the windows: each symbol of a part once, and before it what stands there in the text.
#[test]
fn every_symbol_is_scored_once_given_those_before_it() {
    let content: Vec<u8> = (0..=255).collect();
    for (length, context) in [(1, 0), (1, 3), (4, 0), (4, 1), (7, 20), (26, 26), (100, 40), (64, 140)] {
        let (_folder, mut config) = file(&content, Unit::Bytes, length);
        config.context = context;
        let set = data(&config).unwrap();
        assert_eq!(set.spec.shape, [1, 1, length + context]);
        for (split, [first, end]) in [(&set.validation, [0, 26]), (&set.train, [26, 230]), (&set.test, [230, 256])] {
            let n = end - first;
            let expected: Vec<f64> = (first..end).map(|symbol| symbol as f64).collect();
            assert_eq!(scored(split, 0), expected, "length {length}, context {context}");
            let tokens = split.tokens.unwrap();
            assert_eq!((tokens.scored, tokens.unit), (n as u64, Unit::Bytes));
            assert_eq!(split.scored().unwrap().iter().sum::<usize>(), n);
            assert!((split.mean_scored() * split.len() as f64 - n as f64).abs() < 1e-9);
        }
        for (split, first) in [(&set.validation, 0usize), (&set.test, 230)] {
            for row in 0..split.len() {
                let (given, scored) = example(split, row, 0);
                let start = first + row * length;
                assert_eq!(scored[0], start as f64);
                // Nothing stands before the text.
                let expected: Vec<f64> = (start.saturating_sub(context)..start).map(|symbol| symbol as f64).collect();
                assert_eq!(given, expected, "length {length}, context {context}, row {row}");
                assert!(scored.len() == length || row + 1 == split.len());
            }
        }
        // All of a training window is scored.
        assert_eq!(set.train.len(), 204usize.div_ceil(length + context));
        assert!((0..set.train.len()).all(|row| example(&set.train, row, 0).0.is_empty()));
    }
    let (_folder, mut config) = file(&content, Unit::Bytes, 4);
    config.context = 3;
    let expected = "text cut into windows: in validation and test 4 bytes are scored given up to 3 before them, in training \
                    all 7 given those before them in the window";
    assert_eq!(data(&config).unwrap().transforms, [expected]);
}

#[test]
fn shifted_windows_begin_elsewhere_each_epoch() {
    let content: Vec<u8> = (0..=255).collect();
    for (length, context, bytes) in [(7, 0, 256), (4, 6, 256), (50, 0, 256), (8, 0, 80), (1, 0, 100), (64, 0, 80)] {
        let (_folder, mut config) = file(&content[..bytes], Unit::Bytes, length);
        (config.context, config.shift_windows) = (context, true);
        let (set, again) = (data(&config).unwrap(), data(&config).unwrap());
        let validation = (bytes as f64 / 10.0).round() as usize;
        let (width, n) = (length + context, bytes - 2 * validation);
        assert_eq!(set.train.len(), n.div_ceil(width), "as without a shift");
        assert_eq!(set.train.tokens.unwrap().scored, scored(&set.train, 0).len() as u64);
        let mut seen = vec![false; n];
        let mut beginnings = std::collections::BTreeSet::new();
        for epoch in 0..400 {
            let all = scored(&set.train, epoch);
            // Symbols that follow each other, at most half a window of them not there.
            assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1.0), "{all:?}");
            assert!(n - all.len() <= width / 2, "{} of {n} symbols, windows of {width}", all.len());
            all.iter().for_each(|&symbol| seen[symbol as usize - validation] = true);
            let lengths: Vec<usize> = (0..set.train.len()).map(|row| example(&set.train, row, epoch).1.len()).collect();
            assert!(lengths.iter().all(|&length| length > 0 && length <= width), "{lengths:?}");
            assert!(lengths[1..lengths.len().max(2) - 1].iter().all(|&length| length == width), "{lengths:?}");
            beginnings.insert(example(&set.train, set.train.len() / 2, epoch).1[0] as usize % width);
            // A row of an epoch is the same, whoever reads it and after what.
            let row = epoch as usize % set.train.len();
            assert_eq!(example(&again.train, row, epoch), example(&set.train, row, epoch));
        }
        assert!(seen.iter().all(|&seen| seen), "{seen:?}");
        assert!(beginnings.len() == width || set.train.len() < 3, "{beginnings:?} of {width}");
        // Validation and test are the same in every epoch, and the same as without a shift.
        config.shift_windows = false;
        let plain = data(&config).unwrap();
        for (split, plain) in [(&set.validation, &plain.validation), (&set.test, &plain.test)] {
            for epoch in [0, 1, 17] {
                assert_eq!(scored(split, epoch), scored(plain, 0));
            }
        }
    }
}

#[test]
fn the_shift_follows_the_seed() {
    let content: Vec<u8> = (0..=255).collect();
    let (_folder, mut config) = file(&content, Unit::Bytes, 50);
    config.shift_windows = true;
    let rows = |seed| {
        let set = load(&DataConfig::Text(config.clone()), Seed(seed)).unwrap();
        (0..8).map(|epoch| example(&set.train, 1, epoch).1[0]).collect::<Vec<_>>()
    };
    assert_eq!(rows(3), rows(3));
    assert_ne!(rows(3), rows(4));
    // As a member of an ensemble has it: the data of one seed, the shifts of another.
    let mut set = load(&DataConfig::Text(config.clone()), Seed(3)).unwrap();
    set.train.redraw(Seed(4));
    assert_eq!((0..8).map(|epoch| example(&set.train, 1, epoch).1[0]).collect::<Vec<_>>(), rows(4));
}

/// The text of each line of a split, given and scored.
fn lines(config: &TextConfig, split: &Split) -> Vec<(String, String)> {
    let vocabulary = vocabulary_of(config);
    let text = |levels: Vec<f64>| {
        let levels: Vec<f32> = levels.into_iter().map(|level| level as f32).collect();
        String::from_utf8(vocabulary.decode(&levels)).unwrap()
    };
    (0..split.len()).map(|row| example(split, row, 0)).map(|(given, scored)| (text(given), text(scored))).collect()
}

fn pairs(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|&(given, scored)| (given.to_owned(), scored.to_owned())).collect()
}

#[test]
fn a_line_ends_with_its_newline() {
    for unit in [Unit::Characters, Unit::Bytes] {
        // The last one without a newline; empty ones in between.
        let (_folder, mut config) = file(b"one\n\nthree\r\n\r\n\nfour too\neno\n\nof\nfoe", unit, 6);
        (config.examples, config.newlines) = (Examples::Lines, Some(Newlines::Keep));
        (config.validation_fraction, config.test_fraction) = (0.2, 0.2);
        let set = data(&config).unwrap();
        assert_eq!(set.spec.shape, [1, 1, 6]);
        let expected = [("", "three\r"), ("", "four t"), ("", "eno\n"), ("", "of\n")];
        assert_eq!(lines(&config, &set.train), pairs(&expected));
        assert_eq!(lines(&config, &set.validation), pairs(&[("", "one\n")]));
        assert_eq!(lines(&config, &set.test), pairs(&[("", "foe\n")]));
        assert_eq!([&set.train, &set.validation, &set.test].map(|split| split.tokens.unwrap().scored), [19, 4, 4]);
        let newline = vocabulary_of(&config).end().unwrap();
        assert_eq!(newline, if unit == Unit::Bytes { 10 } else { 0 });
        let cut =
            format!("2 of 6 lines (0 of the test's 1) are cut at 6 {}s: what follows is in no result", unit.name());
        let whole =
            "each line is an example, scored up to and including the newline that ends it; empty lines are left out";
        assert_eq!(set.transforms, [whole, &cut]);
    }
}

#[test]
fn a_prefix_is_given() {
    for unit in [Unit::Characters, Unit::Bytes] {
        let text = "ab:cd:e\nabcde\n:x\nabcdefg:h\nabcdef:g\nab:\nc:d\n";
        let (_folder, mut config) = file(text.as_bytes(), unit, 8);
        (config.examples, config.prefix_until) = (Examples::Lines, Some(':'));
        let set = data(&config).unwrap();
        // The fourth has eight given symbols and so no room for one that is scored.
        let expected = [("", "abcde\n"), (":", "x\n"), ("abcdef:", "g"), ("ab:", "\n")];
        assert_eq!(lines(&config, &set.train), pairs(&expected));
        assert_eq!(lines(&config, &set.validation), pairs(&[("ab:", "cd:e\n")]));
        assert_eq!(lines(&config, &set.test), pairs(&[("c:", "d\n")]));
        assert_eq!(
            set.transforms.last().unwrap(),
            &format!(
                "each line up to and including its first ':' is given, not scored; lines without one, scored whole: 1 of 6; \
                 lines left out, whose prefix alone fills 8 {}s: 1 beside those 6",
                unit.name()
            )
        );
    }
}

#[test]
fn lines_that_are_no_examples_are_named() {
    let lines = |content: &str, prefix, unit| {
        let (folder, mut config) = file(content.as_bytes(), unit, 8);
        (config.examples, config.prefix_until) = (Examples::Lines, prefix);
        error((folder, config))
    };
    let text = lines("a\n\nb\n", None, Unit::Characters);
    assert!(
        text.starts_with("text.txt: found 2 lines with something to score, 0 of them for the training part"),
        "{text}"
    );
    for unit in [Unit::Characters, Unit::Bytes] {
        let text = lines("ab\ncd\nef\ngh\n", Some(':'), unit);
        assert!(text.starts_with("text.txt: no line for training has a ':'; set data.prefix_until"), "{text}");
        let text = lines("abcdefg:hi\nabcdefgh:i\n", Some(':'), unit);
        assert!(text.starts_with("text.txt: found 2 lines, whose prefix alone fills data.length = 8"), "{text}");
    }
    assert!(lines("", None, Unit::Bytes).starts_with("text.txt: found 0 lines"));
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    let key = |change: fn(&mut TextConfig)| {
        let mut config = config("x".into(), Unit::Characters, 8);
        change(&mut config);
        config.validate().unwrap_err().key
    };
    assert_eq!(key(|c| c.prefix_until = Some(':')), "prefix_until");
    assert_eq!(key(|c| (c.examples, c.context) = (Examples::Lines, 1)), "context");
    assert_eq!(key(|c| (c.examples, c.shift_windows) = (Examples::Lines, true)), "shift_windows");
    assert_eq!(key(|c| (c.examples, c.prefix_until) = (Examples::Lines, Some('\n'))), "prefix_until");
    let lambda = |c: &mut TextConfig| (c.examples, c.prefix_until) = (Examples::Lines, Some('λ'));
    assert_eq!(
        key(|c| (c.unit, c.examples, c.prefix_until) = (Unit::Bytes, Examples::Lines, Some('λ'))),
        "prefix_until"
    );
    let mut characters = config("x".into(), Unit::Characters, 8);
    lambda(&mut characters);
    characters.validate().unwrap();
    assert_eq!(key(|c| c.context = (1 << 20) + 1), "context");
}

#[test]
fn text_becomes_levels_and_comes_back() {
    let (_folder, config) = file("bλa\nbλabλz".as_bytes(), Unit::Characters, 1);
    let vocabulary = vocabulary_of(&config);
    // \n a b λ and <unknown>, which stands for z too.
    assert_eq!(vocabulary.len(), 5);
    assert_eq!(vocabulary.encode("λa\nzé").unwrap(), [3.0, 1.0, 0.0, 4.0, 4.0]);
    assert_eq!(vocabulary.decode(&[3.0, 1.0, 0.0, 4.0]), "λa\n\u{fffd}".as_bytes());
    assert_eq!(vocabulary.end(), None);
    // As a run keeps it.
    let kept = serde_json::to_string(&vocabulary).unwrap();
    assert_eq!(serde_json::from_str::<Vocabulary>(&kept).unwrap(), vocabulary);
    let (_folder, config) = file("bλa\nbλabλa".as_bytes(), Unit::Characters, 1);
    let vocabulary = vocabulary_of(&config);
    let message = vocabulary.encode("abc").unwrap_err().to_string();
    assert!(message.starts_with("the character 'c' does not occur in the training text"), "{message}");
    assert!(message.contains("expected one of its 4 characters"), "{message}");
    let (_folder, config) = file(&[0xff; 30], Unit::Bytes, 1);
    let vocabulary = vocabulary_of(&config);
    assert_eq!(vocabulary.encode("λ").unwrap(), [206.0, 187.0]);
    assert_eq!(vocabulary.decode(&[206.0, 255.0]), [206, 255]);
}

#[test]
fn characters_outside_the_training_part_are_unknown() {
    // One, eight and one characters; λ has two bytes.
    let (_folder, config) = file("bλa\nbλabλz".as_bytes(), Unit::Characters, 1);
    let set = data(&config).unwrap();
    assert_eq!(vocabulary_of(&config).names(), ["\\n", "a", "b", "λ", "<unknown>"]);
    assert_eq!(set.spec.values, Values::Levels(5));
    let all = |split: &Split| split.target.read_all(0).unwrap().values().to_vec();
    assert_eq!(all(&set.train), [3.0, 1.0, 0.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!((all(&set.validation), all(&set.test)), (vec![2.0], vec![4.0]));
    assert!(
        set.transforms.iter().any(|t| t.contains("1 character of validation and test is not")),
        "{:?}",
        set.transforms
    );
    // The symbols of validation are none, in windows and in lines.
    for (text, examples) in [("zλa\nbλabλb", Examples::Windows), ("z\nλa\nb\nλ\na\nb\nλ\na\nb\nb\n", Examples::Lines)]
    {
        let (_folder, mut config) = file(text.as_bytes(), Unit::Characters, 4);
        config.examples = examples;
        assert_eq!(vocabulary_of(&config).names(), ["\\n", "a", "b", "λ", "<unknown>"], "{examples:?}");
        assert_eq!(data(&config).unwrap().validation.target.read(&[0], 0).unwrap().values()[0], 4.0, "{examples:?}");
    }
    // Nothing is unknown: no symbol for it.
    let (_folder, config) = file("bλa\nbλabλa".as_bytes(), Unit::Characters, 1);
    let set = data(&config).unwrap();
    assert_eq!(set.spec.values, Values::Levels(4));
    assert!(!set.transforms.iter().any(|t| t.contains("unknown")), "{:?}", set.transforms);
}

#[test]
fn a_byte_that_cannot_be_seen_is_escaped() {
    let names = Vocabulary::bytes().names();
    assert_eq!((names.len(), &names[10][..], &names[65][..], &names[255][..]), (256, "\\n", "A", "\\xff"));
}

#[test]
fn what_is_no_text_is_named() {
    let text = error(file(b"one\ntwo\nthr\xffee\n", Unit::Characters, 1));
    assert!(text.starts_with("text.txt:3: found the byte 0x"), "{text}");
    let text = error(file(b"0123456789", Unit::Characters, 9));
    let expected =
        "text.txt: found 10 symbols, 8 of them for the training part; expected one window of data.length = 9";
    assert!(text.starts_with(expected), "{text}");
    assert!(error(file(b"", Unit::Bytes, 1)).starts_with("text.txt: found 0 symbols"));
    let text = error(file(&[b'a'; 100], Unit::Characters, 1));
    assert!(text.contains("found 1 different characters in the training part"), "{text}");
    let (folder, mut config) = file(b"0123456789", Unit::Bytes, 4);
    config.context = 5;
    let text = error((folder, config));
    assert!(text.contains("expected one window of data.context + data.length = 9 there"), "{text}");
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
    let symbols = vocabulary_of(&config).names();
    assert_eq!((set.spec.values, symbols.len()), (Values::Levels(65), 65));
    assert_eq!(symbols[..3], ["\\n", " ", "!"]);
    // 1115394 characters: a tenth is 111539, and what remains 892316.
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (13943, 1743, 1743));
    // Every character of the test is scored.
    assert_eq!(set.test.tokens.unwrap().scored, 111_539);
    assert_eq!(set.test.scored().unwrap().iter().sum::<usize>(), 111_539);
    let first = |split: &Split| -> String {
        let (_, scored) = example(split, 0, 0);
        scored.iter().map(|&symbol| symbols[symbol as usize].as_str()).collect()
    };
    assert_eq!(first(&set.validation), "First Citizen:\\nBefore we proceed any further, hear me speak.\\n\\nAl");
    assert_eq!(first(&set.train), "et, Marcius, that was much. Your hand: most welcome!\\n\\nFirst Serv");
    assert_eq!(first(&set.test), "\\n\\nGREMIO:\\nGood morrow, neighbour Baptista.\\n\\nBAPTISTA:\\nGood morro");
}

/// Targets and masks.
type Passages = Vec<(Vec<f64>, Vec<f64>)>;

/// What a data set is to a model: its fingerprint, its symbols, and every example of its test.
fn content(config: &TextConfig) -> (String, Vec<String>, Passages) {
    let data = data(config).unwrap();
    let rows = (0..data.test.len()).map(|row| example(&data.test, row, 0)).collect();
    (data.fingerprint, data.vocabulary.unwrap().names(), rows)
}

#[test]
fn a_text_is_the_same_whatever_system_wrote_it() {
    let lf = "anna\nbob\n\ncarl\nada\neve\nfrida\ngus\nheidi\nivan\njane\nzoë".repeat(3);
    let utf_16 =
        |text: &str| [&[0xff, 0xfe][..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()].concat();
    for examples in [Examples::Lines, Examples::Windows] {
        let of = |bytes: &[u8]| {
            let (folder, config) = file(bytes, Unit::Characters, 16);
            let config = TextConfig { examples, ..config };
            let (content, transforms) = (content(&config), data(&config).unwrap().transforms);
            drop(folder);
            (content, transforms)
        };
        let (plain, unchanged) = of(lf.as_bytes());
        assert!(!unchanged.iter().any(|sentence| sentence.contains("newlines")), "{unchanged:?}");
        let (crlf, cr) = (lf.replace('\n', "\r\n"), lf.replace('\n', "\r"));
        // 11 in each of three parts.
        for (bytes, said) in [
            (crlf.clone().into_bytes(), Some("newlines CRLF → LF (33 of them)")),
            (format!("\u{feff}{crlf}").into_bytes(), Some("newlines CRLF → LF (33 of them)")),
            (cr.into_bytes(), Some("newlines CR → LF (33 of them)")),
            (utf_16(&lf), None),
            (utf_16(&crlf), Some("newlines CRLF → LF (33 of them)")),
        ] {
            let (found, transforms) = of(&bytes);
            assert_eq!(found, plain);
            let expected: Vec<String> = said.map(str::to_owned).into_iter().chain(unchanged.clone()).collect();
            assert_eq!(transforms, expected);
        }
    }
}

#[test]
fn windows_are_the_file_s_bytes_and_newlines_can_be_kept() {
    let bytes = b"ab\r\n".repeat(40);
    let levels = |config: &TextConfig, row: usize| example(&data(config).unwrap().train, row, 0).1;
    let (_folder, raw) = file(&bytes, Unit::Bytes, 4);
    assert_eq!(levels(&raw, 1), [97.0, 98.0, 13.0, 10.0]);
    let lf = TextConfig { newlines: Some(Newlines::Lf), ..raw.clone() };
    assert_eq!(levels(&lf, 1), [98.0, 10.0, 97.0, 98.0]);
    let lines = TextConfig { examples: Examples::Lines, ..raw.clone() };
    assert_eq!(levels(&lines, 0), [97.0, 98.0, 10.0]);
    let kept = TextConfig { newlines: Some(Newlines::Keep), ..lines };
    assert_eq!(levels(&kept, 0), [97.0, 98.0, 13.0, 10.0]);
    let (_folder, characters) = file(&bytes, Unit::Characters, 4);
    let kept = TextConfig { newlines: Some(Newlines::Keep), ..characters };
    assert_eq!(vocabulary_of(&kept).names(), ["\\n", "\\r", "a", "b"]);
}

#[test]
fn an_encoding_is_named_and_another_one_says_what_to_set() {
    let bytes: Vec<u8> = "d\u{e9}j\u{e0} vu, na\u{ef}ve\n".repeat(20).chars().map(|c| c as u8).collect();
    let (folder, config) = file(&bytes, Unit::Characters, 8);
    let message = error((folder, config.clone()));
    assert!(
        message.starts_with("text.txt:1: found the byte 0xe9") && message.contains("data.encoding = \"windows-1252\""),
        "{message}"
    );
    let (_folder, config) = file(&bytes, Unit::Characters, 8);
    let named = TextConfig { encoding: TextEncoding::named("windows-1252"), ..config };
    let (_other, utf_8) = file("déjà vu, naïve\n".repeat(20).as_bytes(), Unit::Characters, 8);
    assert_eq!(content(&named), content(&utf_8));
    let bytes = TextConfig { unit: Unit::Bytes, ..named };
    let invalid = bytes.validate().unwrap_err();
    assert_eq!(
        (invalid.key, &*invalid.expected),
        ("encoding", "left out beside data.unit = \"bytes\", which takes the file as it is")
    );
}
