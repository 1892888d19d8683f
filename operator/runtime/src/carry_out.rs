//! Carries a plan's writes out. The only place that writes objects of instances.
//!
//! Nothing is written to or deleted from an object that the instance did not make: what does not exist is created with a request that
//! can only create, what exists is read, judged, and written under its uid.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GetParams, Patch, PatchParams, PostParams, Preconditions, Request,
};
use kube::{Client, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::condition::one_line;
use crate::labels::MANAGED_BY;
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::ownership::{Belongs, Lifetime, Owner};
use crate::tolerant::SingleMeta;
use crate::turns::Turns;

/// The field manager of everything that is written.
pub const MANAGER: &str = MANAGED_BY;

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Creates an object that was not seen.
    Create(Manifest),
    /// Changes an object that was seen to differ.
    Apply(Manifest),
    /// Deletes an object that is wanted no more.
    Delete(Condemned),
}

/// An object to delete.
#[derive(Clone, Debug)]
pub struct Condemned {
    /// Where the API server serves its kind.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// Only the object with this uid is deleted.
    pub uid: String,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Whether the request waits in the API server until dependents are gone.
    pub foreground: bool,
}

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The object exists and is not the instance's.
    NotOwned,
    /// The object is the one of an earlier instance of the same name, which is being deleted.
    Predecessors,
    /// A quota refuses it.
    Quota,
    /// The API server or a webhook refuses it.
    Refused,
    /// The API server does not answer, or something changed meanwhile; worth another try at once.
    Unavailable,
}

/// A write that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}{}{message}", if matches!(.cause, Cause::NotOwned | Cause::Predecessors) { " " } else { ": " })]
pub struct Failure {
    /// Kind and name of the object.
    pub object: String,
    pub cause: Cause,
    /// The API server's words, or what was found.
    pub message: String,
}

impl Failure {
    /// From what the API server answered.
    #[must_use]
    pub fn of(object: String, error: &kube::Error) -> Self {
        let cause = match error {
            kube::Error::Api(status) if status.code == 403 && status.message.contains("exceeded quota") => Cause::Quota,
            kube::Error::Api(status) if matches!(status.code, 409 | 429 | 500..) => Cause::Unavailable,
            kube::Error::Api(_) => Cause::Refused,
            _ => Cause::Unavailable,
        };
        Self { object, cause, message: words(error) }
    }
}

/// The API server's own words, or that it does not answer: one line for people. The text of the error itself repeats the whole answer.
#[must_use]
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => one_line(&status.message),
        other => one_line(&format!("the API server does not answer: {other}")),
    }
}

/// Writes objects of one instance.
pub struct Writer<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Whose objects are written.
    pub owner: &'a Owner,
    /// Counts writes.
    pub metrics: &'a Metrics,
}

