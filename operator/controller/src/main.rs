//! The operator of Aurora Locus.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kube::CustomResourceExt;
use operator_api::{PdsClass, PdsInstance};
use operator_controller::run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs AT Protocol Personal Data Servers on Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: run::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Write the CustomResourceDefinitions to standard output
    Crd,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Crd) => {
            let crds = [PdsInstance::crd(), PdsClass::crd()];
            let documents: Result<Vec<_>, _> = crds.iter().map(serde_saphyr::to_string).collect();
            std::io::stdout().write_all(documents?.join("---\n").as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        None => run::run(arguments.options).await,
    }
}
