//! The error of validation.

use std::fmt;

use serde_json::Value;

/// The first violation of a schema in a record, or in what is sent to a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {rule}{}", .found.as_ref().map(|found| format!(", found {found}")).unwrap_or_default())]
pub struct Error {
    /// Path of the value, for example `record/embed/images/0/alt`. `record` is the record itself, `rkey` its key; `Params`, `Input` and
    /// `Output` are those of a method.
    pub path: String,
    /// What the schema requires, for example `must be a string`.
    pub rule: String,
    /// The actual value, shortened. `None` if it is missing.
    pub found: Option<String>,
}

/// The result of checking one value.
pub(crate) type Checked = Result<(), Error>;

/// The path from the record to a value in it. Allocates only for an error.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Name(&'a str),
    Index(usize),
}

impl Path<'_> {
    pub(crate) const RECORD: Path<'static> = Path { parent: None, segment: Segment::Name("record") };
    pub(crate) const PARAMS: Path<'static> = Path { parent: None, segment: Segment::Name("Params") };
    pub(crate) const INPUT: Path<'static> = Path { parent: None, segment: Segment::Name("Input") };
    pub(crate) const OUTPUT: Path<'static> = Path { parent: None, segment: Segment::Name("Output") };

    pub(crate) fn property<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), segment: Segment::Name(name) }
    }

    pub(crate) fn item(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), segment: Segment::Index(index) }
    }

    /// The error that `value` is not as expected.
    pub(crate) fn wrong(&self, expected: impl fmt::Display, value: &Value) -> Error {
        self.found(expected, show(value))
    }

    /// As [`Path::wrong`], for the property of an object, which may be missing.
    pub(crate) fn wrong_or_missing(&self, expected: impl fmt::Display, value: Option<&Value>) -> Error {
        value.map_or_else(|| self.missing(), |value| self.wrong(expected, value))
    }

    /// As [`Path::wrong`], with a description instead of the value.
    pub(crate) fn found(&self, expected: impl fmt::Display, found: impl Into<String>) -> Error {
        self.broken(format!("must be {expected}"), found)
    }

    /// The error that a value breaks a rule.
    pub(crate) fn broken(&self, rule: impl Into<String>, found: impl Into<String>) -> Error {
        Error { path: shortened(self.to_string()), rule: shortened(rule.into()), found: Some(shortened(found.into())) }
    }

    /// The error that the object does not have this property.
    pub(crate) fn missing(&self) -> Error {
        let object = self.parent.map_or_else(String::new, ToString::to_string);
        let rule = shortened(format!("must have the property \"{}\"", self.segment));
        Error { path: shortened(object), rule, found: None }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}/")?;
        }
        self.segment.fmt(f)
    }
}

impl fmt::Display for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => index.fmt(f),
        }
    }
}

/// Names of a schema or a record may have a megabyte.
fn shortened(text: String) -> String {
    const BYTES: usize = 4096;
    if text.len() <= BYTES {
        return text;
    }
    let end = (0..=BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// Describes a value: small values literally, others by their kind.
fn show(value: &Value) -> String {
    const SHOWN_CHARS: usize = 60;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() > SHOWN_CHARS => {
            format!("{:?}...", text.chars().take(SHOWN_CHARS).collect::<String>())
        }
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(object) => match object.get("$type").and_then(Value::as_str) {
            Some(name) => format!("an object of type {:?}", name.chars().take(SHOWN_CHARS).collect::<String>()),
            None if object.len() == 1 && object.contains_key("$bytes") => "bytes".into(),
            None if object.len() == 1 && object.contains_key("$link") => "a CID link".into(),
            None => "an object".into(),
        },
    }
}
