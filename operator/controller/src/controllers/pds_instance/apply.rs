//! Writes what is wanted, stage by stage. A stage that fails leaves what runs as it is.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use operator_api::PdsInstance;

use super::build::{Postgres, Resources};
use super::observe::Observed;
use super::reason::Reason;
use super::stages;
use super::status::Stage;
use super::validate::{Database, Validated};
use crate::context::Ctx;
use crate::k8s::apply::{apply as put, find, prune};

/// How far each stage came.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The keys.
    pub keys: Stage,
    /// What tells whether they are still the same.
    pub fingerprint: Option<String>,
    /// The database.
    pub database: Stage,
    /// The bucket or volume of the blobs.
    pub blobs: Stage,
    /// The schema.
    pub schema: Stage,
    /// The pods.
    pub workload: Stage,
    /// The server as it is.
    pub deployment: Option<Deployment>,
    /// Whether every pod is of the wanted kind.
    pub complete: bool,
}

impl Applied {
    /// The stages by the type of their condition, in order.
    #[must_use]
    pub fn stages(&self) -> [(&'static str, &Stage); 5] {
        [
            ("KeysReady", &self.keys),
            ("DatabaseReady", &self.database),
            ("BlobStoreReady", &self.blobs),
            ("SchemaMigrated", &self.schema),
            ("WorkloadAvailable", &self.workload),
        ]
    }
}

/// Writes everything that may be written now.
///
/// # Errors
/// What the API server answers.
pub async fn apply(
    ctx: &Ctx,
    pds: &PdsInstance,
    wanted: &Validated,
    observed: &Observed,
    planned: Resources,
) -> kube::Result<Applied> {
    let Resources {
        service_account,
        config,
        postgres,
        volume,
        migrate,
        deployment,
        services,
        budget,
        network_policies,
    } = planned;
    let namespace = wanted.namespace.as_str();
    let (keys, fingerprint) = stages::keys(ctx, pds, wanted, observed).await?;
    if !keys.good {
        let live = find::<Deployment>(ctx, namespace, &wanted.names.0).await?;
        let (workload, complete) = stages::workload(live.as_ref(), wanted.replicas);
        let waiting = Stage::bad(Reason::WaitingForKeys, "nothing is touched without the keys");
        let (database, blobs, schema) = (waiting.clone(), waiting.clone(), waiting);
        return Ok(Applied { keys, fingerprint, database, blobs, schema, workload, deployment: live, complete });
    }

    let mut kept = Kept::new(&wanted.names.0);
    put(ctx, namespace, service_account).await?;
    for policy in network_policies {
        kept.policies.push(policy.name_any());
        put(ctx, namespace, policy).await?;
    }
    if let Some(volume) = volume
        && observed.volume.is_none()
    {
        put(ctx, namespace, volume).await?;
    }
    let database = match (&wanted.database, postgres) {
        (Database::Postgres { .. }, Some(postgres)) => {
            kept.postgres(&postgres);
            apply_postgres(ctx, wanted, observed, postgres).await?
        }
        (Database::External { .. }, _) => stages::external(observed),
        _ => Stage::good("SQLite on a volume"),
    };
    let blobs = stages::blobs(ctx, wanted, observed).await;
    for service in services {
        kept.services.push(service.name_any());
        put(ctx, namespace, service).await?;
    }
    if let Some(budget) = budget {
        kept.budgets.push(budget.name_any());
        put(ctx, namespace, budget).await?;
    }
    kept.configs.push(config.name_any());
    put(ctx, namespace, config).await?;
    let references = stages::references(wanted, observed);
    let schema = match migrate {
        Some(job) => {
            kept.jobs.push(job.name_any());
            stages::schema(ctx, namespace, job, references.as_ref().unwrap_or(&database)).await?
        }
        None => Stage::good("SQLite migrates itself at the start"),
    };
    let live = if schema.good && blobs.good && references.is_none() {
        Some(put(ctx, namespace, deployment).await?)
    } else {
        find::<Deployment>(ctx, namespace, &wanted.names.0).await?
    };
    let (workload, complete) = match references {
        Some(missing) => (missing, false),
        None => stages::workload(live.as_ref(), wanted.replicas),
    };
    let complete = complete && schema.good && blobs.good;
    kept.prune(ctx, wanted, complete).await?;
    Ok(Applied { keys, fingerprint, database, blobs, schema, workload, deployment: live, complete })
}

async fn apply_postgres(ctx: &Ctx, wanted: &Validated, observed: &Observed, postgres: Postgres) -> kube::Result<Stage> {
    let Postgres { config, stateful_set, services } = postgres;
    if let Some(stalled) = stages::postgres_secret(ctx, wanted, observed).await? {
        return Ok(stalled);
    }
    let namespace = wanted.namespace.as_str();
    put(ctx, namespace, config).await?;
    for service in services {
        put(ctx, namespace, service).await?;
    }
    Ok(stages::postgres(&put(ctx, namespace, stateful_set).await?))
}

/// The names that stay.
struct Kept {
    instance: String,
    configs: Vec<String>,
    jobs: Vec<String>,
    services: Vec<String>,
    stateful_sets: Vec<String>,
    policies: Vec<String>,
    budgets: Vec<String>,
}

impl Kept {
    fn new(instance: &str) -> Self {
        let none = Vec::new;
        Self {
            instance: instance.into(),
            configs: none(),
            jobs: none(),
            services: none(),
            stateful_sets: none(),
            policies: none(),
            budgets: none(),
        }
    }

    fn postgres(&mut self, postgres: &Postgres) {
        self.configs.push(postgres.config.name_any());
        self.services.extend(postgres.services.iter().map(ResourceExt::name_any));
        self.stateful_sets.push(postgres.stateful_set.name_any());
    }

    /// Deletes the rest. Old settings and migrations stay while old pods do.
    async fn prune(&self, ctx: &Ctx, wanted: &Validated, complete: bool) -> kube::Result<()> {
        let (namespace, instance) = (wanted.namespace.as_str(), self.instance.as_str());
        let owner = wanted.owner.uid.as_str();
        prune::<Service>(ctx, namespace, instance, owner, &self.services).await?;
        prune::<StatefulSet>(ctx, namespace, instance, owner, &self.stateful_sets).await?;
        prune::<NetworkPolicy>(ctx, namespace, instance, owner, &self.policies).await?;
        prune::<PodDisruptionBudget>(ctx, namespace, instance, owner, &self.budgets).await?;
        if complete {
            prune::<ConfigMap>(ctx, namespace, instance, owner, &self.configs).await?;
            prune::<Job>(ctx, namespace, instance, owner, &self.jobs).await?;
        }
        Ok(())
    }
}
