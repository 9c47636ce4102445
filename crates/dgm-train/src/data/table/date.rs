//! Dates and times: text → a number (days, or seconds) and back to the text.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// The days from 0001-01-01 (day 1) to 1970-01-01, as chrono counts them.
const EPOCH: i32 = 719_163;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Which part of a date comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// `2024-12-31`
    YearFirst,
    /// `31.12.2024`
    DayFirst,
    /// `12/31/2024`
    MonthFirst,
}

/// The date of a cell: three numbers, whose order the column decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year_first: bool,
    separator: char,
    /// Day and month have two digits each.
    padded: bool,
    /// The year has two digits.
    short: bool,
    year: i32,
    /// The other two, as they come.
    parts: [u32; 2],
}

/// The time of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Time {
    seconds: f64,
    has_seconds: bool,
    /// Digits of the fraction of a second.
    digits: u8,
    /// Hours have two digits.
    padded: bool,
}

/// What a zone is written as: not at all, `Z`, or minutes east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Zone {
    None,
    Utc,
    Offset(i32),
}

/// A cell that is a date, a time or both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) date: Option<Date>,
    time: Option<Time>,
    join: char,
    zone: Zone,
}

/// How the dates or times of a column are written, so that others can be written like them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateFormat {
    date: Option<DateStyle>,
    time: Option<TimeStyle>,
    join: char,
    zone: Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DateStyle {
    order: Order,
    separator: char,
    padded: bool,
    short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TimeStyle {
    seconds: bool,
    digits: u8,
    padded: bool,
}

/// A number at the start of a text, with its count of digits and what follows.
fn number(text: &str) -> Option<(u32, usize, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    (1..=9).contains(&digits).then(|| number.parse().ok()).flatten().map(|number| (number, digits, rest))
}

impl Stamp {
    /// Reads `2024-12-31`, `31.12.2024`, `12/31/2024`, `12:34[:56[.789]]`, or both with a space or `T` between them and a
    /// zone (`Z`, `+01:00`) after them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, _, rest) = number(text)?;
        if rest.starts_with(':') {
            let (time, rest) = Time::parse(text)?;
            return rest.is_empty().then_some(Self { date: None, time: Some(time), join: ' ', zone: Zone::None });
        }
        let (date, rest) = Date::parse(text)?;
        let mut stamp = Self { date: Some(date), time: None, join: ' ', zone: Zone::None };
        if rest.is_empty() {
            return Some(stamp);
        }
        stamp.join = rest.chars().next().filter(|join| matches!(join, ' ' | 'T'))?;
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
        let (first, first_digits, rest) = number(text)?;
        let separator = rest.chars().next().filter(|separator| matches!(separator, '-' | '/' | '.'))?;
        let (second, second_digits, rest) = number(rest.get(1..)?)?;
        let (third, third_digits, rest) = number(rest.strip_prefix(separator)?)?;
        let small = |digits| (1..=2).contains(&digits);
        let year_first = first_digits == 4;
        let (year, year_digits, parts, digits) = match year_first {
            true => (first, first_digits, [second, third], [second_digits, third_digits]),
            false => (third, third_digits, [first, second], [first_digits, second_digits]),
        };
        let padded = digits == [2, 2];
        // Two digits of a year: `31.12.24`, `1/2/24`; but `1.2.10` is a version.
        let short = year_digits == 2 && (separator == '/' || (separator == '.' && padded));
        if !digits.into_iter().all(small) || !(year_digits == 4 || short) || parts.iter().any(|&part| part == 0) {
            return None;
        }
        let year = match (short, year) {
            (false, year) => year,
            // As POSIX, Python and pandas have it.
            (true, 69..) => 1900 + year,
            (true, _) => 2000 + year,
        };
        let date = Self { year_first, separator, padded, short, year: i32::try_from(year).ok()?, parts };
        // It has to be a date in one of the orders.
        let valid = [Order::YearFirst, Order::DayFirst, Order::MonthFirst].iter().any(|&order| date.days(order).is_some());
        (valid && year > 0).then_some((date, rest))
    }

    /// Days since 1970-01-01, where its parts come in this order.
    fn days(&self, order: Order) -> Option<i32> {
        let [first, second] = self.parts;
        let (month, day) = match order {
            Order::YearFirst if self.year_first => (first, second),
            Order::DayFirst if !self.year_first => (second, first),
            Order::MonthFirst if !self.year_first => (first, second),
            _ => return None,
        };
        NaiveDate::from_ymd_opt(self.year, month, day).map(|date| date.num_days_from_ce() - EPOCH)
    }
}

