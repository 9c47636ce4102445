//! A cell → the parts of a date, of a time, or of both.

use chrono::NaiveDate;

use super::{DateOrder, EPOCH, Half, MonthName, Zone};

/// The names of the months; the first three letters are the short ones.
pub(in crate::data::table) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The date of a cell: a year, a month and a day, in an order that the column decides where the cell does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data::table) struct Date {
    pub(super) order: Option<DateOrder>,
    pub(in crate::data::table) separator: char,
    /// Day and month have two digits each.
    pub(super) padded: bool,
    /// The year has two digits.
    pub(super) short: bool,
    /// The month is a name.
    pub(super) name: Option<MonthName>,
    /// There is no day: it is the first.
    pub(super) no_day: bool,
    year: i32,
    /// The other two, as they come.
    parts: [u32; 2],
}

/// The time of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time {
    pub(super) seconds: f64,
    pub(super) has_seconds: bool,
    /// Digits of the fraction of a second.
    pub(super) digits: u8,
    /// Hours have two digits.
    pub(super) padded: bool,
    /// Hours of 1 to 12.
    pub(super) half: Option<Half>,
}

/// A cell that is a date, a time or both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::data::table) struct Stamp {
    pub(in crate::data::table) date: Option<Date>,
    pub(super) time: Option<Time>,
    pub(super) join: char,
    pub(super) zone: Zone,
}

/// A number at the start of a text, with its count of digits and what follows.
fn number(text: &str) -> Option<(u32, usize, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    (1..=9).contains(&digits).then(|| number.parse().ok()).flatten().map(|number| (number, digits, rest))
}

/// A month's name at the start of a text, and what follows.
fn month(text: &str) -> Option<(u32, MonthName, &str)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, rest) = text.split_at_checked(letters)?;
    let is = |name: &str, length: usize| name.get(..length).is_some_and(|name| name.eq_ignore_ascii_case(word));
    let found = MONTHS.iter().position(|name| is(name, 3) || is(name, name.len()))?;
    let upper = word.bytes().all(|byte| byte.is_ascii_uppercase());
    let lower = word.bytes().all(|byte| byte.is_ascii_lowercase());
    // "May" is long and short.
    let name = MonthName { long: word.len() > 3 || found == 4, upper, lower, comma: false, may: found == 4 };
    Some((found as u32 + 1, name, rest))
}

impl Stamp {
    /// Reads `2024-12-31`, `31.12.2024`, `12/31/2024`, `31-Dec-2024`, `Dec 31, 2024`, `2024-12`, `12:34[:56[.789]]`, `3:45 PM`, or a
    /// date and a time with a space or `T` between them and a zone (`Z`, `+01:00`) after them.
    pub(in crate::data::table) fn parse(text: &str) -> Option<Self> {
        let none = Self { date: None, time: None, join: ' ', zone: Zone::None };
        if let Some((_, _, rest)) = number(text)
            && rest.starts_with(':')
        {
            let (time, rest) = Time::parse(text)?;
            return rest.is_empty().then_some(Self { time: Some(time), ..none });
        }
        let (date, rest) = Date::parse(text)?;
        let mut stamp = Self { date: Some(date), ..none };
        if rest.is_empty() {
            return Some(stamp);
        }
        stamp.join = rest.chars().next().filter(|join| matches!(join, ' ' | 'T') && !date.no_day)?;
        let (time, rest) = Time::parse(rest.get(1..)?)?;
        stamp.time = Some(time);
        stamp.zone = zone(rest)?;
        Some(stamp)
    }
}

