//! Deletes what instances that are gone left running.
//!
//! A deletion with the policy `Orphan` takes the owner references from the objects of an instance. They would run on: nobody counts them,
//! nobody restricts them, and nobody who may only write instances can delete them. Their label names the UID of the instance, so they are
//! collected as Kubernetes collects objects whose owner is gone. Data is never collected.

use std::collections::BTreeSet;

use k8s_openapi::Resource as _;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, PartialObjectMeta};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use operator_runtime::carry_out::{Condemned, Failure, Write, Writer};
use operator_runtime::child::Child;
use operator_runtime::labels::INSTANCE;
use operator_runtime::ownership::{Lifetime, Owner, orphaned_by};
use operator_runtime::tolerant::Tolerant;

use super::filled;
use crate::access;
use crate::context::Ctx;

/// Deletes the objects of instances that are gone, those that have pods first: a pod without its NetworkPolicies would reach more than before.
/// What fails is left to the next call, and so is the rest of an instance whose pods are told to end now.
pub async fn collect(ctx: &Ctx) {
    filled(ctx).await;
    let is_collected = |child: &&Child| {
        child.verbs.contains(&"delete") && child.kind != PersistentVolumeClaim::KIND && child.kind != Secret::KIND
    };
    let mut kinds = BTreeSet::new();
    let children = access::children().filter(is_collected).filter(|child| kinds.insert(child.kind));
    let all: Vec<_> = children
        .flat_map(|child| ctx.caches.orphans(child).into_iter().map(move |metadata| (child, metadata)))
        .collect();
    let has_pods = |child: &Child| [Deployment::KIND, StatefulSet::KIND, Job::KIND].contains(&child.kind);
    let instance = |metadata: &ObjectMeta| {
        let name = metadata.labels.as_ref().and_then(|labels| labels.get(INSTANCE)).cloned();
        (metadata.namespace.clone(), name)
    };
    let running: BTreeSet<_> =
        all.iter().filter(|(child, _)| has_pods(child)).map(|(_, metadata)| instance(metadata)).collect();
    for (child, metadata) in &all {
        if !has_pods(child) && running.contains(&instance(metadata)) {
            continue;
        }
        if let Err(failure) = delete(ctx, child, metadata).await {
            tracing::warn!("an object of an instance that is gone stays: {failure}");
        }
    }
}

async fn delete(ctx: &Ctx, child: &Child, metadata: &ObjectMeta) -> Result<(), Failure> {
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let object = metadata.name.clone().unwrap_or_default();
    let (Some(uid), Some(instance)) =
        (orphaned_by(metadata), metadata.labels.as_ref().and_then(|labels| labels.get(INSTANCE)))
    else {
        return Ok(());
    };
    let exists = ctx.instances.state().iter().any(|found| found.uid().as_deref() == Some(uid));
    if exists || !ctx.options.scope().includes(&namespace) || !is_name(instance) {
        return Ok(());
    }
    // The watch of instances may be behind.
    let instances = Api::<Tolerant<PartialObjectMeta<PdsInstance>>>::namespaced(ctx.client.clone(), &namespace);
    let live = instances.get_opt(instance).await;
    let live = live.map_err(|error| Failure::of(format!("PdsInstance {namespace}/{instance}"), &error))?;
    if live.is_some_and(|live| live.uid().as_deref() == Some(uid)) {
        return Ok(());
    }
    let reference = OwnerReference {
        api_version: PdsInstance::api_version(&()).into(),
        kind: PdsInstance::kind(&()).into(),
        name: instance.clone(),
        uid: uid.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    let owner = Owner { reference, namespace };
    let condemned = Condemned {
        resource: child.resource(),
        name: object,
        uid: metadata.uid.clone().unwrap_or_default(),
        lifetime: Lifetime::Instance,
        foreground: false,
    };
    let writer = Writer { client: &ctx.client, owner: &owner, metrics: &ctx.pages.metrics };
    writer.carry_out(&Write::Delete(condemned)).await
}

/// Whether a label can be the name of an instance. It becomes a part of a URL.
fn is_name(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
