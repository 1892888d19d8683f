//! One crypto provider: nothing in the tree, on any platform, compiles ring.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::problem::Problem;

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let arguments = ["tree", "--locked", "--workspace", "--all-features", "--target", "all", "-i", "ring"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("run cargo tree")?;
    // The status says nothing: it is 101 when ring is not locked at all, and 0 when it is locked but nobody uses it.
    let users = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !users.trim().is_empty() {
        let message = format!("ring is compiled; the provider is aws-lc-rs. Who brings it:\n{}", users.trim_end());
        return Ok(vec![Problem::new("Cargo.toml", 1, message)]);
    }
    // With any other failure an empty answer would prove nothing.
    let is_answer = output.status.success() || errors.contains("did not match any packages");
    Ok(if is_answer { Vec::new() } else { vec![Problem::new("Cargo.toml", 1, format!("cargo tree failed: {errors}"))] })
}
