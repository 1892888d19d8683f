//! Claims of domains: made, and freed when nobody needs them any more.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, PostParams, Preconditions};
use operator_api::{ClaimOwner, PdsHostnameClaim, PdsHostnameClaimSpec, PdsInstance};
use operator_runtime::carry_out::Failure;

use super::component::{hostname, keys};
use super::wanted::Wanted;
use crate::context::Ctx;

/// Claims a hostname. The API server lets one claim of a name exist, so of two instances one gets it.
pub(super) async fn claim(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, hostname: &str) -> Result<(), Failure> {
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

/// Frees a claim of the instance that it asks for no more.
pub(super) async fn release(ctx: &Ctx, claim: &PdsHostnameClaim) -> Result<(), Failure> {
    let freed = free(ctx, claim).await;
    freed.map_err(|error| Failure::of(format!("PdsHostnameClaim {}", claim.name_any()), &error))
}

/// Frees the claim of a hostname if its holder is gone with its keys.
pub(super) async fn free_if_gone(ctx: &Ctx, hostname: &str) -> Result<(), Failure> {
    let Some(claim) = ctx.claim(hostname) else { return Ok(()) };
    let free = async { if is_free(ctx, &claim).await? { free(ctx, &claim).await } else { Ok(()) } };
    free.await.map_err(|error| Failure::of(format!("PdsHostnameClaim {}", claim.name_any()), &error))
}

/// Whether the holder of a claim is gone with its keys. While the keys exist, so may the accounts that have the hostname in their
/// identity documents.
async fn is_free(ctx: &Ctx, claim: &PdsHostnameClaim) -> kube::Result<bool> {
    let owner = &claim.spec.owner;
    let instances = Api::<PdsInstance>::namespaced(ctx.client.clone(), &owner.namespace);
    let holder = instances.get_metadata_opt(&owner.name).await?;
    if holder.is_some() {
        return Ok(false);
    }
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &owner.namespace);
    Ok(secrets.get_metadata_opt(&keys::secret_name(&owner.name)).await?.is_none())
}

/// Deletes a claim that is as it was seen.
pub(crate) async fn free(ctx: &Ctx, claim: &PdsHostnameClaim) -> kube::Result<()> {
    let preconditions = Preconditions { uid: claim.uid(), resource_version: claim.resource_version() };
    let parameters = kube::api::DeleteParams { preconditions: Some(preconditions), ..Default::default() };
    let api = Api::<PdsHostnameClaim>::all(ctx.client.clone());
    match api.delete(&claim.name_any(), &parameters).await {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other.map(drop),
    }
}

/// State of the instance that a claim names.
pub enum Holder {
    /// There is no such instance.
    Gone,
    /// The instance exists and asks for these domains; nothing if it cannot be read.
    Wants(Option<BTreeSet<String>>),
}

/// Frees the domains that their holders ask for no more, and those whose holders are gone with their keys. What fails for one domain is
/// left to the next call and keeps no other.
pub async fn free_hostnames(ctx: &Ctx, holder: impl Fn(&str, &str) -> Holder) {
    for claim in ctx.claims.state() {
        let owner = &claim.spec.owner;
        if !ctx.options.scope().includes(&owner.namespace) {
            continue;
        }
        let is_free = match holder(&owner.namespace, &owner.name) {
            Holder::Wants(None) => Ok(false),
            Holder::Wants(Some(domains)) => Ok(!domains.contains(&claim.spec.hostname)),
            Holder::Gone => is_free(ctx, &claim).await,
        };
        let freed = match is_free {
            Ok(true) => {
                tracing::info!("{} is free: no instance that exists asks for it", claim.spec.hostname);
                free(ctx, &claim).await
            }
            other => other.map(drop),
        };
        if let Err(error) = freed {
            tracing::debug!(%error, "PdsHostnameClaim {} was not looked at", claim.name_any());
        }
    }
}
