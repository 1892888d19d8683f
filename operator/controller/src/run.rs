//! Puts the parts together: pages, lease, caches, controller, shutdown.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use data_encoding::HEXLOWER;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ObjectMeta, PartialObjectMeta, PostParams};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, ResourceExt};
use operator_api::{PdsClass, PdsHostnameClaim, PdsInstance};
use operator_object_store::Seed;
use operator_runtime::backoff::Backoff;
use operator_runtime::cache::Key;
use operator_runtime::child::{Caches, Scope, api};
use operator_runtime::event::Events;
use operator_runtime::labels::PREFIX;
use operator_runtime::lease::Candidate;
use operator_runtime::pages::{Pages, router};
use operator_runtime::recent::Recent;
use operator_runtime::secret::Secrets;
use operator_runtime::supervise;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::context::{CONTROLLER_NAME, Ctx, Rollouts};
use crate::crd::Definitions;
use crate::kinds::pds_instance::observe::uses_secret;
use crate::kinds::pds_instance::{self, free_hostnames};
use crate::refusals::Refusals;
use crate::scrape::{self, Scrapes};

const LEASE: &str = "aurora-locus-operator";
const CONTROLLER: &str = "aurora-locus-operator";
/// The Secret with the seed, from which the secrets of S3 users are derived.
const SEED_SECRET: &str = "aurora-locus-seed";
const SEED_KEY: &str = "seed";
/// Between two looks at the CustomResourceDefinitions: while they are too old, and otherwise.
const DEFINITIONS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(3600));
/// Between two sweeps of hostnames whose holders are gone.
const SWEEP: Duration = Duration::from_secs(600);

/// How the operator runs.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The operator's own namespace: its Lease, its seed and the Secrets of classes
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "aurora-system")]
    pub namespace: String,
    /// This process among its replicas
    #[arg(long, env = "POD_NAME", default_value = "operator")]
    pub identity: String,
    /// Where `/metrics`, `/healthz` and `/readyz` are served
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "[::]:8080")]
    pub listen: SocketAddr,
    /// Reconciliations at the same time
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Serve only these namespaces; all if absent
    #[arg(long, env = "OPERATOR_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Serve the classes with this `controllerName`
    #[arg(long, env = "OPERATOR_CONTROLLER_NAME", default_value = CONTROLLER_NAME)]
    pub controller_name: String,
    /// Instances whose pods are replaced at the same time, when a class or the operator changes
    #[arg(long, env = "OPERATOR_MAX_ROLLOUTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_rollouts: u16,
}

impl Options {
    /// The namespaces that are served.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let names: Vec<_> = self.namespaces.iter().filter(|name| !name.is_empty()).cloned().collect();
        if names.is_empty() { Scope::Cluster } else { Scope::Namespaces(names) }
    }
}

/// Runs until it is told to stop, or loses the Lease.
///
/// # Errors
/// What stops it at the start.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = Client::try_default().await.context("find the API server")?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    operate(client, options, stop).await
}

/// Runs until `stop`.
///
/// # Errors
/// What stops it at the start.
pub async fn operate(client: Client, options: Options, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let pages = Pages::default();
    let listener = tokio::net::TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("listen at {}", options.listen))?;
    let server = axum::serve(listener, router(pages.clone())).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::spawn(server.into_future());
    pages.started();
    let identity = format!("{}_{}", options.identity, uuid::Uuid::new_v4());
    let leases = Api::<Lease>::namespaced(client.clone(), &options.namespace);
    // Installations that serve other classes lead beside each other.
    let lease = if options.controller_name == CONTROLLER_NAME {
        LEASE.to_owned()
    } else {
        format!("{LEASE}-{}", &operator_runtime::hash::hex(options.controller_name.as_bytes(), 10))
    };
    let candidate = Candidate::new(leases, &lease, identity);
    let work = {
        let (pages, stop) = (pages.clone(), stop.clone());
        move || async move {
            match control(client, options, pages, stop).await {
                Ok(()) => "its watches ended".to_owned(),
                Err(error) => format!("{error:#}"),
            }
        }
    };
    Ok(supervise::lead(candidate, pages, stop, work).await)
}

