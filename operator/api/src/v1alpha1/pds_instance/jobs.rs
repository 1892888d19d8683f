//! When the background jobs of a PDS run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::quantity::{Interval, Lease};

/// When the background jobs of a PDS run. A field is the time between two runs of the job with its name: a whole number and `s`, `m`, `h` or
/// `d`, from `1s` to `30d`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Jobs {
    /// Time after which another pod runs a job whose pod has died, from `3s` to `1h`; `60s` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Deletes deactivated accounts at the date that their owners set, and removes the data of deleted ones; `1h` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_purge: Option<Interval>,
    /// Deletes uploads that nothing refers to, and the objects of deleted blobs; `1h` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_orphan_sweep: Option<Interval>,
    /// Asks the blob store whether it answers, in every pod; `15s` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_store_check: Option<Interval>,
    /// Forgets lexicons of other hosts that were not found for a day; `30m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_cleanup: Option<Interval>,
    /// Looks for new events and asks relays to crawl, in every pod; `10s` if absent. All pods together ask at most every 20 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crawl: Option<Interval>,
    /// Renews the statistics of a SQLite database and checkpoints its log; `1d` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_maintenance: Option<Interval>,
    /// Deletes events that are older than `limits.eventRetention`; `10m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_retention: Option<Interval>,
    /// Deletes what imports of repositories staged whose pod has died; `5m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_imports: Option<Interval>,
    /// Checks the database, the blob store, the SMTP servers and the PLC directory; `5m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<Interval>,
    /// Ends changes of handles and signing keys that a crash interrupted; `5m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_changes: Option<Interval>,
    /// Sends mails that another pod left or that are to be tried again, in every pod; `5s` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mails: Option<Interval>,
    /// Gives back the handles of sign-ups that a crash interrupted; `5m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservations: Option<Interval>,
    /// Deletes expired refresh tokens and mailed codes; `1h` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_cleanup: Option<Interval>,
    /// Announces the ends of suspensions to relays; `1m` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension_cleanup: Option<Interval>,
}
