//! Puts the parts together: pages, lease, caches, controller, shutdown.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Config, ResourceExt};
use operator_api::{PdsBucketClaim, PdsClass, PdsHostnameClaim, PdsInstance};
use operator_runtime::backoff::Backoff;
use operator_runtime::bounded::bounded;
use operator_runtime::cache::{Known, Lists, can_stream};
use operator_runtime::child::{Caches, api};
use operator_runtime::event::Events;
use operator_runtime::lease::{Candidate, Keeper};
use operator_runtime::listener::serve;
use operator_runtime::pace::Pace;
use operator_runtime::pages::{Pages, router};
use operator_runtime::places::Places;
use operator_runtime::recent::Recent;
use operator_runtime::secret::Secrets;
use operator_runtime::supervise;
use operator_runtime::turns::{Lanes, Turns};
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::context::Ctx;
use crate::crd::Definitions;
use crate::guarded::{Guarded, Instances, owned_by};
use crate::instances::{
    every, merged, of_namespace, reference, strip_instance, touched_by, users_of_secret, waiting_for_bucket,
};
use crate::kinds::pds_instance;
use crate::kinds::pds_instance::bucket_claim::free_gone;
use crate::kinds::pds_instance::claim::{Holder, free_hostnames};
use crate::kinds::pds_instance::component::{hostname, keys, server};
use crate::kinds::pds_instance::orphans;
use crate::options::{CONTROLLER_NAME, Options};
use crate::refusals::Refusals;
use crate::rollouts::Rollouts;
use crate::scrape::Scrapes;
use crate::scraper;
use crate::seed::{cluster, seed};

const LEASE: &str = "aurora-locus-operator";
const CONTROLLER: &str = "aurora-locus-operator";
/// Between two looks at the CustomResourceDefinitions: while they are too old, and otherwise.
const DEFINITIONS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(3600));
/// Between two sweeps of hostnames whose holders are gone.
const SWEEP: Duration = Duration::from_secs(600);

/// Instances that cannot be read, fetched at once.
const FETCHES: usize = 2;

/// Between two looks for instances that are gone.
const FORGET: Duration = Duration::from_secs(10);

/// Name of the Lease of an installation. Installations that serve other classes lead beside each other.
#[must_use]
pub fn lease_name(controller_name: &str) -> String {
    if controller_name == CONTROLLER_NAME {
        return LEASE.to_owned();
    }
    format!("{LEASE}-{}", operator_runtime::hash::hex(controller_name.as_bytes(), 10))
}

/// Runs until it is told to stop, or loses the Lease.
///
/// # Errors
/// What stops it at the start.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = Config::infer().await.context("find the API server")?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    operate(move || Client::try_from(config.clone()), options, stop).await
}

/// Runs until `stop`. `connect` makes a client with connections of its own.
///
/// # Errors
/// What stops it at the start.
pub async fn operate(
    connect: impl Fn() -> kube::Result<Client> + Send + 'static,
    options: Options,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let client = bounded(connect().context("connect to the API server")?);
    let pages = Pages::default();
    let listener = tokio::net::TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("listen at {}", options.listen))?;
    tokio::spawn(serve(listener, router(pages.clone()), stop.clone()));
    pages.started();
    let identity = format!("{}_{}", options.identity, uuid::Uuid::new_v4());
    let (namespace, lease) = (options.namespace.clone(), lease_name(&options.controller_name));
    let keeper = Keeper::begin(move || {
        let leases = Api::<Lease>::namespaced(bounded(connect()?), &namespace);
        Ok(Candidate::new(leases, &lease, identity))
    });
    let work = {
        let (pages, stop) = (pages.clone(), stop.clone());
        move || async move {
            match control(client, options, pages, stop).await {
                Ok(()) => "its watches ended".to_owned(),
                Err(error) => format!("{error:#}"),
            }
        }
    };
    Ok(supervise::lead(keeper, pages, stop, work).await)
}

