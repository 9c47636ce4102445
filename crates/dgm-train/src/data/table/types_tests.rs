//! Tests of types: numbers, words, dates and times, missing and odd cells; and of profiles.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::tests::{assert_same_again, kinds, numbers, read, read_with};
use super::*;

fn column(cells: &[&str]) -> Column {
    let text: String = std::iter::once("x|y").chain(cells.iter().copied()).map(|cell| format!("{cell}|0\n")).collect();
    let text = text.replacen("x|y|0", "x|y", 1);
    let options = toml::from_str("delimiter = \"|\"\nheader = true").unwrap();
    Table::from_bytes("t.csv", text.as_bytes(), &options).unwrap().columns()[0].clone()
}

fn values(column: &Column) -> Vec<Option<f64>> {
    (0..column.rows()).map(|row| column.number(row)).collect()
}

#[test]
fn numbers_are_f64() {
    let table = read("a,big,small\n0.5,1e39,1e-46\n1699999983.961,2e39,4.9e-324\n-1,3e39,9e-46\n");
    assert_eq!(numbers(&table, 0), [0.5, 1_699_999_983.961, -1.0]);
    assert_eq!(numbers(&table, 1), [1e39, 2e39, 3e39]);
    assert_eq!(numbers(&table, 2), [1e-46, 4.9e-324, 9e-46]);
    assert_eq!(values(&column(&["\u{2212}1.5", "2"])), [Some(-1.5), Some(2.0)]);
    let column = column(&["16777217", "+5", "-0", ".5", "5.", "1E3"]);
    assert_eq!(values(&column), [16_777_217.0, 5.0, 0.0, 0.5, 5.0, 1000.0].map(Some));
    assert_eq!(column.levels(), ["0", "0.5", "5", "1000", "16777217"]);
    assert_eq!((column.level(0), column.level(1), column.level(4)), (Some(4), Some(2), Some(2)));
}

