//! Rules that the API server checks, and what it says when one does not hold: field, value, what is allowed.

use kube::core::{Message, Rule};

pub(crate) const URL: &str = "self.startsWith('https://') || self.startsWith('http://')";

/// A rule with a CEL expression for its message.
pub(crate) fn rule(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(rule).message(Message::Expression(message.into()))
}

/// A field that holds a URL.
pub(crate) fn url(field: &str) -> Rule {
    rule(URL, format!("'{field}: \"' + self + '\"; allowed: URLs that begin with https:// or http://'"))
}

/// A field that stays as it is.
pub(crate) fn immutable(field: &str) -> Rule {
    rule("self == oldSelf", format!("'{field}: \"' + self + '\"; immutable, it is \"' + oldSelf + '\"'"))
}

/// An object of which exactly one field is set. Strings of unknown length, such as those of `join`, would be over the
/// API server's budget for a message.
pub(crate) fn one_of(field: &str, kinds: &[&str]) -> Rule {
    let set: Vec<_> = kinds.iter().map(|kind| format!("has(self.{kind})")).collect();
    let none: Vec<_> = set.iter().map(|set| format!("!{set}")).collect();
    let named: Vec<_> = kinds.iter().map(|kind| format!("(has(self.{kind}) ? ' {kind}' : '')")).collect();
    let (none, named, allowed) = (none.join(" && "), named.join(" + "), kinds.join(", "));
    rule(
        format!("[{}].filter(set, set).size() == 1", set.join(", ")),
        format!("'{field}:' + ({none} ? ' none' : {named}) + '; allowed: exactly one of {allowed}'"),
    )
}
