//! The catalog of known schemas.

use std::collections::HashMap;
use std::sync::LazyLock;

use pds_syntax::{Nsid, RecordKey};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::document::{Definition, Document, Object, full_name};
use crate::error::{Error, Path};
use crate::key::KeyType;

/// Schemas of records and methods, and all definitions that they use. Immutable. Every reference in it resolves.
#[derive(Debug)]
pub struct Catalog {
    /// Definitions that references may lead to besides.
    base: Option<&'static Catalog>,
    /// Size of the documents as JSON, if they were published by others.
    bytes: usize,
    records: HashMap<String, Record>,
    definitions: HashMap<String, Definition>,
}

#[derive(Debug)]
struct Record {
    key: KeyType,
    object: Object,
}

/// The result of validation, for `validationStatus` of the write methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidationStatus {
    /// The record is valid according to its schema.
    Valid,
    /// The schema of the record is not in the catalog.
    Unknown,
}

/// Why documents cannot be used as a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A reference to a definition that does not exist.
    #[error("{from} refers to {target:?}, which is not in the catalog")]
    Dangling { from: String, target: String },
    /// A reference to another reference. Following such references could be endless.
    #[error("{from} refers to {target:?}, which is a reference itself")]
    Chained { from: String, target: String },
    /// The `key` of a record is not `any`, `tid`, `nsid` or `literal:...`.
    #[error("record {record} has the unknown key type {key:?}")]
    KeyType { record: String, key: String },
    /// Something else than a Lexicon document of this name.
    #[error("{document} is not a lexicon: {reason}")]
    Malformed { document: String, reason: String },
    /// More than is accepted from others.
    #[error("the lexicon has {found}; allowed: {limit}")]
    TooLarge { found: String, limit: usize },
}

/// What the generator writes.
#[derive(Deserialize)]
struct Data<T> {
    documents: Vec<T>,
}

macro_rules! own {
    ($($name:literal),*) => {
        [$((
            concat!("dev.auroralocus.", $name, ".json"),
            include_str!(concat!("../data/own/dev.auroralocus.", $name, ".json")),
        )),*]
    };
}

/// The documents of this project's own methods, by the name of their files in `data/own`.
const OWN: &[(&str, &str)] = &own![
    "account.createAppPassword",
    "account.getExport",
    "admin.createInviteCodes",
    "admin.defs",
    "admin.getAccount",
    "admin.getExport",
    "admin.listInviteCodes",
    "admin.listJobs",
    "admin.listSessions",
    "admin.restoreAccount",
    "admin.revokeSessions",
    "admin.runJob",
    "admin.setQuota",
    "admin.suspendAccount",
    "admin.unsuspendAccount",
    "blob.getMetadata",
    "server.defs",
    "server.listSessions",
    "server.revokeSession"
];

fn data<T: DeserializeOwned>() -> Vec<T> {
    let data: Data<T> =
        serde_json::from_str(include_str!("../data/lexicons.json")).expect("the generator writes Lexicon documents");
    let own = OWN.iter().map(|(_, text)| serde_json::from_str(text).expect("a test reads every document"));
    data.documents.into_iter().chain(own).collect()
}

static BUNDLED: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::new(data::<Document>()).expect("the generator writes every definition that is used"));

/// The documents that are compiled into this program, as JSON. Parsed at each call.
#[must_use]
pub fn documents() -> Vec<Value> {
    data()
}

impl Catalog {
    /// The schemas that are compiled into this program.
    #[must_use]
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// Makes a catalog of these documents.
    ///
    /// # Errors
    /// If a reference does not resolve to a schema, or a record has an unknown key type.
    pub fn new(documents: impl IntoIterator<Item = Document>) -> Result<Self, LoadError> {
        Self::load(None, documents.into_iter().map(Document::absolute), 0)
    }

    /// A catalog of these documents, whose references are absolute and may lead to `base`.
    pub(crate) fn over(
        base: &'static Self,
        documents: impl IntoIterator<Item = Document>,
        bytes: usize,
    ) -> Result<Self, LoadError> {
        Self::load(Some(base), documents, bytes)
    }

    fn load(
        base: Option<&'static Self>,
        documents: impl IntoIterator<Item = Document>,
        bytes: usize,
    ) -> Result<Self, LoadError> {
        let (mut records, mut definitions) = (HashMap::new(), HashMap::new());
        for Document { id, defs, .. } in documents {
            for (name, definition) in defs {
                let name = full_name(&id, &name);
                if let Definition::Record { key, record: object } = &definition {
                    let unknown = |()| LoadError::KeyType { record: name.clone(), key: key.clone() };
                    let record = Record { key: key.parse().map_err(unknown)?, object: object.clone() };
                    records.insert(name.clone(), record);
                }
                definitions.insert(name, definition);
            }
        }
        let mut catalog = Self { base, bytes, records, definitions };
        catalog.forget_dangling_methods();
        catalog.check_references()?;
        Ok(catalog)
    }

