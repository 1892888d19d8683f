//! What a check has found.

use serde_json::{Value, json};

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    level: Level,
    /// The part that was checked.
    subject: &'static str,
    /// What was found.
    text: String,
    /// What to do; empty if nothing.
    advice: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    /// It works.
    pub(super) fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject, text: text.into(), advice: String::new() }
    }

    /// The server works, with less than it could do.
    pub(super) fn warn(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject, text: text.into(), advice: advice.into() }
    }

    /// Something does not work.
    pub(super) fn fail(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject, text: text.into(), advice: advice.into() }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.level == Level::Fail
    }

    /// For people: the finding, and what to do below it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:<4} {}: {}", self.level.name(), self.subject, self.text)];
        if !self.advice.is_empty() {
            lines.push(format!("     {}", self.advice));
        }
        lines
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({"level": self.level.name(), "subject": self.subject, "text": self.text, "advice": self.advice})
    }
}
