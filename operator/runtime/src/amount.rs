//! Amounts as Kubernetes writes them, compared as numbers. `1.5Gi` and `1536Mi` are equal; nothing that somebody writes overflows.

/// The value in units of 10⁻⁹, at most [`u128::MAX`]; nothing for a text that is no amount. Rounded up to thousandths, as the API server rounds the
/// resources of pods.
pub(crate) fn nanos(text: &str) -> Option<u128> {
    Some(thousandths(text)?.saturating_mul(1_000_000))
}

fn thousandths(text: &str) -> Option<u128> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let (power_of_two, power_of_ten) = factor(suffix)?;
    // The digits without the point, of which the last ones may be too small to count.
    let digits = whole.bytes().chain(fraction.bytes());
    let value = digits.fold(0u128, |value, digit| value.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
    let value = value.saturating_mul(1u128 << power_of_two);
    let power = power_of_ten.saturating_add(3).saturating_sub(i32::try_from(fraction.len()).ok()?);
    let ten = |power: u32| 10u128.saturating_pow(power);
    Some(if power >= 0 {
        value.saturating_mul(ten(power.unsigned_abs()))
    } else {
        value.div_ceil(ten(power.unsigned_abs()))
    })
}

/// What a suffix multiplies with, as a power of two and a power of ten.
fn factor(suffix: &str) -> Option<(u32, i32)> {
    let found = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_amounts_are_equal_however_they_are_written() {
        for (one, other) in [
            ("1.5Gi", "1536Mi"),
            ("1000m", "1"),
            ("0.1", "100m"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("5.", "5"),
            (".5", "500m"),
            ("0.000000001", "1m"),
            ("1.0001", "1001m"),
            ("1.123456789Gi", "1206302541807m"),
            ("10Gi", "10240Mi"),
        ] {
            assert!(nanos(one).is_some() && nanos(one) == nanos(other), "{one} {other}");
        }
    }

    #[test]
    fn texts_that_are_no_amounts_have_no_value() {
        for text in ["", "x", ".", "1..2", "1.2.3", "Gi", "1 Gi", "-1", "1ki", "1e", "1e99999999999", "1é", "²"] {
            assert_eq!(nanos(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_amount_is_too_large_to_compare() {
        let nines = "9".repeat(400);
        for huge in [nines.as_str(), "99999999999999999999999999999Pi", "1e2000000000", "999999999999Ei"] {
            assert!(nanos(huge) > nanos("100Ti"), "{huge}");
        }
        assert_eq!(nanos("1e-2000000000"), nanos("1m"));
        assert_eq!(nanos(&format!("0.{}1", "0".repeat(300))), nanos("1m"));
    }
}
