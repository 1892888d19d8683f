//! The shape of one declaration.

use crate::codec::Codec;

/// The documentation of one variable, as the configuration reference prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Heading under which the reference lists it.
    pub section: &'static str,
    /// Name in the environment.
    pub name: &'static str,
    /// What counts when it is not set.
    pub default: Fallback,
    /// Which values are accepted, in words.
    pub allowed: &'static str,
    /// True if the value must never be shown.
    pub secret: bool,
    /// What it does.
    pub about: &'static str,
}

/// What counts when a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, read as if it had been set.
    Value(&'static str),
    /// Something that follows from other settings or the machine, in words.
    Computed(&'static str),
    /// Nothing: the feature is off.
    Unset,
    /// Starting is refused.
    Required,
}

/// A variable together with how its text becomes a `T`.
pub(crate) struct Setting<T: 'static> {
    pub(crate) variable: Variable,
    pub(crate) codec: Codec<T>,
}
