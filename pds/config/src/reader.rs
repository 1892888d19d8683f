//! Reads variables and collects the problems.

use crate::error::{Errors, Problem};
use crate::reference;
use crate::variable::{Fallback, Setting, Variable};

type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// One reading of the environment. A wrong value becomes a problem, and reading goes on with the default, so that one reading finds all
/// problems.
pub(crate) struct Reader<'a> {
    lookup: &'a Lookup<'a>,
    problems: Vec<Problem>,
    read: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self { lookup, problems: Vec::new(), read: Vec::new() }
    }

    /// The value, or `None` if the variable is not set or wrong.
    pub(crate) fn optional<T>(&mut self, setting: &Setting<T>) -> Option<T> {
        let variable = &setting.variable;
        self.read.push(variable.name);
        let raw = self.raw(variable)?;
        match (setting.codec.parse)(&raw) {
            Ok(value) => Some(value),
            Err(reason) => {
                let message = format!("{reason}; allowed: {}", variable.allowed);
                let value = (!variable.secret).then_some(raw);
                self.problems.push(Problem { variable: variable.name, value, message });
                None
            }
        }
    }

    /// The value, or the declared default if the variable is not set or wrong.
    pub(crate) fn value<T>(&mut self, setting: &Setting<T>) -> T {
        let Fallback::Value(text) = setting.variable.default else {
            unreachable!("{} is read as if it had a fixed default", setting.variable.name)
        };
        let default = || (setting.codec.parse)(text).ok();
        self.optional(setting).or_else(default).expect("a test parses every default")
    }

    /// Adds a problem with a setting that depends on other settings. `value` is the value of the variable; it is dropped if it is a secret.
    pub(crate) fn refuse<T>(&mut self, setting: &Setting<T>, value: Option<String>, message: impl Into<String>) {
        let value = value.filter(|_| !setting.variable.secret);
        self.problems.push(Problem { variable: setting.variable.name, value, message: message.into() });
    }

    /// True if the variable or its `_FILE` form is set, even to a wrong value.
    pub(crate) fn is_set<T>(&self, setting: &Setting<T>) -> bool {
        let name = setting.variable.name;
        self.text(name).is_some() || self.text(&format!("{name}_FILE")).is_some()
    }

    /// Adds the problems with settings of the reference implementation that this server cannot do.
    pub(crate) fn refuse_reference_settings(&mut self) {
        self.problems.extend(reference::refused(self.lookup));
    }

    /// All problems.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// The names that were read. A test checks that every declared variable is read.
    #[cfg(test)]
    pub(crate) fn names_read(&self) -> &[&'static str] {
        &self.read
    }

    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Errors> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Errors(self.problems)),
        }
    }

    fn raw(&mut self, variable: &Variable) -> Option<String> {
        let from_file = format!("{}_FILE", variable.name);
        match (self.text(variable.name), self.text(&from_file)) {
            (None, None) => None,
            (Some(value), None) => Some(value),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(text.trim().to_owned()),
                Err(error) => {
                    let message = format!("cannot read the file {path:?} that {from_file} names: {error}");
                    self.problems.push(Problem { variable: variable.name, value: None, message });
                    None
                }
            },
            (Some(_), Some(path)) => {
                let message = format!("both this variable and {from_file}={path:?} are set; allowed: one of them");
                self.problems.push(Problem { variable: variable.name, value: None, message });
                None
            }
        }
    }

    /// The value without surrounding white space. An empty variable counts as not set, as in the reference implementation.
    fn text(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let trimmed = value.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }
}
