//! An operator of a test's own: it serves the world's namespace and its own classes, and can be killed.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use operator_controller::options::Options;
use operator_controller::run::operate;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::harness::{World, config, create_namespace, merge, write_admins};
use super::rights;
use super::wire::{Gate, through};

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

    pub(crate) fn controller_name(&self) -> &str {
        &self.options.controller_name
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

/// The usual options of an operator in a namespace.
pub(crate) fn options(namespace: &str) -> Options {
    Options {
        namespace: namespace.into(),
        identity: "test".into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        concurrency: 8,
        namespaces: Vec::new(),
        controller_name: operator_controller::options::CONTROLLER_NAME.into(),
        max_rollouts: 100,
    }
}

/// A running operator; `RUST_LOG` shows what it logs. It ends like a killed process when this goes: at once, wherever it is.
pub(crate) struct Process {
    pub(crate) gate: Arc<Gate>,
    _alive: oneshot::Sender<()>,
}

impl Process {
    /// In a thread with a runtime of its own, because each test has one that ends with it.
    pub(crate) fn begin(gate: Arc<Gate>, options: Options) -> Self {
        let (alive, mut killed) = oneshot::channel();
        let through_gate = gate.clone();
        if std::env::var_os("RUST_LOG").is_some() {
            let filter = tracing_subscriber::EnvFilter::from_default_env();
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init().ok();
        }
        std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_multi_thread();
            let runtime = { threads }.worker_threads(2).thread_stack_size(8 << 20).enable_all().build().unwrap();
            runtime.block_on(async {
                let client = through(config().await, through_gate);
                tokio::select! {
                    ended = operate(client, options, CancellationToken::new()) => drop(ended.unwrap()),
                    _ = &mut killed => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        Self { gate, _alive: alive }
    }
}
