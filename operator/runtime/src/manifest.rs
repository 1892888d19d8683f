//! An object that the cluster should hold, of any kind.

use kube::ResourceExt;
use kube::api::ApiResource;
use serde_json::Value;

use crate::compare::{canonical, differs};
use crate::hash;
use crate::labels::APPLIED_HASH;
use crate::object::{AnyObject, Object};
use crate::ownership::Lifetime;

/// An object that the cluster should hold.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its kind, for example `Deployment`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// What to do when it exists and differs.
    pub on_change: OnChange,
    /// Where the API server serves its kind.
    pub resource: ApiResource,
    /// Its JSON, with the annotation [`APPLIED_HASH`].
    pub json: Value,
}

/// What to do with an object that exists and differs from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// Write what differs.
    Apply,
    /// Leave it: it cannot change, or must not.
    Keep,
}

impl Manifest {
    /// An object that follows what is wanted.
    #[must_use]
    pub fn of<K: Object>(object: &K, lifetime: Lifetime) -> Self {
        let mut object = object.clone();
        let hash = hash::of(&canonical(object.json()), 32);
        object.annotations_mut().insert(APPLIED_HASH.into(), hash);
        Self {
            kind: K::KIND,
            name: object.name_any(),
            lifetime,
            on_change: OnChange::Apply,
            resource: ApiResource::erase::<K>(&()),
            json: object.json(),
        }
    }

    /// An object that is created once and left as it is.
    #[must_use]
    pub fn once<K: Object>(object: &K, lifetime: Lifetime) -> Self {
        Self { on_change: OnChange::Keep, ..Self::of(object, lifetime) }
    }

    /// Whether the object that exists has to be written.
    #[must_use]
    pub fn differs_from(&self, live: &dyn AnyObject) -> bool {
        self.on_change == OnChange::Apply && differs(&live.json(), &self.json)
    }

    /// Kind and name, for people.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}
