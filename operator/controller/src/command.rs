//! What the program does beside running the controllers.

use std::io::Write;

use clap::Subcommand;
use kube::Client;

use crate::crd;
use crate::kinds::pds_instance::finalizer;
use crate::options::Options;

/// What the program does beside running the controllers.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Write the CustomResourceDefinitions to standard output, or to the cluster
    Crd {
        /// Write them to the cluster; a definition of a newer version stays as it is
        #[arg(long)]
        apply: bool,
    },
    /// Take the operator's finalizer from every PdsInstance that this installation serves (`--namespaces`, `--controller-name`), so that
    /// none waits for an operator that is gone. Data is retained
    Release,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// If the API server refuses a request, or standard output cannot be written.
    pub async fn run(self, options: &Options) -> anyhow::Result<()> {
        match self {
            Self::Crd { apply: false } => {
                let documents: Result<Vec<_>, _> = crd::definitions().iter().map(serde_saphyr::to_string).collect();
                std::io::stdout().write_all(documents?.join("---\n").as_bytes())?;
                Ok(())
            }
            Self::Crd { apply: true } => Ok(crd::apply(&Client::try_default().await?).await?),
            Self::Release => {
                let released = finalizer::release(&Client::try_default().await?, options).await?;
                tracing::info!("{released} instances are released");
                Ok(())
            }
        }
    }
}