/// The seed: made once, and the same for every replica and every later start.
async fn seed(client: &Client, namespace: &str) -> anyhow::Result<Seed> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes);
    let data = [(SEED_KEY.to_owned(), ByteString(bytes.to_vec()))].into();
    let metadata = ObjectMeta { name: Some(SEED_SECRET.into()), ..Default::default() };
    let fresh = Secret { metadata, data: Some(data), immutable: Some(true), ..Default::default() };
    let secret = match api.get_opt(SEED_SECRET).await.context("read the seed")? {
        Some(secret) => secret,
        None => match api.create(&PostParams::default(), &fresh).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                api.get(SEED_SECRET).await.context("read the seed")?
            }
            made => made.context("write the seed")?,
        },
    };
    let bytes = secret.data.unwrap_or_default().remove(SEED_KEY).map(|value| value.0).unwrap_or_default();
    Seed::try_from(bytes.as_slice()).with_context(|| format!("Secret {namespace}/{SEED_SECRET}, key {SEED_KEY}"))
}

async fn control(client: Client, options: Options, pages: Pages, stop: CancellationToken) -> anyhow::Result<()> {
    let scope = options.scope();
    let metrics = pages.metrics.clone();
    let seed = seed(&client, &options.namespace).await?;
    let cluster = cluster(&client).await;
    let mut caches = Caches::default();
    let mut triggers: Vec<BoxStream<'static, ObjectRef<Guarded>>> = Vec::new();
    for child in access::children() {
        for changed in caches.begin(*child, &client, &scope, &metrics) {
            triggers.push(changed.map(reference).boxed());
        }
    }

    let (instances, writer) = reflector::store();
    let watches = scope.watches().into_iter().map(|namespace| {
        let api = api::<Guarded>(&client, namespace.as_deref());
        kube::runtime::watcher(api, watcher::Config::default()).default_backoff().boxed()
    });
    let watched = merged(watches.collect()).modify(strip_instance).reflect(writer);
    let changed = watched.applied_objects().predicate_filter(predicates::generation, PredicateConfig::default());

    let secrets = Arc::new(Secrets::new(client.clone()));
    let mut watched_secrets = scope.watches();
    if !scope.includes(&options.namespace) {
        watched_secrets.push(Some(options.namespace.clone()));
    }
    for namespace in watched_secrets {
        let (own, users) = (options.namespace.clone(), instances.clone());
        let touched = secrets.clone().follow(namespace);
        triggers.push(touched.flat_map(move |key| stream::iter(users_of_secret(&users, &own, &key))).boxed());
    }
    let refusals = Arc::new(Refusals::default());
    for namespace in scope.watches() {
        let (all, touched) = (instances.clone(), refusals.clone().follow(&client, namespace.as_deref()));
        triggers.push(touched.flat_map(move |(namespace, _)| stream::iter(of_namespace(&all, &namespace))).boxed());
    }

    let (classes, writer) = reflector::store();
    let changed_classes = kube::runtime::watcher(Api::<PdsClass>::all(client.clone()), watcher::Config::default());
    let changed_classes =
        changed_classes.default_backoff().modify(|class| class.managed_fields_mut().clear()).reflect(writer);
    let (claims, writer) = reflector::store();
    let changed_claims =
        kube::runtime::watcher(Api::<PdsHostnameClaim>::all(client.clone()), watcher::Config::default());
    let changed_claims =
        changed_claims.default_backoff().modify(|claim| claim.managed_fields_mut().clear()).reflect(writer);
    let (namespaces, writer) = reflector::store();
    let names = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let changed_namespaces = kube::runtime::watcher(names, watcher::Config::default()).default_backoff();
    let changed_namespaces = changed_namespaces
        .modify(|namespace| {
            namespace.metadata.managed_fields = None;
            namespace.metadata.annotations = None;
        })
        .reflect(writer)
        .touched_objects()
        .predicate_filter(predicates::labels, PredicateConfig::default());

    let (news, mut told) = mpsc::channel(256);
    let ctx = Arc::new(Ctx {
        events: Events::new(client.clone(), CONTROLLER, &options.identity),
        client: client.clone(),
        caches,
        secrets,
        classes,
        claims: claims.clone(),
        namespaces,
        refusals,
        definitions: Arc::new(Definitions::default()),
        pages,
        places: Semaphore::new(options.concurrency.into()),
        backoff: Backoff::default(),
        buckets: Recent::default(),
        scrapes: Arc::new(Scrapes::default()),
        storage_classes: Recent::default(),
        rollouts: Rollouts::default(),
        seed,
        cluster,
        options,
    });
    ctx.definitions.look(&client, &metrics).await;
    let mut helpers = tokio::task::JoinSet::new();
    helpers.spawn(scrape::run(ctx.clone(), ready_instances(ctx.clone(), instances.clone()), news.clone()));
    helpers.spawn(look_after(ctx.clone(), instances.clone(), news, stop.clone()));

    let told = stream::poll_fn(move |context| told.poll_recv(context)).map(|about: ObjectRef<PdsInstance>| {
        ObjectRef::new(&about.name).within(about.namespace.as_deref().unwrap_or_default())
    });
    // How many reconcile at the same time is up to `Ctx::places`.
    let mut controller = Controller::for_stream(changed, instances.clone());
    let (all, holders, tenants) = (instances.clone(), instances.clone(), instances.clone());
    controller = controller
        .watches_stream(changed_classes.touched_objects(), move |_| every(&all))
        .watches_stream(changed_claims.touched_objects(), move |claim| with_hostname(&holders, &claim.spec.hostname))
        .watches_stream(changed_namespaces, move |namespace| of_namespace(&tenants, &namespace.name_any()))
        .reconcile_on(stream::select_all(triggers))
        .reconcile_on(told);
    controller
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(pds_instance::reconcile, |_, error, _| match *error {}, ctx)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "the controller");
            }
        })
        .await;
    Ok(())
}

