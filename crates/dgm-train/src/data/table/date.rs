//! Dates and times: text → a number (days, or seconds) and back to the text.

mod stamp;

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use stamp::Time;
pub(super) use stamp::{Date, MONTHS, Stamp};

/// The days from 0001-01-01 (day 1) to 1970-01-01, as chrono counts them.
const EPOCH: i32 = 719_163;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Which part of a date comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// `2024-12-31`
    YearFirst,
    /// `31.12.2024`
    DayFirst,
    /// `12/31/2024`
    MonthFirst,
}

/// What a zone is written as: not at all, `Z`, or minutes east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Zone {
    None,
    Utc,
    Offset(i32),
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
    order: DateOrder,
    separator: char,
    padded: bool,
    short: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<MonthName>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_day: bool,
}

/// How the names of months are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MonthName {
    long: bool,
    upper: bool,
    lower: bool,
    /// A comma stands behind the day.
    comma: bool,
    /// It is May alone, whose name says nothing of the length.
    #[serde(default)]
    may: bool,
}

/// How the halves of a day are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Half {
    /// `3:45 PM` rather than `3:45PM`.
    space: bool,
    /// `PM` rather than `pm`.
    upper: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TimeStyle {
    seconds: bool,
    digits: u8,
    padded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    half: Option<Half>,
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
            orders.day_first &= date.days(DateOrder::DayFirst).is_some();
            orders.month_first &= date.days(DateOrder::MonthFirst).is_some();
        }
        let first = stamps.first()?;
        let guess = first.date.is_some_and(|date| date.separator != '/');
        let (order, open) = match first.date {
            Some(Date { order: Some(order), .. }) => (order, false),
            _ => {
                let day = match (orders.day_first, orders.month_first) {
                    (true, true) => day_first.unwrap_or(guess),
                    (day, _) => day,
                };
                let open = orders.day_first && orders.month_first && first.date.is_some();
                (if day { DateOrder::DayFirst } else { DateOrder::MonthFirst }, open && day_first.is_none())
            }
        };
        // Years with the end of the next one are seasons.
        let season = |stamp: &Stamp| stamp.date.is_some_and(|date| date.is_season());
        if stamps.len() > 2 && stamps.iter().all(season) {
            return None;
        }
        let mut format = Self::like(first, order);
        for stamp in stamps {
            format = format.merged(Self::like(stamp, order))?;
        }
        stamps.iter().all(|stamp| format.value(stamp).is_some()).then_some((format, open))
    }

    fn like(stamp: &Stamp, order: DateOrder) -> Self {
        Self {
            date: stamp.date.map(|date| DateStyle {
                order,
                separator: date.separator,
                padded: date.padded,
                short: date.short,
                name: date.name,
                no_day: date.no_day,
            }),
            time: stamp.time.map(|time| TimeStyle {
                seconds: time.has_seconds,
                digits: time.digits,
                padded: time.padded,
                half: time.half,
            }),
            join: stamp.join,
            zone: stamp.zone,
        }
    }

    /// A format for the cells of both, where they go together.
    fn merged(self, other: Self) -> Option<Self> {
        let date = match (self.date, other.date) {
            (None, None) => None,
            (Some(a), Some(b)) if a.is_like(b.separator, b.short, b.name, b.no_day) => {
                Some(DateStyle { padded: a.padded && b.padded, name: MonthName::merged(a.name, b.name), ..a })
            }
            _ => return None,
        };
        let (time, join, zone) = match (self.time, other.time) {
            (Some(a), Some(b)) if a.half.is_some() == b.half.is_some() => {
                let zone = match (self.zone, other.zone) {
                    (a, b) if a == b => a,
                    (Zone::None, _) | (_, Zone::None) => return None,
                    _ => Zone::Offset(0),
                };
                let seconds = a.seconds || b.seconds;
                let digits = a.digits.max(b.digits);
                (Some(TimeStyle { seconds, digits, padded: a.padded && b.padded, half: a.half }), self.join, zone)
            }
            // A date among dates with times is midnight, where there are no zones.
            (None, _) | (_, None) if self.zone == Zone::None && other.zone == Zone::None => {
                let (a, b) = (self.time, other.time);
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
        // "3:45" among times with AM and PM may be either.
        if let (Some(style), Some(time)) = (self.time, stamp.time)
            && style.half.is_some() != time.half.is_some()
        {
            return None;
        }
        match (self.date, &stamp.date, self.time) {
            (None, None, Some(_)) => stamp.time.map(|time| time.seconds),
            (Some(style), Some(date), time) => {
                if !style.is_like(date.separator, date.short, date.name, date.no_day) {
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
            DateOrder::YearFirst => return false,
            DateOrder::DayFirst => DateOrder::MonthFirst,
            DateOrder::MonthFirst => DateOrder::DayFirst,
        };
        Self { date: Some(DateStyle { order, ..style }), ..*self }.value(stamp).is_some()
    }

    /// Which part of a date comes first, where there is a date.
    pub fn order(&self) -> Option<DateOrder> {
        self.date.map(|date| date.order)
    }

    /// Whether its years have two digits.
    pub(super) fn has_short_years(&self) -> bool {
        self.date.is_some_and(|date| date.short)
    }

    /// Whether it has a date.
    pub(super) fn has_date(&self) -> bool {
        self.date.is_some()
    }

    /// Whether it has a time.
    pub(crate) fn has_time(&self) -> bool {
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

impl MonthName {
    /// The spelling of a column that has both, where each is one.
    fn merged(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (one, other) = (one?, other?);
        Some(Self {
            long: one.long && other.long,
            upper: one.upper && other.upper,
            lower: one.lower && other.lower,
            may: one.may && other.may,
            ..one
        })
    }

    fn write(self, month: u32) -> String {
        let name = MONTHS.get(month.saturating_sub(1) as usize).copied().unwrap_or_default();
        let name = if self.long && !self.may { name } else { name.get(..3).unwrap_or(name) };
        match (self.upper, self.lower) {
            (true, _) => name.to_ascii_uppercase(),
            (_, true) => name.to_ascii_lowercase(),
            _ => name.to_owned(),
        }
    }
}

impl DateStyle {
    /// Whether a date with these properties goes with the others of the column.
    fn is_like(&self, separator: char, short: bool, name: Option<MonthName>, no_day: bool) -> bool {
        let comma = |name: Option<MonthName>| name.map(|name| name.comma);
        (self.separator, self.short, self.no_day, comma(self.name)) == (separator, short, no_day, comma(name))
    }

    fn write(self, days: f64, text: &mut String) {
        // A cast of a number that is too large gives the largest; such a date does not exist: the last that does.
        let days = (days as i32).clamp(-719_162, 2_932_896);
        let Some(date) = NaiveDate::from_num_days_from_ce_opt(days + EPOCH) else { return };
        let (year, month, day) = (date.year(), date.month(), date.day());
        let part = |value: u32| if self.padded { format!("{value:02}") } else { value.to_string() };
        let year = if self.short { format!("{:02}", year % 100) } else { format!("{year:04}") };
        let (month, mut day) = (self.name.map_or_else(|| part(month), |name| name.write(month)), part(day));
        if self.name.is_some_and(|name| name.comma) {
            day.push(',');
        }
        let parts = match self.order {
            DateOrder::YearFirst => [year, month, day],
            DateOrder::DayFirst => [day, month, year],
            DateOrder::MonthFirst => [month, day, year],
        };
        let parts = parts.get(..if self.no_day { 2 } else { 3 }).unwrap_or_default();
        text.push_str(&parts.join(self.separator.encode_utf8(&mut [0; 4])));
    }
}

impl TimeStyle {
    /// `units`: of a second divided by `unit`.
    fn write(self, units: f64, unit: f64, text: &mut String) {
        let whole = (units / unit + 1e-9 / unit).floor();
        let fraction = (units - whole * unit).max(0.0);
        let whole = whole as u64;
        let (hour, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        let hours = if self.half.is_some() { (hour + 11) % 12 + 1 } else { hour };
        let _ = if self.padded { write!(text, "{hours:02}") } else { write!(text, "{hours}") };
        let _ = write!(text, ":{minutes:02}");
        if self.seconds {
            let _ = write!(text, ":{seconds:02}");
        }
        if self.digits > 0 {
            let _ = write!(text, ".{:0width$}", fraction as u64, width = usize::from(self.digits));
        }
        if let Some(Half { space, upper }) = self.half {
            text.push_str(if space { " " } else { "" });
            text.push_str(match (hour % 24 < 12, upper) {
                (true, true) => "AM",
                (true, false) => "am",
                (false, true) => "PM",
                (false, false) => "pm",
            });
        }
    }
}
