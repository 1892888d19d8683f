//! Errors of settings.

use std::fmt;

/// One wrong setting. `Display` shows the variable, its value unless it is a secret, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the variable to change, for example `PDS_PORT`.
    pub variable: &'static str,
    /// The current value. `None` if the variable is not set or a secret.
    pub value: Option<String>,
    /// What is wrong and what is allowed. Continues a sentence that begins with the name of the variable.
    pub message: String,
}

/// All problems of one reading; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}: {}", self.variable, self.message),
            None => write!(f, "{}: {}", self.variable, self.message),
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "1 setting is wrong:")?,
            count => write!(f, "{count} settings are wrong:")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
