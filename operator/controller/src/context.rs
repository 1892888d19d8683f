//! What every reconciliation shares.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use operator_api::{PdsClass, PdsHostnameClaim};
use operator_object_store::Seed;
use operator_runtime::backoff::Backoff;
use operator_runtime::cache::Key;
use operator_runtime::child::Caches;
use operator_runtime::event::Events;
use operator_runtime::labels::INSTANCE;
use operator_runtime::pages::Pages;
use operator_runtime::recent::Recent;
use operator_runtime::secret::Secrets;
use tokio::sync::{OnceCell, Semaphore};

use crate::crd::Definitions;
use crate::kinds::pds_instance::component::{database, hostname, server};
use crate::kinds::pds_instance::observed::Seen;
use crate::options::{CONTROLLER_NAME, Options};
use crate::refusals::Refusals;
use crate::scrape::Scrapes;

/// A rollout that is seen for longer than this holds nobody up any more.
const LONGEST: Duration = Duration::from_secs(600);
/// In how many namespaces an image may get stuck before no further instance takes it.
const STUCK_NAMESPACES: usize = 3;
/// How long a turn is kept for a rollout that no watch has shown yet.
const UNSEEN: Duration = Duration::from_secs(30);

/// What every reconciliation shares.
pub struct Ctx {
    /// The API server.
    pub client: Client,
    /// How the operator runs.
    pub options: Options,
    /// Set once everything that is watched was seen.
    pub filled: OnceCell<()>,
    /// The objects of all instances.
    pub caches: Caches,
    /// What Secrets hold.
    pub secrets: Arc<Secrets>,
    /// All classes.
    pub classes: Store<PdsClass>,
    /// All claims of hostnames.
    pub claims: Store<PdsHostnameClaim>,
    /// All namespaces with their labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Pods that Kubernetes could not create.
    pub refusals: Arc<Refusals>,
    /// Whether the CustomResourceDefinitions are those of this version.
    pub definitions: Arc<Definitions>,
    /// Publishes Events.
    pub events: Events,
    /// What is counted and shown.
    pub pages: Pages,
    /// Reconciliations at the same time.
    pub places: Semaphore,
    /// Failures in a row.
    pub backoff: Backoff,
    /// What was last seen of buckets, by the uid of the instance: the question and the answer.
    pub buckets: Recent<(String, Seen)>,
    /// The steps that were last taken, by the uid of the instance.
    pub steps: Recent<String>,
    /// What pods last told.
    pub scrapes: Arc<Scrapes>,
    /// Whether storage classes allow volumes to grow.
    pub storage_classes: Recent<bool>,
    /// Rollouts under way.
    pub rollouts: Rollouts,
    /// What secrets of S3 users are derived from.
    pub seed: Seed,
    /// What names this cluster in a bucket's marker.
    pub cluster: String,
}

impl Ctx {
    /// Whether this installation serves a class.
    #[must_use]
    pub fn serves(&self, class: &PdsClass) -> bool {
        class.spec.controller_name.as_deref().unwrap_or(CONTROLLER_NAME) == self.options.controller_name
    }

    /// The claim of a hostname.
    #[must_use]
    pub fn claim(&self, hostname: &str) -> Option<Arc<PdsHostnameClaim>> {
        self.claims.get(&ObjectRef::new(&hostname::claim_name(hostname)))
    }

    /// The labels of a namespace.
    #[must_use]
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        self.namespaces.get(&ObjectRef::new(namespace)).map(|found| found.labels().clone()).unwrap_or_default()
    }

    /// Lets the pods of an instance be replaced, if fewer than the allowed number of instances do that now, and if the image did not
    /// get stuck in several namespaces already. One tenant alone cannot hold the others up.
    pub fn take_turn(&self, namespace: &str, name: &str, image: &str) -> bool {
        let own = (namespace.to_owned(), name.to_owned());
        let servers = self.caches.of::<Deployment>().map(|cache| cache.all()).unwrap_or_default();
        let stuck =
            servers.iter().filter(|live| server::is_stuck_with(live, image)).filter_map(|live| live.namespace());
        if stuck.collect::<HashSet<_>>().len() >= STUCK_NAMESPACES {
            return false;
        }
        let servers = servers.iter().filter(|live| server::is_rolling(live)).map(|live| key(&live.metadata));
        let databases = self.caches.of::<StatefulSet>().map(|cache| cache.all()).unwrap_or_default();
        // The StatefulSet of PostgreSQL has a name of its own; its label names the instance.
        let databases = databases
            .iter()
            .filter(|live| database::is_rolling(live))
            .filter_map(|live| Some((live.namespace()?, live.labels().get(INSTANCE)?.clone())));
        let rolling: Vec<_> = servers.chain(databases).collect();
        self.rollouts.take(own, rolling.into_iter(), self.options.max_rollouts.into())
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, namespace: &str, name: &str, uid: &str) {
        self.backoff.reset(uid);
        self.buckets.forget(uid);
        self.steps.forget(uid);
        self.scrapes.forget(uid);
        self.pages.metrics.forget(namespace, name);
    }
}

fn key(metadata: &ObjectMeta) -> Key {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// Rollouts that were allowed, and since when others were seen. What is under way is seen in the cluster; this bridges the time until a
/// watch shows it, and tells a rollout that gets on from one that does not.
#[derive(Debug, Default)]
pub struct Rollouts(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    allowed: HashMap<Key, Instant>,
    seen: HashMap<Key, Instant>,
}

impl Rollouts {
    fn take(&self, own: Key, rolling: impl Iterator<Item = Key>, most: usize) -> bool {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.allowed.retain(|_, since| since.elapsed() < UNSEEN);
        let rolling: HashSet<Key> = rolling.collect();
        turns.seen.retain(|key, _| rolling.contains(key));
        for key in rolling {
            turns.seen.entry(key).or_insert_with(Instant::now);
        }
        let under_way = turns.seen.iter().filter(|(_, since)| since.elapsed() < LONGEST).map(|(key, _)| key);
        let others: HashSet<_> = under_way.chain(turns.allowed.keys()).filter(|key| **key != own).collect();
        let free = others.len() < most;
        if free {
            turns.allowed.insert(own, Instant::now());
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_instances_roll_out_at_a_time() {
        let rollouts = Rollouts::default();
        let key = |name: &str| ("ns".to_owned(), name.to_owned());
        assert!(rollouts.take(key("a"), std::iter::empty(), 2));
        assert!(rollouts.take(key("a"), [key("a")].into_iter(), 2), "its own rollout does not count");
        assert!(rollouts.take(key("b"), [key("a")].into_iter(), 2));
        assert!(!rollouts.take(key("c"), [key("a"), key("b")].into_iter(), 2));
        assert!(!Rollouts::default().take(key("c"), [key("a")].into_iter(), 1));
    }
}
