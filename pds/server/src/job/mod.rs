//! Jobs that run from time to time on every replica. Each is idempotent, so it does no harm if two replicas run it at once; a random part
//! of each pause keeps them apart.

pub mod account_purge;
pub mod blob_store;
pub mod crawl;
pub mod expired_imports;
pub mod identity_changes;
pub mod mails;
pub mod reservations;
mod schedule;
pub mod sessions;

use std::{sync::Arc, time::Duration};

use pds_store::Db;
use tokio_util::sync::CancellationToken;

use self::{crawl::Crawl, schedule::Schedule};
use crate::{
    blob::Blobs,
    clock::Clock,
    identity::{Handles, Identities},
    mail::Mailer,
    metrics::Metrics,
    sequencer::Sequencer,
};

/// What jobs work on.
pub struct Parts {
    /// Reservations, sessions, imports.
    pub db: Db,
    /// Unreferenced blobs.
    pub blobs: Blobs,
    /// Changes of handles.
    pub handles: Handles,
    /// Changes of signing keys.
    pub identities: Identities,
    /// Old events.
    pub sequencer: Sequencer,
    /// Requests to relays.
    pub crawl: Crawl,
    /// Mails that wait.
    pub mailer: Mailer,
    /// How long the data of deleted accounts is kept.
    pub delete_grace: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Shows when each job ran.
    pub metrics: Metrics,
    /// Ends all jobs.
    pub shutdown: CancellationToken,
}

/// Starts the jobs; they end with the server.
pub fn start(parts: Parts) {
    const HOUR: Duration = Duration::from_secs(3600);
    let Parts { db, blobs, handles, identities, sequencer, crawl, mailer, delete_grace, clock, metrics, shutdown } =
        parts;
    blob_store::start(blobs.clone(), clock.clone(), metrics.clone(), shutdown.clone());
    crawl.start(shutdown.clone());
    mails::start(mailer, clock.clone(), metrics.clone(), shutdown.clone());
    let schedule = Schedule { clock, metrics, shutdown };
    let database = db.clone();
    schedule.spawn("reservations", HOUR / 12, move |now| reservations::give_back(database.clone(), now));
    let (database, store) = (db.clone(), blobs.clone());
    schedule.spawn("account_purge", HOUR / 6, move |now| {
        account_purge::run(database.clone(), store.clone(), delete_grace, now)
    });
    let database = db.clone();
    schedule.spawn("session_cleanup", HOUR, move |now| sessions::forget_expired(database.clone(), now));
    schedule.spawn("blob_orphan_sweep", HOUR, move |_| {
        let blobs = blobs.clone();
        async move { blobs.sweep().await.map(drop) }
    });
    schedule.spawn("expired_imports", HOUR / 12, move |now| expired_imports::undo(db.clone(), now));
    schedule.spawn("identity_changes", HOUR / 12, move |now| {
        identity_changes::finish(handles.clone(), identities.clone(), now)
    });
    schedule.spawn("event_retention", HOUR / 6, move |now| {
        let sequencer = sequencer.clone();
        async move { sequencer.prune(now).await }
    });
}
