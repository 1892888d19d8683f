//! What every reconciliation shares.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use operator_api::{PdsBucketClaim, PdsClass, PdsHostnameClaim};
use operator_object_store::Seed;
use operator_runtime::backoff::Backoff;
use operator_runtime::child::Caches;
use operator_runtime::event::Events;
use operator_runtime::labels::INSTANCE;
use operator_runtime::pace::Pace;
use operator_runtime::pages::Pages;
use operator_runtime::places::Places;
use operator_runtime::recent::Recent;
use operator_runtime::secret::Secrets;
use operator_runtime::turns::{Lanes, Turns};
use tokio::sync::OnceCell;

use crate::crd::Definitions;
use crate::guarded::{Instances, owned_by};
use crate::kinds::pds_instance::component::{database, hostname, name, server};
use crate::kinds::pds_instance::done::Done;
use crate::kinds::pds_instance::observed::Seen;
use crate::kinds::pds_instance::written::Written;
use crate::options::Options;
use crate::refusals::Refusals;
use crate::rollouts::{Rollouts, Turn};
use crate::scrape::Scrapes;

/// What every reconciliation shares.
pub struct Ctx {
    /// The API server.
    pub client: Client,
    /// How the operator runs.
    pub options: Options,
    /// Set once everything that is watched was seen.
    pub filled: OnceCell<()>,
    /// The store that the watch of instances fills, with those that cannot be read.
    pub instances: Instances,
    /// The objects of all instances.
    pub caches: Caches,
    /// What Secrets hold.
    pub secrets: Arc<Secrets>,
    /// All classes.
    pub classes: Store<PdsClass>,
    /// The turn for claiming hostnames that may lie below or above others. Of the whole cluster one at a time.
    pub claiming: Turns,
    /// Turns for claiming buckets that count against the limit of a namespace.
    pub claiming_buckets: Lanes,
    /// Turns for fetching instances as they are stored: each may have a megabyte and a half.
    pub fetching: Turns,
    /// All claims of hostnames.
    pub claims: Store<PdsHostnameClaim>,
    /// All claims of buckets.
    pub bucket_claims: Store<PdsBucketClaim>,
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
    /// How often each instance is reconciled.
    pub pace: Pace,
    /// How many reconciliations run at the same time.
    pub places: Places,
    /// Consecutive failures per instance, and the delay that follows from their number.
    pub backoff: Backoff,
    /// What was last seen of buckets, by the uid of the instance: the question and the answer.
    pub buckets: Recent<(String, Seen)>,
    /// What the last reconciliation did, by the uid of the instance.
    pub done: Recent<Done>,
    /// The statuses that were last written, by the uid of the instance.
    pub written: Recent<Written>,
    /// Metrics that pods answered last: accounts, blob store, use of the volume.
    pub scrapes: Arc<Scrapes>,
    /// Whether storage classes allow volumes to grow.
    pub storage_classes: Recent<bool>,
    /// Limits how many instances replace their pods at the same time.
    pub rollouts: Rollouts,
    /// What secrets of S3 users are derived from.
    pub seed: Seed,
    /// What names this cluster in a bucket's marker.
    pub cluster: String,
}

impl Ctx {
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

    /// Asks whether the pods of an instance may be replaced by pods with `image` now.
    ///
    /// Only workloads count that an instance owns: whoever may write workloads with our marks would hold up everybody otherwise.
    pub fn take_turn(&self, namespace: &str, name: &str, image: &str) -> Turn {
        let servers = self.caches.of::<Deployment>().map(|cache| cache.digests(server::workload));
        let databases = self.caches.of::<StatefulSet>().map(|cache| cache.digests(database::workload));
        let servers = servers.iter().flatten().filter(|live| self.is_working(&live.metadata, ToOwned::to_owned));
        let databases = databases.iter().flatten().filter(|live| self.is_working(&live.metadata, name::postgres));
        let workloads: Vec<_> = servers.chain(databases).collect();
        let rolling: Vec<_> = workloads.iter().filter_map(|live| live.rolling.clone()).collect();
        let serving = workloads.iter().filter(|live| live.serving.iter().any(|served| served == image));
        let serving = serving.filter_map(|live| live.metadata.namespace.as_ref()).collect::<HashSet<_>>().len();
        let own = (namespace.to_owned(), name.to_owned());
        self.rollouts.take(own, image, &rolling, serving, self.options.max_rollouts.into())
    }

    /// Whether a workload is the one of an instance that exists and is not paused. `workload` makes the workload's name of the instance's.
    fn is_working(&self, metadata: &ObjectMeta, workload: impl Fn(&str) -> String) -> bool {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let Some(owner) = owner.filter(|owner| metadata.name.as_ref() == Some(&workload(&owner.name))) else {
            return false;
        };
        let is_marked = metadata.labels.as_ref().and_then(|labels| labels.get(INSTANCE)) == Some(&owner.name);
        let found = owned_by(&self.instances, namespace, owner);
        is_marked && found.is_some_and(|found| found.0.as_ref().is_ok_and(|pds| pds.spec.paused != Some(true)))
    }

    /// Forgets instances that are gone without an end of their own: without a finalizer nothing is done at a deletion.
    pub fn forget_gone(&self) {
        let instances = self.instances.state();
        let uids: HashSet<_> = instances.iter().filter_map(|found| found.uid()).collect();
        self.pace.retain(|uid| uids.contains(uid));
        self.backoff.retain(|uid| uids.contains(uid));
        self.buckets.retain(|uid| uids.contains(uid));
        self.done.retain(|uid| uids.contains(uid));
        self.written.retain(|uid| uids.contains(uid));
        self.scrapes.retain(|uid| uids.contains(uid));
        let exists =
            |namespace: &str, name: &str| self.instances.get(&ObjectRef::new(name).within(namespace)).is_some();
        self.pages.metrics.forget_gone(exists);
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, namespace: &str, name: &str, uid: &str) {
        self.pace.forget(uid);
        self.backoff.reset(uid);
        self.buckets.forget(uid);
        self.done.forget(uid);
        self.written.forget(uid);
        self.scrapes.forget(uid);
        self.pages.metrics.forget(namespace, name);
    }
}