impl Time {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (hours, hour_digits, rest) = number(text)?;
        let (minutes, digits, rest) = number(rest.strip_prefix(':')?)?;
        if hours > 23 || minutes > 59 || digits != 2 || hour_digits > 2 {
            return None;
        }
        let padded = hour_digits == 2;
        let whole = f64::from(hours * 3600 + minutes * 60);
        let Some(rest) = rest.strip_prefix(':') else {
            return Some((Self { seconds: whole, has_seconds: false, digits: 0, padded }, rest));
        };
        let (seconds, digits, rest) = number(rest)?;
        if seconds > 59 || digits != 2 {
            return None;
        }
        let whole = whole + f64::from(seconds);
        let Some(rest) = rest.strip_prefix(['.', ',']) else {
            return Some((Self { seconds: whole, has_seconds: true, digits: 0, padded }, rest));
        };
        let (fraction, digits, rest) = number(rest)?;
        let seconds = whole + f64::from(fraction) / 10f64.powi(digits as i32);
        Some((Self { seconds, has_seconds: true, digits: digits as u8, padded }, rest))
    }
}

/// Which orders of day and month the dates of a column allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    day_first: bool,
    month_first: bool,
}

impl DateFormat {
    /// The format that all stamps of a column share, and whether the order of day and month was decided by no cell.
    /// `day_first` decides it, where it is given.
    pub(super) fn of(stamps: &[Stamp], day_first: Option<bool>) -> Option<(Self, bool)> {
        let mut orders = Orders { day_first: true, month_first: true };
        for date in stamps.iter().filter_map(|stamp| stamp.date.as_ref()) {
            orders.day_first &= date.days(Order::DayFirst).is_some();
            orders.month_first &= date.days(Order::MonthFirst).is_some();
        }
        let first = stamps.first()?;
        let guess = first.date.is_some_and(|date| date.separator != '/');
        let (order, open) = match first.date {
            Some(date) if date.year_first => (Order::YearFirst, false),
            _ => {
                let day = match (orders.day_first, orders.month_first) {
                    (true, true) => day_first.unwrap_or(guess),
                    (day, _) => day,
                };
                let open = orders.day_first && orders.month_first && first.date.is_some();
                (if day { Order::DayFirst } else { Order::MonthFirst }, open && day_first.is_none())
            }
        };
        let mut format = Self::like(first, order);
        for stamp in stamps {
            format = format.merged(Self::like(stamp, order))?;
        }
        stamps.iter().all(|stamp| format.value(stamp).is_some()).then_some((format, open))
    }

    fn like(stamp: &Stamp, order: Order) -> Self {
        Self {
            date: stamp.date.map(|date| DateStyle {
                order,
                separator: date.separator,
                padded: date.padded,
                short: date.short,
            }),
            time: stamp.time.map(|time| TimeStyle {
                seconds: time.has_seconds,
                digits: time.digits,
                padded: time.padded,
            }),
            join: stamp.join,
            zone: stamp.zone,
        }
    }

    /// A format for the cells of both, where they go together.
    fn merged(self, other: Self) -> Option<Self> {
        let date = match (self.date, other.date) {
            (None, None) => None,
            (Some(a), Some(b)) if (a.separator, a.short) == (b.separator, b.short) => {
                Some(DateStyle { padded: a.padded && b.padded, ..a })
            }
            _ => return None,
        };
        let (time, join, zone) = match (self.time, other.time) {
            (Some(a), Some(b)) => {
                let zone = match (self.zone, other.zone) {
                    (a, b) if a == b => a,
                    (Zone::None, _) | (_, Zone::None) => return None,
                    _ => Zone::Offset(0),
                };
                let seconds = a.seconds || b.seconds;
                let digits = a.digits.max(b.digits);
                (Some(TimeStyle { seconds, digits, padded: a.padded && b.padded }), self.join, zone)
            }
            // A date among dates with times is midnight, where there are no zones.
            (a, b) if self.zone == Zone::None && other.zone == Zone::None => {
                (a.or(b), if a.is_some() { self.join } else { other.join }, Zone::None)
            }
            _ => return None,
        };
        Some(Self { date, time, join, zone })
    }

