//! Carries a plan out. The only file of this kind that changes something beside status and finalizer.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use operator_api::{
    ClaimOwner, ConditionType, PdsHostnameClaim, PdsHostnameClaimSpec, PdsInstance, Provisioner as Kind, Reason,
};
use operator_object_store::{
    Aws, AwsSettings, Credential, Error as StoreError, Provisioner, Request, Versitygw, WorkloadIdentity,
};
use operator_runtime::carry_out::{Cause, Failure, MANAGER, Writer};
use operator_runtime::ownership::{Belongs, Lifetime};
use operator_runtime::secret::Content;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::component::{blobs, data_metadata, database, hostname, keys};
use super::observe::Seen;
use super::plan::{Plan, put};
use super::status::Report;
use super::step::Step;
use super::validate::{Store, Wanted};
use super::verdict::Verdict;
use crate::context::Ctx;

/// Does everything that the plan says. A part whose object is refused stops there; the others go on.
pub(super) async fn carry_out(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, plan: &Plan) -> Report {
    let mut report = Report::of(plan);
    let mut failures: BTreeMap<ConditionType, Failure> = BTreeMap::new();
    if let Err(error) = super::finalize::keep_finalizer(ctx, pds).await {
        failures.insert(ConditionType::Ready, Failure::of("the finalizer".into(), &error));
    }
    for (condition, step) in &plan.steps {
        if let Err(failure) = take(ctx, pds, wanted, step).await {
            failures.entry(*condition).or_insert(failure);
        }
    }
    let has_turn = plan.facts.needs_turn != Some(true) || ctx.take_turn(wanted.namespace(), &wanted.instance);
    let writer = Writer { client: &ctx.client, owner: &wanted.owner, metrics: &ctx.pages.metrics };
    for (condition, write) in &plan.writes {
        if failures.contains_key(condition) || (!has_turn && is_deployment(write)) {
            continue;
        }
        if let Err(failure) = writer.carry_out(write).await {
            failures.insert(*condition, failure);
        }
    }
    if !has_turn {
        let most = ctx.options.max_rollouts;
        let message = format!("the pods are replaced when fewer than {most} other instances replace theirs");
        report.waits = Some(Verdict::bad(Reason::WaitingForTurn, message));
    }
    for (condition, failure) in failures {
        // A verdict that names a cause for a person says more than what followed from it.
        let known = report.verdicts.iter().find(|(known, _)| *known == condition);
        if !known.is_some_and(|(_, verdict)| verdict.is_stalled()) {
            put(&mut report.verdicts, condition, Verdict::from(&failure));
        }
        report.failed |= failure.cause != Cause::NotOwned;
    }
    report
}

fn is_deployment(write: &operator_runtime::carry_out::Write) -> bool {
    use operator_runtime::carry_out::Write;
    matches!(write, Write::Create(manifest) | Write::Apply(manifest) if manifest.kind == "Deployment")
}

async fn take(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, step: &Step) -> Result<(), Failure> {
    match step {
        Step::Claim { hostname } => claim(ctx, pds, wanted, hostname).await,
        Step::CreateKeys => {
            let name = keys::secret_name(&wanted.instance);
            // The watch may not have shown yet that there were keys.
            let instances = Api::<PdsInstance>::namespaced(ctx.client.clone(), wanted.namespace());
            let live = instances.get_opt(&wanted.instance).await.map_err(|error| Failure::of("keys".into(), &error))?;
            if live.is_none_or(|live| live.status.is_some_and(|status| status.keys.is_some())) {
                return Ok(());
            }
            create_secret(ctx, wanted, name, "keys", keys::generate()).await
        }
        Step::CreatePostgresSecret => {
            let name = database::name(&wanted.instance);
            let data = database::generate(&wanted.instance, wanted.namespace());
            create_secret(ctx, wanted, name, "postgres", data).await
        }
        Step::AnnotateKeys { uid, annotations } => {
            let name = keys::secret_name(&wanted.instance);
            let patch = json!({"metadata": {"uid": uid, "annotations": annotations}});
            let api = Api::<Secret>::namespaced(ctx.client.clone(), wanted.namespace());
            let written = api.patch(&name, &parameters(), &Patch::Merge(patch)).await;
            ctx.secrets.forget(wanted.namespace(), &name);
            written.map(drop).map_err(|error| Failure::of(format!("Secret {name}"), &error))
        }
        Step::GrowVolume { name, uid, size } => {
            let storage = json!({"resources": {"requests": {"storage": size}}});
            let patch = json!({"metadata": {"uid": uid}, "spec": storage});
            let api = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), wanted.namespace());
            tracing::info!(namespace = wanted.namespace(), name, "ask for {size} for PersistentVolumeClaim {name}");
            let written = api.patch(name, &parameters(), &Patch::Merge(patch)).await;
            written.map(drop).map_err(|error| Failure::of(format!("PersistentVolumeClaim {name}"), &error))
        }
        Step::EnsureBucket { store, request } => {
            ensure_bucket(ctx, pds, wanted, store, request).await;
            Ok(())
        }
        Step::FindBucket { store, request } => {
            find_bucket(ctx, pds, store, request).await;
            Ok(())
        }
        Step::WriteBucketSecret { credential, replaces } => {
            write_bucket_secret(ctx, wanted, credential, replaces.as_deref()).await
        }
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

