//! Carries a plan out. The only file of this kind that changes something beside status and finalizer.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use operator_api::{ConditionType, PdsInstance, Reason};
use operator_object_store::Credential;
use operator_runtime::carry_out::{Cause, Failure, MANAGER, Write, Writer};
use operator_runtime::manifest::Manifest;
use operator_runtime::tolerant::SingleMeta;
use secrecy::ExposeSecret;
use serde_json::json;

use super::component::part::data_metadata;
use super::component::{blobs, database, keys, name, rollout};
use super::plan::{Plan, put};
use super::status::Report;
use super::step::Step;
use super::verdict::Verdict;
use super::wanted::Wanted;
use super::{bucket, bucket_claim, claim, finalizer};
use crate::context::Ctx;
use crate::guarded::Guarded;
use crate::rollouts::Turn;

/// Does everything that the plan says. A part whose object is refused stops there; the others go on.
pub(super) async fn carry_out(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, plan: &Plan) -> Report {
    let mut report = Report::of(plan);
    let mut failures: BTreeMap<ConditionType, Failure> = BTreeMap::new();
    if let Err(error) = finalizer::keep_finalizer(ctx, pds).await {
        failures.insert(ConditionType::Ready, Failure::of("the finalizer".into(), &error));
    }
    for (condition, step) in &plan.steps {
        if let Err(failure) = take(ctx, pds, wanted, step).await {
            failures.entry(*condition).or_insert(failure);
        }
    }
    report.waits = plan.turns.iter().find_map(|(_, image)| wait_for_turn(ctx, wanted, image));
    let writer = Writer { client: &ctx.client, owner: &wanted.owner, metrics: &ctx.pages.metrics };
    for (condition, write) in &plan.writes {
        if failures.contains_key(condition) {
            continue;
        }
        let mut write = write.clone();
        if let Some(workload) = workload(&mut write).filter(|_| plan.turns.iter().any(|(turn, _)| turn == condition)) {
            if report.waits.is_some() {
                continue;
            }
            rollout::mark(workload);
        }
        if let Err(failure) = writer.carry_out(&write).await {
            failures.insert(*condition, failure);
        }
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

/// Asks for the instance's turn. Returns the verdict to report while the instance has to wait, `None` if it may replace its pods.
fn wait_for_turn(ctx: &Ctx, wanted: &Wanted, image: &str) -> Option<Verdict> {
    let message = match ctx.take_turn(wanted.namespace(), &wanted.instance, image) {
        Turn::Taken => return None,
        Turn::Wait => {
            let most = ctx.options.max_rollouts;
            format!("the pods are replaced when fewer than {most} other instances replace theirs")
        }
        Turn::Stuck(namespaces) => format!(
            "image {image} is stuck in instances of {namespaces} namespaces, so no further instance takes it; correct the image"
        ),
    };
    Some(Verdict::bad(Reason::WaitingForTurn, message))
}

/// The Deployment or StatefulSet that is written over one that exists.
fn workload(write: &mut Write) -> Option<&mut Manifest> {
    match write {
        Write::Apply(manifest) if matches!(manifest.kind, "Deployment" | "StatefulSet") => Some(manifest),
        _ => None,
    }
}

async fn take(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, step: &Step) -> Result<(), Failure> {
    match step {
        Step::Claim { domains, limits } => claim::claim(ctx, pds, wanted, domains, limits.as_deref()).await,
        Step::ReleaseClaim { claim } => claim::release(ctx, claim).await,
        Step::FreeClaim { hostname } => claim::free_if_gone(ctx, hostname).await,
        Step::CreateKeys => {
            let name = keys::secret_name(&wanted.instance);
            // The watch may not have shown yet that there were keys.
            let instances = Api::<Guarded>::namespaced(ctx.client.clone(), wanted.namespace());
            let live = instances.get_opt(&wanted.instance).await.map_err(|error| Failure::of("keys".into(), &error))?;
            if live
                .and_then(|live| live.0.ok())
                .is_none_or(|live| live.status.is_some_and(|status| status.keys.is_some()))
            {
                return Ok(());
            }
            create_secret(ctx, wanted, name, "keys", keys::generate(wanted.kms.as_ref())).await
        }
        Step::CreatePostgresSecret => {
            let name = name::postgres(&wanted.instance);
            let data = database::generate(&wanted.instance, wanted.namespace());
            create_secret(ctx, wanted, name, "postgres", data).await
        }
        Step::AnnotateKeys { uid, annotations } => {
            let name = keys::secret_name(&wanted.instance);
            let patch = json!({"metadata": {"uid": uid, "annotations": annotations}});
            let api = Api::<SingleMeta<Secret>>::namespaced(ctx.client.clone(), wanted.namespace());
            let written = api.patch(&name, &parameters(), &Patch::Merge(patch)).await;
            ctx.secrets.forget(wanted.namespace(), &name);
            written.map(drop).map_err(|error| Failure::of(format!("Secret {name}"), &error))
        }
        Step::GrowVolume { name, uid, size } => {
            let storage = json!({"resources": {"requests": {"storage": size}}});
            let patch = json!({"metadata": {"uid": uid}, "spec": storage});
            let api = Api::<SingleMeta<PersistentVolumeClaim>>::namespaced(ctx.client.clone(), wanted.namespace());
            tracing::info!(namespace = wanted.namespace(), name, "ask for {size} for PersistentVolumeClaim {name}");
            let written = api.patch(name, &parameters(), &Patch::Merge(patch)).await;
            written.map(drop).map_err(|error| Failure::of(format!("PersistentVolumeClaim {name}"), &error))
        }
        Step::ClaimBucket { claim, limit } => bucket_claim::claim(ctx, claim, *limit).await,
        Step::EnsureBucket { store, request } => {
            bucket::ensure_bucket(ctx, pds, wanted, store, request).await;
            Ok(())
        }
        Step::FindBucket { store, request } => {
            bucket::find_bucket(ctx, pds, store, request).await;
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

/// Writes `NAME-s3`. A Secret of this instance with other content is deleted first and made anew.
async fn write_bucket_secret(
    ctx: &Ctx,
    wanted: &Wanted,
    credential: &Credential,
    replaces: Option<&str>,
) -> Result<(), Failure> {
    let name = blobs::secret_name(&wanted.instance);
    if let Some(uid) = replaces {
        let api = Api::<SingleMeta<Secret>>::namespaced(ctx.client.clone(), wanted.namespace());
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
