//! Where blobs are: a bucket that the operator makes, a bucket that the instance brings, or the volume of SQLite.
//!
//! The Secret with the credential is written and never read: what a tenant puts into a Secret of that name reaches no S3 service.

use operator_api::{ConditionType, PdsInstance, Reason};
use operator_object_store::{Access, Credential, Owner, Request};
use operator_runtime::hash;
use operator_runtime::ownership::{Belongs, Lifetime};
use operator_runtime::secret::Content;
use secrecy::ExposeSecret;

use super::super::observed::{BucketState, Seen};
use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::{Blobs, Store};
use super::bucket_limit::{self, Place};
use super::part::{Component, Part, Scene, waiting};
use super::{keys, name};

/// Time after which a bucket that was in order is checked again.
const CHECK: std::time::Duration = std::time::Duration::from_secs(600);
/// Time after which a failed request to the object store is repeated.
const RETRY: std::time::Duration = std::time::Duration::from_secs(20);

/// Name of the Secret with the credential of the bucket.
#[must_use]
pub fn secret_name(instance: &str) -> String {
    format!("{instance}-s3")
}

/// Provides the bucket, its user or role and the Secret `NAME-s3`, or uses a given bucket or the volume. Sets `BlobStoreReady`.
pub struct BucketOrDisk;

impl Component for BucketOrDisk {
    fn name(&self) -> &'static str {
        "blobs"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::BlobStoreReady
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        match &scene.wanted.blobs {
            Blobs::Disk => Part::new(Verdict::good("blobs are on the volume")),
            // A tenant's words: they are not noted as what the operator made, or an administrator's credential might be used there.
            Blobs::Given { secret, bucket, .. } => {
                Part::new(answering(scene, format!("bucket {bucket}, from Secret {secret}")))
            }
            Blobs::Provisioned { bucket, given_name, store, proposed } => {
                provisioned(scene, bucket, given_name.clone(), store, proposed.as_deref())
            }
        }
    }
}

/// Good, unless pods say that the service does not answer them.
fn answering(scene: &Scene<'_>, message: String) -> Verdict {
    match scene.observed.scrape.as_ref().and_then(|scrape| scrape.blob_store_up) {
        Some(false) => Verdict::bad(
            Reason::BlobStoreUnavailable,
            format!(
                "{message}: the S3 service does not answer the pods; blobs cannot be read or written, everything else goes on"
            ),
        )
        .bearable(),
        _ => Verdict::good(message),
    }
}

/// The request to the provisioner: owner, name of the bucket, and whether the bucket must already exist.
fn request(scene: &Scene<'_>, given_name: Option<String>, store: &Store, fingerprint: &str) -> Request {
    let wanted = scene.wanted;
    let owner = Owner {
        cluster: scene.observed.cluster.clone(),
        namespace: wanted.namespace().to_owned(),
        name: wanted.instance.clone(),
        fingerprint: fingerprint.to_owned(),
    };
    Request {
        owner,
        prefix: store.class.bucket_prefix.clone(),
        bucket: given_name,
        is_in_use: is_in_use(scene),
        seed: scene.observed.seed.clone(),
        service_account: Some(name::service_account_subject(wanted.namespace(), &wanted.instance)),
    }
}

/// Whether the instance had its bucket before. The Secret of the keys tells where the status is lost.
fn is_in_use(scene: &Scene<'_>) -> bool {
    let resolved = scene.pds.status.as_ref().and_then(|status| status.resolved.as_ref()?.bucket.as_ref());
    resolved.is_some() || keys::noted(scene.observed.keys.as_deref(), keys::BUCKET).is_some()
}

/// Hash of everything that a request to the object store depends on. A remembered answer counts only for an equal hash.
#[must_use]
pub fn question(request: &Request, store: &Store, admin: Option<&Content>, what: &str) -> String {
    let owner = &request.owner;
    let names = (&owner.namespace, &owner.name, &owner.fingerprint, request.bucket());
    hash::of(&(what, names, &store.class, &store.service.ca_bundle, admin.map(|admin| &admin.values)), 32)
}

fn provisioned(
    scene: &Scene<'_>,
    bucket: &str,
    given_name: Option<String>,
    store: &Store,
    proposed: Option<&Store>,
) -> Part {
    let (wanted, observed) = (scene.wanted, scene.observed);
    let name = secret_name(&wanted.instance);
    if let Some(obstacle) = scene.obstacle(&[ConditionType::HostnameClaimed, ConditionType::KeysReady]) {
        return Part::new(waiting("the bucket", obstacle));
    }
    let Some(fingerprint) = keys::seen(observed) else {
        return Part::new(Verdict::bad(Reason::Progressing, "the bucket waits for the keys"));
    };
    if let Some(there) = &observed.s3_secret
        && wanted.owner.judge(&there.metadata, Lifetime::Data) != Belongs::Ours
    {
        let message = format!(
            "Secret {name} exists already and was not made by this instance; delete it, and the operator makes its own"
        );
        return Part::new(Verdict::bad(Reason::ObjectNotOwned, message));
    }
    if let Some(problem) = admin_problem(scene, store) {
        return Part::new(problem);
    }
    let request = request(scene, given_name, store, &fingerprint);
    match bucket_limit::place(scene, bucket, &request, store) {
        Place::Held => at(scene, bucket, &request, store, proposed),
        Place::InUse(step) => at(scene, bucket, &request, store, proposed).with_step(step),
        Place::Free(step) => {
            let verdict = Verdict::bad(Reason::WaitingForBucket, format!("bucket {bucket} is being claimed"));
            Part::new(verdict).with_step(step)
        }
        Place::Full(verdict) => Part::new(verdict),
    }
}