/// Creates a Secret that outlives the instance. One that is there already is left as it is and judged by the next reconciliation.
async fn create_secret(
    ctx: &Ctx,
    wanted: &Wanted,
    name: String,
    component: &str,
    data: BTreeMap<&str, String>,
) -> Result<(), Failure> {
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())));
    let metadata = data_metadata(&wanted.instance, wanted.namespace(), name.clone(), component);
    let secret = Secret { metadata, data: Some(data.collect()), ..Default::default() };
    let api = Api::<Secret>::namespaced(ctx.client.clone(), wanted.namespace());
    let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let made = api.create(&parameters, &secret).await;
    ctx.secrets.forget(wanted.namespace(), &name);
    match made {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(Failure::of(format!("Secret {name}"), &error)),
        Ok(_) => {
            ctx.pages.metrics.wrote("Secret", "create");
            Ok(())
        }
    }
}

/// The Secret is output: whatever it held before is replaced, if it is the instance's own.
async fn write_bucket_secret(
    ctx: &Ctx,
    wanted: &Wanted,
    credential: &Credential,
    replaces: Option<&str>,
) -> Result<(), Failure> {
    let name = blobs::secret_name(&wanted.instance);
    if let Some(uid) = replaces {
        let api = Api::<Secret>::namespaced(ctx.client.clone(), wanted.namespace());
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), ..Default::default() });
        let gone = api.delete(&name, &DeleteParams { preconditions, ..DeleteParams::background() }).await;
        ctx.secrets.forget(wanted.namespace(), &name);
        match gone {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Failure::of(format!("Secret {name}"), &error)),
            Ok(_) => {}
        }
    }
    let data = BTreeMap::from([
        ("accessKeyId", credential.access_key_id.clone()),
        ("secretAccessKey", credential.secret_access_key.expose_secret().to_owned()),
    ]);
    create_secret(ctx, wanted, name, "blobs", data).await
}

fn credential(content: &Content) -> Option<Credential> {
    Some(Credential {
        access_key_id: content.text("accessKeyId")?.to_owned(),
        secret_access_key: SecretString::from(content.text("secretAccessKey")?),
    })
}

/// The provisioner of a store, with the administrator's credential as it is now.
pub(super) async fn provisioner(
    ctx: &Ctx,
    store: &Store,
) -> Result<(Box<dyn Provisioner>, Option<std::sync::Arc<Content>>), Verdict> {
    let keys = ["accessKeyId", "secretAccessKey"];
    let admin =
        match &store.class.admin_secret_name {
            Some(name) => ctx.secrets.get(&ctx.options.namespace, name, &keys).await.map_err(|error| {
                Verdict::bad(Reason::ReconcileFailed, format!("Secret {name} cannot be read: {error}"))
            })?,
            None => None,
        };
    let keys = admin.as_deref().and_then(credential);
    let service = store.service.clone();
    let made: Result<Box<dyn Provisioner>, StoreError> = match store.class.provisioner {
        Kind::Versitygw => {
            let none =
                || Verdict::bad(Reason::CredentialsInvalid, "the object store has no administrator's credential");
            Versitygw::new(service, keys.ok_or_else(none)?).map(|made| Box::new(made) as _)
        }
        Kind::Aws => {
            let aws = store.class.aws.clone().unwrap_or_default();
            let workload_identity = aws.workload_identity.map(|identity| WorkloadIdentity {
                oidc_provider_arn: identity.oidc_provider_arn,
                oidc_issuer: identity.issuer,
            });
            let settings = AwsSettings { service, iam_endpoint: aws.iam_endpoint, admin: keys, workload_identity };
            Aws::new(settings).await.map(|made| Box::new(made) as _)
        }
        Kind::Given => return Err(Verdict::bad(Reason::InvalidSpec, "the class makes no buckets")),
    };
    Ok((made.map_err(|error| verdict(&error))?, admin))
}

