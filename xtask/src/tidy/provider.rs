//! There is one crypto provider: no crate of the workspace, on any platform, compiles ring.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::problem::Problem;

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let arguments = ["tree", "--locked", "--workspace", "--all-features", "--target", "all", "-i", "ring"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("run cargo tree")?;
    // The exit status does not tell: it is 101 if ring is not in the lock file, and 0 if it is there but unused.
    let users = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !users.trim().is_empty() {
        let message = format!(
            "ring is compiled, but the crypto provider is aws-lc-rs. These crates depend on ring:\n{}",
            users.trim_end()
        );
        return Ok(vec![Problem::new("Cargo.toml", 1, message)]);
    }
    // After any other failure, empty output does not mean that ring is unused.
    let is_answer = output.status.success() || errors.contains("did not match any packages");
    Ok(if is_answer { Vec::new() } else { vec![Problem::new("Cargo.toml", 1, format!("cargo tree failed: {errors}"))] })
}