type Guarded = DeserializeGuard<PdsInstance>;
type Watched = watcher::Result<watcher::Event<Guarded>>;

/// One stream of the watches of several namespaces. The store behind it takes the end of a list for the end of all lists, so only the
/// first round is passed on as a list; later lists become changes, with a deletion for what they no longer show.
fn merged(watches: Vec<BoxStream<'static, Watched>>) -> BoxStream<'static, Watched> {
    let count = watches.len();
    let numbered =
        watches.into_iter().enumerate().map(|(source, watch)| watch.map(move |event| (source, event)).boxed());
    let mut lists: Vec<(HashSet<Key>, HashSet<Key>)> = vec![Default::default(); count];
    let (mut begun, mut waiting) = (false, (0..count).collect::<HashSet<_>>());
    stream::select_all(numbered)
        .flat_map(move |(source, event)| {
            let (known, listed) = &mut lists[source];
            let first = waiting.contains(&source);
            let events = match event {
                Err(error) => vec![Err(error)],
                Ok(watcher::Event::Init) => {
                    listed.clear();
                    let is_start = !std::mem::replace(&mut begun, true);
                    if is_start { vec![Ok(watcher::Event::Init)] } else { Vec::new() }
                }
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(key_of(&object));
                    vec![Ok(if first { watcher::Event::InitApply(object) } else { watcher::Event::Apply(object) })]
                }
                Ok(watcher::Event::InitDone) => {
                    let gone: Vec<_> = known.difference(listed).cloned().collect();
                    *known = std::mem::take(listed);
                    waiting.remove(&source);
                    if first && waiting.is_empty() {
                        vec![Ok(watcher::Event::InitDone)]
                    } else {
                        gone.into_iter().map(|key| Ok(watcher::Event::Delete(tombstone(key)))).collect()
                    }
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(key_of(&object));
                    vec![Ok(watcher::Event::Apply(object))]
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&key_of(&object));
                    vec![Ok(watcher::Event::Delete(object))]
                }
            };
            stream::iter(events)
        })
        .boxed()
}