fn zone(text: &str) -> Option<Zone> {
    if text.is_empty() {
        return Some(Zone::None);
    }
    if text == "Z" {
        return Some(Zone::Utc);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.get(1..)?.split_once(':') {
        Some(parts) => parts,
        None => text.get(1..)?.split_at_checked(2)?,
    };
    let two = |text: &str| number(text).filter(|(_, digits, rest)| *digits == 2 && rest.is_empty()).map(|(n, ..)| n);
    let minutes = if minutes.is_empty() { 0 } else { two(minutes)? };
    let minutes = two(hours)? * 60 + minutes;
    (minutes <= 18 * 60).then_some(Zone::Offset(sign * minutes as i32))
}

impl Date {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (date, rest) = match text.as_bytes().first()? {
            b'0'..=b'9' => Self::parse_from_number(text)?,
            b'A'..=b'Z' | b'a'..=b'z' => Self::parse_from_name(text)?,
            _ => return None,
        };
        // It has to be a date in one of the orders.
        let valid = [DateOrder::YearFirst, DateOrder::DayFirst, DateOrder::MonthFirst]
            .iter()
            .any(|&order| date.days(order).is_some());
        (valid && date.year > 0).then_some((date, rest))
    }

    fn parse_from_number(text: &str) -> Option<(Self, &str)> {
        let (first, first_digits, rest) = number(text)?;
        let separator = rest.chars().next().filter(|separator| matches!(separator, '-' | '/' | '.' | ' '))?;
        let rest = rest.get(1..)?;
        let year_first = first_digits == 4;
        let small = |digits| (1..=2).contains(&digits);
        if rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let (month, name, rest) = month(rest)?;
            let (third, third_digits, rest) = number(rest.strip_prefix(separator)?)?;
            let (order, [year, day], [year_digits, day_digits], parts) = match year_first {
                true => (DateOrder::YearFirst, [first, third], [first_digits, third_digits], [month, third]),
                false => (DateOrder::DayFirst, [third, first], [third_digits, first_digits], [first, month]),
            };
            let short = year_digits == 2;
            let padded = day_digits == 2;
            let date = Self {
                order: Some(order),
                separator,
                padded,
                short,
                name: Some(name),
                no_day: false,
                year: year_of(year, short)?,
                parts,
            };
            return (small(day_digits) && day > 0 && (year_digits == 4 || short)).then_some((date, rest));
        }
        if separator == ' ' {
            return None;
        }
        let (second, second_digits, rest) = number(rest)?;
        let Some(after) = rest.strip_prefix(separator) else {
            // A month alone; other numbers with a sign between them are codes.
            let alone = year_first && second_digits == 2 && separator != '.' && (1500..2200).contains(&first);
            let order = Some(DateOrder::YearFirst);
            let (year, parts) = (i32::try_from(first).ok()?, [second, 1]);
            let date = Self { order, separator, padded: true, short: false, name: None, no_day: true, year, parts };
            return (alone && rest.is_empty()).then_some((date, rest));
        };
        let (third, third_digits, rest) = number(after)?;
        let (year, year_digits, parts, digits) = match year_first {
            true => (first, first_digits, [second, third], [second_digits, third_digits]),
            false => (third, third_digits, [first, second], [first_digits, second_digits]),
        };
        let padded = digits == [2, 2];
        // Two digits of a year: `31.12.24`, `1/2/24`; but `1.2.10` is a version.
        let short = year_digits == 2 && (separator == '/' || (separator == '.' && padded));
        if !digits.into_iter().all(small) || !(year_digits == 4 || short) || parts.contains(&0) {
            return None;
        }
        let order = year_first.then_some(DateOrder::YearFirst);
        let year = year_of(year, short)?;
        Some((Self { order, separator, padded, short, name: None, no_day: false, year, parts }, rest))
    }

    /// `Dec 31, 2024`, `December 31 2024`
    fn parse_from_name(text: &str) -> Option<(Self, &str)> {
        let (month, name, rest) = month(text)?;
        let separator = rest.chars().next().filter(|separator| matches!(separator, '-' | ' '))?;
        let (day, day_digits, rest) = number(rest.get(1..)?)?;
        let comma = rest.starts_with(',');
        let rest = rest.strip_prefix(',').unwrap_or(rest).strip_prefix(separator)?;
        let (year, year_digits, rest) = number(rest)?;
        let date = Self {
            order: Some(DateOrder::MonthFirst),
            separator,
            padded: day_digits == 2,
            short: false,
            name: Some(MonthName { comma, ..name }),
            no_day: false,
            year: year_of(year, false)?,
            parts: [month, day],
        };
        (day_digits <= 2 && year_digits == 4).then_some((date, rest))
    }

    /// Whether it could be a season or a fiscal year such as `2023-24`.
    pub(super) fn is_season(&self) -> bool {
        let [second, _] = self.parts;
        self.no_day && i64::from(second) == i64::from(self.year + 1) % 100
    }

    /// Days since 1970-01-01, where its parts come in this order.
    pub(super) fn days(&self, order: DateOrder) -> Option<i32> {
        if self.order.is_some_and(|known| known != order) || (self.order.is_none() && order == DateOrder::YearFirst) {
            return None;
        }
        let [first, second] = self.parts;
        let (month, day) = if order == DateOrder::DayFirst { (second, first) } else { (first, second) };
        NaiveDate::from_ymd_opt(self.year, month, day).map(|date| chrono::Datelike::num_days_from_ce(&date) - EPOCH)
    }
}

/// The year of four digits, or of two as POSIX, Python and pandas have it.
fn year_of(year: u32, short: bool) -> Option<i32> {
    let year = match (short, year) {
        (false, year) => year,
        (true, 69..) => 1900 + year,
        (true, _) => 2000 + year,
    };
    i32::try_from(year).ok()
}

impl Time {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (time, rest) = Self::parse_clock(text)?;
        let space = rest.starts_with(' ');
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        let (half, hours) = match word.get(..2) {
            Some("AM") => (Half { space, upper: true }, 0.0),
            Some("PM") => (Half { space, upper: true }, 12.0),
            Some("am") => (Half { space, upper: false }, 0.0),
            Some("pm") => (Half { space, upper: false }, 12.0),
            _ => return Some((time, rest)),
        };
        // 12 AM is midnight.
        let hour = (time.seconds / 3600.0).floor();
        let seconds = time.seconds + 3600.0 * (hours - if hour == 12.0 { 12.0 } else { 0.0 });
        let valid = (1.0..=12.0).contains(&hour);
        valid.then_some((Self { seconds, half: Some(half), ..time }, word.get(2..)?))
    }

    fn parse_clock(text: &str) -> Option<(Self, &str)> {
        let (hours, hour_digits, rest) = number(text)?;
        let (minutes, digits, rest) = number(rest.strip_prefix(':')?)?;
        if hours > 23 || minutes > 59 || digits != 2 || hour_digits > 2 {
            return None;
        }
        let whole = f64::from(hours * 3600 + minutes * 60);
        let time = Self { seconds: whole, has_seconds: false, digits: 0, padded: hour_digits == 2, half: None };
        let Some(rest) = rest.strip_prefix(':') else { return Some((time, rest)) };
        let (seconds, digits, rest) = number(rest)?;
        if seconds > 59 || digits != 2 {
            return None;
        }
        let whole = whole + f64::from(seconds);
        let time = Self { seconds: whole, has_seconds: true, ..time };
        let Some(rest) = rest.strip_prefix(['.', ',']) else { return Some((time, rest)) };
        let (fraction, digits, rest) = number(rest)?;
        let seconds = whole + f64::from(fraction) / 10f64.powi(digits as i32);
        Some((Self { seconds, digits: digits as u8, ..time }, rest))
    }
}
