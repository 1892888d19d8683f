//! `pds job`: background jobs of a running server, over its methods.
//!
//! Never opens the database: a job works on parts of a running server, such as its firehose, which a second process does not reach.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::admin::{Output, Server, Target, text};

/// Pause between two questions whether a job has ended.
const LOOK: Duration = Duration::from_millis(500);

/// Which server, and what to do.
#[derive(Debug, Args)]
pub(super) struct Job {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the jobs: how often each runs, how its last run ended, when it is due, and which replica runs it.
    List,
    /// Run a job now and wait for its end. Refused while a replica runs it.
    Run {
        /// As `pds job list` calls it.
        name: String,
        /// Do not wait for its end.
        #[arg(long)]
        no_wait: bool,
    },
}

/// Runs one command.
pub(super) async fn run(job: Job) -> anyhow::Result<()> {
    let Job { target, command } = job;
    let (server, output) = (target.server()?, target.output());
    match command {
        Command::List => list(&server, output).await,
        Command::Run { name, no_wait } => run_now(&server, output, &name, no_wait).await,
    }
}

async fn list(server: &Server, output: Output) -> anyhow::Result<()> {
    output.list(
        &jobs(server).await?,
        &[
            ("NAME", |job| text(job, "name")),
            ("INTERVAL", |job| interval(job["intervalSeconds"].as_u64().unwrap_or_default())),
            ("LAST RUN", |job| text(job, "startedAt")),
            ("OUTCOME", |job| match job["failures"].as_u64() {
                Some(failures) if failures > 1 => format!("{}, {failures} in a row", text(job, "outcome")),
                _ => text(job, "outcome"),
            }),
            ("NEXT RUN", |job| text(job, "dueAt")),
            ("RUNNING ON", |job| match (job["runsOn"] == "everyReplica", job["running"] == true) {
                (true, _) => "every replica".to_owned(),
                (false, true) => text(job, "holder"),
                (false, false) => String::new(),
            }),
            ("ERROR", |job| text(job, "error").split_whitespace().collect::<Vec<_>>().join(" ")),
        ],
    )
}

async fn run_now(server: &Server, output: Output, name: &str, no_wait: bool) -> anyhow::Result<()> {
    let started = server.call("dev.auroralocus.admin.runJob", &json!({"name": name})).await?["job"].take();
    let has_end = started["runsOn"] == "oneReplica";
    if no_wait || !has_end {
        return output.value(&started, &[("started", name.to_owned()), ("on", text(&started, "holder"))]);
    }
    let ended = loop {
        let jobs = jobs(server).await?;
        let Some(job) = jobs.into_iter().find(|job| job["name"] == name) else { bail!("the server has no job {name}") };
        if job["run"] != started["run"] || job["running"] == false {
            break job;
        }
        sleep(LOOK).await;
    };
    ensure!(
        ended["run"] == started["run"],
        "{} did not end its run of {name}; {} runs it again: see `pds job list`",
        text(&started, "holder"),
        text(&ended, "holder")
    );
    let outcome = text(&ended, "outcome");
    output.value(&ended, &[("job", name.to_owned()), ("outcome", outcome.clone()), ("on", text(&ended, "holder"))])?;
    ensure!(outcome == "success", "{name} ended with {outcome}: {}", text(&ended, "error"));
    Ok(())
}

async fn jobs(server: &Server) -> anyhow::Result<Vec<Value>> {
    server.list("dev.auroralocus.admin.listJobs", "jobs", &[]).await
}

/// In the largest unit that fits.
fn interval(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let fitting = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_as_settings_are() {
        let written = [5, 90, 300, 3_600, 86_400, 90_000].map(interval);
        assert_eq!(written, ["5s", "90s", "5m", "1h", "1d", "25h"]);
    }
}