impl Writer<'_> {
    /// Carries one write out.
    ///
    /// # Errors
    /// What the API server refuses, or an object of somebody else.
    pub async fn carry_out(&self, write: &Write) -> Result<(), Failure> {
        match write {
            Write::Create(manifest) => self.create(manifest).await,
            Write::Apply(manifest) => self.apply(manifest).await,
            Write::Delete(condemned) => self.delete(condemned).await,
        }
    }

    async fn create(&self, manifest: &Manifest) -> Result<(), Failure> {
        let failed = |error: kube::Error| Failure::of(manifest.title(), &error);
        let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let bytes = serde_json::to_vec(&manifest.json).map_err(|error| failed(error_of(error)))?;
        let request = self.requests(&manifest.resource).create(&parameters, bytes);
        let request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
        match self.client.request::<SingleMeta<DynamicObject>>(request).await {
            Ok(_) => {
                self.wrote(manifest.kind, "create", &manifest.name);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Another write of ours that the cache has not shown yet, or somebody else's object.
                let live = self.api(&manifest.resource).get_opt(&manifest.name).await.map_err(failed)?;
                let Some(live) = live else { return Ok(()) };
                self.judge(live.meta(), manifest.lifetime, manifest.title())?;
                self.label(live.meta(), manifest).await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Brings back labels that somebody removed: without them the caches show nothing of the object.
    async fn label(&self, live: &ObjectMeta, manifest: &Manifest) -> Result<(), Failure> {
        let wanted = &manifest.json["metadata"]["labels"];
        let labels = live.labels.as_ref();
        let has = |(key, value): (&String, &serde_json::Value)| {
            labels.and_then(|labels| labels.get(key)).map(String::as_str) == value.as_str()
        };
        if wanted.as_object().is_none_or(|wanted| wanted.iter().all(has)) {
            return Ok(());
        }
        let patch = json!({"metadata": {"uid": live.uid, "labels": wanted}});
        let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        let written = self.api(&manifest.resource).patch(&manifest.name, &parameters, &Patch::Merge(patch)).await;
        written.map_err(|error| Failure::of(manifest.title(), &error))?;
        self.wrote(manifest.kind, "label", &manifest.name);
        Ok(())
    }

    async fn apply(&self, manifest: &Manifest) -> Result<(), Failure> {
        let api = self.api(&manifest.resource);
        let failed = |error: kube::Error| Failure::of(manifest.title(), &error);
        let Some(live) = self.live(manifest).await.map_err(failed)? else {
            return self.create(manifest).await;
        };
        let metadata = live.object.meta();
        self.judge(metadata, manifest.lifetime, manifest.title())?;
        if let Some(fields) = live.managed_fields {
            let resource_version = metadata.resource_version.clone();
            let patch = Patch::Merge(Conversion { metadata: Converted { resource_version, managed_fields: fields } });
            api.patch(&manifest.name, &PatchParams::default(), &patch).await.map_err(failed)?;
        }
        let mut json = manifest.json.clone();
        json["metadata"]["uid"] = json!(metadata.uid);
        api.patch(&manifest.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&json)).await.map_err(failed)?;
        self.wrote(manifest.kind, "apply", &manifest.name);
        Ok(())
    }

    async fn delete(&self, condemned: &Condemned) -> Result<(), Failure> {
        let api = self.api(&condemned.resource);
        let title = format!("{} {}", condemned.resource.kind, condemned.name);
        let failed = |error: kube::Error| Failure::of(title.clone(), &error);
        let Some(live) = api.get_opt(&condemned.name).await.map_err(failed)? else { return Ok(()) };
        let live = live.meta();
        if live.uid.as_ref() != Some(&condemned.uid) {
            return Ok(());
        }
        self.judge(live, condemned.lifetime, title.clone())?;
        if live.deletion_timestamp.is_some() {
            return Ok(());
        }
        let preconditions = Some(Preconditions { uid: live.uid.clone(), ..Default::default() });
        let base = if condemned.foreground { DeleteParams::foreground() } else { DeleteParams::background() };
        match api.delete(&condemned.name, &DeleteParams { preconditions, ..base }).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(_) => {
                self.wrote(&condemned.resource.kind, "delete", &condemned.name);
                Ok(())
            }
        }
    }

    /// An object that exists, with its managed fields if they have to be changed.
    async fn live(&self, manifest: &Manifest) -> kube::Result<Option<Live>> {
        let _turn = READS.take(&self.owner.namespace).await;
        let request = self.requests(&manifest.resource).get(&manifest.name, &GetParams::default());
        let text = match self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            text => text?,
        };
        let object = serde_json::from_str(&text).map_err(error_of)?;
        Ok(Some(Live { object, managed_fields: as_applied(&text) }))
    }

    fn judge(&self, live: &ObjectMeta, lifetime: Lifetime, object: String) -> Result<(), Failure> {
        let (cause, message) = match self.owner.judge(live, lifetime) {
            Belongs::Ours => return Ok(()),
            Belongs::Predecessors => {
                (Cause::Predecessors, "belongs to an earlier instance of this name, which is being deleted")
            }
            Belongs::Others => (
                Cause::NotOwned,
                "exists already and was not made by this instance; delete or rename it, or give the instance another name",
            ),
        };
        Err(Failure { object, cause, message: message.into() })
    }

    fn wrote(&self, kind: &str, verb: &'static str, name: &str) {
        let namespace = self.owner.namespace.as_str();
        tracing::info!(kind, namespace, name, "{verb} {kind} {namespace}/{name}");
        self.metrics.wrote(kind, verb);
    }

    /// Metadata is all that is looked at: strangers write objects under our names, and change ours.
    fn api(&self, resource: &ApiResource) -> Api<SingleMeta<DynamicObject>> {
        Api::namespaced_with(self.client.clone(), &self.owner.namespace, resource)
    }

    fn requests(&self, resource: &ApiResource) -> Request {
        Request::new(DynamicObject::url_path(resource, Some(&self.owner.namespace)))
    }
}

