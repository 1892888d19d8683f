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
use kube::api::Api;
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{WatchStreamExt, predicates, watcher};
use kube::{Client, Resource, ResourceExt};
use operator_api::{PdsClass, PdsInstance};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::backoff::Backoff;
use crate::context::{Ctx, Recent};
use crate::controllers::pds_instance;
use crate::http::{Pages, router};
use crate::k8s::labels;
use crate::lease::Candidate;

const LEASE: &str = "aurora-locus-operator";
const CONTROLLER: &str = "aurora-locus-operator";
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
    let ctx = Arc::new(Ctx {
        recorder: Recorder::new(client.clone(), reporter),
        metrics: pages.metrics,
        namespace: options.namespace,
        backoff: Backoff::default(),
        checked_buckets: Recent::default(),
        accounts: Recent::default(),
        client: client.clone(),
    });
    let (reader, writer) = reflector::store();
    let instances = watcher(Api::<PdsInstance>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(|pds| pds.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects()
        .predicate_filter(predicates::generation, kube::runtime::PredicateConfig::default());
    let mine = || watcher::Config::default().labels(labels::SELECTOR);
    let all = reader.clone();
    let config = controller::Config::default().concurrency(options.concurrency);
    Controller::for_stream(instances, reader)
        .with_config(config)
        .owns(Api::<Deployment>::all(client.clone()), mine())
        .owns(Api::<StatefulSet>::all(client.clone()), mine())
        .owns(Api::<Job>::all(client.clone()), mine())
        .owns(Api::<Service>::all(client.clone()), mine())
        .owns(Api::<ConfigMap>::all(client.clone()), mine())
        .owns(Api::<ServiceAccount>::all(client.clone()), mine())
        .owns(Api::<NetworkPolicy>::all(client.clone()), mine())
        .owns(Api::<PodDisruptionBudget>::all(client.clone()), mine())
        .watches(Api::<Secret>::all(client.clone()), mine(), |object| by_label(&object))
        .watches(Api::<PersistentVolumeClaim>::all(client.clone()), mine(), |object| by_label(&object))
        .watches(Api::<PdsClass>::all(client), watcher::Config::default(), move |_| {
            all.state().iter().map(|pds| ObjectRef::from_obj(&**pds)).collect::<Vec<_>>()
        })
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(pds_instance::reconcile, |_, error, _| match *error {}, ctx)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "the controller");
            }
        })
        .await;
}

/// Data has no owner; its label says whose it is.
fn by_label<K: Resource>(object: &K) -> Option<ObjectRef<PdsInstance>> {
    let name = object.labels().get(labels::INSTANCE)?;
    Some(ObjectRef::new(name).within(&object.namespace()?))
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
