//! Rules that the API server checks, and what it says when one does not hold: field, value, what is allowed.

use kube::core::{Message, Rule};

/// Whether a spec keeps blobs on disk; with SQLite that is what is meant by nothing.
macro_rules! on_disk {
    ($spec:literal) => {
        concat!(
            "(has(",
            $spec,
            ".blobStore) ? has(",
            $spec,
            ".blobStore.disk) : ",
            "has(",
            $spec,
            ".database) && has(",
            $spec,
            ".database.sqlite))"
        )
    };
}

macro_rules! engine {
    ($spec:literal) => {
        concat!(
            "(!has(",
            $spec,
            ".database) ? 'postgres' : has(",
            $spec,
            ".database.sqlite) ? 'sqlite' : ",
            "has(",
            $spec,
            ".database.external) ? 'external' : 'postgres')"
        )
    };
}

macro_rules! class {
    ($spec:literal) => {
        concat!("(has(", $spec, ".className) ? '\"' + ", $spec, ".className + '\"' : 'absent')")
    };
}

macro_rules! bucket {
    ($spec:literal) => {
        concat!(
            "(has(",
            $spec,
            ".blobStore) && has(",
            $spec,
            ".blobStore.s3) && has(",
            $spec,
            ".blobStore.s3.bucket) ? ",
            "'\"' + ",
            $spec,
            ".blobStore.s3.bucket + '\"' : 'absent')"
        )
    };
}

pub(crate) const URL: &str = "self.startsWith('https://') || self.startsWith('http://')";
const SQLITE: &str = "(has(self.database) && has(self.database.sqlite))";

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

pub(crate) fn name_length() -> Rule {
    rule(
        "size(self.metadata.name) <= 40",
        "'metadata.name: \"' + self.metadata.name + '\"; allowed: at most 40 characters, \
         because names of other objects begin with it'",
    )
}

pub(crate) fn name_letters() -> Rule {
    rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "'metadata.name: \"' + self.metadata.name + '\"; allowed: lowercase letters, digits and hyphens, \
         beginning with a letter, because names of Services begin with it'",
    )
}

pub(crate) fn disk_needs_sqlite() -> Rule {
    let rule = rule(
        format!("!(has(self.blobStore) && has(self.blobStore.disk)) || {SQLITE}"),
        concat!("'spec.blobStore: disk, with database ' + ", engine!("self"), " + '; allowed: disk with sqlite, s3'"),
    );
    rule.field_path(".blobStore.disk")
}

pub(crate) fn sqlite_is_one_pod() -> Rule {
    let rule = rule(
        format!("!{SQLITE} || !has(self.replicas) || self.replicas <= 1"),
        "'spec.replicas: more than 1; allowed with database.sqlite: 0, 1'",
    );
    rule.field_path(".replicas")
}

pub(crate) fn same_class() -> Rule {
    let rule = rule(
        concat!(class!("self"), " == ", class!("oldSelf")),
        concat!("'spec.className: ' + ", class!("self"), " + '; immutable, it is ' + ", class!("oldSelf")),
    );
    rule.field_path(".className")
}

pub(crate) fn same_engine() -> Rule {
    let rule = rule(
        concat!(engine!("self"), " == ", engine!("oldSelf")),
        concat!("'spec.database: ' + ", engine!("self"), " + '; the kind is immutable, it is ' + ", engine!("oldSelf")),
    );
    rule.field_path(".database")
}

pub(crate) fn same_blob_store() -> Rule {
    let rule = rule(
        concat!(on_disk!("self"), " == ", on_disk!("oldSelf")),
        concat!(
            "'spec.blobStore: ' + (",
            on_disk!("self"),
            " ? 'disk' : 's3') + '; the kind is immutable, it is ' + (",
            on_disk!("oldSelf"),
            " ? 'disk' : 's3')"
        ),
    );
    rule.field_path(".blobStore")
}

pub(crate) fn same_bucket() -> Rule {
    let rule = rule(
        concat!(bucket!("self"), " == ", bucket!("oldSelf")),
        concat!("'spec.blobStore.s3.bucket: ' + ", bucket!("self"), " + '; immutable, it is ' + ", bucket!("oldSelf")),
    );
    rule.field_path(".blobStore")
}
