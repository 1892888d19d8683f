//! Durations and sizes: a whole number in the unit of the variable, or a whole number followed by a unit.
//!
//! Not parsed with `humantime` and `bytesize`, which accept mistakes and give them another meaning: `5M` is five months, `1 0s` is 10 s,
//! `0.4B` is 0 (which turns a quota off), `20EiB` is the largest number there is. Here such values are refused.

use std::time::Duration;

use super::Codec;

pub(crate) const MILLISECONDS: Codec<Duration> = Codec::new(
    "a whole number of milliseconds, or with a unit: 500ms, 3s, 5m, 1h, 1d",
    |text| parse_duration(text, 1),
    |duration| duration.as_millis().to_string(),
);

pub(crate) const SECONDS: Codec<Duration> = Codec::new(
    "a whole number of seconds, or with a unit: 500ms, 3s, 5m, 1h, 1d",
    |text| parse_duration(text, 1_000),
    |duration| match duration.subsec_millis() {
        0 => duration.as_secs().to_string(),
        _ => format!("{}ms", duration.as_millis()),
    },
);

pub(crate) const JOB_INTERVAL: Codec<Duration> = Codec::new(
    "1s to 30d: a whole number of seconds, or with a unit: 30s, 5m, 1h, 1d",
    |text| within(text, 1, 30 * 86_400),
    SECONDS.render,
);

pub(crate) const JOB_LEASE: Codec<Duration> = Codec::new(
    "3s to 1h: a whole number of seconds, or with a unit: 30s, 5m, 1h",
    |text| within(text, 3, 3_600),
    SECONDS.render,
);

pub(crate) const SIZE: Codec<u64> = Codec::new(
    "a whole number of bytes, or with a unit: 500KiB, 5MiB, 1GiB, 500kB, 5MB, 1GB",
    parse_size,
    u64::to_string,
);

/// The bytes of a size that is written as in the settings.
///
/// # Errors
/// What is allowed instead.
pub fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|reason| format!("{reason}; allowed: {}", SIZE.allowed))
}

/// A duration of so many seconds at least and at most.
fn within(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    let duration = parse_duration(text, 1_000)?;
    match duration >= Duration::from_secs(least) && duration <= Duration::from_secs(most) {
        true => Ok(duration),
        false => Err("is out of range".into()),
    }
}

fn parse_duration(text: &str, plain_ms: u64) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => plain_ms,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("has an unknown unit".into()),
    };
    let millis = number.checked_mul(factor).ok_or("is too long")?;
    Ok(Duration::from_millis(millis))
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("has an unknown unit".into()),
    };
    number.checked_mul(factor).ok_or_else(|| "is too large".into())
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse().map_err(|_| "does not begin with a whole number")?;
    Ok((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_with_a_known_unit_is_read() {
        for (text, ms) in
            [("250", 250), ("5ms", 5), ("5 s", 5_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)]
        {
            assert_eq!((MILLISECONDS.parse)(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, bytes) in
            [("5", 5), ("5B", 5), ("5 KiB", 5_120), ("5MiB", 5 << 20), ("5kB", 5_000), ("1GB", 1_000_000_000)]
        {
            assert_eq!((SIZE.parse)(text), Ok(bytes), "{text}");
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_likely_mistake_is_refused() {
        for text in ["5M", "5S", "1 0s", "1.5h", "5us", "1h30m", "+5s", "-5s", "5y", "", "s", "18446744073709551615d"] {
            assert!((MILLISECONDS.parse)(text).is_err(), "{text}");
        }
        for text in
            ["5m", "5mb", "5M", "5KB", "5kib", "1.5GB", "0.4B", "20EiB", "18446744073709551615GB", "+5", "1_000", ""]
        {
            assert!((SIZE.parse)(text).is_err(), "{text}");
        }
    }
}
