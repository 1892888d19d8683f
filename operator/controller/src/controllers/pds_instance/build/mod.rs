//! From a validated spec to Kubernetes objects. Pure: no client, no clock, no chance.

mod config_map;
mod deployment;
mod job;
mod meta;
mod network_policy;
mod pod;
mod pod_disruption_budget;
mod service;
mod service_account;
mod stateful_set;
mod volume_claim;

#[cfg(test)]
mod tests;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::observe::Observed;
use super::secrets;
use super::validate::{Database, Validated};

pub(super) use meta::data as data_meta;
pub use pod::{POSTGRES_USER, SERVER_USER};

/// Everything that an instance should have, other than Secrets.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Of the PDS's pods; it has no rights.
    pub service_account: ServiceAccount,
    /// The settings.
    pub config: ConfigMap,
    /// Its own PostgreSQL.
    pub postgres: Option<Postgres>,
    /// The volume of SQLite.
    pub volume: Option<PersistentVolumeClaim>,
    /// The migration; SQLite migrates itself.
    pub migrate: Option<Job>,
    /// The server.
    pub deployment: Deployment,
    /// XRPC and metrics.
    pub services: [Service; 2],
    /// Where there are two pods or more.
    pub budget: Option<PodDisruptionBudget>,
    /// Who may reach what.
    pub network_policies: Vec<NetworkPolicy>,
}

/// A PostgreSQL of its own.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// The start script.
    pub config: ConfigMap,
    /// The server.
    pub stateful_set: StatefulSet,
    /// For clients, and for the pod's name.
    pub services: [Service; 2],
}

/// Builds everything.
#[must_use]
pub fn build(wanted: &Validated, observed: &Observed) -> Resources {
    let config = config_map::settings(wanted);
    let config_name = config.metadata.name.clone().unwrap_or_default();
    let postgres = match &wanted.database {
        Database::Postgres { image, volume } => Some(Postgres {
            config: config_map::postgres(wanted),
            stateful_set: stateful_set::build(wanted, image, volume, observed.postgres.as_ref()),
            services: service::postgres(wanted),
        }),
        _ => None,
    };
    let volume = match &wanted.database {
        Database::Sqlite { volume } => Some(volume_claim::build(wanted, volume)),
        _ => None,
    };
    Resources {
        service_account: service_account::build(wanted),
        migrate: job::build(wanted, observed),
        deployment: deployment::build(wanted, &config_name, secrets::version(observed)),
        services: [service::xrpc(wanted), service::metrics(wanted)],
        budget: pod_disruption_budget::build(wanted),
        network_policies: network_policy::build(wanted),
        config,
        postgres,
        volume,
    }
}
