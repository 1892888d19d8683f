//! Installs, upgrades and uninstalls the operator's chart.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::cluster::variable;

/// The operator's chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/aurora-locus");
/// Name and namespace of the release that `e2e/install` makes.
pub const RELEASE: &str = "aurora-locus";

/// Runs a command of `helm` in a namespace, with values for the chart, and waits until all objects are ready or gone. `Value::Null` is no values.
pub async fn helm(command: &[&str], namespace: &str, values: &Value) -> Result<()> {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/build");
    let folder = Command::new(tools).args(["--print", "helm"]).output().await?;
    let program = PathBuf::from(String::from_utf8(folder.stdout)?.trim()).join("helm");
    let mut helm = Command::new(&program);
    helm.args(command)
        .args(["--namespace", namespace, "--wait", "--timeout", "120s"])
        .env("KUBECONFIG", variable("AURORA_E2E_KUBECONFIG")?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if !values.is_null() {
        helm.args(["--values", "-"]);
    }
    let mut child = helm.spawn().with_context(|| format!("start {}", program.display()))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    // A command without values does not read its standard input, and may have ended.
    if !values.is_null() {
        stdin.write_all(values.to_string().as_bytes()).await?;
    }
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("helm {}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