/// The part once the bucket is claimed.
fn at(scene: &Scene<'_>, bucket: &str, request: &Request, store: &Store, proposed: Option<&Store>) -> Part {
    let observed = scene.observed;
    let name = secret_name(&scene.wanted.instance);
    if let Some(proposed) = proposed {
        return moved(scene, bucket, request, store, proposed);
    }
    let asked = question(request, store, observed.admin.as_deref(), "ensure");
    let ensure = || Step::EnsureBucket { store: store.clone().into(), request: request.clone().into() };
    let Some(state) = observed.bucket.as_ref().filter(|state| state.question == asked) else {
        // After a start of the operator nothing is remembered. What the status says holds until the bucket is looked at.
        if was_ready(scene.pds, bucket) {
            let mut part = Part::new(answering(scene, format!("bucket {bucket}"))).with_step(ensure());
            part.facts.bucket = Some((bucket.to_owned(), store.class.endpoint.clone()));
            return part;
        }
        return Part::new(Verdict::bad(Reason::WaitingForBucket, format!("bucket {bucket} is being made")))
            .with_step(ensure());
    };
    let mut part = match &state.seen {
        Seen::Granted(access) => {
            let mut part = Part::new(answering(scene, format!("bucket {bucket}")));
            if let Access::Keys(credential) = access {
                let step = secret(scene, &name, credential);
                let is_leaving =
                    observed.s3_secret.as_ref().is_some_and(|there| there.metadata.deletion_timestamp.is_some());
                if is_leaving {
                    let verdict = Verdict::being_deleted(&format!("Secret {name}"), Lifetime::Instance);
                    part.verdict = Some(if step.is_none() { verdict.bearable() } else { verdict });
                } else if step.is_some() {
                    part.verdict = Some(Verdict::bad(Reason::Progressing, format!("Secret {name} is being written")));
                    part.steps.extend(step);
                }
            }
            part.facts.bucket = Some((bucket.to_owned(), store.class.endpoint.clone()));
            part
        }
        // A service that does not answer stops no pod; a bucket that was never there does.
        Seen::Failed(verdict) if verdict.reason == Reason::BlobStoreUnavailable => {
            Part::new(verdict.clone().bearable())
        }
        Seen::Failed(verdict) => Part::new(verdict.clone()),
        Seen::Owned | Seen::Elsewhere => {
            Part::new(Verdict::bad(Reason::WaitingForBucket, "the bucket is being looked at"))
        }
    };
    if is_due(state) {
        part.steps.push(ensure());
    }
    part
}

fn was_ready(pds: &PdsInstance, bucket: &str) -> bool {
    pds.status.as_ref().is_some_and(|status| {
        let condition = ConditionType::BlobStoreReady.as_str();
        let ready = status.conditions.iter().any(|found| found.type_ == condition && found.status == "True");
        ready && status.resolved.as_ref().is_some_and(|resolved| resolved.bucket.as_deref() == Some(bucket))
    })
}

fn is_due(state: &BucketState) -> bool {
    state.age > if matches!(state.seen, Seen::Failed(_)) { RETRY } else { CHECK }
}

/// The class names another service than the one that holds the bucket. The instance moves when its bucket is found there.
fn moved(scene: &Scene<'_>, bucket: &str, request: &Request, store: &Store, proposed: &Store) -> Part {
    let asked = question(request, proposed, scene.observed.admin.as_deref(), "find");
    let old = store.class.endpoint.clone();
    let names = (old.as_deref().unwrap_or("Amazon"), proposed.class.endpoint.as_deref().unwrap_or("Amazon"));
    let find = Step::FindBucket { store: proposed.clone().into(), request: request.clone().into() };
    let message = format!(
        "PdsClass names the object store {}, and bucket {bucket} of this instance is in {}, which goes on; copy the bucket \
         with .aurora-locus/owner.json, or set the class back",
        names.1, names.0
    );
    let mut part = Part::new(Verdict::bad(Reason::ObjectStoreChanged, message).bearable());
    match scene.observed.bucket.as_ref().filter(|state| state.question == asked) {
        Some(BucketState { seen: Seen::Owned, .. }) => {
            part.verdict = Some(Verdict::bad(Reason::Progressing, format!("bucket {bucket} was found in {}", names.1)));
            part.facts.bucket = Some((bucket.to_owned(), proposed.class.endpoint.clone()));
            return part;
        }
        Some(state) if !is_due(state) => {}
        _ => part.steps.push(find),
    }
    part.facts.bucket = Some((bucket.to_owned(), old));
    part
}

/// The step that makes the Secret hold the credential.
fn secret(scene: &Scene<'_>, name: &str, credential: &Credential) -> Option<Step> {
    let there = scene.observed.s3_secret.as_ref();
    let holds = there.is_some_and(|content| {
        content.text("accessKeyId") == Some(&credential.access_key_id)
            && content.text("secretAccessKey") == Some(credential.secret_access_key.expose_secret())
    });
    if holds {
        return None;
    }
    tracing::debug!("Secret {name} does not hold the credential of the bucket");
    let replaces = there.and_then(|content| content.metadata.uid.clone());
    Some(Step::WriteBucketSecret { credential: credential.clone(), replaces })
}

fn admin_problem(scene: &Scene<'_>, store: &Store) -> Option<Verdict> {
    let name = store.class.admin_secret_name.as_ref()?;
    let complete = scene.observed.admin.as_ref().is_some_and(|content| {
        ["accessKeyId", "secretAccessKey"].iter().all(|key| content.text(key).is_some_and(|text| !text.is_empty()))
    });
    if complete {
        return None;
    }
    let secret = format!("{}/{name}", scene.observed.operator_namespace);
    let message = format!("there is no Secret {secret} with the keys accessKeyId and secretAccessKey");
    Some(Verdict::bad(Reason::CredentialsInvalid, message))
}
