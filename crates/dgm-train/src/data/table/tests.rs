//! Tests of tables as people bring them: what is recognised, and what the cells are then.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

pub(super) fn read(text: &str) -> Table {
    read_with(text.as_bytes(), "")
}

/// Reads with options as TOML; what was recognised reads the same table again.
pub(super) fn read_with(bytes: &[u8], options: &str) -> Table {
    let options: Options = toml::from_str(options).unwrap();
    let table = Table::from_bytes("t.csv", bytes, &options).unwrap();
    assert_same_again(&table, bytes, &options, &|_, _| false);
    table
}

/// What was recognised, written as TOML, gives the same names, types, cells and lines.
pub(super) fn assert_same_again(table: &Table, bytes: &[u8], options: &Options, words: &IsWords<'_>) {
    let explicit = toml::to_string(&table.dialect().options(options.missing_values.clone())).unwrap();
    let again = Table::from_bytes_with("t.csv", bytes, &toml::from_str(&explicit).unwrap(), words).unwrap();
    assert_eq!(again.dialect(), table.dialect());
    assert_eq!(format!("{:?}", again.columns()), format!("{:?}", table.columns()), "{explicit}");
    assert_eq!(format!("{:?}", again.lines), format!("{:?}", table.lines), "{explicit}");
}

pub(super) fn error(bytes: &[u8], options: &str) -> String {
    let options = toml::from_str(options).unwrap();
    Table::from_bytes("t.csv", bytes, &options).unwrap_err().to_string()
}

fn names(table: &Table) -> Vec<Option<&str>> {
    table.columns().iter().map(|column| column.name.as_deref()).collect()
}

