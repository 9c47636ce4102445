//! Property tests: what a simple writer writes, in any dialect, is read back as it was; and no input brings the reader down.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::tests::assert_same_again;
use super::*;

/// A cell: what it is, and how it is written.
#[derive(Clone, Debug)]
enum Value {
    Missing,
    Number(f64),
    Word(String),
}

#[derive(Clone, Debug)]
struct Written {
    columns: Vec<Vec<Value>>,
    delimiter: Delimiter,
    end: &'static str,
    header: bool,
    comma: bool,
    thousands: bool,
    last_end: bool,
    trailing: bool,
    utf16: bool,
    comment: bool,
}

fn column(rows: usize) -> impl Strategy<Value = Vec<Value>> {
    let number = (-1_000_000_000i64..1_000_000_000, 0i32..6).prop_map(|(n, digits)| n as f64 / 10f64.powi(digits));
    let number = prop_oneof![20 => number.prop_map(Value::Number), 1 => Just(Value::Missing)];
    let word = "[a-z][a-z \",;|#é\n]{0,8}[a-z]".prop_map(|word| Value::Word(format!("w{word}")));
    let word = prop_oneof![20 => word, 1 => Just(Value::Missing)];
    prop_oneof![prop::collection::vec(number, rows), prop::collection::vec(word, rows)]
}

fn table() -> impl Strategy<Value = Written> {
    use Delimiter::*;
    let columns = (2usize..5, 3usize..12).prop_flat_map(|(width, rows)| prop::collection::vec(column(rows), width));
    let delimiter = prop_oneof![Just(Comma), Just(Semicolon), Just(Tab), Just(Pipe), Just(Whitespace)];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("\n\n")];
    (columns, delimiter, end, any::<[bool; 7]>()).prop_map(|(columns, delimiter, end, flags)| {
        let [header, comma, thousands, last_end, trailing, utf16, comment] = flags;
        Written { columns, delimiter, end, header, comma, thousands, last_end, trailing, utf16, comment }
    })
}

impl Written {
    fn number(&self, value: f64) -> String {
        let (point, separator) = if self.comma { (',', '.') } else { ('.', ',') };
        let text = value.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = whole.trim_start_matches('-');
        let mut out = if whole.len() > digits.len() { "-".to_owned() } else { String::new() };
        for (place, digit) in digits.chars().enumerate() {
            if self.thousands && place > 0 && (digits.len() - place) % 3 == 0 {
                out.push(separator);
            }
            out.push(digit);
        }
        // A fraction of one digit at least tells a decimal sign from one between thousands.
        out.push(point);
        out + if fraction.is_empty() { "0" } else { fraction }
    }

    fn text(&self) -> String {
        let delimiter = match self.delimiter {
            Delimiter::Comma => ",",
            Delimiter::Semicolon => ";",
            Delimiter::Tab => "\t",
            Delimiter::Pipe => "|",
            Delimiter::Whitespace => "  ",
        };
        let quoted = |cell: String| match cell.is_empty() || cell.contains(|c: char| " ,;|\t\n\"#".contains(c)) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        };
        let mut lines = Vec::new();
        if self.comment {
            lines.push("# a table, written by a test".to_owned());
        }
        if self.header {
            lines.push((0..self.columns.len()).map(|i| format!("Name{i}")).collect::<Vec<_>>().join(delimiter));
        }
        for row in 0..self.columns[0].len() {
            let cells = self.columns.iter().map(|column| match &column[row] {
                Value::Missing => "NA".to_owned(),
                Value::Number(value) => quoted(self.number(*value)),
                Value::Word(word) => quoted(word.clone()),
            });
            lines.push(cells.collect::<Vec<_>>().join(delimiter));
        }
        if self.trailing && self.delimiter != Delimiter::Whitespace {
            lines.iter_mut().skip(usize::from(self.comment)).for_each(|line| line.push_str(delimiter));
        }
        lines.join(self.end) + if self.last_end { self.end } else { "" }
    }

    fn bytes(&self) -> Vec<u8> {
        match self.utf16 {
            true => [0xfeff].into_iter().chain(self.text().encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            false => self.text().into_bytes(),
        }
    }
}

fn check(written: &Written, table: &Table, text: &str) {
    assert_eq!(table.columns().len(), written.columns.len(), "{text}");
    assert_eq!(table.rows(), written.columns[0].len(), "{text}");
    for (column, cells) in table.columns().iter().zip(&written.columns) {
        assert_eq!(column.name.is_some(), written.header, "{text}");
        for (row, cell) in cells.iter().enumerate() {
            match cell {
                Value::Missing => assert_eq!((column.number(row), column.word(row)), (None, None), "{text}"),
                Value::Number(value) => {
                    assert_eq!(column.number(row), Some(*value), "{column:?}\n{text}");
                    assert_eq!(column.write(*value).parse(), Ok(*value));
                }
                Value::Word(word) => {
                    assert_eq!(column.word(row), Some(word.trim()), "{column:?}\n{text}");
                    assert_eq!(column.write(column.level(row).unwrap() as f64), word.trim());
                }
            }
        }
    }
}