fn key_of(object: &Guarded) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Stands for an object that is gone and of which only the name is known.
fn tombstone((namespace, name): Key) -> Guarded {
    let metadata = ObjectMeta { namespace: Some(namespace), name: Some(name), ..Default::default() };
    DeserializeGuard(Err(InvalidObject { error: "the object is gone".into(), metadata }))
}

/// What names this cluster in markers: it tells people where an owner is, and decides nothing.
async fn cluster(client: &Client) -> String {
    let system = Api::<Namespace>::all(client.clone()).get_metadata("kube-system").await;
    let uid = system.ok().and_then(|system| system.uid()).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(uid.as_bytes())[..6])
}

fn strip_instance(object: &mut Guarded) {
    let metadata = match &mut object.0 {
        Ok(pds) => &mut pds.metadata,
        Err(invalid) => &mut invalid.metadata,
    };
    metadata.managed_fields = None;
    metadata.labels = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key.starts_with(PREFIX));
    }
}

type Instances = Store<Guarded>;

fn reference((namespace, name): Key) -> ObjectRef<Guarded> {
    ObjectRef::new(&name).within(&namespace)
}

fn every(instances: &Instances) -> Vec<ObjectRef<Guarded>> {
    instances.state().iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
}

fn those(instances: &Instances, wanted: impl Fn(&PdsInstance) -> bool) -> Vec<ObjectRef<Guarded>> {
    let found = instances.state_filter(|pds| pds.0.as_ref().is_ok_and(&wanted));
    found.iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
}

fn of_namespace(instances: &Instances, namespace: &str) -> Vec<ObjectRef<Guarded>> {
    those(instances, |pds| pds.namespace().as_deref() == Some(namespace))
}

fn with_hostname(instances: &Instances, hostname: &str) -> Vec<ObjectRef<Guarded>> {
    those(instances, |pds| {
        pds.spec.hostname == hostname
            || pds.spec.handle_domains.iter().flatten().any(|domain| domain.domain == hostname)
    })
}

fn users_of_secret(instances: &Instances, own: &str, key: &Key) -> Vec<ObjectRef<Guarded>> {
    if key.0 == own {
        return every(instances);
    }
    those(instances, |pds| pds.namespace().as_deref() == Some(&key.0) && uses_secret(pds, &key.1))
}

/// The instances whose status says that pods serve.
fn ready_instances(ctx: Arc<Ctx>, instances: Instances) -> impl Fn() -> Vec<Arc<PdsInstance>> {
    move || {
        let serves = |pds: &PdsInstance| {
            let name = pds.name_any();
            let cache = ctx.caches.of::<k8s_openapi::api::apps::v1::Deployment>();
            let live = cache.and_then(|cache| cache.get(&pds.namespace().unwrap_or_default(), &name));
            live.and_then(|live| live.status.as_ref()?.ready_replicas).unwrap_or(0) > 0
        };
        let all = instances.state_filter(|pds| pds.0.as_ref().is_ok_and(&serves));
        all.iter().filter_map(|pds| pds.0.as_ref().ok().cloned().map(Arc::new)).collect()
    }
}

/// Looks now and then at what no watch shows. Other definitions concern every instance.
async fn look_after(
    ctx: Arc<Ctx>,
    instances: Instances,
    news: mpsc::Sender<ObjectRef<PdsInstance>>,
    stop: CancellationToken,
) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.tick().await;
    loop {
        let pause = if ctx.definitions.problem().is_some() { DEFINITIONS.0 } else { DEFINITIONS.1 };
        tokio::select! {
            () = tokio::time::sleep(pause) => {
                if ctx.definitions.look(&ctx.client, &ctx.pages.metrics).await {
                    for about in every(&instances) {
                        let about = ObjectRef::new(&about.name).within(about.namespace.as_deref().unwrap_or_default());
                        news.send(about).await.ok();
                    }
                }
            }
            _ = sweep.tick() => {
                let exists = |namespace: &str, name: &str| {
                    instances.get(&ObjectRef::new(name).within(namespace)).is_some()
                };
                if let Err(error) = free_hostnames(&ctx, exists).await {
                    tracing::debug!(%error, "hostnames were not looked at");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

async fn signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    stop.cancel();
}
