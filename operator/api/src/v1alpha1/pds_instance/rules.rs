//! What the API server refuses of a `PdsInstance` by itself.

use kube::core::Rule;

use super::super::rule::rule;

/// Endings that names of children have. An instance may not have a name with such an ending, since its own objects would have the
/// names of another instance's children. A test of the controller holds the names of all children against this list.
pub const RESERVED_SUFFIXES: [&str; 9] =
    ["-keys", "-pg", "-pg-headless", "-s3", "-metrics", "-data", "-pds", "-migrate", "-config"];

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

macro_rules! rotation_key {
    ($spec:literal) => {
        concat!(
            "(has(",
            $spec,
            ".keys) && has(",
            $spec,
            ".keys.kms) ? '\"' + ",
            $spec,
            ".keys.kms.keyId + '\"' : 'absent')"
        )
    };
}

const SQLITE: &str = "(has(self.database) && has(self.database.sqlite))";

pub(crate) fn name_length() -> Rule {
    rule(
        "size(self.metadata.name) <= 40",
        "'metadata.name: \"' + self.metadata.name + '\"; allowed: at most 40 characters, \
         because names of other objects begin with it'",
    )
}

/// The name of a child ends in a reserved suffix, with a hash of ten digits behind it where there can be several.
pub(crate) fn name_suffix() -> Rule {
    let endings = RESERVED_SUFFIXES.map(|suffix| suffix.trim_start_matches('-')).join("|");
    rule(
        format!("!self.metadata.name.matches('-({endings})(-[0-9a-f]{{10}})?$')"),
        format!(
            "'metadata.name: \"' + self.metadata.name + '\"; allowed: names that do not end in {}, \
             because names of other objects do'",
            RESERVED_SUFFIXES.join(" ")
        ),
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

/// The identity documents of the accounts name the rotation key.
pub(crate) fn same_rotation_key() -> Rule {
    let rule = rule(
        concat!(rotation_key!("self"), " == ", rotation_key!("oldSelf")),
        concat!(
            "'spec.keys.kms.keyId: ' + ",
            rotation_key!("self"),
            " + '; immutable, it is ' + ",
            rotation_key!("oldSelf")
        ),
    );
    rule.field_path(".keys")
}
