//! The declaration of a variable.

use crate::codec::Codec;

/// The documentation of one variable, as the configuration reference prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Heading in the configuration reference.
    pub section: &'static str,
    pub name: &'static str,
    pub default: Fallback,
    /// Allowed values, in words.
    pub allowed: &'static str,
    /// The value must never be shown.
    pub secret: bool,
    /// Help text.
    pub about: &'static str,
}

/// The value of a variable that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, parsed like a value that is set.
    Value(&'static str),
    /// Computed from other settings or from the machine; a description in words.
    Computed(&'static str),
    /// None: the feature is off.
    Unset,
    /// None: the server does not start.
    Required,
}

/// A variable whose value has the type `T`.
pub(crate) struct Setting<T: 'static> {
    pub(crate) variable: Variable,
    pub(crate) codec: Codec<T>,
}