fn named(names: &[&'static str]) -> Vec<Option<&'static str>> {
    names.iter().copied().map(Some).collect()
}

pub(super) fn numbers(table: &Table, column: usize) -> Vec<f64> {
    let column = &table.columns()[column];
    (0..table.rows()).map(|row| column.number(row).unwrap_or(f64::NAN)).collect()
}

pub(super) fn kinds(table: &Table) -> Vec<&'static str> {
    table.columns().iter().map(|column| column.kind.name()).collect()
}

#[test]
fn line_ends_of_every_system() {
    let lines = ["a,b,y", "0.3456,0.8216,3", "-1.3032,0.9054,1", "-0.537,0.5811,2"];
    for end in ["\n", "\r\n", "\r", "\n\n", "\r\n \r\n"] {
        for last in ["", end, "\n\n"] {
            for delimiter in [",", " ", "\t", ";", "|", " , ", "\t\t "] {
                // A table of blanks does not have two tabs in a row by accident.
                let text = lines.map(|line| line.replace(',', delimiter)).join(end) + last;
                let table = read(&text);
                assert_eq!(names(&table), named(&["a", "b", "y"]), "{text:?}");
                assert_eq!(numbers(&table, 0), [0.3456, -1.3032, -0.537], "{text:?}");
                assert_eq!(kinds(&table), ["number", "number", "integer"]);
            }
        }
    }
    let mixed = read("x,y\r1,2\n3,4\r\n5,6");
    assert_eq!((numbers(&mixed, 1), mixed.line(0), mixed.line(2)), (vec![2.0, 4.0, 6.0], 2, 4));
}

#[test]
fn decimal_commas() {
    let table = read("colx;coly\n0,3456;3,0293\n-1,3032;1,8629\n-0,537;1,6258\n");
    assert_eq!(numbers(&table, 0), [0.3456, -1.3032, -0.537]);
    assert_eq!(table.notes(), ["delimiter `;`", "header in line 1", "decimal comma"]);
    // With blanks, with tabs, in quotes between commas, and without a header.
    assert_eq!(numbers(&read("colx coly\n0,3456 3,0293\n-1,3032 1,8629\n"), 1), [3.0293, 1.8629]);
    assert_eq!(numbers(&read("0,3456 3,0293\n-1,3032 1,8629\n"), 1), [3.0293, 1.8629]);
    assert_eq!(numbers(&read("0,5\t1\n-1,25\t2\n"), 0), [0.5, -1.25]);
    assert_eq!(numbers(&read("a,b\n\"0,3456\",2\n\"-1,5e3\",3\n"), 0), [0.3456, -1500.0]);
    // Words do not make a difference.
    let table = read("a;b\nx;0,5\ny;1,25\n");
    assert_eq!((kinds(&table), numbers(&table, 1)), (vec!["category", "number"], vec![0.5, 1.25]));
}

#[test]
fn separators_of_thousands() {
    let table = read("a,b\n\"1,234,567.5\",1\n12,2\n");
    assert_eq!(numbers(&table, 0), [1_234_567.5, 12.0]);
    assert_eq!(table.notes(), ["delimiter `,`", "header in line 1", "`,` between thousands"]);
    assert_eq!(numbers(&read("a;b\n1.234,5;1\n-12;2\n"), 0), [1234.5, -12.0]);
    assert_eq!(numbers(&read("a;b\n1.234.567;0,5\n12;2\n"), 0), [1_234_567.0, 12.0]);
    assert_eq!(numbers(&read("a;b\n1'234.5;1\n12;2\n"), 0), [1234.5, 12.0]);
    assert_eq!(numbers(&read("a;b\n1 234;1\n12 345 678;2\n"), 0), [1234.0, 12_345_678.0]);
    assert_eq!(numbers(&read("a;b\n1\u{202f}234,5;1\n12\u{a0}345;2\n"), 0), [1234.5, 12345.0]);
    // Points alone are decimal points.
    assert_eq!(numbers(&read("a;b\n1.234;1\n2.345;2\n"), 0), [1.234, 2.345]);
    // One cell of the table settles the others.
    assert_eq!(numbers(&read("a;b\n1,234;1\n2,3;2\n"), 0), [1.234, 2.3]);
    assert_eq!(numbers(&read("a;b\n1,234;1\n1,234,567;2\n"), 0), [1234.0, 1_234_567.0]);
    // None does.
    let said = |table: &Table| table.notes().iter().find(|note| note.contains("tells decimal commas")).cloned();
    let table = read("a;b\n1,234;1\n2,345;2\n");
    assert_eq!(numbers(&table, 0), [1.234, 2.345]);
    assert!(said(&table).unwrap().contains("`1,234` is read as 1.234; set data.decimal if not"), "{table:?}");
    let table = read("a,b\n\"1,234\",1\n\"2,345\",2\n");
    assert_eq!(numbers(&table, 0), [1234.0, 2345.0]);
    assert!(said(&table).unwrap().contains("`1,234` is read as 1234; set data.decimal if not"));
    let text = b"a;b\n1,234;1\n2,345;2\n";
    assert_eq!(numbers(&read_with(text, "decimal = \".\"\nthousands = \",\""), 0), [1234.0, 2345.0]);
    assert_eq!(numbers(&read_with(text, "thousands = \",\""), 0), [1234.0, 2345.0]);
}

#[test]
fn what_comes_after_the_sample_counts_too() {
    // The first thousand appears when a megabyte has passed.
    let mut text = "a;b\n".to_owned();
    (0..100_000).for_each(|i| text += &format!("{}.5;{i}\n", i % 900));
    text += "\"1,234.5\";1\n";
    let table = read(&text);
    assert_eq!(table.columns()[0].number(100_000), Some(1234.5));
    assert_eq!((table.columns()[0].odd.as_ref(), table.rows(), table.line(100_000)), (None, 100_001, 100_002));
    // So does the first date that tells day from month.
    let mut text = "t,y\n".to_owned();
    (0..20_000).for_each(|i| text += &format!("02/01/2024 {:02}:{:02}:{:02},{i}\n", i / 3600, i / 60 % 60, i % 60));
    text += "13/01/2024 00:00:00,1\n";
    let table = read(&text);
    // datetime.datetime(2024, 1, 2, tzinfo=utc).timestamp() and that of the 13th.
    let column = &table.columns()[0];
    assert_eq!((column.number(0), column.number(20_000)), (Some(1_704_153_600.0), Some(1_705_104_000.0)));
    assert_eq!((column.odd.as_ref(), column.write(1_705_104_000.0)), (None, "13/01/2024 00:00:00".into()));
}

#[test]
fn comments_and_their_headers() {
    let table = read("# x1 x2 t\n0.345600 0.821600 3.029300\n-1.303200 0.905400 1.862900\n");
    assert_eq!(names(&table), named(&["x1", "x2", "t"]));
    assert_eq!(numbers(&table, 2), [3.0293, 1.8629]);
    let notes = ["delimiter whitespace", "header in the comment of line 1", "1 comment line (`#`) skipped"];
    assert_eq!(table.notes(), notes);
    for options in ["header = true", "header = true\ndelimiter = \"whitespace\"", "comment = \"#\""] {
        let table = read_with(b"# x1 x2 t\n0.3 0.8 3\n-1.3 0.9 1\n", options);
        assert_eq!((names(&table), table.rows()), (named(&["x1", "x2", "t"]), 2), "{options}");
    }
    assert_eq!(names(&read_with(b"# x1 x2 t\n0.3 0.8 3\n-1.3 0.9 1\n", "header = false")), [None; 3]);
    // Above words alone, told or not.
    let words = "# a,b\nred,large\nblue,small\nred,small\n";
    for options in ["", "header = true", "delimiter = \",\""] {
        let table = read_with(words.as_bytes(), options);
        assert_eq!((names(&table), table.rows(), table.line(0)), (named(&["a", "b"]), 3, 2), "{options}");
    }
    assert_eq!(names(&read("# of 2 towns\nname,city\nBob,Rome\nAl,Paris\n")), named(&["name", "city"]));
    // Comments above a header and between rows.
    let table = read("# made by a program\n# on a day\na,b\n1,2\n# half\n3,4\n");
    assert_eq!((names(&table), numbers(&table, 1)), (named(&["a", "b"]), vec![2.0, 4.0]));
    assert_eq!((table.line(0), table.line(1)), (4, 6));
    assert_eq!(read("% matlab\n1,2\n3,4\n").rows(), 2);
    assert_eq!(read("// c\n1,2\n3,4\n").rows(), 2);
    // A name that starts with # and colours are none.
    assert_eq!(names(&read("#id,a\n7,2\n5,4\n")), named(&["id", "a"]));
    let colours = read("colour,n\n#ff0000,1\n#00ff00,2\n#ff0000,3\n");
    assert_eq!((colours.rows(), colours.columns()[0].word(1)), (3, Some("#00ff00")));
    let table = read("a,b\n#N/A,1\n2,2\n3,3\n4,4\n5,5\n");
    assert_eq!((table.rows(), table.columns()[0].missing), (5, 1));
}

#[test]
fn headers() {
    for (text, expected) in [
        // Words above numbers, above dates, above numbers with a missing first cell.
        ("a,b\n1,2\n3,4\n", Some(vec!["a", "b"])),
        ("day,w\n2024-01-01,x\n2024-01-02,y\n", Some(vec!["day", "w"])),
        ("a,b\nNA,x\n3,y\n", Some(vec!["a", "b"])),
        // An index of pandas; its columns may be numbered.
        (",a,b\n0,1.5,x\n1,2.5,y\n", Some(vec!["", "a", "b"])),
        (",0,1\n0,1.5,7.5\n1,2.5,8.5\n", Some(vec!["", "0", "1"])),
        // Years.
        ("country,2001,2002,2003\nPeru,5,6,9\nChile,7,8,7\n", Some(vec!["country", "2001", "2002", "2003"])),
        // Words alone.
        ("name,city\nBob,Rome\nAl,Paris\n", Some(vec!["name", "city"])),
        ("x,y\nx,z\ny,z\n", None),
        ("red,red\nred,blue\n", None),
        // Numbers in the first row.
        ("1,2\n3,4\n", None),
        ("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n6.2,2.2,Iris-virginica\n", None),
        ("NA,1\n2,3\n", None),
        // As pandas writes them with an index, and with a delimiter at the end of each line.
        (",name,city\n0,Bob,Rome\n1,Al,Paris\n", Some(vec!["", "name", "city"])),
        ("name,city,\nBob,Rome,\nAl,Paris,\n", Some(vec!["name", "city"])),
        // As R writes row names.
        ("\"a\" \"b\"\n\"1\" 0.5 x\n\"2\" 0.7 y\n", Some(vec!["", "a", "b"])),
    ] {
        let table = read(text);
        let expected = expected.map_or(vec![None; table.columns().len()], |names| named(&names));
        assert_eq!(names(&table), expected, "{text:?}");
    }
    assert_eq!(names(&read_with(b"1,2\n3,4\n", "header = true")), named(&["1", "2"]));
    assert_eq!(names(&read_with(b"a,b\n3,4\n", "header = false")), [None, None]);
    assert_eq!(names(&read("A,X1,E,X1\n1,2,3,4\n")), named(&["A", "X1", "E", "X1"]));
}

#[test]
fn guesses_are_doubts() {
    let doubts = |text: &str| {
        let table = read(text);
        assert!(table.doubts().iter().all(|doubt| table.notes().contains(doubt)));
        table.doubts().join("; ")
    };
    const WORDS: &str = "no column has numbers or dates, which would tell a header from a row";
    let header = format!("{WORDS}: line 1 is read as the header; set data.header = false if it is a row");
    let row = format!("{WORDS}: line 1 is read as a row; set data.header = true if it holds the names");
    assert_eq!(doubts("name,city\nBob,Rome\nAl,Paris\n"), header);
    assert_eq!(doubts("red,red\nblue,blue\n"), row);
    assert!(read_with(b"red,red\nblue,blue\n", "header = true").doubts().is_empty());
    assert!(doubts("?bad,2,3\n1,5,6\n4,7,8\n").contains("and none above others: line 1 is read as a row"));
    assert!(doubts("a;b\n1,234;1\n2,345;2\n").starts_with("no cell tells decimal commas"));
    assert!(doubts("a,b\n01/02/2024,1\n02/03/2024,2\n").contains("no date tells day from month"));
    // A word that stands below too is no name; one that does not is one, where others are shared by many rows.
    let many = format!("colour,size\n{}", "red,large\nblue,small\n".repeat(4));
    let plain = ["x,y\nx,z\ny,z\n", &many, "a,b\n1,2\n", "1,2\n3,4\n", "# a,b\nred,red\nblue,blue\n", "a;b\n1,5;x\n"];
    for text in plain {
        assert_eq!(doubts(text), "", "{text}");
    }
}

#[test]
fn whole_numbers_above_decimals_are_names() {
    let rows = |n: u32| (0..n).map(|i| format!("{}.5,-{}.25,{}.125\n", i % 7, i % 5, i * i % 11)).collect::<String>();
    // pandas without names, and years.
    for header in ["0,1,2", "2020,2021,2022", "1,0,2"] {
        let table = read(&format!("{header}\n{}", rows(20)));
        let names: Vec<_> = table.columns().iter().filter_map(|column| column.name.clone()).collect();
        assert_eq!((table.rows(), names.join(",")), (20, header.to_owned()));
    }
    // A row of whole numbers is one, and what cannot be told is said.
    assert_eq!(read(&format!("{}1,2,3\n{}", rows(3), rows(20))).rows(), 24);
    let table = read(&format!("0,1\n{}", "3,4\n5,6\n".repeat(10)));
    assert_eq!(table.rows(), 21);
    assert_eq!(
        table.doubts(),
        [
            "the first line counts 0, 1, …, as pandas names columns: line 1 is read as a row; set data.header = true if it holds the names"
        ]
    );
}

#[test]
fn labels_are_words() {
    let table = read("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-virginica\n6.2,2.2,Iris-setosa\n\n");
    let column = &table.columns()[2];
    assert_eq!(
        (table.rows(), column.kind, column.levels()),
        (3, CellKind::Category, &["Iris-setosa".into(), "Iris-virginica".into()][..])
    );
    assert_eq!((0..3).map(|row| column.level(row)).collect::<Vec<_>>(), [Some(0), Some(1), Some(0)]);
    assert_eq!(
        (column.word(1), column.number(1), column.write(1.0)),
        (Some("Iris-virginica"), None, "Iris-virginica".into())
    );
}

#[test]
fn empty_last_columns_are_left_out() {
    for text in
        ["a,b,y,\n1,2,3,\n4,5,6,\n", "a,b,y\n1,2,3,\n4,5,6,\n", "a,b,y,\n1,2,3\n4,5,6\n", "a,b,y,,\n1,2,3,,\n4,5,6,,\n"]
    {
        let table = read(text);
        assert_eq!((names(&table), numbers(&table, 2)), (named(&["a", "b", "y"]), vec![3.0, 6.0]), "{text:?}");
    }
    let table = read("1|2|\n3|4|\n");
    assert_eq!((table.columns().len(), table.notes().len()), (2, 3));
    assert_eq!(table.notes()[2], "an empty last column left out: every row ends with a delimiter");
    // A name, or one value, keeps it.
    assert_eq!(kinds(&read("a,b\n1,\n2,\n")), ["integer", "empty"]);
    assert_eq!(read("a,\n1,\n2,x\n").columns().len(), 2);
}

#[test]
fn quoted_cells() {
    let text = "name,n\n\"chevrolet, \"\"malibu\"\"\",1\n\"two\r\nlines\",2\n  \" x \"  , 3 \n\"\",4\nsaid \"no\",5\n\"a\"b,6\n";
    let table = read(text);
    let words: Vec<_> = (0..6).map(|row| table.columns()[0].word(row)).collect();
    let expected =
        [Some("chevrolet, \"malibu\""), Some("two\r\nlines"), Some("x"), None, Some("said \"no\""), Some("ab")];
    assert_eq!(words, expected);
    assert_eq!((0..6).map(|row| table.line(row)).collect::<Vec<_>>(), [2, 3, 5, 6, 7, 8]);
    assert_eq!(
        error(b"a,b\n1,2\n3,\"4\n5,6\n", ""),
        "t.csv:3: found a quote that opens a cell and is never closed; close it, or double it (\"\") and quote the cell where \
         it belongs to the text"
    );
}

#[test]
fn rows_that_do_not_fit() {
    assert_eq!(
        error(b"a,b\n1,2\n1,2,3\n4,5\n", ""),
        "t.csv:3: found 3 cells; expected 2 as in line 1; fix the line (a cell that holds the delimiter needs quotes), or set \
         data.delimiter to what stands between the cells, if not `,`"
    );
    let above = error(b"Weather of a town\n\nday,t,p\n1,2,3\n4,5,6\n", "");
    assert!(
        above.starts_with("t.csv:1: found 1 cell; expected 3 as in line 3; take the lines above the table out"),
        "{above}"
    );
    let commented = b"# Weather of a town\n\nday,t,p\n1,2,3\n4,5,6\n";
    assert_eq!(names(&read_with(commented, "comment = \"#\"")), named(&["day", "t", "p"]));
    assert!(error(b"", "").starts_with("t.csv: found no row; expected a table, one row for each example"));
    assert!(error(b"a,b\n", "header = true").starts_with("t.csv: found a header and no row below it"));
    let clash = error(b"1;2\n", "decimal = \",\"\nthousands = \",\"");
    assert!(clash.starts_with("data.thousands: found \",\", which is data.decimal too"), "{clash}");
    assert!(
        error(b"<!DOCTYPE html><html>", "")
            .contains("found an HTML page; expected a table as CSV or text; download the file itself")
    );
    assert!(error(b"[{\"a\": 1}]", "").contains("pandas.read_json(FILE).to_csv("));
    assert!(error(b"a\0b,c\0\n1,2\n", "").contains("zero bytes"));
}

#[test]
fn encodings_and_excel() {
    let text = "a\tgröße\n1\t0,5\n2\t1,5\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [[b"\xff\xfe", &utf16[..]].concat(), utf16.clone(), [b"\xef\xbb\xbf", text.as_bytes()].concat()] {
        let table = read_with(&bytes, "");
        assert_eq!((names(&table), numbers(&table, 1)), (named(&["a", "größe"]), vec![0.5, 1.5]));
    }
    assert!(read_with(&utf16, "").notes().contains(&"UTF-16LE".to_owned()));
    let latin = b"a;gr\xf6\xdfe\n1;0,5\n2;1,5\n";
    assert!(error(latin, "").contains("set data.encoding = \"windows-1252\""));
    assert_eq!(names(&read_with(latin, "encoding = \"windows-1252\"")), named(&["a", "größe"]));
    let table = read("sep=;\na;b\n1;2\n3;4\n");
    assert_eq!((names(&table), table.line(0), &table.notes()[1][..]), (named(&["a", "b"]), 3, "header in line 2"));
}