    /// Whether the catalog has a schema for this collection.
    #[must_use]
    pub fn knows(&self, collection: &Nsid) -> bool {
        self.records.contains_key(collection.as_str())
    }

    /// Size of the documents as JSON, if they were published by others. In memory a catalog takes about ten times as much.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The collections with a schema, in any order.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// The type of record keys in this collection. `None` without a schema.
    #[must_use]
    pub fn record_key_type(&self, collection: &Nsid) -> Option<&KeyType> {
        self.records.get(collection.as_str()).map(|record| &record.key)
    }

    /// Checks that a record key has the type that its collection requires. Accepts every key if there is no schema.
    pub fn validate_key(&self, collection: &Nsid, rkey: &RecordKey) -> Result<(), Error> {
        match self.record_key_type(collection) {
            Some(key) if !key.allows(rkey) => Err(Error {
                path: "rkey".into(),
                rule: format!("must be {key} as the key of {collection}"),
                found: Some(format!("{:?}", rkey.as_str())),
            }),
            _ => Ok(()),
        }
    }

    /// Validates a record in JSON form against the schema of its collection.
    ///
    /// # Errors
    /// The first violation. Fails if there is no schema; see [`Catalog::knows`] and [`Catalog::status`].
    pub fn validate_record(&self, collection: &Nsid, record: &Value) -> Result<(), Error> {
        let path = Path::RECORD;
        let Some(schema) = self.records.get(collection.as_str()) else {
            return Err(path.found("a collection with a known schema", format!("{:?}", collection.as_str())));
        };
        let Some(object) = record.as_object() else {
            return Err(path.wrong("an object", record));
        };
        match object.get("$type") {
            Some(Value::String(name)) if name == collection.as_str() => {}
            other => {
                let expected = format!("{:?}", collection.as_str());
                return Err(path.property("$type").wrong_or_missing(expected, other));
            }
        }
        self.object(path, &schema.object, record)
    }

    /// Validates a record according to the `validate` input of the write methods: `false` skips validation, `true` requires a schema, and `None`
    /// accepts records without a schema. Returns `None` if validation was skipped.
    ///
    /// # Errors
    /// As [`Catalog::validate_record`].
    pub fn status(
        &self,
        collection: &Nsid,
        record: &Value,
        validate: Option<bool>,
    ) -> Result<Option<ValidationStatus>, Error> {
        match validate {
            Some(false) => Ok(None),
            None if !self.knows(collection) => Ok(Some(ValidationStatus::Unknown)),
            None | Some(true) => self.validate_record(collection, record).map(|()| Some(ValidationStatus::Valid)),
        }
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name).or_else(|| self.base?.definition(name))
    }

    /// A document may describe a method beside a record. That its method refers to an unknown document is no fault of the record.
    fn forget_dangling_methods(&mut self) {
        let dangling: Vec<_> = self
            .definitions
            .iter()
            .filter(|(_, definition)| definition.is_method() && self.check(definition).is_err())
            .map(|(name, _)| name.clone())
            .collect();
        for name in dangling {
            self.definitions.insert(name, Definition::Other);
        }
    }

    fn check_references(&self) -> Result<(), LoadError> {
        self.definitions.iter().try_for_each(|(from, definition)| {
            self.check(definition).map_err(|(target, is_chained)| match is_chained {
                true => LoadError::Chained { from: from.clone(), target },
                false => LoadError::Dangling { from: from.clone(), target },
            })
        })
    }

    /// Fails with a reference that leads nowhere, or to another reference (`true`).
    fn check(&self, definition: &Definition) -> Result<(), (String, bool)> {
        let mut result = Ok(());
        definition.clone().each_ref(&mut |target| match self.definition(target) {
            None | Some(Definition::Other) => result = Err((target.clone(), false)),
            Some(target_definition) if target_definition.is_method() => result = Err((target.clone(), false)),
            Some(Definition::Ref { .. } | Definition::Union { .. }) => result = Err((target.clone(), true)),
            Some(_) => {}
        });
        result
    }
}

impl ValidationStatus {
    /// The value in the lexicon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_document_of_our_own_is_embedded_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/own");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let embedded = OWN.iter().map(|(name, text)| {
            let document: Value = serde_json::from_str(text).unwrap();
            assert_eq!(format!("{}.json", document["id"].as_str().unwrap()), *name);
            (*name).to_owned()
        });
        assert_eq!(files.collect::<BTreeSet<_>>(), embedded.collect());
    }
}
