//! Tests of decoding: the same sentence in every encoding, in parts of every length; damaged and other files.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

const KEY: Choice = Choice::Key(None);

fn named(label: &str) -> Choice {
    Choice::Key(Some(TextEncoding::named(label).unwrap()))
}

/// `"name\tgröße €\r\n1\t2,5\r\n"`, as Python's `encode` has it.
const TEXT: &str = "name\tgröße €\r\n1\t2,5\r\n";
const UTF_16: &[u8] = b"n\0a\0m\0e\0\t\0g\0r\0\xf6\0\xdf\0e\0 \0\xac\x20\r\0\n\x001\0\t\x002\0,\x005\0\r\0\n\0";
const LATIN: &[u8] = b"name\tgr\xf6\xdfe \x80\r\n1\t2,5\r\n";

fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect()
}

/// What the stream and the whole give, which is the same.
fn read(bytes: &[u8], choice: Choice) -> Result<String> {
    let whole = decode("t.txt", bytes.to_vec(), choice);
    let stream = |bytes: &[u8]| {
        let mut source = FileReader::from_bytes("t.txt", bytes);
        let mut text = Text::new(&mut source, choice)?;
        let mut all = String::new();
        while text.read(&mut all)? {}
        assert_eq!(text.passed(), text.source.length().unwrap_or(text.passed()));
        Ok(all)
    };
    assert_eq!(stream(bytes), whole);
    if !bytes.is_empty() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        assert_eq!(stream(&encoder.finish().unwrap()), whole);
    }
    whole
}

#[test]
fn every_encoding_gives_the_same_text() {
    for (bytes, choice) in [
        (TEXT.as_bytes().to_vec(), KEY),
        (["\u{feff}".as_bytes(), TEXT.as_bytes()].concat(), KEY),
        (["\u{feff}".as_bytes(), TEXT.as_bytes()].concat(), named("utf-8")),
        ([b"\xff\xfe", UTF_16].concat(), KEY),
        ([b"\xfe\xff", &swapped(UTF_16)[..]].concat(), KEY),
        (UTF_16.to_vec(), KEY),
        (swapped(UTF_16), Choice::Recognised),
        (UTF_16.to_vec(), named("UTF-16LE")),
        (LATIN.to_vec(), named("latin1")),
        // A byte order mark has the last word.
        ([b"\xff\xfe", UTF_16].concat(), named("windows-1252")),
    ] {
        assert_eq!(read(&bytes, choice).unwrap(), TEXT, "{choice:?} {bytes:?}");
    }
    assert_eq!(read(b"", KEY).unwrap(), "");
    assert_eq!(read(b"\xef\xbb\xbf", KEY).unwrap(), "");
    // No text of two bytes is taken for UTF-16 because of one zero in many.
    assert_eq!(read(b"a\0bcdefgh", KEY).unwrap(), "a\0bcdefgh");
}

#[test]
fn parts_may_be_cut_anywhere() {
    for (bytes, choice) in [(TEXT.as_bytes(), KEY), (UTF_16, KEY), (LATIN, named("windows-1252"))] {
        for part in 1..8 {
            let mut decoder = Decoder::new("t.txt", bytes, choice).unwrap();
            let mut text = String::new();
            for part in bytes.chunks(part) {
                decoder.push(part, false, &mut text).unwrap();
            }
            decoder.push(&[], true, &mut text).unwrap();
            assert_eq!(text, TEXT, "parts of {part}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_name_the_line_and_the_way_out() {
    let error = |bytes: &[u8], choice| read(bytes, choice).unwrap_err().to_string();
    let found = "t.txt:3: found the byte 0xe9, which is not UTF-8 (likely windows-1252, where it is \"é\"); expected a \
                 text file; ";
    let save = "save it as UTF-8, as iconv -f windows-1252 -t utf-8 does";
    let bytes = b"a\nb\ncaf\xe9 au lait\n";
    assert_eq!(error(bytes, Choice::Recognised), format!("{found}{save}"));
    assert_eq!(error(bytes, KEY), format!("{found}set data.encoding = \"windows-1252\", or {save}"));
    assert_eq!(read(bytes, named("windows-1252")).unwrap(), "a\nb\ncafé au lait\n");
    assert!(error(b"a\rb\r\xe9\r", KEY).starts_with("t.txt:3: "));
    assert!(error(b"a\r\nb\r\n\xe9\r\n", KEY).starts_with("t.txt:3: "));
    // Cut in the middle of a character.
    assert!(error("a\né".as_bytes().get(..3).unwrap(), KEY).starts_with("t.txt:2: found "));
    let half = error(&[b"\xff\xfe", UTF_16.get(..7).unwrap()].concat(), KEY);
    assert!(half.starts_with("t.txt:1: found ") && half.contains("that UTF-16LE does not have"), "{half}");
    // Far behind the first part.
    let far = [&b"0123456\n".repeat(100_000)[..], b"\xff"].concat();
    assert!(
        error(&far, KEY).starts_with("t.txt:100001: found the byte 0xff, which is not UTF-8 (likely windows-1252,")
    );
}

#[test]
fn other_kinds_of_files_are_named() {
    let says = |bytes: &[u8], expected: &str| {
        let message = read(bytes, KEY).unwrap_err().to_string();
        assert!(message.starts_with("t.txt: ") && message.contains(expected), "{message}");
    };
    says(b"PK\x03\x04\x14\0\0\0[Content_Types].xml<a/>", "an Excel workbook, not a text; save the sheet as CSV");
    says(b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK", "save the sheet as CSV");
    says(b"PK\x03\x04\x14\0\0\0data.csv", "a ZIP archive, not a text; unpack it (unzip)");
    says(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook");
    says(b"PAR1\x15\x04", "pandas.read_parquet(FILE).to_csv(");
    says(b"ARROW1\0\0", "pandas.read_feather(FILE).to_csv(");
    says(b"%PDF-1.7\n", "a PDF document");
    says(b"\xff\xfe\0\0a\0\0\0", "UTF-32");
    assert_eq!(read(b"PK,1\nPAR,2\n", KEY).unwrap(), "PK,1\nPAR,2\n");
}

#[test]
fn encodings_have_names() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Keys {
        encoding: TextEncoding,
    }
    let keys: Keys = toml::from_str("encoding = \"cp1252\"").unwrap();
    assert_eq!(toml::to_string(&keys).unwrap(), "encoding = \"windows-1252\"\n");
    let error = toml::from_str::<Keys>("encoding = \"utf-9\"").unwrap_err().to_string();
    assert!(error.contains("found the encoding \"utf-9\"; expected \"utf-8\""), "{error}");
}
