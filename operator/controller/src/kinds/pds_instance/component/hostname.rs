//! The hostname and the handle domains: one instance of the cluster holds each.

use std::collections::BTreeSet;

use data_encoding::BASE32_DNSSEC;
use operator_api::{ConditionType, PdsHostnameClaim, PdsInstanceSpec, Reason};
use sha2::{Digest, Sha256};

use super::super::observed::ClassFound;
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

/// Parent domains, the nearest first: `b.test`, `test` for `a.b.test`.
pub fn above(domain: &str) -> impl Iterator<Item = &str> {
    domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..])
}

/// Whether one of two domains equals the other or is a subdomain of it.
#[must_use]
pub fn is_related(domain: &str, other: &str) -> bool {
    is_at_or_below(domain, other) || is_at_or_below(other, domain)
}

/// Whether `domain` equals `other` or is a subdomain of it.
#[must_use]
pub fn is_at_or_below(domain: &str, other: &str) -> bool {
    domain == other || above(domain).any(|parent| parent == other)
}

/// Claims the hostname and the handle domains of the instance and sets `HostnameClaimed`.
pub struct Hostname;

impl Component for Hostname {
    fn name(&self) -> &'static str {
        "hostname"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::HostnameClaimed
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let mut part = claims(scene);
        // First of all: an instance holds what its spec names, and no more however often the spec changes.
        let needless = scene.observed.needless_claims.iter();
        let releases = needless.map(|claim| Step::ReleaseClaim { claim: Box::new(PdsHostnameClaim::clone(claim)) });
        part.steps.splice(0..0, releases);
        part
    }
}

fn claims(scene: &Scene<'_>) -> Part {
    let wanted = scene.wanted;
    let domains = domains(&scene.pds.spec);
    if domains.is_empty() {
        return Part::absent();
    }
    let limits = if let ClassFound::Found(class) = &scene.observed.class { class.spec.domains.clone() } else { None };
    let claim_of = |domains| Step::Claim { domains, limits: limits.clone() };
    let mut free = Vec::new();
    for domain in &domains {
        match scene.observed.claims.get(domain) {
            Some(claim) if is_held_by(claim, wanted.namespace(), &wanted.instance) => {}
            // The holder may be gone with its data: the step looks, and frees the domain if so.
            Some(claim) => {
                let verdict = taken(&scene.pds.spec, domain, claim);
                return Part::new(verdict).with_step(claim_of(vec![domain.clone()]));
            }
            // Whoever serves a name below a domain decides on a handle that the holder of the domain may have given out.
            None => match scene.observed.claims_above.get(domain) {
                Some(claim) => {
                    let step = Step::FreeClaim { hostname: claim.spec.hostname.clone() };
                    return Part::new(below(&scene.pds.spec, domain, claim)).with_step(step);
                }
                None => match scene.observed.claims_below.get(domain) {
                    Some(claim) => {
                        let step = Step::FreeClaim { hostname: claim.spec.hostname.clone() };
                        return Part::new(above_others(&scene.pds.spec, domain, claim)).with_step(step);
                    }
                    None => free.push(domain.clone()),
                },
            },
        }
    }
    let names = domains.into_iter().collect::<Vec<_>>().join(", ");
    if free.is_empty() {
        return Part::new(Verdict::good(format!("this instance holds {names}")));
    }
    // One after the other, in the same order for all: two instances that ask for the same domains never hold one each.
    Part::new(Verdict::bad(Reason::Progressing, format!("{names} is being claimed"))).with_step(claim_of(free))
}

fn field(spec: &PdsInstanceSpec, domain: &str) -> &'static str {
    if spec.hostname == domain { "spec.hostname" } else { "spec.handleDomains" }
}

fn below(spec: &PdsInstanceSpec, domain: &str, claim: &PdsHostnameClaim) -> Verdict {
    let (field, owner, parent) = (field(spec, domain), &claim.spec.owner, &claim.spec.hostname);
    let message = format!(
        "{field}: {domain:?} is below {parent:?}, which PdsInstance {}/{} holds with all handles below it; choose another",
        owner.namespace, owner.name
    );
    Verdict::bad(Reason::HostnameTaken, message)
}

fn above_others(spec: &PdsInstanceSpec, domain: &str, claim: &PdsHostnameClaim) -> Verdict {
    let (field, owner, child) = (field(spec, domain), &claim.spec.owner, &claim.spec.hostname);
    let message = format!(
        "{field}: {domain:?} is above {child:?}, which PdsInstance {}/{} holds; whoever holds a domain holds all handles below it; choose another",
        owner.namespace, owner.name
    );
    Verdict::bad(Reason::HostnameTaken, message)
}

fn taken(spec: &PdsInstanceSpec, domain: &str, claim: &PdsHostnameClaim) -> Verdict {
    let field = field(spec, domain);
    let owner = &claim.spec.owner;
    let message = format!(
        "{field}: {domain:?} is held by PdsInstance {}/{}; choose another, or end that instance and its data",
        owner.namespace, owner.name
    );
    Verdict::bad(Reason::HostnameTaken, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_domain() {
        assert_eq!(above("a.b.test").collect::<Vec<_>>(), ["b.test", "test"]);
        assert!(is_at_or_below("a.b.test", "b.test") && is_at_or_below("b.test", "b.test"));
        assert!(!is_at_or_below("ab.test", "b.test") && !is_at_or_below("test", "b.test"));
    }
}