#[test]
fn files_are_fingerprinted_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    // Read twice: what comes after the sample changes how the numbers before are read.
    let text = format!("a;b\n{}1,234,567;1\n", "1,234;2\n".repeat(50_000));
    std::fs::write(&path, &text).unwrap();
    let mut fingerprint = Fingerprint::default();
    let table = Table::open(&path, "path", &Options::default(), &|_, _| false, &mut fingerprint).unwrap();
    let mut expected = Fingerprint::default();
    expected.update(text.as_bytes());
    assert_eq!((fingerprint.finish(), numbers(&table, 0)[0]), (expected.finish(), 1234.0));
    let missing = Table::open(&path.join("x"), "path", &Options::default(), &|_, _| false, &mut Fingerprint::default());
    assert!(missing.unwrap_err().to_string().starts_with("data.path: "));
}

#[test]
fn delimiters() {
    let width = |text: &str| read(text).columns().len();
    // Prose in cells, dates with times, and one column.
    assert_eq!(width("text,n\n\"one, two; three\",1\n\"four; five\",2\n"), 2);
    assert_eq!(width("New York;1,5\nLos Angeles;2,5\n"), 2);
    assert_eq!(width("time\n2024-01-01 12:00\n2024-01-01 13:00\n"), 1);
    assert_eq!(width("2024-01-01 12:00,5\n2024-01-02 12:00,6\n"), 2);
    assert_eq!(width("1\n2\n3\n"), 1);
    assert_eq!(width("1.5, 2.5, 3\n4.5, 5.5, 6\n"), 3);
    assert_eq!(width("a b c\nd e f\n"), 3);
    // Words between commas that have the same number of blanks, numbers among them.
    let text = "row 1 of a,row 7 of b\nrow 2 of a,row 9 of b\nrow 3 of a,row 8 of b\n";
    assert_eq!((width(text), width(&format!("a,b\n{text}"))), (2, 2));
    assert_eq!(width("the cat sat\non a mat\nand, as it sat there, it slept\nwell\n"), 1);
    let table = read_with(b"a b;c d\n1 2;3 4\n", "delimiter = \";\"");
    assert_eq!(names(&table), named(&["a b", "c d"]));
    assert_eq!(table.dialect().delimiter, Delimiter::Semicolon);
}

