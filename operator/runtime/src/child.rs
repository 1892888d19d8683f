//! The kinds of objects that instances consist of: how each is watched, kept and found.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, ApiResource, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;

use crate::cache::{Cache, Key, Known, Limits, Lists, all_filled, follow, stripped};
use crate::labels;
use crate::metrics::Metrics;
use crate::object::{AnyObject, Object};
use crate::tolerant::Tolerant;

/// Which namespaces are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of the cluster.
    Cluster,
    /// Only the namespaces of this list.
    Namespaces(Vec<String>),
}

impl Scope {
    /// One entry per watch: the namespace, or nothing for all.
    #[must_use]
    pub fn watches(&self) -> Vec<Option<String>> {
        match self {
            Self::Cluster => vec![None],
            Self::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        }
    }

    /// Whether a namespace is watched.
    #[must_use]
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespaces(names) => names.iter().any(|name| name == namespace),
        }
    }
}

/// An API over one namespace or all.
#[must_use]
pub fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Largest object of a reduced kind that is kept although no instance owns it, in bytes of JSON.
const UNOWNED: usize = 8 << 10;

/// Begins to watch a kind; gives the instances whose objects changed.
type Begin = fn(&mut Caches, &Client, &Scope, &Arc<Metrics>) -> Vec<BoxStream<'static, Key>>;
/// Reads the objects of an instance of which too little is kept.
type Complete = for<'a> fn(&'a Caches, &'a Client, &'a str, &'a str) -> BoxFuture<'a, kube::Result<()>>;

/// A kind of objects that instances consist of. Watches, pruning and the rights of the operator follow from the list of these.
#[derive(Clone, Copy)]
pub struct Child {
    /// The kind, for example `Deployment`.
    pub kind: &'static str,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version of the API, for example `v1`.
    pub version: &'static str,
    /// The name in URLs and rights, for example `deployments`.
    pub plural: &'static str,
    /// What the operator may do with objects of the kind, other than `get`, `list` and `watch`.
    pub verbs: &'static [&'static str],
    begin: Begin,
    complete: Complete,
    find: fn(&Caches, &str, &str) -> Vec<Arc<dyn AnyObject>>,
    orphans: fn(&Caches) -> Vec<Arc<ObjectMeta>>,
}

impl Child {
    /// A kind whose objects are kept whole, if an instance owns them.
    #[must_use]
    pub const fn whole<K: Object>(verbs: &'static [&'static str]) -> Self {
        Self::new::<K>(verbs)
    }

    /// A kind of whose objects only metadata is kept: what they hold can be large and is fetched when it is needed.
    #[must_use]
    pub const fn metadata<K: Object>(verbs: &'static [&'static str]) -> Self {
        Self { begin: begin_metadata::<K>, complete: complete_metadata::<K>, ..Self::new::<K>(verbs) }
    }

    /// A kind of whose objects only a part is kept, which `R` leaves. Something else than an instance may own them.
    #[must_use]
    pub const fn reduced<K: Object, R: Reduce<K>>(verbs: &'static [&'static str]) -> Self {
        Self {
            begin: begin_reduced::<K, R>,
            complete: |_, _, _, _| Box::pin(async { Ok(()) }),
            ..Self::new::<K>(verbs)
        }
    }

    const fn new<K: Object>(verbs: &'static [&'static str]) -> Self {
        Self {
            kind: K::KIND,
            group: K::GROUP,
            version: K::VERSION,
            plural: K::URL_PATH_SEGMENT,
            verbs,
            begin: begin_whole::<K>,
            complete: complete::<K>,
            find: find::<K>,
            orphans: |caches| caches.of::<K>().map(|cache| cache.orphans()).unwrap_or_default(),
        }
    }

    /// Where the API server serves the kind.
    #[must_use]
    pub fn resource(&self) -> ApiResource {
        let (group, version) = (self.group, self.version);
        ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
            kind: self.kind.into(),
            plural: self.plural.into(),
        }
    }
}

/// Says what of a kind's objects is worth keeping.
pub trait Reduce<K>: 'static {
    /// Removes every field that is not kept.
    fn reduce(object: &mut K);
}

