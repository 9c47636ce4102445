//! Tables as people bring them: encodings, dialects, numbers, words, dates and their profiles, from memory.
//!
//! Input: two bytes of options, the table. With 7 in the lowest bits of the first, columns 0, 2, … are read as words.
#![no_main]

use dgm_fuzz::{check, content_length, gzip, within_bound};
use dgm_train::data::encoding::TextEncoding;
use dgm_train::data::table::{Auto, Comment, Decimal, Delimiter, Options, Table, Thousands, profile};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[first, second], table)) = input.split_first_chunk::<2>() else { return };
    let options = Options {
        delimiter: match first & 7 {
            1 => Auto::Set(Delimiter::Comma),
            2 => Auto::Set(Delimiter::Semicolon),
            3 => Auto::Set(Delimiter::Tab),
            4 => Auto::Set(Delimiter::Pipe),
            5 => Auto::Set(Delimiter::Whitespace),
            _ => Auto::Auto,
        },
        header: [Auto::Auto, Auto::Set(true), Auto::Set(false), Auto::Auto][usize::from(first >> 3 & 3)],
        comment: match first >> 5 & 3 {
            1 => Auto::Set(Comment::from("none".to_owned())),
            2 => Auto::Set(Comment::from("//".to_owned())),
            _ => Auto::Auto,
        },
        decimal: [Auto::Auto, Auto::Set(Decimal::Point), Auto::Set(Decimal::Comma), Auto::Auto]
            [usize::from(second & 3)],
        thousands: match second >> 2 & 7 {
            1 => Auto::Set(Thousands::None),
            2 => Auto::Set(Thousands::Comma),
            3 => Auto::Set(Thousands::Point),
            4 => Auto::Set(Thousands::Space),
            5 => Auto::Set(Thousands::Apostrophe),
            _ => Auto::Auto,
        },
        encoding: match second >> 5 & 3 {
            1 => TextEncoding::named("windows-1252").map_or(Auto::Auto, Auto::Set),
            2 => TextEncoding::named("shift_jis").map_or(Auto::Auto, Auto::Set),
            _ => Auto::Auto,
        },
        missing_values: if second >> 7 == 1 { vec!["x".to_owned()] } else { Vec::new() },
    };
    let content = content_length(table);
    let bytes = if first >> 7 == 1 { gzip(table) } else { table.to_vec() };
    let is_words = |index: usize, _: Option<&str>| first & 7 == 7 && index % 2 == 0;
    let read = within_bound(content, || match Table::from_bytes_with("table.csv", &bytes, &options, &is_words) {
        Ok(table) => Some(table),
        Err(error) => {
            check(&error);
            None
        }
    });
    let Some(table) = read else { return };
    assert_eq!(profile(&table).len(), table.columns().len());
    for column in table.columns() {
        let missing = (0..table.rows()).filter(|&row| column.number(row).is_none() && column.level(row).is_none());
        // Words that are too many are not kept.
        let kept = !column.levels().is_empty() || column.kind.is_numeric();
        assert!(!kept || missing.count() == column.missing + column.odd.as_ref().map_or(0, |odd| odd.count));
        for row in 0..table.rows().min(100) {
            assert!(table.line(row) > row);
            if let Some(level) = column.level(row) {
                assert_eq!(column.word(row), Some(&*column.levels()[level]));
            }
            if let Some(number) = column.number(row) {
                assert!(number.is_finite());
                let written = column.write(number);
                assert!(!written.is_empty() && !written.contains(char::is_control), "{written:?}");
            }
        }
        for is_target in [false, true] {
            if let Some(error) = table.problem(column, is_target) {
                check(&error);
            }
        }
    }
    // What was recognised reads the same table again.
    let explicit = table.dialect().options(options.missing_values);
    let again = Table::from_bytes_with("table.csv", &bytes, &explicit, &is_words);
    let again = again.expect("the table that was read before");
    assert_eq!(again.dialect(), table.dialect());
    assert_eq!((again.rows(), again.columns().len()), (table.rows(), table.columns().len()));
    for (column, before) in again.columns().iter().zip(table.columns()) {
        assert_eq!((&column.name, column.kind, column.missing), (&before.name, before.kind, before.missing));
        for row in 0..table.rows().min(100) {
            assert_eq!((again.line(row), column.number(row)), (table.line(row), before.number(row)));
            assert_eq!(column.word(row), before.word(row));
        }
    }
});