#[test]
fn keys_have_the_words_of_the_manual() {
    let text = "delimiter = \"whitespace\"\nheader = false\ndecimal = \",\"\nthousands = \"'\"\ncomment = \"//\"\nencoding = \
                \"UTF-8\"\nmissing_values = [\"bad\"]\n";
    let options: Options = toml::from_str(text).unwrap();
    assert_eq!(toml::to_string(&options).unwrap(), text);
    let auto = "delimiter = \"auto\"\nheader = \"auto\"\ndecimal = \"auto\"\nthousands = \"auto\"\ncomment = \
                \"auto\"\nencoding = \"auto\"\nmissing_values = []\n";
    assert_eq!(toml::to_string(&Options::default()).unwrap(), auto);
    assert_eq!(toml::from_str::<Options>(auto).unwrap(), Options::default());
    let none: Options = toml::from_str("comment = \"none\"\nthousands = \"none\"").unwrap();
    assert_eq!((none.comment, none.thousands), (Auto::Set(Comment::default()), Auto::Set(Thousands::None)));
    let error = toml::from_str::<Options>("delimiter = \"comma\"").unwrap_err().to_string();
    assert!(error.contains("expected one of `,`, `;`, `tab`, `|`, `whitespace`, or \"auto\""), "{error}");
}

