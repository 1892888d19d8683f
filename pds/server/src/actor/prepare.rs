//! Records before they are written: checked against their lexicon and the data model, encoded, and given a key.

use std::{collections::BTreeSet, sync::Arc};

use pds_lexicon::{Catalog, KeyType, ValidationStatus};
use pds_repo::{
    Cid,
    record::{self, Record},
};
use pds_syntax::{Nsid, RecordKey, RepoPath};
use serde_json::Value;

use super::Actors;

/// A record that may be written.
#[derive(Clone, Debug)]
pub struct PreparedRecord {
    /// Collection and key.
    pub path: RepoPath,
    /// The encoded record.
    pub record: Record,
    /// Result of the lexicon check; `None` if the client asked for none.
    pub status: Option<ValidationStatus>,
    /// [`pds_store::record::subject_hash`] in collections with one record per subject.
    pub subject_hash: Option<i64>,
}

impl PreparedRecord {
    /// The blobs that it refers to.
    #[must_use]
    pub fn blobs(&self) -> BTreeSet<Cid> {
        self.record.blobs.iter().map(|blob| blob.cid).collect()
    }
}

/// The schema that a record is checked against.
#[derive(Clone, Debug)]
pub enum Schema {
    /// That of this program, or none is needed.
    BuiltIn,
    /// One that others publish.
    Published(Arc<Catalog>),
    /// There is none. The reason is for a client that requires one.
    Unknown {
        /// Why it was not found.
        reason: Option<String>,
    },
}

impl Schema {
    fn catalog(&self) -> &Catalog {
        match self {
            Self::Published(catalog) => catalog,
            Self::BuiltIn | Self::Unknown { .. } => Catalog::bundled(),
        }
    }
}

/// Why a record may not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `$type` names another collection.
    #[error("Invalid $type: expected {expected}, got {found}")]
    Type {
        /// The collection.
        expected: Nsid,
        /// The record's `$type`.
        found: String,
    },
    /// The domain in the collection's name has upper-case letters: the same collection under a second name.
    #[error("Invalid collection {0}: its domain must be in lower case")]
    Collection(Nsid),
    /// The record is another kind of JSON value.
    #[error("A record must be an object")]
    NotAnObject,
    /// The client requires validation, and there is no lexicon.
    #[error("Unknown lexicon type: {collection}{}", .reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    UnknownLexicon {
        /// The collection.
        collection: Nsid,
        /// Why it was not found.
        reason: Option<String>,
    },
    /// The record does not match its lexicon.
    #[error("Invalid {collection} record: {source}")]
    Lexicon {
        /// The collection.
        collection: Nsid,
        /// The rule that is broken, and the path in the record.
        source: pds_lexicon::Error,
    },
    /// The record does not match the data model.
    #[error("Invalid {collection} record: {source}")]
    DataModel {
        /// The collection.
        collection: Nsid,
        /// The rule that is broken, and the path in the record.
        source: record::Error,
    },
    /// A blob reference of the form that the protocol gave up in 2023.
    #[error("Legacy blob ref at `{0}`: upload the file and refer to it by its CID")]
    LegacyBlob(String),
}

impl Actors {
    /// Checks and encodes a record. `schema` is that of the collection. Without `rkey` it gets a key as the lexicon asks for. `validate` is the client's wish.
    ///
    /// # Errors
    /// Why the record may not be written.
    pub fn prepare(
        &self,
        schema: &Schema,
        collection: &Nsid,
        rkey: Option<RecordKey>,
        mut value: Value,
        validate: Option<bool>,
    ) -> Result<PreparedRecord, Error> {
        if !collection.is_canonical() {
            return Err(Error::Collection(collection.clone()));
        }
        set_type(&mut value, collection)?;
        if let Some(path) = legacy_blob(&value) {
            return Err(Error::LegacyBlob(path));
        }
        let catalog = schema.catalog();
        if validate == Some(true) && !catalog.knows(collection) {
            let reason = if let Schema::Unknown { reason } = schema { reason.clone() } else { None };
            return Err(Error::UnknownLexicon { collection: collection.clone(), reason });
        }
        let lexicon = |source| Error::Lexicon { collection: collection.clone(), source };
        let status = catalog.status(collection, &value, validate).map_err(lexicon)?;
        let rkey = rkey.unwrap_or_else(|| self.next_key(catalog, collection));
        if catalog.knows(collection) && validate != Some(false) {
            catalog.validate_key(collection, &rkey).map_err(lexicon)?;
        }
        let record =
            record::from_json(&value).map_err(|source| Error::DataModel { collection: collection.clone(), source })?;
        let subject_hash = subject_hash_of_block(collection.as_str(), &record.bytes);
        Ok(PreparedRecord { path: RepoPath::new(collection, &rkey), record, status, subject_hash })
    }

    fn next_key(&self, catalog: &Catalog, collection: &Nsid) -> RecordKey {
        if let Some(KeyType::Literal(key)) = catalog.record_key_type(collection)
            && let Ok(key) = key.parse()
        {
            return key;
        }
        self.parts().tids.next(self.now_us().unsigned_abs()).into()
    }
}

/// Adds `$type` if it is absent.
fn set_type(value: &mut Value, collection: &Nsid) -> Result<(), Error> {
    let object = value.as_object_mut().ok_or(Error::NotAnObject)?;
    match object.get("$type") {
        None => {
            object.insert("$type".to_owned(), Value::String(collection.to_string()));
        }
        Some(Value::String(kind)) if kind == collection.as_str() => {}
        Some(other) => {
            let found = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return Err(Error::Type { expected: collection.clone(), found });
        }
    }
    Ok(())
}

/// Where the subject of a like, repost, follow or block is. An account has one of each per subject.
fn subject_path(collection: &str) -> Option<&'static [&'static str]> {
    match collection {
        "app.bsky.graph.follow" | "app.bsky.graph.block" => Some(&["subject"]),
        "app.bsky.feed.like" | "app.bsky.feed.repost" => Some(&["subject", "uri"]),
        _ => None,
    }
}

/// The subject of an encoded record.
pub(super) fn subject_of_block<'a>(collection: &str, block: &'a [u8]) -> Option<&'a str> {
    record::text_at(block, subject_path(collection)?)
}

/// The hash of the subject of an encoded record.
pub(super) fn subject_hash_of_block(collection: &str, block: &[u8]) -> Option<i64> {
    subject_of_block(collection, block).map(pds_store::record::subject_hash)
}

/// The path of the first object `{cid, mimeType}`, which once was a blob reference. Made only when there is one: a key may have a megabyte, and the
/// array behind it half a million values.
fn legacy_blob(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) => {
            let legacy = object.len() == 2
                && object.get("cid").is_some_and(Value::is_string)
                && object.get("mimeType").is_some_and(Value::is_string);
            if legacy {
                return Some(String::new());
            }
            object.iter().find_map(|(key, item)| Some(format!("/{key}{}", legacy_blob(item)?)))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(at, item)| Some(format!("/{at}{}", legacy_blob(item)?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_key_is_not_copied_for_each_value_behind_it() {
        let mut record = json!({});
        record["k".repeat(900_000)] = vec![0; 500_000].into();
        assert_eq!(legacy_blob(&record), None);
        let legacy = json!({"cid": "x", "mimeType": "image/png"});
        assert_eq!(legacy_blob(&json!({"a": [1, {"b": legacy}]})).as_deref(), Some("/a/1/b"));
    }
}
