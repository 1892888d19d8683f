//! Which preferences a session sees and changes. Pure.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

/// The only namespace in which preferences can be stored.
const NAMESPACE: &str = "app.bsky";
/// Only sessions with the account's own password see and change it.
const PERSONAL_DETAILS: &str = "app.bsky.actor.defs#personalDetailsPref";
/// Computed from the date of birth; what clients send is ignored.
const DECLARED_AGE: &str = "app.bsky.actor.defs#declaredAgePref";
/// Maximum number of preferences.
const MAX_COUNT: usize = 1_000;

/// Preferences that are refused. The texts are those of the reference implementation, except the last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("Preference is missing a $type")]
    NoType,
    #[error("Some preferences are not in the {NAMESPACE} namespace")]
    Namespace,
    #[error("Do not have authorization to set preferences: {0}")]
    Forbidden(String),
    #[error("Input/preferences must have at most {MAX_COUNT} items, found {0}")]
    TooMany(usize),
}

/// The preferences that a session sees at `now_us`, from the stored text. `is_full`: whether the session has all rights of the account.
///
/// # Errors
/// When the stored text is damaged.
pub fn visible(stored: Option<&str>, is_full: bool, now_us: i64) -> serde_json::Result<Vec<Value>> {
    let mut preferences: Vec<Value> = stored.map(serde_json::from_str).transpose()?.unwrap_or_default();
    preferences.retain(|preference| is_in_namespace(kind(preference)));
    let personal = preferences.iter().find(|preference| kind(preference) == PERSONAL_DETAILS);
    if let Some(birth) = personal.and_then(|personal| personal["birthDate"].as_str()).filter(|birth| !birth.is_empty())
    {
        let age = age(birth, now_us);
        let over = |years| age.is_some_and(|age| age >= years);
        preferences.push(json!({
            "$type": DECLARED_AGE, "isOverAge13": over(13), "isOverAge16": over(16), "isOverAge18": over(18),
        }));
    }
    preferences.retain(|preference| is_allowed(kind(preference), is_full));
    Ok(preferences)
}

/// The text to be stored when a session replaces the preferences that it may change. The others stay.
///
/// # Errors
/// When the session may not store one of them.
pub fn replaced(stored: Option<&str>, given: Vec<Value>, is_full: bool) -> Result<String, Error> {
    if given.len() > MAX_COUNT {
        return Err(Error::TooMany(given.len()));
    }
    if given.iter().any(|preference| !preference["$type"].is_string()) {
        return Err(Error::NoType);
    }
    if !given.iter().all(|preference| is_in_namespace(kind(preference))) {
        return Err(Error::Namespace);
    }
    let forbidden: Vec<_> = given.iter().map(kind).filter(|kind| !is_allowed(kind, is_full)).collect();
    if !forbidden.is_empty() {
        return Err(Error::Forbidden(forbidden.join(", ")));
    }
    // A damaged text is replaced.
    let mut all: Vec<Value> = stored.and_then(|stored| serde_json::from_str(stored).ok()).unwrap_or_default();
    all.retain(|preference| !is_in_namespace(kind(preference)) || !is_allowed(kind(preference), is_full));
    all.extend(given.into_iter().filter(|preference| kind(preference) != DECLARED_AGE));
    Ok(Value::Array(all).to_string())
}

fn kind(preference: &Value) -> &str {
    preference["$type"].as_str().unwrap_or_default()
}

fn is_in_namespace(kind: &str) -> bool {
    kind.strip_prefix(NAMESPACE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_allowed(kind: &str, is_full: bool) -> bool {
    is_full || kind != PERSONAL_DETAILS
}

/// Completed years between a date and a moment, in UTC. `None` if the text is no date.
fn age(birth: &str, now_us: i64) -> Option<i16> {
    let utc = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    let birth: Date = birth.parse().map(utc).or_else(|_| birth.parse()).ok()?;
    let today = utc(Timestamp::from_microsecond(now_us).ok()?);
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    Some(today.year() - birth.year() - i16::from(!had_birthday))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15
    const NOW: i64 = 1_768_435_200_000_000;

    fn personal(birth: &str) -> Value {
        json!({"$type": PERSONAL_DETAILS, "birthDate": birth})
    }

    fn saved() -> Value {
        json!({"$type": "app.bsky.actor.defs#savedFeedsPref", "pinned": [], "saved": []})
    }

    #[test]
    fn an_age_is_declared_to_everybody_and_a_birthday_to_its_owner() {
        for (birth, [over13, over16, over18]) in [
            ("2013-01-15", [true, false, false]),
            ("2013-01-16T00:00:00.000Z", [false, false, false]),
            ("2010-01-14T23:00:00-05:00", [true, true, false]),
            ("1980-06-01T00:00:00Z", [true, true, true]),
            ("yesterday", [false, false, false]),
        ] {
            let declared =
                json!({"$type": DECLARED_AGE, "isOverAge13": over13, "isOverAge16": over16, "isOverAge18": over18});
            let stored = Value::Array(vec![personal(birth), saved()]).to_string();
            assert_eq!(visible(Some(&stored), true, NOW).unwrap(), [personal(birth), saved(), declared.clone()]);
            assert_eq!(visible(Some(&stored), false, NOW).unwrap(), [saved(), declared]);
        }
        assert!(visible(None, true, NOW).unwrap().is_empty());
    }

    #[test]
    fn a_session_replaces_what_it_may_change() {
        let stored = Value::Array(vec![personal("2000-01-01"), saved()]).to_string();
        let theme = json!({"$type": "app.bsky.actor.defs#threadViewPref", "sort": "newest"});
        let declared = json!({"$type": DECLARED_AGE, "isOverAge18": true});
        let written = replaced(Some(&stored), vec![theme.clone(), declared], false).unwrap();
        assert_eq!(written, Value::Array(vec![personal("2000-01-01"), theme.clone()]).to_string());
        assert_eq!(replaced(Some(&stored), vec![theme.clone()], true).unwrap(), Value::Array(vec![theme]).to_string());
        assert_eq!(replaced(None, vec![], true).unwrap(), "[]");
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let refused = |value: Value, is_full| replaced(None, vec![saved(), value], is_full).unwrap_err().to_string();
        assert_eq!(refused(json!({"a": 1}), true), "Preference is missing a $type");
        for kind in ["com.example.pref", "app.bskyish.pref"] {
            assert_eq!(refused(json!({"$type": kind}), true), "Some preferences are not in the app.bsky namespace");
        }
        let message = format!("Do not have authorization to set preferences: {PERSONAL_DETAILS}");
        assert_eq!(refused(personal("2000-01-01"), false), message);
        assert!(matches!(replaced(None, vec![saved(); 1_001], true), Err(Error::TooMany(1_001))));
    }
}