#[test]
fn delimiters_agree_with_the_header() {
    let style = |text: &str| {
        let table = read(text);
        let names: Vec<_> = table.columns().iter().map(|column| column.name.clone().unwrap_or_default()).collect();
        (table.dialect().delimiter, names.join("|"), kinds(&table).join(" "))
    };
    let rows = |row: &dyn Fn(u32) -> String| (0..40).map(row).collect::<String>();
    // Commas that are in no header stand inside of numbers.
    let spaces =
        style(&format!("ville;pop\n{}", rows(&|i| format!("v{};{}\u{202f}{:03},5\n", i % 4, i + 1, i * 37 % 1000))));
    assert_eq!(spaces, (Delimiter::Semicolon, "ville|pop".into(), "category number".into()));
    let percent = style(&format!("rate;value\n{}", rows(&|i| format!("{i},5 %;{i},25\n"))));
    assert_eq!(percent, (Delimiter::Semicolon, "rate|value".into(), "text number".into()));
    let ends = style(&format!("a;b;c;;\n{}", rows(&|i| format!("{i},5;2,{i};x;;\n"))));
    assert_eq!(ends, (Delimiter::Semicolon, "a|b|c".into(), "number number category".into()));
    let one = read(&format!("price\n{}", rows(&|i| format!("{i},5\n"))));
    assert_eq!((one.columns().len(), one.columns()[0].number(3)), (1, Some(3.5)));
    // R's row names: the header has one cell less.
    let r = style("a,b\nr1,1,2\nr2,3,4\nr3,5,7\n");
    assert_eq!(r, (Delimiter::Comma, "|a|b".into(), "category integer integer".into()));
    // Spaces inside of cells that tabs divide, and a mixture of both between numbers.
    let words = style(&format!("a b\tc d\n{}", rows(&|i| format!("x {i}\ty {}\n", i % 3))));
    assert_eq!((words.0, words.1), (Delimiter::Tab, "a b|c d".into()));
    assert_eq!(style(&rows(&|i| format!("{i}.5 {i}.25\t1\n"))).0, Delimiter::Whitespace);
    let twelve =
        style(&format!("when,y\n{}", rows(&|i| format!("1/{}/2020 {}:05 PM,{i}.5\n", i % 28 + 1, i % 12 + 1))));
    assert_eq!(twelve, (Delimiter::Comma, "when|y".into(), "date-time number".into()));
}

