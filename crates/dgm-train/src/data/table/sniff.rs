//! Recognises how a table is written, from its first part.
//!
//! - **Comments**: the sign (`#`, `%` or `//`) that the first line starts with, or `# ` at the start of less than a quarter
//!   of the lines.
//! - **Delimiter**: what gives most lines, the first among them, the same number of cells, more than one; then what makes
//!   more cells numbers or dates; then tab, semicolon, bar, comma and whitespace in this order.
//! - **Decimal comma, thousands**: what makes numbers of the most columns, plain numbers first.
//! - **Header**: the first row, where the columns below are numbers or dates and more of its cells are none than are; in a
//!   table of words alone, where its cells differ from each other and from all below them. Years, whole numbers above columns
//!   of decimals, and the indices 0, 1, … after an empty cell are names too. A comment right above the first row with a name for each column is the header of
//!   a table that has no other, as `numpy.savetxt` writes it. Who says that there is a header gets the one that is found
//!   without being told; the first row, where none is. So what was recognised reads the same table again.

mod header;

use std::collections::{BTreeMap, HashMap};

use super::date::Stamp;
use super::dialect::{Auto, Comment, Decimal, Delimiter, Options, Thousands};
use super::lexer::{Lexer, Step};
use super::missing::Missing;
use super::number::Style;
use header::{names_above, names_of, recognise_header};

/// How a table is to be read.
pub(super) struct TableLayout {
    pub(super) delimiter: Delimiter,
    pub(super) comment: Comment,
    pub(super) style: Style,
    /// Number of cells of a row, and the line of the first such row.
    pub(super) width: usize,
    pub(super) width_line: usize,
    pub(super) names: Option<Vec<String>>,
    /// The first row holds the names.
    pub(super) first_row: bool,
    /// Later rows that are the same as it are headers too, as files have that were put together.
    pub(super) repeats: bool,
    /// Bytes of a first line `sep=;`.
    pub(super) skip: usize,
    /// What was recognised beside the dialect, a sentence each.
    pub(super) notes: Vec<String>,
    /// Guesses that nothing settles, a sentence each.
    pub(super) doubts: Vec<String>,
}

/// Cells of numbers that a later part of the file showed, by column: evidence of how numbers are written.
pub(super) type Evidence = HashMap<usize, Vec<String>>;

struct Row {
    line: usize,
    cells: Vec<String>,
    /// A cell is cut in the wrong place: text follows its quotes, or words between blanks have a comma in them.
    broken: bool,
}

/// The rows of a sample, as one delimiter makes them.
struct Sample {
    delimiter: Delimiter,
    rows: Vec<Row>,
    /// The number of cells that most rows have, and the part of the rows that have it.
    width: usize,
    share: f64,
    /// A comment right above the first row.
    comment: Option<(usize, String)>,
}

/// Rows that are looked at to tell delimiters apart.
const ROWS: usize = 300;

