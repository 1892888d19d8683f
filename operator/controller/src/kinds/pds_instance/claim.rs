//! Claims of domains: made, and freed when nobody needs them any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, PartialObjectMeta, PostParams, Preconditions};
use operator_api::{ClaimOwner, PdsHostnameClaim, PdsHostnameClaimSpec, PdsInstance};
use operator_runtime::carry_out::{Cause, Failure};
use operator_runtime::labels::INSTANCE;
use operator_runtime::object::Object;
use operator_runtime::sight::{Sight, sight};
use operator_runtime::tolerant::{SingleMeta, Tolerant};
use tokio::time::Instant;

use super::component::{hostname, keys, name};
use super::wanted::Wanted;
use crate::context::Ctx;

/// For how long new claims of an instance may take to arrive by the watch.
const SIGHT: Duration = Duration::from_secs(5);

/// Claims domains, one after the other, up to the first that cannot be had. The API server lets one claim of a name exist, so of two instances one
/// gets it.
///
/// Two names of which one is below the other are two objects, so the API server does not decide between them. With `limits`, the domains of
/// the class, claims are therefore made by one instance at a time, and it waits until the watch has shown them: the watch shows objects in the order
/// of their creation, so every earlier claim is known by then, also one of another installation. A claim that should not be is freed.
///
/// Namespaces take turns, and whoever cannot get a domain takes none: others would wait for one who asks again and again.
pub(super) async fn claim(
    ctx: &Ctx,
    pds: &PdsInstance,
    wanted: &Wanted,
    domains: &[String],
    limits: Option<&[String]>,
) -> Result<(), Failure> {
    let owner = ClaimOwner {
        namespace: wanted.namespace().to_owned(),
        name: wanted.instance.clone(),
        uid: pds.uid().unwrap_or_default(),
    };
    let first = domains.first().and_then(|domain| ctx.claim(domain));
    if let Some(there) = first.filter(|there| !is_own(there, &owner))
        && !is_free(ctx, &there).await.map_err(|error| failure(&there, &error))?
    {
        return Ok(());
    }
    let Some(limits) = limits else { return write_all(ctx, &owner, domains, |_| false).await.1 };
    let in_the_way = |domain: &str| {
        let above = above(ctx, &owner.namespace, domain, limits);
        above.or_else(|| below(ctx, &owner.namespace, domain, limits)).is_some()
    };
    let _turn = ctx.claiming.take(&owner.namespace).await;
    let (all, mut result) = write_all(ctx, &owner, domains, in_the_way).await;
    let deadline = Instant::now() + SIGHT;
    for held in &all {
        let checked = check(ctx, &owner, held, deadline, in_the_way).await;
        result = result.and(checked);
    }
    result
}

/// A claim that an instance has.
struct Held {
    claim: PdsHostnameClaim,
    /// Whether it was made or taken over just now.
    is_new: bool,
}

/// Makes claims up to the first domain that cannot be had. Gives those that the instance has, and what failed.
async fn write_all(
    ctx: &Ctx,
    owner: &ClaimOwner,
    domains: &[String],
    in_the_way: impl Fn(&str) -> bool,
) -> (Vec<Held>, Result<(), Failure>) {
    let mut all = Vec::new();
    for domain in domains {
        if in_the_way(domain) {
            break;
        }
        match write(ctx, owner, domain).await {
            Ok(Some(held)) => all.push(held),
            Ok(None) => break,
            Err(failure) => return (all, Err(failure)),
        }
    }
    (all, Ok(()))
}

/// Waits until the watch has shown a claim, and frees it if it should not be. A new one that the watch does not show is freed, too: nobody has looked
/// whether it should be.
async fn check(
    ctx: &Ctx,
    owner: &ClaimOwner,
    Held { claim, is_new }: &Held,
    deadline: Instant,
    in_the_way: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let domain = &claim.spec.hostname;
    let is_shown = || ctx.claim(domain).is_some_and(|seen| seen.uid() == claim.uid() && is_own(&seen, owner));
    match sight(&Api::all(ctx.client.clone()), claim, deadline, is_shown).await {
        Sight::Shown if in_the_way(domain) => release(ctx, claim).await,
        Sight::Shown | Sight::Gone => Ok(()),
        Sight::Late => {
            if *is_new {
                release(ctx, claim).await?;
            }
            let object = format!("PdsHostnameClaim {}", claim.name_any());
            let message =
                "is made, and the watch of the API server has not shown it; the operator tries again".to_owned();
            Err(Failure { object, cause: Cause::Unavailable, message })
        }
    }
}

fn is_own(claim: &PdsHostnameClaim, owner: &ClaimOwner) -> bool {
    hostname::is_held_by(claim, &owner.namespace, &owner.name)
}

fn failure(claim: &PdsHostnameClaim, error: &kube::Error) -> Failure {
    Failure::of(format!("PdsHostnameClaim {}", claim.name_any()), error)
}