#[test]
fn rows_that_are_none_are_named() {
    let twice = "a,b\n1,1.5\n2,2.5\na,b\n4,3.5\n";
    let table = read(twice);
    assert_eq!((table.rows(), kinds(&table), table.line(2)), (3, vec!["integer", "number"], 5));
    assert!(table.notes().contains(&"line 4 repeats the header: left out".to_owned()));
    // A header is one, even where the configuration calls its words missing values.
    let table = read_with(twice.as_bytes(), "missing_values = [\"a\", \"b\"]");
    assert_eq!(table.columns()[0].name.as_deref(), Some("a"));
    // What stands for a missing value is no header, nor are numbers.
    assert_eq!(read("ND\n1.5\nND\n2.5\n3.5\nND\n4.5\n").rows(), 7);
    let counted = |header| read_with(format!("0,1\n{}", "0,1\n1,0\n".repeat(20)).as_bytes(), header).rows();
    assert_eq!((counted("header = true"), counted("header = false")), (40, 41));
    let error = Table::from_bytes("t.csv", b"a,b,c\n", &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("t.csv: found a header and no row below it"), "{error}");
    let sum = read("item,price\nx,1.5\ny,2.5\nx,3.5\nTotal,7.5\n");
    assert_eq!(
        sum.doubts(),
        ["line 5, the last, holds `Total` and is read as a row: delete it if it sums up the others"]
    );
    assert!(read("item,price\nTotal,1.5\ny,2.5\nTotal,7.5\n").doubts().is_empty());
}

