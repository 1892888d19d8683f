//! An operator of a test's own: it serves the world's namespace and its own class.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use operator_controller::options::Options;
use serde_json::{Value, json};

use super::harness::{World, create_namespace, merge, write_admins};
use super::operator::{Process, options};
use super::rights;
use super::wire::Gate;

/// Where an own operator lives, and what its class and its options are called.
pub(crate) struct Home {
    pub(crate) namespace: String,
    pub(crate) class: String,
    options: Options,
    client: Client,
}

impl Home {
    /// Makes the namespace, the rights and a class with `change` over the usual spec.
    pub(crate) async fn new(world: &World, change: Value) -> Self {
        let namespace = format!("{}-op", world.namespace);
        let client = world.client.clone();
        create_namespace(&client, &namespace).await;
        write_admins(&client, &namespace).await;
        rights::grant(&client, &namespace, std::slice::from_ref(&world.namespace)).await;
        let options = Options {
            namespaces: vec![world.namespace.clone()],
            controller_name: format!("test/{namespace}"),
            max_rollouts: 1,
            ..options(&namespace)
        };
        let home = Self { class: world.namespace.clone(), namespace, options, client };
        home.edit(world, change).await;
        home
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn controller_name(&self) -> &str {
        &self.options.controller_name
    }

    /// Makes the processes that start from now on listen; gives the URL of their metrics.
    pub(crate) fn listen(&mut self) -> String {
        // Free a moment ago, and nobody else on this machine asks for this very one.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        self.options.listen = free;
        format!("http://{free}/metrics")
    }

    /// Writes the class with `change` over the usual spec.
    pub(crate) async fn edit(&self, world: &World, change: Value) {
        let mut spec = json!({"controllerName": self.options.controller_name});
        merge(&mut spec, change);
        world.class(spec).await;
    }

    /// Starts a process, which dies right after a certain write.
    pub(crate) async fn start(&self, dies_after: Option<usize>) -> Process {
        // As if the time of a process that died before were up.
        let leases = Api::<Lease>::namespaced(self.client.clone(), &self.namespace);
        for lease in leases.list(&ListParams::default()).await.unwrap() {
            leases.delete(&lease.name_any(), &Default::default()).await.ok();
        }
        let gate = Arc::new(Gate::new(&rights::user(&self.namespace), dies_after));
        Process::begin(gate, self.options.clone())
    }
}