impl Sample {
    fn new(text: &str, whole: bool, delimiter: Delimiter, comment: &Comment) -> Self {
        let mut lexer = Lexer::new(delimiter, comment.start());
        let (mut rows, mut at) = (Vec::new(), 0);
        loop {
            let rest = text.get(at..).unwrap_or_default();
            match lexer.next(rest, whole) {
                Step::Row(end) => {
                    let record = &lexer.record;
                    let torn = |cell: &str| cell.contains([',', ';', '|']) && type_of_any_style(cell) == 0.0;
                    let broken =
                        record.tail || (delimiter == Delimiter::Whitespace && record.bare_cells(rest).any(torn));
                    let cells = record.cells(rest).map(str::to_owned).collect();
                    rows.push(Row { line: record.line, cells, broken });
                    at += end;
                }
                Step::More(_) | Step::End | Step::Open(_) => break,
            }
        }
        // In order: of equal counts the same one always wins.
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(row.cells.len()).or_default() += 1);
        let first = rows.first().map_or(0, |row| row.cells.len());
        let most = counts.iter().max_by_key(|&(&width, &count)| (count, width == first));
        let (width, count) = most.map_or((0, 0), |(&width, &count)| (width, count));
        let share = count as f64 / rows.len().max(1) as f64;
        Self { delimiter, rows, width, share, comment: lexer.last_comment.take() }
    }

    /// How good the delimiter is, the better the larger: whether the first row is nearly as long as the others, how many of
    /// them go together, whether the first does, and how many cells are of a type.
    fn quality(&self) -> (bool, u32, bool, u32) {
        let (mut all, mut typed) = (0.0, 0.0);
        for cell in self.rows.iter().take(ROWS).filter(|row| row.cells.len() == self.width).flat_map(|row| &row.cells) {
            if Missing::new(&[]).contains(cell) {
                continue;
            }
            all += 1.0;
            typed += type_of_any_style(cell);
        }
        let typed = if all > 0.0 && !self.is_hollow() { typed / all } else { 0.0 };
        let whole = self.rows.iter().filter(|row| row.cells.len() == self.width && !row.broken).count();
        let share = whole as f64 / self.rows.len().max(1) as f64;
        let off = self.rows.first().map_or(2, |row| row.cells.len().abs_diff(self.width));
        (off <= 1, (share.min(0.95) * 20.0).round() as u32, off == 0, (typed * 10.0f64).round() as u32)
    }

    /// Whether a column but the last ones is empty, as nobody leaves one: blanks in a row are one delimiter.
    fn is_hollow(&self) -> bool {
        let empty = |index: &usize| self.rows.iter().all(|row| row.cells.get(*index).is_none_or(String::is_empty));
        let last = (0..self.width).rev().find(|index| !empty(index)).unwrap_or(0);
        (0..last).any(|index| empty(&index))
    }

    /// Whether the only commas are those of decimals in one column: a name without one above numbers that all have one.
    fn is_column_of_decimal_commas(&self) -> bool {
        let style = Style { decimal: Decimal::Comma, thousands: Thousands::None };
        let decimal =
            |row: &Row| matches!(&row.cells[..], [whole, rest] if style.parse(&format!("{whole},{rest}")).is_some());
        let mut rows = self.rows.iter();
        self.delimiter == Delimiter::Comma
            && rows.next().is_some_and(|row| row.cells.len() == 1)
            && self.rows.len() > 1
            && rows.all(decimal)
    }

    /// Whether rows that are the same as the first are headers again: its cells are names, and few are the same.
    fn may_repeat_header(&self, style: Style) -> bool {
        let Some((first, rest)) = self.rows.split_first() else { return false };
        let none = Missing::new(&[]);
        let is_name =
            |cell: &String| !none.contains(cell) && style.parse(cell).is_none() && Stamp::parse(cell).is_none();
        let names = first.cells.iter().filter(|cell| is_name(cell)).count();
        let same = rest.iter().filter(|row| row.cells == first.cells).count();
        first.cells.len() > 1 && names == first.cells.len() && 10 * same <= rest.len() + 10
    }

    /// The cells of a column below the first row, if there are such rows.
    fn column<'a>(&'a self, index: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let rows = self.rows.iter().skip(usize::from(self.rows.len() > 1));
        let rows = rows.filter(|row| row.cells.len() == self.width);
        rows.filter_map(move |row| row.cells.get(index)).map(String::as_str)
    }
}

/// 1 for a number of any style or a date, less for one that spaces divide.
fn type_of_any_style(cell: &str) -> f64 {
    if !cell.starts_with(|first: char| first.is_ascii_digit() || "+-.,\u{2212}".contains(first)) {
        return 0.0;
    }
    let any = |thousands: [Thousands; 2]| {
        thousands.into_iter().any(|thousands| {
            [Decimal::Point, Decimal::Comma]
                .into_iter()
                .any(|decimal| Style { decimal, thousands }.parse(cell).is_some())
        })
    };
    match () {
        () if any([Thousands::Point, Thousands::Comma]) || Stamp::parse(cell).is_some() => 1.0,
        () if any([Thousands::Space, Thousands::Apostrophe]) => 0.8,
        () => 0.0,
    }
}

