//! What people and programs are told about a job.

use pds_store::job;
use serde::Serialize;

use super::work::{Job, RunsOn};
use crate::clock::text;

/// A job, and what became of its last run, as `dev.auroralocus.admin.defs#job`. Nothing of the past is known of jobs that every replica runs.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its name.
    pub name: String,
    /// About the time between two runs.
    pub interval_seconds: u64,
    /// `oneReplica` or `everyReplica`.
    pub runs_on: &'static str,
    /// Whether a replica runs it now; always false for jobs of every replica.
    pub running: bool,
    /// Number of the newest run.
    pub run: i64,
    /// Failed runs since the last success.
    pub failures: u32,
    /// The replica that runs it or ran it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When the newest run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the newest run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How the last run that ended did so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is due next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
}

impl View {
    pub(super) fn new(job: &Job, row: Option<&job::Job>, now: i64) -> Self {
        let plain = Self {
            name: job.name.to_owned(),
            interval_seconds: job.every.as_secs(),
            runs_on: "everyReplica",
            running: false,
            run: 0,
            failures: 0,
            holder: None,
            started_at: None,
            ended_at: None,
            outcome: None,
            error: None,
            due_at: None,
        };
        if job.runs_on == RunsOn::EveryReplica {
            return plain;
        }
        let plain = Self { runs_on: "oneReplica", ..plain };
        let Some(row) = row else { return plain };
        Self {
            running: row.is_running(now),
            run: row.run,
            failures: row.failures,
            holder: row.holder.clone(),
            started_at: row.started_at.map(text),
            ended_at: row.ended_at.map(text),
            // Of a run that nobody has ended nothing more is known.
            outcome: if row.is_abandoned(now) { Some("abandoned".to_owned()) } else { row.outcome.clone() },
            error: row.error.clone(),
            due_at: Some(text(row.due)),
            ..plain
        }
    }
}
