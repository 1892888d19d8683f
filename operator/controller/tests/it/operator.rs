//! An operator of a test's own: it serves the world's namespace and its own classes, and can be killed.

use std::sync::Arc;
use std::time::Duration;

use operator_controller::options::Options;
use operator_controller::run::operate;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::environment::config;
use super::wire::{Gate, through};

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
                let config = config().await;
                let connect = move || Ok(through(config.clone(), through_gate.clone()));
                tokio::select! {
                    ended = operate(connect, options, CancellationToken::new()) => drop(ended.unwrap()),
                    _ = &mut killed => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        Self { gate, _alive: alive }
    }
}