/// The claim of another namespace above a domain, the nearest one. A domain that the class itself names is above everybody's, so its holder
/// keeps nobody from what is below. What is below a domain of the own namespace is the namespace's own, whoever holds what is above that.
pub(super) fn above(ctx: &Ctx, namespace: &str, domain: &str, limits: &[String]) -> Option<Arc<PdsHostnameClaim>> {
    let parents = hostname::above(domain).take_while(|parent| !is_limit(limits, parent));
    let nearest = parents.filter_map(|parent| ctx.claim(parent)).next();
    nearest.filter(|claim| claim.spec.owner.namespace != namespace)
}

/// A claim of another namespace below a domain.
pub(super) fn below(ctx: &Ctx, namespace: &str, domain: &str, limits: &[String]) -> Option<Arc<PdsHostnameClaim>> {
    let is_below = |claim: &PdsHostnameClaim| {
        claim.spec.owner.namespace != namespace
            && claim.spec.hostname != domain
            && hostname::is_at_or_below(&claim.spec.hostname, domain)
    };
    (!is_limit(limits, domain)).then(|| ctx.claims.state_filter(is_below).into_iter().next()).flatten()
}

fn is_limit(limits: &[String], domain: &str) -> bool {
    limits.iter().any(|limit| limit.trim_start_matches('.') == domain)
}

/// Makes a claim, or takes over one whose holder is gone with its keys. Nothing if the domain cannot be had.
async fn write(ctx: &Ctx, owner: &ClaimOwner, domain: &str) -> Result<Option<Held>, Failure> {
    let api = Api::<PdsHostnameClaim>::all(ctx.client.clone());
    let name = hostname::claim_name(domain);
    let spec = PdsHostnameClaimSpec { hostname: domain.to_owned(), owner: owner.clone() };
    let mut claim = PdsHostnameClaim::new(&name, spec);
    let failed = |error: kube::Error| Failure::of(format!("PdsHostnameClaim {name}"), &error);
    match api.create(&PostParams::default(), &claim).await {
        Ok(claim) => return Ok(Some(Held { claim, is_new: true })),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(failed(error)),
    }
    // One that went meanwhile is asked for by the next reconciliation, which its end brings.
    let Some(there) = api.get_opt(&name).await.map_err(failed)? else { return Ok(None) };
    if is_own(&there, owner) {
        return Ok(Some(Held { claim: there, is_new: false }));
    }
    if !is_free(ctx, &there).await.map_err(failed)? {
        return Ok(None);
    }
    tracing::info!("the hostname {domain} is free: its holder and that one's keys are gone");
    claim.metadata.resource_version = there.resource_version();
    match api.replace(&name, &PostParams::default(), &claim).await {
        Ok(claim) => Ok(Some(Held { claim, is_new: true })),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Frees a claim of the instance that it asks for no more.
pub(super) async fn release(ctx: &Ctx, claim: &PdsHostnameClaim) -> Result<(), Failure> {
    free(ctx, claim).await.map_err(|error| failure(claim, &error))
}

/// Frees the claim of a hostname if its holder is gone with its keys.
pub(super) async fn free_if_gone(ctx: &Ctx, hostname: &str) -> Result<(), Failure> {
    let Some(claim) = ctx.claim(hostname) else { return Ok(()) };
    let free = async { if is_free(ctx, &claim).await? { free(ctx, &claim).await } else { Ok(()) } };
    free.await.map_err(|error| failure(&claim, &error))
}

/// Whether the holder of a claim is gone with its keys and its workloads. While the keys exist, so may the accounts that have the hostname in their
/// identity documents.
async fn is_free(ctx: &Ctx, claim: &PdsHostnameClaim) -> kube::Result<bool> {
    let owner = &claim.spec.owner;
    let instances = Api::<Tolerant<PartialObjectMeta<PdsInstance>>>::namespaced(ctx.client.clone(), &owner.namespace);
    if instances.get_opt(&owner.name).await?.is_some() {
        return Ok(false);
    }
    let secrets = Api::<Tolerant<PartialObjectMeta<Secret>>>::namespaced(ctx.client.clone(), &owner.namespace);
    if secrets.get_opt(&keys::secret_name(&owner.name)).await?.is_some() {
        return Ok(false);
    }
    Ok(!runs::<Deployment>(ctx, owner, &owner.name).await?
        && !runs::<StatefulSet>(ctx, owner, &name::postgres(&owner.name)).await?)
}

/// Whether a workload of an instance that is gone still exists. It has the hostname in its settings. One that cannot be read may be one.
async fn runs<K: Object>(ctx: &Ctx, owner: &ClaimOwner, name: &str) -> kube::Result<bool> {
    let workloads = Api::<SingleMeta<K>>::namespaced(ctx.client.clone(), &owner.namespace);
    let live = workloads.get_opt(name).await?;
    Ok(live.is_some_and(|live| live.0.is_err() || live.labels().get(INSTANCE) == Some(&owner.name)))
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