    /// Days since 1970-01-01 of a date, seconds since then of a date with a time, seconds of a time; `None`: the stamp is
    /// written in another way.
    pub(super) fn value(&self, stamp: &Stamp) -> Option<f64> {
        let seconds = |time: Option<Time>| time.map_or(0.0, |time| time.seconds);
        match (self.date, &stamp.date, self.time) {
            (None, None, Some(_)) => stamp.time.map(|time| time.seconds),
            (Some(style), Some(date), time) => {
                if (style.separator, style.short) != (date.separator, date.short) {
                    return None;
                }
                let days = f64::from(date.days(style.order)?);
                match (time, stamp.time) {
                    (None, None) => Some(days),
                    (None, Some(_)) => None,
                    (Some(_), found) => {
                        let east = match (self.zone, stamp.zone) {
                            (Zone::None, Zone::None) | (_, Zone::Utc) => 0,
                            (Zone::None, Zone::Offset(_)) => return None,
                            (_, Zone::None) => return None,
                            (_, Zone::Offset(minutes)) => minutes,
                        };
                        Some(days * DAY + seconds(found) - f64::from(east) * 60.0)
                    }
                }
            }
            _ => None,
        }
    }

    /// Whether another order of day and month would have read this stamp.
    pub(super) fn other_order(&self, stamp: &Stamp) -> bool {
        let Some(style) = self.date else { return false };
        let order = match style.order {
            Order::YearFirst => return false,
            Order::DayFirst => Order::MonthFirst,
            Order::MonthFirst => Order::DayFirst,
        };
        Self { date: Some(DateStyle { order, ..style }), ..*self }.value(stamp).is_some()
    }

    /// Which part of a date comes first, where there is a date.
    pub fn order(&self) -> Option<Order> {
        self.date.map(|date| date.order)
    }

    /// Whether it has a date.
    pub(super) fn has_date(&self) -> bool {
        self.date.is_some()
    }

    /// Whether it has a time.
    pub(super) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// A value as the column's cells are written; nothing for a value that is no number.
    pub(crate) fn write(&self, value: f64) -> String {
        if !value.is_finite() {
            return String::new();
        }
        let mut text = String::new();
        let east = match self.zone {
            Zone::Offset(minutes) => minutes,
            _ => 0,
        };
        // The time in units of its last digit, rounded once.
        let unit = self.time.map_or(1.0, |time| match time.seconds {
            true => 10f64.powi(i32::from(time.digits)),
            false => 1.0 / 60.0,
        });
        let (days, units) = match (self.date, self.time) {
            (Some(_), None) => (value.round(), 0.0),
            (None, _) => (0.0, (value.rem_euclid(DAY) * unit).round() % (DAY * unit)),
            (Some(_), Some(_)) => {
                let units = ((value + f64::from(east) * 60.0) * unit).round();
                ((units / (DAY * unit)).floor(), units.rem_euclid(DAY * unit))
            }
        };
        if let Some(style) = self.date {
            style.write(days, &mut text);
        }
        if let Some(style) = self.time {
            if self.date.is_some() {
                text.push(self.join);
            }
            style.write(units, unit, &mut text);
        }
        match self.zone {
            Zone::None => {}
            Zone::Utc => text.push('Z'),
            Zone::Offset(minutes) => {
                let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
                // Writing to a string cannot fail, here and below.
                let _ = write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            }
        }
        text
    }
}

impl DateStyle {
    fn write(self, days: f64, text: &mut String) {
        // A cast of a number that is too large gives the largest; such a date does not exist: the last that does.
        let days = (days as i32).clamp(-719_162, 2_932_896);
        let Some(date) = NaiveDate::from_num_days_from_ce_opt(days + EPOCH) else { return };
        let (year, month, day) = (date.year(), date.month(), date.day());
        let part = |value: u32| if self.padded { format!("{value:02}") } else { value.to_string() };
        let year = if self.short { format!("{:02}", year % 100) } else { format!("{year:04}") };
        let (month, day) = (part(month), part(day));
        let parts = match self.order {
            Order::YearFirst => [year, month, day],
            Order::DayFirst => [day, month, year],
            Order::MonthFirst => [month, day, year],
        };
        text.push_str(&parts.join(self.separator.encode_utf8(&mut [0; 4])));
    }
}

impl TimeStyle {
    /// `units`: of a second divided by `unit`.
    fn write(self, units: f64, unit: f64, text: &mut String) {
        let whole = (units / unit + 1e-9 / unit).floor();
        let fraction = (units - whole * unit).max(0.0);
        let whole = whole as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        let _ = if self.padded { write!(text, "{hours:02}") } else { write!(text, "{hours}") };
        let _ = write!(text, ":{minutes:02}");
        if self.seconds {
            let _ = write!(text, ":{seconds:02}");
        }
        if self.digits > 0 {
            let _ = write!(text, ".{:0width$}", fraction as u64, width = usize::from(self.digits));
        }
    }
}
