//! The hostname and the handle domains: one instance of the cluster holds each.

use std::collections::BTreeSet;

use data_encoding::BASE32_DNSSEC;
use operator_api::{ConditionType, PdsHostnameClaim, PdsInstanceSpec, Reason};
use sha2::{Digest, Sha256};

use super::super::step::Step;
use super::super::verdict::Verdict;
use super::part::{Component, Part, Scene};

/// The name of the claim of a hostname. A hash, because a hostname can be longer than a name.
#[must_use]
pub fn claim_name(hostname: &str) -> String {
    BASE32_DNSSEC.encode(&Sha256::digest(hostname.as_bytes()))
}

/// Whether a claim is held by the instance of this namespace and name. The UID is not asked: an instance that is deleted and applied
/// again is the same holder as long as its data is there.
#[must_use]
pub fn is_held_by(claim: &PdsHostnameClaim, namespace: &str, name: &str) -> bool {
    claim.spec.owner.namespace == namespace && claim.spec.owner.name == name
}

/// The domains that an instance holds: its hostname, and the domains under which it gives out handles. Two servers with one domain would
/// give out the same handles. `localhost` is for trying out and is everybody's.
#[must_use]
pub fn domains(spec: &PdsInstanceSpec) -> BTreeSet<String> {
    let handles = spec.handle_domains.iter().flatten().map(|domain| domain.domain.clone());
    let mut domains: BTreeSet<_> = handles.chain([spec.hostname.clone()]).collect();
    domains.remove("localhost");
    domains
}

/// The hostname and the handle domains.
pub struct Hostname;

impl Component for Hostname {
    fn name(&self) -> &'static str {
        "hostname"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::HostnameClaimed
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let wanted = scene.wanted;
        let domains = domains(&scene.pds.spec);
        if domains.is_empty() {
            return Part::absent();
        }
        let mut free = Vec::new();
        for domain in &domains {
            match scene.observed.claims.get(domain) {
                Some(claim) if is_held_by(claim, wanted.namespace(), &wanted.instance) => {}
                // The holder may be gone with its data: the step looks, and frees the domain if so.
                Some(claim) => {
                    let verdict = taken(&scene.pds.spec, domain, claim);
                    return Part::new(verdict).with_step(Step::Claim { hostname: domain.clone() });
                }
                None => free.push(domain.clone()),
            }
        }
        let names = domains.into_iter().collect::<Vec<_>>().join(", ");
        if free.is_empty() {
            return Part::new(Verdict::good(format!("this instance holds {names}")));
        }
        let mut part = Part::new(Verdict::bad(Reason::Progressing, format!("{names} is being claimed")));
        // One after the other, in the same order for all: two instances that ask for the same domains never hold one each.
        part.steps.extend(free.into_iter().next().map(|hostname| Step::Claim { hostname }));
        part
    }
}

fn taken(spec: &PdsInstanceSpec, domain: &str, claim: &PdsHostnameClaim) -> Verdict {
    let field = if spec.hostname == domain { "spec.hostname" } else { "spec.handleDomains" };
    let owner = &claim.spec.owner;
    let message = format!(
        "{field}: {domain:?} is held by PdsInstance {}/{}; choose another, or end that instance and its data",
        owner.namespace, owner.name
    );
    Verdict::bad(Reason::HostnameTaken, message)
}