async fn ensure_bucket(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, store: &Store, request: &Request) {
    let (seen, admin) = match provisioner(ctx, store).await {
        Err(verdict) => (Seen::Failed(verdict), None),
        Ok((provisioner, admin)) => {
            let name = blobs::secret_name(&wanted.instance);
            let there = ctx.secrets.get(wanted.namespace(), &name, &["accessKeyId", "secretAccessKey"]).await;
            // Only the instance's own Secret says which key of its own user is in use; it is never a credential to act with.
            let own = |content: &&std::sync::Arc<Content>| {
                wanted.owner.judge(&content.metadata, Lifetime::Data) == Belongs::Ours
            };
            let kept = there.ok().flatten().as_ref().filter(own).and_then(|content| credential(content));
            let seen = match provisioner.ensure(request, kept.as_ref()).await {
                Ok(access) => Seen::Granted(access),
                Err(error) => Seen::Failed(verdict(&error)),
            };
            (seen, admin)
        }
    };
    remember(ctx, pds, blobs::question(request, store, admin.as_deref(), "ensure"), seen);
}

async fn find_bucket(ctx: &Ctx, pds: &PdsInstance, store: &Store, request: &Request) {
    let (seen, admin) = match provisioner(ctx, store).await {
        Err(verdict) => (Seen::Failed(verdict), None),
        Ok((provisioner, admin)) => {
            let seen = match provisioner.owner(&request.bucket()).await {
                Ok(Some(Some(marker))) if marker.fingerprint == request.owner.fingerprint => Seen::Owned,
                Ok(_) => Seen::Elsewhere,
                Err(error) => Seen::Failed(verdict(&error)),
            };
            (seen, admin)
        }
    };
    remember(ctx, pds, blobs::question(request, store, admin.as_deref(), "find"), seen);
}

fn remember(ctx: &Ctx, pds: &PdsInstance, question: String, seen: Seen) {
    let uid = pds.uid().unwrap_or_default();
    ctx.buckets.put(&uid, (question, seen));
}

/// What an error of the object store means for the instance.
pub(super) fn verdict(error: &StoreError) -> Verdict {
    let reason = match error {
        StoreError::NotOwned { .. } | StoreError::UserNotOwned { .. } => Reason::BucketNotOwned,
        StoreError::Refused { .. } | StoreError::Invalid { .. } => Reason::CredentialsInvalid,
        StoreError::Unavailable { .. } => Reason::BlobStoreUnavailable,
    };
    Verdict::bad(reason, error.to_string())
}

/// Claims a hostname. The API server lets one claim of a name exist, so of two instances one gets it.
async fn claim(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, hostname: &str) -> Result<(), Failure> {
    let api = Api::<PdsHostnameClaim>::all(ctx.client.clone());
    let name = hostname::claim_name(hostname);
    let failed = |error: kube::Error| Failure::of(format!("PdsHostnameClaim {name}"), &error);
    let owner = ClaimOwner {
        namespace: wanted.namespace().to_owned(),
        name: wanted.instance.clone(),
        uid: pds.uid().unwrap_or_default(),
    };
    let mut claim = PdsHostnameClaim::new(&name, PdsHostnameClaimSpec { hostname: hostname.to_owned(), owner });
    match api.create(&PostParams::default(), &claim).await {
        Ok(_) => return Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(failed(error)),
    }
    let Some(there) = api.get_opt(&name).await.map_err(failed)? else { return Ok(()) };
    if hostname::is_held_by(&there, wanted.namespace(), &wanted.instance)
        || !is_free(ctx, &there).await.map_err(failed)?
    {
        return Ok(());
    }
    tracing::info!("the hostname {hostname} is free: its holder and that one's keys are gone");
    claim.metadata.resource_version = there.resource_version();
    match api.replace(&name, &PostParams::default(), &claim).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop).map_err(failed),
    }
}

/// Whether the holder of a claim is gone with its keys. While the keys exist, so may the accounts that have the hostname in their
/// identity documents.
pub(super) async fn is_free(ctx: &Ctx, claim: &PdsHostnameClaim) -> kube::Result<bool> {
    let owner = &claim.spec.owner;
    let instances = Api::<PdsInstance>::namespaced(ctx.client.clone(), &owner.namespace);
    let holder = instances.get_metadata_opt(&owner.name).await?;
    if holder.is_some() {
        return Ok(false);
    }
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &owner.namespace);
    Ok(secrets.get_metadata_opt(&keys::secret_name(&owner.name)).await?.is_none())
}
