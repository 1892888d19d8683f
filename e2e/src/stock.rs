//! Runs the stock JavaScript clients of `e2e/clients` as child processes.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Cluster, Pds};

/// The folder with the clients.
fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn node(cluster: &Cluster, pds: &Pds, script: &str, input: &Value) -> Command {
    let clients = clients();
    let mut command = Command::new(clients.join("node"));
    command
        .arg("--import")
        .arg(clients.join("hosts.mjs"))
        .arg(clients.join(script))
        .arg(input.to_string())
        .env("NODE_EXTRA_CA_CERTS", &cluster.ca_file)
        .env("AURORA_HOSTS", format!("{0}={1},*.{0}={1}", pds.hostname, pds.address))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(mut command: Command, script: &str) -> Result<String> {
    let output = command.output().await.with_context(|| format!("start {script}"))?;
    let stdout = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        bail!("{script} ended with {}:\n{stdout}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(stdout)
}

/// Runs a script that prints one line of JSON, and returns it.
pub async fn script(cluster: &Cluster, pds: &Pds, script: &str, input: Value) -> Result<Value> {
    let stdout = run(node(cluster, pds, script, &input), script).await?;
    serde_json::from_str(stdout.trim()).with_context(|| format!("{script} printed {stdout}"))
}

/// A repository that `@atproto/repo` has verified.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Repository {
    pub rev: String,
    pub commit: String,
    /// CIDs by record path.
    pub records: BTreeMap<String, String>,
}

/// Exports a repository and verifies it with `@atproto/repo`.
pub async fn repository(cluster: &Cluster, pds: &Pds, did: &str) -> Result<Repository> {
    let input = json!({"url": pds.url, "plc": cluster.plc_url, "did": did});
    Ok(serde_json::from_value(script(cluster, pds, "repository.mjs", input).await?)?)
}

/// One line of output of the stock consumer: a message, or a verified operation of a message.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Line {
    pub seq: i64,
    pub did: String,
    /// `message` for a message, `None` for an operation.
    pub kind: Option<String>,
    /// `create`, `update` or `delete` for an operation, `None` for a message.
    pub op: Option<String>,
    pub path: Option<String>,
    pub cid: Option<String>,
    pub rev: Option<String>,
}

/// Follows the firehose with `@atproto/sync`, verifying every commit, from `cursor` to the message `until`.
pub async fn firehose(cluster: &Cluster, pds: &Pds, cursor: i64, until: i64) -> Result<Vec<Line>> {
    follow(cluster, pds, &pds.url.replace("https://", "wss://"), cursor, until).await
}

/// Like [`firehose`], but follows the stream of `service`, for example a relay, whose accounts are on `pds`.
pub async fn follow(cluster: &Cluster, pds: &Pds, service: &str, cursor: i64, until: i64) -> Result<Vec<Line>> {
    let input = json!({"service": service, "plc": cluster.plc_url, "cursor": cursor, "until": until});
    let stdout = run(node(cluster, pds, "firehose.mjs", &input), "firehose.mjs").await?;
    stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// The sequence numbers of the messages, in order of arrival.
pub fn sequence(lines: &[Line]) -> Vec<i64> {
    lines.iter().filter(|line| line.kind.as_deref() == Some("message")).map(|line| line.seq).collect()
}