async fn control(client: Client, options: Options, pages: Pages, stop: CancellationToken) -> anyhow::Result<()> {
    let scope = options.scope();
    let metrics = pages.metrics.clone();
    let seed = seed(&client, &options.namespace).await?;
    let cluster = cluster(&client).await;
    let (instances, writer) = reflector::store();
    let known: Known = {
        let instances = instances.clone();
        Arc::new(move |namespace, owner| owned_by(&instances, namespace, owner).is_some())
    };
    let one_by_one = can_stream(&Api::<PdsClass>::all(client.clone())).await;
    if !one_by_one {
        tracing::warn!(
            "the API server does not send lists object by object (feature WatchList): a start takes longer the more objects there are"
        );
    }
    let mut caches = Caches::new(known, Lists::new(one_by_one));
    let mut triggers: Vec<BoxStream<'static, ObjectRef<Guarded>>> = Vec::new();
    // How much of an object is kept depends on the instance that owns it, so instances come first.
    let listed = CancellationToken::new();
    for child in access::children() {
        for changed in caches.begin(*child, &client, &scope, &metrics) {
            let listed = listed.clone().cancelled_owned();
            triggers.push(listed.map(|()| changed.map(reference)).flatten_stream().boxed());
        }
    }

    let lists = caches.lists();
    let watches = scope.watches().into_iter().map(|namespace| {
        let api = api::<Guarded>(&client, namespace.as_deref());
        // A few at a time: whoever may create instances decides how large they are.
        lists.limit(kube::runtime::watcher(api, lists.config(watcher::Config::default()))).default_backoff().boxed()
    });
    // Not by waiting for the store: it wakes only the last one that waits, and the controller waits for it.
    let watched = merged(watches.collect()).modify(strip_instance).reflect(writer).inspect(move |event| {
        if matches!(event, Ok(watcher::Event::InitDone)) {
            listed.cancel();
        }
    });
    let changed = watched.applied_objects().predicate_filter(predicates::generation, PredicateConfig::default());

    let (classes, class_writer) = reflector::store();
    let secrets = Arc::new(Secrets::new(client.clone(), &keys::ANNOTATIONS));
    let mut watched_secrets = scope.watches();
    if !scope.includes(&options.namespace) {
        watched_secrets.push(Some(options.namespace.clone()));
    }
    for namespace in watched_secrets {
        let (own, users, of) = (options.namespace.clone(), instances.clone(), classes.clone());
        let touched = secrets.clone().follow(namespace, &lists);
        triggers.push(touched.flat_map(move |key| stream::iter(users_of_secret(&users, &of, &own, &key))).boxed());
    }
    let refusals = Arc::new(Refusals::default());
    for namespace in scope.watches() {
        let (all, touched) = (instances.clone(), refusals.clone().follow(&client, namespace.as_deref()));
        triggers.push(touched.flat_map(move |(namespace, _)| stream::iter(of_namespace(&all, &namespace))).boxed());
    }

    let changed_classes = kube::runtime::watcher(Api::<PdsClass>::all(client.clone()), watcher::Config::default());
    let changed_classes =
        changed_classes.default_backoff().modify(|class| class.managed_fields_mut().clear()).reflect(class_writer);
    let (claims, writer) = reflector::store();
    let changed_claims =
        kube::runtime::watcher(Api::<PdsHostnameClaim>::all(client.clone()), watcher::Config::default());
    let changed_claims =
        changed_claims.default_backoff().modify(|claim| claim.managed_fields_mut().clear()).reflect(writer);
    let (bucket_claims, writer) = reflector::store();
    let changed_bucket_claims =
        kube::runtime::watcher(Api::<PdsBucketClaim>::all(client.clone()), watcher::Config::default());
    let changed_bucket_claims =
        changed_bucket_claims.default_backoff().modify(|claim| claim.managed_fields_mut().clear()).reflect(writer);
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
        filled: OnceCell::new(),
        instances: instances.clone(),
        caches,
        secrets,
        classes,
        claiming: Turns::new(1),
        claiming_buckets: Lanes::default(),
        fetching: Turns::new(FETCHES),
        claims: claims.clone(),
        bucket_claims,
        namespaces,
        refusals,
        definitions: Arc::new(Definitions::default()),
        pages,
        pace: Pace::default(),
        places: Places::new(options.concurrency),
        backoff: Backoff::default(),
        buckets: Recent::default(),
        done: Recent::default(),
        written: Recent::default(),
        scrapes: Arc::new(Scrapes::default()),
        storage_classes: Recent::default(),
        rollouts: Rollouts::default(),
        seed,
        cluster,
        options,
    });
    ctx.definitions.look(&client, &metrics).await;
    let mut helpers = tokio::task::JoinSet::new();
    helpers.spawn(scraper::run(ctx.clone(), ready_instances(ctx.clone(), instances.clone()), news.clone()));
    helpers.spawn(look_after(ctx.clone(), instances.clone(), news, stop.clone()));
    helpers.spawn(clear_up(ctx.clone()));

    let told = stream::poll_fn(move |context| told.poll_recv(context)).map(|about: ObjectRef<PdsInstance>| {
        ObjectRef::new(&about.name).within(about.namespace.as_deref().unwrap_or_default())
    });
    // How many reconcile at the same time is up to `Ctx::places`, and how often to `Ctx::pace`.
    let mut controller = Controller::for_stream(changed, instances.clone());
    let (all, holders, tenants, claim_store) =
        (instances.clone(), instances.clone(), instances.clone(), claims.clone());
    let owners = instances.clone();
    controller = controller
        .watches_stream(changed_classes.touched_objects(), move |_| every(&all))
        .watches_stream(changed_claims.touched_objects(), move |claim| touched_by(&holders, &claim_store, &claim))
        .watches_stream(changed_bucket_claims.touched_objects(), move |claim| waiting_for_bucket(&owners, &claim))
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

