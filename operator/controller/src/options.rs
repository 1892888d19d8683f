//! How the operator runs: its command line and environment.

use std::net::SocketAddr;

use clap::Args;
use operator_api::PdsClass;
use operator_runtime::child::Scope;

/// The name that classes without `controllerName` have.
pub const CONTROLLER_NAME: &str = "auroralocus.dev/operator";

/// How the operator runs.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The operator's own namespace: its Lease, its seed and the Secrets of classes
    #[arg(long, env = "OPERATOR_NAMESPACE", default_value = "aurora-system")]
    pub namespace: String,
    /// Name of this process in the Lease, different for each replica
    #[arg(long, env = "POD_NAME", default_value = "operator")]
    pub identity: String,
    /// Where `/metrics`, `/healthz` and `/readyz` are served
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "[::]:8080")]
    pub listen: SocketAddr,
    /// Maximum number of reconciliations at the same time
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Serve only these namespaces; all if absent
    #[arg(long, env = "OPERATOR_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Serve the classes with this `controllerName`
    #[arg(long, env = "OPERATOR_CONTROLLER_NAME", default_value = CONTROLLER_NAME)]
    pub controller_name: String,
    /// Maximum number of instances that replace their pods at the same time, when a class or the operator changes
    #[arg(long, env = "OPERATOR_MAX_ROLLOUTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_rollouts: u16,
}

impl Options {
    /// Whether this installation serves a class.
    #[must_use]
    pub fn serves(&self, class: &PdsClass) -> bool {
        class.spec.controller_name.as_deref().unwrap_or(CONTROLLER_NAME) == self.controller_name
    }

    /// The namespaces that are served.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let names: Vec<_> = self.namespaces.iter().filter(|name| !name.is_empty()).cloned().collect();
        if names.is_empty() { Scope::Cluster } else { Scope::Namespaces(names) }
    }
}
