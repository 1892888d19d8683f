//! What one Secret holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What a Secret holds, as far as it was asked for.
#[derive(Clone, Default, PartialEq)]
pub struct Content {
    /// Its metadata: name, namespace, uid, labels, owners and the annotations of this project.
    pub metadata: ObjectMeta,
    /// The values by key. A key that is missing has no value; one that is too long is in `too_long`.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Keys whose values are longer than [`super::LONGEST`].
    pub too_long: Vec<String>,
}

impl Content {
    /// A value as text, without white space at its ends.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.values.get(key)?).ok().map(str::trim)
    }

    /// The same with these keys alone. Others may have asked for more of the same Secret, and what one reader compares may not depend
    /// on who else reads.
    pub(super) fn only(self: &Arc<Self>, keys: &[&str]) -> Arc<Self> {
        let asked = |key: &String| keys.contains(&key.as_str());
        if self.values.keys().chain(&self.too_long).all(asked) {
            return self.clone();
        }
        // Not a copy of everything: there may be a megabyte of values for others.
        let own = |key: &&str| Some(((*key).to_owned(), self.values.get(*key)?.clone()));
        let values = keys.iter().filter_map(own).collect();
        let too_long = self.too_long.iter().filter(|key| asked(key)).cloned().collect();
        Self { metadata: self.metadata.clone(), values, too_long }.into()
    }
}

impl fmt::Debug for Content {
    /// Prints the names of the keys. Never prints a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("name", &self.metadata.name)
            .field("keys", &self.values.keys())
            .field("too_long", &self.too_long)
            .finish_non_exhaustive()
    }
}
