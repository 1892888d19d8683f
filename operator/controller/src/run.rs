//! Puts the parts together: probes, Lease, controller, shutdown.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::Reporter;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource, ResourceExt};
use operator_api::{PdsClass, PdsInstance};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cache::watch;
use crate::context::Ctx;
use crate::controllers::pds_instance;
use crate::controllers::pds_instance::observe::names_secret;
use crate::http::{Pages, router};
use crate::k8s::labels;
use crate::lease::Candidate;

const LEASE: &str = "aurora-locus-operator";
const CONTROLLER: &str = "aurora-locus-operator";
/// Releases of Helm are Secrets too: large, many, and nothing that a pod reads.
const NO_RELEASES: &str = "type!=helm.sh/release.v1";
/// Longest wait for reconciliations in flight at the end.
const DRAIN: Duration = Duration::from_secs(20);

/// How the operator runs.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The operator's own namespace: its Lease and the Secrets of classes
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "aurora-system")]
    pub namespace: String,
    /// This process among its replicas
    #[arg(long, env = "POD_NAME", default_value = "operator")]
    pub identity: String,
    /// Where `/metrics`, `/healthz` and `/readyz` are served
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "[::]:8080")]
    pub listen: SocketAddr,
    /// Reconciliations at the same time
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value_t = 16)]
    pub concurrency: u16,
}

/// Runs until it is told to stop, or loses the Lease.
///
/// # Errors
/// What stops it at the start.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Two providers may be linked; this says which one serves.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
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
    pages.ready.store(true, Ordering::Relaxed);

    let identity = format!("{}_{}", options.identity, uuid::Uuid::new_v4());
    let leases = Api::<Lease>::namespaced(client.clone(), &options.namespace);
    let mut candidate = Candidate::new(leases, LEASE, identity);
    tokio::select! {
        () = candidate.acquire() => {}
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    }
    tracing::info!("leading");
    pages.metrics.set_leader(true);
    let controller = tokio::spawn(control(client, options, pages.clone(), stop.clone()));
    tokio::select! {
        () = candidate.keep() => {
            tracing::error!("the lease is lost; another may lead now");
            controller.abort();
            return Ok(ExitCode::FAILURE);
        }
        () = stop.cancelled() => {}
    }
    pages.ready.store(false, Ordering::Relaxed);
    // The Lease is kept while the last writes go out, and given up after.
    let drain = async {
        if tokio::time::timeout(DRAIN, controller).await.is_err() {
            tracing::warn!("not all ended in time")
        }
    };
    tokio::select! { () = drain => {} () = candidate.keep() => {} }
    if let Err(error) = candidate.release().await {
        tracing::warn!(%error, "the lease was not given up; it runs out by itself");
    }
    Ok(ExitCode::SUCCESS)
}

async fn control(client: Client, options: Options, pages: Pages, stop: CancellationToken) {
    let reporter = Reporter { controller: CONTROLLER.into(), instance: Some(options.identity) };
    let mut ctx = Ctx::new(client.clone(), options.namespace.clone(), reporter, pages.metrics.clone());
    let metrics = || pages.metrics.clone();
    let everywhere = watcher::Config::default;
    let (reader, instances) = watch::<PdsInstance>(Api::all(client.clone()), everywhere(), metrics());
    let instances = instances.applied_objects().predicate_filter(predicates::generation, PredicateConfig::default());
    let config = controller::Config::default().concurrency(options.concurrency);
    let controller = Controller::for_stream(instances, reader.clone()).with_config(config);

    let mine = || everywhere().labels(labels::SELECTOR);
    macro_rules! owns {
        ($controller:expr, $($kind:ty),+) => {
            $controller$(.owns_stream(ctx.cache.keep::<$kind>(Api::all(client.clone()), mine(), metrics())))+
        };
    }
    let controller = owns!(controller, Deployment, StatefulSet, Job, Service, ConfigMap, ServiceAccount);
    let controller = owns!(controller, NetworkPolicy, PodDisruptionBudget);
    let secrets = ctx.cache.keep::<Secret>(Api::all(client.clone()), mine(), metrics());
    let volumes = ctx.cache.keep::<PersistentVolumeClaim>(Api::all(client.clone()), mine(), metrics());
    let controller = controller.watches_stream(secrets, |secret| by_label(&secret));
    let controller = controller.watches_stream(volumes, |volume| by_label(&volume));

    let classes = ctx.cache.keep::<PdsClass>(Api::all(client.clone()), everywhere(), metrics());
    let class_secrets = Api::namespaced(client.clone(), &options.namespace);
    let (kept, class_secrets) = watch::<Secret>(class_secrets, everywhere().fields(NO_RELEASES), metrics());
    ctx.class_secrets = Some(kept);
    let (all, users) = (reader.clone(), reader.clone());
    let controller = controller.watches_stream(classes, move |_| every(&all));
    let controller = controller.watches_stream(class_secrets.touched_objects(), move |_| every(&users));

    // Secrets of other people: who they are is enough to know whose pods read them.
    let others = everywhere().fields(NO_RELEASES).labels(labels::NOT_OURS);
    let others = watcher(Api::<PartialObjectMeta<Secret>>::all(client), others).default_backoff();
    controller
        .watches_stream(others.touched_objects(), move |secret| by_reference(&reader, &secret))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(pds_instance::reconcile, |_, error, _| match *error {}, Arc::new(ctx))
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "the controller");
            }
        })
        .await;
}

fn every(instances: &Store<PdsInstance>) -> Vec<ObjectRef<PdsInstance>> {
    instances.state().iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
}

/// Data has no owner; its label says whose it is.
fn by_label<K: Resource>(object: &K) -> Option<ObjectRef<PdsInstance>> {
    let name = object.labels().get(labels::INSTANCE)?;
    Some(ObjectRef::new(name).within(&object.namespace()?))
}

fn by_reference(instances: &Store<PdsInstance>, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<PdsInstance>> {
    let (namespace, name) = (secret.namespace(), secret.name_any());
    let users = instances.state_filter(|pds| pds.namespace() == namespace && names_secret(pds, &name));
    users.iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
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
