//! `cargo xtask gen` writes the generated files, `cargo xtask tidy` checks the rules of the tree.
//!
//! Neither changes anything else, and neither needs the network.

mod generate;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Work on the tree itself.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the files that are generated from types and pinned packages
    Gen {
        /// Change nothing; fail if a file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Check import rules, circles between files, file sizes, names, migrations, providers
    Tidy,
}

fn main() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in the workspace")?;
    match Arguments::parse().task {
        Task::Gen { check: false } => generate::write(root),
        Task::Gen { check: true } => generate::check(root),
        Task::Tidy => tidy::run(root),
    }
}