/// Recognises what the options leave open. `whole`: the sample is all of the text.
pub(super) fn sniff(text: &str, whole: bool, options: &Options, evidence: &Evidence) -> TableLayout {
    let (skip, given) = separator_line(text);
    let text = text.get(skip..).unwrap_or_default();
    let comment = match &options.comment {
        Auto::Set(comment) => comment.clone(),
        Auto::Auto => recognise_comment(text),
    };
    let sample = match options.delimiter.set().or(given) {
        Some(delimiter) => Sample::new(text, whole, delimiter, &comment),
        None => recognise_delimiter(text, whole, &comment),
    };
    let missing = Missing::new(&options.missing_values);
    // A header says nothing of how numbers are written.
    let (style, open) = recognise_style(&sample, options, &missing, evidence);
    let first = sample.rows.first();
    let own = || first.and_then(|row| names_of(&row.cells, &sample));
    let given = options.header.set();
    let found = recognise_header(&sample, style, &missing);
    // What is said comes last: a table whose header was recognised is read again with `header = true`.
    let (names, first_row) = match found.is_header {
        _ if given == Some(false) => (None, false),
        true => (own(), true),
        false if let Some(names) = names_above(&sample, style) => (Some(names), false),
        false if given == Some(true) => (own(), true),
        false => (None, false),
    };
    let first_row = first_row && names.is_some();
    let (mut notes, mut doubts) = (Vec::new(), Vec::new());
    notes.push(match (&names, first, &sample.comment) {
        (None, ..) => "no header".to_owned(),
        (Some(_), Some(row), _) if first_row => format!("header in line {}", row.line + usize::from(skip > 0)),
        (Some(_), _, comment) => {
            let line = comment.as_ref().map_or(0, |(line, _)| line + usize::from(skip > 0));
            format!("header in the comment of line {line}")
        }
    });
    if let (Some(row), true) = (first, first_row)
        && row.cells.len() + 1 == sample.width
        && names.as_ref().and_then(|names| names.first()).is_some_and(String::is_empty)
    {
        notes.push("the header has one name less than the rows have cells: the first column has no name".into());
    }
    if let (Some(why), None, Some(row), false) = (found.doubt, given, first, names.is_some() && !first_row) {
        let line = row.line + usize::from(skip > 0);
        doubts.push(match first_row {
            true => format!("{why}: line {line} is read as the header; set data.header = false if it is a row"),
            false => format!("{why}: line {line} is read as a row; set data.header = true if it holds the names"),
        });
    }
    if sample.delimiter == Delimiter::Semicolon
        && options.decimal.set().is_none()
        && style == Style::PLAIN
        && points_may_group(&sample, &missing)
    {
        doubts.push(
            "no cell tells decimal points from points between thousands: `1.234` is read as 1.234; set data.thousands = \".\" and \
             data.decimal = \",\" if not"
                .into(),
        );
    }
    if open {
        let (as_comma, other) = ("`1,234` is read as 1.234", "`1,234` is read as 1234");
        let said = if style.decimal == Decimal::Comma { as_comma } else { other };
        doubts.push(format!(
            "no cell tells decimal commas from commas between thousands: {said}; set data.decimal if not"
        ));
    }
    let width_line = sample.rows.iter().find(|row| row.cells.len() == sample.width).map_or(1, |row| row.line);
    let (delimiter, width) = (sample.delimiter, sample.width);
    let repeats = first_row && found.is_header && sample.may_repeat_header(style);
    TableLayout { delimiter, comment, style, width, width_line, names, first_row, repeats, skip, notes, doubts }
}

/// Excel's first line `sep=;`: its length with its line end, and what it says.
fn separator_line(text: &str) -> (usize, Option<Delimiter>) {
    let Some(rest) = text.strip_prefix("sep=") else { return (0, None) };
    let delimiter = match rest.chars().next() {
        Some(',') => Delimiter::Comma,
        Some(';') => Delimiter::Semicolon,
        Some('\t') => Delimiter::Tab,
        Some('|') => Delimiter::Pipe,
        _ => return (0, None),
    };
    let after = rest.get(1..).unwrap_or_default();
    match after.chars().next() {
        Some('\r') => (6 + usize::from(after.starts_with("\r\n")), Some(delimiter)),
        Some('\n') => (6, Some(delimiter)),
        _ => (0, None),
    }
}

fn recognise_comment(text: &str) -> Comment {
    let lines = || text.split(['\n', '\r']).map(str::trim_start).filter(|line| !line.is_empty());
    let comment = |line: &str, sign: &str| line.starts_with(sign) && !line.starts_with("#N/A");
    for sign in ["#", "%", "//"] {
        let first = lines().next().is_some_and(|line| comment(line, sign));
        if first && lines().any(|line| !comment(line, sign)) {
            return Comment::from(sign.to_owned());
        }
    }
    let marked = lines().filter(|line| line.starts_with("# ") || line.starts_with("##") || *line == "#").count();
    if marked > 0 && 4 * marked < lines().count() { Comment::from("#".to_owned()) } else { Comment::default() }
}