/// One cache per kind.
pub struct Caches {
    known: Known,
    stores: HashMap<TypeId, Box<dyn std::any::Any + Send + Sync>>,
    children: Vec<Child>,
    filled: watch::Sender<usize>,
    lists: Lists,
}

impl Caches {
    /// No cache yet; `known` tells instances that exist, `lists` how watches list.
    #[must_use]
    pub fn new(known: Known, lists: Lists) -> Self {
        Self { known, stores: HashMap::new(), children: Vec::new(), filled: watch::Sender::new(0), lists }
    }

    /// How these caches list, for other watches of the same process.
    #[must_use]
    pub fn lists(&self) -> Lists {
        self.lists.clone()
    }

    /// Reads those objects of an instance of which only metadata is kept because a watch showed them before it showed the instance.
    ///
    /// # Errors
    /// What the API server answers.
    pub async fn complete(&self, client: &Client, namespace: &str, instance: &str) -> kube::Result<()> {
        for child in &self.children {
            (child.complete)(self, client, namespace, instance).await?;
        }
        Ok(())
    }

    /// Begins to watch a kind, unless that was done; gives streams that have to be polled, of the instances whose objects changed.
    pub fn begin(
        &mut self,
        child: Child,
        client: &Client,
        scope: &Scope,
        metrics: &Arc<Metrics>,
    ) -> Vec<BoxStream<'static, Key>> {
        if self.children.iter().any(|known| known.kind == child.kind) {
            return Vec::new();
        }
        self.children.push(child);
        (child.begin)(self, client, scope, metrics)
    }

    /// Waits until every watch has shown everything once.
    pub async fn filled(&self) {
        all_filled(&self.filled).await;
    }

    /// How the watches tell that they have shown everything, for caches beside this one.
    #[must_use]
    pub fn filling(&self) -> watch::Sender<usize> {
        self.filled.clone()
    }

    /// The cache of a kind, if it is watched.
    #[must_use]
    pub fn of<K: Object>(&self) -> Option<&Arc<Cache<K>>> {
        self.stores.get(&TypeId::of::<K>())?.downcast_ref()
    }

    /// All objects of an instance, of every kind that is watched.
    #[must_use]
    pub fn of_instance(&self, namespace: &str, instance: &str) -> Children {
        let objects = self.children.iter().flat_map(|child| (child.find)(self, namespace, instance));
        objects.collect()
    }

    /// The metadata of objects of a kind that went with an instance and have no owner any more.
    #[must_use]
    pub fn orphans(&self, child: &Child) -> Vec<Arc<ObjectMeta>> {
        (child.orphans)(self)
    }

    fn add<K: Object>(&mut self, unowned: usize) -> Arc<Cache<K>> {
        let cache = Arc::new(Cache::<K>::new(Limits { known: self.known.clone(), unowned, ..Limits::default() }));
        self.stores.insert(TypeId::of::<K>(), Box::new(cache.clone()));
        cache
    }
}

fn begin_with<K: Object, W>(
    caches: &mut Caches,
    client: &Client,
    scope: &Scope,
    metrics: &Arc<Metrics>,
    unowned: usize,
    keep: fn(W) -> K,
) -> Vec<BoxStream<'static, Key>>
where
    W: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + serde::de::DeserializeOwned
        + Clone
        + std::fmt::Debug
        + Send
        + 'static,
{
    let cache = caches.add::<K>(unowned);
    let config = || watcher::Config::default().labels(&labels::any_instance());
    let watch = |namespace: Option<String>| {
        let api = api::<Tolerant<W>>(client, namespace.as_deref());
        follow(cache.clone(), namespace, api, config(), metrics.clone(), (&caches.lists, caches.filled.clone()), keep)
            .boxed()
    };
    scope.watches().into_iter().map(watch).collect()
}

fn begin_whole<K: Object>(
    caches: &mut Caches,
    client: &Client,
    scope: &Scope,
    metrics: &Arc<Metrics>,
) -> Vec<BoxStream<'static, Key>> {
    begin_with::<K, K>(caches, client, scope, metrics, 0, |object| object)
}

