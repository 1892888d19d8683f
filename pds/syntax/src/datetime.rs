//! Timestamps. The data model stores them as text.

use std::sync::Arc;

use crate::text::text_type;

/// A timestamp that is valid in RFC 3339, ISO 8601 and WHATWG HTML. Keeps the original text.
/// Source: <https://atproto.com/specs/lexicon#datetime>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datetime(Arc<str>);
text_type!(Datetime, "datetime");

impl Datetime {
    fn check(text: &str) -> Result<(), &'static str> {
        const FORM: &str = "must be like 1985-04-12T23:20:50.123Z, with a time zone";
        if text.len() > 64 || !text.is_ascii() {
            return Err(FORM);
        }
        let bytes = text.as_bytes();
        if bytes.len() < 20 {
            return Err(FORM);
        }
        let number = |from: usize, len: usize| -> Result<u32, &'static str> {
            let digits = &bytes[from..from + len];
            if !digits.iter().all(u8::is_ascii_digit) {
                return Err(FORM);
            }
            Ok(digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
        };
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, wanted)| bytes[*at] != *wanted) {
            return Err(FORM);
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err("the month must be 01 to 12"),
        };
        if day == 0 || day > days {
            return Err("the month does not have this day");
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err("the time of day is out of range");
        }
        let mut rest = &bytes[19..];
        if let [b'.', tail @ ..] = rest {
            let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 20 {
                return Err("fractional seconds must have 1 to 20 digits");
            }
            rest = &tail[digits..];
        }
        match rest {
            [b'Z'] => Ok(()),
            [b'+' | b'-', h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) => {
                let (hours, minutes) = ((h1 - b'0') * 10 + (h2 - b'0'), (m1 - b'0') * 10 + (m2 - b'0'));
                if rest == b"-00:00" {
                    return Err("the zone -00:00 is not allowed: use Z");
                }
                if hours > 23 || minutes > 59 {
                    return Err("the zone is out of range");
                }
                let ahead = u32::from(hours) * 60 + u32::from(minutes);
                if rest[0] == b'+' && (year, month, day) == (0, 1, 1) && hour * 60 + minute < ahead {
                    return Err("must not be before the year zero");
                }
                if rest[0] == b'-' && (year, month, day) == (9999, 12, 31) && hour * 60 + minute + ahead >= 24 * 60 {
                    return Err("must not be after the year 9999");
                }
                Ok(())
            }
            _ => Err("a time zone is required: Z or +hh:mm"),
        }
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_others_cannot_read_is_refused() {
        for (text, valid) in [
            ("2016-12-31T23:59:59Z", true),
            ("2016-12-31T23:59:60Z", false),
            ("0000-01-01T01:00:00+01:00", true),
            ("0000-01-01T00:59:59+01:00", false),
            ("9999-12-31T22:59:59-01:00", true),
            ("9999-12-31T23:00:00-01:00", false),
            ("9999-12-31T23:59:59Z", true),
        ] {
            assert_eq!(text.parse::<Datetime>().is_ok(), valid, "{text}");
        }
    }
}