fn recognise_delimiter(text: &str, whole: bool, comment: &Comment) -> Sample {
    use Delimiter::*;
    let sample = |delimiter| Sample::new(text, whole, delimiter, comment);
    // Dates with times are one column, not two that a space divides.
    let lines = text.split(['\n', '\r']).map(str::trim);
    let lines =
        lines.filter(|line| !line.is_empty() && (comment.start().is_empty() || !line.starts_with(comment.start())));
    let mut lines = lines.skip(1).take(ROWS).peekable();
    let one = lines.peek().is_some() && lines.all(|line| !line.contains(',') && Stamp::parse(line).is_some());
    // Of equal ones the last is the best.
    let candidates =
        [Whitespace, Comma, Pipe, Semicolon, Tab].into_iter().filter(|&delimiter| !one || delimiter == Tab);
    let mut tabs = false;
    // One sample at a time: each takes more memory than the text.
    let candidates = candidates.filter_map(|delimiter| {
        let sample = sample(delimiter);
        let quality = sample.quality();
        let (_, share, _, typed) = quality;
        // Lines of prose have the same number of words now and then.
        let prose = delimiter == Whitespace && share < 18 && typed < 5;
        let other = prose || sample.is_column_of_decimal_commas();
        // Where tabs divide every line alike, spaces belong to the cells, unless they too stand between nothing but numbers.
        tabs |= delimiter == Tab && quality.0 && share >= 19 && sample.width > 1 && !sample.is_hollow();
        (sample.width > 1 && sample.share >= 0.5 && !other).then_some((quality, delimiter))
    });
    let mut candidates: Vec<_> = candidates.collect();
    candidates.retain(|&((.., typed), delimiter)| !(tabs && delimiter == Whitespace && typed < 10));
    if let Some((_, best)) = candidates.into_iter().max_by_key(|(quality, _)| *quality) {
        return sample(best);
    }
    // One column: what leaves its lines whole.
    let whole_lines = [Comma, Semicolon, Pipe].into_iter().map(sample).find(|s| s.width == 1 && s.share == 1.0);
    whole_lines.unwrap_or_else(|| sample(Tab))
}

/// The style that makes numbers of most columns, and whether commas are as likely to stand between thousands.
fn recognise_style(sample: &Sample, options: &Options, missing: &Missing<'_>, evidence: &Evidence) -> (Style, bool) {
    let score = |style: Style| {
        let (mut columns, mut cells) = (0, 0);
        for index in 0..sample.width {
            let more = evidence.get(&index).into_iter().flatten().map(String::as_str);
            let (mut all, mut numbers) = (0, 0);
            for cell in sample.column(index).filter(|cell| !missing.contains(cell)).chain(more) {
                all += 1;
                numbers += usize::from(style.parse(cell).is_some());
            }
            if all > 0 && 20 * numbers >= 19 * all {
                (columns, cells) = (columns + 1, cells + numbers);
            }
        }
        (columns, cells)
    };
    let possible = Style::possible(sample.delimiter, options);
    let first = possible.first().copied().unwrap_or(Style::PLAIN);
    // Most tables have plain numbers alone.
    let odd = |cell: &str| first.parse(cell).is_none() && cell.contains(|c: char| c.is_ascii_digit());
    let any = (0..sample.width).any(|index| sample.column(index).any(odd));
    if !any && evidence.is_empty() {
        return (first, false);
    }
    let mut best = (score(first), first);
    for &style in possible.iter().skip(1) {
        let found = score(style);
        if found > best.0 {
            best = (found, style);
        }
    }
    let comma = Style { decimal: Decimal::Comma, thousands: Thousands::None };
    let thousand = Style { decimal: Decimal::Point, thousands: Thousands::Comma };
    let other = match best.1 {
        style if style == comma => thousand,
        style if style == thousand => comma,
        style => return (style, false),
    };
    (best.1, possible.contains(&other) && score(other) == best.0)
}

/// Whether there are points in numbers, and all of them could stand between thousands.
fn points_may_group(sample: &Sample, missing: &Missing<'_>) -> bool {
    let grouped = Style { decimal: Decimal::Comma, thousands: Thousands::Point };
    let numbers = |cell: &&str| Style::PLAIN.parse(cell).is_some() && !missing.contains(cell);
    let mut cells = (0..sample.width).flat_map(|index| sample.column(index)).filter(numbers);
    let mut any = false;
    cells.all(|cell| {
        any |= cell.contains('.');
        grouped.parse(cell).is_some()
    }) && any
}
