//! Numbers as people write them: decimal point or comma, with or without separators of thousands.

use super::dialect::{Decimal, Delimiter, Options, Thousands};

/// How the numbers of a table are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) decimal: Decimal,
    pub(super) thousands: Thousands,
}

impl Style {
    /// As programs write them: `-1234.5e-6`.
    pub(super) const PLAIN: Self = Self { decimal: Decimal::Point, thousands: Thousands::None };

    /// The styles that are possible, the likeliest first.
    pub(super) fn possible(delimiter: Delimiter, options: &Options) -> Vec<Self> {
        use {Decimal::*, Thousands as T};
        let styles = [
            (Point, T::None),
            (Comma, T::None),
            (Point, T::Comma),
            (Comma, T::Point),
            (Point, T::Apostrophe),
            (Comma, T::Apostrophe),
            (Point, T::Space),
            (Comma, T::Space),
        ];
        let styles = styles
            .into_iter()
            .filter(|(decimal, thousands)| options.decimal.allows(*decimal) && options.thousands.allows(*thousands));
        let mut styles: Vec<_> = styles.map(|(decimal, thousands)| Self { decimal, thousands }).collect();
        // Who writes commas between cells writes points in numbers: "1,234" in quotes is a thousand.
        let sure = Self { decimal: Point, thousands: T::Comma };
        let comma = styles.iter().position(|style| style.decimal == Comma);
        let thousand = styles.iter().position(|style| *style == sure);
        if let (Delimiter::Comma, Some(comma), Some(thousand)) = (delimiter, comma, thousand)
            && comma < thousand
        {
            styles.swap(comma, thousand);
        }
        styles
    }

    /// The number that a cell holds, if it is finite.
    pub(super) fn parse(self, cell: &str) -> Option<f64> {
        // Typesetters write a minus sign of their own.
        if let Some(rest) = cell.strip_prefix('\u{2212}') {
            return self
                .parse(rest)
                .filter(|_| rest.starts_with(|first: char| first.is_ascii_digit()))
                .map(|value| -value);
        }
        let plain = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
        if self == Self::PLAIN {
            return plain(cell);
        }
        let point = if self.decimal == Decimal::Point { '.' } else { ',' };
        // Longer numbers have no groups.
        let mut buffer = [0u8; 64];
        let mut length = 0;
        // Digits since the last separator; whether there was one; whether the integer part is over.
        let (mut digits, mut grouped, mut over) = (0, false, false);
        for character in cell.chars() {
            let kept = match character {
                '0'..='9' => {
                    digits += 1;
                    character
                }
                _ if character == point && !over => {
                    if grouped && digits != 3 {
                        return None;
                    }
                    over = true;
                    '.'
                }
                _ if self.separates(character) && !over => {
                    let zero = !grouped && buffer.iter().take(length).find(|byte| byte.is_ascii_digit()) == Some(&b'0');
                    if zero || !(if grouped { digits == 3 } else { (1..=3).contains(&digits) }) {
                        return None;
                    }
                    (digits, grouped) = (0, true);
                    continue;
                }
                'e' | 'E' => {
                    if grouped && !over && digits != 3 {
                        return None;
                    }
                    over = true;
                    character
                }
                '+' | '-' => character,
                _ => return None,
            };
            *buffer.get_mut(length)? = kept as u8;
            length += 1;
        }
        if grouped && !over && digits != 3 {
            return None;
        }
        plain(std::str::from_utf8(buffer.get(..length)?).ok()?)
    }

    fn separates(self, character: char) -> bool {
        match self.thousands {
            Thousands::None => false,
            Thousands::Comma => character == ',',
            Thousands::Point => character == '.',
            Thousands::Apostrophe => matches!(character, '\'' | '\u{2019}'),
            Thousands::Space => matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'),
        }
    }
}

/// A number as programs write it, in the fewest digits that give it back: `3`, `0.1`, `1e39`.
pub(crate) fn write(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
