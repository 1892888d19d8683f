//! The schema of one collection, put together from documents that somebody else publishes.
//!
//! Such documents are hostile input: everything in them is bounded here, so that validation takes a time that depends on the record alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use pds_syntax::Nsid;
use serde::Deserialize;
use serde_json::Value;

use crate::catalog::{Catalog, LoadError};
use crate::document::{Definition, Document, full_name};

/// Limits of published documents.
pub mod limit {
    /// Maximum size of a document as JSON.
    pub const BYTES: usize = 128 * 1024;
    /// Maximum size of all documents of one schema.
    pub const ALL_BYTES: usize = 512 * 1024;
    /// Maximum number of documents of one schema.
    pub const DOCUMENTS: usize = 32;
    /// Maximum nesting of objects and lists in a document.
    pub const DEPTH: usize = 32;
    /// Maximum number of elements of a list, or of properties of an object, in a document.
    pub const ITEMS: usize = 1000;
}

/// A schema that lacks documents, until [`Draft::missing`] is empty.
#[derive(Debug)]
pub struct Draft {
    collection: Nsid,
    base: &'static Catalog,
    documents: HashMap<String, Document>,
    bytes: usize,
}

impl Document {
    /// A document that somebody publishes under this name.
    ///
    /// # Errors
    /// If it is no Lexicon document, has another name, or is larger than allowed.
    pub fn published(nsid: &Nsid, json: &str) -> Result<Self, LoadError> {
        let bytes = json.len();
        if bytes > limit::BYTES {
            return Err(too_large(format!("{bytes} bytes"), limit::BYTES));
        }
        let malformed = |reason: String| LoadError::Malformed { document: nsid.to_string(), reason };
        let json: &Value = &serde_json::from_str(json).map_err(|error| malformed(error.to_string()))?;
        check_size(json, 0)?;
        if json.get("lexicon").and_then(Value::as_i64) != Some(1) {
            return Err(malformed("lexicon must be 1".to_owned()));
        }
        let document: Self = Self::deserialize(json).map_err(|error| malformed(error.to_string()))?;
        if document.id != nsid.as_str() {
            return Err(malformed(format!("its id is {:?}", document.id.chars().take(320).collect::<String>())));
        }
        Ok(document.absolute().of_bytes(bytes))
    }
}

impl Draft {
    /// The schema of this collection, with no documents yet. What is compiled into this program is there.
    #[must_use]
    pub fn new(collection: Nsid) -> Self {
        Self { collection, base: Catalog::bundled(), documents: HashMap::new(), bytes: 0 }
    }

    /// Adds a document.
    ///
    /// # Errors
    /// If the schema has more documents or bytes than allowed.
    pub fn add(&mut self, document: Document) -> Result<(), LoadError> {
        self.bytes += document.bytes;
        self.documents.insert(document.id.clone(), document);
        if self.documents.len() > limit::DOCUMENTS {
            return Err(too_large(format!("{} documents", self.documents.len()), limit::DOCUMENTS));
        }
        if self.bytes > limit::ALL_BYTES {
            return Err(too_large(format!("{} bytes in all documents", self.bytes), limit::ALL_BYTES));
        }
        Ok(())
    }

    /// The names of the documents that the schema refers to and that it lacks. Empty when it is complete.
    ///
    /// # Errors
    /// If a reference leads to something that a document does not have, or to more documents than allowed.
    pub fn missing(&self) -> Result<Vec<Nsid>, LoadError> {
        let mut missing = BTreeSet::new();
        self.reach(&mut missing)?;
        let count = self.documents.len() + missing.len();
        if count > limit::DOCUMENTS {
            return Err(too_large(format!("{count} documents"), limit::DOCUMENTS));
        }
        let nsid = |name: &String| {
            let dangling = |_| LoadError::Dangling { from: self.collection.to_string(), target: name.clone() };
            name.parse::<Nsid>().map_err(dangling)
        };
        missing.iter().map(nsid).collect()
    }

    /// The schema.
    ///
    /// # Errors
    /// If it lacks documents, its main definition is no record, or it breaks a rule of Lexicon.
    pub fn finish(mut self) -> Result<Catalog, LoadError> {
        let mut missing = BTreeSet::new();
        let used = self.reach(&mut missing)?;
        if let Some(target) = missing.into_iter().next() {
            return Err(LoadError::Dangling { from: self.collection.to_string(), target });
        }
        for document in self.documents.values_mut() {
            let id = document.id.clone();
            document.defs.retain(|name, _| used.contains(&full_name(&id, name)));
        }
        let catalog = Catalog::over(self.base, self.documents.into_values(), self.bytes)?;
        match catalog.knows(&self.collection) {
            true => Ok(catalog),
            false => Err(LoadError::Malformed {
                document: self.collection.to_string(),
                reason: "its main definition is not a record".to_owned(),
            }),
        }
    }

    /// Follows all references from the collection. Returns the definitions found in the documents, and adds the documents that are not there.
    fn reach(&self, missing: &mut BTreeSet<String>) -> Result<HashSet<String>, LoadError> {
        let (mut seen, mut open) = (HashSet::new(), vec![self.collection.to_string()]);
        while let Some(name) = open.pop() {
            if seen.contains(&name) || self.base.definition(&name).is_some() {
                continue;
            }
            let (document, part) = name.split_once('#').unwrap_or((&name, "main"));
            let Some(document) = self.documents.get(document) else {
                missing.insert(document.to_owned());
                continue;
            };
            let Some(definition) = document.defs.get(part) else {
                return Err(LoadError::Dangling { from: self.collection.to_string(), target: name });
            };
            refs(definition, &mut |target| open.push(target.to_owned()));
            seen.insert(name);
        }
        Ok(seen)
    }
}

/// Calls `visit` for each reference of a definition that values may have. The parameters of methods are not followed.
fn refs(definition: &Definition, visit: &mut impl FnMut(&str)) {
    match definition {
        Definition::Record { record: object, .. } | Definition::Object(object) => {
            object.properties.values().for_each(|property| refs(property, visit));
        }
        Definition::Array { items, .. } => refs(items, visit),
        Definition::Union { refs, .. } => refs.iter().for_each(|target| visit(target)),
        Definition::Ref { r#ref } => visit(r#ref),
        _ => {}
    }
}

/// Refuses documents that are nested too deeply or have too many parts, before anything else looks at them.
fn check_size(json: &Value, depth: usize) -> Result<(), LoadError> {
    if depth > limit::DEPTH {
        return Err(too_large("deeper nesting".to_owned(), limit::DEPTH));
    }
    let count = match json {
        Value::Array(items) => items.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    };
    if count > limit::ITEMS {
        return Err(too_large(format!("{count} values in one list or object"), limit::ITEMS));
    }
    match json {
        Value::Array(items) => items.iter().try_for_each(|item| check_size(item, depth + 1)),
        Value::Object(object) => object.values().try_for_each(|item| check_size(item, depth + 1)),
        _ => Ok(()),
    }
}

fn too_large(found: String, limit: usize) -> LoadError {
    LoadError::TooLarge { found, limit }
}