#[test]
fn infinities_are_named() {
    let cells: Vec<String> = (0..60).map(|i| if i == 30 { "inf".into() } else { format!("{i}.5") }).collect();
    for word in ["inf", "1e400", "-Infinity"] {
        let text = format!("a,b\n{}", cells.iter().map(|cell| cell.replace("inf", word) + ",0\n").collect::<String>());
        let table = read(&text);
        let column = &table.columns()[0];
        assert_eq!((column.kind, column.missing, column.number(30)), (CellKind::Number, 0, None));
        let message = table.problem(column, false).unwrap().to_string();
        let expected = format!(
            "t.csv:32: column 0 (`a`): found {word:?}; expected a finite number, as in nearly all rows; fix the cell, set \
             data.missing_values = [{word:?}] if it stands for a missing value, or leave the column out: data.exclude = [\"a\"]"
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn missing_cells() {
    let table = read("a;b\n1;x\n?;\nNA;y\nn/a;NULL\n;nan\n2;x\n#N/A;-\n");
    let [a, b] = table.columns() else { panic!("two columns") };
    assert_eq!((a.kind, a.missing, b.kind, b.missing), (CellKind::Integer, 5, CellKind::Category, 4));
    assert_eq!(values(a), [Some(1.0), None, None, None, None, Some(2.0), None]);
    assert_eq!((b.word(0), b.word(1), b.level(2), b.level(3)), (Some("x"), None, Some(1), None));
    let table = read_with(b"a\n1\n-999\n3\nbad\n", "missing_values = [\"-999\", \"bad\"]");
    assert_eq!((table.columns()[0].missing, table.columns()[0].kind), (2, CellKind::Integer));
    // UCI's classes.
    let column = column(&["+", "-", "-", "?"]);
    assert_eq!((column.levels(), column.missing), (&["+".into(), "-".into()][..], 1));
    assert_eq!(self::column(&["", "NA", "?"]).kind, CellKind::Empty);
}

#[test]
fn words_among_numbers() {
    // Nearly all are numbers: they are, and the others are named; else all are words.
    let cells: Vec<String> = (0..100).map(|i| if i % 30 == 7 { "bad".into() } else { i.to_string() }).collect();
    let refs: Vec<&str> = cells.iter().map(String::as_str).collect();
    let odd = column(&refs).odd.unwrap();
    assert_eq!((odd.line, &odd.text[..], odd.count, odd.texts), (9, "bad", 4, vec!["bad".into()]));
    let few = column(&["12", "?bad", "12", "13"]);
    assert_eq!((few.kind, few.odd.is_none(), few.levels().len()), (CellKind::Category, true, 3));
}

#[test]
fn declared_words_stay_as_they_are() {
    let declared = |bytes: &[u8]| {
        let words: &IsWords<'_> = &|index, name| name == Some("zip") || index == 1;
        let table = Table::from_bytes_with("t.csv", bytes, &Options::default(), words).unwrap();
        assert_same_again(&table, bytes, &Options::default(), words);
        table
    };
    let table = declared(b"zip,code,v\n0102,A12,1\n0010,7,2\n102,12,3\nNA,A12,40\n");
    let [zip, code, v] = table.columns() else { panic!("three columns") };
    assert_eq!(
        (zip.kind, zip.levels(), zip.missing),
        (CellKind::Category, &["0010", "0102", "102"].map(String::from)[..], 1)
    );
    assert_eq!((zip.word(0), zip.level(2), zip.level(3), zip.number(0)), (Some("0102"), Some(2), None, None));
    assert_eq!((code.kind, code.levels()), (CellKind::Category, &["12", "7", "A12"].map(String::from)[..]));
    assert_eq!(
        (v.kind, profile(&table)[0].looks_wrong.is_empty(), zip.write(1.0)),
        (CellKind::Integer, true, "0102".into())
    );
    assert!(table.columns().iter().all(|column| table.problem(column, false).is_none() && !column.identifier));
    // In the order of numbers where there are only numbers; dates, booleans and signs are words.
    let levels = |cells: &[&str]| {
        let text: String = cells.iter().map(|cell| format!("0.5,{cell}\n")).collect();
        declared(format!("v,w\n{text}").as_bytes()).columns()[1].levels().join(" ")
    };
    assert_eq!(levels(&["10", "9", "-1", "9.0"]), "-1 9 9.0 10");
    assert_eq!(levels(&["2024-12-01", "2024-02-01"]), "2024-02-01 2024-12-01");
    assert_eq!(levels(&["true", "FALSE", "true"]), "FALSE true");
    assert_eq!(levels(&["-", "+", "-"]), "+ -");
    // Many, and more than are kept.
    let many = |n: usize| (0..n).fold("v,w\n".to_owned(), |text, i| text + &format!("1.5,{i:040}\n"));
    let table = declared(many(5000).as_bytes());
    let column = &table.columns()[1];
    assert_eq!((column.kind, column.levels().len(), column.level(4999)), (CellKind::Category, 5000, Some(4999)));
    let table = declared(many(70_000).as_bytes());
    let column = &table.columns()[1];
    assert_eq!((column.kind, column.levels().len()), (CellKind::Text, 0));
}

#[test]
fn advice_names_the_column_as_a_configuration_does() {
    let table = read("x,x,y,\n1,2,NA,4\n1.5,3,NA,5\n");
    let references: Vec<String> = table.columns().iter().map(|column| table.reference(column)).collect();
    assert_eq!(references, ["0", "1", "\"y\"", "3"]);
    let y = &table.columns()[2];
    let (other, target) = (table.problem(y, false).unwrap().to_string(), table.problem(y, true).unwrap().to_string());
    assert!(other.ends_with("expected values; leave the column out: data.exclude = [\"y\"]"), "{other}");
    assert!(target.ends_with("expected values; name another column in data.target"), "{target}");
}

#[test]
fn two_values_are_a_grid() {
    let grid = |low: &str, high: &str| {
        let cells: Vec<&str> = (0..40).map(|i| if i % 3 == 0 { low } else { high }).collect();
        column(&cells).grid()
    };
    assert_eq!((grid("0", "1"), grid("0.5", "3"), grid("1", "1")), (Some(1.0), Some(2.5), None));
    // Fewer than ten rows each.
    assert_eq!(column(&["0", "1", "0", "1"]).grid(), None);
}

#[test]
fn booleans() {
    for cells in
        [["true", "false", "true"], ["yes", "no", "yes"], ["T", "F", "t"], ["Y", "n", "y"], ["TRUE", "FALSE", "True"]]
    {
        let column = column(&cells);
        assert_eq!(
            (column.kind, values(&column)),
            (CellKind::Boolean, [1.0, 0.0, 1.0].map(Some).to_vec()),
            "{cells:?}"
        );
        assert_eq!(
            (column.write(1.0), column.write(0.2), column.levels().len()),
            (cells[0].into(), cells[1].into(), 2)
        );
    }
    assert_eq!((column(&["true", "true"]).kind, column(&["y", "y"]).kind), (CellKind::Boolean, CellKind::Category));
    assert_eq!(column(&["0", "1"]).kind, CellKind::Integer);
}

/// What Python says: `(date(y, m, d) - date(1970, 1, 1)).days`, `datetime(…, tzinfo=utc).timestamp()`.
#[test]
fn dates_and_times() {
    for (cells, kind, expected) in [
        (["2024-02-29", "1969-12-31", "2000-01-01"], "date", [19782.0, -1.0, 10957.0]),
        (["2024/02/29", "1969/12/31", "2000/01/01"], "date", [19782.0, -1.0, 10957.0]),
        (["29.02.2024", "31.12.1969", "01.01.2000"], "date", [19782.0, -1.0, 10957.0]),
        (["29/02/2024", "31/12/1969", "01/01/2000"], "date", [19782.0, -1.0, 10957.0]),
        (["2/29/2024", "12/31/1969", "1/1/2000"], "date", [19782.0, -1.0, 10957.0]),
        (["29.02.24", "31.12.69", "01.01.00"], "date", [19782.0, -1.0, 10957.0]),
        // Nothing tells: points, the day; bars, the month.
        (["01.02.2024", "02.02.2024", "03.02.2024"], "date", [19754.0, 19755.0, 19756.0]),
        (["01/02/2024", "02/02/2024", "03/02/2024"], "date", [19724.0, 19755.0, 19784.0]),
        (
            ["2024-02-29 12:34:56", "1969-12-31 23:59:59", "2000-01-01 00:00:00"],
            "date-time",
            [1_709_210_096.0, -1.0, 946_684_800.0],
        ),
        (
            ["2024-02-29T12:34:56.250Z", "1969-12-31T23:59:59.000Z", "2000-01-01T00:00:00.500Z"],
            "date-time",
            [1_709_210_096.25, -1.0, 946_684_800.5],
        ),
        (
            ["2024-02-29T12:34:56+01:00", "1970-01-01T00:59:59+01:00", "2000-01-01T01:00:00+01:00"],
            "date-time",
            [1_709_206_496.0, -1.0, 946_684_800.0],
        ),
        (
            ["2024-02-29 12:34", "1970-01-01 00:00", "2000-01-01 00:00"],
            "date-time",
            [1_709_210_040.0, 0.0, 946_684_800.0],
        ),
        // date(2024, 2, 29) - date(1970, 1, 1) and so on.
        (["29-Feb-2024", "31-Dec-1969", "01-Jan-2000"], "date", [19782.0, -1.0, 10957.0]),
        (["29-Feb-24", "31-Dec-69", "1-Jan-00"], "date", [19782.0, -1.0, 10957.0]),
        (["29 FEB 2024", "31 DEC 1969", "1 JAN 2000"], "date", [19782.0, -1.0, 10957.0]),
        (["Feb 29, 2024", "Dec 31, 1969", "Jan 1, 2000"], "date", [19782.0, -1.0, 10957.0]),
        (["May 1 2024", "December 31 1969", "January 1 2000"], "date", [19844.0, -1.0, 10957.0]),
        (["2024-may-01", "1969-dec-31", "2000-jan-01"], "date", [19844.0, -1.0, 10957.0]),
        (["2024-02", "1969-12", "2000-01"], "date", [19754.0, -31.0, 10957.0]),
        (
            ["2/29/2024 12:34 PM", "12/31/1969 11:59 PM", "1/1/2000 12:00 AM"],
            "date-time",
            [1_709_210_040.0, -60.0, 946_684_800.0],
        ),
        (["12:34:56pm", "12:00:01am", "11:59:59pm"], "time", [45_296.0, 1.0, 86_399.0]),
        (["12:34", "00:00", "23:59"], "time", [45_240.0, 0.0, 86_340.0]),
        (["12:34:56", "00:00:00", "23:59:59"], "time", [45_296.0, 0.0, 86_399.0]),
    ] {
        let column = column(&cells);
        assert_eq!((column.kind.name(), values(&column)), (kind, expected.map(Some).to_vec()), "{cells:?}");
        assert_eq!(expected.map(|value| column.write(value)), cells, "{cells:?}");
    }
    // What is between is rounded, and a second before midnight is not 24:00.
    let days = column(&["2024-02-28", "2024-03-01"]);
    assert_eq!(
        (days.write(19781.6), days.write(1e300), days.write(f64::NAN)),
        ("2024-02-29".into(), "9999-12-31".into(), "".into())
    );
    let times = column(&["2024-02-28 10:00:00", "2024-03-01 11:00:00"]);
    assert_eq!(times.write(1_709_251_199.7), "2024-03-01 00:00:00");
    let milliseconds = column(&["2024-02-28 10:00:00.125", "2024-03-01 11:00:00.5"]);
    assert_eq!(milliseconds.write(1_709_206_496.062_5), "2024-02-29 11:34:56.063");
    let clock = column(&["10:00", "11:00"]);
    assert_eq!((clock.write(86_399.0), clock.write(-60.0)), ("00:00".into(), "23:59".into()));
    // A date among dates with times is midnight.
    let column = self::column(&["2024-02-29", "2024-02-29 12:00:00"]);
    assert_eq!(values(&column), [Some(1_709_164_800.0), Some(1_709_208_000.0)]);
    // Versions, days that are none, both orders at once.
    for cells in [
        ["1.2.10", "1.2.11"],
        ["2024-02-30", "2023-02-29"],
        ["13/01/2024", "01/13/2024"],
        ["75:30", "80:00"],
        ["13:05 PM", "1:05 PM"],
        ["3:45", "3:50 PM"],
        ["1234-56", "1234-57"],
        ["2024-02", "2024-02-01"],
        ["30 Feb 2024", "1 Feb 2024"],
        ["Mayor 1, 2024", "May 1, 2024"],
    ] {
        assert_eq!(self::column(&cells).kind, CellKind::Category, "{cells:?}");
    }
    // Seasons are no months, and a May alone says nothing of the others' length.
    assert_eq!(self::column(&["2000-01", "2001-02", "2011-12"]).kind, CellKind::Category);
    assert_eq!(self::column(&["02 May 2023", "03 May 2023"]).write(19_511.0), "03 Jun 2023");
    let said = |text: &str| read(text).notes().iter().any(|note| note.contains("no date tells day from month"));
    assert!(said("a,b\n01/02/2024,1\n02/03/2024,2\n") && !said("a,b\n01/02/2024,1\n13/03/2024,2\n"));
}

#[test]
fn identifiers_and_constants() {
    let marks = |cells: &[&str]| {
        let column = column(cells);
        (column.identifier, column.constant)
    };
    assert_eq!(marks(&["1", "2", "3", "4", "5"]), (true, false));
    assert_eq!(marks(&["1001", "1002", "1003", "1004", "1005"]), (true, false));
    assert_eq!(marks(&["1", "2", "3", "5", "6"]), (true, false));
    assert_eq!(marks(&["1", "2", "3"]), (false, false));
    assert_eq!(marks(&["0", "2", "4", "6", "8"]), (false, false));
    assert_eq!(marks(&["1", "3", "2", "4", "5"]), (false, false));
    assert_eq!(marks(&["1", "1", "2", "3", "4"]), (false, false));
    assert_eq!(marks(&["5", "5", "5", "NA"]), (false, true));
    assert_eq!(marks(&["x", "x", "x"]), (false, true));
    let table = read("\"\",y\n\"10\",0.5\n\"20\",0.7\n\"40\",0.9\n");
    assert!(table.columns()[0].identifier && table.columns()[0].name.as_deref() == Some(""));
    let table = read("customer_id,y\n10,0.5\n20,0.7\n40,0.9\n");
    assert!(table.columns()[0].identifier);
}

#[test]
fn many_values_and_many_words() {
    // More numbers, dates and words than are kept as levels.
    let mut text = "x,day,word,text\n".to_owned();
    for i in 0..70_000 {
        let day = chrono::NaiveDate::from_num_days_from_ce_opt(700_000 + i % 30_000).unwrap();
        let x = if i == 69_000 { "NA".into() } else { format!("{}.25", i * 7 % 50_000) };
        text += &format!("{x},{day},w{},free text {i}\n", i % 20_000);
    }
    // A number that stands for a missing value does so everywhere.
    let given = read_with(text.as_bytes(), "missing_values = [\"7.25\", \"14.25\", \"48307.25\"]");
    assert_eq!(
        (given.columns()[0].missing, given.columns()[0].number(6901), given.columns()[0].number(7)),
        (7, None, Some(49.25))
    );
    let table = read(&text);
    assert_eq!(kinds(&table), ["number", "date", "text", "text"]);
    let [x, day, word, text] = table.columns() else { panic!("four columns") };
    assert_eq!((x.number(69_001), x.number(69_000), x.missing), (Some(33_007.25), None, 1));
    // date.fromordinal(719163) is 1970-01-01.
    assert_eq!((day.number(5), day.write(-19_158.0)), (Some(-19_158.0), "1917-07-20".into()));
    assert_eq!((word.word(20_001), word.levels().len(), word.missing), (Some("w1"), 20_000, 0));
    assert_eq!((text.word(1), text.levels().len(), text.missing), (None, 0, 0));
    assert!(table.problem(text, false).unwrap().to_string().contains("data.exclude = [\"text\"]"));
    assert_eq!(profile(&table)[3].distinct, None);
}

/// `pandas.Series([1, 2, 4, 8, NaN]).describe(percentiles)` with `std(ddof=0)`.
#[test]
fn profiles() {
    let table = read("a,w,c,day\n1,x,7,2024-01-01\n2,y,7,2024-01-02\n4,x,7,2024-01-05\n8,x,7,2024-01-09\n,,7,\n");
    let found = profile(&table);
    let numbers = found[0].numbers.unwrap();
    assert_eq!((numbers.min, numbers.quartiles, numbers.max), (1.0, [1.75, 3.0, 5.0], 8.0));
    assert!((numbers.mean - 3.75).abs() < 1e-15 && (numbers.std - 2.680_951_323_690_902).abs() < 1e-15);
    assert_eq!((found[0].missing, found[0].distinct, found[1].distinct), (1, Some(4), Some(2)));
    assert_eq!(found[1].top, [("x".into(), 3), ("y".into(), 1)]);
    assert_eq!(found[2].looks_wrong, ["all rows have the same value: it says nothing, and has no density"]);
    assert_eq!(
        (found[3].kind, found[3].unit, found[3].numbers.unwrap().max),
        ("date", Some("days since 1970-01-01"), 19731.0)
    );
    // numpy: std of 1.7e9 + [0, 1, …, 99] is that of [0, 1, …, 99].
    let text: String = (0..100).map(|i| format!("{}.5,{}\n", 1_700_000_000 + i * 37 % 100, i % 7)).collect();
    let numbers = profile(&read(&text))[0].numbers.unwrap();
    assert!((numbers.std - 28.866_070_047_722_12).abs() < 1e-12, "{numbers:?}");
}

#[test]
fn what_looks_wrong() {
    let wrong = |cells: Vec<String>| {
        let text: String = cells.iter().map(|cell| format!("{cell};0.5\n")).collect();
        profile(&read(&format!("a;b\n{text}")))[0].looks_wrong.join("; ")
    };
    assert!(wrong((1..50).map(|i| i.to_string()).collect()).contains("it numbers the rows"));
    assert!(
        wrong((0..100).map(|i| if i == 50 { "9.5" } else { "1.5" }.into()).collect())
            .contains("99 of 100 rows have the same")
    );
    let grid = wrong((0..100).map(|i| format!("{:.1}", f64::from(i * 7 % 9) / 10.0)).collect());
    assert_eq!(grid, "9 different values, 0.1 apart: a grid rather than a continuous quantity");
    assert!(wrong((0..60).map(|i| format!("{:02}-Dec-2024", i % 30 + 1)).collect()).is_empty());
    assert!(wrong((0..40).map(|_| "1e30".into()).collect()).contains("same value"));
    let close = wrong((0..40).map(|i| format!("1700000000000000.{}", i % 3 * 25 + 25)).collect());
    assert!(close.contains("the values differ by less than their digits can tell"), "{close}");
    assert!(wrong(["12%", "13.5%", "9%"].map(String::from).to_vec()).contains("take `%` out"));
    assert!(wrong(["$1,200.50", "$3", "$9"].map(String::from).to_vec()).contains("take `$` out"));
    assert!(wrong(["1.5 kg", "2 kg", "x"].map(String::from).to_vec()).contains("take `kg` out"));
    assert!(wrong(["(1.5)", "(2)"].map(String::from).to_vec()).contains("write (12) as -12"));
    assert!(wrong(["(1.5)", "2", "3", "4"].map(String::from).to_vec()).contains("write (12) as -12"));
    // Codes, fractions, factors and exponents of another language are no numbers with a unit.
    for cells in
        [["v1", "v2", "v3"], ["120/80", "130/90", "1/2"], ["1.2M", "3M", "340M"], ["1.0D+02", "2.0D+02", "3.0D+01"]]
    {
        assert_eq!(wrong(cells.map(String::from).to_vec()), "", "{cells:?}");
    }
    assert!(wrong(["inf", "-inf", "1.5", "2.5"].map(String::from).to_vec()).is_empty());
    let ways = wrong(["2024-01-02", "13.1.2024", "2024-01-03"].map(String::from).to_vec());
    assert!(ways.starts_with("dates written in several ways"), "{ways}");
    for cells in
        [["Dec 2024", "Jan 2025"], ["01-01-24", "02-01-24"], ["2024-03-01 00:00:00 UTC", "2024-03-02 00:00:00 UTC"]]
    {
        assert!(wrong(cells.map(String::from).to_vec()).starts_with("dates stored as text"), "{cells:?}");
    }
    let compact = wrong((0..60).map(|i| format!("202401{:02}", i * 7 % 28 + 1)).collect());
    assert!(compact.starts_with("dates as whole numbers"), "{compact}");
    // As many digits everywhere, and no point: a table of one width is none of codes.
    assert!(wrong((0..60).map(|i| format!("{:04.1}", f64::from(i * 7 % 28))).collect()).is_empty());
    assert!(wrong((0..60).map(|i| if i == 9 { "00".into() } else { (i * 7 % 28).to_string() }).collect()).is_empty());
    let codes = wrong((0..60).map(|i| format!("{:05}", i * 7 % 28)).collect());
    assert!(codes.starts_with("00000 is read as a number without its leading zeros"), "{codes}");
    let cells = |sentinel: &'static str| {
        (0..60).map(move |i| if i % 9 == 4 { sentinel.into() } else { format!("{}.5", i * 37 % 60) })
    };
    let sentinel = wrong(cells("-999").collect());
    let said = "-999 in 7 rows, far from all others: data.missing_values = [\"-999\"] if it stands for a missing value";
    assert_eq!(sentinel, said);
    assert!(wrong(cells("-9").collect()).is_empty() && wrong(cells("99.5").collect()).is_empty());
    let names = profile(&read("x,x\n1,2\n1.5,3\n"));
    assert!(names[1].looks_wrong[0].contains("2 columns have the name `x`"));
    assert!(
        wrong(["2", "3", "bad", "worse", "4", "2"].map(String::from).to_vec())
            .contains("3 of 5 different words are numbers")
    );
}

#[test]
fn numbers_of_an_array() {
    // numpy.percentile([4, 1, 2, 8], [25, 50, 75]) is [1.75, 3, 5].
    let found = profile_numbers(3, vec![4.0, 1.0, 2.0, 8.0]);
    let numbers = found.numbers.unwrap();
    assert_eq!((found.index, found.kind, found.distinct, numbers.quartiles), (3, "integer", Some(4), [1.75, 3.0, 5.0]));
    let wrong = |values: &dyn Fn(u32) -> f64| profile_numbers(0, (0..100).map(values).collect()).looks_wrong.join("; ");
    assert!(wrong(&|_| 2.5).starts_with("all rows have the same value"));
    assert!(wrong(&|i| f64::from(i * 7 % 9) / 2.0).starts_with("9 different values, 0.5 apart"));
    let sentinel = wrong(&|i| if i % 10 == 0 { -999.0 } else { f64::from(i) + 0.3 });
    assert_eq!(sentinel, "-999 in 10 rows, far from all others: take these rows out if it stands for a missing value");
    assert!(wrong(&|i| 2f64.powi(60) + f64::from(i) * 1e13).starts_with("whole numbers above 2^53"));
    assert_eq!(wrong(&|i| f64::from(i).sqrt()), "");
}
