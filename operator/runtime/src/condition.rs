//! Conditions in a status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Longest message of a condition, in bytes.
const LONGEST: usize = 1024;

/// Sets a condition. Its time changes only when its status does, so that writing the same again changes nothing.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
) {
    let status = if status { "True" } else { "False" };
    let found = conditions.iter_mut().find(|condition| condition.type_ == type_);
    let since = match &found {
        Some(old) if old.status == status => old.last_transition_time.clone(),
        _ => Time(Timestamp::now()),
    };
    let condition = Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message: one_line(message),
        last_transition_time: since,
        observed_generation: generation,
    };
    match found {
        Some(found) => *found = condition,
        None => conditions.push(condition),
    }
}

/// Turns foreign text into one line without control characters, at most 1024 bytes long, for a condition or an Event.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line: String =
        text.split(|letter: char| letter.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    line.truncate(line.floor_char_boundary(LONGEST));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_moves_with_the_status_alone() {
        let mut list = Vec::new();
        set(&mut list, "Ready", false, "A", "a", Some(1));
        list[0].last_transition_time = Time(Timestamp::UNIX_EPOCH);
        set(&mut list, "Ready", false, "B", "b", Some(2));
        assert_eq!((list[0].reason.as_str(), list[0].last_transition_time.0), ("B", Timestamp::UNIX_EPOCH));
        set(&mut list, "Ready", true, "C", "c", Some(2));
        assert_ne!(list[0].last_transition_time.0, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_message_is_one_bounded_line() {
        assert_eq!(one_line("a\nb\r\n\tc\u{1b}[31m"), "a b c [31m");
        assert_eq!(one_line(&"x".repeat(5000)).len(), LONGEST);
    }
}
