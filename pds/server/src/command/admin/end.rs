//! Times in the future, as people name them on a command line.

use jiff::{Span, Timestamp, tz::TimeZone};

/// A time, or the time after a duration from now.
///
/// # Errors
/// What is allowed instead.
pub(super) fn end(text: &str) -> Result<Timestamp, String> {
    let now = Timestamp::now();
    let after = |span: Span| now.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|time| time.timestamp());
    let end = text.parse::<Timestamp>().ok().or_else(|| text.parse().ok().and_then(after));
    let in_future = end.filter(|end| *end > now);
    in_future.ok_or_else(|| {
        "allowed: a time in the future such as 2027-01-31T12:00:00Z, or a duration such as 12h or 7d".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        assert_eq!(end("2999-01-31T12:00:00Z").unwrap().to_string(), "2999-01-31T12:00:00Z");
        for (text, hours) in [("12h", 12), ("7d", 7 * 24), ("1 day", 24), ("P2D", 48)] {
            let expected = Timestamp::now() + hours.hours();
            let found = end(text).unwrap();
            assert!(found >= expected && found < expected + 1.minutes(), "{text}: {found}");
        }
        for text in ["", "7", "soon", "-7d", "7d ago", "2020-01-31T12:00:00Z", "2999-01-31", "99999999y"] {
            assert!(end(text).is_err(), "{text}");
        }
    }
}