/// A cell of a kind of its own.
fn cell(kind: usize, n: usize) -> String {
    const WORDS: [&str; 7] = ["red", "blue", "two words", "a,b;c", "say \"hi\"", "", "yes"];
    match kind {
        _ if n % 19 == 7 => "NA".into(),
        0 => WORDS[n % WORDS.len()].into(),
        1 => (n % 50).to_string(),
        2 if n.is_multiple_of(7) => format!("A{}", n % 9),
        2 => format!("{:04}", n % 300),
        3 if n % 40 == 1 => "25/01/2024".into(),
        3 => format!("{:02}/{:02}/2024", n % 12 + 1, n / 12 % 12 + 1),
        4 => format!("{}.{}.2024", n % 12 + 1, n / 12 % 12 + 1),
        5 => format!("{},{:03}", n % 90 + 1, n % 1000),
        6 => format!("{}.{:03},{}", n % 90 + 1, n % 1000, n % 10),
        7 => format!("{},{}", n % 90, n % 100),
        8 => format!("{} {:03}", n % 90 + 1, n % 1000),
        9 => format!("2024-01-{:02} 10:{:02}", n % 28 + 1, n % 60),
        10 => format!("{}.{}", n % 90, n % 100),
        _ => (1990 + n % 40).to_string(),
    }
}

/// Tables of which not all can be told.
fn ambiguous() -> impl Strategy<Value = String> {
    let column = |rows| (0usize..12, prop::collection::vec(any::<usize>(), rows));
    let columns = (1usize..5, 1usize..9).prop_flat_map(move |(width, rows)| prop::collection::vec(column(rows), width));
    let delimiter = prop::sample::select(vec![",", ";", "\t", "|", "  ", ", "]);
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]);
    (columns, delimiter, end, 0usize..6, any::<bool>()).prop_map(|(columns, delimiter, end, header, quotes)| {
        let names = |first: usize| (first..first + columns.len()).map(|i| i.to_string()).collect::<Vec<_>>();
        let named = names(0).iter().map(|name| format!("n{name}")).collect::<Vec<_>>().join(delimiter);
        let mut lines = match header {
            0 => vec![],
            1 => vec![named],
            2 => vec![format!("# {named}")],
            3 => vec!["# a table, of a test".to_owned()],
            4 => vec![format!("# {named}"), named.to_uppercase()],
            _ => vec![names(1990).join(delimiter)],
        };
        for row in 0..columns[0].1.len() {
            let cells = columns.iter().map(|(kind, numbers)| {
                let cell = cell(*kind, numbers[row]);
                match quotes || cell.is_empty() || cell.contains([',', ';', ' ', '"']) {
                    true => format!("\"{}\"", cell.replace('"', "\"\"")),
                    false => cell,
                }
            });
            lines.push(cells.collect::<Vec<_>>().join(delimiter));
        }
        lines.join(end) + end
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// With everything given, whatever the cells are.
    #[test]
    fn tables_are_read_as_the_keys_say(written in table()) {
        let (decimal, thousands) = match (written.comma, written.thousands) {
            (false, false) => (Decimal::Point, Thousands::None),
            (false, true) => (Decimal::Point, Thousands::Comma),
            (true, false) => (Decimal::Comma, Thousands::None),
            (true, true) => (Decimal::Comma, Thousands::Point),
        };
        let options = Options {
            delimiter: Auto::Set(written.delimiter),
            header: Auto::Set(written.header),
            decimal: Auto::Set(decimal),
            thousands: Auto::Set(thousands),
            comment: Auto::Set(Comment::from(if written.comment { "#" } else { "none" }.to_owned())),
            ..Options::default()
        };
        let table = Table::from_bytes("t.csv", &written.bytes(), &options).unwrap();
        check(&written, &table, &written.text());
    }

    /// With nothing given, where there is a column of numbers to tell.
    #[test]
    fn tables_are_recognised(mut written in table()) {
        let rows = written.columns[0].len();
        let fixed = (0..rows).map(|row| Value::Number(1234.5 + row as f64)).collect();
        written.columns.push(fixed);
        let table = Table::from_bytes("t.csv", &written.bytes(), &Options::default()).unwrap();
        prop_assert_eq!(table.dialect().delimiter, written.delimiter);
        check(&written, &table, &written.text());
    }

    /// Whatever was guessed, and whatever was given: what was recognised reads the same table again.
    #[test]
    fn what_was_recognised_reads_the_same(text in ambiguous(), header in 0..4, marker: bool, words: bool) {
        let options = Options {
            header: match header { 2 => Auto::Set(true), 3 => Auto::Set(false), _ => Auto::Auto },
            missing_values: if marker { vec!["red".into(), "7".into()] } else { vec![] },
            ..Options::default()
        };
        let words: &IsWords<'_> = &|index, name| words && (index == 1 || name == Some("n0"));
        if let Ok(table) = Table::from_bytes_with("t.csv", text.as_bytes(), &options, words) {
            assert_same_again(&table, text.as_bytes(), &options, words);
        }
    }

    /// Any text at all: an error of one line, or a table whose accessors agree.
    #[test]
    fn any_text_is_a_table_or_an_error(text in "([a-c0-9]|[-.,;|/: \t\"#'\r\n])*") {
        match Table::from_bytes("t.csv", text.as_bytes(), &Options::default()) {
            Err(error) => prop_assert!(error.exit_code() == 2 && !error.to_string().contains('\n')),
            Ok(table) => {
                for column in table.columns() {
                    for row in 0..table.rows() {
                        if let Some(level) = column.level(row) {
                            prop_assert_eq!(column.word(row), Some(&*column.levels()[level]));
                        }
                        prop_assert!(table.line(row) >= 1 && column.number(row).is_none_or(f64::is_finite));
                    }
                }
                prop_assert_eq!(profile(&table).len(), table.columns().len());
                let again = Table::from_bytes("t.csv", text.as_bytes(), &table.dialect().options(vec![])).unwrap();
                prop_assert_eq!(again.dialect(), table.dialect());
                prop_assert_eq!(format!("{:?}", again.columns()), format!("{:?}", table.columns()));
            }
        }
    }
}