/// The instances whose Deployment has a ready pod.
fn ready_instances(ctx: Arc<Ctx>, instances: Instances) -> impl Fn() -> Vec<Arc<PdsInstance>> {
    move || {
        let serves = |pds: &PdsInstance| {
            let name = pds.name_any();
            let cache = ctx.caches.of::<k8s_openapi::api::apps::v1::Deployment>();
            let namespace = pds.namespace().unwrap_or_default();
            let live = cache.and_then(|cache| cache.digest(&namespace, &name, server::workload));
            live.is_some_and(|live| live.ready > 0)
        };
        let all = instances.state_filter(|pds| pds.0.as_ref().is_ok_and(&serves));
        all.iter().filter_map(|pds| pds.0.as_ref().ok().cloned().map(Arc::new)).collect()
    }
}

/// Checks the CustomResourceDefinitions and frees hostnames periodically. A changed result reconciles every instance.
async fn look_after(
    ctx: Arc<Ctx>,
    instances: Instances,
    news: mpsc::Sender<ObjectRef<PdsInstance>>,
    stop: CancellationToken,
) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.tick().await;
    let mut forget = tokio::time::interval(FORGET);
    forget.tick().await;
    let mut looked = tokio::time::Instant::now();
    loop {
        let pause = if ctx.definitions.problem().is_some() { DEFINITIONS.0 } else { DEFINITIONS.1 };
        tokio::select! {
            // From the last look: the other branches come more often than this one.
            () = tokio::time::sleep_until(looked + pause) => {
                looked = tokio::time::Instant::now();
                if ctx.definitions.look(&ctx.client, &ctx.pages.metrics).await {
                    for about in every(&instances) {
                        let about = ObjectRef::new(&about.name).within(about.namespace.as_deref().unwrap_or_default());
                        news.send(about).await.ok();
                    }
                }
            }
            _ = sweep.tick() => {
                let holder = |namespace: &str, name: &str| match instances.get(&ObjectRef::new(name).within(namespace)) {
                    None => Holder::Gone,
                    Some(found) => Holder::Wants(found.0.as_ref().ok().map(|pds| hostname::domains(&pds.spec))),
                };
                free_hostnames(&ctx, holder).await;
            }
            _ = forget.tick() => ctx.forget_gone(),
            () = stop.cancelled() => return,
        }
    }
}

/// Deletes what instances that are gone left running, and frees the claims of buckets that are gone. Beside everything else: object stores may
/// take their time.
async fn clear_up(ctx: Arc<Ctx>) {
    let (mut forget, mut sweep) = (tokio::time::interval(FORGET), tokio::time::interval(SWEEP));
    orphans::collect(&ctx).await;
    loop {
        tokio::select! {
            _ = forget.tick() => orphans::collect(&ctx).await,
            _ = sweep.tick() => free_gone(&ctx).await,
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
