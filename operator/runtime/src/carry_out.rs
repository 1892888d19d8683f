//! Carries a plan's writes out. The only place that writes objects of instances.
//!
//! Nothing is written to or deleted from an object that the instance did not make: what does not exist is created with a request that
//! can only create, what exists is read, judged, and written under its uid.

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::condition::one_line;
use crate::labels::MANAGED_BY;
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::ownership::{Belongs, Lifetime, Owner};

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
        let api = self.api(&manifest.resource);
        let failed = |error: kube::Error| Failure::of(manifest.title(), &error);
        let object: DynamicObject =
            serde_json::from_value(manifest.json.clone()).map_err(|error| failed(error_of(error)))?;
        let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        match api.create(&parameters, &object).await {
            Ok(_) => {
                self.wrote(manifest.kind, "create", &manifest.name);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Another write of ours that the cache has not shown yet, or somebody else's object.
                let live = api.get_opt(&manifest.name).await.map_err(failed)?;
                let Some(live) = live else { return Ok(()) };
                self.judge(&live, manifest.lifetime, manifest.title())?;
                self.label(&live, manifest).await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Brings back labels that somebody removed: without them the caches show nothing of the object.
    async fn label(&self, live: &DynamicObject, manifest: &Manifest) -> Result<(), Failure> {
        let wanted = &manifest.json["metadata"]["labels"];
        let has =
            |(key, value): (&String, &serde_json::Value)| live.labels().get(key).map(String::as_str) == value.as_str();
        if wanted.as_object().is_none_or(|wanted| wanted.iter().all(has)) {
            return Ok(());
        }
        let patch = json!({"metadata": {"uid": live.uid(), "labels": wanted}});
        let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        let written =
            self.api(&manifest.resource).patch_metadata(&manifest.name, &parameters, &Patch::Merge(patch)).await;
        written.map_err(|error| Failure::of(manifest.title(), &error))?;
        self.wrote(manifest.kind, "label", &manifest.name);
        Ok(())
    }

    async fn apply(&self, manifest: &Manifest) -> Result<(), Failure> {
        let api = self.api(&manifest.resource);
        let failed = |error: kube::Error| Failure::of(manifest.title(), &error);
        let Some(live) = api.get_opt(&manifest.name).await.map_err(failed)? else {
            return self.create(manifest).await;
        };
        self.judge(&live, manifest.lifetime, manifest.title())?;
        if let Some(fields) = as_applied(&live) {
            let patch = json!({"metadata": {"resourceVersion": live.resource_version(), "managedFields": fields}});
            api.patch_metadata(&manifest.name, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(failed)?;
        }
        let mut json = manifest.json.clone();
        json["metadata"]["uid"] = json!(live.uid());
        api.patch(&manifest.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&json)).await.map_err(failed)?;
        self.wrote(manifest.kind, "apply", &manifest.name);
        Ok(())
    }

    async fn delete(&self, condemned: &Condemned) -> Result<(), Failure> {
        let api = self.api(&condemned.resource);
        let title = format!("{} {}", condemned.resource.kind, condemned.name);
        let failed = |error: kube::Error| Failure::of(title.clone(), &error);
        let Some(live) = api.get_opt(&condemned.name).await.map_err(failed)? else { return Ok(()) };
        if live.uid().as_deref() != Some(&condemned.uid) {
            return Ok(());
        }
        self.judge(&live, condemned.lifetime, title.clone())?;
        if live.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let preconditions = Some(Preconditions { uid: live.uid(), ..Default::default() });
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

    fn judge(&self, live: &DynamicObject, lifetime: Lifetime, object: String) -> Result<(), Failure> {
        let (cause, message) = match self.owner.judge(&live.metadata, lifetime) {
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

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.owner.namespace, resource)
    }
}

fn error_of(error: serde_json::Error) -> kube::Error {
    kube::Error::SerdeError(error)
}

/// Managed fields in which the operator's create entry is turned into an apply entry. Otherwise the API server would keep a field that
/// was created and is applied no more. (The way of client-go's `csaupgrade`.)
fn as_applied(live: &DynamicObject) -> Option<serde_json::Value> {
    let mut fields = live.metadata.managed_fields.clone()?;
    let mut found = false;
    for entry in &mut fields {
        let ours = entry.manager.as_deref() == Some(MANAGER) && entry.subresource.is_none();
        if ours && entry.operation.as_deref() == Some("Update") {
            entry.operation = Some("Apply".into());
            found = true;
        }
    }
    if found { serde_json::to_value(fields).ok() } else { None }
}