fn begin_reduced<K: Object, R: Reduce<K>>(
    caches: &mut Caches,
    client: &Client,
    scope: &Scope,
    metrics: &Arc<Metrics>,
) -> Vec<BoxStream<'static, Key>> {
    begin_with::<K, K>(caches, client, scope, metrics, UNOWNED, |mut object| {
        R::reduce(&mut object);
        object
    })
}

fn begin_metadata<K: Object>(
    caches: &mut Caches,
    client: &Client,
    scope: &Scope,
    metrics: &Arc<Metrics>,
) -> Vec<BoxStream<'static, Key>> {
    begin_with::<K, PartialObjectMeta<K>>(caches, client, scope, metrics, 0, bare)
}

/// An object of which nothing but metadata is known.
fn bare<K: Object>(partial: PartialObjectMeta<K>) -> K {
    let mut object = K::default();
    *object.meta_mut() = partial.metadata;
    object
}

fn complete<'a, K: Object>(
    caches: &'a Caches,
    client: &'a Client,
    namespace: &'a str,
    instance: &'a str,
) -> BoxFuture<'a, kube::Result<()>> {
    Box::pin(async move {
        let Some(cache) = caches.of::<K>() else { return Ok(()) };
        for name in cache.withheld(namespace, instance) {
            let found = api::<Tolerant<K>>(client, Some(namespace)).get_opt(&name).await?;
            if let Some(object) = found.and_then(|found| found.0.ok()) {
                cache.apply(Some(namespace), Event::Apply(stripped(object, |object| object)));
            }
        }
        Ok(())
    })
}

fn complete_metadata<'a, K: Object>(
    caches: &'a Caches,
    client: &'a Client,
    namespace: &'a str,
    instance: &'a str,
) -> BoxFuture<'a, kube::Result<()>> {
    Box::pin(async move {
        let Some(cache) = caches.of::<K>() else { return Ok(()) };
        for name in cache.withheld(namespace, instance) {
            let found = api::<Tolerant<PartialObjectMeta<K>>>(client, Some(namespace)).get_opt(&name).await?;
            if let Some(object) = found.and_then(|found| found.0.ok()) {
                cache.apply(Some(namespace), Event::Apply(stripped(object, bare)));
            }
        }
        Ok(())
    })
}

fn find<K: Object>(caches: &Caches, namespace: &str, instance: &str) -> Vec<Arc<dyn AnyObject>> {
    let found = caches.of::<K>().map(|cache| cache.of_instance(namespace, instance)).unwrap_or_default();
    found.into_iter().map(|object| object as Arc<dyn AnyObject>).collect()
}

/// The objects of one instance at one moment.
#[derive(Clone, Debug, Default)]
pub struct Children(BTreeMap<(&'static str, String), Arc<dyn AnyObject>>);

impl FromIterator<Arc<dyn AnyObject>> for Children {
    fn from_iter<I: IntoIterator<Item = Arc<dyn AnyObject>>>(objects: I) -> Self {
        let key = |object: &Arc<dyn AnyObject>| (object.kind(), object.metadata().name.clone().unwrap_or_default());
        Self(objects.into_iter().map(|object| (key(&object), object)).collect())
    }
}

impl Children {
    /// The object of a kind under a name.
    #[must_use]
    pub fn get<K: Object>(&self, name: &str) -> Option<&K> {
        self.0.get(&(K::KIND, name.to_owned()))?.as_any().downcast_ref()
    }

    /// The object of a kind, given by its name, under a name.
    #[must_use]
    pub fn find(&self, kind: &'static str, name: &str) -> Option<&dyn AnyObject> {
        self.0.get(&(kind, name.to_owned())).map(|object| &**object)
    }

    /// The objects of a kind.
    pub fn all<K: Object>(&self) -> impl Iterator<Item = &K> {
        self.0.values().filter_map(|object| object.as_any().downcast_ref())
    }

    /// Every object with its kind.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &ObjectMeta)> {
        self.0.values().map(|object| (object.kind(), object.metadata()))
    }
}
