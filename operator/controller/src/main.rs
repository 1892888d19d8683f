//! The operator of Aurora Locus.

use std::process::ExitCode;

use clap::Parser;
use operator_controller::command::Command;
use operator_controller::options::Options;
use operator_controller::run;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs AT Protocol Personal Data Servers on Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

/// Maximum number of threads that reconcile. Each keeps memory of its own, and a node may have a hundred cores. One thread serves a thousand instances.
const THREADS: usize = 4;

fn main() -> anyhow::Result<ExitCode> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(operate())
}

async fn operate() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // At the level of warnings the client logs every answer that it cannot read, as it came: a list of Secrets, for example.
    let filter = filter.add_directive("kube_client::client=off".parse()?);
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Two providers may be linked; this says which one serves.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match arguments.command {
        Some(command) => command.run(&arguments.options).await.map(|()| ExitCode::SUCCESS),
        None => run::run(arguments.options).await,
    }
}
