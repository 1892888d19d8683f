//! `cargo xtask gen` writes the generated files, `cargo xtask tidy` checks the rules of the source tree.
//!
//! Both change no other files and work without network.

mod generate;
mod method_table;
mod requirement;
mod tidy;
mod tree;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Generates files of the source tree and checks its rules.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the files that are generated from Rust types and pinned packages
    Gen {
        /// Write nothing; fail if a file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Check import rules, circles between files, file sizes, file names, migrations, tests of methods and the crypto provider
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