fn error_of(error: serde_json::Error) -> kube::Error {
    kube::Error::SerdeError(error)
}

/// Objects that are read with their managed fields at once: each has up to 1.5 MB of JSON. Namespaces take turns.
static READS: LazyLock<Turns> = LazyLock::new(|| Turns::new(4));

/// An object that exists.
struct Live {
    object: SingleMeta<DynamicObject>,
    /// New managed fields, if they have to be changed.
    managed_fields: Option<Vec<Box<RawValue>>>,
}

/// A patch of managed fields.
#[derive(Debug, Serialize)]
struct Conversion {
    metadata: Converted,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Converted {
    resource_version: Option<String>,
    managed_fields: Vec<Box<RawValue>>,
}

/// Most entries of managed fields that are looked at. The API server keeps ten or so for each object.
const MOST_ENTRIES: usize = 200;

/// Managed fields in which the operator's create entry is turned into an apply entry; nothing if there is none. Otherwise the API server would keep a
/// field that was created and is applied no more. (The way of client-go's `csaupgrade`.) The fields themselves stay text: any writer of the object
/// chooses them.
fn as_applied(object: &str) -> Option<Vec<Box<RawValue>>> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: Metadata<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(borrow, default)]
        managed_fields: Vec<&'a RawValue>,
    }
    type Entry<'a> = BTreeMap<&'a str, &'a RawValue>;

    let entries = serde_json::from_str::<Object<'_>>(object).ok()?.metadata.managed_fields;
    if entries.len() > MOST_ENTRIES {
        return None;
    }
    let apply = to_raw_value("Apply").ok()?;
    let mut found = false;
    let mut converted = Vec::new();
    for text in entries {
        let mut entry: Entry<'_> = serde_json::from_str(text.get()).ok()?;
        let says = |key: &str| entry.get(key).and_then(|value| serde_json::from_str::<String>(value.get()).ok());
        let is_ours = says("manager").as_deref() == Some(MANAGER) && !entry.contains_key("subresource");
        if is_ours && says("operation").as_deref() == Some("Update") {
            entry.insert("operation", &apply);
            found = true;
        }
        converted.push(to_raw_value(&entry).ok()?);
    }
    found.then_some(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_of_a_create_becomes_one_of_an_apply_and_the_fields_stay_text() {
        let deep = format!("{}{{}}{}", r#"{"f:a":"#.repeat(5_000), "}".repeat(5_000));
        let entry = |rest: &str| format!(r#"{{{rest},"fieldsType":"FieldsV1","fieldsV1":{deep}}}"#);
        let object = |entries: &[String]| {
            format!(r#"{{"spec":{deep},"metadata":{{"name":"n","managedFields":[{}]}}}}"#, entries.join(","))
        };
        let ours = entry(r#""manager":"aurora-locus-operator","operation":"Update""#);
        let applied = entry(r#""manager":"aurora-locus-operator","operation":"Apply""#);
        let status = entry(r#""manager":"aurora-locus-operator","operation":"Update","subresource":"status""#);
        let other = entry(r#""manager":"kubectl","operation":"Update""#);
        let converted = as_applied(&object(&[other.clone(), ours])).unwrap();
        assert_eq!(converted.len(), 2);
        assert!(converted[0].get().contains(r#""operation":"Update""#) && converted[0].get().contains(&deep));
        assert!(converted[1].get().contains(r#""operation":"Apply""#) && converted[1].get().contains(&deep));
        assert!(as_applied(&object(&[other, applied, status])).is_none());
        assert!(as_applied(&object(&[])).is_none());
    }
}
