//! The hostname: one instance of the cluster holds it.

use data_encoding::BASE32_DNSSEC;
use operator_api::{ConditionType, PdsHostnameClaim, Reason};
use sha2::{Digest, Sha256};

use super::super::step::Step;
use super::super::verdict::Verdict;
use super::{Component, Part, Scene};

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

/// The hostname.
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
        let Some(hostname) = &wanted.claims else { return Part::absent() };
        if let Some((domain, holder)) = &scene.observed.taken_domain {
            let owner = &holder.spec.owner;
            let message = format!(
                "spec.handleDomains: {domain:?} is the hostname of PdsInstance {}/{}",
                owner.namespace, owner.name
            );
            return Part::new(Verdict::bad(Reason::HostnameTaken, message));
        }
        match &scene.observed.claim {
            Some(claim)
                if is_held_by(claim, wanted.namespace(), &wanted.instance) && claim.spec.hostname == *hostname =>
            {
                Part::new(Verdict::good(format!("PdsHostnameClaim for {hostname}")))
            }
            Some(claim) => {
                let owner = &claim.spec.owner;
                let message = format!(
                    "spec.hostname: {hostname:?} is held by PdsInstance {}/{}; choose another, or end that instance and its data",
                    owner.namespace, owner.name
                );
                // The holder may be gone with its data: the step looks, and frees the hostname if so.
                Part::new(Verdict::bad(Reason::HostnameTaken, message))
                    .with_step(Step::Claim { hostname: hostname.clone() })
            }
            None => {
                let verdict = Verdict::bad(Reason::Progressing, format!("the hostname {hostname} is being claimed"));
                Part::new(verdict).with_step(Step::Claim { hostname: hostname.clone() })
            }
        }
    }
}