#[test]
fn points_that_could_group_are_a_doubt_beside_semicolons() {
    let doubts = |text: &str| read(text).doubts().join("; ");
    assert!(
        doubts("a;b\n1.234;1\n2.345;2\n").starts_with("no cell tells decimal points from points between thousands")
    );
    for settled in
        ["a;b\n1.234;1\n0.345;2\n", "a;b\n1.234;1.5\n2.345;2\n", "a,b\n1.234,1\n2.345,2\n", "a;b\n1;2\n3;4\n"]
    {
        assert_eq!(doubts(settled), "", "{settled}");
    }
}

#[test]
fn names_of_dates_and_years_are_names() {
    let names = |text: &str| {
        read(text).columns().iter().map(|column| column.name.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(names("id,2023-01-01,2023-02-01\na,1,2\nb,3,4\nc,6,7\n"), ["id", "2023-01-01", "2023-02-01"]);
    assert_eq!(names("2019,2020,2021\n12,47,3\n5,6,7\n1,9,4\n"), ["2019", "2020", "2021"]);
    assert_eq!(names("2019,2020\n2018,2019\n2020,2021\n"), ["", ""]);
}

#[test]
fn years_of_two_digits_in_the_future_are_a_doubt() {
    let doubts = |last: &str| read(&format!("born,y\n13/01/72,1\n14/02/80,2\n15/03/{last},3\n")).doubts().join("; ");
    assert!(
        doubts("55").starts_with("column 0 (`born`): years of two digits are read as 1969 to 2068"),
        "{}",
        doubts("55")
    );
    assert_eq!(doubts("24"), "");
}
